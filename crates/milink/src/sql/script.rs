//! Scripts as sqlcmd reads them: `GO [n]`, `:r`, `:setvar`, `:on error`, `:exit`, `$(variable)`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::lines::{Line, Lines, decode};

/// Files that include files nest at most this deep.
const DEPTH_MAX: usize = 32;

/// `$(name)` and their values; what is not set comes from the environment.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    values: BTreeMap<String, String>,
    /// `-x`: `$(name)` is text.
    literal: bool,
}

impl Variables {
    /// Reads `name=value` pairs; whether their names are looked for in scripts at all.
    pub(crate) fn parse(pairs: &[String], expand: bool) -> Result<Variables, String> {
        let mut variables = Variables { literal: !expand, ..Variables::default() };
        for pair in pairs {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| format!("-v wants name=value, not {pair}"))?;
            variables.set(name, value.trim_matches('"'));
        }
        Ok(variables)
    }

    fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_lowercase(), value.to_owned());
    }

    fn get(&self, name: &str) -> Option<String> {
        self.values.get(&name.to_lowercase()).cloned().or_else(|| std::env::var(name).ok())
    }

    fn expand(&self, line: &str) -> Result<String, String> {
        if self.literal {
            return Ok(line.to_owned());
        }
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(at) = rest.find("$(") {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let inner = from.get(2..).unwrap_or_default();
            let end = inner.find(')');
            let name = end
                .and_then(|end| inner.get(..end))
                .filter(|n| !n.is_empty() && n.chars().all(|c| c.is_alphanumeric() || "_-".contains(c)));
            match (name, end) {
                (Some(name), Some(end)) => {
                    out.push_str(
                        &self.get(name).ok_or_else(|| format!("'{name}' scripting variable not defined."))?,
                    );
                    rest = inner.get(end + 1..).unwrap_or_default();
                }
                // No variable: `$(SELECT ...` is text.
                _ => {
                    out.push_str("$(");
                    rest = inner;
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// What a script wants done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Run a batch so many times.
    Batch { text: String, count: u32 },
    /// `:exit` or `:quit`.
    Quit,
}

/// A script and where its reading stands.
#[derive(Debug)]
pub(crate) struct Script {
    /// Files being read, innermost last: folder, lines.
    files: Vec<(PathBuf, Lines)>,
    batch: String,
    /// Somebody types it.
    typed: bool,
    lexer: Lexer,
    exit_on_error: bool,
    ended: bool,
}

impl Script {
    pub(crate) fn new(text: &str, folder: &Path) -> Script {
        Script::from(Lines::of(text), folder)
    }

    pub(crate) fn open(path: &Path) -> Result<Script, String> {
        Ok(Script::new(&read(path)?, path.parent().unwrap_or(Path::new("."))))
    }

    /// Standard input, line by line: what is typed or piped runs at its GO, not when the last line has come.
    pub(crate) fn standard_input() -> Script {
        Script::from(Lines::standard_input(), Path::new("."))
    }

    fn from(lines: Lines, folder: &Path) -> Script {
        let typed = lines.is_typed();
        let files = vec![(folder.to_owned(), lines)];
        let (batch, lexer) = (String::new(), Lexer::default());
        Script { files, batch, typed, lexer, exit_on_error: false, ended: false }
    }

    /// Whether somebody types it, who can do better after an error.
    pub(crate) fn is_typed(&self) -> bool {
        self.typed
    }

    /// Whether `:on error exit` is in force.
    pub(crate) fn exits_on_error(&self) -> bool {
        self.exit_on_error
    }

    /// The next step; `None` at the end.
    pub(crate) fn next(&mut self, variables: &mut Variables) -> Result<Option<Step>, String> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let line = match self.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(e) => {
                    // What cannot be read now cannot be read later.
                    self.ended = true;
                    return Err(e);
                }
            };
            if self.lexer.is_plain() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let Some(count) = go(&words)? {
                    if let Some(step) = self.take_batch(count) {
                        return Ok(Some(step));
                    }
                    continue;
                }
                if let Some(command) = command(&words) {
                    if self.command(&command, &words, variables)? {
                        self.ended = true;
                        return Ok(Some(Step::Quit));
                    }
                    continue;
                }
            }
            let expanded = variables.expand(&line)?;
            self.lexer.read(&expanded);
            self.batch.push_str(&expanded);
            self.batch.push('\n');
        }
        self.ended = true;
        // What was typed without GO was not meant to run.
        Ok(if self.typed { None } else { self.take_batch(1) })
    }

    fn take_batch(&mut self, count: u32) -> Option<Step> {
        self.lexer = Lexer::default();
        let text = std::mem::take(&mut self.batch);
        (!text.trim().is_empty()).then_some(Step::Batch { text, count })
    }

    fn next_line(&mut self) -> Result<Option<String>, String> {
        while let Some((_, lines)) = self.files.last_mut() {
            match lines.next(self.batch.lines().count() + 1)? {
                Line::Text(line) => return Ok(Some(line)),
                Line::Cancel => {
                    self.batch.clear();
                    self.lexer = Lexer::default();
                }
                Line::End => drop(self.files.pop()),
            }
        }
        Ok(None)
    }

    /// Carries out a command; whether the script is to end.
    fn command(&mut self, command: &str, words: &[&str], variables: &mut Variables) -> Result<bool, String> {
        match command {
            ":r" => {
                let name = variables.expand(&words.get(1..).unwrap_or_default().join(" "))?;
                let name = name.trim_matches('"');
                if name.is_empty() {
                    return Err(":r wants a file".to_owned());
                }
                if self.files.len() >= DEPTH_MAX {
                    return Err(format!("{name}: files include each other too deeply"));
                }
                let folder = self.files.last().map(|(f, _)| f.clone()).unwrap_or_default();
                // As sqlcmd, from the current folder; and if it is not there, from beside the file that names it.
                let path = if Path::new(name).exists() { PathBuf::from(name) } else { folder.join(name) };
                let inner = path.parent().unwrap_or(Path::new(".")).to_owned();
                self.files.push((inner, Lines::of(&read(&path)?)));
            }
            ":setvar" => {
                let name = words.get(1).ok_or(":setvar wants a name and a value")?;
                let value = variables.expand(&words.get(2..).unwrap_or_default().join(" "))?;
                variables.set(name, value.trim_matches('"'));
            }
            ":on" => match words.get(1..).unwrap_or_default() {
                [error, what] if error.eq_ignore_ascii_case("error") && what.eq_ignore_ascii_case("exit") => {
                    self.exit_on_error = true;
                }
                [error, what]
                    if error.eq_ignore_ascii_case("error") && what.eq_ignore_ascii_case("ignore") =>
                {
                    self.exit_on_error = false;
                }
                _ => return Err(":on error wants exit or ignore".to_owned()),
            },
            ":exit" | ":quit" => return Ok(true),
            ":reset" => {
                self.batch.clear();
                self.lexer = Lexer::default();
            }
            other => return Err(format!("{other} is not a command that milink sql knows")),
        }
        Ok(false)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    decode(&bytes).map_err(|e| format!("{} {e}", path.display()))
}

