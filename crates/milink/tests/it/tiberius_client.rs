//! tiberius.

use std::time::{Duration, Instant};

use tiberius::numeric::Numeric;
use tiberius::{
    AuthMethod, Client, ColumnData, Command, Config, EncryptionLevel, FromSqlOwned, IntoRow as _, Query,
};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use crate::types::{self, PROCEDURE};
use crate::{Instance, PASSWORD};

pub(crate) type Tiberius = Client<Compat<TcpStream>>;

pub(crate) async fn connect(
    port: u16,
    database: &str,
    encryption: EncryptionLevel,
) -> Result<Tiberius, tiberius::error::Error> {
    let mut config = Config::new();
    config.host("127.0.0.1");
    config.port(port);
    config.database(database);
    config.authentication(AuthMethod::sql_server("sa", PASSWORD));
    config.trust_cert();
    config.encryption(encryption);
    let tcp = TcpStream::connect(config.get_addr()).await?;
    tcp.set_nodelay(true)?;
    Client::connect(config, tcp.compat_write()).await
}

async fn run(client: &mut Tiberius, sql: &str) {
    client.simple_query(sql).await.unwrap().into_results().await.unwrap();
}

async fn one<T: FromSqlOwned>(client: &mut Tiberius, sql: &str) -> Option<T> {
    let row = client.simple_query(sql).await.unwrap().into_row().await.unwrap().unwrap();
    row.into_iter().next().and_then(|value| T::from_sql_owned(value).unwrap())
}

#[tokio::test]
async fn tiberius_works() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let encrypted = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID";
    for (encryption, whole) in [
        (EncryptionLevel::NotSupported, "FALSE"),
        (EncryptionLevel::Off, "FALSE"),
        (EncryptionLevel::On, "TRUE"),
        (EncryptionLevel::Required, "TRUE"),
    ] {
        let mut client = connect(lab.port, "master", encryption).await.unwrap();
        assert_eq!(one::<String>(&mut client, encrypted).await.as_deref(), Some(whole), "{encryption:?}");
    }
    let mut client = connect(lab.port, "master", EncryptionLevel::Required).await.unwrap();
    every_type(&mut client).await;
    run(&mut client, PROCEDURE).await;
    let mut call = Command::new("double_it");
    call.bind_param("@a", 21_i32);
    call.bind_out_param("@b", Option::<i32>::None);
    call.bind_out_param("@c", Option::<&str>::None);
    let called = call.exec(&mut client).await.unwrap().into_command_result().await.unwrap();
    assert_eq!(called.try_return_value::<i32>("@b").unwrap(), Some(42));
    assert_eq!(called.try_return_value::<&str>("@c").unwrap(), Some("got 21"));
    assert_eq!(called.return_code(), 7);
    run(&mut client, "BEGIN TRAN DELETE FROM t").await;
    assert_eq!(one::<i32>(&mut client, "SELECT COUNT(*) FROM t").await, Some(0));
    run(&mut client, "ROLLBACK").await;
    assert_eq!(one::<i32>(&mut client, "SELECT COUNT(*) FROM t").await, Some(3));
    run(&mut client, "CREATE TABLE b (a int NOT NULL, b nvarchar(20) NULL)").await;
    let mut bulk = client.bulk_insert("b").await.unwrap();
    for n in 0..2500_i32 {
        bulk.send((n, format!("row {n}")).into_row()).await.unwrap();
    }
    assert_eq!(bulk.finalize().await.unwrap().total(), 2500);
    assert_eq!(one::<i32>(&mut client, "SELECT SUM(a) FROM b").await, Some(3_123_750));
    cancelled(&mut client, lab.port).await;
}

/// Literals are read, and what was read is written as parameters.
async fn every_type(client: &mut Tiberius) {
    // It cannot read a sql_variant.
    let types: Vec<_> = types::all().into_iter().filter(|t| t.name != "c_variant").collect();
    let names = types::names(&types);
    run(client, &types::create_table("t", &types)).await;
    run(client, &types::insert("t", &types)).await;
    let select = format!("SELECT {names} FROM t WHERE id = @P1");
    let row = client.query(&*select, &[&1_i32]).await.unwrap().into_row().await.unwrap().unwrap();
    let marks: String = (1..=types.len()).map(|n| format!(", @P{n}")).collect();
    let mut insert = Query::new(format!("INSERT INTO t (id, {names}) VALUES (3{marks})"));
    for (ty, value) in types.iter().zip(row) {
        insert.bind(match ty.name {
            // It reads money as a double.
            "c_money" => ColumnData::Numeric(Some(Numeric::new_with_scale(-9_223_372_036_854_775_808, 4))),
            _ => value,
        });
    }
    assert_eq!(insert.execute(client).await.unwrap().rows_affected(), [1]);
    for ty in &types {
        for id in [1, 3] {
            let text = one::<String>(client, &format!("SELECT {} FROM t WHERE id = {id}", ty.shown())).await;
            assert_eq!(text.as_deref(), Some(ty.text), "{} of row {id}", ty.name);
        }
    }
    let nulls = client.query(&*select, &[&2_i32]).await.unwrap().into_row().await.unwrap().unwrap();
    for (ty, value) in types.iter().zip(nulls) {
        let text = format!("{value:?}");
        assert!(text.ends_with("(None)"), "{} is {text}", ty.name);
    }
}

/// It has no way to cancel but to hang up, which the server must notice.
async fn cancelled(client: &mut Tiberius, port: u16) {
    let mut slow = connect(port, "master", EncryptionLevel::Required).await.unwrap();
    let session = one::<i16>(&mut slow, "SELECT @@SPID").await.unwrap();
    let waits = tokio::spawn(async move {
        run(&mut slow, "WAITFOR DELAY '00:00:30'").await;
    });
    let running = format!("SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id = {session}");
    let sessions = format!("SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE session_id = {session}");
    until(client, &running, 1).await;
    waits.abort();
    until(client, &sessions, 0).await;
}

async fn until(client: &mut Tiberius, sql: &str, wanted: i32) {
    let limit = Instant::now() + Duration::from_secs(10);
    while one::<i32>(client, sql).await != Some(wanted) {
        assert!(Instant::now() < limit, "{sql} never gave {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
