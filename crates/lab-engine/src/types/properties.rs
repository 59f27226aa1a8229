//! Properties of types against plain models: big integers for decimals, a walk through the calendar for dates.

use num_bigint::BigInt;
use proptest::prelude::*;
use rusqlite::types::Value;

use super::*;

/// A decimal type and a value of it.
fn decimal() -> impl Strategy<Value = (SqlType, i128)> {
    (1_u8..=38).prop_flat_map(|precision| (Just(precision), 0..=precision)).prop_flat_map(
        |(precision, scale)| {
            let limit = pow10(precision) - 1;
            (
                Just(SqlType::Decimal { precision, scale }),
                prop_oneof![-limit..=limit, -1000_i128..=1000].prop_map(move |v| v.clamp(-limit, limit)),
            )
        },
    )
}

fn ten(power: u8) -> BigInt {
    BigInt::from(10).pow(u32::from(power))
}

/// Half away from zero, told from the remainder.
fn round_div(a: &BigInt, b: &BigInt) -> BigInt {
    let (quotient, rest) = (a / b, a % b);
    let twice = if rest < BigInt::from(0) { -rest * 2 } else { rest * 2 };
    let size = if *b < BigInt::from(0) { -b.clone() } else { b.clone() };
    let same_sign = (*a < BigInt::from(0)) == (*b < BigInt::from(0));
    match (twice >= size, same_sign) {
        (true, true) => quotient + 1,
        (true, false) => quotient - 1,
        (false, _) => quotient,
    }
}

/// The exact fraction `n/d` at a scale: rounded, or cut off as a division is.
fn at_scale(n: &BigInt, d: &BigInt, scale: u8, cut: bool) -> BigInt {
    let scaled = n * ten(scale);
    if cut { scaled / d } else { round_div(&scaled, d) }
}

proptest! {
    #[test]
    fn decimal_arithmetic_is_that_of_fractions((ta, a) in decimal(), (tb, b) in decimal(), which in 0_usize..5) {
        let op = [ArithmeticOp::Add, ArithmeticOp::Sub, ArithmeticOp::Mul, ArithmeticOp::Div, ArithmeticOp::Mod][which];
        let rule = arithmetic(op, ta, tb).unwrap();
        let (sa, sb, scale) = (ta.scale(), tb.scale(), rule.result.scale());
        prop_assert!(rule.result.precision() <= 38 && scale <= rule.result.precision());
        let (x, y) = (BigInt::from(a), BigInt::from(b));
        let (da, db) = (ten(sa), ten(sb));
        let wanted = match op {
            ArithmeticOp::Add => Some(at_scale(&(&x * &db + &y * &da), &(&da * &db), scale, false)),
            ArithmeticOp::Sub => Some(at_scale(&(&x * &db - &y * &da), &(&da * &db), scale, false)),
            ArithmeticOp::Mul => Some(at_scale(&(&x * &y), &(&da * &db), scale, false)),
            ArithmeticOp::Div if b != 0 => Some(at_scale(&(&x * &db), &(&y * &da), scale, true)),
            ArithmeticOp::Mod if b != 0 => {
                let (xs, ys) = (&x * &db, &y * &da);
                Some(at_scale(&(&xs % &ys), &(&da * &db), scale, false))
            }
            _ => None,
        };
        let got = exact_arithmetic(op, (a, sa), (b, sb), rule.result);
        match wanted {
            None => prop_assert_eq!(got.unwrap_err().number, 8134),
            Some(wanted) => match got.and_then(|scaled| exact_value(scaled, rule.result)) {
                Ok(value) => prop_assert_eq!(BigInt::from(exact(&value).unwrap()), wanted),
                Err(e) => {
                    prop_assert_eq!(e.number, 8115);
                    let size = if wanted < BigInt::from(0) { -wanted } else { wanted };
                    prop_assert!(size >= ten(rule.result.precision()), "an overflow that is none");
                }
            },
        }
    }

    #[test]
    fn decimals_go_through_text_and_binary_order((ty, a) in decimal(), b in any::<i64>()) {
        let text = exact_text(a, ty.scale());
        prop_assert_eq!(parse_exact(&text, ty.scale()), Some(a));
        let value = exact_value(a, ty).unwrap();
        let context = ConvertContext::default();
        let shown = convert(&value, ty, SqlType::varchar(41), None, ConvertKind::Explicit, &context).unwrap();
        let back = convert(&shown, SqlType::varchar(41), ty, None, ConvertKind::Explicit, &context).unwrap();
        prop_assert_eq!(&back, &value);
        let wide = SqlType::Decimal { precision: 38, scale: 0 };
        let (x, y) = (decimal_value(a / 10, 38), decimal_value(i128::from(b), 38));
        if let (Ok(Value::Blob(x)), Ok(Value::Blob(y))) = (x, y) {
            prop_assert_eq!(x.cmp(&y), (a / 10).cmp(&i128::from(b)), "bytes of {} order as numbers", wide);
        }
    }

    #[test]
    fn variants_order_as_their_values(a in any::<i32>(), b in any::<i64>(), c in -1_000_000_i64..1_000_000) {
        let key = |value: &Value, ty| variant_key(&variant_value(value, ty));
        let (Value::Blob(x), Value::Blob(y)) = (key(&Value::Integer(a.into()), SqlType::Int), key(&Value::Integer(b), SqlType::BigInt)) else {
            panic!("keys are bytes")
        };
        prop_assert_eq!(x.cmp(&y), i64::from(a).cmp(&b));
        let hundredths = key(&Value::Integer(c), SqlType::Decimal { precision: 18, scale: 2 });
        let whole = key(&Value::Integer(c / 100), SqlType::Int);
        prop_assert_eq!(hundredths == whole, c % 100 == 0);
    }

    #[test]
    fn floats_go_through_their_lossless_style(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let text = float_text(number, false, 3);
        let back: f64 = text.parse().unwrap();
        prop_assert_eq!(back.to_bits(), if number == 0.0 { back.to_bits() } else { number.to_bits() });
    }

    #[test]
    fn dates_go_through_text(days in 0..=DAY_MAX, ticks in 0..DAY, scale in 0_u8..=7, offset in -840_i32..=840) {
        let context = ConvertContext::default();
        let types = [SqlType::Date, SqlType::DateTime2 { scale }, SqlType::DateTimeOffset { scale }, SqlType::Time { scale }, SqlType::DateTime];
        for ty in types {
            let offset = if matches!(ty, SqlType::DateTimeOffset { .. }) { offset } else { 0 };
            // At the ends of the calendar a type, or UTC, may have no such day.
            let Ok(value) = temporal_value(Moment { days, ticks, offset }, ty) else { continue };
            let style = if ty == SqlType::DateTime { Some(121) } else { None };
            let text = convert(&value, ty, SqlType::varchar(40), style, ConvertKind::Explicit, &context).unwrap();
            let back = convert(&text, SqlType::varchar(40), ty, None, ConvertKind::Explicit, &context);
            prop_assert_eq!(back.unwrap(), value, "{} of {:?}", ty, text);
        }
    }
}

#[test]
fn the_calendar_is_the_one_that_is_walked_day_by_day() {
    let (mut year, mut month, mut day) = (1_i64, 1_u32, 1_u32);
    for days in 0..=DAY_MAX {
        assert_eq!(civil(days), (year, month, day));
        assert_eq!(days_of(year, month, day), Some(days));
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let length = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        day += 1;
        if day > length {
            day = 1;
            month += 1;
        }
        if month > 12 {
            month = 1;
            year += 1;
        }
    }
}
