//! T-SQL's types and what their values look like in SQLite.
//!
//! Every value in the engine is a `rusqlite::types::Value` in *storage representation*, interpreted by its [`SqlType`]:
//!
//! | type | representation |
//! |---|---|
//! | bit, tinyint, smallint, int, bigint | Integer |
//! | money, smallmoney | Integer, scaled by 10^4 |
//! | decimal, numeric up to 18 digits | Integer, scaled |
//! | decimal, numeric from 19 digits | Blob of 16 bytes: the scaled i128, big-endian, sign bit flipped |
//! | real, float | Real |
//! | date | Integer: days since 0001-01-01 |
//! | time | Integer: 100 ns since midnight |
//! | datetime | Integer: 1/300 s since 1900-01-01 |
//! | smalldatetime | Integer: minutes since 1900-01-01 |
//! | datetime2 | Integer: 100 ns since 0001-01-01 |
//! | datetimeoffset | Blob of 10: UTC as datetime2, big-endian; offset in minutes + 32768, big-endian |
//! | character types, xml | Text |
//! | binary types, rowversion | Blob |
//! | uniqueidentifier | Blob of 16, bytes in the order SQL Server compares them |
//! | sql_variant | Blob: family, type code, value |
//!
//! So SQLite's order of two values of one type is SQL Server's, given the collation of text.

mod collation;
mod convert;
mod datetime;
mod decimal;
mod format;
mod guid;
#[cfg(test)]
mod properties;
mod rules;
mod variant;

pub use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

pub use collation::Collation;
pub(crate) use convert::*;
pub use convert::{decode_code_page, encode_code_page};
pub(crate) use datetime::*;
pub(crate) use decimal::*;
pub use decimal::{decimal_value, exact};
pub use format::display_value;
pub(crate) use format::*;
pub use guid::{guid_from_wire, guid_to_wire};
pub(crate) use rules::*;
pub(crate) use variant::variant_key;
pub use variant::{variant_parts, variant_value};

/// The length of a varying type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Len {
    /// Bytes, or characters of the national types.
    N(u16),
    /// `(max)`.
    Max,
}

/// A T-SQL type with its length, precision and scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are T-SQL's")]
pub enum SqlType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Decimal { precision: u8, scale: u8 },
    Numeric { precision: u8, scale: u8 },
    Money,
    SmallMoney,
    Real,
    Float,
    Date,
    Time { scale: u8 },
    DateTime,
    SmallDateTime,
    DateTime2 { scale: u8 },
    DateTimeOffset { scale: u8 },
    Char { len: u16 },
    VarChar { len: Len },
    Text,
    NChar { len: u16 },
    NVarChar { len: Len },
    NText,
    Binary { len: u16 },
    VarBinary { len: Len },
    Image,
    UniqueIdentifier,
    Xml,
    Variant,
    RowVersion,
}

impl SqlType {
    /// `nvarchar(n)`.
    pub const fn nvarchar(len: u16) -> SqlType {
        SqlType::NVarChar { len: Len::N(len) }
    }

    /// `varchar(n)`.
    pub const fn varchar(len: u16) -> SqlType {
        SqlType::VarChar { len: Len::N(len) }
    }

    /// `nvarchar(max)`.
    pub const NVARCHAR_MAX: SqlType = SqlType::NVarChar { len: Len::Max };
    /// `sysname`.
    pub const SYSNAME: SqlType = SqlType::nvarchar(128);

    /// Character types, xml included.
    pub const fn is_character(self) -> bool {
        matches!(
            self,
            SqlType::Char { .. }
                | SqlType::VarChar { .. }
                | SqlType::Text
                | SqlType::NChar { .. }
                | SqlType::NVarChar { .. }
                | SqlType::NText
                | SqlType::Xml
        )
    }

    /// Unicode character types.
    pub const fn is_national(self) -> bool {
        matches!(self, SqlType::NChar { .. } | SqlType::NVarChar { .. } | SqlType::NText | SqlType::Xml)
    }

    /// Binary types.
    pub const fn is_binary(self) -> bool {
        matches!(
            self,
            SqlType::Binary { .. } | SqlType::VarBinary { .. } | SqlType::Image | SqlType::RowVersion
        )
    }

    /// bit to bigint.
    pub const fn is_integer(self) -> bool {
        matches!(self, SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt)
    }

    /// decimal and numeric.
    pub const fn is_decimal(self) -> bool {
        matches!(self, SqlType::Decimal { .. } | SqlType::Numeric { .. })
    }

    /// money and smallmoney.
    pub const fn is_money(self) -> bool {
        matches!(self, SqlType::Money | SqlType::SmallMoney)
    }

    /// real and float.
    pub const fn is_approximate(self) -> bool {
        matches!(self, SqlType::Real | SqlType::Float)
    }

    /// Dates and times.
    pub const fn is_temporal(self) -> bool {
        matches!(
            self,
            SqlType::Date
                | SqlType::Time { .. }
                | SqlType::DateTime
                | SqlType::SmallDateTime
                | SqlType::DateTime2 { .. }
                | SqlType::DateTimeOffset { .. }
        )
    }

