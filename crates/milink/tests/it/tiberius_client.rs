//! tiberius.

use tiberius::numeric::Numeric;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, IntoRow as _, Query};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

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

#[tokio::test]
async fn tiberius_works() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    for encryption in
        [EncryptionLevel::NotSupported, EncryptionLevel::Off, EncryptionLevel::On, EncryptionLevel::Required]
    {
        let mut client = connect(lab.port, "master", encryption).await.unwrap();
        client.simple_query("SELECT 1").await.unwrap().into_results().await.unwrap();
    }
    let mut client = connect(lab.port, "master", EncryptionLevel::Required).await.unwrap();
    client.simple_query("CREATE TABLE t (a int, b nvarchar(max), c decimal(18,4), d uniqueidentifier, e float, f bit, g varbinary(max), h bigint)").await.unwrap().into_results().await.unwrap();
    let long = "日本".repeat(5000);
    let guid = tiberius::Uuid::from_u128(0x6F96_19FF_8B86_D011_B42D_00C0_4FC9_64FF);
    let mut insert = Query::new("INSERT INTO t VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8)");
    insert.bind(5_i32);
    insert.bind(long.as_str());
    insert.bind(Numeric::new_with_scale(12_345, 4));
    insert.bind(guid);
    insert.bind(0.1_f64);
    insert.bind(true);
    insert.bind(vec![1_u8, 2, 3]);
    insert.bind(Option::<i64>::None);
    assert_eq!(insert.execute(&mut client).await.unwrap().rows_affected(), [1]);
    let row = client
        .query("SELECT * FROM t WHERE a = @P1", &[&5_i32])
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<&str, _>(1), Some(long.as_str()));
    assert_eq!(row.get::<Numeric, _>(2), Some(Numeric::new_with_scale(12_345, 4)));
    assert_eq!(row.get::<tiberius::Uuid, _>(3), Some(guid));
    assert_eq!(
        (row.get::<f64, _>(4), row.get::<bool, _>(5), row.get::<i64, _>(7)),
        (Some(0.1), Some(true), None)
    );
    assert_eq!(row.get::<&[u8], _>(6), Some(&[1_u8, 2, 3][..]));
    for text in ["BEGIN TRAN DELETE FROM t", "ROLLBACK"] {
        client.simple_query(text).await.unwrap().into_results().await.unwrap();
    }
    client
        .simple_query("CREATE TABLE b (a int NOT NULL, b nvarchar(20) NULL)")
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    let mut bulk = client.bulk_insert("b").await.unwrap();
    for n in 0..2500_i32 {
        bulk.send((n, format!("row {n}")).into_row()).await.unwrap();
    }
    assert_eq!(bulk.finalize().await.unwrap().total(), 2500);
    let row = client
        .simple_query("SELECT (SELECT COUNT(*) FROM t), (SELECT SUM(a) FROM b)")
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.get::<i32, _>(0), row.get::<i32, _>(1)), (Some(1), Some(3_123_750)));
}
