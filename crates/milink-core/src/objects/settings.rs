//! Settings of the server that applications notice, and what a managed instance makes of them.
//!
//! Memory, affinity, worker threads and the like are left out: each side is sized by itself.

/// What a managed instance does with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It takes it.
    Yes,
    /// It takes it, and nothing comes of it.
    WithoutEffect,
    /// It refuses it.
    No,
}

/// A setting that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Its name in `sys.configurations`.
    pub name: &'static str,
    /// What a managed instance does with it (T-SQL differences, stored procedures).
    pub managed: Taken,
    /// Whether applications fail, and not only run otherwise, where it is not the same.
    pub breaks: bool,
}

const fn row(name: &'static str, managed: Taken, breaks: bool) -> Compared {
    Compared { name, managed, breaks }
}

/// What is compared.
pub const SETTINGS: &[Compared] = &[
    row("Ad Hoc Distributed Queries", Taken::Yes, true),
    row("Database Mail XPs", Taken::Yes, true),
    row("Ole Automation Procedures", Taken::WithoutEffect, true),
    row("PH timeout (s)", Taken::Yes, false),
    row("allow polybase export", Taken::No, true),
    row("blocked process threshold (s)", Taken::Yes, false),
    row("clr enabled", Taken::Yes, true),
    row("clr strict security", Taken::Yes, true),
    row("contained database authentication", Taken::Yes, true),
    row("cost threshold for parallelism", Taken::Yes, false),
    row("cross db ownership chaining", Taken::Yes, true),
    row("default full-text language", Taken::Yes, false),
    row("default language", Taken::Yes, true),
    row("disallow results from triggers", Taken::Yes, true),
    row("external scripts enabled", Taken::Yes, true),
    row("filestream access level", Taken::No, true),
    row("in-doubt xact resolution", Taken::Yes, false),
    row("max degree of parallelism", Taken::Yes, false),
    row("max text repl size (B)", Taken::Yes, true),
    row("nested triggers", Taken::Yes, true),
    row("optimize for ad hoc workloads", Taken::Yes, false),
    row("query governor cost limit", Taken::Yes, true),
    row("remote access", Taken::No, false),
    row("remote data archive", Taken::No, true),
    row("remote proc trans", Taken::No, true),
    row("scan for startup procs", Taken::No, true),
    row("server trigger recursion", Taken::Yes, true),
    row("transform noise words", Taken::Yes, false),
    row("two digit year cutoff", Taken::Yes, true),
    row("user options", Taken::Yes, true),
    row("xp_cmdshell", Taken::No, true),
];
