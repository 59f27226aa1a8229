//! What goes before what, and what is said when something is missing.

use clap::Parser;
use milink_sql::{Authentication, Encrypt};

use super::*;
use crate::exit::Exit;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    connect: ConnectArguments,
}

/// What `milink lab env` exports of this.
const LAB: [(&str, &str); 15] = [
    ("SQLCMDSERVER", "127.0.0.1,14330"),
    ("SQLCMDUSER", "sa"),
    ("SQLCMDPASSWORD", "canary-1"),
    ("MILINK_SERVER_CERTIFICATE", "/lab/sqlserver/tls-cert.pem"),
    ("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9000"),
    ("AZURE_TENANT_ID", "t"),
    ("AZURE_SUBSCRIPTION_ID", "s"),
    ("AZURE_CLIENT_ID", "c"),
    ("AZURE_CLIENT_SECRET", "canary-2"),
    ("MILINK_ARM_ENDPOINT", "https://127.0.0.1:9000"),
    ("MILINK_MANAGED_SERVER", "127.0.0.1,14331"),
    ("MILINK_MANAGED_USER", "sa"),
    ("MILINK_MANAGED_PASSWORD", "canary-3"),
    ("MILINK_RESOURCE_GROUP", "rg"),
    ("MILINK_INSTANCE_NAME", "mi"),
];

fn settings<const N: usize>(
    flags: &str,
    environment: [(&str, &str); N],
    context: Option<Context>,
) -> Result<Settings, Failure> {
    let words = std::iter::once("milink").chain(flags.split_whitespace());
    let arguments = Line::try_parse_from(words).unwrap().connect;
    Settings::resolve(&arguments, &Environment::of(environment), context.map(|c| ("prod".to_owned(), c)))
}

fn prod() -> Context {
    let mut context = Context::default();
    context.sql_server.server = Some("prod,1433".to_owned());
    context.sql_server.user = Some("admin".to_owned());
    context.sql_server.password = "env:PROD_PW".parse().ok();
    context.sql_server.encrypt = Some(EncryptWord::Strict);
    context.azure.instance_name = Some("prod-mi".to_owned());
    context.azure.cloud = Some(CloudName::UsGovernment);
    context
}

