//! Credentials and linked servers, whose secrets nobody can read.

use super::{Difference, Kind, Mend, Severity, both, otherwise};
use crate::objects::{Credential, LinkedLogin, LinkedServer, Objects, Statement};
use crate::observe::same_name;
use crate::script::tsql::{name, text};

/// `IDENTITY` of the two kinds of credentials that a managed instance takes.
const SIGNATURE: &str = "SHARED ACCESS SIGNATURE";
const IDENTITY: &str = "Managed Identity";

pub(super) fn credentials(source: &Objects, target: &Objects, out: &mut Vec<Difference>) {
    let parts = (source, &source.credentials);
    let Some((ours, theirs)) = both(Kind::Credential, parts, (target, &target.credentials), out) else {
        return;
    };
    for credential in ours {
        match theirs.iter().find(|c| same_name(&c.name, &credential.name)) {
            None => {
                let mend = create_credential(credential, target);
                out.push(Difference::missing(Kind::Credential, &credential.name, Severity::Important, mend));
            }
            Some(other) if !same_name(&other.identity, &credential.identity) => {
                let what = vec![otherwise("identity", &other.identity, &credential.identity)];
                let why =
                    "another identity has another secret, which cannot be read: ALTER CREDENTIAL by hand";
                out.push(Difference::different(
                    Kind::Credential,
                    &credential.name,
                    what,
                    Severity::Important,
                    Mend::by_hand(why),
                ));
            }
            Some(_) => {}
        }
    }
    let alone = theirs.iter().filter(|c| !ours.iter().any(|o| same_name(&o.name, &c.name)));
    out.extend(alone.map(|c| Difference::only_there(Kind::Credential, &c.name)));
}

fn create_credential(credential: &Credential, target: &Objects) -> Mend {
    let is = |identity: &str| credential.identity.eq_ignore_ascii_case(identity);
    if target.managed && !is(SIGNATURE) && !is(IDENTITY) {
        let why = format!(
            "a managed instance takes credentials of a {SIGNATURE} or a {IDENTITY} only, and none of {}",
            credential.identity
        );
        return Mend::ByHand { why };
    }
    let begin = Statement::new(format!(
        "IF NOT EXISTS (SELECT 1 FROM sys.credentials WHERE name = {}) CREATE CREDENTIAL {} WITH IDENTITY = {}",
        text(&credential.name),
        name(&credential.name),
        text(&credential.identity)
    ));
    let statement = if is(IDENTITY) {
        begin
    } else {
        begin.then(", SECRET = ").asked(format!("secret of {}", credential.name))
    };
    Mend::Now { statements: vec![statement] }
}

/// Providers by which a managed instance reaches what it can reach: SQL Server and its kin.
fn is_of_sql_server(provider: &str) -> bool {
    ["SQLNCLI", "MSOLEDBSQL", "SQLOLEDB"].iter().any(|p| provider.to_ascii_uppercase().starts_with(p))
}

pub(super) fn linked_servers(source: &Objects, target: &Objects, out: &mut Vec<Difference>) {
    let parts = (source, &source.linked_servers);
    let Some((ours, theirs)) = both(Kind::LinkedServer, parts, (target, &target.linked_servers), out) else {
        return;
    };
    for server in ours {
        match theirs.iter().find(|s| same_name(&s.name, &server.name)) {
            None => {
                let mend = create(server, target);
                out.push(Difference::missing(Kind::LinkedServer, &server.name, Severity::Important, mend));
            }
            Some(other) => out.extend(different(server, other)),
        }
    }
    let alone = theirs.iter().filter(|s| !ours.iter().any(|o| same_name(&o.name, &s.name)));
    out.extend(alone.map(|s| Difference::only_there(Kind::LinkedServer, &s.name)));
}

