//! What the local Azure of a running lab allows to whom.

use serde_json::json;

use super::{Lab, begin_link_as};

const LINK: &str = "/distributedAvailabilityGroups/link-Shop";

/// Whoever has the role that the documentation lists makes a link and ends it, and cannot fail over from Azure.
#[test]
fn the_documented_role_makes_links_and_does_not_fail_over() {
    let lab = Lab::up(&["--sample", "none"]);
    let status = lab.status();
    let principals = status["azure"]["principals"].as_array().unwrap();
    let names: Vec<&str> = principals.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["contributor", "reader", "documented"]);
    assert!(names[3..].iter().all(|name| name.starts_with("without-")) && names.len() > 20, "{names:?}");
    assert_eq!(principals[2]["role"], "Managed Instance link, as documented");
    assert!(lab.good(&["status"]).contains("contributor, reader, documented and "));

    lab.sql("sqlserver", "master", "CREATE DATABASE Shop");
    let port = crate::hadr::free_port().to_string();
    let arm = begin_link_as(&lab, "documented", "Shop", &port);
    lab.wait("managed", "master", "SELECT state_desc FROM sys.databases WHERE name = N'Shop'", "ONLINE");
    let forced = json!({"failoverType": "ForcedAllowDataLoss"});
    let (code, said, _) = arm.send("POST", &format!("{LINK}/failover"), Some(&forced));
    assert_eq!((code, &said["error"]["code"]), (403, &json!("AuthorizationFailed")));
    let action = "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action";
    assert!(said["error"]["message"].as_str().unwrap().contains(action), "{said}");
    assert_eq!(arm.send("GET", LINK, None).1["properties"]["instanceLinkRole"], "Secondary");
    arm.change("PATCH", LINK, &json!({"properties": {"replicationMode": "Sync"}}));
    arm.change("DELETE", LINK, &json!({}));
    assert_eq!(arm.send("GET", LINK, None).0, 404);
}
