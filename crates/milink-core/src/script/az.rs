//! Plans as a shell script: az for Azure, sqlcmd for the two instances.

use serde_json::json;

use super::rest::{self, failover_type, role_word};
use super::wait::{Check, checks, gates, hardened_query};
use super::{Script, Target, base_name, heading, known_key, label, public_key_query, tsql, written};
use crate::action::{Action, ArmCall, LinkBody, PublicKey, Statement};
use crate::names::Side;
use crate::observe::Observation;
use crate::plan::Plan;

const FUNCTIONS: &str = r#"
instance_id="/subscriptions/$subscription/resourceGroups/$resource_group/providers/Microsoft.Sql/managedInstances/$instance"
at=(--subscription "$subscription" --resource-group "$resource_group" --instance-name "$instance" --only-show-errors --output none)

# Runs standard input on a server. Variables of sqlcmd are taken from the environment.
run() { sqlcmd -S "$1" -d master -b -i /dev/stdin; }
# The same, without any variables.
run_plain() { sqlcmd -S "$1" -d master -b -x -i /dev/stdin; }
# The one value that a query on standard input gives.
value() { sqlcmd -S "$1" -d master -b -x -h -1 -W -i /dev/stdin; }

# wait_until WHAT SECONDS COMMAND...: until the command succeeds.
wait_until() {
    local what=$1 until=$((SECONDS + $2))
    shift 2
    until "$@"; do
        if [ "$SECONDS" -gt "$until" ]; then echo "$what: not so in time" >&2; exit 1; fi
        sleep 2
    done
}
holds() { [ "$(value "$1" <<<"SET NOCOUNT ON; SELECT CASE WHEN $2 THEN 1 ELSE 0 END")" = 1 ]; }
# equal SERVER SERVER SECONDS QUERY: both give the same value, and go on doing so.
equal() {
    local one two
    one=$(value "$1" <<<"SET NOCOUNT ON; $4")
    sleep "$3"
    two=$(value "$2" <<<"SET NOCOUNT ON; $4")
    [ -n "$one" ] && [ "$one" = "$two" ] && [ "$one" = "$(value "$1" <<<"SET NOCOUNT ON; $4")" ]
}

"#;

pub(super) fn script(plan: &Plan, seen: &Observation) -> Option<Script> {
    if plan.steps.is_empty() {
        return None;
    }
    let mut needs = Needs::default();
    let mut body = String::new();
    let mut last: Option<Check> = None;
    for (at, step) in plan.steps.iter().enumerate() {
        body.push_str(&format!("# {}\n", label(plan, at)));
        let (wanted, seconds) = match &step.action {
            Some(_) => (gates(&step.requires), 60),
            None => (checks(&step.proved_by), step.timeout_ms.div_ceil(1000)),
        };
        for check in wanted {
            if last.as_ref() != Some(&check) {
                body.push_str(&wait(&check, &label(plan, at), seconds, step.stable_ms, &mut needs));
                last = Some(check);
            }
        }
        match &step.action {
            Some(Action::Sql { side, statement }) => body.push_str(&run(*side, statement, seen, &mut needs)),
            Some(Action::Arm { call }) => body.push_str(&azure(call, seen)),
            None => {}
        }
        body.push('\n');
    }
    let text = head(plan, &Target::of(seen), &needs) + FUNCTIONS + body.trim_end() + "\n";
    Some(Script { file_name: format!("{}.az.sh", base_name(plan)), text })
}

#[derive(Default)]
struct Needs {
    password: bool,
    managed: bool,
}

impl Needs {
    fn server(&mut self, side: Side) -> &'static str {
        match side {
            Side::SqlServer => "\"$sql_server\"",
            Side::Managed => {
                self.managed = true;
                "\"$managed_instance\""
            }
        }
    }
}

