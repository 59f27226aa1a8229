//! ADO.NET connection strings: `keyword=value;...`, with the quoting rules and synonyms of SqlClient.

use std::path::PathBuf;
use std::time::Duration;

use crate::server::Server;
use crate::target::{ApplicationIntent, Authentication, Encrypt, Entra, EntraMethod, Target, TargetError};
use milink_core::secret::Secret;

/// What a keyword says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Server,
    Database,
    User,
    Password,
    Encrypt,
    Trust,
    HostNameInCertificate,
    ServerCertificate,
    ConnectTimeout,
    CommandTimeout,
    ApplicationName,
    ApplicationIntent,
    Authentication,
    Integrated,
    ServerSpn,
    /// It tunes SqlClient's own pool, buffers or retries. The strings that the portal offers are full of these.
    Harmless,
    /// Leaving it out would connect to something else than was meant, so only its default is taken.
    Only(&'static str),
}

/// Each keyword in lower case and without blanks: SqlClient knows most of them both ways.
const KEYWORDS: [(&str, Keyword); 72] = [
    ("server", Keyword::Server),
    ("datasource", Keyword::Server),
    ("address", Keyword::Server),
    ("addr", Keyword::Server),
    ("networkaddress", Keyword::Server),
    ("database", Keyword::Database),
    ("initialcatalog", Keyword::Database),
    ("userid", Keyword::User),
    ("uid", Keyword::User),
    ("user", Keyword::User),
    ("password", Keyword::Password),
    ("pwd", Keyword::Password),
    ("encrypt", Keyword::Encrypt),
    ("trustservercertificate", Keyword::Trust),
    ("hostnameincertificate", Keyword::HostNameInCertificate),
    ("servercertificate", Keyword::ServerCertificate),
    ("connecttimeout", Keyword::ConnectTimeout),
    ("connectiontimeout", Keyword::ConnectTimeout),
    ("timeout", Keyword::ConnectTimeout),
    ("commandtimeout", Keyword::CommandTimeout),
    ("applicationname", Keyword::ApplicationName),
    ("app", Keyword::ApplicationName),
    ("applicationintent", Keyword::ApplicationIntent),
    ("authentication", Keyword::Authentication),
    ("integratedsecurity", Keyword::Integrated),
    ("trusted_connection", Keyword::Integrated),
    ("serverspn", Keyword::ServerSpn),
    ("persistsecurityinfo", Keyword::Harmless),
    ("persistsecurity", Keyword::Harmless),
    ("multipleactiveresultsets", Keyword::Harmless),
    ("multisubnetfailover", Keyword::Harmless),
    ("pooling", Keyword::Harmless),
    ("maxpoolsize", Keyword::Harmless),
    ("minpoolsize", Keyword::Harmless),
    ("poolblockingperiod", Keyword::Harmless),
    ("connectionlifetime", Keyword::Harmless),
    ("loadbalancetimeout", Keyword::Harmless),
    ("connectretrycount", Keyword::Harmless),
    ("connectretryinterval", Keyword::Harmless),
    ("connectionreset", Keyword::Harmless),
    ("packetsize", Keyword::Harmless),
    ("workstationid", Keyword::Harmless),
    ("wsid", Keyword::Harmless),
    ("typesystemversion", Keyword::Harmless),
    ("transactionbinding", Keyword::Harmless),
    ("transparentnetworkipresolution", Keyword::Harmless),
    ("ipaddresspreference", Keyword::Harmless),
    ("asynchronousprocessing", Keyword::Harmless),
    ("async", Keyword::Harmless),
    ("enlist", Keyword::Harmless),
    ("currentlanguage", Keyword::Only("")),
    ("language", Keyword::Only("")),
    ("attachdbfilename", Keyword::Only("")),
    ("extendedproperties", Keyword::Only("")),
    ("initialfilename", Keyword::Only("")),
    ("failoverpartner", Keyword::Only("")),
    ("failoverpartnerspn", Keyword::Only("")),
    ("networklibrary", Keyword::Only("dbmssocn")),
    ("network", Keyword::Only("dbmssocn")),
    ("net", Keyword::Only("dbmssocn")),
    ("contextconnection", Keyword::Only("false")),
    ("userinstance", Keyword::Only("false")),
    ("replication", Keyword::Only("false")),
    ("columnencryptionsetting", Keyword::Only("disabled")),
    ("attestationprotocol", Keyword::Only("none")),
    ("enclaveattestationurl", Keyword::Only("")),
    ("driver", Keyword::Only("")),
    ("provider", Keyword::Only("")),
    ("dsn", Keyword::Only("")),
    ("accesstoken", Keyword::Only("")),
    ("serverprocessid", Keyword::Only("")),
    ("useraccesstoken", Keyword::Only("")),
];

