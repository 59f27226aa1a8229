//! SUM, AVG and their kin over storage representations; each can be used over a window.

use rusqlite::functions::{Aggregate, Context, WindowAggregate};
use rusqlite::types::Value;
use rusqlite::{Connection, Result};

use super::operators::PURE;
use crate::error::SqlError;
use crate::types::{self, SqlType};

/// Sum and count of exact numbers, or of floats.
#[derive(Debug, Default, Clone)]
struct Sum {
    count: i64,
    exact: i128,
    float: f64,
    /// Mean and sum of squared distances from it (Welford): squares alone would cancel each other out.
    mean: f64,
    spread: f64,
}

/// Which result is wanted.
#[derive(Debug, Clone, Copy)]
enum Finish {
    Sum,
    Avg,
    Stdev,
    StdevP,
    Var,
    VarP,
}

struct Sums(Finish);

struct State {
    sum: Sum,
    from: SqlType,
    to: SqlType,
}

fn types_of(c: &Context<'_>) -> Result<(SqlType, SqlType)> {
    match (SqlType::from_code(c.get(1)?), SqlType::from_code(c.get(2)?)) {
        (Some(from), Some(to)) => Ok((from, to)),
        _ => Err(SqlError::internal("an aggregate of unknown type").to_carrier()),
    }
}

impl State {
    fn add(&mut self, value: &Value, sign: i128) -> Result<()> {
        if *value == Value::Null {
            return Ok(());
        }
        self.sum.count += sign as i64;
        if self.to.is_approximate() {
            let float = types::to_float(value, self.from, self.to).map_err(|e| e.to_carrier())?;
            self.sum.float += float * sign as f64;
            let (count, before) = (self.sum.count as f64, float - self.sum.mean);
            if self.sum.count == 0 {
                self.sum = Sum::default();
            } else {
                self.sum.mean += sign as f64 * before / count;
                self.sum.spread += sign as f64 * before * (float - self.sum.mean);
            }
            return Ok(());
        }
        let exact = types::exact(value)
            .ok_or_else(|| SqlError::internal("an aggregate of something inexact").to_carrier())?;
        self.sum.exact = self
            .sum
            .exact
            .checked_add(exact * sign)
            .ok_or_else(|| SqlError::overflow_to(self.to.name()).to_carrier())?;
        Ok(())
    }

    fn result(&self, finish: Finish) -> Result<Value> {
        let n = self.sum.count;
        if n == 0 {
            return Ok(Value::Null);
        }
        if self.to.is_approximate() {
            let count = n as f64;
            let spread = self.sum.spread.max(0.0);
            if !self.sum.float.is_finite() {
                return Err(SqlError::overflow_to("float").to_carrier());
            }
            return Ok(match finish {
                Finish::Sum => Value::Real(self.sum.float),
                Finish::Avg => Value::Real(self.sum.float / count),
                Finish::Stdev | Finish::Var if n < 2 => Value::Null,
                Finish::Stdev => Value::Real((spread / (count - 1.0)).sqrt()),
                Finish::Var => Value::Real(spread / (count - 1.0)),
                Finish::StdevP => Value::Real((spread / count).sqrt()),
                Finish::VarP => Value::Real(spread / count),
            });
        }
        let (from, to) = (types::exact_scale(self.from), types::exact_scale(self.to));
        let scaled = match finish {
            Finish::Avg => {
                let op = types::ArithmeticOp::Div;
                types::exact_arithmetic(op, (self.sum.exact, from), (i128::from(n), 0), self.to)
                    .map_err(|e| e.to_carrier())?
            }
            _ => types::rescale(self.sum.exact, from, to)
                .ok_or_else(|| SqlError::overflow_to(self.to.name()).to_carrier())?,
        };
        types::exact_value(scaled, self.to).map_err(|e| e.to_carrier())
    }
}

impl Sums {
    /// Of DISTINCT values, which SQLite allows only one argument: they come with their type as variants.
    fn step_tagged(&self, value: &Value, state: &mut Option<State>) -> Result<()> {
        let Some((from, value)) = types::variant_parts(value) else { return Ok(()) };
        if state.is_none() {
            let to = match self.0 {
                Finish::Sum | Finish::Avg => types::sum_type(matches!(self.0, Finish::Avg), from),
                _ => SqlType::Float,
            };
            *state = Some(State { sum: Sum::default(), from, to });
        }
        state.as_mut().map_or(Ok(()), |s| s.add(&value, 1))
    }
}

impl Aggregate<Option<State>, Value> for Sums {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<State>> {
        Ok(None)
    }

