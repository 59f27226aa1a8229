//! TYPE_INFO (2.2.5.6).
//!
//! | type | bytes after the type byte |
//! |---|---|
//! | 1F NULL, 30 INT1, 32 BIT, 34 INT2, 38 INT4, 3A DATETIM4, 3B FLT4, 3C MONEY, 3D DATETIME, 3E FLT8, 7A MONEY4, 7F INT8 | none: fixed length, NOT NULL |
//! | 24 GUID, 26 INTN, 68 BITN, 6D FLTN, 6E MONEYN, 6F DATETIMN | length BYTE |
//! | 28 DATEN | none |
//! | 29 TIMEN, 2A DATETIME2N, 2B DATETIMEOFFSETN | scale BYTE |
//! | 37, 3F, 6A DECIMALN, 6C NUMERICN | length BYTE, precision BYTE, scale BYTE |
//! | 25, 2D | length BYTE |
//! | 27, 2F | length BYTE (of before TDS 7.0, without collation) |
//! | A5 BIGVARBINARY, AD BIGBINARY | length USHORT (FFFF: PLP) |
//! | A7 BIGVARCHAR, AF BIGCHAR, E7 NVARCHAR, EF NCHAR | length USHORT (FFFF: PLP), collation |
//! | 22 IMAGE | length LONG, (table name) |
//! | 23 TEXT, 63 NTEXT | length LONG, collation, (table name) |
//! | F1 XML | schema present BYTE, (database B_VARCHAR, schema B_VARCHAR, collection US_VARCHAR) |
//! | 62 SSVARIANT | length LONG |
//!
//! What this server sends is always a nullable form: whether NULL can occur is a flag of the column.

use super::Collation;
use crate::read::{DecodeError, Reader, Result};

/// The length of a varying type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// At most that many bytes.
    Bytes(u16),
    /// `(max)`: partially length-prefixed data.
    Max,
}

/// Which date or time a [`TypeInfo::TemporalText`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are T-SQL's")]
pub enum Temporal {
    Date,
    Time,
    DateTime2,
    DateTimeOffset,
}

/// A data type on the wire. `fixed` marks the NOT NULL forms, which clients may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are T-SQL's; lengths are bytes")]
pub enum TypeInfo {
    /// An untyped NULL.
    Null,
    Bit {
        fixed: bool,
    },
    /// 1, 2, 4 or 8 bytes.
    Int {
        size: u8,
        fixed: bool,
    },
    /// 4 (real) or 8 bytes.
    Float {
        size: u8,
        fixed: bool,
    },
    /// 4 (smallmoney) or 8 bytes.
    Money {
        size: u8,
        fixed: bool,
    },
    /// 4 (smalldatetime) or 8 bytes.
    DateTime {
        size: u8,
        fixed: bool,
    },
    Decimal {
        precision: u8,
        scale: u8,
    },
    Numeric {
        precision: u8,
        scale: u8,
    },
    Date,
    Time {
        scale: u8,
    },
    DateTime2 {
        scale: u8,
    },
    DateTimeOffset {
        scale: u8,
    },
    /// A date or time for a client of TDS 7.2 or older: nvarchar that shows it.
    TemporalText {
        of: Temporal,
        scale: u8,
    },
    Guid,
    Char {
        max: u16,
        collation: Collation,
    },
    VarChar {
        max: Length,
        collation: Collation,
    },
    NChar {
        max: u16,
        collation: Collation,
    },
    NVarChar {
        max: Length,
        collation: Collation,
    },
    Binary {
        max: u16,
    },
    VarBinary {
        max: Length,
    },
    /// varchar of before TDS 7.0: a byte of length, no collation.
    LegacyVarChar {
        max: u8,
    },
    /// varbinary of before TDS 7.0.
    LegacyVarBinary {
        max: u8,
    },
    Text {
        collation: Collation,
    },
    NText {
        collation: Collation,
    },
    Image,
    Xml,
    Variant,
}

impl TypeInfo {
    /// `int`.
    pub const INT: TypeInfo = TypeInfo::Int { size: 4, fixed: false };
    /// `bigint`.
    pub const BIGINT: TypeInfo = TypeInfo::Int { size: 8, fixed: false };

