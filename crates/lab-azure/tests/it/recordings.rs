//! Traffic of the real Azure, replayed: the same requests with names mapped, and each difference of the answers listed.
//!
//! What differs on purpose stands in [`ACCEPTED`] with its reason, and from there in docs/parity.md. A difference that is not
//! there fails the test, and so does one that is there and does not occur.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab_azure::Names;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::compare::{Difference, differences};
use crate::labs::{Cloud, LinkNames, PATIENCE};

/// Differences that stay: the exchange they are in (`*` for any), the places within it, and why.
struct Accepted {
    exchange: &'static str,
    places: &'static [&'static str],
    why: &'static str,
}

const ACCEPTED: &[Accepted] = &[
    Accepted {
        exchange: "*",
        places: &["Retry-After"],
        why: "The lab is faster than Azure, and a setting of it (`Timing`).",
    },
    Accepted {
        exchange: "*",
        places: &[
            "x-ms-ratelimit-remaining-subscription-writes",
            "x-ms-ratelimit-remaining-subscription-deletes",
        ],
        why: "The budgets are those of 2026, and are not used up; throttling is a fault that is set.",
    },
    Accepted {
        exchange: "PUT certificate",
        places: &["azure-asyncoperation", "location"],
        why: "Recorded before addresses of operations were signed; the lab signs all, as Azure does now.",
    },
    Accepted {
        exchange: "DELETE certificate",
        places: &["azure-asyncoperation", "location"],
        why: "As for PUT.",
    },
    Accepted {
        exchange: "GET link",
        places: &["id"],
        why: "Until autumn 2024 Azure gave the instance's id as the id of its link.",
    },
    Accepted { exchange: "GET links", places: &["value[].id"], why: "As for one link." },
    Accepted {
        exchange: "GET link",
        places: &["properties.partnerEndpoint", "properties.replicationMode", "properties.databases"],
        why: "Azure describes a link of several databases some seconds after it has said that it is created; the lab at once.",
    },
    Accepted {
        exchange: "GET link",
        places: &["properties.databases[].lastCommitTime"],
        why: "Azure does not know the last commit of a link that is new (its LSN is 0 then); the lab does.",
    },
    Accepted {
        exchange: "GET links",
        places: &["value[].properties.databases[].lastCommitTime"],
        why: "As for one link.",
    },
    Accepted {
        exchange: "GET link",
        places: &[
            "properties.databases[].partnerAuthCertValidity.certificateName",
            "properties.databases[].partnerAuthCertValidity.expiryDate",
        ],
        why: "Azure shows the partner's certificate in some answers and an empty object in others; the lab shows it whenever \
              there is one certificate only and the link is connected.",
    },
    Accepted {
        exchange: "GET links",
        places: &[
            "value[].properties.databases[].partnerAuthCertValidity.certificateName",
            "value[].properties.databases[].partnerAuthCertValidity.expiryDate",
        ],
        why: "As for one link.",
    },
    Accepted {
        exchange: "GET link",
        places: &["properties.databases[].instanceSendReplicationLagSeconds"],
        why: "Of a secondary Azure says 0 while the link is new and -1 later; the lab says -1 always.",
    },
    Accepted {
        exchange: "GET link",
        places: &["properties.databases[].lastSentLsn", "properties.databases[].lastSentTime"],
        why: "After a forced failover Azure shows `1` as sent; the lab has sent nothing, and shows nothing.",
    },
    Accepted {
        exchange: "GET link",
        places: &["properties.databases[].lastHardenedTime"],
        why: "After a forced failover Azure shows 0 as hardened, with a time; the lab shows what the partner has, without.",
    },
    Accepted {
        exchange: "GET instance",
        places: &["identity.tenantId"],
        why: "Left out of the transcription.",
    },
    Accepted {
        exchange: "GET instance",
        places: &[
            "properties.administratorLogin",
            "properties.currentBackupStorageRedundancy",
            "properties.dnsZone",
            "properties.fullyQualifiedDomainName",
            "properties.publicDataEndpointEnabled",
            "properties.requestedBackupStorageRedundancy",
            "properties.subnetId",
            "properties.virtualClusterId",
            "sku.name",
            "sku.tier",
        ],
        why: "It is another instance.",
    },
];

