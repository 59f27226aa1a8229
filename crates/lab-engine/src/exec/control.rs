//! Control flow, variables, messages, transactions.

use std::time::{Duration, Instant};

use lab_tsql::ast::{Declaration, Expr, Statement, StatementKind, TransactionName};
use rusqlite::types::Value;

use super::frame::Variable;
use super::{Flow, Frame, Stop};
use crate::bind::declared_type;
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::Sink;
use crate::types::{SqlType, display_value};

/// SQL Server's limit of nested procedures, functions and dynamic texts.
const NESTING_MAX: u32 = 32;

impl Session {
    pub(super) fn run_while(
        &mut self,
        frame: &mut Frame,
        condition: &Expr,
        body: &Statement,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        while self.test(frame, condition)? {
            if self.interrupt.cancelled() {
                return Err(Stop::Cancelled);
            }
            match self.run_statement(frame, body, sink)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => break,
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    pub(super) fn run_return(&mut self, frame: &mut Frame, value: Option<&Expr>) -> Result<Flow, Stop> {
        let Some(value) = value else { return Ok(Flow::Return(0)) };
        if frame.procedure.is_none() {
            return Err(SqlError::return_outside().into());
        }
        let status = match self.evaluate(frame, value, SqlType::Int)? {
            Value::Integer(n) => n as i32,
            // A procedure that returns NULL returns 0, with a warning in SQL Server.
            _ => 0,
        };
        Ok(Flow::Return(status))
    }

    pub(super) fn run_try(
        &mut self,
        frame: &mut Frame,
        body: &[Statement],
        handler: &[Statement],
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        self.try_depth += 1;
        frame.tries += 1;
        let depth = self.nest_level;
        let tried = self.run_statements(frame, body, sink);
        self.try_depth -= 1;
        frame.tries -= 1;
        match tried {
            Err(Stop::Error(e)) if e.class < 20 && !frame.uncatchable => {
                self.nest_level = depth;
                self.catching.push(e.clone());
                frame.caught.push(e);
                let handled = self.run_statements(frame, handler, sink);
                frame.caught.pop();
                self.catching.pop();
                handled
            }
            other => other,
        }
    }

    pub(super) fn run_declare(
        &mut self,
        frame: &mut Frame,
        declarations: &[Declaration],
    ) -> Result<(), Stop> {
        for declaration in declarations {
            match declaration {
                Declaration::Variable { name, data_type, value } => {
                    let ty = declared_type(data_type)?;
                    let value = value.as_ref().map(|v| self.evaluate(frame, v, ty)).transpose()?;
                    // Inside of a loop the same declaration is run again: it is one variable, and keeps its value.
                    if frame.variables.get(&name.to_lowercase()).is_some_and(|v| v.ty == ty) {
                        if let Some(value) = value {
                            frame.set(name, value);
                        }
                    } else {
                        frame.declare(
                            name,
                            Variable { ty, collation: None, value: value.unwrap_or(Value::Null) },
                        )?;
                    }
                }
                Declaration::Table { name, elements } => self.declare_table(frame, name, elements)?,
            }
        }
        Ok(())
    }

    pub(super) fn run_print(&mut self, frame: &Frame, value: &Expr, sink: &mut dyn Sink) -> Result<(), Stop> {
        let (value, ty) = self.evaluate_any(frame, value)?;
        let text = if value == Value::Null { " ".to_owned() } else { display_value(&value, ty) };
        let text: String = text.chars().take(if ty.is_national() { 4000 } else { 8000 }).collect();
        sink.info(&SqlError::new(0, 0, 1, text));
        self.last_error = 0;
        self.row_count = 0;
        Ok(())
    }

    pub(super) fn run_raiserror(
        &mut self,
        frame: &Frame,
        args: &[Expr],
        options: &[String],
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let mut values = Vec::new();
        for arg in args {
            values.push(self.evaluate_any(frame, arg)?);
        }
        let number = |n: usize, default: i64| match values.get(n) {
            Some((Value::Integer(i), _)) => *i,
            _ => default,
        };
        let (id, format) = match values.first() {
            Some((Value::Text(text), _)) => (50_000, text.clone()),
            Some((Value::Integer(n), _)) => {
                let text = format!(
                    "Error {n}, severity {}, state {} was raised, but no message with that error number was found in sys.messages. If error is larger than 50000, make sure the user-defined message is added using sp_addmessage.",
                    number(1, 16),
                    number(2, 1)
                );
                (18_054, text)
            }
            _ => (50_000, String::new()),
        };
        let message = format_message(&format, values.get(3..).unwrap_or_default())?;
        let class = number(1, 16).clamp(0, 25) as u8;
        let state = match number(2, 1) {
            n if n < 0 => 1,
            n => n.min(255) as u8,
        };
        if class > 18 && !options.iter().any(|o| o == "LOG") {
            return Err(SqlError::new(2754, 16, 1, "Error severity levels greater than 18 can only be specified by members of the sysadmin role, using the WITH LOG option.").into());
        }
        let error = SqlError::new(id, class, state, message);
        if class <= 10 {
            sink.info(&error);
            if options.iter().any(|o| o == "NOWAIT") {
                sink.flush().map_err(|_| Stop::Closed)?;
            }
            self.last_error = if options.iter().any(|o| o == "SETERROR") { id } else { 0 };
            self.row_count = 0;
            return Ok(());
        }
        Err(Stop::Error(error))
    }

    /// The error of THROW.
    pub(super) fn thrown(
        &mut self,
        frame: &Frame,
        parts: Option<&(Expr, Expr, Expr)>,
        line: u32,
    ) -> Result<SqlError, Stop> {
        let Some((number, message, state)) = parts else {
            return frame.caught.last().cloned().ok_or_else(|| {
                SqlError::new(10704, 15, 1, "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.").into()
            });
        };
        let number = match self.evaluate(frame, number, SqlType::Int)? {
            Value::Integer(n) if n >= 50_000 => n as i32,
            other => {
                let shown = display_value(&other, SqlType::Int);
                return Err(SqlError::new(35100, 16, 10, format!("Error number {shown} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647.")).into());
            }
        };
        let message = match self.evaluate(frame, message, SqlType::nvarchar(2048))? {
            Value::Text(text) => text,
            _ => String::new(),
        };
        let state = match self.evaluate(frame, state, SqlType::TinyInt)? {
            Value::Integer(n) => n as u8,
            _ => 0,
        };
        Ok(SqlError::new(number, 16, state, message).at(line))
    }

    pub(super) fn run_waitfor(&mut self, frame: &Frame, delay: bool, value: &Expr) -> Result<(), Stop> {
        let (given, ty) = self.evaluate_any(frame, value)?;
        let bad = || {
            let shown = display_value(&given, ty);
            let text = format!("Incorrect time syntax in time string '{shown}' used with WAITFOR.");
            Stop::from(SqlError::new(148, 15, 1, text))
        };
        let Ok(Value::Integer(ticks)) = self.convert_value(frame, &given, ty, SqlType::Time { scale: 7 })
        else {
            return Err(bad());
        };
        let day = crate::types::DAY;
        let now = crate::types::now_ticks() % day;
        let wait = if delay { ticks } else { (ticks - now).rem_euclid(day) };
        let until = Instant::now() + Duration::from_nanos(wait.unsigned_abs().saturating_mul(100));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            // KILL ends the wait at once.
            std::thread::park_timeout(left.min(Duration::from_millis(20)));
            if self.interrupt.cancelled() {
                return Err(Stop::Cancelled);
            }
        }
    }

    pub(super) fn run_transaction(
        &mut self,
        frame: &Frame,
        kind: &StatementKind,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let name =
            |n: &Option<TransactionName>| n.as_ref().map(|n| transaction_name(frame, n)).unwrap_or_default();
        match kind {
            StatementKind::BeginTransaction(n) => self.begin(&name(n), sink)?,
            StatementKind::Commit(_) => self.commit(sink)?,
            StatementKind::Rollback(n) => {
                let name = name(n);
                if name.is_empty() {
                    if self.tran.count == 0 {
                        return Err(SqlError::rollback_without_begin().into());
                    }
                    self.rollback_all(sink)?;
                } else {
                    self.rollback_to(&name, sink)?;
                }
            }
            StatementKind::Save(n) => self.save(&transaction_name(frame, n))?,
            _ => {}
        }
        Ok(())
    }

    /// Goes one level deeper, for a procedure or a dynamic text.
    pub(super) fn nested_call<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        if self.nest_level >= NESTING_MAX {
            return Err(SqlError::nesting_exceeded().into());
        }
        self.nest_level += 1;
        let done = work(self);
        self.nest_level = self.nest_level.saturating_sub(1);
        done
    }
}

