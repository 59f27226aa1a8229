//! What can go wrong with a request, told apart by what a caller can do about it.

use std::time::Duration;

/// What the server says: an error (class 11 and above) or a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// SQL Server's number: 911, 1475, ...
    pub number: u32,
    /// The severity.
    pub class: u8,
    /// The state.
    pub state: u8,
    /// The line in the batch or the procedure.
    pub line: u32,
    /// The procedure, if it was in one.
    pub procedure: Option<String>,
    /// The text.
    pub message: String,
}

impl ServerError {
    /// Whether it is an error. Below class 11 are messages.
    pub fn is_error(&self) -> bool {
        self.class > 10
    }
}

/// An informational message: of the same shape as an error, with a class of 10 or less.
pub type ServerMessage = ServerError;

/// Why a request has no answer, or none of the kind that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlError {
    /// The statement was never sent: no connection came about, or the one there was had died before.
    Unreachable {
        /// The instance.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The server, or whoever gives the credentials, did not let us in. Nothing was sent.
    Login {
        /// The instance.
        server: String,
        /// What happened.
        reason: String,
        /// What the server said, if it was the server.
        errors: Vec<ServerError>,
    },
    /// The server did not prove who it is. Nothing was sent.
    Untrusted {
        /// The instance.
        server: String,
        /// What is wrong with its certificate, and what can be done.
        reason: String,
    },
    /// The server answered with errors.
    Server {
        /// The instance.
        server: String,
        /// All of them in their order; never none.
        errors: Vec<ServerError>,
    },
    /// It was sent, and the answer did not come in time. It was called off, but it may have been carried out.
    TimedOut {
        /// The instance.
        server: String,
        /// How long it was given.
        after: Duration,
    },
    /// It was sent, and the connection went before the answer came. It may have been carried out.
    Lost {
        /// The instance.
        server: String,
        /// What happened.
        reason: String,
    },
    /// There is an answer, but not of the shape that was wanted: another type, no rows, too many of them.
    Unexpected {
        /// What there is and what was wanted.
        what: String,
    },
}

/// Errors of this class and above end the connection (and some the server).
pub(crate) const FATAL: u8 = 20;

/// From this class on it is the server's own trouble, which may begin after a commit.
const TROUBLE: u8 = 17;

impl SqlError {
    /// Whether the statement was certainly not applied, so that it may be tried again without looking first.
    ///
    /// A statement that failed with a server's error was undone by the server. A batch of several is another
    /// matter, since those before the failing one stand: send statements with effects one by one.
    pub fn is_certain(&self) -> bool {
        match self {
            SqlError::Unreachable { .. } | SqlError::Login { .. } | SqlError::Untrusted { .. } => true,
            SqlError::Server { errors, .. } => errors.iter().all(|e| e.class < TROUBLE),
            // Sent; and who is shown an answer of the wrong shape was shown an answer.
            SqlError::TimedOut { .. } | SqlError::Lost { .. } | SqlError::Unexpected { .. } => false,
        }
    }

    /// The number of the server's first error: the one that names the cause, where more follow.
    pub fn number(&self) -> Option<u32> {
        self.errors().first().map(|e| e.number)
    }

    /// What the server said, if it said anything.
    pub fn errors(&self) -> &[ServerError] {
        match self {
            SqlError::Login { errors, .. } | SqlError::Server { errors, .. } => errors,
            SqlError::Unreachable { .. }
            | SqlError::Untrusted { .. }
            | SqlError::TimedOut { .. }
            | SqlError::Lost { .. }
            | SqlError::Unexpected { .. } => &[],
        }
    }
}

/// `Msg 911, Level 16, State 1, Line 1: ...`, in sqlcmd's words.
impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ServerError { number, class, state, line, procedure, message } = self;
        write!(f, "Msg {number}, Level {class}, State {state}")?;
        if let Some(procedure) = procedure {
            write!(f, ", Procedure {procedure}")?;
        }
        if *line > 0 {
            write!(f, ", Line {line}")?;
        }
        write!(f, ": {message}")
    }
}

fn lines(f: &mut std::fmt::Formatter<'_>, errors: &[ServerError]) -> std::fmt::Result {
    errors.iter().enumerate().try_for_each(|(at, e)| write!(f, "{}{e}", if at == 0 { "" } else { "; " }))
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SqlError::Unreachable { server, reason } => write!(f, "cannot reach {server}: {reason}"),
            SqlError::Login { server, reason, errors } => {
                write!(f, "cannot log in to {server}: ")?;
                lines(f, errors)?;
                write!(f, "{}{reason}", if errors.is_empty() { "" } else { "; " })
            }
            SqlError::Untrusted { server, reason } => {
                write!(f, "cannot trust {server}: {reason}")
            }
            SqlError::Server { server, errors } => {
                write!(f, "{server} answered: ")?;
                lines(f, errors)
            }
            SqlError::TimedOut { server, after } => write!(
                f,
                "{server} did not answer within {} s: the request was called off, but it may have been carried out; \
                 look before you repeat it",
                after.as_secs_f64()
            ),
            SqlError::Lost { server, reason } => write!(
                f,
                "the connection to {server} was lost before the answer came ({reason}): the request may have been \
                 carried out; look before you repeat it"
            ),
            SqlError::Unexpected { what } => {
                write!(f, "the server's answer is not what was expected: {what}")
            }
        }
    }
}

impl std::error::Error for SqlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(number: u32, class: u8) -> ServerError {
        ServerError { number, class, state: 1, line: 3, procedure: None, message: "text".into() }
    }

    #[test]
    fn what_is_certain() {
        let server = || "h".to_owned();
        let reason = || "r".to_owned();
        for (e, certain) in [
            (SqlError::Unreachable { server: server(), reason: reason() }, true),
            (SqlError::Login { server: server(), reason: reason(), errors: vec![error(18456, 14)] }, true),
            (SqlError::Untrusted { server: server(), reason: reason() }, true),
            (SqlError::Server { server: server(), errors: vec![error(911, 16)] }, true),
            (SqlError::Server { server: server(), errors: vec![error(50000, 16), error(596, 21)] }, false),
            (SqlError::Server { server: server(), errors: vec![error(9002, 17)] }, false),
            (SqlError::TimedOut { server: server(), after: Duration::from_secs(1) }, false),
            (SqlError::Lost { server: server(), reason: reason() }, false),
            (SqlError::Unexpected { what: reason() }, false),
        ] {
            assert_eq!(e.is_certain(), certain, "{e}");
        }
    }

    #[test]
    fn shown_as_sqlcmd_does() {
        let errors = vec![error(3201, 16), ServerError { procedure: Some("p".into()), ..error(3013, 16) }];
        let e = SqlError::Server { server: "h,1433".into(), errors };
        assert_eq!(
            e.to_string(),
            "h,1433 answered: Msg 3201, Level 16, State 1, Line 3: text; \
             Msg 3013, Level 16, State 1, Procedure p, Line 3: text"
        );
        assert_eq!(e.number(), Some(3201));
    }
}