    /// The type byte, which is also the base type in a sql_variant if `fixed`.
    pub(crate) fn token(self) -> u8 {
        match self {
            TypeInfo::Null => 0x1F,
            TypeInfo::Bit { fixed } => pick(fixed, 0x32, 0x68),
            TypeInfo::Int { size: 1, fixed: true } => 0x30,
            TypeInfo::Int { size: 2, fixed: true } => 0x34,
            TypeInfo::Int { size: 4, fixed: true } => 0x38,
            TypeInfo::Int { fixed, .. } => pick(fixed, 0x7F, 0x26),
            TypeInfo::Float { size: 4, fixed: true } => 0x3B,
            TypeInfo::Float { fixed, .. } => pick(fixed, 0x3E, 0x6D),
            TypeInfo::Money { size: 4, fixed: true } => 0x7A,
            TypeInfo::Money { fixed, .. } => pick(fixed, 0x3C, 0x6E),
            TypeInfo::DateTime { size: 4, fixed: true } => 0x3A,
            TypeInfo::DateTime { fixed, .. } => pick(fixed, 0x3D, 0x6F),
            TypeInfo::Decimal { .. } => 0x6A,
            TypeInfo::Numeric { .. } => 0x6C,
            TypeInfo::Date => 0x28,
            TypeInfo::Time { .. } => 0x29,
            TypeInfo::DateTime2 { .. } => 0x2A,
            TypeInfo::DateTimeOffset { .. } => 0x2B,
            TypeInfo::Guid => 0x24,
            TypeInfo::Char { .. } => 0xAF,
            TypeInfo::VarChar { .. } => 0xA7,
            TypeInfo::NChar { .. } => 0xEF,
            TypeInfo::NVarChar { .. } | TypeInfo::TemporalText { .. } => 0xE7,
            TypeInfo::Binary { .. } => 0xAD,
            TypeInfo::VarBinary { .. } => 0xA5,
            TypeInfo::LegacyVarChar { .. } => 0x27,
            TypeInfo::LegacyVarBinary { .. } => 0x25,
            TypeInfo::Text { .. } => 0x23,
            TypeInfo::NText { .. } => 0x63,
            TypeInfo::Image => 0x22,
            TypeInfo::Xml => 0xF1,
            TypeInfo::Variant => 0x62,
        }
    }

    /// Whether COLMETADATA names the table of such a column.
    pub fn has_table_name(self) -> bool {
        matches!(self, TypeInfo::Text { .. } | TypeInfo::NText { .. } | TypeInfo::Image)
    }

    /// Decodes TYPE_INFO, type byte included; without the table name.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<TypeInfo> {
        let token = r.u8()?;
        Ok(match token {
            0x1F => TypeInfo::Null,
            0x30 => TypeInfo::Int { size: 1, fixed: true },
            0x32 => TypeInfo::Bit { fixed: true },
            0x34 => TypeInfo::Int { size: 2, fixed: true },
            0x38 => TypeInfo::Int { size: 4, fixed: true },
            0x3A => TypeInfo::DateTime { size: 4, fixed: true },
            0x3B => TypeInfo::Float { size: 4, fixed: true },
            0x3C => TypeInfo::Money { size: 8, fixed: true },
            0x3D => TypeInfo::DateTime { size: 8, fixed: true },
            0x3E => TypeInfo::Float { size: 8, fixed: true },
            0x7A => TypeInfo::Money { size: 4, fixed: true },
            0x7F => TypeInfo::Int { size: 8, fixed: true },
            0x24 => one_of(r, &[16], "GUID's length").map(|_| TypeInfo::Guid)?,
            0x26 => TypeInfo::Int { size: one_of(r, &[1, 2, 4, 8], "INTN's length")?, fixed: false },
            0x68 => one_of(r, &[1], "BITN's length").map(|_| TypeInfo::Bit { fixed: false })?,
            0x6D => TypeInfo::Float { size: one_of(r, &[4, 8], "FLTN's length")?, fixed: false },
            0x6E => TypeInfo::Money { size: one_of(r, &[4, 8], "MONEYN's length")?, fixed: false },
            0x6F => TypeInfo::DateTime { size: one_of(r, &[4, 8], "DATETIMN's length")?, fixed: false },
            0x28 => TypeInfo::Date,
            0x29 => TypeInfo::Time { scale: scale(r, 7)? },
            0x2A => TypeInfo::DateTime2 { scale: scale(r, 7)? },
            0x2B => TypeInfo::DateTimeOffset { scale: scale(r, 7)? },
            0x37 | 0x6A => decimal(r).map(|(precision, scale)| TypeInfo::Decimal { precision, scale })?,
            0x3F | 0x6C => decimal(r).map(|(precision, scale)| TypeInfo::Numeric { precision, scale })?,
            0x25 | 0x2D => TypeInfo::LegacyVarBinary { max: r.u8()? },
            0x27 | 0x2F => TypeInfo::LegacyVarChar { max: r.u8()? },
            0xA5 => TypeInfo::VarBinary { max: length(r)? },
            0xAD => TypeInfo::Binary { max: r.u16()? },
            0xA7 => TypeInfo::VarChar { max: length(r)?, collation: Collation::decode(r)? },
            0xAF => TypeInfo::Char { max: r.u16()?, collation: Collation::decode(r)? },
            0xE7 => TypeInfo::NVarChar { max: length(r)?, collation: Collation::decode(r)? },
            0xEF => TypeInfo::NChar { max: r.u16()?, collation: Collation::decode(r)? },
            0x22 => r.u32().map(|_| TypeInfo::Image)?,
            0x23 => {
                r.u32().and_then(|_| Collation::decode(r)).map(|collation| TypeInfo::Text { collation })?
            }
            0x63 => {
                r.u32().and_then(|_| Collation::decode(r)).map(|collation| TypeInfo::NText { collation })?
            }
            0xF1 => xml(r)?,
            0x62 => r.u32().map(|_| TypeInfo::Variant)?,
            other => return Err(DecodeError::UnsupportedType(other)),
        })
    }

    /// Appends TYPE_INFO, type byte included; without the table name.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.push(self.token());
        match self {
            TypeInfo::Null | TypeInfo::Date => {}
            TypeInfo::Bit { fixed } => optional(out, fixed, 1),
            TypeInfo::Int { size, fixed }
            | TypeInfo::Float { size, fixed }
            | TypeInfo::Money { size, fixed }
            | TypeInfo::DateTime { size, fixed } => optional(out, fixed, size),
            TypeInfo::Decimal { precision, scale } | TypeInfo::Numeric { precision, scale } => {
                out.extend_from_slice(&[decimal_size(precision), precision, scale]);
            }
            TypeInfo::Time { scale } | TypeInfo::DateTime2 { scale } | TypeInfo::DateTimeOffset { scale } => {
                out.push(scale);
            }
            TypeInfo::TemporalText { of, scale } => {
                out.extend_from_slice(&(text_length(of, scale) * 2).to_le_bytes());
                out.extend_from_slice(&Collation::default().0);
            }
            TypeInfo::Guid => out.push(16),
            TypeInfo::Char { max, collation } | TypeInfo::NChar { max, collation } => {
                out.extend_from_slice(&max.to_le_bytes());
                out.extend_from_slice(&collation.0);
            }
            TypeInfo::VarChar { max, collation } | TypeInfo::NVarChar { max, collation } => {
                out.extend_from_slice(&max.wire());
                out.extend_from_slice(&collation.0);
            }
            TypeInfo::Binary { max } => out.extend_from_slice(&max.to_le_bytes()),
            TypeInfo::VarBinary { max } => out.extend_from_slice(&max.wire()),
            TypeInfo::LegacyVarChar { max } | TypeInfo::LegacyVarBinary { max } => out.push(max),
            TypeInfo::Text { collation } => {
                out.extend_from_slice(&0x7FFF_FFFF_u32.to_le_bytes());
                out.extend_from_slice(&collation.0);
            }
            TypeInfo::NText { collation } => {
                out.extend_from_slice(&0x7FFF_FFFE_u32.to_le_bytes());
                out.extend_from_slice(&collation.0);
            }
            TypeInfo::Image => out.extend_from_slice(&0x7FFF_FFFF_u32.to_le_bytes()),
            TypeInfo::Xml => out.push(0),
            TypeInfo::Variant => out.extend_from_slice(&8009_u32.to_le_bytes()),
        }
    }
}