fn transaction_name(frame: &Frame, name: &TransactionName) -> String {
    match name {
        TransactionName::Name(name) => name.clone(),
        TransactionName::Variable(variable) => match frame.value(&variable.to_lowercase()) {
            Value::Text(text) => text,
            _ => String::new(),
        },
    }
}

/// RAISERROR's subset of printf.
///
/// # Errors
/// 2748 and 2786 for a value that its place cannot show.
pub(crate) fn format_message(format: &str, args: &[(Value, SqlType)]) -> Result<String, SqlError> {
    let mut out = String::new();
    let mut args = Arguments { args, next: 0 };
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+ #0".contains(*c)) {
            spec.flags.push(flag);
        }
        spec.width = width(&mut chars, &mut args)?.unwrap_or(0).min(400);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(width(&mut chars, &mut args)?.unwrap_or(0));
        }
        // Sizes: `ld`, `hd`, `I64d`.
        while chars.next_if(|c| matches!(c, 'l' | 'h')).is_some() {}
        if chars.next_if_eq(&'I').is_some() {
            while chars.next_if(char::is_ascii_digit).is_some() {}
        }
        let conversion = chars.next().unwrap_or('s');
        out.push_str(&spec.shown(conversion, args.take(conversion)?));
    }
    if out.chars().count() > 2047 {
        out = out.chars().take(2044).collect::<String>() + "...";
    }
    Ok(out)
}

