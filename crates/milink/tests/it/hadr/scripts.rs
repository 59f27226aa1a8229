//! The documented scripts, statement by statement, by `milink sql` as an administrator would run them.

use super::contents::assert_same;
use super::pair::{Pair, Setup, database_state, replica_state, state};
use super::server::Server;
use super::{SOON, eventually, until};

fn corpus(name: &str) -> String {
    let path = format!("{}/../../../shared/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Runs a script with `milink sql -i`.
fn script(server: &Server, database: &str, text: &str) {
    let file = server.data().with_extension("sql");
    std::fs::write(&file, text).unwrap();
    let out = server.lab().sql(&["-b", "-d", database, "-i", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}: {}", server.name, String::from_utf8_lossy(&out.stderr));
}

/// Section 4.2 on one side, but for the exchange; what is there already is left alone, as the documents have it.
fn trust_script(server: &Server) -> String {
    let (name, port) = (&server.name, server.endpoint_port);
    format!(
        "USE MASTER
IF NOT EXISTS (SELECT 1 FROM sys.symmetric_keys WHERE symmetric_key_id = 101)
BEGIN
    PRINT 'Creating master key.' + CHAR(13) + 'Keep the password confidential and in a secure place.'
    CREATE MASTER KEY ENCRYPTION BY PASSWORD = '<Str0ng>password'
END
ELSE
    PRINT 'Master key already exists.'
GO
USE MASTER
GO
SELECT * FROM sys.symmetric_keys WHERE name LIKE '%DatabaseMasterKey%'
GO
DECLARE @sqlserver_certificate_name NVARCHAR(MAX) = N'Cert_' + @@servername + N'_endpoint'
DECLARE @sqlserver_certificate_subject NVARCHAR(MAX) = N'Certificate for ' + @sqlserver_certificate_name
DECLARE @create_sqlserver_certificate_command NVARCHAR(MAX) = N'CREATE CERTIFICATE [' + @sqlserver_certificate_name + '] ' + char(13) +
'    WITH SUBJECT = ''' + @sqlserver_certificate_subject + ''',' + char(13) +
'    EXPIRY_DATE = ''03/30/2099'''
IF NOT EXISTS (SELECT name FROM sys.certificates WHERE name = @sqlserver_certificate_name)
BEGIN
    PRINT (@create_sqlserver_certificate_command)
    EXEC sp_executesql @stmt = @create_sqlserver_certificate_command
END
ELSE
    PRINT 'Certificate ' + @sqlserver_certificate_name + ' already exists.'
GO
SELECT * FROM sys.certificates WHERE pvt_key_encryption_type = 'MK'
GO
SELECT name, type_desc, state_desc, role_desc, connection_auth_desc, is_encryption_enabled, encryption_algorithm_desc
FROM sys.database_mirroring_endpoints WHERE type_desc = 'DATABASE_MIRRORING'
GO
CREATE ENDPOINT database_mirroring_endpoint
    STATE=STARTED
    AS TCP (LISTENER_PORT={port}, LISTENER_IP = ALL)
    FOR DATABASE_MIRRORING (
        ROLE=ALL,
        AUTHENTICATION = CERTIFICATE [Cert_{name}_endpoint],
        ENCRYPTION = REQUIRED ALGORITHM AES
    )
GO
"
    )
}

/// Section 4.2, steps 3 to 5, and 6 for what another authority has signed.
fn exchange(from: &Server, to: &Server) {
    let name = format!("Cert_{}_endpoint", from.name);
    let shown = from.lab().query(
        "master",
        "DECLARE @sqlserver_certificate_name NVARCHAR(MAX) = N'Cert_' + @@servername + N'_endpoint' \
         DECLARE @PUBLICKEYENC VARBINARY(MAX) = CERTENCODED(CERT_ID(@sqlserver_certificate_name)) \
         SELECT @PUBLICKEYENC AS PublicKeyEncoded",
    );
    let [key] = &shown[..] else { panic!("{shown:?}") };
    let key = if key.starts_with("0x") { key.clone() } else { format!("0x{key}") };
    script(
        to,
        "master",
        &format!(
            "USE master
CREATE CERTIFICATE [{name}] FROM BINARY = {key}
GO
DECLARE @CERTID int
SELECT @CERTID = CERT_ID('{name}')
EXEC sp_certificate_add_issuer @CERTID, N'*.database.windows.net'
GO
SELECT * FROM sys.certificates
GO
"
        ),
    );
}

/// Sections 4.3 and 1 between two SQL Servers: `a` has the database.
fn link_script(pair: &Pair, a: &Server, b: &Server, urls: [&str; 2], db: &str) {
    let folder = pair.folder.path().display();
    let [url_a, url_b] = urls;
    script(
        a,
        "master",
        &format!(
            "USE MASTER
ALTER DATABASE [{db}] SET RECOVERY FULL
GO
BACKUP DATABASE [{db}] TO DISK = N'{folder}/{db}.bak' WITH CHECKSUM
GO
CREATE AVAILABILITY GROUP [AG_{db}]
WITH (CLUSTER_TYPE = NONE)
    FOR database [{db}]
    REPLICA ON
        N'{}' WITH
            (
            ENDPOINT_URL = '{url_a}',
            AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
            FAILOVER_MODE = MANUAL,
            SEEDING_MODE = AUTOMATIC
            );
GO
",
            a.name
        ),
    );
    let members = format!(
        "    N'AG_{db}' WITH
    (
        LISTENER_URL = '{url_a}',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC,
        SESSION_TIMEOUT = 20
    ),
    N'AG_{db}_B' WITH
    (
        LISTENER_URL = '{url_b}',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    );
"
    );
    script(
        b,
        "master",
        &format!(
            "USE MASTER
CREATE AVAILABILITY GROUP [AG_{db}_B]
WITH (CLUSTER_TYPE = NONE)
    FOR REPLICA ON
        N'{}' WITH
            (
            ENDPOINT_URL = '{url_b}',
            AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
            FAILOVER_MODE = MANUAL,
            SEEDING_MODE = AUTOMATIC
            );
GO
ALTER AVAILABILITY GROUP [AG_{db}_B] GRANT CREATE ANY DATABASE
GO
",
            b.name
        ),
    );
    script(
        a,
        "master",
        &format!(
            "USE MASTER
CREATE AVAILABILITY GROUP [DAG_{db}]
WITH (DISTRIBUTED)
    AVAILABILITY GROUP ON
{members}GO
SELECT * FROM sys.availability_groups
GO
"
        ),
    );
    // Section 4.3, step 12: both are there; the distributed one has nobody at the other end yet.
    let groups = a.run(&format!(
        "SELECT name, is_distributed, cluster_type_desc FROM sys.availability_groups WHERE name LIKE N'%{db}' ORDER BY name"
    ));
    assert_eq!(
        groups,
        [[format!("AG_{db}"), "0".into(), "NONE".into()], [format!("DAG_{db}"), "1".into(), "NONE".into()]]
    );
    let dag = format!("DAG_{db}");
    assert_eq!(replica_state(a, &format!("DAG_{db}"), true, "role_desc"), "PRIMARY");
    script(
        b,
        "master",
        &format!("USE MASTER\nALTER AVAILABILITY GROUP [{dag}] JOIN AVAILABILITY GROUP ON\n{members}GO\n"),
    );
    // Step 15.
    until("the other side is connected", &"CONNECTED".to_owned(), || {
        replica_state(a, &dag, false, "connected_state_desc")
    });
    until("it follows", &"SYNCHRONIZING".to_owned(), || state(a, &dag, false));
    until("it is readable", &"ONLINE".to_owned(), || database_state(b, &dag, true, "database_state_desc"));
    // Step 16.
    script(a, "master", &format!("BACKUP LOG [{db}] TO DISK = N'{folder}/{db}.trn' WITH CHECKSUM\nGO\n"));
}

/// Until the secondary shows as many rows of a table as the primary has.
fn wait_rows(primary: &Server, secondary: &Server, db: &str, table: &str) {
    let query = format!("SELECT COUNT(*) FROM {table}");
    let wanted = primary.sql(db).one(&query);
    eventually(&format!("{table} has {wanted} rows"), SOON, || match secondary.sql(db).rows(&query) {
        Ok(rows) if rows == [[wanted.clone()]] => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// Chinook is seeded, Northwind is made under way, and both follow what comes after.
#[test]
fn two_sql_servers_by_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let a = Server::start(folder.path(), "SQLA", &[]);
    let b = Server::start(folder.path(), "SQLB", &[]);
    for server in [&a, &b] {
        script(server, "master", &trust_script(server));
    }
    exchange(&a, &b);
    exchange(&b, &a);
    drop_nothing_twice(&a);
    let urls = [&a, &b].map(|s| format!("TCP://127.0.0.1:{}", s.endpoint_port));
    let pair = Pair::of(a, b, folder);
    let (a, b) = (&pair.a, &pair.b);
    // The database comes with its script.
    script(a, "master", &corpus("Chinook_SqlServer.sql"));
    link_script(&pair, a, b, urls.each_ref().map(String::as_str), "Chinook");
    let chinook = assert_same(a, b, "Chinook");
    assert_eq!((chinook.tables(), chinook.rows()), (11, 15_607));
    a.run("CREATE DATABASE [Northwind]");
    link_script(&pair, a, b, urls.each_ref().map(String::as_str), "Northwind");
    script(a, "Northwind", &corpus("instnwnd.sql"));
    a.sql("Northwind").run("CREATE TABLE marker (n int) INSERT INTO marker VALUES (1)");
    eventually("the end of the script is there", SOON, || {
        b.sql("Northwind").rows("SELECT n FROM marker").map_err(|e| format!("{e:?}"))
    });
    let northwind = assert_same(a, b, "Northwind");
    assert_eq!((northwind.tables(), northwind.rows()), (14, 3_309));
    assert_eq!(
        b.lab().query("Northwind", "EXEC [Ten Most Expensive Products]").first().map(String::as_str),
        Some("Côte de Blaye\t263.5000")
    );
    // Both go on, each by its own group.
    a.sql("Chinook")
        .run("DELETE FROM PlaylistTrack WHERE PlaylistId = 1 UPDATE Track SET UnitPrice = UnitPrice + 1");
    a.sql("Northwind").run(
        "UPDATE Products SET UnitPrice = UnitPrice * 2 DELETE FROM [Order Details] WHERE OrderID = 10248",
    );
    wait_rows(a, b, "Chinook", "PlaylistTrack");
    wait_rows(a, b, "Northwind", "[Order Details]");
    for (db, query) in [
        ("Chinook", "SELECT SUM(UnitPrice) FROM Track"),
        ("Northwind", "SELECT SUM(UnitPrice) FROM Products"),
    ] {
        let wanted = a.sql(db).one(query);
        until(query, &wanted, || b.sql(db).one(query));
        assert_same(a, b, db);
    }
}

/// The script may be run again: it makes nothing twice, but for the endpoint, of which there is one at most.
fn drop_nothing_twice(server: &Server) {
    let file = server.data().with_extension("again.sql");
    std::fs::write(&file, trust_script(server)).unwrap();
    let out = server.lab().sql(&["-b", "-i", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(!out.status.success() && said.contains("Msg 15"), "{said}");
    assert!(said.contains("Master key already exists."), "{said}");
}

/// Section 7.8: the copy that followed becomes a database of its own, readable and writable.
#[test]
fn removing_the_link_leaves_two_databases() {
    let pair = Pair::linked(Setup::default());
    pair.a.sql(super::pair::DB).run("INSERT INTO totals VALUES (1, 1)");
    pair.wait_equal(&pair.a);
    for server in [&pair.b, &pair.a] {
        server.run("DROP AVAILABILITY GROUP [DAG_Db1]");
    }
    pair.a.run("DROP AVAILABILITY GROUP [AG_Db1]");
    pair.b.run("DROP AVAILABILITY GROUP [AG_Db1_B]");
    for server in [&pair.a, &pair.b] {
        assert_eq!(server.one("SELECT COUNT(*) FROM sys.availability_groups"), "0");
        assert_eq!(
            server.one("SELECT COUNT(*) FROM sys.databases WHERE name = N'Db1' AND replica_id IS NULL"),
            "1"
        );
        eventually("the database is its own", SOON, || {
            let written = server.sql("master").rows("INSERT INTO Db1.dbo.totals VALUES (2, 2) SELECT 1");
            written.map_err(|e| format!("{}: {e:?}", server.name))
        });
        assert_eq!(server.sql("Db1").one("SELECT COUNT(*) FROM totals"), "2");
    }
}