/// Reads the whole string. Of a keyword given twice the last one counts, as in ADO.NET.
pub(crate) fn target(text: &str) -> Result<Target, TargetError> {
    let mut server = None;
    let mut target = Target::new(Server { host: String::new(), instance: None, port: None });
    let (mut user, mut password, mut method, mut integrated) = (None, None, None, false);
    for (name, value) in pairs(text)? {
        let plain: String = name.split_whitespace().collect::<String>().to_lowercase();
        let Some((_, keyword)) = KEYWORDS.iter().find(|(known, _)| *known == plain) else {
            return Err(match &password {
                None => TargetError::new(format!("the connection string's keyword '{name}' is not known")),
                // NB: what follows a password that was not quoted may be a piece of it, and stays unsaid.
                Some(_) => TargetError::new(
                    "a keyword after the connection string's password is not known (a value that holds ; must be \
                     quoted)"
                        .to_owned(),
                ),
            });
        };
        let after_password = password.is_some();
        let wrong = |wanted: &str| {
            let said = if after_password { name.clone() } else { format!("{name}={value}") };
            TargetError::new(format!("the connection string's '{said}' is not valid: it wants {wanted}"))
        };
        let some = || Some(value.clone()).filter(|v| !v.is_empty());
        match keyword {
            Keyword::Server => {
                let parsed = some().map(|name| Server::parse(&name)).transpose();
                server = if after_password {
                    parsed.map_err(|_| wrong("host, host,port or host\\instance"))?
                } else {
                    parsed?
                };
            }
            Keyword::Database => target.database = some(),
            Keyword::User => user = some(),
            Keyword::Password => password = some().map(Secret::new),
            Keyword::Encrypt => {
                target.encrypt = encrypt(&value).ok_or_else(|| wrong("Optional, Mandatory or Strict"))?;
            }
            Keyword::Trust => target.trust = yes(&value).ok_or_else(|| wrong("true or false"))?,
            Keyword::HostNameInCertificate => target.host_name_in_certificate = some(),
            Keyword::ServerCertificate => target.server_certificate = some().map(PathBuf::from),
            Keyword::ConnectTimeout => {
                target.connect_timeout = seconds(&value).ok_or_else(|| wrong("a number of seconds"))?;
            }
            Keyword::CommandTimeout => {
                target.query_timeout = seconds(&value).ok_or_else(|| wrong("a number of seconds"))?;
            }
            Keyword::ApplicationName => target.application_name = some().unwrap_or(target.application_name),
            Keyword::ApplicationIntent => {
                target.application_intent = intent(&value).ok_or_else(|| wrong("ReadWrite or ReadOnly"))?;
            }
            Keyword::Authentication => method = some(),
            Keyword::Integrated => integrated = yes(&value).ok_or_else(|| wrong("true, false or SSPI"))?,
            Keyword::ServerSpn => target.server_spn = some(),
            Keyword::Harmless => {}
            Keyword::Only(default) if value.is_empty() || value.eq_ignore_ascii_case(default) => {}
            // NB: the value stays unsaid, for one of these can be a token.
            Keyword::Only(_) => {
                return Err(TargetError::new(format!(
                    "the connection string's keyword '{name}' is not supported"
                )));
            }
        }
    }
    target.server = server.ok_or_else(|| {
        TargetError::new("the connection string names no server (Server=host,port)".to_owned())
    })?;
    target.authentication = authentication(user, password, method.as_deref(), integrated)?;
    if target.server_certificate.is_some() && target.host_name_in_certificate.is_some() {
        return Err(TargetError::new(
            "ServerCertificate and HostNameInCertificate exclude each other: the certificate itself is compared"
                .to_owned(),
        ));
    }
    Ok(target)
}

