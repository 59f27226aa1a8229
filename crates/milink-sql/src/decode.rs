//! From the client library's values to ours.
//!
//! NB: its own conversions to text panic when a server sends malformed UTF-8, UTF-16, XML or JSON; here such
//! text gets replacement characters instead.

use std::borrow::Cow;

use mssql_tds::datatypes::column_values::{
    SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlMoney, SqlSmallDateTime, SqlSmallMoney,
    SqlTime, SqlXml,
};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::row_writer::RowWriter;
use mssql_tds::datatypes::sql_json::SqlJson;
use mssql_tds::datatypes::sql_string::EncodingType;
use mssql_tds::datatypes::sql_vector::SqlVector;
use uuid::Uuid;

use crate::value::{DAYS_1900, Value, date, decimal, money, offset, time};

/// One row on its way in.
#[derive(Debug, Default)]
pub(crate) struct RowDecoder {
    values: Vec<Value>,
}

impl RowDecoder {
    /// The finished row.
    pub(crate) fn take(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.values)
    }

    fn push(&mut self, value: Value) {
        self.values.push(value);
    }
}

/// UTF-16 as the wire has it.
fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks(2).map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        // Half a unit at the end stands for nothing.
        _ => u16::from(b'?'),
    });
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn vector(vector: &SqlVector) -> String {
    let numbers: Vec<String> = vector.as_f32().unwrap_or_default().iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

impl RowWriter for RowDecoder {
    fn write_null(&mut self, _: usize) {
        self.push(Value::Null);
    }

    fn write_bool(&mut self, _: usize, on: bool) {
        self.push(Value::Bit(on));
    }

    fn write_u8(&mut self, _: usize, n: u8) {
        self.push(Value::Int(n.into()));
    }

    fn write_i16(&mut self, _: usize, n: i16) {
        self.push(Value::Int(n.into()));
    }

    fn write_i32(&mut self, _: usize, n: i32) {
        self.push(Value::Int(n.into()));
    }

    fn write_i64(&mut self, _: usize, n: i64) {
        self.push(Value::Int(n));
    }

    fn write_f32(&mut self, _: usize, n: f32) {
        self.push(Value::Real(n));
    }

    fn write_f64(&mut self, _: usize, n: f64) {
        self.push(Value::Float(n));
    }

    fn write_string(&mut self, _: usize, bytes: Cow<'_, [u8]>, encoding: EncodingType) {
        let text = match encoding.resolved_encoding() {
            Some(encoding) => encoding.decode_without_bom_handling(&bytes).0.into_owned(),
            None => utf16(&bytes),
        };
        self.push(Value::Text(text));
    }

    fn write_bytes(&mut self, _: usize, bytes: Cow<'_, [u8]>) {
        self.push(Value::Bytes(bytes.into_owned()));
    }

    fn write_decimal(&mut self, _: usize, d: DecimalParts) {
        self.push(Value::Decimal(decimal(d.is_positive, d.magnitude(), d.scale)));
    }

    fn write_numeric(&mut self, column: usize, d: DecimalParts) {
        self.write_decimal(column, d);
    }

    fn write_date(&mut self, _: usize, d: SqlDate) {
        self.push(Value::Date(date(d.get_days().into())));
    }

    fn write_time(&mut self, _: usize, t: SqlTime) {
        self.push(Value::Time(time(t.time_nanoseconds, t.scale)));
    }

    fn write_datetime(&mut self, _: usize, d: SqlDateTime) {
        // 1/300 s, shown in milliseconds as SQL Server rounds them.
        let thousandths = (u64::from(d.time) * 10 + 1) / 3;
        let day = date(i64::from(d.days) + DAYS_1900);
        self.push(Value::DateTime(format!("{day} {}", time(thousandths * 10_000, 3))));
    }

    fn write_smalldatetime(&mut self, _: usize, d: SqlSmallDateTime) {
        let day = date(i64::from(d.days) + DAYS_1900);
        self.push(Value::DateTime(format!("{day} {}", time(u64::from(d.time) * 600_000_000, 0))));
    }

    fn write_datetime2(&mut self, _: usize, d: SqlDateTime2) {
        let day = date(d.days.into());
        self.push(Value::DateTime(format!("{day} {}", time(d.time.time_nanoseconds, d.time.scale))));
    }

    fn write_datetimeoffset(&mut self, _: usize, d: SqlDateTimeOffset) {
        let t = &d.datetime2.time;
        self.push(Value::DateTimeOffset(offset(
            d.datetime2.days.into(),
            t.time_nanoseconds,
            d.offset,
            t.scale,
        )));
    }

    fn write_money(&mut self, _: usize, m: SqlMoney) {
        self.push(Value::Decimal(money((i64::from(m.msb_part) << 32) | i64::from(m.lsb_part as u32))));
    }

    fn write_smallmoney(&mut self, _: usize, m: SqlSmallMoney) {
        self.push(Value::Decimal(money(m.int_val.into())));
    }

    fn write_uuid(&mut self, _: usize, uuid: Uuid) {
        self.push(Value::Guid(uuid.to_string().to_uppercase()));
    }

    fn write_xml(&mut self, _: usize, xml: SqlXml) {
        self.push(Value::Xml(utf16(&xml.bytes).trim_start_matches('\u{feff}').to_owned()));
    }

    fn write_json(&mut self, _: usize, json: SqlJson) {
        self.push(Value::Json(String::from_utf8_lossy(&json.bytes).into_owned()));
    }

    fn write_vector(&mut self, _: usize, v: SqlVector) {
        self.push(Value::Json(vector(&v)));
    }

    fn end_row(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(write: impl FnOnce(&mut RowDecoder)) -> Value {
        let mut decoder = RowDecoder::default();
        write(&mut decoder);
        let mut values = decoder.take();
        assert_eq!(values.len(), 1);
        values.remove(0)
    }

    #[test]
    fn malformed_text_is_replaced() {
        let text = only(|d| d.write_string(0, Cow::Borrowed(b"a\xFFb"), EncodingType::Utf8));
        assert_eq!(text, Value::Text("a\u{fffd}b".into()));
        let text = only(|d| d.write_string(0, Cow::Borrowed(b"a\0\0\xD8b\0"), EncodingType::Utf16));
        assert_eq!(text, Value::Text("a\u{fffd}b".into()));
        let xml = only(|d| d.write_xml(0, SqlXml { bytes: b"\xFF\xFE<\0\0\xD8x".to_vec() }));
        assert_eq!(xml, Value::Xml("<\u{fffd}?".into()));
        assert_eq!(only(|d| d.write_json(0, SqlJson::new(b"\xFF".to_vec()))), Value::Json("\u{fffd}".into()));
    }

    #[test]
    fn money_is_two_halves() {
        let value = only(|d| d.write_money(0, SqlMoney { lsb_part: -1, msb_part: -1 }));
        assert_eq!(value, Value::Decimal("-0.0001".into()));
    }

    #[test]
    fn a_thirds_rounding() {
        let value = only(|d| d.write_datetime(0, SqlDateTime { days: 0, time: 299 }));
        assert_eq!(value, Value::DateTime("1900-01-01 00:00:00.997".into()));
    }
}
