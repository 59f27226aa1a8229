//! The SQL engine: catalog, types, binder, lowering to SQLite, control flow, system views.
