//! Reading options: each once, each known, each with a value of its kind.

use super::{CommitMode, FailoverMode, GivenOption, GivenValue, SeedingMode};
use crate::Refusal;

/// Options of which some have been read.
pub(super) struct Options<'a> {
    left: Vec<&'a GivenOption>,
}

impl<'a> Options<'a> {
    /// Nothing may be given twice.
    pub(super) fn new(given: &'a [GivenOption]) -> Result<Options<'a>, Refusal> {
        for (n, option) in given.iter().enumerate() {
            if given[..n].iter().any(|o| o.name.eq_ignore_ascii_case(&option.name)) {
                return Err(Refusal::incorrect_syntax(&option.name));
            }
        }
        Ok(Options { left: given.iter().collect() })
    }

    fn take(&mut self, name: &str) -> Option<&'a GivenOption> {
        let at = self.left.iter().position(|o| o.name.eq_ignore_ascii_case(name))?;
        Some(self.left.remove(at))
    }

    /// One without a value.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name) {
            None => Ok(false),
            Some(GivenOption { value: GivenValue::Nothing, .. }) => Ok(true),
            Some(other) => Err(Refusal::incorrect_syntax(&other.name)),
        }
    }

    /// One whose value is one of some words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(option) = self.take(name) else { return Ok(None) };
        let GivenValue::Word(word) = &option.value else {
            return Err(Refusal::incorrect_syntax(&option.name));
        };
        match words.iter().find(|(w, _)| w.eq_ignore_ascii_case(word)) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(Refusal::incorrect_syntax(word)),
        }
    }

    /// One whose value is a number.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(GivenOption { value: GivenValue::Number(n), .. }) => Ok(Some(*n)),
            Some(other) => Err(Refusal::incorrect_syntax(&other.name)),
        }
    }

    /// One whose value is a text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(GivenOption { value: GivenValue::Text(text), .. }) => Ok(Some(text)),
            Some(other) => Err(Refusal::incorrect_syntax(&other.name)),
        }
    }

    /// One whose value is options.
    pub(super) fn options(&mut self, name: &str) -> Result<Option<Options<'a>>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(GivenOption { value: GivenValue::Options(options), .. }) => Options::new(options).map(Some),
            Some(other) => Err(Refusal::incorrect_syntax(&other.name)),
        }
    }

    /// One that is recognised and not carried out.
    pub(super) fn refuse(&mut self, name: &str, statement: &str) -> Result<(), Refusal> {
        match self.take(name) {
            None => Ok(()),
            Some(_) => Err(Refusal::unsupported(&format!("{statement} ... {name}"))),
        }
    }

    /// Whether none is left.
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The name of one that is left.
    pub(super) fn first(&self) -> Option<&'a str> {
        self.left.first().map(|o| o.name.as_str())
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        self.first().map_or(Ok(()), |name| Err(Refusal::incorrect_syntax(name)))
    }
}

/// AVAILABILITY_MODE as it may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenMode {
    Commit(CommitMode),
    ConfigurationOnly,
}

/// What replicas and members of distributed groups have alike, as far as it was given.
pub(super) struct GivenPartnering<'a> {
    pub(super) url: Option<&'a str>,
    pub(super) mode: Option<GivenMode>,
    pub(super) failover_mode: Option<FailoverMode>,
    pub(super) seeding_mode: Option<SeedingMode>,
    pub(super) session_timeout: Option<i64>,
}

impl<'a> GivenPartnering<'a> {
    /// Reads them; the URL has different names.
    pub(super) fn read(options: &mut Options<'a>, url: &str) -> Result<GivenPartnering<'a>, Refusal> {
        Ok(GivenPartnering {
            url: options.text(url)?,
            mode: options.word(
                "AVAILABILITY_MODE",
                &[
                    ("SYNCHRONOUS_COMMIT", GivenMode::Commit(CommitMode::Synchronous)),
                    ("ASYNCHRONOUS_COMMIT", GivenMode::Commit(CommitMode::Asynchronous)),
                    ("CONFIGURATION_ONLY", GivenMode::ConfigurationOnly),
                ],
            )?,
            failover_mode: options.word(
                "FAILOVER_MODE",
                &[
                    ("MANUAL", FailoverMode::Manual),
                    ("AUTOMATIC", FailoverMode::Automatic),
                    ("EXTERNAL", FailoverMode::External),
                ],
            )?,
            seeding_mode: options.word(
                "SEEDING_MODE",
                &[("AUTOMATIC", SeedingMode::Automatic), ("MANUAL", SeedingMode::Manual)],
            )?,
            session_timeout: options.number("SESSION_TIMEOUT")?,
        })
    }
}
