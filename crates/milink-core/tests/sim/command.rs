//! The commands that the doctor may give, as the command line reads them.

use milink_core::names::Side;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Create,
    Resume,
    Undo,
    Failover { to: Side, forced: bool },
    Repair { winner: Side },
    Drop,
    Check,
    Status { watch: bool },
    Purge,
}

/// Reads a command; one that the tool does not have is an error.
pub(crate) fn parse(text: &str) -> Result<Command, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let side = |word: &str| match word {
        "managed" => Ok(Side::Managed),
        "sql-server" => Ok(Side::SqlServer),
        other => Err(format!("{other} is no side, in: {text}")),
    };
    let name = |word: &str| !word.is_empty() && !word.starts_with('-');
    let ["milink", words @ ..] = words.as_slice() else { return Err(format!("no command: {text}")) };
    match words {
        ["create", "--name", link, "--database", database] if name(link) && name(database) => {
            Ok(Command::Create)
        }
        ["resume", link] if name(link) => Ok(Command::Resume),
        ["undo", link] if name(link) => Ok(Command::Undo),
        ["failover", link, "--to", to] if name(link) => {
            Ok(Command::Failover { to: side(to)?, forced: false })
        }
        ["failover", link, "--to", to, "--forced", "--allow-data-loss"] if name(link) => {
            Ok(Command::Failover { to: side(to)?, forced: true })
        }
        ["repair", link, "--winner", winner] if name(link) => Ok(Command::Repair { winner: side(winner)? }),
        ["drop", link] if name(link) => Ok(Command::Drop),
        ["check", link] if name(link) => Ok(Command::Check),
        ["status", link] if name(link) => Ok(Command::Status { watch: false }),
        ["status", link, "-w"] if name(link) => Ok(Command::Status { watch: true }),
        ["purge", link] if name(link) => Ok(Command::Purge),
        _ => Err(format!("no command of milink: {text}")),
    }
}
