//! Functions and global variables whose value comes from the session or the catalog.

use rusqlite::types::Value;

use super::params::SystemValue;
use super::{Binder, Bound};
use crate::error::SqlError;
use crate::types::SqlType;

const NAME: SqlType = SqlType::SYSNAME;

impl Binder<'_> {
    /// `@@x`.
    pub(crate) fn global(&mut self, name: &str) -> Result<Bound, SqlError> {
        let ints: &[(&str, SystemValue)] = &[
            ("@@rowcount", SystemValue::RowCount),
            ("@@error", SystemValue::Error),
            ("@@trancount", SystemValue::TranCount),
            ("@@nestlevel", SystemValue::NestLevel),
            ("@@procid", SystemValue::ProcId),
            ("@@fetch_status", SystemValue::FetchStatus),
            ("@@options", SystemValue::Options),
            ("@@textsize", SystemValue::TextSize),
        ];
        let lower = name.to_ascii_lowercase();
        if let Some((_, value)) = ints.iter().find(|(n, _)| *n == lower) {
            return Ok(self.system(*value, SqlType::Int, false));
        }
        let text = |b: &mut Self, t: &str| {
            let collation = b.database_collation();
            Bound {
                collation: Some(collation),
                ..Bound::literal(
                    Value::Text(t.to_owned()),
                    SqlType::nvarchar(t.chars().count().clamp(1, 4000) as u16),
                )
            }
        };
        let number = |n: i64, ty| Ok(Bound::literal(Value::Integer(n), ty));
        match lower.as_str() {
            "@@identity" => {
                Ok(self.system(SystemValue::Identity, SqlType::Numeric { precision: 38, scale: 0 }, true))
            }
            "@@dbts" => Ok(self.system(SystemValue::DbTs, SqlType::RowVersion, false)),
            "@@spid" => number(i64::from(self.env.shared.id), SqlType::SmallInt),
            "@@version" => {
                let version = self.env.shared.server.config.flavor.version_text();
                Ok(text(self, &version))
            }
            "@@servername" => {
                let name = self.env.shared.server.config.server_name.clone();
                Ok(text(self, &name))
            }
            "@@servicename" => Ok(text(self, "MSSQLSERVER")),
            "@@language" => {
                let language = self.env.settings.language.clone();
                Ok(text(self, &language))
            }
            "@@langid" => number(0, SqlType::SmallInt),
            "@@datefirst" => number(i64::from(self.env.settings.date_first), SqlType::TinyInt),
            "@@lock_timeout" => number(self.env.settings.lock_timeout_ms, SqlType::Int),
            "@@max_precision" => number(38, SqlType::TinyInt),
            "@@max_connections" => number(32_767, SqlType::Int),
            "@@microsoftversion" => {
                number(self.env.shared.server.config.flavor.microsoft_version(), SqlType::Int)
            }
            "@@cpu_busy" | "@@io_busy" | "@@idle" | "@@pack_sent" | "@@pack_received" | "@@connections"
            | "@@total_errors" => number(0, SqlType::Int),
            "@@remserver" => Ok(Bound { is_null_literal: false, ty: NAME, ..Bound::null() }),
            _ => Err(SqlError::undeclared_variable(name)),
        }
    }

    /// A function of the session; `None` if the name is none of them.
    pub(crate) fn session_function(&mut self, name: &str, args: &[Bound]) -> Result<Option<Bound>, SqlError> {
        let datetime2 = SqlType::DateTime2 { scale: 7 };
        let now = |b: &mut Self, ty: SqlType| -> Result<Bound, SqlError> {
            let now = b.system(SystemValue::Now, datetime2, false);
            b.implicit(&now, ty)
        };
        let error_text = |b: &mut Self, value, ty| {
            let collation = b.database_collation();
            Bound { collation: Some(collation), ..b.system(value, ty, true) }
        };
        Ok(Some(match (name, args.len()) {
            ("getdate" | "getutcdate" | "current_timestamp", 0) => now(self, SqlType::DateTime)?,
            ("sysdatetime" | "sysutcdatetime", 0) => now(self, datetime2)?,
            ("sysdatetimeoffset", 0) => now(self, SqlType::DateTimeOffset { scale: 7 })?,
            ("current_date", 0) => now(self, SqlType::Date)?,
            ("scope_identity", 0) => {
                self.system(SystemValue::ScopeIdentity, SqlType::Numeric { precision: 38, scale: 0 }, true)
            }
            ("rowcount_big", 0) => self.system(SystemValue::RowCount, SqlType::BigInt, false),
            ("xact_state", 0) => self.system(SystemValue::XactState, SqlType::SmallInt, false),
            ("error_number", 0) => self.system(SystemValue::ErrorNumber, SqlType::Int, true),
            ("error_severity", 0) => self.system(SystemValue::ErrorSeverity, SqlType::Int, true),
            ("error_state", 0) => self.system(SystemValue::ErrorState, SqlType::Int, true),
            ("error_line", 0) => self.system(SystemValue::ErrorLine, SqlType::Int, true),
            ("error_procedure", 0) => error_text(self, SystemValue::ErrorProcedure, NAME),
            ("error_message", 0) => error_text(self, SystemValue::ErrorMessage, SqlType::nvarchar(4000)),
            ("current_transaction_id", 0) => self.system(SystemValue::TransactionId, SqlType::BigInt, false),
            ("rand", 0) => self.system(SystemValue::Random, SqlType::Float, false),
            ("rand", 1) => {
                let seed = self.implicit(&args[0], SqlType::Int)?;
                Bound::new(
                    format!("(abs(({} * 16807) % 2147483647) / 2147483647.0)", seed.sql),
                    SqlType::Float,
                    true,
                )
            }
            _ => return self.catalog_function(name, args),
        }))
    }

    /// Functions that `t_meta` answers from the catalog when the statement runs.
    fn catalog_function(&mut self, name: &str, args: &[Bound]) -> Result<Option<Bound>, SqlError> {
        let Some((_, ty)) = crate::system::META_FUNCTIONS.iter().find(|(n, _)| *n == name) else {
            return Ok(None);
        };
        let mut sqls = vec![format!("'{name}'"), self.env.database.to_string()];
        for arg in args {
            let to = if arg.ty.is_character() || arg.ty.is_binary() { arg.ty } else { SqlType::BigInt };
            sqls.push(if arg.is_null_literal { "NULL".to_owned() } else { self.implicit(arg, to)?.sql });
        }
        let collation = ty.is_character().then(|| self.database_collation());
        Ok(Some(Bound { collation, ..Bound::new(format!("t_meta({})", sqls.join(",")), *ty, true) }))
    }
}
