//! mssql-tds, the client in Rust that Microsoft builds its drivers on.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use mssql_tds::connection::bulk_copy::{BulkCopy, BulkLoadRow, ColumnMapping};
use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::connection::tds_client::{ExecuteOptions, ResultSet as _, StatementResult, TdsClient};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting, TdsResult};
use mssql_tds::datatypes::column_values::ColumnValues;
use mssql_tds::datatypes::sqltypes::SqlType;
use mssql_tds::message::bulk_load::StreamingBulkLoadWriter;
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};
use mssql_tds::message::transaction_management::TransactionIsolationLevel;

use crate::types::{self, PROCEDURE, Type};
use crate::{Instance, PASSWORD};

pub(crate) type Row = Vec<ColumnValues>;

pub(crate) async fn connect(port: u16, mode: EncryptionSetting, certificate: Option<PathBuf>) -> TdsClient {
    // Strict mode checks the certificate's name.
    let server = format!("tcp:localhost,{port}");
    let mut context = ClientContext::with_data_source(&server);
    context.tds_authentication_method = TdsAuthenticationMethod::Password;
    context.user_name = "sa".to_owned();
    context.password = PASSWORD.to_owned();
    context.database = "master".to_owned();
    context.encryption_options = EncryptionOptions {
        mode,
        trust_server_certificate: certificate.is_none(),
        host_name_in_cert: None,
        server_certificate: certificate,
    };
    TdsConnectionProvider::new().create_client(context, &server, None).await.unwrap()
}

/// The rows of a statement's result sets, and how many rows the others changed.
pub(crate) async fn finish(client: &mut TdsClient, first: StatementResult) -> (Vec<Row>, u64) {
    let (mut rows, mut changed, mut next) = (Vec::new(), 0, first);
    loop {
        match next {
            StatementResult::End => return (rows, changed),
            StatementResult::NoRows { rows_affected } => changed += rows_affected.unwrap_or(0),
            StatementResult::Rows => {
                while let Some(row) = client.next_row().await.unwrap() {
                    rows.push(row);
                }
            }
        }
        next = client.advance().await.unwrap();
    }
}

pub(crate) async fn run(client: &mut TdsClient, sql: &str) -> Vec<Row> {
    let first = client.execute(sql.to_owned(), ()).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    finish(client, first).await.0
}

pub(crate) async fn text(client: &mut TdsClient, sql: &str) -> String {
    match run(client, sql).await.into_iter().flatten().next() {
        Some(ColumnValues::String(s)) => s.to_utf8_string(),
        Some(other) => panic!("{sql} gave {other:?}"),
        None => panic!("{sql} gave no row"),
    }
}

pub(crate) async fn number(client: &mut TdsClient, sql: &str) -> i32 {
    match run(client, sql).await.into_iter().flatten().next() {
        Some(ColumnValues::Int(n)) => n,
        other => panic!("{sql} gave {other:?}"),
    }
}

#[tokio::test]
async fn mssql_tds_works() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lab = Instance::start(&data);
    let certificate = data.join("tls-cert.pem");
    let option = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID";
    let mut plain = connect(lab.port, EncryptionSetting::PreferOff, None).await;
    assert_eq!(text(&mut plain, option).await, "FALSE");
    let mut trusting = connect(lab.port, EncryptionSetting::On, None).await;
    assert_eq!(text(&mut trusting, option).await, "TRUE");
    let mut client = connect(lab.port, EncryptionSetting::Strict, Some(certificate)).await;
    assert_eq!(text(&mut client, option).await, "TRUE");

    let types = types::all();
    every_type(&mut client, &types).await;
    procedure(&mut client).await;
    client.begin_transaction(TransactionIsolationLevel::ReadCommitted, None).await.unwrap();
    run(&mut client, "DELETE FROM t WHERE id = 1").await;
    client.save_transaction("here".to_owned()).await.unwrap();
    run(&mut client, "DELETE FROM t").await;
    client.rollback_transaction(Some("here".to_owned()), None).await.unwrap();
    assert_eq!(number(&mut client, "SELECT COUNT(*) FROM t").await, 2);
    client.rollback_transaction(None, None).await.unwrap();
    assert_eq!(number(&mut client, "SELECT COUNT(*) FROM t").await, 3);
    cancelled(&mut client).await;
}

/// Literals are read; what was read is written as parameters, and in bulk.
async fn every_type(client: &mut TdsClient, types: &[Type]) {
    let names = types::names(types);
    run(client, &types::create_table("t", types)).await;
    run(client, &types::create_table("every", types)).await;
    run(client, &types::insert("t", types)).await;
    let mut rows = run(client, &format!("SELECT {names} FROM t ORDER BY id")).await;
    let nulls = rows.pop().unwrap();
    let values = rows.pop().unwrap();
    assert!(nulls.iter().all(|v| *v == ColumnValues::Null), "{nulls:?}");
    let marks: String = types.iter().map(|t| format!(", @{}", t.name)).collect();
    let parameters = types
        .iter()
        .zip(&values)
        .map(|(t, v)| RpcParameter::new(Some(format!("@{}", t.name)), StatusFlags::NONE, parameter(v)))
        .collect();
    let insert = format!("INSERT INTO t (id, {names}) VALUES (3{marks})");
    let first = client.execute_sp_executesql(insert, parameters, ()).await.unwrap();
    assert_eq!(finish(client, first).await.1, 1);
    let id = |id: i32, row: Row| BulkRow([&[ColumnValues::Int(id)], &*row].concat());
    // All columns but the rowversion, which nobody may write.
    let mut copy = BulkCopy::new(client, "every");
    for (n, column) in ["id"].into_iter().chain(types.iter().map(|t| t.name)).enumerate() {
        copy = copy.add_column_mapping(ColumnMapping::by_ordinal(n, column));
    }
    let copied = copy.write_to_server_zerocopy([id(1, values), id(2, nulls)]).await;
    drop(copy);
    assert_eq!(copied.unwrap().rows_affected, 2);
    for ty in types {
        for (table, id) in [("t", 1), ("t", 3), ("every", 1)] {
            let got = text(client, &format!("SELECT {} FROM {table} WHERE id = {id}", ty.shown())).await;
            assert_eq!(got, ty.text, "{} of row {id} of {table}", ty.name);
        }
    }
    let nulls = run(client, &format!("SELECT {names} FROM every WHERE id = 2")).await;
    assert!(nulls.iter().flatten().all(|v| *v == ColumnValues::Null), "{nulls:?}");
}

