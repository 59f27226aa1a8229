//! What a driver's session relies on, through mssql-tds: long values, many parameters, pooled connections, bulk loads that fail.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use mssql_tds::connection::bulk_copy::BulkCopy;
use mssql_tds::connection::tds_client::{ExecuteOptions, TdsClient};
use mssql_tds::core::{EncryptionSetting, TdsResult};
use mssql_tds::datatypes::column_values::ColumnValues;
use mssql_tds::datatypes::sql_string::SqlString;
use mssql_tds::datatypes::sqltypes::SqlType;
use mssql_tds::error::Error;
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};

use crate::Instance;
use crate::mssql_tds_client::{BulkRow, connect, finish, number, run, text};

fn start() -> (tempfile::TempDir, Instance) {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    (folder, lab)
}

async fn open(lab: &Instance) -> TdsClient {
    connect(lab.port, EncryptionSetting::On, None).await
}

fn number_of<T: std::fmt::Debug>(result: TdsResult<T>) -> i32 {
    match result {
        Err(Error::SqlServerError { diagnostics }) => {
            diagnostics.errors.first().map_or(0, |e| e.number as i32)
        }
        other => panic!("no error of the server's: {other:?}"),
    }
}

fn named(name: String, value: SqlType) -> RpcParameter {
    RpcParameter::new(Some(name), StatusFlags::NONE, value)
}

#[tokio::test]
async fn values_of_ten_megabytes_go_both_ways() {
    let (_folder, lab) = start();
    let mut client = open(&lab).await;
    run(&mut client, "CREATE TABLE t (a nvarchar(max), b varbinary(max))").await;
    let long: String = "日本語é".chars().cycle().take(5 * 1024 * 1024).collect();
    let bytes: Vec<u8> =
        (0..10 * 1024 * 1024).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let parameters = vec![
        named("@a".to_owned(), SqlType::NVarcharMax(Some(SqlString::from_utf8_string(long.clone())))),
        named("@b".to_owned(), SqlType::VarBinaryMax(Some(bytes.clone()))),
    ];
    let first = client
        .execute_sp_executesql("INSERT INTO t VALUES (@a, @b)".to_owned(), parameters, ())
        .await
        .unwrap();
    assert_eq!(finish(&mut client, first).await.1, 1);
    let lengths = text(&mut client, "SELECT CONCAT(DATALENGTH(a), N' ', DATALENGTH(b)) FROM t").await;
    assert_eq!(lengths, "10485760 10485760");
    let row = run(&mut client, "SELECT a, b FROM t").await.pop().unwrap();
    let [ColumnValues::String(a), ColumnValues::Bytes(b)] = &row[..] else { panic!("other types") };
    assert!(a.to_utf8_string() == long && *b == bytes, "a long value came back changed");
}

#[tokio::test]
async fn a_call_has_at_most_2100_parameters() {
    let (_folder, lab) = start();
    let mut client = open(&lab).await;
    // The statement and the declarations are two of them.
    for (count, wanted) in [(2098, Ok(1)), (2099, Err(8003))] {
        let names: Vec<String> = (1..=count).map(|n| format!("@p{n}")).collect();
        let parameters = names.iter().map(|n| named(n.clone(), SqlType::Int(Some(1)))).collect();
        let select = format!("SELECT CASE WHEN 1 IN ({}) THEN 1 END", names.join(", "));
        let got = match client.execute_sp_executesql(select, parameters, ()).await {
            Ok(first) => match finish(&mut client, first).await.0[0][0] {
                ColumnValues::Int(n) => Ok(n),
                ref other => panic!("{other:?}"),
            },
            Err(e) => Err(number_of::<()>(Err(e))),
        };
        assert_eq!(got, wanted, "{count} parameters");
    }
    assert_eq!(number(&mut client, "SELECT 1").await, 1);
}

#[tokio::test]
async fn a_pooled_connection_is_as_new() {
    let (_folder, lab) = start();
    let mut client = open(&lab).await;
    run(&mut client, "CREATE DATABASE other").await;
    let settings = "SELECT CONCAT(DB_NAME(), N' ', @@TRANCOUNT, N' ', @@LOCK_TIMEOUT, N' ', @@DATEFIRST, N' ', \
        OBJECT_ID(N'tempdb..#t'), N' ', SESSION_CONTEXT(N'k'), N' ', @@OPTIONS & 2)";
    let new = text(&mut client, settings).await;
    run(
        &mut client,
        "USE other SET LOCK_TIMEOUT 5 SET DATEFIRST 3 SET IMPLICIT_TRANSACTIONS ON CREATE TABLE #t (a int)",
    )
    .await;
    assert_eq!(client.database(), "other", "USE is told by ENVCHANGE");
    run(&mut client, "EXEC sp_set_session_context N'k', N'v' CREATE TABLE master.dbo.never (a int)").await;
    assert_ne!(text(&mut client, settings).await, new);
    client.prepare_reset_connection(false);
    assert_eq!(text(&mut client, settings).await, new);
    assert_eq!(
        text(&mut client, "SELECT CONCAT(N'-', OBJECT_ID(N'master.dbo.never'))").await,
        "-",
        "its transaction is undone"
    );
}

