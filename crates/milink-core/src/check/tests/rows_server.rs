//! Rows about the two instances, Azure, rights and the network.

use super::world::*;
use crate::facts::policy::UpdatePolicy;
use crate::finding::Status::{Failed, Pass, Skipped, Unknown, Warning};
use crate::names::{FailoverMode, LinkMode, Side};
use crate::observe::*;

fn version(w: &mut World, text: &str) {
    w.sql().version = text.parse().unwrap();
}

fn without_right(w: &mut World, tail: &str) {
    let tail = tail.to_owned();
    w.azure().actions.iter_mut().filter(|(a, _)| a.ends_with(&tail)).for_each(|(_, may)| *may = false);
}

fn ordinary(w: &mut World, permissions: &[&str]) {
    w.sql().is_sysadmin = Some(false);
    w.sql().permissions = permissions.iter().map(|p| (*p).to_owned()).collect();
}

fn cut(w: &mut World, from: Side, vantage: Vantage, hop: Hop) {
    w.seen.probes.retain(|p| p.to == from);
    let mut probe = whole_probe(from);
    probe.from = vantage;
    probe.hops.retain(|h| h.hop <= hop);
    if let Some(last) = probe.hops.last_mut() {
        last.ok = false;
        last.text = "timed out".to_owned();
    }
    w.seen.probes.push(probe);
}

fn seeding_now(w: &mut World) {
    w.sql().seedings = vec![Seeding {
        database: "Sales".to_owned(),
        role: Some("Source".to_owned()),
        state: "SEEDING".to_owned(),
        started: Some(now()),
        ended: None,
        transferred_bytes: 1,
        size_bytes: 10,
        rate_bytes: 1,
        estimate: None,
        attempts: 1,
        failure_code: None,
        failure: None,
    }];
}