/// Lines of docs/parity.md between these are made from [`ACCEPTED`].
const BEGIN: &str = "<!-- recorded differences: begin -->";
const END: &str = "<!-- recorded differences: end -->";

/// What must be there before a recording can be replayed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing: who listens at the partner's endpoint says nothing.
    Nobody,
    /// The SQL Server's half of the link; it is primary.
    FromSqlServer,
    /// The SQL Server's half; the managed instance is primary.
    FromManaged,
}

struct Scene {
    file: &'static str,
    stage: Stage,
    link: &'static str,
    databases: &'static [&'static str],
    /// Whether the link is made before the recording begins: its beginning was not recorded.
    made: bool,
}

const SCENES: [Scene; 8] = [
    Scene {
        file: "cli-link-mgmt-instance-primary",
        stage: Stage::FromManaged,
        link: "Link1",
        databases: &["CLI1"],
        made: false,
    },
    Scene {
        file: "cli-link-error-handling",
        stage: Stage::FromSqlServer,
        link: "Link4",
        databases: &["PS4"],
        made: false,
    },
    Scene {
        file: "cli-server-first-forced-failover.partial",
        stage: Stage::FromSqlServer,
        link: "Link4",
        databases: &["PS4"],
        made: true,
    },
    Scene {
        file: "cli-multi-database-link-mgmt",
        stage: Stage::Nobody,
        link: "multilink1",
        databases: &["db1", "db2"],
        made: false,
    },
    Scene {
        file: "cli-multi-database-link-error-handling",
        stage: Stage::Nobody,
        link: "multilink1",
        databases: &["db1", "db2"],
        made: false,
    },
    Scene {
        file: "cli-multi-database-link-update-databases.partial",
        stage: Stage::FromManaged,
        link: "multilink2",
        databases: &["db1", "db2"],
        made: true,
    },
    Scene {
        file: "cli-server-trust-certificate",
        stage: Stage::Nobody,
        link: "",
        databases: &[],
        made: false,
    },
    Scene {
        file: "powershell-instance-primary-planned-failover.partial",
        stage: Stage::FromManaged,
        link: "Link3",
        databases: &["PS3"],
        made: false,
    },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// The part of a path behind a word.
fn behind<'a>(path: &'a str, word: &str) -> Option<&'a str> {
    let rest = path.split_once(&format!("/{word}/"))?.1;
    rest.split(['/', '?']).next()
}

struct Replay {
    scene: &'static Scene,
    cloud: Cloud,
    client: Client,
    /// What the recording says, and what is said here.
    names: Vec<(String, String)>,
    /// Takes connections and says nothing, so that nothing has gone wrong yet: so it looks in the recordings.
    _mute: TcpListener,
    /// The body of the last PUT: not all bodies were transcribed.
    last_put: Option<Value>,
    /// The operation that was started last.
    status_url: String,
    result_url: String,
    found: Vec<Difference>,
}

impl Replay {
    fn start(scene: &'static Scene, exchanges: &[Value]) -> Replay {
        let all: Vec<&str> = exchanges.iter().filter_map(|e| e["path"].as_str()).collect();
        let first = |word: &str| all.iter().find_map(|p| behind(p, word)).unwrap().to_owned();
        let location = all.iter().find_map(|p| behind(p, "locations")).unwrap_or("westeurope").to_owned();
        let instance = all
            .iter()
            .filter_map(|p| behind(p, "managedInstances"))
            .find(|name| *name != "distributedAvailabilityGroups")
            .unwrap();
        let names = Names {
            subscription_id: first("subscriptions"),
            resource_group: first("resourceGroups"),
            instance: instance.to_owned(),
            location,
            ..Names::default()
        };
        // Two recordings are of links with one name.
        let tag = format!("r{}", scene.file.bytes().fold(0_u32, |sum, b| sum * 31 % 65_521 + u32::from(b)));
        let cloud = Cloud::named(&tag, names);
        let client = Client::new(cloud.azure(), "contributor");
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = match scene.stage {
            Stage::Nobody => format!("tcp://{}", mute.local_addr().unwrap()),
            Stage::FromSqlServer | Stage::FromManaged => cloud.sql.endpoint_url(),
        };
        let names = vec![
            ("https://management.azure.com".to_owned(), cloud.azure().endpoint()),
            ("tcp://10.0.1.8:5022".to_owned(), endpoint.clone()),
            ("tcp://172.16.1.130:5022".to_owned(), endpoint),
            ("wwi-2022-sql02".to_owned(), cloud.sql.certificate()),
        ];
        Replay {
            scene,
            cloud,
            client,
            names,
            _mute: mute,
            last_put: None,
            status_url: String::new(),
            result_url: String::new(),
            found: Vec::new(),
        }
    }

