//! The errors and messages of availability groups, as `sys.messages` has them.
//!
//! Numbers, severities and wordings are those of the public lists "Database Engine events and errors" (the editions for
//! SQL Server 2022, and for 2025 where only that one has the number). The lists do not give states: a state is 1 unless the
//! message is commonly seen with another. A message that must be had in a situation that the documents leave open says so
//! where it is raised, not here.

mod link;
mod running;
mod statements;

use std::fmt;

/// An error, or with severity 10 a message, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    number: i32,
    severity: u8,
    state: u8,
    text: String,
}

impl Refusal {
    fn new(number: i32, severity: u8, state: u8, text: String) -> Refusal {
        Refusal { number, severity, state, text }
    }

    /// `ERROR_NUMBER()`.
    pub fn number(&self) -> i32 {
        self.number
    }

    /// `ERROR_SEVERITY()`.
    pub fn severity(&self) -> u8 {
        self.severity
    }

    /// `ERROR_STATE()`.
    pub fn state(&self) -> u8 {
        self.state
    }

    /// `ERROR_MESSAGE()`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same at severity 16: a message that the log has for information, raised because a statement cannot go on.
    pub(crate) fn as_error(mut self) -> Refusal {
        self.severity = 16;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msg {}, Level {}, State {}: {}", self.number, self.severity, self.state, self.text)
    }
}

impl std::error::Error for Refusal {}

/// A row of the catalogue: what there is to be raised, with the arguments' names in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// `message_id`.
    pub number: i32,
    /// `severity`.
    pub severity: u8,
    /// The state with which it is raised.
    pub state: u8,
    /// `text`.
    pub template: &'static str,
}

/// All messages that this crate can raise, by number.
pub fn catalogue() -> Vec<&'static CatalogueEntry> {
    let mut all: Vec<&CatalogueEntry> =
        statements::MESSAGES.iter().chain(running::MESSAGES).chain(link::MESSAGES).collect();
    all.sort_by_key(|m| m.number);
    all
}

/// Declares constructors of [`Refusal`]: name, arguments, number, severity, state and text.
macro_rules! messages {
    ($($name:ident($($arg:ident: $type:ty),*) $number:literal $severity:literal $state:literal $text:literal;)*) => {
        impl $crate::messages::Refusal {
            $(
                #[doc = concat!("Message ", stringify!($number), ": ", $text)]
                pub fn $name($($arg: $type),*) -> $crate::messages::Refusal {
                    $crate::messages::Refusal::new($number, $severity, $state, format!($text))
                }
            )*
        }

        pub(super) const MESSAGES: &[$crate::messages::CatalogueEntry] = &[$(
            $crate::messages::CatalogueEntry { number: $number, severity: $severity, state: $state, template: $text },
        )*];
    };
}
use messages;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_reference_is_there() {
        // Sections 8.1 and 8.2 of the reference, but for those that other parts of the server raise: 2812 and 15151 of
        // procedures, 9002 of the log, 15581 of keys, 18452 of logins, 41937, 41939 of backups.
        let wanted = [
            41962, 41973, 41974, 41976, 41977, 41986, 47521, 1408, 1412, 41947, 41948, 41949, 41950, 41951,
            41952, 41964, 41965, 41968, 41969, 41970, 41979, 41980, 41981, 41982, 41984, 41988, 41985, 41987,
            41993, 41954, 41961, 1475, 19494, 19495, 19496, 19497, 19498, 19499, 19501, 19502, 19503, 19504,
            19506, 19507, 19508, 19509, 19510, 19511, 19512, 19513, 35201, 35206, 35207, 35204, 35208, 35211,
            35277, 35220, 35221, 35232, 35236, 35237, 35238, 35244, 35259, 35280, 35281, 35240, 35248, 35249,
            35261, 35250, 35251, 35252, 35253, 35256, 35262, 35263, 35264, 35265, 35266, 35267, 35274, 35278,
            35288, 976, 978,
        ];
        let all = catalogue();
        for number in wanted {
            assert!(all.iter().any(|m| m.number == number), "{number}");
        }
        for pair in all.windows(2) {
            assert!(pair[0].number < pair[1].number, "{} is there twice", pair[0].number);
        }
    }

    #[test]
    fn texts_carry_their_arguments() {
        let refusal = Refusal::listener_url_invalid("TCP:/x");
        assert_eq!((refusal.number(), refusal.severity(), refusal.state()), (19499, 16, 1));
        assert!(refusal.text().starts_with("The specified listener URL 'TCP:/x' is invalid."), "{refusal}");
    }
}
