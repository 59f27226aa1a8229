//! milink-sql, the tool's client of one instance, against a server that is slow, cut off, killed and restarted.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milink_sql::{
    Authentication, Client, ColumnInfo, Encrypt, Options, Rows, Secret, Server, ServerError, Session, Sink,
    SqlError, Stopped, Target, TokenSource, Value,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::{Instance, PASSWORD};

fn start() -> (tempfile::TempDir, Instance) {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    (folder, lab)
}

fn target(port: u16) -> Target {
    let mut target = Target::new(Server::parse(&format!("localhost,{port}")).unwrap());
    target.authentication =
        Authentication::SqlPassword { user: "sa".to_owned(), password: Secret::from(PASSWORD) };
    target.trust = true;
    target.query_timeout = Duration::from_secs(20);
    target
}

fn client(lab: &Instance) -> Client {
    Client::new(target(lab.port))
}

fn number(rows: &Rows) -> i64 {
    rows.one().unwrap().at(0).unwrap()
}

async fn count(client: &Client) -> i64 {
    number(&client.query_in("d", "SELECT COUNT(*) FROM t").await.unwrap())
}

/// A database `d` with a table `t`.
async fn with_table(client: &Client) {
    client.execute("master", "CREATE DATABASE d").await.unwrap();
    client.execute("d", "CREATE TABLE t (a int)").await.unwrap();
}

/// Waits for what must come about soon.
async fn until<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    let begin = Instant::now();
    while !is().await {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what} never came about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_kind_of_value_arrives() {
    let (_folder, lab) = start();
    let client = client(&lab);
    for (expression, want) in [
        ("CAST(NULL AS int)", Value::Null),
        ("CAST(1 AS bit)", Value::Bit(true)),
        ("CAST(200 AS tinyint)", Value::Int(200)),
        ("CAST(-2 AS smallint)", Value::Int(-2)),
        ("-3", Value::Int(-3)),
        ("CAST(-9223372036854775808 AS bigint)", Value::Int(i64::MIN)),
        ("CAST(0.1 AS real)", Value::Real(0.1)),
        ("CAST(0.1 AS float)", Value::Float(0.1)),
        ("CAST(-1.50 AS decimal(5, 2))", Value::Decimal("-1.50".into())),
        (
            "CAST('12345678901234567890123456789012345678' AS numeric(38, 0))",
            Value::Decimal("12345678901234567890123456789012345678".into()),
        ),
        ("CAST(-922337203685477.5808 AS money)", Value::Decimal("-922337203685477.5808".into())),
        ("CAST(-0.5 AS smallmoney)", Value::Decimal("-0.5000".into())),
        ("'héé'", Value::Text("héé".into())),
        ("N'日本'", Value::Text("日本".into())),
        ("CAST('x' AS char(3))", Value::Text("x  ".into())),
        (
            "CAST(REPLICATE(CAST(N'ab' AS nvarchar(max)), 9000) AS nvarchar(max))",
            Value::Text("ab".repeat(9000)),
        ),
        ("0x00FF", Value::Bytes(vec![0, 255])),
        ("CAST('2026-11-25' AS date)", Value::Date("2026-11-25".into())),
        ("CAST('13:05:07.1234567' AS time(7))", Value::Time("13:05:07.1234567".into())),
        ("CAST('13:05:07' AS time(0))", Value::Time("13:05:07".into())),
        ("CAST('2026-11-25T13:05:07.997' AS datetime)", Value::DateTime("2026-11-25 13:05:07.997".into())),
        ("CAST('2026-11-25T13:05:07' AS smalldatetime)", Value::DateTime("2026-11-25 13:05:00".into())),
        ("CAST('2026-11-25T13:05:07.12' AS datetime2(2))", Value::DateTime("2026-11-25 13:05:07.12".into())),
        (
            "CAST('2026-11-25 13:05:07 +02:00' AS datetimeoffset(0))",
            Value::DateTimeOffset("2026-11-25 13:05:07 +02:00".into()),
        ),
        (
            "CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier)",
            Value::Guid("6F9619FF-8B86-D011-B42D-00C04FC964FF".into()),
        ),
        ("CAST(CAST(7 AS int) AS sql_variant)", Value::Int(7)),
        ("CAST(CAST(1.5 AS decimal(3, 1)) AS sql_variant)", Value::Decimal("1.5".into())),
        ("SERVERPROPERTY('MachineName')", Value::Text(String::new())),
    ] {
        let rows = client.query(&format!("SELECT {expression} AS c")).await.unwrap();
        let got: Value = rows.one().unwrap().get("C").unwrap();
        // What the machine is called is its own affair.
        if expression.starts_with("SERVERPROPERTY") {
            assert!(matches!(&got, Value::Text(name) if !name.is_empty()), "{expression}: {got:?}");
        } else {
            assert_eq!(got, want, "{expression}");
        }
    }
    let rows =
        client.query("SELECT CAST('46000000012300001' AS numeric(25, 0)) AS lsn, 5 AS n").await.unwrap();
    let row = rows.one().unwrap();
    assert_eq!(row.get::<u128>("lsn").unwrap(), 46_000_000_012_300_001);
    assert_eq!(row.get::<Option<i32>>("n").unwrap(), Some(5));
    assert!(row.get::<String>("n").unwrap_err().to_string().contains("'n'"));
    assert!(rows.columns.iter().all(|c| c.numeric));
}