    /// Whether values can be compared, sorted and grouped.
    pub const fn is_comparable(self) -> bool {
        !matches!(self, SqlType::Text | SqlType::NText | SqlType::Image | SqlType::Xml)
    }

    /// The number of the type in [`SqlType::code`], also its place in the order of declaration.
    const fn kind(self) -> u8 {
        match self {
            SqlType::Bit => 0,
            SqlType::TinyInt => 1,
            SqlType::SmallInt => 2,
            SqlType::Int => 3,
            SqlType::BigInt => 4,
            SqlType::Decimal { .. } => 5,
            SqlType::Numeric { .. } => 6,
            SqlType::Money => 7,
            SqlType::SmallMoney => 8,
            SqlType::Real => 9,
            SqlType::Float => 10,
            SqlType::Date => 11,
            SqlType::Time { .. } => 12,
            SqlType::DateTime => 13,
            SqlType::SmallDateTime => 14,
            SqlType::DateTime2 { .. } => 15,
            SqlType::DateTimeOffset { .. } => 16,
            SqlType::Char { .. } => 17,
            SqlType::VarChar { .. } => 18,
            SqlType::Text => 19,
            SqlType::NChar { .. } => 20,
            SqlType::NVarChar { .. } => 21,
            SqlType::NText => 22,
            SqlType::Binary { .. } => 23,
            SqlType::VarBinary { .. } => 24,
            SqlType::Image => 25,
            SqlType::UniqueIdentifier => 26,
            SqlType::Xml => 27,
            SqlType::Variant => 28,
            SqlType::RowVersion => 29,
        }
    }

    /// The type in one integer, to be passed to SQLite functions.
    pub const fn code(self) -> i64 {
        let (a, b) = match self {
            SqlType::Decimal { precision, scale } | SqlType::Numeric { precision, scale } => {
                (precision as i64, scale as i64)
            }
            SqlType::Time { scale } | SqlType::DateTime2 { scale } | SqlType::DateTimeOffset { scale } => {
                (0, scale as i64)
            }
            SqlType::Char { len } | SqlType::NChar { len } | SqlType::Binary { len } => (len as i64, 0),
            SqlType::VarChar { len } | SqlType::NVarChar { len } | SqlType::VarBinary { len } => match len {
                Len::N(n) => (n as i64, 0),
                Len::Max => (0, 1),
            },
            _ => (0, 0),
        };
        ((self.kind() as i64) << 32) | (a << 8) | b
    }

    /// The type that [`SqlType::code`] packed.
    pub fn from_code(code: i64) -> Option<SqlType> {
        let a = ((code >> 8) & 0xFFFF) as u16;
        let scale = (code & 0xFF) as u8;
        let precision = a as u8;
        let len = if scale == 1 { Len::Max } else { Len::N(a) };
        Some(match code >> 32 {
            0 => SqlType::Bit,
            1 => SqlType::TinyInt,
            2 => SqlType::SmallInt,
            3 => SqlType::Int,
            4 => SqlType::BigInt,
            5 => SqlType::Decimal { precision, scale },
            6 => SqlType::Numeric { precision, scale },
            7 => SqlType::Money,
            8 => SqlType::SmallMoney,
            9 => SqlType::Real,
            10 => SqlType::Float,
            11 => SqlType::Date,
            12 => SqlType::Time { scale },
            13 => SqlType::DateTime,
            14 => SqlType::SmallDateTime,
            15 => SqlType::DateTime2 { scale },
            16 => SqlType::DateTimeOffset { scale },
            17 => SqlType::Char { len: a },
            18 => SqlType::VarChar { len },
            19 => SqlType::Text,
            20 => SqlType::NChar { len: a },
            21 => SqlType::NVarChar { len },
            22 => SqlType::NText,
            23 => SqlType::Binary { len: a },
            24 => SqlType::VarBinary { len },
            25 => SqlType::Image,
            26 => SqlType::UniqueIdentifier,
            27 => SqlType::Xml,
            28 => SqlType::Variant,
            29 => SqlType::RowVersion,
            _ => return None,
        })
    }