#[tokio::test]
async fn a_wait_for_a_lock_is_cancelled() {
    let (_folder, lab) = start();
    let (mut holds, mut waits) = (open(&lab).await, open(&lab).await);
    run(&mut holds, "CREATE TABLE t (a int) INSERT INTO t VALUES (1)").await;
    run(&mut holds, "BEGIN TRAN UPDATE t SET a = 2").await;
    let began = Instant::now();
    let options = ExecuteOptions { timeout: Some(1), ..ExecuteOptions::default() };
    assert!(waits.execute("UPDATE t SET a = 3".to_owned(), options).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(5), "after {:?}", began.elapsed());
    run(&mut holds, "COMMIT").await;
    assert_eq!(number(&mut waits, "SELECT a FROM t").await, 2);
    run(&mut waits, "UPDATE t SET a = 4").await;
    assert_eq!(number(&mut holds, "SELECT a FROM t").await, 4);
}

fn rows(values: &[(i32, Option<i32>)]) -> Vec<BulkRow> {
    let or_null = |v: Option<i32>| v.map_or(ColumnValues::Null, ColumnValues::Int);
    values.iter().map(|(a, b)| BulkRow(vec![ColumnValues::Int(*a), or_null(*b)])).collect()
}

#[tokio::test]
async fn a_bulk_load_that_fails_leaves_nothing() {
    let (_folder, lab) = start();
    let mut client = open(&lab).await;
    run(
        &mut client,
        "CREATE TABLE t (a int PRIMARY KEY, b int NULL DEFAULT 7 CONSTRAINT small CHECK (b < 100))",
    )
    .await;
    // A duplicate at the end of many rows: 2627.
    let mut many: Vec<(i32, Option<i32>)> = (0..5000).map(|n| (n, Some(1))).collect();
    many.push((17, Some(1)));
    let failed = BulkCopy::new(&mut client, "t").write_to_server_zerocopy(rows(&many)).await;
    assert_eq!(number_of(failed), 2627);
    assert_eq!(number(&mut client, "SELECT COUNT(*) FROM t").await, 0);
    // A check, with the flag that asks for it: 547.
    let failed = BulkCopy::new(&mut client, "t")
        .check_constraints(true)
        .write_to_server_zerocopy(rows(&[(1, Some(1)), (2, Some(100))]))
        .await;
    assert_eq!(number_of(failed), 547);
    assert_eq!(number(&mut client, "SELECT COUNT(*) FROM t").await, 0);
    // In a transaction the load alone is undone.
    run(&mut client, "BEGIN TRAN INSERT INTO t VALUES (-1, 1)").await;
    let failed = BulkCopy::new(&mut client, "t").write_to_server_zerocopy(rows(&[(-1, Some(1))])).await;
    assert_eq!(number_of(failed), 2627);
    run(&mut client, "COMMIT").await;
    // NULL asks for the default, unless it is to be kept.
    let loaded =
        BulkCopy::new(&mut client, "t").table_lock(true).write_to_server_zerocopy(rows(&[(1, None)])).await;
    assert_eq!(loaded.unwrap().rows_affected, 1);
    let loaded =
        BulkCopy::new(&mut client, "t").keep_nulls(true).write_to_server_zerocopy(rows(&[(2, None)])).await;
    assert_eq!(loaded.unwrap().rows_affected, 1);
    let seen =
        text(&mut client, "SELECT STRING_AGG(CONCAT(a, N'=', b), N' ') WITHIN GROUP (ORDER BY a) FROM t")
            .await;
    assert_eq!(seen, "-1=1 1=7 2=");
}

#[test]
fn a_password_is_changed_and_the_old_one_is_none() {
    let (_folder, lab) = start();
    lab.query("master", "CREATE LOGIN bob WITH PASSWORD = 'First#Pass1' SELECT 1");
    let login = |password: &str| {
        let (_, reply) = crate::raw::Raw::login(lab.port, "bob", password, &[]);
        reply.error().map(|e| e.0)
    };
    assert_eq!(login("First#Pass1"), None);
    lab.query("master", "ALTER LOGIN bob WITH PASSWORD = 'Second#Pass2' SELECT 1");
    assert_eq!((login("First#Pass1"), login("Second#Pass2")), (Some(18456), None));
    lab.query("master", "ALTER LOGIN bob DISABLE SELECT 1");
    assert!(login("Second#Pass2").is_some());
}

#[test]
fn an_instance_that_stops_ends_what_waits() {
    let (_folder, lab) = start();
    let (sender, ended) = mpsc::channel();
    let (mut raw, _) = crate::raw::Raw::login(lab.port, "sa", crate::PASSWORD, &[]);
    raw.batch(1, "WAITFOR DELAY '00:00:30'");
    std::thread::spawn(move || sender.send(raw.reply().is_err()));
    let pid = i32::try_from(lab.pid()).unwrap();
    std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap();
    assert_eq!(ended.recv_timeout(Duration::from_secs(10)), Ok(true), "a client still waits");
}