#[tokio::test]
async fn result_sets_messages_and_errors() {
    let (_folder, lab) = start();
    let client = client(&lab);
    let batch =
        client.batch("SELECT 1 AS a; PRINT 'between'; SELECT 2 AS b, 3 AS c WHERE 1 = 0").await.unwrap();
    assert_eq!((batch.len(), batch[0].len(), batch[1].len()), (2, 1, 0));
    assert_eq!(batch[1].columns[1].name, "c");
    let said: Vec<&str> = batch.messages.iter().map(|m| m.message.as_str()).collect();
    assert_eq!(said, ["between"]);

    let e = client.query("SELECT *\nFROM nowhere").await.unwrap_err();
    assert_eq!(e.number(), Some(208));
    let first = &e.errors()[0];
    assert_eq!((first.class, first.state), (16, 1));
    assert!(first.message.contains("nowhere") && e.is_certain(), "{e}");
    assert!(e.to_string().contains(&format!("localhost,{}", lab.port)), "{e}");
    // All errors of a batch, in their order.
    let e = client.batch("RAISERROR('one', 16, 7); SELECT 1; RAISERROR('two', 11, 2)").await.unwrap_err();
    let told: Vec<(&str, u8, u8)> =
        e.errors().iter().map(|e| (e.message.as_str(), e.class, e.state)).collect();
    assert_eq!(told, [("one", 16, 7), ("two", 11, 2)]);
    let e = client.query_in("nope]", "SELECT 1").await.unwrap_err();
    assert_eq!(e.number(), Some(911), "{e}");
    let e = client.query("DECLARE @x int = 1").await.unwrap_err();
    assert!(matches!(e, SqlError::Unexpected { .. }), "{e}");
    // None of it broke the connection.
    let first = number(&client.query("SELECT @@SPID").await.unwrap());
    client.query("SELECT 1/0").await.unwrap_err();
    assert_eq!(number(&client.query("SELECT @@SPID").await.unwrap()), first);
}