    fn mapped(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn mapped_value(&self, value: &Value) -> Value {
        serde_json::from_str(&self.mapped(&value.to_string())).unwrap()
    }

    /// Both halves, as far as the scene wants them.
    fn set(&mut self) {
        let (cloud, client, scene) = (&self.cloud, &self.client, self.scene);
        if scene.stage == Stage::Nobody {
            return;
        }
        client.exchange_certificates(cloud);
        let names = LinkNames {
            link: scene.link.to_owned(),
            server_group: format!(
                "AG_{}",
                scene.databases.first().filter(|_| !scene.link.starts_with("multi")).unwrap_or(&scene.link)
            ),
            instance_group: String::new(),
            databases: scene.databases.iter().map(|d| (*d).to_owned()).collect(),
        };
        let names = LinkNames { instance_group: format!("{}_MI", names.server_group), ..names };
        let multi = scene.databases.len() > 1;
        if multi {
            cloud.sql.run("EXEC sp_multidb_milink 1");
        }
        let role = if scene.stage == Stage::FromManaged {
            cloud.prepare_from_managed(&names);
            "Primary"
        } else {
            cloud.prepare_from_sql_server(&names);
            "Secondary"
        };
        if scene.made {
            let mut body = crate::life::create_body(cloud, &names, role);
            if multi {
                body["properties"]["linkMode"] = json!("MultiDatabase");
            }
            client.done(&client.put(&format!("/distributedAvailabilityGroups/{}", scene.link), &body));
            crate::labs::until("the link", &true, || {
                let link = client.get(&format!("/distributedAvailabilityGroups/{}", scene.link)).body;
                let databases = link["properties"]["databases"].as_array().cloned().unwrap_or_default();
                !databases.is_empty()
                    && databases.iter().all(|d| d["replicaState"] == json!("LinkSynchronizing"))
            });
            if multi {
                cloud.managed.make_database("db3");
            }
        }
    }

    fn note(&mut self, exchange: &str, place: &str, recorded: &str, answered: &str) {
        // Ports are different each time.
        let back =
            |text: &str| self.names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(to, from));
        let (recorded, answered) = (back(recorded), back(answered));
        self.found.push(Difference {
            recording: self.scene.file.to_owned(),
            exchange: exchange.to_owned(),
            place: place.to_owned(),
            recorded,
            answered,
        });
    }

    /// One exchange: asks what was asked, and compares.
    fn exchange(&mut self, exchange: &Value) {
        let (method, path) = (exchange["method"].as_str().unwrap(), exchange["path"].as_str().unwrap());
        let label = label(method, path);
        if method != "GET" {
            // Some polls were not recorded: what was started has ended by the time of the next request.
            self.finish();
        }
        let body =
            exchange.get("requestBody").map(|b| self.mapped_value(b)).or_else(|| match label.as_str() {
                "PUT link" => self.last_put.clone(),
                "POST link failover" => Some(json!({"failoverType": "ForcedAllowDataLoss"})),
                _ => None,
            });
        if method == "PUT" {
            self.last_put.clone_from(&body);
        }
        let reply = if path.contains("AzureAsyncOperation/") {
            // A recording that begins behind the start of an operation begins with its polls.
            if self.status_url.is_empty() {
                return;
            }
            self.poll(exchange["responseBody"]["status"].as_str().unwrap_or_default())
        } else if path.contains("OperationResults/") {
            self.client.send("GET", &self.result_url, None)
        } else {
            self.ask(method, path, body.as_ref(), exchange)
        };
        if reply.status == 202 && method != "GET" {
            reply.header("azure-asyncoperation").clone_into(&mut self.status_url);
            reply.header("location").clone_into(&mut self.result_url);
        }
        self.compare(&label, exchange, &reply);
    }

