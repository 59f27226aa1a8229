//! What goes wrong without a number.

use serde::Serialize;

/// Something that is seen and has neither number nor code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Symptom {
    /// Its stable name.
    pub name: &'static str,
    /// What is seen.
    pub symptom: &'static str,
    /// A part of a text in an error log by which it is known, where there is one; in lower case.
    pub text: Option<&'static str>,
    /// Why.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// Sorted by name.
pub const SYMPTOMS: &[Symptom] = &[
    Symptom {
        name: "certificate-expired",
        symptom: "the link was good and does not connect any more, on a round date",
        text: Some("certificate expired"),
        cause: "SQL Server's own endpoint certificate has expired; the managed instance's is rotated by Azure, and SQL \
                Server refuses the new one if a root is missing",
        fix: "make a new certificate, upload it to the managed instance, let the endpoint use it, drop the old one; import all \
              of Azure's roots",
        source: "Best practices, certificates; Troubleshoot, certificates",
    },
    Symptom {
        name: "database-lost-after-drop",
        symptom: "after the link was dropped, the managed instance's database does not come back from a restart",
        text: None,
        cause: "the link was dropped before the managed instance had finished its first full backup as primary",
        fix: "ask Azure's support to repair it; to avoid it, wait for a backup of type D in the managed instance's \
              msdb.dbo.backupset before dropping",
        source: "Fail over, drop the link; Troubleshoot, database after removal",
    },
    Symptom {
        name: "log-grows",
        symptom: "SQL Server's log grows without end",
        text: None,
        cause: "the secondary does not receive, or no log backups are taken; log_reuse_wait_desc tells which",
        fix: "bring the link back, take log backups; if neither helps before the disk is full, drop the link",
        source: "Best practices, log backups",
    },
    Symptom {
        name: "planned-failover-times-out",
        symptom: "a planned failover is given up after a while",
        text: None,
        cause: "the secondary does not catch up: the workload still writes, the network is narrow, the secondary is weak",
        fix: "observe both sides first; stop the workload, wait until both queues are near 0, ask again",
        source: "Troubleshoot, failover",
    },
    Symptom {
        name: "redirect-string-empty",
        symptom: "error 41976, and SQL Server's log says that the redirect string is empty",
        text: Some("redirect string is empty"),
        cause: "`;Server=[<mi>]` is missing in the managed instance's LISTENER_URL, so its gateway cannot redirect",
        fix: "drop the distributed group and create it with the whole LISTENER_URL",
        source: "Walkthrough, missing Server part",
    },
    Symptom {
        name: "tcp-works-link-does-not",
        symptom: "a TCP test of port 5022 succeeds, and the link does not connect",
        text: None,
        cause: "a firewall inspects packets and drops SQL Server's own handshake, or a certificate or the LISTENER_URL is wrong",
        fix: "test with a real handshake of the endpoint; let the firewall pass the ports 5022 and 11000-11999 without inspection",
        source: "Prepare, network; Troubleshoot, network",
    },
    Symptom {
        name: "two-primaries",
        symptom: "both sides say that they are PRIMARY, and nothing is replicated",
        text: None,
        cause: "a forced failover, after which the former primary came back: split brain",
        fix: "stop writes on both; decide who stays; save what the other has alone (tail-log backup on SQL Server, copy-only \
              backup on the managed instance); then make it secondary",
        source: "DR, forced failover; Troubleshoot, split brain",
    },
];

/// The symptom that a line of an error log shows, if it shows one that is known.
pub fn symptom_in(line: &str) -> Option<&'static Symptom> {
    let line = line.to_ascii_lowercase();
    SYMPTOMS.iter().find(|s| s.text.is_some_and(|text| line.contains(text)))
}
