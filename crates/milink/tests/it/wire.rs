//! What a hostile or broken client can do: nothing to anybody else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Instance;

#[test]
fn malformed_bytes_close_that_connection_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let prelogin = [0x12, 1, 0, 14, 0, 0, 0, 0, 1, 0, 6, 0, 1, 0xFF, 2];
    let hostile: Vec<Vec<u8>> = vec![
        vec![0; 100],
        vec![0xFF; 100],
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        vec![0x16, 3, 1, 0xFF, 0xFF, 1, 2, 3],
        vec![0x12, 1, 0, 7, 0, 0, 0, 0],
        vec![0x12, 1, 0, 9, 0, 0, 0, 0, 0],
        [&[0x12, 1, 0x7F, 0xFF, 0, 0, 1, 0][..], &vec![0; 0x7FFF - 8]].concat(),
        [&prelogin[..], &[0x10, 1, 0, 12, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]].concat(),
        // Packets that never end their message: what is read before login is bounded.
        [0x12, 0, 0x10, 0, 0, 0, 1, 0]
            .iter()
            .copied()
            .chain(std::iter::repeat_n(0, 4088))
            .collect::<Vec<u8>>()
            .repeat(40),
    ];
    for (n, bytes) in hostile.iter().enumerate() {
        let mut tcp = TcpStream::connect(("127.0.0.1", lab.port)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // The server may have hung up in the middle of it.
        drop(tcp.write_all(bytes));
        drop(tcp.shutdown(std::net::Shutdown::Write));
        let began = Instant::now();
        let mut answer = Vec::new();
        drop(tcp.read_to_end(&mut answer));
        assert!(began.elapsed() < Duration::from_secs(5), "case {n} was not hung up on");
    }
    assert_eq!(lab.query("master", "SELECT 1"), ["1"]);
}

#[test]
fn sessions_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start_with(&folder.path().join("data"), &["--max-sessions", "1"]);
    let mut holds = std::process::Command::new(env!("CARGO_BIN_EXE_milink"))
        .args([
            "sql",
            "-S",
            &format!("127.0.0.1,{}", lab.port),
            "-U",
            "sa",
            "-C",
            "-Q",
            "WAITFOR DELAY '00:00:20'",
        ])
        .env("SQLCMDPASSWORD", crate::PASSWORD)
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let second = lab.sql(&["-Q", "SELECT 1"]);
        if String::from_utf8_lossy(&second.stderr).contains("maximum number of user connections") {
            break;
        }
        assert!(Instant::now() < until, "the second session was never refused");
    }
    holds.kill().unwrap();
    holds.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while !lab.sql(&["-b", "-Q", "SELECT 1"]).status.success() {
        assert!(Instant::now() < until, "the place of a client that is gone was never free again");
        std::thread::sleep(Duration::from_millis(50));
    }
}
