//! Values after their TYPE_INFO (2.2.5.5).

use std::borrow::Cow;

use super::{Length, TypeInfo, Value, plp, scalar, variant};
use crate::read::{DecodeError, Reader, Result, utf16};

/// Where a value stands, which matters for text, ntext and image alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A row: a text pointer and a timestamp precede the length.
    Row,
    /// A parameter: the length alone, -1 for NULL.
    Parameter,
}

/// Decodes the value of a parameter, which must be all of `bytes`.
pub fn decode_value(ty: TypeInfo, bytes: &[u8]) -> Result<Value<'_>> {
    let mut r = Reader::new(bytes);
    let value = decode_at(ty, &mut r, Place::Parameter)?;
    if r.is_empty() { Ok(value) } else { Err(DecodeError::malformed("bytes after a value", r.remaining())) }
}

/// Decodes one value with its length.
pub(crate) fn decode_at<'a>(ty: TypeInfo, r: &mut Reader<'a>, place: Place) -> Result<Value<'a>> {
    let body = match ty {
        TypeInfo::Null => return Ok(Value::Null),
        TypeInfo::Bit { fixed: true } => Some(r.take(1)?),
        TypeInfo::Int { size, fixed: true }
        | TypeInfo::Float { size, fixed: true }
        | TypeInfo::Money { size, fixed: true }
        | TypeInfo::DateTime { size, fixed: true } => Some(r.take(usize::from(size))?),
        TypeInfo::Bit { .. }
        | TypeInfo::Int { .. }
        | TypeInfo::Float { .. }
        | TypeInfo::Money { .. }
        | TypeInfo::DateTime { .. }
        | TypeInfo::Decimal { .. }
        | TypeInfo::Numeric { .. }
        | TypeInfo::Date
        | TypeInfo::Time { .. }
        | TypeInfo::DateTime2 { .. }
        | TypeInfo::DateTimeOffset { .. }
        | TypeInfo::Guid
        | TypeInfo::LegacyVarChar { .. }
        | TypeInfo::LegacyVarBinary { .. } => Some(r.b_varbyte()?).filter(|b| !b.is_empty()),
        TypeInfo::Char { .. }
        | TypeInfo::NChar { .. }
        | TypeInfo::Binary { .. }
        | TypeInfo::VarChar { max: Length::Bytes(_), .. }
        | TypeInfo::NVarChar { max: Length::Bytes(_), .. }
        | TypeInfo::VarBinary { max: Length::Bytes(_) }
        | TypeInfo::TemporalText { .. } => match r.u16()? {
            0xFFFF => None,
            length => Some(r.take(usize::from(length))?),
        },
        TypeInfo::VarChar { max: Length::Max, .. }
        | TypeInfo::NVarChar { max: Length::Max, .. }
        | TypeInfo::VarBinary { max: Length::Max }
        | TypeInfo::Xml => return large(ty, plp::decode(r)?),
        TypeInfo::Text { .. } | TypeInfo::NText { .. } | TypeInfo::Image => long(r, place)?,
        TypeInfo::Variant => match usize::try_from(r.u32()?).unwrap_or(usize::MAX) {
            0 => return Ok(Value::Null),
            length => return variant::decode(r.take(length)?),
        },
    };
    body.map_or(Ok(Value::Null), |body| sized(ty, body))
}

/// Decodes a value of which `body` is all.
pub(super) fn sized(ty: TypeInfo, body: &[u8]) -> Result<Value<'_>> {
    Ok(match ty {
        TypeInfo::Char { collation, .. }
        | TypeInfo::VarChar { collation, .. }
        | TypeInfo::Text { collation } => Value::Text(Cow::Owned(collation.text(body))),
        TypeInfo::LegacyVarChar { .. } => Value::Text(Cow::Owned(super::Collation::default().text(body))),
        TypeInfo::NChar { .. }
        | TypeInfo::NVarChar { .. }
        | TypeInfo::NText { .. }
        | TypeInfo::TemporalText { .. } => Value::Text(Cow::Owned(utf16(body)?)),
        TypeInfo::Binary { .. }
        | TypeInfo::VarBinary { .. }
        | TypeInfo::LegacyVarBinary { .. }
        | TypeInfo::Image => Value::Bytes(Cow::Borrowed(body)),
        _ => {
            let mut r = Reader::new(body);
            let value = scalar::decode(ty, &mut r)?;
            if !r.is_empty() {
                return Err(DecodeError::malformed("length of a value", body.len()));
            }
            value
        }
    })
}

fn large(ty: TypeInfo, bytes: Option<Cow<'_, [u8]>>) -> Result<Value<'_>> {
    let Some(bytes) = bytes else { return Ok(Value::Null) };
    Ok(match ty {
        TypeInfo::VarChar { collation, .. } => Value::Text(Cow::Owned(collation.text(&bytes))),
        TypeInfo::VarBinary { .. } => Value::Bytes(bytes),
        // xml may begin with a byte order mark.
        TypeInfo::Xml => Value::Text(Cow::Owned(utf16(bytes.strip_prefix(&[0xFF, 0xFE]).unwrap_or(&bytes))?)),
        _ => Value::Text(Cow::Owned(utf16(&bytes)?)),
    })
}

/// text, ntext, image: (text pointer B_VARBYTE, timestamp 8 bytes,) length LONG, data.
fn long<'a>(r: &mut Reader<'a>, place: Place) -> Result<Option<&'a [u8]>> {
    if place == Place::Row {
        if r.b_varbyte()?.is_empty() {
            return Ok(None);
        }
        r.take(8)?;
    }
    match r.u32()? {
        u32::MAX => Ok(None),
        length => r.take(usize::try_from(length).unwrap_or(usize::MAX)).map(Some),
    }
}
