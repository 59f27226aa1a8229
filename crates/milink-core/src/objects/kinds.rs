//! The objects themselves, as the catalog views show them.

use std::collections::{BTreeMap, BTreeSet};

use super::Part;
use super::statement::PasswordHash;
use crate::names::Hex;

/// What a login stands for: `type` of `sys.server_principals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginKind {
    /// `S`.
    Sql,
    /// `U`.
    Windows,
    /// `G`.
    WindowsGroup,
    /// `C`.
    Certificate,
    /// `K`.
    AsymmetricKey,
    /// `E`: Microsoft Entra.
    External,
    /// `X`: a group of Microsoft Entra.
    ExternalGroup,
}

impl LoginKind {
    /// From `type`; `None` for what is no login, such as a role.
    pub fn of(code: &str) -> Option<LoginKind> {
        Some(match code.trim() {
            "S" => LoginKind::Sql,
            "U" => LoginKind::Windows,
            "G" => LoginKind::WindowsGroup,
            "C" => LoginKind::Certificate,
            "K" => LoginKind::AsymmetricKey,
            "E" => LoginKind::External,
            "X" => LoginKind::ExternalGroup,
            _ => return None,
        })
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            LoginKind::Sql => "SQL login",
            LoginKind::Windows => "Windows login",
            LoginKind::WindowsGroup => "Windows group",
            LoginKind::Certificate => "login of a certificate",
            LoginKind::AsymmetricKey => "login of an asymmetric key",
            LoginKind::External => "Microsoft Entra login",
            LoginKind::ExternalGroup => "Microsoft Entra group",
        }
    }

    pub(super) fn is_windows(self) -> bool {
        matches!(self, LoginKind::Windows | LoginKind::WindowsGroup)
    }
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// By this users in databases know it.
    pub sid: Hex,
    /// What it stands for.
    pub kind: LoginKind,
    /// `is_disabled`.
    pub disabled: bool,
    /// `default_database_name`.
    pub default_database: Option<String>,
    /// `default_language_name`.
    pub default_language: Option<String>,
    /// `is_policy_checked`; of SQL logins only.
    pub check_policy: Option<bool>,
    /// `is_expiration_checked`; of SQL logins only.
    pub check_expiration: Option<bool>,
    /// The credential that is mapped to it.
    pub credential: Option<String>,
    /// The hash of its password, of SQL logins and where this login may see it.
    pub password: Option<PasswordHash>,
    /// Server roles that it is a member of, without `public`.
    pub roles: BTreeSet<String>,
    /// What is granted or denied to it.
    pub permissions: BTreeSet<Permission>,
}

/// A server role: user-defined, or `public`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRole {
    /// Its name.
    pub name: String,
    /// Server roles that it is a member of.
    pub roles: BTreeSet<String>,
    /// What is granted or denied to it.
    pub permissions: BTreeSet<Permission>,
}

/// `state_desc` of `sys.server_permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PermissionState {
    /// `GRANT`.
    Grant,
    /// `GRANT_WITH_GRANT_OPTION`.
    GrantWithGrantOption,
    /// `DENY`.
    Deny,
}

/// A permission on the server, or on a login. Those on endpoints belong to the link itself and to each side's own endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// Granted or denied.
    pub state: PermissionState,
    /// `permission_name`.
    pub name: String,
    /// The login or server role that it is on; the server if there is none.
    pub on: Option<String>,
}

/// A credential. Its secret cannot be read by anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// `credential_identity`.
    pub identity: String,
}

/// A linked server. Passwords of its logins cannot be read by anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedServer {
    /// Its name.
    pub name: String,
    /// `product`.
    pub product: String,
    /// `provider`.
    pub provider: String,
    /// `data_source`.
    pub data_source: Option<String>,
    /// `catalog`.
    pub catalog: Option<String>,
    /// Whether there is a provider string. It is never read: passwords stand in such strings.
    pub has_provider_string: bool,
    /// Options by the names that `sp_serveroption` has for them, with their values as it takes them.
    pub options: BTreeMap<String, String>,
    /// As whom it is logged in to.
    pub logins: Vec<LinkedLogin>,
}

/// As whom a login is logged in to a linked server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkedLogin {
    /// The login here; everybody else's if there is none.
    pub local: Option<String>,
    /// With the login's own name and password.
    pub uses_self: bool,
    /// The login there.
    pub remote: Option<String>,
}

/// An Agent job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Whether its schedules start it.
    pub enabled: bool,
    /// What it says of itself.
    pub description: String,
    /// Its category; `None` for the one of jobs without any.
    pub category: Option<String>,
    /// The owner's login; `None` if no login has the owner's SID.
    pub owner: Option<String>,
    /// The step that it begins with.
    pub start_step: i64,
    /// Its steps in their order.
    pub steps: Vec<JobStep>,
    /// When it is started.
    pub schedules: Part<Vec<JobSchedule>>,
}

/// A step of a job, by the names of `sp_add_jobstep`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are those of the procedure's parameters, and mean what they mean there"
)]
pub struct JobStep {
    pub id: i64,
    pub name: String,
    pub subsystem: String,
    pub command: String,
    pub database: Option<String>,
    pub on_success_action: i64,
    pub on_success_step: i64,
    pub on_fail_action: i64,
    pub on_fail_step: i64,
    pub retry_attempts: i64,
    pub retry_interval: i64,
    pub output_file: Option<String>,
    /// Whether it runs as a proxy, which is not copied.
    pub has_proxy: bool,
}

/// A schedule of a job: its numbers by the names of `sp_add_jobschedule`, in the order in which the procedure has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSchedule {
    /// Its name.
    pub name: String,
    /// Whether it starts the job.
    pub enabled: bool,
    /// One for each of [`JobSchedule::NUMBERS`].
    pub numbers: Vec<i64>,
}

impl JobSchedule {
    /// Columns of `msdb.dbo.sysschedules` and parameters of `sp_add_jobschedule` at once.
    pub const NUMBERS: [&'static str; 10] = [
        "freq_type",
        "freq_interval",
        "freq_subday_type",
        "freq_subday_interval",
        "freq_relative_interval",
        "freq_recurrence_factor",
        "active_start_date",
        "active_end_date",
        "active_start_time",
        "active_end_time",
    ];
}

/// A setting of `sys.configurations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name, such as `max degree of parallelism`.
    pub name: String,
    /// What it is set to; it may need a restart to be in use.
    pub value: i64,
    /// Whether it is shown only with `show advanced options`.
    pub advanced: bool,
}

/// A database and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseOwner {
    /// The database.
    pub name: String,
    /// `owner_sid`.
    pub owner_sid: Option<Hex>,
    /// The login of that SID, if there is one.
    pub owner: Option<String>,
}

/// What a user stands for, as far as logins matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// A SQL user of a login of the instance.
    Sql,
    /// A Windows user or group.
    Windows,
    /// A user or group of Microsoft Entra.
    External,
}

/// A user of a database that is to have a login. Users without a login and those with a password of their own need none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// The SID of its login.
    pub sid: Hex,
    /// What it stands for.
    pub kind: UserKind,
}