fn authentication(
    user: Option<String>,
    password: Option<Secret>,
    method: Option<&str>,
    integrated: bool,
) -> Result<Authentication, TargetError> {
    if let Some(method) = method {
        if integrated {
            return Err(TargetError::new(
                "Authentication and Integrated Security exclude each other".to_owned(),
            ));
        }
        if let Some(method) = EntraMethod::named(method) {
            return Ok(Authentication::Entra(Entra { method, user, password }));
        }
        let plain: String = method.split_whitespace().collect();
        if !plain.eq_ignore_ascii_case("SqlPassword") && !plain.eq_ignore_ascii_case("NotSpecified") {
            let method = if password.is_some() { String::new() } else { format!(" '{method}'") };
            return Err(TargetError::new(format!(
                "the connection string's Authentication{method} is not known: SqlPassword, ActiveDirectoryDefault, \
                 ActiveDirectoryManagedIdentity, ..."
            )));
        }
    }
    // SqlClient ignores a user beside integrated security; so do we.
    if integrated {
        return Ok(Authentication::Integrated);
    }
    match (user, password) {
        (Some(user), Some(password)) => Ok(Authentication::SqlPassword { user, password }),
        // The password may come from elsewhere, so that it need not be in the string.
        (Some(user), None) => Ok(Authentication::SqlPassword { user, password: Secret::new(String::new()) }),
        (None, Some(_)) => {
            Err(TargetError::new("the connection string has a password but no user".to_owned()))
        }
        (None, None) => Ok(Authentication::Unset),
    }
}

fn yes(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "true" | "yes" | "sspi" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    }
}

fn encrypt(value: &str) -> Option<Encrypt> {
    match value.to_lowercase().as_str() {
        "true" | "yes" | "mandatory" => Some(Encrypt::Mandatory),
        "false" | "no" | "optional" => Some(Encrypt::Optional),
        "strict" => Some(Encrypt::Strict),
        _ => None,
    }
}

fn intent(value: &str) -> Option<ApplicationIntent> {
    match value.to_lowercase().as_str() {
        "readwrite" => Some(ApplicationIntent::ReadWrite),
        "readonly" => Some(ApplicationIntent::ReadOnly),
        _ => None,
    }
}

/// Zero means without limit in ADO.NET. Every wait of ours has one: a day.
fn seconds(value: &str) -> Option<Duration> {
    const DAY: u64 = 86_400;
    let seconds: u64 = value.parse().ok()?;
    Some(Duration::from_secs(if seconds == 0 { DAY } else { seconds.min(DAY) }))
}