/// The command that a line is, with its colon; as in sqlcmd, three of them do without.
fn command(words: &[&str]) -> Option<String> {
    let first = words.first()?.to_lowercase();
    if first.starts_with(':') && !first.starts_with("::") {
        return Some(first);
    }
    (words.len() == 1 && matches!(first.as_str(), "exit" | "quit" | "reset")).then(|| format!(":{first}"))
}

/// The count of a line that says GO; an error if it says it with something that is no count.
fn go(words: &[&str]) -> Result<Option<u32>, String> {
    match words {
        [go] if go.trim_end_matches(';').eq_ignore_ascii_case("go") => Ok(Some(1)),
        [go, count] if go.eq_ignore_ascii_case("go") => match count.parse() {
            Ok(count @ 1..) => Ok(Some(count)),
            Err(_) if count.starts_with("--") => Ok(Some(1)),
            _ => Err(format!("GO wants a number from 1 to {}, not {count}", u32::MAX)),
        },
        [go, comment, ..] if go.eq_ignore_ascii_case("go") && comment.starts_with("--") => Ok(Some(1)),
        _ => Ok(None),
    }
}

/// Knows whether a line begins inside of a string or comment, where GO is text.
#[derive(Debug, Default)]
struct Lexer {
    inside: Option<char>,
    comments: u32,
}