    /// The type's name without length.
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 30] = [
            "bit",
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "decimal",
            "numeric",
            "money",
            "smallmoney",
            "real",
            "float",
            "date",
            "time",
            "datetime",
            "smalldatetime",
            "datetime2",
            "datetimeoffset",
            "char",
            "varchar",
            "text",
            "nchar",
            "nvarchar",
            "ntext",
            "binary",
            "varbinary",
            "image",
            "uniqueidentifier",
            "xml",
            "sql_variant",
            "timestamp",
        ];
        NAMES[self.kind() as usize]
    }

    /// The name in messages of overflow and failed conversions, where decimal goes by its synonym.
    pub(crate) const fn error_name(self) -> &'static str {
        match self {
            SqlType::Decimal { .. } => "numeric",
            other => other.name(),
        }
    }

    /// `sys.types.system_type_id`.
    pub const fn system_type_id(self) -> u8 {
        const IDS: [u8; 30] = [
            104, 48, 52, 56, 127, 106, 108, 60, 122, 59, 62, 40, 41, 61, 58, 42, 43, 175, 167, 35, 239, 231,
            99, 173, 165, 34, 36, 241, 98, 189,
        ];
        IDS[self.kind() as usize]
    }

    /// `sys.columns.max_length`, in bytes; -1 for (max).
    pub const fn max_length(self) -> i16 {
        match self {
            SqlType::Bit | SqlType::TinyInt => 1,
            SqlType::SmallInt => 2,
            SqlType::Int | SqlType::Real | SqlType::SmallMoney | SqlType::SmallDateTime => 4,
            SqlType::BigInt | SqlType::Float | SqlType::Money | SqlType::DateTime | SqlType::RowVersion => 8,
            SqlType::Decimal { precision, .. } | SqlType::Numeric { precision, .. } => match precision {
                0..=9 => 5,
                10..=19 => 9,
                20..=28 => 13,
                _ => 17,
            },
            SqlType::Date => 3,
            SqlType::Time { scale } => time_bytes(scale),
            SqlType::DateTime2 { scale } => time_bytes(scale) + 3,
            SqlType::DateTimeOffset { scale } => time_bytes(scale) + 5,
            SqlType::Char { len } | SqlType::Binary { len } => len as i16,
            SqlType::NChar { len } => (len as i16) * 2,
            SqlType::VarChar { len } | SqlType::VarBinary { len } => match len {
                Len::N(n) => n as i16,
                Len::Max => -1,
            },
            SqlType::NVarChar { len } => match len {
                Len::N(n) => (n as i16) * 2,
                Len::Max => -1,
            },
            SqlType::Text | SqlType::NText | SqlType::Image | SqlType::UniqueIdentifier => 16,
            SqlType::Xml => -1,
            SqlType::Variant => 8016,
        }
    }

    /// `sys.columns.precision`.
    pub const fn precision(self) -> u8 {
        match self {
            SqlType::Bit => 1,
            SqlType::TinyInt => 3,
            SqlType::SmallInt => 5,
            SqlType::Int | SqlType::SmallMoney | SqlType::Date => 10,
            SqlType::BigInt | SqlType::Money => 19,
            SqlType::Decimal { precision, .. } | SqlType::Numeric { precision, .. } => precision,
            SqlType::Real => 24,
            SqlType::Float => 53,
            SqlType::DateTime => 23,
            SqlType::SmallDateTime => 16,
            SqlType::Time { scale } => {
                if scale == 0 {
                    8
                } else {
                    9 + scale
                }
            }
            SqlType::DateTime2 { scale } => {
                if scale == 0 {
                    19
                } else {
                    20 + scale
                }
            }
            SqlType::DateTimeOffset { scale } => {
                if scale == 0 {
                    26
                } else {
                    27 + scale
                }
            }
            _ => 0,
        }
    }

    /// `sys.columns.scale`.
    pub const fn scale(self) -> u8 {
        match self {
            SqlType::Decimal { scale, .. }
            | SqlType::Numeric { scale, .. }
            | SqlType::Time { scale }
            | SqlType::DateTime2 { scale }
            | SqlType::DateTimeOffset { scale } => scale,
            SqlType::Money | SqlType::SmallMoney => 4,
            SqlType::DateTime => 3,
            _ => 0,
        }
    }

    /// Length in characters (of binary types, bytes); `None` for types without length and for (max).
    pub const fn char_length(self) -> Option<u16> {
        match self {
            SqlType::Char { len } | SqlType::NChar { len } | SqlType::Binary { len } => Some(len),
            SqlType::VarChar { len: Len::N(n) }
            | SqlType::NVarChar { len: Len::N(n) }
            | SqlType::VarBinary { len: Len::N(n) } => Some(n),
            _ => None,
        }
    }

    /// Whether the type is (max) or one of its predecessors.
    pub const fn is_large(self) -> bool {
        matches!(
            self,
            SqlType::VarChar { len: Len::Max }
                | SqlType::NVarChar { len: Len::Max }
                | SqlType::VarBinary { len: Len::Max }
                | SqlType::Text
                | SqlType::NText
                | SqlType::Image
                | SqlType::Xml
        )
    }
}

const fn time_bytes(scale: u8) -> i16 {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

impl std::fmt::Display for SqlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name();
        match self {
            SqlType::Decimal { precision, scale } | SqlType::Numeric { precision, scale } => {
                write!(f, "{name}({precision},{scale})")
            }
            SqlType::Time { scale } | SqlType::DateTime2 { scale } | SqlType::DateTimeOffset { scale } => {
                write!(f, "{name}({scale})")
            }
            SqlType::Char { len } | SqlType::NChar { len } | SqlType::Binary { len } => {
                write!(f, "{name}({len})")
            }
            SqlType::VarChar { len } | SqlType::NVarChar { len } | SqlType::VarBinary { len } => match len {
                Len::N(n) => write!(f, "{name}({n})"),
                Len::Max => write!(f, "{name}(max)"),
            },
            _ => f.write_str(name),
        }
    }
}