fn create(server: &LinkedServer, target: &Objects) -> Mend {
    if target.managed && !is_of_sql_server(&server.provider) {
        let why = format!(
            "a managed instance reaches SQL Server and its kin by linked servers, and nothing by the provider {}",
            server.provider
        );
        return Mend::ByHand { why };
    }
    if server.has_provider_string {
        let why = "it has a provider string, which is not read because passwords stand in such strings: \
                   sp_addlinkedserver by hand";
        return Mend::by_hand(why);
    }
    let unless = format!("IF NOT EXISTS (SELECT 1 FROM sys.servers WHERE name = {}) ", text(&server.name));
    let mut call = format!(
        "EXEC master.dbo.sp_addlinkedserver @server = {}, @srvproduct = {}",
        text(&server.name),
        text(&server.product)
    );
    // With this product the procedure takes nothing but the name.
    if !server.product.eq_ignore_ascii_case("SQL Server") {
        call += &format!(", @provider = {}", text(&server.provider));
        for (parameter, value) in [("datasrc", &server.data_source), ("catalog", &server.catalog)] {
            call += &value.as_ref().map(|v| format!(", @{parameter} = {}", text(v))).unwrap_or_default();
        }
    }
    let mut statements = vec![Statement::new(unless + &call)];
    statements.extend(server.options.iter().map(|(option, value)| set_option(&server.name, option, value)));
    statements.extend(server.logins.iter().map(|login| add_login(&server.name, login)));
    Mend::Now { statements }
}

fn set_option(server: &str, option: &str, value: &str) -> Statement {
    Statement::new(format!(
        "EXEC master.dbo.sp_serveroption @server = {}, @optname = {}, @optvalue = {}",
        text(server),
        text(option),
        text(value)
    ))
}

fn add_login(server: &str, login: &LinkedLogin) -> Statement {
    let local = login.local.as_ref().map_or("NULL".to_owned(), |l| text(l));
    let call = format!(
        "EXEC master.dbo.sp_addlinkedsrvlogin @rmtsrvname = {}, @useself = {}, @locallogin = {local}",
        text(server),
        text(if login.uses_self { "True" } else { "False" })
    );
    match (&login.remote, login.uses_self) {
        (Some(remote), false) => {
            Statement::new(format!("{call}, @rmtuser = {}, @rmtpassword = ", text(remote)))
                .asked(format!("password of {remote} on {server}"))
        }
        (Some(_) | None, _) => Statement::new(call),
    }
}

fn different(server: &LinkedServer, other: &LinkedServer) -> Option<Difference> {
    let mut what = Vec::new();
    let none = || "none".to_owned();
    for (part, ours, theirs) in [
        ("product", Some(&server.product), Some(&other.product)),
        ("provider", Some(&server.provider), Some(&other.provider)),
        ("data source", server.data_source.as_ref(), other.data_source.as_ref()),
        ("catalog", server.catalog.as_ref(), other.catalog.as_ref()),
    ] {
        if ours != theirs {
            let shown = |value: Option<&String>| value.cloned().unwrap_or_else(none);
            what.push(otherwise(part, &shown(theirs), &shown(ours)));
        }
    }
    if !what.is_empty() {
        let why = "where it leads cannot be changed: sp_dropserver on the target, if it is not meant so, then copy again";
        return Some(Difference::different(
            Kind::LinkedServer,
            &server.name,
            what,
            Severity::Important,
            Mend::by_hand(why),
        ));
    }
    let mut statements = Vec::new();
    for (option, ours) in &server.options {
        let theirs = other.options.get(option);
        if theirs != Some(ours) {
            what.push(otherwise(option, theirs.map_or("unset", String::as_str), ours));
            statements.push(set_option(&server.name, option, ours));
        }
    }
    for login in server.logins.iter().filter(|l| !other.logins.contains(l)) {
        let local = login.local.as_deref().unwrap_or("everybody else");
        what.push(format!("{local} is logged in there as somebody else or not at all"));
        statements.push(add_login(&server.name, login));
    }
    (!what.is_empty()).then(|| {
        let mend = Mend::Now { statements };
        Difference::different(Kind::LinkedServer, &server.name, what, Severity::Important, mend)
    })
}