#[tokio::test]
async fn a_database_with_any_name_and_sessions_that_forget() {
    let (_folder, lab) = start();
    let client = Client::with_connections(target(lab.port), 1);
    client.execute("master", "CREATE DATABASE [a]]b'c]").await.unwrap();
    let here = |rows: Rows| rows.one().unwrap().at::<String>(0).unwrap();
    assert_eq!(here(client.query_in("a]b'c", "SELECT DB_NAME()").await.unwrap()), "a]b'c");
    assert_eq!(here(client.query("SELECT DB_NAME()").await.unwrap()), "master");
    let executed =
        client.execute("a]b'c", "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); PRINT DB_NAME()");
    let executed = executed.await.unwrap();
    assert_eq!((executed.affected.as_slice(), executed.messages[0].message.as_str()), (&[2][..], "a]b'c"));

    // What one request sets, the next one on the same connection does not find.
    let spid = number(&client.query("SELECT @@SPID").await.unwrap());
    client.batch("SET DATEFORMAT dmy; CREATE TABLE #mine (a int); SET TEXTSIZE 10").await.unwrap();
    let rows =
        client.query("SELECT MONTH(CAST('01/02/2026' AS datetime)), @@TEXTSIZE, @@SPID").await.unwrap();
    let row = rows.one().unwrap();
    assert_eq!((row.at::<i64>(0).unwrap(), row.at::<i64>(2).unwrap()), (1, spid));
    assert_ne!(row.at::<i64>(1).unwrap(), 10);
    assert_eq!(client.query("SELECT * FROM #mine").await.unwrap_err().number(), Some(208));
    // An open transaction is not kept in the pool with its locks.
    client.execute("a]b'c", "BEGIN TRANSACTION; INSERT INTO t VALUES (3)").await.unwrap();
    let other = self::client(&lab);
    other.execute("a]b'c", "INSERT INTO t VALUES (4)").await.unwrap();
    assert_eq!(number(&other.query_in("a]b'c", "SELECT COUNT(*) FROM t").await.unwrap()), 3);
}

#[tokio::test]
async fn too_late_is_uncertain_and_the_client_goes_on() {
    let (_folder, lab) = start();
    let client = Client::with_connections(target(lab.port), 1);
    with_table(&client).await;
    let spid = number(&client.query("SELECT @@SPID").await.unwrap());
    let soon = Options::in_database("d").within(Duration::from_millis(300));
    let begin = Instant::now();
    let e = client.query_with("WAITFOR DELAY '0:0:30'; SELECT 1", &soon).await.unwrap_err();
    assert!(matches!(e, SqlError::TimedOut { .. }), "{e}");
    let e = client.execute_with("WAITFOR DELAY '0:0:30'; INSERT INTO t VALUES (1)", &soon).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(!e.is_certain() && e.to_string().contains("within 0.3 s"), "{e}");
    // The server confirmed that it was called off, so that even the connection is good.
    assert_eq!(number(&client.query("SELECT @@SPID").await.unwrap()), spid);
    assert_eq!(count(&client).await, 0);
}

#[tokio::test]
async fn killed_and_restarted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lab = Instance::start(&data);
    let port = lab.port;
    let client = client(&lab);
    with_table(&client).await;
    // Four connections in the pool, one of them at work when the server dies.
    let wait = "WAITFOR DELAY '0:0:0.3'; SELECT 1";
    let (a, b, c, d) =
        tokio::join!(client.query(wait), client.query(wait), client.query(wait), client.query(wait));
    for rows in [a, b, c, d] {
        assert_eq!(number(&rows.unwrap()), 1);
    }
    let at_work = {
        let client = client.clone();
        tokio::spawn(
            async move { client.execute("d", "INSERT INTO t VALUES (1); WAITFOR DELAY '0:0:30'").await },
        )
    };
    until("the row", || async { count(&client).await == 1 }).await;
    lab.kill();
    let e = at_work.await.unwrap().unwrap_err();
    assert!(matches!(e, SqlError::Lost { .. }) && !e.is_certain(), "{e:?}");
    // Nobody is there now: nothing can have been applied.
    let e = client.execute("d", "INSERT INTO t VALUES (2)").await.unwrap_err();
    assert!(matches!(e, SqlError::Unreachable { .. }) && e.is_certain(), "{e:?}");
    assert!(e.to_string().contains("connection refused"), "{e}");

    let lab = Instance::start_at(&format!("127.0.0.1:{port}"), &data, &[]);
    assert_eq!(count(&client).await, 1);
    // The pool is full of connections again that a second restart makes worthless; each kind of request copes.
    let (a, b) = tokio::join!(client.query(wait), client.query(wait));
    assert!(a.is_ok() && b.is_ok());
    lab.kill();
    let _lab = Instance::start_at(&format!("127.0.0.1:{port}"), &data, &[]);
    client.execute("d", "INSERT INTO t VALUES (3)").await.unwrap();
    assert_eq!(count(&client).await, 2);
    let rows = client.query("SELECT 1").await.unwrap();
    assert_eq!(number(&rows), 1);
}

