//! From text to tokens.

use crate::ParseError;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A bare word: a keyword or a regular identifier.
    Word(String),
    /// `[x]` or `"x"`.
    Quoted(String),
    /// `@x`.
    Variable(String),
    /// `@@x`.
    Global(String),
    /// `'x'`, `N'x'`.
    String { value: String, national: bool },
    /// `0x1F`.
    Binary(Vec<u8>),
    /// `12`.
    Int(String),
    /// `1.5`.
    Decimal(String),
    /// `1e5`.
    Float(String),
    /// `$1.5`.
    Money(String),
    /// An operator or punctuation mark.
    Symbol(&'static str),
    /// The end of the batch.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) line: u32,
}

/// Longer ones first.
const SYMBOLS: &[&str] = &[
    "<>", "<=", ">=", "!=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::", "||", "(", ")",
    ",", ".", ";", ":", "+", "-", "*", "/", "%", "&", "|", "^", "~", "=", "<", ">", "{", "}", "?",
];

/// The longest identifier (sysname).
const NAME_MAX: usize = 128;

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    quoted_identifier: bool,
}

/// Splits a batch into tokens, the last of which is [`Token::End`].
pub(crate) fn tokenize(text: &str, quoted_identifier: bool) -> Result<Vec<Spanned>, ParseError> {
    if text.len() > u32::MAX as usize / 2 {
        return Err(ParseError::new(102, 15, 1, 1, "The batch is too long.".to_owned()));
    }
    let mut lexer = Lexer { text, at: 0, line: 1, quoted_identifier };
    let mut out = Vec::new();
    loop {
        lexer.skip_blank()?;
        let (start, line) = (lexer.at as u32, lexer.line);
        let token = lexer.next_token()?;
        let end = token == Token::End;
        out.push(Spanned { token, start, end: lexer.at as u32, line });
        if end {
            return Ok(out);
        }
    }
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&test) {
            self.bump();
        }
        self.text.get(start..self.at).unwrap_or("").to_owned()
    }

    fn error(&self, number: i32, message: String) -> ParseError {
        ParseError::new(number, 15, 1, self.line, message)
    }

    fn skip_blank(&mut self) -> Result<(), ParseError> {
        loop {
            if self.rest().starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.skip_comment()?;
            } else if self.peek().is_some_and(|c| c.is_whitespace() || c == '\u{feff}' || c == '\0') {
                self.bump();
            } else {
                return Ok(());
            }
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) -> Result<(), ParseError> {
        let mut depth = 0_u32;
        loop {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else if self.bump().is_none() {
                return Err(self.error(113, "Missing end comment mark '*/'.".to_owned()));
            }
        }
    }

    fn next_token(&mut self) -> Result<Token, ParseError> {
        let Some(c) = self.peek() else { return Ok(Token::End) };
        match c {
            '\'' => self.string(false),
            'N' | 'n' if self.second() == Some('\'') => {
                self.bump();
                self.string(true)
            }
            '[' => self.bracketed(),
            '"' if self.quoted_identifier => self.delimited('"').and_then(|name| self.name(name)),
            '"' => Ok(Token::String { value: self.delimited('"')?, national: false }),
            '@' => self.variable(),
            '0' if matches!(self.second(), Some('x' | 'X')) => Ok(self.binary()),
            '0'..='9' => Ok(self.number()),
            '.' if self.second().is_some_and(|d| d.is_ascii_digit()) => Ok(self.number()),
            '$' | '£' | '€' | '¥' if self.second().is_some_and(|d| d.is_ascii_digit() || d == '.') => {
                self.bump();
                Ok(Token::Money(self.take_while(|d| d.is_ascii_digit() || d == '.')))
            }
            c if is_name_start(c) => {
                let word = self.take_while(is_name_part);
                if word.chars().count() > NAME_MAX {
                    return self.name(word);
                }
                Ok(Token::Word(word))
            }
            _ => self.symbol(c),
        }
    }

    fn symbol(&mut self, c: char) -> Result<Token, ParseError> {
        for symbol in SYMBOLS {
            if self.rest().starts_with(symbol) {
                self.at += symbol.len();
                return Ok(Token::Symbol(symbol));
            }
        }
        Err(self.error(102, format!("Incorrect syntax near '{c}'.")))
    }

    fn string(&mut self, national: bool) -> Result<Token, ParseError> {
        let value = self.delimited('\'')?;
        Ok(Token::String { value, national })
    }

    fn bracketed(&mut self) -> Result<Token, ParseError> {
        let name = self.delimited(']')?;
        self.name(name)
    }

    fn name(&self, name: String) -> Result<Token, ParseError> {
        if name.chars().count() > NAME_MAX {
            let head: String = name.chars().take(NAME_MAX).collect();
            let text =
                format!("The identifier that starts with '{head}' is too long. Maximum length is 128.");
            return Err(self.error(103, text));
        }
        Ok(Token::Quoted(name))
    }

    /// What stands between the delimiter here and the closing one, which is doubled to stand for itself.
    fn delimited(&mut self, close: char) -> Result<String, ParseError> {
        let opened = self.line;
        self.bump();
        let mut value = String::new();
        loop {
            match self.bump() {
                None => {
                    let head: String = value.chars().take(129).collect();
                    let text = format!("Unclosed quotation mark after the character string '{head}'.");
                    return Err(ParseError::new(105, 15, 1, opened, text));
                }
                Some(c) if c == close => {
                    if self.peek() != Some(close) {
                        return Ok(value);
                    }
                    self.bump();
                    value.push(close);
                }
                Some('\\') if close == '\'' && self.continues_line() => {}
                Some(c) => value.push(c),
            }
        }
    }

    /// A backslash at the end of a line inside a string joins it to the next.
    fn continues_line(&mut self) -> bool {
        for end in ["\r\n", "\n"] {
            if self.rest().starts_with(end) {
                self.at += end.len();
                self.line += 1;
                return true;
            }
        }
        false
    }

    fn variable(&mut self) -> Result<Token, ParseError> {
        let name = self.take_while(|c| c == '@' || is_name_part(c));
        if name.chars().count() > NAME_MAX {
            return self.name(name);
        }
        Ok(if name.starts_with("@@") { Token::Global(name) } else { Token::Variable(name) })
    }

    fn binary(&mut self) -> Token {
        self.at += 2;
        let mut digits = String::new();
        loop {
            digits.push_str(&self.take_while(|c| c.is_ascii_hexdigit()));
            if self.peek() == Some('\\') {
                let back = (self.at, self.line);
                self.bump();
                if self.continues_line() {
                    continue;
                }
                (self.at, self.line) = back;
            }
            break;
        }
        if digits.len() % 2 == 1 {
            digits.insert(0, '0');
        }
        let nibble = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
        let bytes = digits.as_bytes().chunks(2);
        Token::Binary(bytes.map(|p| p.iter().fold(0, |sum, b| (sum << 4) | nibble(*b))).collect())
    }

    fn number(&mut self) -> Token {
        let mut text = self.take_while(|c| c.is_ascii_digit());
        let mut decimal = false;
        if self.peek() == Some('.') {
            decimal = true;
            self.bump();
            text.push('.');
            text.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            let mut ahead = self.rest().chars().skip(1);
            let digit = match ahead.next() {
                Some('+' | '-') => ahead.next(),
                other => other,
            };
            // `1e` alone is a float too, as SQL Server reads it; `1 else` has a blank in between.
            if digit.is_some_and(|d| d.is_ascii_digit()) || !self.second().is_some_and(is_name_part) {
                self.bump();
                text.push('e');
                if let Some(sign @ ('+' | '-')) = self.peek() {
                    self.bump();
                    text.push(sign);
                }
                let digits = self.take_while(|c| c.is_ascii_digit());
                text.push_str(if digits.is_empty() { "0" } else { &digits });
                return Token::Float(text);
            }
        }
        if decimal { Token::Decimal(text) } else { Token::Int(text) }
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '#' || c == '$'
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '$' | '@')
}

impl Token {
    /// The token as an error message shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Token::Word(w) | Token::Quoted(w) | Token::Variable(w) | Token::Global(w) => w.clone(),
            Token::String { value, .. } => value.clone(),
            Token::Binary(b) => b.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}")),
            Token::Int(t) | Token::Decimal(t) | Token::Float(t) => t.clone(),
            Token::Money(t) => format!("${t}"),
            Token::Symbol(s) => (*s).to_owned(),
            Token::End => String::new(),
        }
    }
}
