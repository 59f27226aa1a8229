//! A client of Azure Resource Manager; knows no link.