async fn procedure(client: &mut TdsClient) {
    run(client, PROCEDURE).await;
    let named = |name: &str, flags, value| RpcParameter::new(Some(name.to_owned()), flags, value);
    let parameters = vec![
        named("@a", StatusFlags::NONE, SqlType::Int(Some(21))),
        named("@b", StatusFlags::BY_REF_VALUE, SqlType::Int(None)),
        named("@c", StatusFlags::BY_REF_VALUE, SqlType::NVarchar(None, 50)),
    ];
    let first =
        client.execute_stored_procedure("double_it".to_owned(), None, Some(parameters), ()).await.unwrap();
    finish(client, first).await;
    let returned = client.get_return_values();
    let values: Vec<&ColumnValues> = returned.iter().map(|r| &r.value).collect();
    let [ColumnValues::Int(42), ColumnValues::String(c)] = values[..] else { panic!("{values:?}") };
    assert_eq!((c.to_utf8_string().as_str(), client.get_return_status()), ("got 21", Some(7)));
}

async fn cancelled(client: &mut TdsClient) {
    for slow in [
        "WAITFOR DELAY '00:00:30'",
        // Something to compute, with nothing to send meanwhile.
        "WITH n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n) SELECT COUNT_BIG(*) FROM n OPTION (MAXRECURSION 0)",
        // Something to send without end.
        "WITH n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n) SELECT a, REPLICATE('x', 4000) FROM n OPTION (MAXRECURSION 0)",
    ] {
        let began = Instant::now();
        let options = ExecuteOptions { timeout: Some(1), ..ExecuteOptions::default() };
        let outcome = match client.execute(slow.to_owned(), options).await {
            Ok(StatementResult::Rows) => loop {
                match client.next_row().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(e) => break Err(e),
                }
                if began.elapsed() > Duration::from_millis(1500) {
                    // The limit is for each wait, and rows came all the time.
                    client.cancel_query(5).await.unwrap();
                    break Err(mssql_tds::error::Error::OperationCancelledError(String::new()));
                }
            },
            other => other.map(|_| ()),
        };
        assert!(outcome.is_err(), "{slow} was not cancelled");
        assert!(began.elapsed() < Duration::from_secs(10), "{slow} took {:?}", began.elapsed());
        assert_eq!(number(client, "SELECT 1").await, 1, "after {slow}");
    }
}

/// A value that was read, as a parameter of its type.
fn parameter(value: &ColumnValues) -> SqlType {
    use ColumnValues as V;
    match value.clone() {
        V::TinyInt(v) => SqlType::TinyInt(Some(v)),
        V::SmallInt(v) => SqlType::SmallInt(Some(v)),
        V::Int(v) => SqlType::Int(Some(v)),
        V::BigInt(v) => SqlType::BigInt(Some(v)),
        V::Real(v) => SqlType::Real(Some(v)),
        V::Float(v) => SqlType::Float(Some(v)),
        V::Decimal(v) => SqlType::Decimal(Some(v)),
        V::Numeric(v) => SqlType::Numeric(Some(v)),
        V::Bit(v) => SqlType::Bit(Some(v)),
        V::String(v) if v.is_utf16() => SqlType::NVarcharMax(Some(v)),
        V::String(v) => SqlType::VarcharMax(Some(v)),
        V::DateTime(v) => SqlType::DateTime(Some(v)),
        V::Date(v) => SqlType::Date(Some(v)),
        V::Time(v) => SqlType::Time(Some(v)),
        V::DateTime2(v) => SqlType::DateTime2(Some(v)),
        V::DateTimeOffset(v) => SqlType::DateTimeOffset(Some(v)),
        V::SmallDateTime(v) => SqlType::SmallDateTime(Some(v)),
        V::SmallMoney(v) => SqlType::SmallMoney(Some(v)),
        V::Money(v) => SqlType::Money(Some(v)),
        V::Bytes(v) => SqlType::VarBinaryMax(Some(v)),
        V::Xml(v) => SqlType::Xml(Some(v)),
        V::Uuid(v) => SqlType::Uuid(Some(v)),
        other => panic!("no parameter for {other:?}"),
    }
}

pub(crate) struct BulkRow(pub(crate) Row);

impl BulkLoadRow for BulkRow {
    // What its attribute for traits with async functions would write.
    fn write_to_packet<'row, 'writer, 'packet, 'column, 'all>(
        &'row self,
        writer: &'writer mut StreamingBulkLoadWriter<'packet>,
        column: &'column mut usize,
    ) -> Pin<Box<dyn Future<Output = TdsResult<()>> + Send + 'all>>
    where
        'row: 'all,
        'writer: 'all,
        'packet: 'all,
        'column: 'all,
    {
        Box::pin(async move {
            for value in &self.0 {
                writer.write_column_value(*column, value).await?;
                *column += 1;
            }
            Ok(())
        })
    }
}
