//! Which links are wanted: flags, or a file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use milink_core::names::{self, CommitMode, FailoverMode, LinkMode};
use milink_core::spec::{Link, LinkSpec};

use super::session::Session;
use crate::exit::Failure;

/// A side, as flags name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// SQL Server.
    SqlServer,
    /// The managed instance.
    Managed,
}

impl From<Side> for names::Side {
    fn from(side: Side) -> names::Side {
        match side {
            Side::SqlServer => names::Side::SqlServer,
            Side::Managed => names::Side::Managed,
        }
    }
}

impl Side {
    /// The word for a side.
    pub(crate) fn word(side: names::Side) -> &'static str {
        match side {
            names::Side::SqlServer => "sql-server",
            names::Side::Managed => "managed",
        }
    }
}

/// Flags that say what a link shall be. The Azure CLI's names where it has one.
#[derive(Debug, Args)]
#[command(next_help_heading = "Link")]
pub(crate) struct SpecArguments {
    /// The link's name: the distributed availability group's on both sides.
    #[arg(long, short = 'n', value_name = "NAME")]
    name: Option<String>,
    /// A database; may be given several times. Each gets a link of its own, named NAME-DATABASE.
    #[arg(long = "database", short = 'D', value_name = "DATABASE", value_delimiter = ',')]
    databases: Vec<String>,
    /// A file with all of this, in TOML, YAML or JSON; flags go before it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The side that has the data now.
    #[arg(long, value_enum, value_name = "SIDE")]
    initial_primary: Option<Side>,
    /// Whether roles shall change there and back (Azure's None and Manual).
    #[arg(long, value_enum, value_name = "MODE", ignore_case = true)]
    failover_mode: Option<FailoverWord>,
    /// When commits are acknowledged while the link is at rest (Azure's Async and Sync).
    #[arg(long, value_enum, value_name = "MODE", ignore_case = true)]
    replication_mode: Option<CommitWord>,
    /// One link for each database, or one for all of them.
    #[arg(long, value_enum, value_name = "MODE", ignore_case = true)]
    link_mode: Option<LinkWord>,
    /// The port on which a new endpoint listens, if it is not the one of --partner-endpoint.
    #[arg(long, value_name = "PORT")]
    listener_port: Option<u16>,
    /// The availability group on SQL Server; AG_DATABASE by default.
    #[arg(long, value_name = "GROUP")]
    partner_availability_group_name: Option<String>,
    /// The availability group on the managed instance; AG_DATABASE_MI by default.
    #[arg(long, value_name = "GROUP")]
    instance_availability_group_name: Option<String>,
    /// A folder of SQL Server for the backups that are needed; its own folder for backups by default.
    #[arg(long, value_name = "FOLDER")]
    backup_folder: Option<String>,
}

/// Whether roles change back.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FailoverWord {
    /// One way, to Azure.
    #[value(alias = "none")]
    OneWay,
    /// There and back, SQL Server 2022 and later.
    #[value(alias = "manual")]
    TwoWay,
}

/// When commits are acknowledged.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CommitWord {
    /// Hardened by the primary.
    #[value(alias = "asynchronous")]
    Async,
    /// Hardened by both.
    #[value(alias = "synchronous")]
    Sync,
}

/// How many databases a link carries.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LinkWord {
    /// One.
    #[value(alias = "singledatabase")]
    Single,
    /// All of a group.
    #[value(alias = "multidatabase")]
    Multi,
}

impl SpecArguments {
    /// The name of a link that is there.
    ///
    /// # Errors
    /// None is said.
    pub(crate) fn name(&self) -> Result<&str, Failure> {
        self.name.as_deref().ok_or_else(|| {
            Failure::arguments(
                "nobody has said which link",
                "--name",
                "milink list shows the links that there are",
            )
        })
    }

    /// The links that are wanted.
    ///
    /// # Errors
    /// The flags or the file cannot mean anything.
    pub(crate) fn links(&self, session: &Session) -> Result<Vec<Link>, Failure> {
        let mut out = Vec::new();
        for spec in self.specs(session)? {
            out.extend(spec.links().map_err(|e| {
                Failure::arguments(e.to_string(), "--name, --database or --file", "see milink create --help")
            })?);
        }
        Ok(out)
    }

    fn specs(&self, session: &Session) -> Result<Vec<LinkSpec>, Failure> {
        let mut specs = match &self.file {
            Some(path) => read(path)?,
            None => vec![LinkSpec::new("", &[])],
        };
        for spec in &mut specs {
            self.over(spec, session);
        }
        Ok(specs)
    }

    fn over(&self, spec: &mut LinkSpec, session: &Session) {
        if let Some(name) = &self.name {
            spec.name.clone_from(name);
        }
        if !self.databases.is_empty() {
            spec.databases.clone_from(&self.databases);
        }
        if let Some(side) = self.initial_primary {
            spec.initial_primary = side.into();
        }
        if let Some(mode) = self.failover_mode {
            spec.failover_mode = match mode {
                FailoverWord::OneWay => FailoverMode::OneWay,
                FailoverWord::TwoWay => FailoverMode::TwoWay,
            };
        }
        if let Some(mode) = self.replication_mode {
            spec.commit_mode = match mode {
                CommitWord::Async => CommitMode::Asynchronous,
                CommitWord::Sync => CommitMode::Synchronous,
            };
        }
        if let Some(mode) = self.link_mode {
            spec.link_mode = match mode {
                LinkWord::Single => LinkMode::SingleDatabase,
                LinkWord::Multi => LinkMode::MultiDatabase,
            };
        }
        let side = |of: &Option<crate::connect::SideSettings>| of.as_ref()?.endpoint().map(str::to_owned);
        let given = |said: &Option<String>, now: &mut Option<String>| {
            if said.is_some() {
                now.clone_from(said);
            }
        };
        let own = &mut spec.sql_server;
        given(&side(&session.settings.sql_server), &mut own.endpoint);
        given(&self.partner_availability_group_name, &mut own.availability_group);
        given(&self.backup_folder, &mut own.backup_folder);
        own.listener_port = self.listener_port.or(own.listener_port);
        let managed = &mut spec.managed;
        given(&side(&session.settings.managed), &mut managed.endpoint);
        given(&self.instance_availability_group_name, &mut managed.availability_group);
    }
}

fn read(path: &std::path::Path) -> Result<Vec<LinkSpec>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::arguments(
            format!("the file cannot be read: {e}"),
            path.display().to_string(),
            "see its name",
        )
    })?;
    milink_core::spec::read::read(&path.display().to_string(), &text).map_err(|e| {
        Failure::arguments(e.to_string(), path.display().to_string(), "see milink create --help")
    })
}
