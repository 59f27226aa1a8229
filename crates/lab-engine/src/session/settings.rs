//! What SET changes.

use crate::types::DateFormat;

/// The options of a session. Defaults are those of ODBC and SqlClient connections.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) quoted_identifier: bool,
    pub(crate) ansi_nulls: bool,
    pub(crate) ansi_padding: bool,
    pub(crate) ansi_warnings: bool,
    pub(crate) ansi_null_dflt_on: bool,
    pub(crate) arithabort: bool,
    pub(crate) concat_null_yields_null: bool,
    pub(crate) numeric_roundabort: bool,
    pub(crate) nocount: bool,
    pub(crate) xact_abort: bool,
    pub(crate) implicit_transactions: bool,
    pub(crate) cursor_close_on_commit: bool,
    pub(crate) noexec: bool,
    pub(crate) parseonly: bool,
    pub(crate) fmtonly: bool,
    /// SET ROWCOUNT; 0 means no limit.
    pub(crate) rowcount: u64,
    pub(crate) textsize: i64,
    /// -1 waits for ever.
    pub(crate) lock_timeout_ms: i64,
    pub(crate) date_format: DateFormat,
    /// 1 = Monday ... 7 = Sunday, as us_english has it.
    pub(crate) date_first: u8,
    pub(crate) language: String,
    pub(crate) deadlock_priority: i64,
    /// The table whose identity column may be written: database and object.
    pub(crate) identity_insert: Option<(i32, i32)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            quoted_identifier: true,
            ansi_nulls: true,
            ansi_padding: true,
            ansi_warnings: true,
            ansi_null_dflt_on: true,
            arithabort: true,
            concat_null_yields_null: true,
            numeric_roundabort: false,
            nocount: false,
            xact_abort: false,
            implicit_transactions: false,
            cursor_close_on_commit: false,
            noexec: false,
            parseonly: false,
            fmtonly: false,
            rowcount: 0,
            textsize: -1,
            lock_timeout_ms: -1,
            date_format: DateFormat::Mdy,
            date_first: 7,
            language: "us_english".to_owned(),
            deadlock_priority: 0,
            identity_insert: None,
        }
    }
}

impl Settings {
    /// `@@OPTIONS` (documented under "Configure the user options Server Configuration Option").
    pub(crate) fn options_word(&self) -> i64 {
        let bits = [
            (self.implicit_transactions, 2),
            (self.cursor_close_on_commit, 4),
            (self.ansi_warnings, 8),
            (self.ansi_padding, 16),
            (self.ansi_nulls, 32),
            (self.arithabort, 64),
            (self.quoted_identifier, 256),
            (self.nocount, 512),
            (self.ansi_null_dflt_on, 1024),
            (self.concat_null_yields_null, 4096),
            (self.numeric_roundabort, 8192),
            (self.xact_abort, 16384),
        ];
        bits.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum()
    }
}