#[tokio::test]
async fn a_restart_is_found_out_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lab = Instance::start(&data);
    let port = lab.port;
    // Each with a connection in its pool, in the database that it wants: no USE comes before that would find out.
    let (reader, writer) = (client(&lab), client(&lab));
    for client in [&reader, &writer] {
        assert_eq!(number(&client.query("SELECT 1").await.unwrap()), 1);
    }
    lab.kill();
    let _lab = Instance::start_at(&format!("127.0.0.1:{port}"), &data, &[]);
    assert_eq!(number(&reader.query("SELECT 2").await.unwrap()), 2);
    writer.execute("master", "CREATE TABLE once (a int)").await.unwrap();
}

/// What comes to the port goes to the instance, until it is cut.
async fn proxy(to: u16) -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (cut, watched) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut watched = watched.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                tokio::select! {
                    // That one of them goes is what the test wants, whatever it is called.
                    ended = tokio::io::copy_bidirectional(&mut near, &mut far) => drop(ended),
                    cut = watched.wait_for(|cut| *cut) => drop(cut),
                }
            });
        }
    });
    (port, cut)
}

#[tokio::test]
async fn what_was_sent_is_never_repeated() {
    let (_folder, lab) = start();
    let direct = client(&lab);
    with_table(&direct).await;
    let (port, cut) = proxy(lab.port).await;
    let client = Client::new(target(port));
    // A pooled connection, so that a repetition would be tempting.
    client.query("SELECT 1").await.unwrap();
    let request = {
        let client = client.clone();
        // An error before the loss does not make it certain that the rest was not applied.
        let text = "RAISERROR('before', 16, 1); RAISERROR('now', 0, 1) WITH NOWAIT; INSERT INTO t VALUES (1); \
                    WAITFOR DELAY '0:0:30'";
        tokio::spawn(async move { client.execute("d", text).await })
    };
    until("the row", || async { count(&direct).await == 1 }).await;
    cut.send(true).unwrap();
    let e = request.await.unwrap().unwrap_err();
    assert!(matches!(e, SqlError::Lost { .. }), "{e:?}");
    cut.send(false).unwrap();
    // It connects again by itself, and there is still one row.
    assert_eq!(count(&client).await, 1);
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let (_folder, lab) = start();
    let client = Client::with_connections(target(lab.port), 2);
    let requests: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.query("WAITFOR DELAY '0:0:0.1'; SELECT @@SPID").await })
        })
        .collect();
    let mut sessions = std::collections::BTreeSet::new();
    for request in requests {
        sessions.insert(number(&request.await.unwrap().unwrap()));
    }
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    // Who waits for a connection does not wait for ever, and has sent nothing.
    let soon = Options::default().within(Duration::from_millis(200));
    let wait = "WAITFOR DELAY '0:0:1'; SELECT 1";
    let (a, b, late) = tokio::join!(client.query(wait), client.query(wait), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.execute_with("SELECT 1", &soon).await
    });
    assert!(a.is_ok() && b.is_ok());
    let e = late.unwrap_err();
    assert!(e.is_certain() && e.to_string().contains("have been in use"), "{e}");
}