impl Lexer {
    fn is_plain(&self) -> bool {
        self.inside.is_none() && self.comments == 0
    }

    fn read(&mut self, line: &str) {
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if self.comments > 0 {
                match (c, chars.peek()) {
                    ('*', Some('/')) => {
                        chars.next();
                        self.comments -= 1;
                    }
                    ('/', Some('*')) => {
                        chars.next();
                        self.comments += 1;
                    }
                    _ => {}
                }
            } else if let Some(end) = self.inside {
                if c == end {
                    // A doubled end is one of the text's own.
                    if chars.peek() == Some(&end) {
                        chars.next();
                    } else {
                        self.inside = None;
                    }
                }
            } else {
                match (c, chars.peek()) {
                    ('-', Some('-')) => return,
                    ('/', Some('*')) => {
                        chars.next();
                        self.comments = 1;
                    }
                    ('\'' | '"', _) => self.inside = Some(c),
                    ('[', _) => self.inside = Some(']'),
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str, variables: &[&str]) -> Result<Vec<Step>, String> {
        let pairs: Vec<String> = variables.iter().map(|v| (*v).to_owned()).collect();
        let mut variables = Variables::parse(&pairs, true)?;
        let mut script = Script::new(text, Path::new("."));
        let mut out = Vec::new();
        while let Some(step) = script.next(&mut variables)? {
            out.push(step);
        }
        Ok(out)
    }

    fn batch(text: &str, count: u32) -> Step {
        Step::Batch { text: text.to_owned(), count }
    }

    #[test]
    fn go_ends_a_batch_where_it_is_no_text() {
        assert_eq!(steps("a\nGO\nb\n go 3 \ngo\n", &[]).unwrap(), [batch("a\n", 1), batch("b\n", 3)]);
        assert_eq!(steps("'\nGO\n'\nGO", &[]).unwrap(), [batch("'\nGO\n'\n", 1)]);
        assert_eq!(steps("/* /* */\nGO\n*/ x\nGO --done", &[]).unwrap(), [batch("/* /* */\nGO\n*/ x\n", 1)]);
        assert_eq!(steps("SELECT 'it''s' -- '\nGO", &[]).unwrap(), [batch("SELECT 'it''s' -- '\n", 1)]);
        assert_eq!(steps("[a'b]\nGO\nx", &[]).unwrap(), [batch("[a'b]\n", 1), batch("x\n", 1)]);
        for bad in ["many", "0", "-1", "99999999999"] {
            assert!(steps(&format!("x\nGO {bad}"), &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn variables_and_commands() {
        assert_eq!(steps("SELECT '$(a)' $(SELECT", &["A=1"]).unwrap(), [batch("SELECT '1' $(SELECT\n", 1)]);
        assert!(steps("$(nowhere_at_all)", &[]).unwrap_err().contains("not defined"));
        assert_eq!(steps(":setvar x \"two words\"\n$(x)\n:exit\nmore", &[]).unwrap(), [Step::Quit]);
        assert_eq!(steps("$(x)\nGO\n:exit", &["x=1"]).unwrap(), [batch("1\n", 1), Step::Quit]);
        assert_eq!(steps("a\nreset\nb\nGO\nQUIT\nc", &[]).unwrap(), [batch("b\n", 1), Step::Quit]);
        assert!(steps(":nothing", &[]).is_err());
        let mut literal = Variables::parse(&[], false).unwrap();
        let step = Script::new("$(x)", Path::new(".")).next(&mut literal);
        assert_eq!(step, Ok(Some(batch("$(x)\n", 1))));
    }

    #[test]
    fn files_include_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("inner.sql"), "b\nGO\n").unwrap();
        std::fs::write(folder.path().join("loop.sql"), ":r loop.sql\n").unwrap();
        let mut script = Script::new("a\n:r inner.sql\nc", folder.path());
        let mut v = Variables::default();
        assert_eq!(script.next(&mut v).unwrap(), Some(batch("a\nb\n", 1)));
        assert_eq!(script.next(&mut v).unwrap(), Some(batch("c\n", 1)));
        let mut script = Script::new(":r loop.sql", folder.path());
        assert!(script.next(&mut v).unwrap_err().contains("too deeply"));
    }
}