#[derive(Debug, Default)]
struct Spec {
    flags: String,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    fn shown(&self, conversion: char, argument: Option<&(Value, SqlType)>) -> String {
        let flag = |c: char| self.flags.contains(c);
        let text = match (argument, conversion) {
            (None | Some((Value::Null, _)), _) => "(null)".to_owned(),
            (Some((Value::Integer(n), ty)), 'x' | 'X' | 'o' | 'u') => {
                let bits = if *ty == SqlType::BigInt { *n as u64 } else { u64::from(*n as u32) };
                match conversion {
                    'x' => format!("{}{bits:x}", if flag('#') { "0x" } else { "" }),
                    'X' => format!("{}{bits:X}", if flag('#') { "0X" } else { "" }),
                    'o' => format!("{bits:o}"),
                    _ => bits.to_string(),
                }
            }
            (Some((Value::Integer(n), _)), _) if *n >= 0 && flag('+') => format!("+{n}"),
            (Some((Value::Integer(n), _)), _) if *n >= 0 && flag(' ') => format!(" {n}"),
            (Some((value, ty)), _) => display_value(value, *ty),
        };
        let text: String = match self.precision {
            Some(p) if conversion == 's' => text.chars().take(p).collect(),
            Some(p) => {
                let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
                format!("{sign}{digits:0>p$}")
            }
            None => text,
        };
        let width = self.width;
        if flag('-') {
            format!("{text:<width$}")
        } else if flag('0') && conversion != 's' {
            let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
            format!("{sign}{digits:0>rest$}", rest = width.saturating_sub(sign.len()))
        } else {
            format!("{text:>width$}")
        }
    }
}

struct Arguments<'a> {
    args: &'a [(Value, SqlType)],
    next: usize,
}

impl<'a> Arguments<'a> {
    /// The next argument, which must be of a type that the conversion shows.
    fn take(&mut self, conversion: char) -> Result<Option<&'a (Value, SqlType)>, SqlError> {
        let Some(argument) = self.args.get(self.next) else { return Ok(None) };
        self.next += 1;
        let (value, ty) = argument;
        if !(ty.is_integer() || ty.is_character() || ty.is_binary()) || *ty == SqlType::Bit {
            let text = format!(
                "Cannot specify {} data type (parameter {}) as a substitution parameter.",
                ty.name(),
                self.next + 3
            );
            return Err(SqlError::new(2748, 16, 1, text));
        }
        if *value != Value::Null && (conversion == 's') == ty.is_integer() {
            let text = format!(
                "The data type of substitution parameter {} does not match the expected type of the format specification.",
                self.next
            );
            return Err(SqlError::new(2786, 16, 1, text));
        }
        Ok(Some(argument))
    }
}

/// A width or precision: digits, or `*` for the next argument.
fn width(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    args: &mut Arguments<'_>,
) -> Result<Option<usize>, SqlError> {
    if chars.next_if_eq(&'*').is_some() {
        return Ok(match args.take('d')? {
            Some((Value::Integer(n), _)) => usize::try_from(*n).ok(),
            _ => None,
        });
    }
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    Ok(digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_formatted_as_printf_does() {
        let int = |n| (Value::Integer(n), SqlType::Int);
        let text = |t: &str| (Value::Text(t.into()), SqlType::nvarchar(20));
        let shown = |format: &str, args: &[(Value, SqlType)]| format_message(format, args).unwrap();
        assert_eq!(shown("%d rows in %s", &[int(3), text("t")]), "3 rows in t");
        assert_eq!(
            shown("[%5d|%-5d|%05d|%x|%%]", &[int(42), int(42), int(42), int(255)]),
            "[   42|42   |00042|ff|%]"
        );
        assert_eq!(shown("%.3s|%*d", &[text("abcdef"), int(4), int(7)]), "abc|   7");
        assert_eq!(shown("%s", &[]), "(null)");
        assert_eq!(shown("%I64d|%ld|%05d|%+d", &[int(1), int(2), int(-3), int(4)]), "1|2|-0003|+4");
        assert_eq!(shown(&"x".repeat(3000), &[]).len(), 2047);
    }
}