    fn step(&self, c: &mut Context<'_>, state: &mut Option<State>) -> Result<()> {
        let value: Value = c.get(0)?;
        if c.len() == 1 {
            return self.step_tagged(&value, state);
        }
        if state.is_none() {
            let (from, to) = types_of(c)?;
            *state = Some(State { sum: Sum::default(), from, to });
        }
        state.as_mut().map_or(Ok(()), |s| s.add(&value, 1))
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<State>>) -> Result<Value> {
        state.flatten().map_or(Ok(Value::Null), |s| s.result(self.0))
    }
}

impl WindowAggregate<Option<State>, Value> for Sums {
    fn value(&self, state: Option<&mut Option<State>>) -> Result<Value> {
        state.and_then(|s| s.as_ref()).map_or(Ok(Value::Null), |s| s.result(self.0))
    }

    fn inverse(&self, c: &mut Context<'_>, state: &mut Option<State>) -> Result<()> {
        let value: Value = c.get(0)?;
        state.as_mut().map_or(Ok(()), |s| s.add(&value, -1))
    }
}

/// STRING_AGG: the text so far, and whether there is any.
struct StringAgg;

impl Aggregate<Option<String>, Option<String>> for StringAgg {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<String>> {
        Ok(None)
    }

    fn step(&self, c: &mut Context<'_>, state: &mut Option<String>) -> Result<()> {
        let Some(text) = c.get::<Option<String>>(0)? else { return Ok(()) };
        match state {
            None => *state = Some(text),
            Some(all) => {
                all.push_str(&c.get::<Option<String>>(1)?.unwrap_or_default());
                all.push_str(&text);
            }
        }
        // The limit is in characters, 0 without one.
        let limit: i64 = c.get(2)?;
        if limit > 0
            && state.as_ref().is_some_and(|all| all.len() as i64 > limit)
            && state.as_ref().is_some_and(|all| all.chars().count() as i64 > limit)
        {
            let e = SqlError::new(
                9829,
                16,
                1,
                "STRING_AGG aggregation result exceeded the limit of 8000 bytes. Use LOB types to avoid result truncation.",
            );
            return Err(e.to_carrier());
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<String>>) -> Result<Option<String>> {
        Ok(state.flatten())
    }
}

/// A scalar subquery's value: an error at the second row.
struct Single;

impl Aggregate<Option<Value>, Value> for Single {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<Value>> {
        Ok(None)
    }

    fn step(&self, c: &mut Context<'_>, state: &mut Option<Value>) -> Result<()> {
        if state.is_some() {
            return Err(SqlError::subquery_more_than_one().to_carrier());
        }
        *state = Some(c.get(0)?);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<Value>>) -> Result<Value> {
        Ok(state.flatten().unwrap_or(Value::Null))
    }
}

/// CHECKSUM_AGG: order does not count.
struct ChecksumAgg;

impl Aggregate<Option<i64>, Option<i64>> for ChecksumAgg {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<i64>> {
        Ok(None)
    }

    fn step(&self, c: &mut Context<'_>, state: &mut Option<i64>) -> Result<()> {
        if let Some(value) = c.get::<Option<i64>>(0)? {
            *state = Some(state.unwrap_or(0) ^ value);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<i64>>) -> Result<Option<i64>> {
        Ok(state.flatten())
    }
}

pub(super) fn register(conn: &Connection) -> Result<()> {
    for (name, finish) in [
        ("t_sum", Finish::Sum),
        ("t_avg", Finish::Avg),
        ("t_stdev", Finish::Stdev),
        ("t_stdevp", Finish::StdevP),
        ("t_var", Finish::Var),
        ("t_varp", Finish::VarP),
    ] {
        conn.create_aggregate_function(name, 1, PURE, Sums(finish))?;
    }
    conn.create_aggregate_function("t_checksum_agg", 1, PURE, ChecksumAgg)?;
    conn.create_window_function("t_sum", 3, PURE, Sums(Finish::Sum))?;
    conn.create_window_function("t_avg", 3, PURE, Sums(Finish::Avg))?;
    conn.create_window_function("t_stdev", 3, PURE, Sums(Finish::Stdev))?;
    conn.create_window_function("t_stdevp", 3, PURE, Sums(Finish::StdevP))?;
    conn.create_window_function("t_var", 3, PURE, Sums(Finish::Var))?;
    conn.create_window_function("t_varp", 3, PURE, Sums(Finish::VarP))?;
    conn.create_aggregate_function("t_string_agg", 3, PURE, StringAgg)?;
    conn.create_aggregate_function("t_single", 1, PURE, Single)
}
