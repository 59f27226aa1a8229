//! Reads statements, for scripts: just enough of T-SQL to write them as the documents do. The server's parser is another.

use lab_hadr::{Alteration, Command, GivenMember, GivenOption, GivenValue};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(i64),
    Sign(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut out) = (0, Vec::new());
    while let Some(&c) = chars.get(at) {
        let until = |from: usize, end: char| from + chars[from..].iter().position(|x| *x == end).unwrap();
        match c {
            ' ' | '\n' => at += 1,
            '\'' => {
                let end = until(at + 1, '\'');
                out.push(Token::Text(chars[at + 1..end].iter().collect()));
                at = end + 1;
            }
            '[' => {
                let end = until(at, ']');
                out.push(Token::Word(chars[at + 1..end].iter().collect()));
                at = end + 1;
            }
            '(' | ')' | ',' | '=' => {
                out.push(Token::Sign(c));
                at += 1;
            }
            _ => {
                let rest = &chars[at..];
                let len = rest.iter().position(|x| " \n'[(),=".contains(*x)).unwrap_or(rest.len());
                let word: String = rest[..len].iter().collect();
                at += len;
                match word.parse() {
                    Ok(number) => out.push(Token::Number(number)),
                    Err(_) if word == "N" && chars.get(at) == Some(&'\'') => {}
                    Err(_) => out.push(Token::Word(word)),
                }
            }
        }
    }
    out
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn take(&mut self, words: &str) -> bool {
        let wanted = tokens(words);
        let there = self.tokens.get(self.at..self.at + wanted.len());
        let equal = |a: &Token, b: &Token| match (a, b) {
            (Token::Word(a), Token::Word(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        };
        let is = there.is_some_and(|there| there.iter().zip(&wanted).all(|(a, b)| equal(a, b)));
        self.at += if is { wanted.len() } else { 0 };
        is
    }

    fn next(&mut self) -> Token {
        self.at += 1;
        self.tokens[self.at - 1].clone()
    }

    fn name(&mut self) -> String {
        match self.next() {
            Token::Word(name) | Token::Text(name) => name,
            other => panic!("{other:?} is no name"),
        }
    }

    fn list<T>(&mut self, one: fn(&mut Reader) -> T) -> Vec<T> {
        let mut all = vec![one(self)];
        while self.take(",") {
            all.push(one(self));
        }
        all
    }

    fn value(&mut self) -> GivenValue {
        match self.next() {
            Token::Word(word) => GivenValue::Word(word),
            Token::Text(text) => GivenValue::Text(text),
            Token::Number(number) => GivenValue::Number(number),
            Token::Sign(sign) => panic!("{sign} is no value"),
        }
    }

    fn option(&mut self) -> GivenOption {
        let name = self.name();
        let value = if self.take("=") {
            self.value()
        } else if self.tokens.get(self.at) == Some(&Token::Sign('(')) {
            GivenValue::Options(self.options())
        } else {
            GivenValue::Nothing
        };
        GivenOption { name, value }
    }

    fn options(&mut self) -> Vec<GivenOption> {
        assert!(self.take("("), "options begin with a parenthesis");
        if self.take(")") {
            return Vec::new();
        }
        let options = self.list(Reader::option);
        assert!(self.take(")"), "options end with a parenthesis");
        options
    }

    fn member(&mut self) -> GivenMember {
        let name = self.name();
        let options = if self.take("WITH") { self.options() } else { Vec::new() };
        GivenMember { name, options }
    }

    fn create(&mut self) -> Command {
        let group = self.name();
        let options = if self.take("WITH") { self.options() } else { Vec::new() };
        if self.take("AVAILABILITY GROUP ON") {
            return Command::CreateDistributed { group, options, members: self.list(Reader::member) };
        }
        assert!(self.take("FOR"), "FOR follows");
        let databases = if self.take("DATABASE") { self.list(Reader::name) } else { Vec::new() };
        assert!(self.take("REPLICA ON"), "REPLICA ON follows");
        let replicas = self.list(Reader::member);
        Command::Create { group, options, databases, replicas, listener: self.take("LISTENER") }
    }

    fn alteration(&mut self) -> Alteration {
        if self.take("SET") {
            Alteration::Set(self.options())
        } else if self.take("ADD DATABASE") {
            Alteration::AddDatabase(self.list(Reader::name))
        } else if self.take("REMOVE DATABASE") {
            Alteration::RemoveDatabase(self.list(Reader::name))
        } else if self.take("ADD REPLICA ON") {
            Alteration::AddReplica(self.list(Reader::member))
        } else if self.take("MODIFY REPLICA ON") {
            Alteration::ModifyReplica(self.list(Reader::member))
        } else if self.take("REMOVE REPLICA ON") {
            Alteration::RemoveReplica(self.list(Reader::name))
        } else if self.take("MODIFY AVAILABILITY GROUP ON") {
            Alteration::ModifyMembers(self.list(Reader::member))
        } else if self.take("JOIN AVAILABILITY GROUP ON") {
            Alteration::JoinDistributed(self.list(Reader::member))
        } else if self.take("JOIN") {
            Alteration::Join(if self.take("WITH") { self.options() } else { Vec::new() })
        } else if self.take("FAILOVER") {
            Alteration::Failover
        } else if self.take("FORCE_FAILOVER_ALLOW_DATA_LOSS") {
            Alteration::ForceFailover
        } else if self.take("GRANT CREATE ANY DATABASE") {
            Alteration::Grant
        } else if self.take("DENY CREATE ANY DATABASE") {
            Alteration::Deny
        } else {
            Alteration::Other(self.name())
        }
    }
}

/// Reads a statement.
pub(crate) fn statement(text: &str) -> Command {
    let mut reader = Reader { tokens: tokens(text), at: 0 };
    let command = if reader.take("CREATE AVAILABILITY GROUP") {
        reader.create()
    } else if reader.take("ALTER AVAILABILITY GROUP") {
        let group = reader.name();
        Command::Alter { group, alteration: reader.alteration() }
    } else if reader.take("DROP AVAILABILITY GROUP") {
        Command::Drop { group: reader.name() }
    } else if reader.take("ALTER DATABASE") {
        let database = reader.name();
        assert!(reader.take("SET HADR"), "SET HADR follows");
        if reader.take("SUSPEND") {
            Command::Suspend { database }
        } else if reader.take("RESUME") {
            Command::Resume { database }
        } else if reader.take("OFF") {
            Command::Leave { database }
        } else {
            assert!(reader.take("AVAILABILITY GROUP ="), "AVAILABILITY GROUP follows");
            Command::JoinDatabase { database, group: reader.name() }
        }
    } else {
        panic!("{text} is no statement of this crate");
    };
    assert_eq!(reader.at, reader.tokens.len(), "{text} goes on");
    command
}