impl Length {
    fn wire(self) -> [u8; 2] {
        match self {
            // FFFF would mean (max); nothing shorter than (max) is longer than 8000 bytes.
            Length::Bytes(n) => n.min(0xFFFE).to_le_bytes(),
            Length::Max => [0xFF; 2],
        }
    }
}

/// Bytes of a decimal on the wire, sign included.
pub(crate) fn decimal_size(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// Characters that show a date or time.
pub(crate) fn text_length(of: Temporal, scale: u8) -> u16 {
    let fraction = if scale == 0 { 0 } else { u16::from(scale) + 1 };
    match of {
        Temporal::Date => 10,
        Temporal::Time => 8 + fraction,
        Temporal::DateTime2 => 19 + fraction,
        Temporal::DateTimeOffset => 26 + fraction,
    }
}

fn pick(fixed: bool, if_fixed: u8, otherwise: u8) -> u8 {
    if fixed { if_fixed } else { otherwise }
}

fn optional(out: &mut Vec<u8>, fixed: bool, size: u8) {
    if !fixed {
        out.push(size);
    }
}

fn one_of(r: &mut Reader<'_>, allowed: &[u8], what: &'static str) -> Result<u8> {
    let size = r.u8()?;
    if allowed.contains(&size) { Ok(size) } else { Err(DecodeError::malformed(what, size)) }
}

fn scale(r: &mut Reader<'_>, max: u8) -> Result<u8> {
    let scale = r.u8()?;
    if scale <= max { Ok(scale) } else { Err(DecodeError::malformed("scale out of range", scale)) }
}

fn decimal(r: &mut Reader<'_>) -> Result<(u8, u8)> {
    let [_size, precision, scale] = r.array()?;
    if !(1..=38).contains(&precision) {
        return Err(DecodeError::malformed("precision out of range", precision));
    }
    if scale > precision {
        return Err(DecodeError::malformed("scale out of range", scale));
    }
    Ok((precision, scale))
}

fn length(r: &mut Reader<'_>) -> Result<Length> {
    Ok(match r.u16()? {
        0xFFFF => Length::Max,
        n => Length::Bytes(n),
    })
}

fn xml(r: &mut Reader<'_>) -> Result<TypeInfo> {
    if r.u8()? != 0 {
        // The names of a schema collection, which is not enforced here.
        r.b_varchar()?;
        r.b_varchar()?;
        r.us_varchar()?;
    }
    Ok(TypeInfo::Xml)
}
