//! Lines that somebody types: edited, and found again with the arrow keys, also the next time.

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};

use super::lines::Line;

/// How many lines are remembered.
const REMEMBERED: usize = 2_000;

/// A terminal, and what was typed on it before.
pub(super) struct Terminal {
    editor: DefaultEditor,
    history: Option<PathBuf>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("history", &self.history).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Nothing if this terminal cannot do it: lines are read as they come, then.
    pub(super) fn open() -> Option<Terminal> {
        let config = Config::builder().max_history_size(REMEMBERED).ok()?.auto_add_history(false).build();
        let mut editor = DefaultEditor::with_config(config).ok()?;
        let history = lab::default_folder().ok().and_then(|lab| Some(lab.parent()?.join("sql_history")));
        if let Some(history) = &history {
            // The first time there is none.
            drop(editor.load_history(history));
        }
        Some(Terminal { editor, history })
    }

    /// The next line that is typed.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn line(&mut self, prompt: &str) -> Result<Line, String> {
        match self.editor.readline(prompt) {
            Ok(line) => {
                if is_to_remember(&line) {
                    self.remember(&line);
                }
                Ok(Line::Text(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Cancel),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(e) => Err(format!("the terminal: {e}")),
        }
    }

    fn remember(&mut self, line: &str) {
        // A history that cannot be kept is no reason to stop.
        drop(self.editor.add_history_entry(line));
        let Some(history) = &self.history else { return };
        if let Some(folder) = history.parent() {
            drop(std::fs::create_dir_all(folder));
        }
        drop(self.editor.append_history(history));
    }
}

/// What may hold a secret is not written to a file.
fn is_to_remember(line: &str) -> bool {
    let low = line.to_lowercase();
    !line.trim().is_empty() && !["password", "secret", "identified by"].iter().any(|word| low.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_remembered() {
        assert!(is_to_remember("SELECT 1"));
        assert!(!is_to_remember("CREATE LOGIN a WITH PASSWORD = 'x'"));
        assert!(!is_to_remember("  "));
    }
}
