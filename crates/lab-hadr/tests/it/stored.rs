//! The form in which the groups are kept.

use lab_hadr::{ClusterType, Groups};

/// As the first version wrote it: no number, and nothing of what came later.
const FIRST: &str = r#"{"groups":[{"id":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"name":"AG","role":"Primary",
"required_synchronized":0,"kind":{"Local":{"replicas":[{"id":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,17],"name":"SQL1",
"url":{"text":"TCP://h:5022","host":"h","port":5022,"server":null,"database":null},"commit_mode":"Synchronous",
"failover_mode":"Manual","seeding_mode":"Automatic","session_timeout_s":10,"backup_priority":50,
"primary_read_write_only":false,"secondary_allow":"All","read_only_routing_url":null}],
"databases":[{"id":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,18],"name":"Db","suspended":false}],
"create_any_database":true,"shown":{}}}}]}"#;

#[test]
fn the_first_format_is_read_and_the_newest_written() {
    let groups: Groups = serde_json::from_str(FIRST).unwrap();
    let (_, local) = groups.local().next().unwrap();
    assert_eq!(
        (local.cluster_type, local.basic, local.databases[0].joined),
        (ClusterType::None, false, true)
    );
    let text = serde_json::to_string(&groups).unwrap();
    assert!(text.starts_with(r#"{"format":2,"#), "{text}");
    assert_eq!(serde_json::from_str::<Groups>(&text).unwrap(), groups);
}

#[test]
fn a_newer_format_is_refused() {
    let error = serde_json::from_str::<Groups>(r#"{"format":99,"groups":[]}"#).unwrap_err();
    assert!(error.to_string().contains("format 99"), "{error}");
}