fn head(plan: &Plan, target: &Target, needs: &Needs) -> String {
    let mut out = "#!/usr/bin/env bash\n".to_owned();
    out.extend(heading(plan).into_iter().map(|l| format!("# {l}\n")));
    out.push_str(
        "# The whole plan, in its order, with az and sqlcmd; it stops at the first error. sqlcmd signs in with SQLCMDUSER and\n\
         # SQLCMDPASSWORD if they are set.\nset -euo pipefail\n\n",
    );
    let mut variables = vec![
        ("sql_server", "SQL_SERVER", &target.server),
        ("subscription", "SUBSCRIPTION", &target.subscription),
        ("resource_group", "RESOURCE_GROUP", &target.resource_group),
        ("instance", "INSTANCE", &target.instance),
    ];
    if needs.managed {
        variables.push(("managed_instance", "MANAGED_INSTANCE", &target.fqdn));
    }
    for (name, given, value) in variables {
        out.push_str(&format!("{name}={}\n{name}=${{{given}:-${name}}}\n", quoted(value)));
    }
    if needs.password {
        let name = tsql::PASSWORD_VARIABLE;
        out.push_str(&format!(
            "# With each ' in it doubled.\nexport {name}=\"${{{name}:?set it to a strong password for the new master key}}\"\n"
        ));
    }
    out
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A here-document.
fn document(text: &str) -> String {
    let mut end = "SQL".to_owned();
    while text.lines().any(|l| l == end) {
        end.push('_');
    }
    format!("<<'{end}'\n{text}\n{end}\n")
}

fn run(side: Side, statement: &Statement, seen: &Observation, needs: &mut Needs) -> String {
    let server = needs.server(side);
    let written = match written(statement, seen) {
        Ok(written) => written,
        Err(why) => return format!("echo {} >&2; exit 1\n", quoted(why)),
    };
    let mut before = String::new();
    for variable in &written.variables {
        if *variable == tsql::PASSWORD_VARIABLE {
            needs.password = true;
        } else {
            before.push_str(&format!(
                "{variable}=$(az sql mi endpoint-cert show --subscription \"$subscription\" --resource-group \"$resource_group\" --instance-name \"$instance\" --name DATABASE_MIRRORING --query publicBlob --output tsv)\n\
                 export {variable}=\"0x${{{variable}#0x}}\"\n"
            ));
        }
    }
    let with = if written.variables.is_empty() { "run_plain" } else { "run" };
    format!("{before}{with} {server} {}", document(&written.text))
}

fn wait(check: &Check, what: &str, seconds: u64, stable_ms: u64, needs: &mut Needs) -> String {
    let what = quoted(what);
    match check {
        Check::Sql { side, predicate } => {
            format!("wait_until {what} {seconds} holds {} {}\n", needs.server(*side), quoted(predicate))
        }
        Check::Equal { link, databases } => {
            let managed = needs.server(Side::Managed);
            let stable = stable_ms.div_ceil(1000);
            let one = |database: &String| {
                let query = quoted(&hardened_query(link, database));
                format!("wait_until {what} {seconds} equal \"$sql_server\" {managed} {stable} {query}\n")
            };
            databases.iter().map(one).collect()
        }
    }
}

fn azure(call: &ArmCall, seen: &Observation) -> String {
    match call {
        ArmCall::PutTrustCertificate { name, public } => {
            let key = match (known_key(public, seen), public) {
                (Some(der), _) => format!("key={}\n", der.tsql()),
                (None, PublicKey::SqlServer { certificate }) => {
                    let query = quoted(&format!("SET NOCOUNT ON; {}", public_key_query(certificate)));
                    format!("key=$(value \"$sql_server\" <<<{query})\n")
                }
                (None, _) => "echo 'the public key is not known' >&2; exit 1\n".to_owned(),
            };
            format!(
                "{key}az sql mi partner-cert create \"${{at[@]}}\" --name {} --public-blob \"$key\"\n",
                quoted(name)
            )
        }
        ArmCall::DeleteTrustCertificate { name } => {
            format!("az sql mi partner-cert delete \"${{at[@]}}\" --name {} --yes\n", quoted(name))
        }
        ArmCall::PutLink { name, body } => new_link(name, body),
        ArmCall::SetCommitMode { name, mode } => format!(
            "az sql mi link update \"${{at[@]}}\" --name {} --replication-mode {}\n",
            quoted(name),
            mode.rest()
        ),
        ArmCall::SetDatabases { name, databases } => {
            format!(
                "az sql mi link update \"${{at[@]}}\" --name {} --databases {}\n",
                quoted(name),
                list(databases)
            )
        }
        ArmCall::DeleteLink { name } => {
            format!("az sql mi link delete \"${{at[@]}}\" --name {} --yes\n", quoted(name))
        }
        ArmCall::Failover { name, kind } => format!(
            "az sql mi link failover \"${{at[@]}}\" --name {} --failover-type {} --yes\n",
            quoted(name),
            failover_type(*kind)
        ),
        ArmCall::DeleteDatabase { name } => format!(
            "az sql midb delete --subscription \"$subscription\" --resource-group \"$resource_group\" --managed-instance \"$instance\" --name {} --yes\n",
            quoted(name)
        ),
        // az has no command of these; it puts the cloud's address before the path.
        ArmCall::SetRole { .. } | ArmCall::SetHybridUsage { .. } => {
            let rest = rest::call(call, None);
            let body = rest.body.map_or_else(String::new, |b| format!(" --body {}", quoted(&b.to_string())));
            format!(
                "az rest --only-show-errors --output none --method {} --url \"$instance_id\"{}{body}\n",
                rest.method.to_lowercase(),
                quoted(&format!("{}?api-version={}", rest.path, rest.api_version))
            )
        }
    }
}

/// JSON, which az takes as well as its own short form, whatever is in a name.
fn list(databases: &[String]) -> String {
    let all: Vec<_> = databases.iter().map(|d| json!({ "database-name": d })).collect();
    quoted(&json!(all).to_string())
}

fn new_link(name: &str, body: &LinkBody) -> String {
    let mut lines = vec![
        format!("az sql mi link create \"${{at[@]}}\" --name {}", quoted(name)),
        format!("--partner-availability-group-name {}", quoted(&body.partner_group)),
        format!("--instance-availability-group-name {}", quoted(&body.instance_group)),
        format!("--partner-endpoint {}", quoted(&body.partner_endpoint)),
        format!("--databases {}", list(&body.databases)),
        format!(
            "--instance-link-role {} --failover-mode {}",
            role_word(body.instance_role),
            body.failover_mode.rest()
        ),
        format!("--seeding-mode {}", body.seeding_mode.rest()),
    ];
    if body.link_mode == crate::names::LinkMode::MultiDatabase {
        lines.push(format!("--link-mode {}", body.link_mode.rest()));
    }
    format!("{}\n", lines.join(" \\\n    "))
}
