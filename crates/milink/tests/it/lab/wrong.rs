//! What cannot be done is said in a sentence that helps.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{Lab, text};

#[test]
fn folders_that_cannot_be_used() {
    let lab = Lab::new();
    let (code, said) = lab.bad(&["status"]);
    assert_eq!(code, 1);
    assert!(said.contains("there is no lab in") && said.contains("milink lab up"), "{said}");
    std::fs::write(lab.data().join("lab.json"), r#"{"format": 99}"#).unwrap();
    for verb in ["status", "up"] {
        let said = lab.bad(&[verb]).1;
        assert!(said.contains("is of format 99, and this program knows 1"), "{said}");
    }
    // /proc takes no folders, whoever asks, and a file is none.
    let file = lab.data().join("lab.json").display().to_string();
    for place in ["/proc/nothing", &file] {
        let out = Command::new(env!("CARGO_BIN_EXE_milink"))
            .args(["lab", "up", "--detach", "--data", place])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = text(&out.stderr);
        assert!(!out.status.success() && said.contains(place) && said.lines().count() == 1, "{said}");
        assert!(said.contains("choose another folder with --data"), "{said}");
    }
}

#[test]
fn ports_and_second_starts() {
    let lab = Lab::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let said = lab.bad(&["up", "--detach", "--sample", "none", "--azure-port", &port]).1;
    assert!(
        said.contains(&format!("port {port}, which the local Azure has in this lab, is in use")),
        "{said}"
    );
    assert!(said.contains("--azure-port"), "{said}");
    let same = lab.bad(&["up", "--azure-port", "5000", "--managed-port", "5000"]).1;
    assert!(same.contains("are both 5000"), "{same}");
    drop(other);
    lab.start(&["--sample", "none", "--azure-port", &port]);
    assert_eq!(lab.status()["azure"]["armEndpoint"], format!("https://localhost:{port}"));

    let said = lab.bad(&["up", "--detach"]).1;
    assert!(said.contains("a lab runs in") && said.contains("--data"), "{said}");
    lab.good(&["down"]);
    let said = lab.bad(&["up", "--detach", "--version", "2025"]).1;
    assert!(said.contains("made with --version 2022, and cannot become 2025"), "{said}");

    // A program that took one of its ports meanwhile.
    let port = port.parse::<u16>().unwrap();
    let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let said = lab.bad(&["up", "--detach"]).1;
    assert!(said.contains("is in use by another program"), "{said}");
}

#[test]
fn arguments_and_names() {
    let lab = Lab::up(&["--sample", "none"]);
    assert_eq!(lab.bad(&["up", "--sample", "pubs"]).0, 2);
    assert_eq!(lab.bad(&["fault", "cut", "--direction", "up"]).0, 2);
    assert_eq!(lab.bad(&["workload", "--rate", "0"]).0, 2);
    let (code, said) = lab.bad(&["restore", "nothing"]);
    assert_eq!(code, 3);
    assert!(said.contains("there is no snapshot 'nothing': there is none yet"), "{said}");
    assert!(lab.bad(&["snapshot", "../x"]).1.contains("is no name for a snapshot"));
    for (fault, words) in [
        (&["start", "sqlserver"][..], "sqlserver runs already"),
        (&["heal"], "there is nothing to heal"),
        (&["delay", "0"], "a delay is between"),
        (&["certificate", "managed", "restore"], "was not broken by the lab"),
        (&["certificate", "sqlserver", "expire"], "The endpoint has no certificate to replace."),
        (&["disk-full", "managed", "off"], "has room on its disk"),
    ] {
        let arguments: Vec<&str> = ["fault"].iter().chain(fault).copied().collect();
        let (code, said) = lab.bad(&arguments);
        assert!(code == 1 && said.contains(words), "{fault:?}: {said}");
    }
    assert_eq!(lab.good(&["fault", "list", "-o", "json"]).trim(), "[]");
    let said = lab.bad(&["workload", "--seconds", "1"]).1;
    assert!(said.contains("say which database with --database"), "{said}");
    let said = lab.bad(&["workload", "--seconds", "1", "--database", "nothing"]).1;
    assert!(said.contains("nothing can be written to nothing: Msg 4060"), "{said}");
}
