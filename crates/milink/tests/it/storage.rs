//! A database whose files go out of reach while a real instance runs on them.

use tiberius::{EncryptionLevel, Query};

use crate::Instance;
use crate::tiberius_client::connect;

/// Bytes that cannot be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u8
    };
    std::iter::repeat_with(&mut next).take(len).collect()
}

#[tokio::test]
async fn an_answer_that_cannot_be_hardened_does_not_leave_and_the_database_comes_back_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let instance = Instance::start(folder.path());
    instance.query("master", "CREATE DATABASE a; CREATE DATABASE b");
    instance.query("a", "CREATE TABLE t(n int, v varbinary(max))");
    // One is in the middle of things, one waits for its next request.
    let mut writer = connect(instance.port, "a", EncryptionLevel::Required).await.unwrap();
    let mut idle = connect(instance.port, "a", EncryptionLevel::Off).await.unwrap();
    let first = writer.execute("INSERT t VALUES(1, 0x01)", &[]).await.unwrap();
    assert_eq!(first.rows_affected(), [1]);
    idle.simple_query("SELECT n FROM t").await.unwrap().into_results().await.unwrap();

    let files = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.file_name().unwrap().to_string_lossy().starts_with("db5-"))
        .unwrap();
    let away = folder.path().join("away");
    std::fs::rename(&files, &away).unwrap();
    // More than the log segment that is open has room for.
    let big = noise(3 << 20);
    let mut insert = Query::new("INSERT t VALUES(2, @P1)");
    insert.bind(&big[..]);
    let told = insert.execute(&mut writer).await.unwrap_err();
    assert!(
        matches!(&told, tiberius::error::Error::Server(e) if e.code() == 9001 && e.class() == 21),
        "{told:?}"
    );
    assert!(writer.simple_query("SELECT 1").await.is_err(), "the connection has ended");

    let state = "SELECT state_desc FROM sys.databases WHERE name = 'a'";
    assert_eq!(instance.query("b", state), ["RECOVERY_PENDING"]);
    let out = instance.sql(&["-b", "-d", "a", "-Q", "SELECT 1"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("4060"), "{out:?}");
    instance.query("b", "CREATE TABLE t(n int); INSERT t VALUES(1)");

    std::fs::rename(&away, &files).unwrap();
    instance.query("master", "ALTER DATABASE a SET ONLINE");
    assert!(idle.simple_query("SELECT 1").await.is_err(), "it had the files open");
    assert_eq!(instance.query("master", state), ["ONLINE"]);
    assert_eq!(instance.query("a", "SELECT n FROM t"), ["1"]);
    let mut writer = connect(instance.port, "a", EncryptionLevel::Required).await.unwrap();
    let mut insert = Query::new("INSERT t VALUES(2, @P1)");
    insert.bind(&big[..]);
    assert_eq!(insert.execute(&mut writer).await.unwrap().rows_affected(), [1]);
    instance.kill();
    let instance = Instance::start(folder.path());
    assert_eq!(instance.query("a", "SELECT n, datalength(v) FROM t ORDER BY n"), ["1\t1", "2\t3145728"]);
}
