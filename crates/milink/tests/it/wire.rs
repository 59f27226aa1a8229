//! What a hostile or broken client can do: nothing to anybody else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Instance;
use crate::raw::{self, Raw, packet};

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

#[test]
fn a_client_that_drips_its_login_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let mut raw = Raw::connect(lab.port);
    raw.tcp.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let began = Instant::now();
    // A byte each second of a message that would be long: always something new, never a whole packet.
    let mut message = packet(raw::PRELOGIN, 1, &[0; 4000]).into_iter();
    let ended = loop {
        drop(raw.tcp.write_all(&[message.next().unwrap()]));
        if raw.is_closed() {
            break began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it may go on for ever");
    };
    assert!((14..18).contains(&ended.as_secs()), "cut off after {ended:?}");
}

/// The memory that a process has resident, in bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn memory_before_login_is_bounded() {
    const CONNECTIONS: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    // The first ones warm up what all share.
    let hold = |count: usize| -> Vec<Raw> {
        (0..count)
            .map(|_| {
                let mut raw = Raw::connect(lab.port);
                // As much as may come before login: a packet of a message that goes on, and a packet that never ends.
                raw.tcp.write_all(&packet(raw::PRELOGIN, 0, &[0; 12_000])).unwrap();
                raw.tcp.write_all(&packet(raw::PRELOGIN, 0, &vec![0; 32_000])[..8_000]).unwrap();
                raw
            })
            .collect()
    };
    let warm = hold(20);
    std::thread::sleep(Duration::from_millis(500));
    let before = resident(lab.pid());
    let held = hold(CONNECTIONS);
    // What is read is read at once; it must stay bounded however long they stay.
    std::thread::sleep(Duration::from_secs(1));
    let each = (resident(lab.pid()) - before) / CONNECTIONS;
    assert!(each <= 64 * 1024, "{each} bytes for each connection");
    assert!(each > 1024, "nothing was measured");
    drop((warm, held));
}

#[test]
fn a_failed_login_says_so_and_hangs_up() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    for (user, password) in [("sa", "wrong"), ("nobody", crate::PASSWORD), ("", "")] {
        let (mut raw, reply) = Raw::login(lab.port, user, password, &[]);
        assert_eq!(reply.error(), Some((18456, 1, 14)), "{user}");
        assert_eq!(reply.token(0xAD), None, "no LOGINACK");
        assert!(raw.is_closed());
    }
}

#[test]
fn only_what_is_served_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    // Session recovery, column encryption, data classification, UTF-8, DNS caching, JSON, vector, user agent.
    let features = [
        &[0x01, 0, 0, 0, 0][..],
        &[0x04, 1, 0, 0, 0, 1],
        &[0x09, 1, 0, 0, 0, 2],
        &[0x0A, 1, 0, 0, 0, 1],
        &[0x0B, 0, 0, 0, 0],
        &[0x0D, 1, 0, 0, 0, 1],
        &[0x0E, 1, 0, 0, 0, 1],
        &[0x10, 2, 0, 0, 0, 0x7B, 0x7D],
        &[0xFF],
    ]
    .concat();
    let (_, reply) = Raw::login(lab.port, "sa", crate::PASSWORD, &features);
    assert_eq!(reply.error(), None);
    assert_eq!(reply.token(0xAE), Some(&[0x0A, 1, 0, 0, 0, 1, 0xFF][..]));
    // A collation and a packet size are told, too.
    assert!(reply.bytes.windows(5).any(|w| w == [0xE3, 8, 0, 7, 5]), "ENVCHANGE of the collation");
    let (_, reply) = Raw::login(lab.port, "sa", crate::PASSWORD, &[]);
    assert_eq!(reply.token(0xAE), None, "nothing was asked");
}

#[test]
fn a_request_is_given_up_in_any_state() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let (mut raw, _) = Raw::login(lab.port, "sa", crate::PASSWORD, &[]);
    let alive = |raw: &mut Raw| {
        raw.batch(1, "DECLARE @a int");
        assert_eq!(raw.reply().unwrap().done(), 0);
    };
    // Nothing runs.
    raw.send(raw::ATTENTION, 1, &[]);
    assert_eq!(raw.reply().unwrap().done(), 0x20);
    alive(&mut raw);
    // In the middle of its message, by its last packet: one DONE with an error, and nothing is acknowledged.
    raw.batch(0, "SELECT 1");
    raw.send(raw::BATCH, 3, &[]);
    assert_eq!(raw.reply().unwrap().done(), 2);
    alive(&mut raw);
    // In the middle of its message, by an Attention.
    raw.batch(0, "SELECT 1");
    raw.send(raw::ATTENTION, 1, &[]);
    assert_eq!(raw.reply().unwrap().done(), 0x20);
    alive(&mut raw);
    // While it runs.
    raw.batch(1, "WAITFOR DELAY '00:00:30'");
    raw.send(raw::ATTENTION, 1, &[]);
    let mut last = raw.reply().unwrap();
    if last.done() != 0x20 {
        last = raw.reply().unwrap();
    }
    assert_eq!(last.done(), 0x20);
    alive(&mut raw);
    // While a client that reads nothing is sent rows without end.
    raw.batch(1, "WITH n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n) SELECT a, REPLICATE('x', 4000) AS b FROM n OPTION (MAXRECURSION 0)");
    std::thread::sleep(Duration::from_millis(500));
    raw.send(raw::ATTENTION, 1, &[]);
    let rows = raw.reply().unwrap();
    assert!(rows.bytes.len() < 64 * 1024 * 1024, "{} bytes after an Attention", rows.bytes.len());
    if rows.done() != 0x20 {
        assert_eq!(raw.reply().unwrap().done(), 0x20);
    }
    alive(&mut raw);
}