#[tokio::test]
async fn who_drops_a_request_calls_it_off() {
    let (_folder, lab) = start();
    let client = Client::with_connections(target(lab.port), 1);
    with_table(&client).await;
    let running = "WAITFOR DELAY '0:0:2'; INSERT INTO t VALUES (1)";
    let dropped = tokio::time::timeout(Duration::from_millis(300), client.execute("d", running)).await;
    assert!(dropped.is_err());
    // The only connection was given up with it, and another one takes its place at once.
    let begin = Instant::now();
    assert_eq!(count(&client).await, 0);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    // The server was told: the statement behind the wait is not carried out.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(count(&client).await, 0);
    // Also while it connects: nothing is left that would hold the place.
    for _ in 0..5 {
        drop(tokio::time::timeout(Duration::from_millis(1), client.execute("d", "SELECT 1")).await);
    }
    assert_eq!(count(&client).await, 0);
}

#[tokio::test]
async fn answers_are_bounded() {
    let (_folder, lab) = start();
    let client = Client::with_connections(target(lab.port), 1);
    client.execute("master", "CREATE DATABASE d").await.unwrap();
    client.execute("d", "CREATE TABLE t (a varchar(1000))").await.unwrap();
    let row = "(REPLICATE('x', 1000))";
    let insert = format!("INSERT INTO t VALUES {}", [row; 100].join(","));
    assert_eq!(client.execute("d", &insert).await.unwrap().affected, [100]);
    let within = |rows_max, bytes_max| Options { rows_max, bytes_max, ..Options::in_database("d") };
    for (options, fits) in
        [(within(99, 1 << 20), false), (within(100, 1 << 20), true), (within(1000, 50_000), false)]
    {
        let answer = client.query_with("SELECT a FROM t", &options).await;
        match answer {
            Ok(rows) => assert!(fits && rows.len() == 100),
            Err(e) => assert!(!fits && e.to_string().contains("set a higher limit"), "{e}"),
        }
    }
    // What a statement with effects answers is read past, however much it is.
    client.execute_with("SELECT a FROM t", &within(1, 1)).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_and_a_certificate_that_nobody_vouches_for() {
    const CANARY: &str = "c4n4ry-Pass1";
    let (folder, lab) = start();
    let mut wrong = target(lab.port);
    wrong.authentication = Authentication::SqlPassword { user: "sa".into(), password: Secret::from(CANARY) };
    let wrong = Client::new(wrong);
    let e = wrong.query("SELECT 1").await.unwrap_err();
    assert!(matches!(e, SqlError::Login { .. }) && e.is_certain() && e.number() == Some(18456), "{e:?}");
    assert!(!format!("{e} {e:?} {wrong:?}").contains(CANARY), "{e}");

    let mut untrusting = target(lab.port);
    untrusting.trust = false;
    let e = Client::new(untrusting.clone()).query("SELECT 1").await.unwrap_err();
    assert!(matches!(e, SqlError::Untrusted { .. }) && e.is_certain(), "{e:?}");
    assert!(e.to_string().contains("self-signed") && e.to_string().contains("-C"), "{e}");
    untrusting.encrypt = Encrypt::Strict;
    untrusting.server_certificate = Some(folder.path().join("data/tls-cert.pem"));
    for encrypt in [Encrypt::Strict, Encrypt::Mandatory] {
        untrusting.encrypt = encrypt;
        assert_eq!(number(&Client::new(untrusting.clone()).query("SELECT 1").await.unwrap()), 1);
    }
    // Another one than the server's.
    let (other_folder, other) = start();
    untrusting.server_certificate = Some(other_folder.path().join("data/tls-cert.pem"));
    drop(other);
    let e = Client::new(untrusting.clone()).query("SELECT 1").await.unwrap_err();
    assert!(matches!(e, SqlError::Untrusted { .. }) && e.to_string().contains("-J"), "{e:?}");
    untrusting.server_certificate = Some(Path::new("/nowhere/at all.pem").into());
    let e = Client::new(untrusting).query("SELECT 1").await.unwrap_err();
    assert!(matches!(e, SqlError::Untrusted { .. }) && e.to_string().contains("at all.pem"), "{e:?}");
}

/// Takes three rows and no more.
#[derive(Default)]
struct Three(usize);

impl Sink for Three {
    fn columns(&mut self, _: Vec<ColumnInfo>) -> Result<(), String> {
        Ok(())
    }

    fn row(&mut self, _: Vec<Value>) -> Result<(), String> {
        self.0 += 1;
        if self.0 < 3 { Ok(()) } else { Err("that is enough".to_owned()) }
    }

    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn affected(&mut self, _: u64) -> Result<(), String> {
        Ok(())
    }

    fn said(&mut self, _: ServerError) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test]
async fn a_session_is_kept_until_it_is_lost() {
    const LONG: Duration = Duration::from_secs(20);
    let (_folder, lab) = start();
    let mut session = Session::open(&target(lab.port)).await.unwrap();
    session.batch("CREATE TABLE #t (a int); INSERT INTO #t VALUES (1), (2)", LONG).await.unwrap();
    let rows = "SELECT a FROM #t CROSS JOIN (VALUES (1), (2), (3), (4)) AS v (n)";
    let stopped = session.run(rows, LONG, &mut Three::default()).await;
    assert_eq!(stopped, Err(Stopped::Sink("that is enough".to_owned())));
    let late = session.batch("WAITFOR DELAY '0:0:30'", Duration::from_millis(200)).await;
    assert!(matches!(late, Err(SqlError::TimedOut { .. })) && session.is_open());
    assert_eq!(session.batch(rows, LONG).await.unwrap()[0].len(), 8);
    assert_eq!(session.run("SELECT 1/0", LONG, &mut Three::default()).await, Ok(false));
    lab.kill();
    for _ in 0..2 {
        let e = session.batch("SELECT 1", LONG).await.unwrap_err();
        assert!(matches!(e, SqlError::Lost { .. }) && !session.is_open(), "{e:?}");
    }
}

/// Where nothing comes from.
#[derive(Debug)]
struct Dry;

impl TokenSource for Dry {
    fn token(&self) -> Pin<Box<dyn Future<Output = Result<Secret, String>> + Send + '_>> {
        Box::pin(async { Err("the well is dry".to_owned()) })
    }
}

