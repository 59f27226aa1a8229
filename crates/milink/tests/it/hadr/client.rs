//! A session of a test: statements in, rows of text or an error's number out.

use std::time::Duration;

use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::compat::TokioAsyncWriteCompatExt as _;

use crate::PASSWORD;
use crate::tiberius_client::Tiberius;

/// A row as text.
pub(crate) type Row = Vec<String>;

/// Why a statement, or a connection, came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server has said so.
    Server { number: u32, text: String },
    /// The connection was lost, or nothing came back in time: whether it was done is not known.
    Lost(String),
}

impl Failure {
    /// The error's number; nothing if the connection was lost.
    pub(crate) fn number(&self) -> Option<u32> {
        match self {
            Failure::Server { number, .. } => Some(*number),
            Failure::Lost(_) => None,
        }
    }
}

impl From<tiberius::error::Error> for Failure {
    fn from(e: tiberius::error::Error) -> Failure {
        match e {
            tiberius::error::Error::Server(token) => {
                Failure::Server { number: token.code(), text: token.message().to_owned() }
            }
            other => Failure::Lost(other.to_string()),
        }
    }
}

/// How long an answer may take. Nothing that a test does takes so long.
const ANSWER: Duration = Duration::from_mins(1);

/// A connection whose calls wait.
pub(crate) struct Sql {
    client: Tiberius,
    runtime: Runtime,
}

impl Sql {
    pub(crate) fn open(port: u16, database: &str) -> Result<Sql, Failure> {
        Sql::open_with(port, database, false)
    }

    /// With ApplicationIntent=ReadOnly, or without.
    pub(crate) fn open_with(port: u16, database: &str, read_only: bool) -> Result<Sql, Failure> {
        let mut config = Config::new();
        config.host("127.0.0.1");
        config.port(port);
        config.database(database);
        config.readonly(read_only);
        config.authentication(AuthMethod::sql_server("sa", PASSWORD));
        config.encryption(EncryptionLevel::NotSupported);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connecting = async {
            let tcp =
                TcpStream::connect(config.get_addr()).await.map_err(|e| Failure::Lost(e.to_string()))?;
            tcp.set_nodelay(true).map_err(|e| Failure::Lost(e.to_string()))?;
            Ok(Client::connect(config.clone(), tcp.compat_write()).await?)
        };
        let connected = runtime.block_on(async { tokio::time::timeout(ANSWER, connecting).await });
        let client = connected.unwrap_or_else(|_| Err(Failure::Lost("no login in time".to_owned())))?;
        Ok(Sql { client, runtime })
    }

    /// Runs a batch; the rows of all its results.
    pub(crate) fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        let client = &mut self.client;
        let asking = async {
            let results = client.simple_query(sql).await?.into_results().await?;
            let text = |row: tiberius::Row| row.into_iter().map(|value| text(&value)).collect();
            Ok(results.into_iter().flatten().map(text).collect())
        };
        let answered = self.runtime.block_on(async { tokio::time::timeout(ANSWER, asking).await });
        answered.unwrap_or_else(|_| Err(Failure::Lost(format!("no answer in {ANSWER:?}"))))
    }

    /// Runs what must succeed.
    pub(crate) fn run(&mut self, sql: &str) -> Vec<Row> {
        self.rows(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"))
    }

    /// The only value of the only row.
    pub(crate) fn one(&mut self, sql: &str) -> String {
        let rows = self.run(sql);
        let [row] = &rows[..] else { panic!("{sql}: {rows:?}") };
        let [value] = &row[..] else { panic!("{sql}: {row:?}") };
        value.clone()
    }

    /// The number of the error of what must fail.
    pub(crate) fn fails(&mut self, sql: &str) -> u32 {
        match self.rows(sql) {
            Err(Failure::Server { number, .. }) => number,
            other => panic!("{sql}: no error, but {other:?}"),
        }
    }
}

fn text(value: &ColumnData<'static>) -> String {
    let found = match value {
        ColumnData::U8(v) => v.map(|v| v.to_string()),
        ColumnData::I16(v) => v.map(|v| v.to_string()),
        ColumnData::I32(v) => v.map(|v| v.to_string()),
        ColumnData::I64(v) => v.map(|v| v.to_string()),
        ColumnData::F32(v) => v.map(|v| v.to_string()),
        ColumnData::F64(v) => v.map(|v| v.to_string()),
        ColumnData::Bit(v) => v.map(|v| u8::from(v).to_string()),
        ColumnData::String(v) => v.as_ref().map(|v| v.to_string()),
        ColumnData::Guid(v) => v.map(|v| v.to_string().to_uppercase()),
        ColumnData::Binary(v) => v.as_ref().map(|v| {
            let hex: String = v.iter().map(|b| format!("{b:02X}")).collect();
            format!("0x{hex}")
        }),
        ColumnData::Numeric(v) => v.map(|v| match v.scale() {
            0 => v.value().to_string(),
            _ => v.to_string(),
        }),
        // What is only compared with another of its kind.
        other => {
            let shown = format!("{other:?}");
            (!shown.ends_with("(None)")).then_some(shown)
        }
    };
    found.unwrap_or_else(|| "NULL".to_owned())
}
