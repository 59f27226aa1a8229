//! `milink lab sql`: `milink sql` with the lab's addresses and passwords.

use std::path::PathBuf;

use clap::Args;
use lab::Side;

use super::{Done, Failure, Where};
use crate::sql::{self, Output};

#[derive(Debug, Args)]
pub(crate) struct LabSql {
    #[command(flatten)]
    place: Where,
    /// sqlserver or managed.
    #[arg(default_value = "sqlserver")]
    instance: Side,
    /// The database.
    #[arg(long, short, value_name = "NAME")]
    database: Option<String>,
    /// Run this query and exit.
    #[arg(long, short = 'Q', alias = "query")]
    query: Option<String>,
    /// Run these files.
    #[arg(long, short, value_delimiter = ',', conflicts_with = "query")]
    input: Vec<PathBuf>,
    /// The form of results.
    #[arg(long, short, value_enum, default_value = "table")]
    output: Output,
}

pub(super) fn run(arguments: &LabSql) -> Done {
    let status = arguments.place.client()?.status()?;
    let (server, user, password) = match arguments.instance {
        Side::SqlServer => {
            let s = status.sqlserver;
            (s.server, s.user, s.password)
        }
        Side::Managed => {
            let m = status.managed;
            (m.server, m.user, m.password)
        }
    };
    let mut wanted = sql::Arguments::to(server, user, password);
    wanted.run_on(
        arguments.database.clone(),
        arguments.query.clone(),
        arguments.input.clone(),
        arguments.output,
    );
    if sql::run_stopping(&wanted) { Ok(()) } else { Err(Failure::Said) }
}