#[tokio::test]
async fn other_ways_to_log_in_fail_with_a_reason() {
    let mut target = target(1);
    let say = async |target: &Target| match Client::new(target.clone()).query("SELECT 1").await {
        Err(e @ SqlError::Login { .. }) => e.to_string(),
        other => panic!("{other:?}"),
    };
    target.authentication = Authentication::Token(Arc::new(Dry));
    assert!(say(&target).await.contains("the well is dry"));
    target.authentication = Authentication::Unset;
    assert!(say(&target).await.contains("nobody to log in as"));
    let text = "Server=localhost,1;Authentication=Active Directory Default";
    assert!(say(&Target::from_connection_string(text).unwrap()).await.contains("ActiveDirectoryDefault"));
    // A port at which nobody listens, and an address from which nobody answers in time.
    target.authentication = Authentication::SqlPassword { user: "sa".into(), password: Secret::from("x") };
    let e = Client::new(target.clone()).query("SELECT 1").await.unwrap_err();
    assert!(matches!(e, SqlError::Unreachable { .. }), "{e:?}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    target.server.port = Some(silent.local_addr().unwrap().port());
    target.connect_timeout = Duration::from_millis(300);
    let begin = Instant::now();
    let e = Client::new(target).query("SELECT 1").await.unwrap_err();
    assert!(e.is_certain() && e.to_string().contains("within 0.3 s"), "{e}");
    assert!(begin.elapsed() < Duration::from_secs(2));
}