/// The login and its password.
fn login(target: &Target) -> (&str, &str) {
    match &target.authentication {
        Authentication::SqlPassword { user, password } => (user, password.expose()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_lab_s_environment_is_enough() {
    let settings = settings("", LAB, None).unwrap();
    let sql_server = settings.sql_server().unwrap();
    assert_eq!(sql_server.server.to_string(), "127.0.0.1,14330");
    assert_eq!(login(&sql_server), ("sa", "canary-1"));
    assert_eq!(sql_server.server_certificate.as_deref(), Some("/lab/sqlserver/tls-cert.pem".as_ref()));
    assert!(!sql_server.trust);
    assert_eq!(login(&settings.managed().unwrap()), ("sa", "canary-3"));
    let azure = settings.azure().unwrap();
    assert_eq!((azure.subscription(), azure.resource_group()), (Some("s"), Some("rg")));
    assert_eq!(azure.instance().unwrap(), "mi");
    assert_eq!(azure.authority(), Some("https://127.0.0.1:9000"));
    assert!(matches!(azure.sign_in().unwrap(), SignIn::ClientSecret { .. }));
    assert!(settings.warnings.is_empty());
    // And nothing of it can be printed.
    let said = format!("{settings:?} {sql_server:?} {:?}", azure.sign_in());
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn flags_go_before_the_environment_and_it_before_the_context() {
    let all =
        settings("-S flag -U flagged", [("SQLCMDUSER", "e"), ("SQLCMDPASSWORD", "p")], Some(prod())).unwrap();
    let target = all.sql_server().unwrap();
    assert_eq!((target.server.to_string().as_str(), login(&target)), ("flag", ("flagged", "p")));
    // The context is about another server: nothing of it is taken.
    assert_eq!(target.encrypt, Encrypt::Mandatory);
    assert!(
        all.warnings.iter().any(|w| w.contains("prod,1433") && w.contains("'prod'")),
        "{:?}",
        all.warnings
    );

    let all = settings("", [("PROD_PW", "p1"), ("SQLCMDUSER", "")], Some(prod())).unwrap();
    let target = all.sql_server().unwrap();
    assert_eq!((target.encrypt, login(&target)), (Encrypt::Strict, ("admin", "p1")));
    let all = settings("", [("PROD_PW", "p1"), ("SQLCMDPASSWORD", "p2")], Some(prod())).unwrap();
    assert_eq!(login(&all.sql_server().unwrap()), ("admin", "p2"));
}

#[test]
fn a_context_s_password_goes_to_nobody_else() {
    for (flags, why) in [("-S elsewhere -U admin", "server"), ("-U other", "login")] {
        let all = settings(flags, [("PROD_PW", "p1")], Some(prod())).unwrap();
        let e = all.sql_server().unwrap_err();
        assert!(e.what.contains("password"), "{why}: {e}");
        assert!(!all.warnings.is_empty(), "{why}");
    }
    let mut context = prod();
    context.azure.client_secret = "env:PROD_PW".parse().ok();
    let all = settings("--arm-endpoint https://elsewhere", [("PROD_PW", "p1")], Some(context)).unwrap();
    assert_eq!(all.azure().unwrap().sign_in().unwrap(), SignIn::Default);
    assert_eq!(all.azure().unwrap().instance_name(), None);
}

#[test]
fn what_is_missing_is_named_by_flag_and_variable() {
    let none = settings("", [], None).unwrap();
    let e = none.sql_server().unwrap_err();
    assert_eq!(e.code, Exit::BadArguments);
    assert!(e.where_ == "-S or SQLCMDSERVER" && e.next.contains("milink context add"), "{e}");
    assert_eq!(none.managed().unwrap_err().where_, "--managed-server or MILINK_MANAGED_SERVER");
    assert!(none.azure().unwrap_err().where_.contains("MILINK_INSTANCE_NAME"));
    let e = settings("-S h", [], None).unwrap().sql_server().unwrap_err();
    assert!(e.where_ == "-U or SQLCMDUSER" && e.next.contains("SQLCMDPASSWORD"), "{e}");
    let e = settings("-S h -U u", [], None).unwrap().sql_server().unwrap_err();
    assert!(e.where_.contains("SQLCMDPASSWORD") && e.next.contains("keyring:SERVICE/USER"), "{e}");
    let e = settings("--instance-name x", [("AZURE_CLIENT_SECRET", "s")], None).unwrap();
    let e = e.azure().unwrap().sign_in().unwrap_err();
    assert_eq!(e.where_, "--tenant or AZURE_TENANT_ID");
}

#[test]
fn ways_to_sign_in() {
    let how = |flags: &str| {
        let all = settings(flags, [("SQLCMDPASSWORD", "p")], None).unwrap();
        format!("{:?}", all.sql_server().unwrap().authentication)
    };
    assert_eq!(how("-S h -E"), "Integrated");
    assert!(how("-S h -G").contains("method: Default, user: None, password: None"));
    assert!(how("-S h -G -U u").contains("method: Password, user: Some(\"u\"), password: Some(***)"));
    assert!(how("-S h --authentication-method ActiveDirectoryAzCli").contains("AzCli"));
    // Whoever names a user means no other source's method.
    let mut context = prod();
    context.sql_server.authentication = Some(Method::Integrated);
    let all = settings("-U u", [("SQLCMDPASSWORD", "p")], Some(context)).unwrap();
    assert_eq!(login(&all.sql_server().unwrap()), ("u", "p"));
    let all = settings("-S h -P p -U u", [], None).unwrap();
    assert!(all.warnings.iter().any(|w| w.contains("SQLCMDPASSWORD")));
}

#[test]
fn connection_strings() {
    let line = |string: &str, more: &[&str], environment: &[(&str, &str)]| {
        let words = ["milink", "--connection-string", string].into_iter().chain(more.iter().copied());
        let arguments = Line::try_parse_from(words).unwrap().connect;
        let mut all = Environment::of([]);
        for (name, value) in environment {
            all = all.with(name, value);
        }
        Settings::resolve(&arguments, &all, None).and_then(|s| s.sql_server())
    };
    let target = line("Server=h,1;User ID=u;Encrypt=Strict", &[], &[("SQLCMDPASSWORD", "p")]).unwrap();
    assert_eq!((login(&target), target.encrypt), (("u", "p"), Encrypt::Strict));
    // Nothing else of the environment changes it, and flags do.
    let other = [("SQLCMDSERVER", "other"), ("SQLCMDUSER", "other")];
    let target = line("Server=h,1;User ID=u;Password=q", &["-d", "db", "-N", "o"], &other).unwrap();
    assert_eq!((target.server.to_string().as_str(), login(&target)), ("h,1", ("u", "q")));
    assert_eq!((target.database.as_deref(), target.encrypt), (Some("db"), Encrypt::Optional));
    for leak in ["Server=h;Password=begin;canary=x", "Server=h;Password=begin;Encrypt=canary", "canary"] {
        let e = line(leak, &[], &[]).unwrap_err();
        assert!(!e.to_string().contains("canary"), "{e}");
    }
}

#[test]
fn wrong_ones_say_where() {
    for (flags, environment, from) in [
        ("-S h,port", ("X", ""), "-S"),
        ("", ("SQLCMDSERVER", "h,port"), "SQLCMDSERVER"),
        ("", ("SQLCMDLOGINTIMEOUT", "soon"), "SQLCMDLOGINTIMEOUT"),
        ("--instance-id /x", ("X", ""), "--instance-id"),
        ("", ("MILINK_INSTANCE_ID", "x"), "MILINK_INSTANCE_ID"),
        ("--arm-endpoint http://h", ("X", ""), "--arm-endpoint or MILINK_ARM_ENDPOINT"),
        ("--partner-endpoint h:5022", ("X", ""), "--partner-endpoint"),
        ("", ("MILINK_CLOUD", "x"), "MILINK_CLOUD"),
        ("", ("MILINK_MANAGED_AUTHENTICATION", "x"), "MILINK_MANAGED_AUTHENTICATION"),
    ] {
        let e = settings(flags, [environment], None).unwrap_err();
        assert_eq!((e.where_.as_str(), e.code), (from, Exit::BadArguments), "{e}");
    }
    let e = settings("-S h -U u --password-from canary", [], None).unwrap_err();
    assert!(e.where_ == "--password-from" && !e.to_string().contains("canary"), "{e}");
}

#[test]
fn a_resource_id_is_its_parts() {
    let id = "/subscriptions/s/resourcegroups/g/providers/Microsoft.Sql/managedInstances/m";
    let all = settings(&format!("--instance-id {id}"), [], None).unwrap();
    let azure = all.azure().unwrap();
    assert_eq!(
        (azure.subscription(), azure.resource_group(), azure.instance_name()),
        (Some("s"), Some("g"), Some("m"))
    );
}

#[test]
fn who_names_a_cloud_means_its_addresses() {
    let all = settings("--cloud AzureCloud", LAB, None).unwrap();
    let azure = all.azure().unwrap();
    assert_eq!((azure.arm_endpoint(), azure.authority()), (None, None));
    let all = settings("--arm-endpoint https://h", LAB, None).unwrap();
    assert_eq!(all.azure().unwrap().authority(), Some("https://127.0.0.1:9000"));
}
