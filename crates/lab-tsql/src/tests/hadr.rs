//! The statements of a link, as the documents write them.

use crate::ast::{AvailabilityGroupStatement, StatementKind};
use crate::{ParseOptions, parse_batch, print_statement};

fn one(text: &str) -> StatementKind {
    let batch = parse_batch(text, &ParseOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(batch.statements.len(), 1, "{text}");
    batch.statements[0].kind.clone()
}

/// Text to tree to text: what is printed is the canonical form, and reads as the same tree.
fn check(written: &str, printed: &str) {
    let tree = one(written);
    let shown = print_statement(&tree).unwrap_or_else(|| panic!("{written}: not printed"));
    assert_eq!(shown, printed, "{written}");
    assert_eq!(print_statement(&one(&shown)).as_deref(), Some(printed), "{written}");
    if !shown.contains("***") {
        assert_eq!(one(&shown), tree, "{written}: another tree");
    }
}

fn refused(text: &str, what: &str) {
    assert_eq!(one(text), StatementKind::Unsupported(what.to_owned()), "{text}");
}

fn wrong(text: &str, error: &str) {
    let found = parse_batch(text, &ParseOptions::default()).expect_err(text);
    assert_eq!(format!("{}: {}", found.number, found.message), error, "{text}");
}

#[test]
fn master_keys() {
    check(
        "CREATE MASTER KEY ENCRYPTION BY PASSWORD = '<strong_password>'",
        "CREATE MASTER KEY ENCRYPTION BY PASSWORD = '***'",
    );
    check("create master key", "CREATE MASTER KEY");
    check(
        "ALTER MASTER KEY FORCE REGENERATE WITH ENCRYPTION BY PASSWORD = N'x';",
        "ALTER MASTER KEY FORCE REGENERATE WITH ENCRYPTION BY PASSWORD = '***'",
    );
    check(
        "ALTER MASTER KEY ADD ENCRYPTION BY SERVICE MASTER KEY",
        "ALTER MASTER KEY ADD ENCRYPTION BY SERVICE MASTER KEY",
    );
    check(
        "ALTER MASTER KEY DROP ENCRYPTION BY PASSWORD = 'x'",
        "ALTER MASTER KEY DROP ENCRYPTION BY PASSWORD = '***'",
    );
    check("OPEN MASTER KEY DECRYPTION BY PASSWORD = 'x'", "OPEN MASTER KEY DECRYPTION BY PASSWORD = '***'");
    check("CLOSE MASTER KEY", "CLOSE MASTER KEY");
    check("DROP MASTER KEY", "DROP MASTER KEY");
    refused("BACKUP MASTER KEY TO FILE = 'f' ENCRYPTION BY PASSWORD = 'x'", "BACKUP MASTER KEY");
    refused(
        "BACKUP SERVICE MASTER KEY TO FILE = 'f' ENCRYPTION BY PASSWORD = 'x'",
        "BACKUP SERVICE MASTER KEY",
    );
    wrong("CREATE MASTER KEY ENCRYPTION BY PASSWORD = @p", "102: Incorrect syntax near '@p'.");
    wrong("OPEN MASTER KEY", "156: Incorrect syntax near the keyword 'KEY'.");
}

#[test]
fn certificates() {
    check(
        "CREATE CERTIFICATE [Cert_SQL1_endpoint] WITH SUBJECT = 'Certificate for SQL1', EXPIRY_DATE = '03/30/2029'",
        "CREATE CERTIFICATE [Cert_SQL1_endpoint] WITH SUBJECT = N'Certificate for SQL1', EXPIRY_DATE = N'03/30/2029'",
    );
    check(
        "CREATE CERTIFICATE c AUTHORIZATION dbo ENCRYPTION BY PASSWORD = 'p' WITH START_DATE = '20260101', SUBJECT = N'O''Hara' ACTIVE FOR BEGIN_DIALOG = OFF",
        "CREATE CERTIFICATE [c] AUTHORIZATION [dbo] ENCRYPTION BY PASSWORD = '***' WITH SUBJECT = N'O''Hara', START_DATE = N'20260101' ACTIVE FOR BEGIN_DIALOG = OFF",
    );
    check(
        "CREATE CERTIFICATE [mi.abc.database.windows.net] FROM BINARY = 0x308204",
        "CREATE CERTIFICATE [mi.abc.database.windows.net] FROM BINARY = 0x308204",
    );
    check(
        "CREATE CERTIFICATE [DigiCertPKI] FROM FILE = 'C:\\DigiCertGlobalRootG2.cer'",
        "CREATE CERTIFICATE [DigiCertPKI] FROM FILE = N'C:\\DigiCertGlobalRootG2.cer'",
    );
    check(
        "CREATE CERTIFICATE c FROM FILE = 'c.cer' WITH PRIVATE KEY (FILE = 'c.pvk', DECRYPTION BY PASSWORD = 'a', ENCRYPTION BY PASSWORD = 'b')",
        "CREATE CERTIFICATE [c] FROM FILE = N'c.cer' WITH PRIVATE KEY (FILE = N'c.pvk', DECRYPTION BY PASSWORD = '***', ENCRYPTION BY PASSWORD = '***')",
    );
    check(
        "CREATE CERTIFICATE c FROM BINARY = 0x01 WITH PRIVATE KEY (BINARY = 0xABCD, DECRYPTION BY PASSWORD = 'a')",
        "CREATE CERTIFICATE [c] FROM BINARY = 0x01 WITH PRIVATE KEY (BINARY = 0x, DECRYPTION BY PASSWORD = '***')",
    );
    check(
        "BACKUP CERTIFICATE c TO FILE = 'c.cer' WITH PRIVATE KEY (FILE = 'c.pvk', ENCRYPTION BY PASSWORD = 'b')",
        "BACKUP CERTIFICATE [c] TO FILE = N'c.cer' WITH PRIVATE KEY (FILE = N'c.pvk', ENCRYPTION BY PASSWORD = '***')",
    );
    check("DROP CERTIFICATE c;", "DROP CERTIFICATE [c]");
    refused("ALTER CERTIFICATE c REMOVE PRIVATE KEY", "ALTER CERTIFICATE");
    refused("CREATE CERTIFICATE c FROM ASSEMBLY a", "CREATE CERTIFICATE FROM ASSEMBLY");
    refused(
        "CREATE CERTIFICATE c FROM FILE = 'x' WITH FORMAT = 'PFX', PRIVATE KEY (FILE = 'x')",
        "CREATE CERTIFICATE WITH FORMAT",
    );
    // There is no IF EXISTS in DROP CERTIFICATE.
    wrong("DROP CERTIFICATE IF EXISTS c", "156: Incorrect syntax near the keyword 'IF'.");
    wrong("CREATE CERTIFICATE c WITH EXPIRY_DATE = '20300101'", "102: Incorrect syntax near '20300101'.");
}

#[test]
fn no_tree_that_is_logged_gives_a_secret_away() {
    for text in [
        "CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'canary'",
        "OPEN MASTER KEY DECRYPTION BY PASSWORD = 'canary'",
        "CREATE CERTIFICATE c ENCRYPTION BY PASSWORD = 'canary' WITH SUBJECT = 's'",
        "CREATE CERTIFICATE c FROM FILE = 'c' WITH PRIVATE KEY (FILE = 'k', DECRYPTION BY PASSWORD = 'canary')",
        "CREATE CERTIFICATE c FROM FILE = 'c' WITH PRIVATE KEY (BINARY = 0x63616e617279)",
    ] {
        let tree = one(text);
        let shown = format!("{tree:?} {}", print_statement(&tree).unwrap()).to_lowercase();
        assert!(!shown.contains("canary") && !shown.contains("63616e617279") && !shown.contains("99, 97"));
    }
}

#[test]
fn endpoints() {
    check(
        "CREATE ENDPOINT database_mirroring_endpoint STATE=STARTED AS TCP (LISTENER_PORT=5022, LISTENER_IP = ALL) FOR DATABASE_MIRRORING (ROLE=ALL, AUTHENTICATION = CERTIFICATE [Cert_SQL1_endpoint], ENCRYPTION = REQUIRED ALGORITHM AES)",
        "CREATE ENDPOINT [database_mirroring_endpoint] STATE = STARTED AS TCP (LISTENER_PORT = 5022, LISTENER_IP = ALL) FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE [Cert_SQL1_endpoint], ENCRYPTION = REQUIRED ALGORITHM AES)",
    );
    check(
        "ALTER ENDPOINT [e] AS TCP (LISTENER_PORT = 5022 LISTENER_IP = (10.0.75.1)) FOR DATA_MIRRORING (AUTHENTICATION = WINDOWS NEGOTIATE CERTIFICATE [c] ENCRYPTION = REQUIRED ALGORITHM RC4 AES ROLE = PARTNER)",
        "ALTER ENDPOINT [e] AS TCP (LISTENER_PORT = 5022, LISTENER_IP = (10.0.75.1)) FOR DATABASE_MIRRORING (ROLE = PARTNER, AUTHENTICATION = WINDOWS NEGOTIATE CERTIFICATE [c], ENCRYPTION = REQUIRED ALGORITHM RC4 AES)",
    );
    check(
        "CREATE ENDPOINT e AUTHORIZATION sa STATE = STOPPED AS TCP (LISTENER_PORT = 7022, LISTENER_IP = ('::1')) FOR DATABASE_MIRRORING (AUTHENTICATION = CERTIFICATE c WINDOWS KERBEROS, ENCRYPTION = DISABLED)",
        "CREATE ENDPOINT [e] AUTHORIZATION [sa] STATE = STOPPED AS TCP (LISTENER_PORT = 7022, LISTENER_IP = ('::1')) FOR DATABASE_MIRRORING (AUTHENTICATION = CERTIFICATE [c] WINDOWS KERBEROS, ENCRYPTION = DISABLED)",
    );
    check("ALTER ENDPOINT e STATE = STARTED", "ALTER ENDPOINT [e] STATE = STARTED");
    check("DROP ENDPOINT e", "DROP ENDPOINT [e]");
    check("GRANT CONNECT ON ENDPOINT::e TO a, public", "GRANT CONNECT ON ENDPOINT::[e] TO [a], [public]");
    check("REVOKE CONNECT ON ENDPOINT::[e] FROM [a]", "REVOKE CONNECT ON ENDPOINT::[e] FROM [a]");
    refused("CREATE ENDPOINT e AS TCP (LISTENER_PORT = 1) FOR TSQL ()", "CREATE ENDPOINT FOR TSQL");
    refused("CREATE ENDPOINT e AS HTTP (PATH = '/x') FOR SOAP ()", "CREATE ENDPOINT AS HTTP");
    refused("ALTER AUTHORIZATION ON ENDPOINT::e TO sa", "ALTER AUTHORIZATION ON ENDPOINT");
    refused("GRANT CONNECT ON ENDPOINT::e TO a WITH GRANT OPTION", "GRANT WITH GRANT OPTION");
    wrong(
        "CREATE ENDPOINT e AS TCP (LISTENER_IP = (10.0.75)) FOR DATABASE_MIRRORING (ROLE = ALL)",
        "102: Incorrect syntax near '10.0'.",
    );
    wrong("CREATE ENDPOINT e STATE = STARTED", "102: Incorrect syntax near 'STARTED'.");
}

#[test]
fn availability_groups() {
    check(
        "CREATE AVAILABILITY GROUP [AG] WITH (CLUSTER_TYPE = NONE) FOR DATABASE [Chinook] REPLICA ON N'SQL1' WITH (ENDPOINT_URL = 'TCP://10.0.0.4:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
        "CREATE AVAILABILITY GROUP [AG] WITH (CLUSTER_TYPE = NONE) FOR DATABASE [Chinook] REPLICA ON N'SQL1' WITH (ENDPOINT_URL = N'TCP://10.0.0.4:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
    );
    check(
        "CREATE AVAILABILITY GROUP ag WITH (AUTOMATED_BACKUP_PREFERENCE = SECONDARY_ONLY, FAILURE_CONDITION_LEVEL = 3, HEALTH_CHECK_TIMEOUT = 600000, DB_FAILOVER = ON, DTC_SUPPORT = PER_DB, BASIC, CONTAINED REUSE_SYSTEM_DATABASES, REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1, CLUSTER_TYPE = EXTERNAL, CLUSTER_TYPE = WSFC) FOR REPLICA ON 'a' WITH (ENDPOINT_URL = 'TCP://a:5022', BACKUP_PRIORITY = 50, SESSION_TIMEOUT = 10, PRIMARY_ROLE (ALLOW_CONNECTIONS = READ_WRITE, READ_ONLY_ROUTING_LIST = (('b', 'c'), 'a'), READ_WRITE_ROUTING_URL = 'TCP://a:1433'), SECONDARY_ROLE (ALLOW_CONNECTIONS = READ_ONLY, READ_ONLY_ROUTING_URL = 'TCP://a:1433')), 'b' WITH (ENDPOINT_URL = 'TCP://b:5022')",
        "CREATE AVAILABILITY GROUP [ag] WITH (AUTOMATED_BACKUP_PREFERENCE = SECONDARY_ONLY, FAILURE_CONDITION_LEVEL = 3, HEALTH_CHECK_TIMEOUT = 600000, DB_FAILOVER = ON, DTC_SUPPORT = PER_DB, BASIC, CONTAINED REUSE_SYSTEM_DATABASES, REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1, CLUSTER_TYPE = EXTERNAL, CLUSTER_TYPE = WSFC) FOR REPLICA ON N'a' WITH (ENDPOINT_URL = N'TCP://a:5022', BACKUP_PRIORITY = 50, SESSION_TIMEOUT = 10, PRIMARY_ROLE (ALLOW_CONNECTIONS = READ_WRITE, READ_ONLY_ROUTING_LIST = ((N'b', N'c'), N'a'), READ_WRITE_ROUTING_URL = N'TCP://a:1433'), SECONDARY_ROLE (ALLOW_CONNECTIONS = READ_ONLY, READ_ONLY_ROUTING_URL = N'TCP://a:1433')), N'b' WITH (ENDPOINT_URL = N'TCP://b:5022')",
    );
    check(
        "CREATE AVAILABILITY GROUP [DAG] WITH (DISTRIBUTED) AVAILABILITY GROUP ON N'AG' WITH (LISTENER_URL = 'TCP://10.0.0.4:5022', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC, SESSION_TIMEOUT = 20), N'AG_MI' WITH (LISTENER_URL = 'tcp://mi.abc.database.windows.net:5022;Server=[mi]', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
        "CREATE AVAILABILITY GROUP [DAG] WITH (DISTRIBUTED) AVAILABILITY GROUP ON N'AG' WITH (LISTENER_URL = N'TCP://10.0.0.4:5022', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC, SESSION_TIMEOUT = 20), N'AG_MI' WITH (LISTENER_URL = N'tcp://mi.abc.database.windows.net:5022;Server=[mi]', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
    );
    refused(
        "CREATE AVAILABILITY GROUP g FOR REPLICA ON 'a' WITH (ENDPOINT_URL = 'x') LISTENER 'l' (WITH IP ((N'10.0.0.5', N'255.255.255.0')), PORT = 1433)",
        "CREATE AVAILABILITY GROUP LISTENER",
    );
    wrong(
        "CREATE AVAILABILITY GROUP g FOR REPLICA ON 'a' WITH (LISTENER_URL = 'x')",
        "102: Incorrect syntax near 'LISTENER_URL'.",
    );
    wrong("CREATE AVAILABILITY GROUP g WITH (CLUSTER_TYPE = MANY)", "102: Incorrect syntax near 'MANY'.");
}

#[test]
fn a_distributed_group_without_the_word_and_one_with_too_many_keep_what_was_written() {
    let StatementKind::AvailabilityGroup(AvailabilityGroupStatement::Create(create)) = one(
        "CREATE AVAILABILITY GROUP d WITH (Distributed, Cluster_Type = NONE) AVAILABILITY GROUP ON 'a' WITH (LISTENER_URL = 'x')",
    ) else {
        panic!()
    };
    let names: Vec<_> = create.options.iter().map(|o| o.spelling.value.as_str()).collect();
    assert_eq!(names, ["Distributed", "Cluster_Type"]);
    let StatementKind::AvailabilityGroup(AvailabilityGroupStatement::Create(create)) =
        one("CREATE AVAILABILITY GROUP d AVAILABILITY GROUP ON 'a' WITH (LISTENER_URL = 'x')")
    else {
        panic!()
    };
    assert!(create.options.is_empty() && create.groups.len() == 1 && create.replicas.is_empty());
}

#[test]
fn changes_of_groups() {
    for (written, printed) in [
        ("SET (ROLE = SECONDARY)", "SET (ROLE = SECONDARY)"),
        (
            "set (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1)",
            "SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1)",
        ),
        ("ADD DATABASE a, [b c]", "ADD DATABASE [a], [b c]"),
        ("REMOVE DATABASE a", "REMOVE DATABASE [a]"),
        (
            "ADD REPLICA ON 'x' WITH (ENDPOINT_URL = 'TCP://x:5022')",
            "ADD REPLICA ON N'x' WITH (ENDPOINT_URL = N'TCP://x:5022')",
        ),
        (
            "MODIFY REPLICA ON 'x' WITH (SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL))",
            "MODIFY REPLICA ON N'x' WITH (SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL))",
        ),
        (
            "MODIFY REPLICA ON 'x' WITH (PRIMARY_ROLE (READ_ONLY_ROUTING_LIST = NONE))",
            "MODIFY REPLICA ON N'x' WITH (PRIMARY_ROLE (READ_ONLY_ROUTING_LIST = NONE))",
        ),
        ("REMOVE REPLICA ON 'x', 'y'", "REMOVE REPLICA ON N'x', N'y'"),
        (
            "MODIFY AVAILABILITY GROUP ON 'a' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT), 'b' WITH (SEEDING_MODE = MANUAL)",
            "MODIFY AVAILABILITY GROUP ON N'a' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT), N'b' WITH (SEEDING_MODE = MANUAL)",
        ),
        ("JOIN", "JOIN"),
        ("JOIN WITH (CLUSTER_TYPE = NONE)", "JOIN WITH (CLUSTER_TYPE = NONE)"),
        (
            "JOIN AVAILABILITY GROUP ON 'a' WITH (LISTENER_URL = 'tcp://a:5022'), 'b' WITH (LISTENER_URL = 'tcp://b:5022')",
            "JOIN AVAILABILITY GROUP ON N'a' WITH (LISTENER_URL = N'tcp://a:5022'), N'b' WITH (LISTENER_URL = N'tcp://b:5022')",
        ),
        ("FAILOVER", "FAILOVER"),
        ("FORCE_FAILOVER_ALLOW_DATA_LOSS", "FORCE_FAILOVER_ALLOW_DATA_LOSS"),
        ("GRANT CREATE ANY DATABASE", "GRANT CREATE ANY DATABASE"),
        ("DENY CREATE ANY DATABASE", "DENY CREATE ANY DATABASE"),
        ("OFFLINE", "OFFLINE"),
    ] {
        check(
            &format!("ALTER AVAILABILITY GROUP [g] {written}"),
            &format!("ALTER AVAILABILITY GROUP [g] {printed}"),
        );
    }
    check("DROP AVAILABILITY GROUP g", "DROP AVAILABILITY GROUP [g]");
    refused(
        "ALTER AVAILABILITY GROUP g ADD LISTENER 'l' (WITH DHCP)",
        "ALTER AVAILABILITY GROUP ADD LISTENER",
    );
    refused("ALTER AVAILABILITY GROUP g RESTART LISTENER 'l'", "ALTER AVAILABILITY GROUP RESTART LISTENER");
    wrong(
        "ALTER AVAILABILITY GROUP g SET (DISTRIBUTED)",
        "156: Incorrect syntax near the keyword 'DISTRIBUTED'.",
    );
}

#[test]
fn a_databases_part() {
    for what in ["SUSPEND", "RESUME", "OFF", "AVAILABILITY GROUP = [g]"] {
        check(&format!("alter database d set hadr {what}"), &format!("ALTER DATABASE [d] SET HADR {what}"));
    }
    check("ALTER DATABASE CURRENT SET HADR OFF", "ALTER DATABASE CURRENT SET HADR OFF");
    wrong("ALTER DATABASE d SET HADR", "102: Incorrect syntax near 'HADR'.");
}

#[test]
fn statements_of_a_link_need_no_separators_and_end_where_the_next_begins() {
    let text = "USE master CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'x' OPEN MASTER KEY DECRYPTION BY PASSWORD = 'x'
        CREATE CERTIFICATE c WITH SUBJECT = 's' DROP CERTIFICATE c
        CREATE ENDPOINT e STATE = STARTED AS TCP (LISTENER_PORT = 5022) FOR DATABASE_MIRRORING (ROLE = ALL)
        GRANT CONNECT ON ENDPOINT::e TO a GRANT CONNECT ON ENDPOINT::e TO b
        ALTER AVAILABILITY GROUP g GRANT CREATE ANY DATABASE ALTER AVAILABILITY GROUP g JOIN
        ALTER DATABASE d SET HADR RESUME SELECT 1 DBCC TRACEON(1800, 9567, -1) DBCC TRACESTATUS";
    let batch = parse_batch(text, &ParseOptions::default()).unwrap();
    assert_eq!(batch.statements.len(), 14);
}

#[test]
fn no_cut_of_these_statements_makes_the_parser_panic() {
    let source = include_str!("hadr.rs");
    for line in source.lines().map(|l| l.trim().trim_matches(['"', ','])).filter(|l| l.contains(' ')) {
        for cut in 0..line.len() {
            if let Some(head) = line.get(..cut) {
                parse_batch(head, &ParseOptions::default()).ok();
            }
        }
    }
    let deep = format!("CREATE AVAILABILITY GROUP g WITH {}", "(".repeat(50_000));
    assert!(parse_batch(&deep, &ParseOptions::default()).is_err());
}