fn many_links(w: &mut World, count: usize) {
    w.azure().links =
        (0..count).map(|n| azure_link(&format!("l{n}"), &format!("AG_l{n}_MI"), &format!("Db{n}"))).collect();
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("server.reachable", |_| {}, Pass, "16.0.4125.3"),
        row("server.reachable", World::without_sql, Unknown, "connection refused"),
        row("server.product", |w| w.sql().engine_edition = 8, Failed, "8"),
        row("server.product", World::without_sql, Unknown, "SQL Server does not answer"),
        row("server.version", |w| version(w, "15.0.4300.1"), Failed, "15.0.4300.1"),
        row("server.version", |w| version(w, "12.0.6024.0"), Failed, "12.0.6024.0"),
        row("server.version", |w| version(w, "18.0.100.1"), Unknown, "18.0.100.1"),
        row("server.version", |w| version(w, "14.0.3490.10"), Pass, "14.0.3490.10"),
        row("server.version", |w| version(w, "14.0.3456.2"), Failed, "14.0.3456.2"),
        row("server.servicing", |w| w.sql().can_add_issuers = Some(false), Failed, "does not exist"),
        row("server.servicing", |w| w.sql().can_add_issuers = None, Unknown, "may not see"),
        row("server.edition", |w| w.sql().edition = "Express Edition (64-bit)".to_owned(), Failed, "Express"),
        row("server.edition", |w| w.sql().edition = "Standard Edition (64-bit)".to_owned(), Pass, "Standard"),
        row(
            "server.edition",
            |w| w.multi_database().sql().edition = "Standard Edition (64-bit)".to_owned(),
            Failed,
            "Standard",
        ),
        row(
            "server.edition",
            |w| w.sql().edition = "Enterprise Evaluation Edition".to_owned(),
            Unknown,
            "Evaluation",
        ),
        row("server.start-from-managed", |_| {}, Skipped, "SQL Server is the initial primary"),
        row("server.start-from-managed", |w| w.from_managed().end(), Pass, "update policy SQL Server 2022"),
        row("server.start-from-managed", |w| version(w.from_managed(), "16.0.4085.2"), Failed, "16.0.4085.2"),
        row("server.start-from-managed", |w| version(w.from_managed(), "15.0.4312.2"), Failed, "15.0.4312.2"),
        row(
            "server.start-from-managed",
            |w| w.from_managed().azure().update_policy = Some(UpdatePolicy::AlwaysUpToDate),
            Failed,
            "always-up-to-date",
        ),
        row(
            "server.start-from-managed",
            |w| w.from_managed().without_azure(),
            Unknown,
            "Azure does not answer",
        ),
        // A build that never can is a no without Azure's word.
        row(
            "server.start-from-managed",
            |w| {
                version(w.from_managed(), "15.0.4312.2");
                w.without_azure();
            },
            Failed,
            "15.0.4312.2",
        ),
        row("server.two-way", |_| {}, Skipped, "one-way"),
        row("server.two-way", |w| version(w, "15.0.4312.2"), Skipped, "ends it"),
        row("server.two-way", |w| w.link.failover_mode = FailoverMode::TwoWay, Pass, "16.0.4125.3"),
        row(
            "server.two-way",
            |w| {
                w.link.failover_mode = FailoverMode::TwoWay;
                w.azure().update_policy = Some(UpdatePolicy::SqlServer2025);
            },
            Failed,
            "SQL Server 2025",
        ),
        row(
            "server.two-way",
            |w| {
                w.link.failover_mode = FailoverMode::TwoWay;
                w.azure().update_policy = None;
            },
            Unknown,
            "unknown",
        ),
        row("server.multi-database", |_| {}, Skipped, "one database"),
        row("server.multi-database", |w| w.multi_database().end(), Pass, "16.0.4225.2"),
        row("server.multi-database", |w| version(w.multi_database(), "15.0.4312.2"), Failed, "15.0.4312.2"),
        row(
            "server.multi-database",
            |w| w.multi_database().sql().multi_database = None,
            Unknown,
            "16.0.4225.2",
        ),
        row("server.multi-database-opt-in", |w| w.multi_database().end(), Pass, "1"),
        row(
            "server.multi-database-opt-in",
            |w| w.multi_database().sql().multi_database = Some(false),
            Failed,
            "0",
        ),
        row(
            "server.multi-database-opt-in",
            |w| w.multi_database().sql().multi_database = None,
            Unknown,
            "no such procedure",
        ),
        row("server.hadr", |w| w.sql().hadr_enabled = Some(false), Failed, "IsHadrEnabled 0"),
        row("server.hadr", |w| w.sql().hadr_enabled = None, Unknown, "NULL"),
        row("server.cluster", |_| {}, Skipped, "needs no cluster"),
        row("server.cluster", |w| version(w, "13.0.7000.253"), Pass, "on a node only"),
        row(
            "server.cluster",
            |w| {
                version(w, "13.0.7000.253");
                w.sql().hadr_enabled = Some(false);
            },
            Unknown,
            "only when Always On is enabled",
        ),
        row("server.trace-flag-1800", |w| w.sql().trace_flags = Some(vec![9567]), Warning, "1800 is off"),
        row("server.trace-flag-1800", |w| w.sql().trace_flags = None, Unknown, "TRACESTATUS"),
        row("server.trace-flag-9567", |w| w.sql().trace_flags = Some(vec![1800]), Warning, "9567 is off"),
        row("server.trace-flag-9567", |w| w.sql().trace_flags = None, Unknown, "TRACESTATUS"),
        row("server.trace-flag-12381", |_| {}, Pass, "to be seeded"),
        row("server.trace-flag-12381", |w| w.sql().trace_flags = Some(vec![12381]), Pass, "to be seeded"),
        row("server.trace-flag-12381", seeding_now, Warning, "off, and a database is being seeded"),
        row(
            "server.trace-flag-12381",
            |w| {
                w.linked();
                w.sql().trace_flags = Some(vec![12381]);
            },
            Warning,
            "on, and nothing is seeded",
        ),
        row("server.trace-flag-12381", |w| w.sql().trace_flags = None, Unknown, "TRACESTATUS"),
        row(
            "server.trace-flag-12381",
            |w| w.from_managed().end(),
            Skipped,
            "nothing is seeded from SQL Server",
        ),
        row(
            "server.collation",
            |w| w.managed().collation = "SQL_Latin1_General_CP1_CS_AS".to_owned(),
            Failed,
            "_CS_",
        ),
        row(
            "server.collation",
            |w| w.managed().collation = "Latin1_General_100_CI_AS".to_owned(),
            Warning,
            "Latin1_General_100",
        ),
        row(
            "server.collation",
            |w| {
                w.without_managed();
                w.azure().collation = None;
            },
            Unknown,
            "managed instance does not answer",
        ),
        row("server.collation", World::without_managed, Pass, "SQL_Latin1"),
        row("server.capacity", |w| w.azure().v_cores = Some(4), Pass, "4 vCores"),
        row("server.capacity", |w| w.sql().cpu_count = Some(32), Warning, "32 processors"),
        row("server.capacity", |w| w.sql().cpu_count = None, Unknown, "sys.dm_os_sys_info"),
        row("managed.reachable", World::without_managed, Unknown, "time-out"),
        row("managed.product", |w| w.managed().engine_edition = 3, Failed, "3"),
        row("managed.product", World::without_managed, Unknown, "time-out"),
        row("azure.reachable", World::without_azure, Unknown, "AuthorizationFailed"),
        row("azure.state", |w| w.azure().state = "Stopped".to_owned(), Failed, "Stopped"),
        row("azure.state", World::without_azure, Unknown, "AuthorizationFailed"),
        row(
            "azure.operations",
            |w| {
                w.azure().operations = vec![RunningOperation {
                    operation: "UpdateManagedServer".to_owned(),
                    state: "InProgress".to_owned(),
                    percent: Some(40),
                }];
            },
            Failed,
            "UpdateManagedServer (InProgress, 40 %)",
        ),
        row("azure.operations", World::without_azure, Unknown, "AuthorizationFailed"),
        row(
            "azure.failover-group",
            |w| w.azure().in_failover_group = Some(true),
            Failed,
            "in a failover group",
        ),
        row("azure.failover-group", |w| w.azure().in_failover_group = None, Unknown, "could not be read"),
        row(
            "azure.update-policy",
            |w| version(w, "17.0.1000.7"),
            Failed,
            "SQL Server 2025, update policy SQL Server 2022",
        ),
        row("azure.update-policy", |w| w.azure().update_policy = None, Unknown, "unknown"),
        row("azure.update-policy", |w| version(w, "12.0.6024.0"), Unknown, "no release"),
        row("azure.update-policy", |w| w.from_managed().end(), Skipped, "start-from-managed"),
        row("azure.links", |w| many_links(w, 99), Pass, "99 links there and 1 to come, of 100"),
        row("azure.links", |w| many_links(w, 100), Failed, "100 links there and 1 to come, of 100"),
        row(
            "azure.links",
            |w| {
                many_links(w, 100);
                w.azure().tier = Tier::NextGenGeneralPurpose;
            },
            Pass,
            "of 500",
        ),
        row("azure.links", World::without_azure, Unknown, "AuthorizationFailed"),
        row(
            "azure.databases",
            |w| w.azure().databases = (0..100).map(|n| online(&format!("Db{n}"))).collect(),
            Failed,
            "100 databases there and 1 to come",
        ),
        row("azure.databases", World::without_azure, Unknown, "AuthorizationFailed"),
        row("azure.databases", |w| w.from_managed().end(), Skipped, "no database is added"),
        row("azure.storage", |w| w.database().size_bytes = 300 * GIB, Failed, "of 256 GB"),
        row("azure.storage", |w| w.database().size_bytes = 250 * GIB, Warning, "of 256 GB"),
        row("azure.storage", |w| w.azure().storage_gb = None, Unknown, "storageSizeInGB"),
        row("azure.storage", World::without_managed, Unknown, "time-out"),
        row("azure.storage", |w| w.database().size_bytes = 0, Unknown, "may not see the files"),
        row("azure.storage", |w| w.from_managed().end(), Skipped, "there already"),
        row("permissions.sql-server", |w| ordinary(w, &["CONTROL SERVER"]), Pass, "CONTROL SERVER"),
        row(
            "permissions.sql-server",
            |w| ordinary(w, &["CONNECT SQL", "VIEW SERVER STATE"]),
            Failed,
            "ALTER ANY ENDPOINT",
        ),
        row(
            "permissions.sql-server",
            |w| {
                ordinary(
                    w,
                    &[
                        "ALTER ANY AVAILABILITY GROUP",
                        "ALTER ANY DATABASE",
                        "ALTER ANY ENDPOINT",
                        "VIEW ANY DEFINITION",
                        "VIEW SERVER STATE",
                    ],
                );
            },
            Warning,
            "not in sysadmin",
        ),
        row("permissions.sql-server", |w| ordinary(w, &[]), Unknown, "could be read"),
        row(
            "permissions.managed",
            |w| {
                w.managed().is_sysadmin = Some(false);
                w.managed().permissions = vec!["CONNECT SQL".to_owned(), "VIEW ANY DEFINITION".to_owned()];
            },
            Failed,
            "without VIEW SERVER STATE",
        ),
        row(
            "permissions.managed",
            |w| {
                w.managed().is_sysadmin = Some(false);
                w.managed().permissions =
                    vec!["VIEW SERVER PERFORMANCE STATE".to_owned(), "VIEW ANY DEFINITION".to_owned()];
            },
            Pass,
            "VIEW SERVER STATE",
        ),
        row("permissions.managed", World::without_managed, Unknown, "time-out"),
        row(
            "permissions.azure-watch",
            |w| without_right(w, "/serverTrustCertificates/read"),
            Failed,
            "serverTrustCertificates/read",
        ),
        row("permissions.azure-watch", |w| w.azure().actions.clear(), Unknown, "does not tell"),
        row(
            "permissions.azure-create",
            |w| without_right(w, "/serverTrustCertificates/write"),
            Failed,
            "upload SQL Server's certificate",
        ),
        row("permissions.azure-create", |w| w.azure().actions.clear(), Unknown, "does not tell"),
        row(
            "permissions.azure-failover",
            |w| without_right(w, "/failover/action"),
            Warning,
            "failover/action",
        ),
        row("permissions.azure-failover", |w| w.azure().actions.clear(), Unknown, "does not tell"),
        row(
            "permissions.azure-delete",
            |w| without_right(w, "/distributedAvailabilityGroups/delete"),
            Warning,
            "delete",
        ),
        row("permissions.azure-delete", World::without_azure, Unknown, "AuthorizationFailed"),
        // What is only perhaps needed is named, and stops nothing.
        row(
            "permissions.azure-create",
            |w| without_right(w, "AzureAsyncOperation/read"),
            Pass,
            "perhaps not needed",
        ),
        row("network.to-managed", |_| {}, Pass, "every hop is fine"),
        row(
            "network.to-managed",
            |w| cut(w, Side::SqlServer, Vantage::SqlServer, Hop::Tcp),
            Failed,
            "TCP failed: timed out",
        ),
        row(
            "network.to-managed",
            |w| cut(w, Side::SqlServer, Vantage::Here, Hop::Tcp),
            Unknown,
            "nobody has tried",
        ),
        row(
            "network.to-managed",
            |w| cut(w, Side::SqlServer, Vantage::Here, Hop::Protocol),
            Failed,
            "protocol failed",
        ),
        row("network.to-managed", |w| w.seen.probes.clear(), Unknown, "no probe was made"),
        row(
            "network.to-managed",
            |w| {
                w.linked();
                w.seen.probes.clear();
            },
            Pass,
            "link sales is connected",
        ),
        row(
            "network.to-managed",
            |w| {
                w.linked();
                w.seen.probes.clear();
                let remote = &mut w.sql().groups[1].replicas[1];
                remote.connected = Some(false);
                remote.last_connect_error =
                    Some(ConnectError { number: 35250, text: "no".to_owned(), at: None });
            },
            Failed,
            "SQL Server says that link sales is disconnected: error 35250",
        ),
        // What the two sides see goes before what this machine sees of places, and after what it sees of the endpoint itself.
        row(
            "network.to-managed",
            |w| {
                w.linked();
                cut(w, Side::SqlServer, Vantage::Here, Hop::Protocol);
            },
            Pass,
            "SQL Server says that link sales is connected",
        ),
        row(
            "network.to-managed",
            |w| {
                w.linked();
                cut(w, Side::SqlServer, Vantage::Here, Hop::Tcp);
                let remote = &mut w.sql().groups[1].replicas[1];
                remote.connected = Some(false);
                remote.last_connect_error =
                    Some(ConnectError { number: 35250, text: "no".to_owned(), at: None });
            },
            Failed,
            "from this machine to host:5022: TCP failed: timed out",
        ),
        // A half that Azure does not know yet cannot be connected, whatever the network is like.
        row(
            "network.to-managed",
            |w| {
                w.linked();
                w.seen.probes.clear();
                w.azure().links.clear();
                let remote = &mut w.sql().groups[1].replicas[1];
                remote.connected = Some(false);
                remote.last_connect_error =
                    Some(ConnectError { number: 35250, text: "no".to_owned(), at: None });
            },
            Unknown,
            "no probe was made",
        ),
        row(
            "network.to-sql-server",
            |w| cut(w, Side::Managed, Vantage::Managed, Hop::Dns),
            Failed,
            "DNS failed",
        ),
        row(
            "network.to-sql-server",
            |w| {
                w.linked();
                w.seen.probes.clear();
                w.managed().groups.clear();
                w.azure().links[0].databases[0].connected = Some(true);
            },
            Pass,
            "Azure says that link sales is connected",
        ),
        row(
            "network.to-sql-server",
            |w| {
                w.linked();
                w.seen.probes.clear();
                w.managed().groups.clear();
                let database = &mut w.azure().links[0].databases[0];
                (database.connected, database.error) = (Some(false), Some(41986));
            },
            Failed,
            "Azure says that link sales is disconnected: error 41986",
        ),
        row(
            "network.to-sql-server",
            |w| w.seen.probes.retain(|p| p.to == Side::Managed),
            Unknown,
            "no probe was made",
        ),
        row(
            "network.to-sql-server",
            |w| w.seen.probes.iter_mut().for_each(|p| p.hops.truncate(3)),
            Unknown,
            "ended after TLS",
        ),
        row(
            "network.to-sql-server",
            |w| w.seen.probes.iter_mut().for_each(|p| p.from = Vantage::Here),
            Unknown,
            "from the managed instance itself nobody has tried",
        ),
        row("link.mode", |w| w.link.link_mode = LinkMode::SingleDatabase, Pass, "no link of the other mode"),
    ]
}