    fn finish(&mut self) {
        if !self.status_url.is_empty() {
            self.poll("Succeeded");
        }
    }

    /// Asks how the operation stands, until it has ended if it had ended in the recording.
    fn poll(&self, recorded: &str) -> Reply {
        let limit = Instant::now() + PATIENCE;
        loop {
            let reply = self.client.send("GET", &self.status_url, None);
            if recorded == "InProgress" || reply.body["status"] != json!("InProgress") {
                return reply;
            }
            assert!(Instant::now() < limit, "{}: {reply:?}", self.scene.file);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks; a link that had got somewhere in the recording is given the time to get there.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>, exchange: &Value) -> Reply {
        let url = self.mapped(&format!("{}{path}", self.cloud.azure().endpoint()));
        let database = |v: &Value| {
            let link = if v["value"].is_array() { &v["value"][0] } else { v };
            link["properties"]["databases"][0].clone()
        };
        let wanted = database(&exchange["responseBody"]);
        let limit = Instant::now() + Duration::from_secs(10);
        loop {
            let reply = self.client.send(method, &url, body);
            let found = database(&reply.body);
            // Times of positions come a moment after these.
            let known = |key: &String| !found[key].is_null();
            let there = wanted["replicaState"] == found["replicaState"]
                && wanted.as_object().is_none_or(|w| w.keys().all(known));
            let there = wanted.is_null() || there;
            if there || Instant::now() > limit {
                return reply;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn compare(&mut self, label: &str, exchange: &Value, reply: &Reply) {
        let status = exchange["status"].as_u64().unwrap();
        if status != u64::from(reply.status) {
            self.note(label, "status", &status.to_string(), &format!("{} {}", reply.status, reply.code()));
        }
        let headers = exchange["responseHeaders"].as_object().cloned().unwrap_or_default();
        for (name, value) in &headers {
            let (recorded, answered) = (value.as_str().unwrap(), reply.header(name));
            let (recorded, answered) = if recorded.starts_with("https://") {
                (address_form(&self.mapped(recorded)), address_form(answered))
            } else {
                (recorded.to_owned(), answered.to_owned())
            };
            if recorded != answered {
                let answered = if answered.is_empty() { "absent".to_owned() } else { answered };
                self.note(label, name, &recorded, &answered);
            }
        }
        let Some(recorded) = exchange.get("responseBody") else { return };
        let (mut recorded, mut out) = (self.mapped_value(recorded), Vec::new());
        // The lab may be faster: it has ended what Azure was still at.
        if label == "GET operation" && reply.body["status"] == json!("Succeeded") {
            recorded["status"] = json!("Succeeded");
        }
        differences(&recorded, &reply.body, "", &mut out);
        for (place, recorded, answered) in out {
            self.note(label, place.trim_start_matches('.'), &recorded, &answered);
        }
    }
}

/// What an exchange is called in the list.
fn label(method: &str, path: &str) -> String {
    let kind = if path.contains("AzureAsyncOperation/") {
        "operation"
    } else if path.contains("OperationResults/") {
        "result"
    } else if path.contains("/failover") {
        "link failover"
    } else if path.contains("/distributedAvailabilityGroups/") {
        "link"
    } else if path.contains("/distributedAvailabilityGroups") {
        "links"
    } else if path.contains("/serverTrustCertificates/") {
        "certificate"
    } else if path.contains("/serverTrustCertificates") {
        "certificates"
    } else {
        "instance"
    };
    format!("{method} {kind}")
}

/// An address without what is different each time: the id, and the values of the signature.
fn address_form(url: &str) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = path.rsplit_once('/').map_or(path, |(path, _)| path);
    let parameter = |p: &str| {
        let (key, value) = p.split_once('=').unwrap_or((p, ""));
        if key == "api-version" { format!("{key}={value}") } else { key.to_owned() }
    };
    format!("{path}/{{id}}?{}", query.split('&').map(parameter).collect::<Vec<_>>().join("&"))
}

fn replay(scene: &'static Scene) -> Vec<Difference> {
    let text = std::fs::read_to_string(folder().join(format!("{}.json", scene.file))).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let exchanges = recording["exchanges"].as_array().unwrap();
    assert!(exchanges.len() >= 4, "{}", scene.file);
    let mut replay = Replay::start(scene, exchanges);
    replay.set();
    exchanges.iter().for_each(|exchange| replay.exchange(exchange));
    replay.finish();
    replay.found
}

/// Two texts without the long beginning that they share.
fn apart(a: &str, b: &str) -> (String, String) {
    let shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let cut = a.get(..shared).and_then(|s| s.rfind(['/', '?', '.'])).filter(|at| *at > 30);
    let rest = |text: &str| match cut {
        Some(at) => format!("…{}", text.get(at..).unwrap_or_default()),
        None => text.to_owned(),
    };
    (rest(a), rest(b))
}

/// The rows of the list in docs/parity.md: each difference once, with what it looks like and its reason.
fn rendered(found: &BTreeSet<Difference>) -> String {
    let mut rows: BTreeSet<String> = BTreeSet::new();
    for difference in found {
        let Some(accepted) = ACCEPTED.iter().find(|a| a.covers(difference)) else { continue };
        let (recorded, answered) = apart(&difference.recorded, &difference.answered);
        rows.insert(format!(
            "| {} | `{}` | {recorded} | {answered} | {} |",
            difference.exchange, difference.place, accepted.why
        ));
    }
    let head = "| call | where | Azure, as recorded | the lab | why |\n|---|---|---|---|---|";
    format!("{BEGIN}\n{head}\n{}\n{END}", rows.into_iter().collect::<Vec<_>>().join("\n"))
}

impl Accepted {
    fn covers(&self, difference: &Difference) -> bool {
        (self.exchange == "*" || self.exchange == difference.exchange)
            && self.places.contains(&difference.place.as_str())
    }
}

#[test]
fn recorded_traffic_is_answered_as_azure_answered_it() {
    let mut found: BTreeSet<Difference> = BTreeSet::new();
    // Two at a time: each has two instances.
    for pair in SCENES.chunks(2) {
        std::thread::scope(|scope| {
            let threads: Vec<_> = pair.iter().map(|scene| scope.spawn(|| replay(scene))).collect();
            threads.into_iter().for_each(|t| found.extend(t.join().unwrap()));
        });
    }
    let unexplained: Vec<String> = found
        .iter()
        .filter(|d| !ACCEPTED.iter().any(|a| a.covers(d)))
        .map(|d| format!("{} | {} | {} | {} | {}", d.recording, d.exchange, d.place, d.recorded, d.answered))
        .collect();
    assert!(unexplained.is_empty(), "differences without a reason:\n{}", unexplained.join("\n"));
    let occurs = |a: &Accepted, place: &str| found.iter().any(|d| d.place == place && a.covers(d));
    let stale: Vec<String> = ACCEPTED
        .iter()
        .flat_map(|a| a.places.iter().filter(|p| !occurs(a, p)).map(|p| format!("{} {p}", a.exchange)))
        .collect();
    assert!(stale.is_empty(), "differences that are none any more: {stale:?}");

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parity.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/parity.md has the list of differences");
    let (_, after) = rest.split_once(END).expect("docs/parity.md has the list's end");
    let wanted = format!("{before}{}{after}", rendered(&found));
    if std::env::var_os("MILINK_UPDATE_DOCS").is_some() {
        std::fs::write(&page, &wanted).unwrap();
        return;
    }
    assert_eq!(text, wanted, "docs/parity.md: run the test with MILINK_UPDATE_DOCS=1");
}