/// Splits the string. Blanks around keywords and values do not count. A value that begins with a quote goes to the
/// next one, and doubled quotes in it are single ones; `==` in a keyword is an equals sign.
///
/// NB: errors tell a position and no text, since the text may be a password.
fn pairs(text: &str) -> Result<Vec<(String, String)>, TargetError> {
    let malformed = |at: usize, why: &str| {
        Err(TargetError::new(format!("the connection string is malformed at character {}: {why}", at + 1)))
    };
    if let Some(at) = text.chars().position(|c| c == '\0') {
        return malformed(at, "it cannot hold a NUL");
    }
    let text: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    let skip_blanks = |mut at: usize| {
        while text.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        at
    };
    loop {
        at = skip_blanks(at);
        match text.get(at) {
            None => return Ok(out),
            Some(';') => {
                at += 1;
                continue;
            }
            Some(_) => {}
        }
        let begin = at;
        let mut name = String::new();
        loop {
            match (text.get(at), text.get(at + 1)) {
                (None | Some(';'), _) => return malformed(begin, "a keyword without = and value"),
                (Some('='), Some('=')) => {
                    name.push('=');
                    at += 2;
                }
                (Some('='), _) => break,
                (Some(c), _) => {
                    name.push(*c);
                    at += 1;
                }
            }
        }
        let name = name.trim().to_owned();
        if name.is_empty() {
            return malformed(begin, "a keyword is missing before =");
        }
        at = skip_blanks(at + 1);
        let mut value = String::new();
        match text.get(at) {
            Some(quote @ ('"' | '\'')) => {
                let opened = at;
                at += 1;
                loop {
                    match (text.get(at), text.get(at + 1)) {
                        (None, _) => return malformed(opened, "the quote is not closed"),
                        (Some(c), Some(next)) if c == quote && next == quote => {
                            value.push(*c);
                            at += 2;
                        }
                        (Some(c), _) if c == quote => break,
                        (Some(c), _) => {
                            value.push(*c);
                            at += 1;
                        }
                    }
                }
                at = skip_blanks(at + 1);
                if !matches!(text.get(at), None | Some(';')) {
                    return malformed(at, "after a quoted value only ; can follow");
                }
            }
            _ => {
                while let Some(c) = text.get(at).filter(|c| **c != ';') {
                    value.push(*c);
                    at += 1;
                }
                value.truncate(value.trim_end().len());
            }
        }
        out.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn login(target: &Target) -> (&str, &str) {
        match &target.authentication {
            Authentication::SqlPassword { user, password } => (user, password.expose()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn as_the_portal_offers_it() {
        let target = Target::from_connection_string(
            "Server=tcp:mi.abc.database.windows.net,1433;Persist Security Info=False;User ID=admin1;Password={your=password};\
             MultipleActiveResultSets=False;Encrypt=True;TrustServerCertificate=False;Connection Timeout=45;",
        )
        .unwrap();
        assert_eq!(target.server.to_string(), "mi.abc.database.windows.net,1433");
        assert_eq!(login(&target), ("admin1", "{your=password}"));
        assert_eq!((target.encrypt, target.trust), (Encrypt::Mandatory, false));
        assert_eq!((target.connect_timeout.as_secs(), target.query_timeout.as_secs()), (45, 30));
    }

    #[test]
    fn every_synonym() {
        let target = Target::from_connection_string(
            "address=.\\X; initial CATALOG = Sales ;uid=sa;PWD=p;encrypt=strict;Trust Server Certificate=yes;\
             HostNameInCertificate=sql.example.com;timeout=5;Command Timeout=0;app=tool;ApplicationIntent=readonly;\
             ServerSPN=MSSQLSvc/h:1433",
        )
        .unwrap();
        assert_eq!(target.server.to_string(), "localhost\\X");
        assert_eq!(target.database.as_deref(), Some("Sales"));
        assert_eq!(login(&target), ("sa", "p"));
        assert_eq!((target.encrypt, target.trust), (Encrypt::Strict, true));
        assert_eq!(target.host_name_in_certificate.as_deref(), Some("sql.example.com"));
        assert_eq!((target.connect_timeout.as_secs(), target.query_timeout.as_secs()), (5, 86_400));
        assert_eq!(target.application_name, "tool");
        assert_eq!(target.application_intent, ApplicationIntent::ReadOnly);
        assert_eq!(target.server_spn.as_deref(), Some("MSSQLSvc/h:1433"));
        for name in ["Server", "Data Source", "addr", "Network Address"] {
            assert_eq!(
                Target::from_connection_string(&format!("{name}=h")).unwrap().server.host,
                "h",
                "{name}"
            );
        }
        let target = Target::from_connection_string("Server=h;Server Certificate=/x.pem;Encrypt=no").unwrap();
        assert_eq!((target.server_certificate, target.encrypt), (Some("/x.pem".into()), Encrypt::Optional));
    }

    #[test]
    fn quoting() {
        for (value, password) in [
            ("\"a;b\"", "a;b"),
            ("'a;b'", "a;b"),
            ("\"a\"\"b\"", "a\"b"),
            ("'a''b\"' ", "a'b\""),
            ("' a '", " a "),
            ("  a b  ", "a b"),
            ("a'b", "a'b"),
            ("a=b", "a=b"),
            ("=a", "=a"),
        ] {
            // The last one begins with an equals sign, which the keyword would take for its own.
            let text =
                if value.starts_with('=') { format!("PWD= '{value}'") } else { format!("PWD={value}") };
            let target = Target::from_connection_string(&format!("Server=h;UID=u;{text};")).unwrap();
            assert_eq!(login(&target), ("u", password), "{value}");
        }
        assert_eq!(pairs("a==b=c;;d=").unwrap(), [("a=b".into(), "c".into()), ("d".into(), String::new())]);
    }

    #[test]
    fn who() {
        let who =
            |text: &str| Target::from_connection_string(&format!("Server=h;{text}")).unwrap().authentication;
        assert!(matches!(who(""), Authentication::Unset));
        assert!(matches!(who("Integrated Security=SSPI"), Authentication::Integrated));
        assert!(matches!(who("Trusted_Connection=yes;UID=ignored"), Authentication::Integrated));
        assert!(matches!(who("UID=u;PWD=p;Authentication=Sql Password"), Authentication::SqlPassword { .. }));
        let Authentication::Entra(entra) =
            who("UID=app;PWD=s;Authentication=Active Directory Service Principal")
        else {
            panic!("not Entra");
        };
        assert_eq!(
            (entra.method.name(), entra.user.as_deref()),
            ("ActiveDirectoryServicePrincipal", Some("app"))
        );
        for (name, method) in EntraMethod::NAMES {
            let Authentication::Entra(entra) = who(&format!("Authentication={name}")) else {
                panic!("{name}")
            };
            assert_eq!(entra.method, method);
            assert_eq!(EntraMethod::named(method.name()), Some(method));
        }
    }

    #[test]
    fn the_last_one_counts() {
        let target =
            Target::from_connection_string("Server=a;Server=b;Encrypt=no;Encrypt=strict;UID=u;UID=").unwrap();
        assert_eq!((target.server.host.as_str(), target.encrypt), ("b", Encrypt::Strict));
        assert!(matches!(target.authentication, Authentication::Unset));
    }

    #[test]
    fn pieces_of_a_password_stay_unsaid() {
        for text in [
            "Server=h;UID=u;PWD=begin;canary=c",
            "Server=h;UID=u;PWD=begin;Encrypt=canary",
            "Server=h;UID=u;PWD=begin;Authentication=canary",
            "UID=u;PWD=begin;Server=canary,port",
        ] {
            let said = target(text).unwrap_err().to_string();
            assert!(!said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn refused_with_a_reason() {
        for (text, reason) in [
            ("", "names no server"),
            ("Server=;", "names no server"),
            ("Server=h;Colour=blue", "keyword 'Colour' is not known"),
            ("Server=h;UID=u;PWD=a;b=c", "a value that holds ; must be quoted"),
            ("Server=h;AttachDbFilename=x.mdf", "'AttachDbFilename' is not supported"),
            ("Server=h;Failover Partner=g", "'Failover Partner' is not supported"),
            ("Server=h;Encrypt=perhaps", "wants Optional, Mandatory or Strict"),
            ("Server=h;Connect Timeout=-1", "wants a number of seconds"),
            ("Server=h;TrustServerCertificate=2", "wants true or false"),
            ("Server=h;Authentication=Magic", "Authentication 'Magic' is not known"),
            ("Server=h;Authentication=ActiveDirectoryDefault;Integrated Security=true", "exclude each other"),
            ("Server=h;ServerCertificate=a;HostNameInCertificate=b", "exclude each other"),
            ("Server=h;PWD=p", "a password but no user"),
            ("Server=h:1433", "a port follows a comma"),
            ("Server=h;PWD", "character 10: a keyword without = and value"),
            ("=h", "a keyword is missing"),
            ("Server='h", "character 8: the quote is not closed"),
            ("Server='h'x", "character 11: after a quoted value"),
            ("Server=h;a\0=b", "NUL"),
        ] {
            let said = Target::from_connection_string(text).unwrap_err().to_string();
            assert!(said.contains(reason), "{text}: {said}");
        }
    }

    #[test]
    fn keywords_are_written_one_way_and_once() {
        for (at, (name, _)) in KEYWORDS.iter().enumerate() {
            assert_eq!(*name, name.to_lowercase().replace(' ', ""));
            assert!(!KEYWORDS[..at].iter().any(|(other, _)| other == name), "{name}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        const CANARY: &str = "c4n4ry;'\"=";
        let text = format!("Server=h;UID=u;PWD={};Application Name=x", quoted(CANARY));
        let target = Target::from_connection_string(&text).unwrap();
        assert_eq!(login(&target).1, CANARY);
        assert!(!format!("{target:?}").contains("c4n4ry"), "{target:?}");
        // Whatever goes wrong with the string that holds it, what is said does not hold it.
        for bad in [
            "Server=h;UID=u;PWD=c4n4ry;x",
            "Server=h;UID=u;PWD='c4n4ry",
            "Server=h;UID=u;PWD='c4n4ry'c4n4ry",
            "Server=h;PWD=c4n4ry",
            "Server=h;Access Token=c4n4ry",
            "PWD=c4n4ry",
            "c4n4ry",
        ] {
            let said = Target::from_connection_string(bad).unwrap_err();
            assert!(!format!("{said} {said:?}").contains("c4n4ry"), "{bad}: {said}");
        }
    }

    fn quoted(value: &str) -> String {
        format!("\"{}\"", value.replace('"', "\"\""))
    }

    proptest! {
        #[test]
        fn quoted_values_come_back(
            pairs_in in proptest::collection::vec(("[a-zA-Z][a-zA-Z =]{0,8}[a-zA-Z]", "[^\0]{0,12}", any::<bool>()), 0..6)
        ) {
            let text: String = pairs_in
                .iter()
                .map(|(name, value, single)| {
                    let value = if *single { format!("'{}'", value.replace('\'', "''")) } else { quoted(value) };
                    format!(" {} = {value} ;", name.replace('=', "=="))
                })
                .collect();
            let want: Vec<_> = pairs_in.into_iter().map(|(name, value, _)| (name, value)).collect();
            prop_assert_eq!(pairs(&text).unwrap(), want);
        }

        #[test]
        fn nothing_panics(text in "[a-zA-Z=;'\" \0]{0,40}") {
            drop(Target::from_connection_string(&text));
        }
    }
}
