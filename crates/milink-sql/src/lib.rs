//! A client of one SQL Server or managed instance over TDS; knows no link.
