//! Plans as PowerShell: Az.Sql for Azure, Invoke-Sqlcmd for the two instances.

use super::rest::{self, failover_type, role_word};
use super::wait::{Check, checks, gates, hardened_query};
use super::{Script, Target, base_name, heading, known_key, label, public_key_query, tsql, written};
use crate::action::{Action, ArmCall, LinkBody, PublicKey, Statement};
use crate::names::Side;
use crate::observe::Observation;
use crate::plan::Plan;

const FUNCTIONS: &str = r#"$ErrorActionPreference = 'Stop'
Set-AzContext -Subscription $Subscription | Out-Null
$id = (Get-AzSqlInstance -ResourceGroupName $ResourceGroup -Name $Instance).Id

function Invoke-Statement([string] $Server, [string] $Text, [string[]] $Variable) {
    if ($Variable) {
        Invoke-Sqlcmd -ServerInstance $Server -Database master -Query $Text -Variable $Variable -QueryTimeout 65535 -AbortOnError
    } else {
        Invoke-Sqlcmd -ServerInstance $Server -Database master -Query $Text -DisableVariables -QueryTimeout 65535 -AbortOnError
    }
}

function Wait-Until([string] $What, [int] $Seconds, [scriptblock] $Test) {
    $until = (Get-Date).AddSeconds($Seconds)
    while (-not (& $Test)) {
        if ((Get-Date) -gt $until) { throw "$What`: not so after $Seconds seconds" }
        Start-Sleep -Seconds 2
    }
}

function Test-Predicate([string] $Server, [string] $Predicate) {
    (Invoke-Statement $Server "SELECT CASE WHEN $Predicate THEN 1 ELSE 0 END AS holds").holds -eq 1
}

function Invoke-Azure([string] $Method, [string] $Path, [string] $Payload) {
    $answer = if ($Payload) { Invoke-AzRestMethod -Method $Method -Path $Path -Payload $Payload -WaitForCompletion }
              else { Invoke-AzRestMethod -Method $Method -Path $Path -WaitForCompletion }
    if ($answer.StatusCode -ge 400) { throw $answer.Content }
}

"#;

pub(super) fn script(plan: &Plan, seen: &Observation) -> Option<Script> {
    if plan.steps.is_empty() {
        return None;
    }
    let target = Target::of(seen);
    let mut body = String::new();
    let mut needs = Needs::default();
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
    let text = head(plan, &target, &needs) + FUNCTIONS + body.trim_end() + "\n";
    Some(Script { file_name: format!("{}.ps1", base_name(plan)), text })
}

/// What a script asks of who runs it.
#[derive(Default)]
struct Needs {
    password: bool,
    managed: bool,
}

impl Needs {
    fn server(&mut self, side: Side) -> &'static str {
        match side {
            Side::SqlServer => "$SqlServer",
            Side::Managed => {
                self.managed = true;
                "$ManagedInstance"
            }
        }
    }
}

fn head(plan: &Plan, target: &Target, needs: &Needs) -> String {
    let mut out: String = heading(plan).into_iter().map(|l| format!("# {l}\n")).collect();
    out.push_str("# The whole plan, in its order. It stops at the first error.\n#Requires -Modules Az.Accounts, Az.Sql, SqlServer\n\nparam(\n");
    let mut parameters = vec![
        format!("    [string] $SqlServer = {}", quoted(&target.server)),
        format!("    [string] $Subscription = {}", quoted(&target.subscription)),
        format!("    [string] $ResourceGroup = {}", quoted(&target.resource_group)),
        format!("    [string] $Instance = {}", quoted(&target.instance)),
    ];
    if needs.managed {
        parameters.push(format!("    [string] $ManagedInstance = {}", quoted(&target.fqdn)));
    }
    if needs.password {
        parameters.push(format!("    [Parameter(Mandatory)] [securestring] ${}", tsql::PASSWORD_VARIABLE));
    }
    out.push_str(&parameters.join(",\n"));
    out.push_str("\n)\n\n");
    out
}

/// A string without interpolation.
fn quoted(text: &str) -> String {
    // PowerShell takes typographic quotes for quotes, too.
    let double = |c: char| {
        if "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(c) { format!("{c}{c}") } else { c.to_string() }
    };
    format!("'{}'", text.chars().map(double).collect::<String>())
}

/// A text of several lines, as it is.
fn block(text: &str) -> String {
    if text.lines().any(|l| l.starts_with("'@")) { quoted(text) } else { format!("@'\n{text}\n'@") }
}

fn run(side: Side, statement: &Statement, seen: &Observation, needs: &mut Needs) -> String {
    let server = needs.server(side);
    let written = match written(statement, seen) {
        Ok(written) => written,
        Err(why) => return format!("throw {}\n", quoted(why)),
    };
    let mut before = String::new();
    let mut variables = Vec::new();
    for variable in written.variables {
        if variable == tsql::PASSWORD_VARIABLE {
            needs.password = true;
            before.push_str(&format!(
                "$password = [System.Net.NetworkCredential]::new('', ${variable}).Password\n"
            ));
            variables.push(format!("\"{variable}=$($password -replace '''', '''''')\""));
        } else {
            before.push_str(
                "$key = (Get-AzSqlInstanceEndpointCertificate -ResourceGroupName $ResourceGroup -InstanceName $Instance -EndpointType DATABASE_MIRRORING).PublicKey\n\
                 if (-not $key.StartsWith('0x')) { $key = \"0x$key\" }\n",
            );
            variables.push(format!("\"{variable}=$key\""));
        }
    }
    let given = if variables.is_empty() { String::new() } else { format!(" @({})", variables.join(", ")) };
    format!("{before}Invoke-Statement {server} {}{given}\n", block(&written.text))
}

fn wait(check: &Check, what: &str, seconds: u64, stable_ms: u64, needs: &mut Needs) -> String {
    let what = quoted(what);
    match check {
        Check::Sql { side, predicate } => {
            let server = needs.server(*side);
            format!("Wait-Until {what} {seconds} {{ Test-Predicate {server} {} }}\n", block(predicate))
        }
        Check::Equal { link, databases } => {
            let managed = needs.server(Side::Managed);
            let one = |database: &String| {
                let query = block(&hardened_query(link, database));
                format!(
                    "$query = {query}\nWait-Until {what} {seconds} {{\n    $one = (Invoke-Statement $SqlServer $query).lsn\n    \
                     Start-Sleep -Milliseconds {stable_ms}\n    $two = (Invoke-Statement {managed} $query).lsn\n    \
                     $one -and ($one -eq $two) -and ($one -eq (Invoke-Statement $SqlServer $query).lsn)\n}}\n"
                )
            };
            databases.iter().map(one).collect()
        }
    }
}

const INSTANCE: &str = "-ResourceGroupName $ResourceGroup -InstanceName $Instance";

fn azure(call: &ArmCall, seen: &Observation) -> String {
    match call {
        ArmCall::PutTrustCertificate { name, public } => {
            let key = match (known_key(public, seen), public) {
                (Some(der), _) => format!("$key = {}\n", quoted(&der.tsql())),
                (None, PublicKey::SqlServer { certificate }) => {
                    let query = block(&public_key_query(certificate));
                    format!(
                        "$key = (Invoke-Sqlcmd -ServerInstance $SqlServer -Database master -Query {query} -MaxCharLength 65535).public_key\n"
                    )
                }
                (None, _) => "throw 'the public key is not known'\n".to_owned(),
            };
            format!(
                "{key}New-AzSqlInstanceServerTrustCertificate {INSTANCE} -Name {} -PublicKey $key | Out-Null\n",
                quoted(name)
            )
        }
        ArmCall::DeleteTrustCertificate { name } => {
            format!("Remove-AzSqlInstanceServerTrustCertificate {INSTANCE} -Name {} -Force\n", quoted(name))
        }
        ArmCall::PutLink { name, body } => new_link(name, body),
        ArmCall::SetCommitMode { name, mode } => format!(
            "Update-AzSqlInstanceLink {INSTANCE} -Name {} -ReplicationMode {} | Out-Null\n",
            quoted(name),
            mode.rest()
        ),
        ArmCall::DeleteLink { name } => {
            format!("Remove-AzSqlInstanceLink {INSTANCE} -Name {} -Force\n", quoted(name))
        }
        ArmCall::Failover { name, kind } => format!(
            "Start-AzSqlInstanceLinkFailover {INSTANCE} -Name {} -FailoverType {} -Force | Out-Null\n",
            quoted(name),
            failover_type(*kind)
        ),
        ArmCall::DeleteDatabase { name } => {
            format!("Remove-AzSqlInstanceDatabase {INSTANCE} -Name {} -Force\n", quoted(name))
        }
        // There is no cmdlet of these.
        ArmCall::SetDatabases { .. } | ArmCall::SetRole { .. } | ArmCall::SetHybridUsage { .. } => {
            let rest = rest::call(call, None);
            let body = rest.body.map_or_else(String::new, |b| format!(" {}", quoted(&b.to_string())));
            format!(
                "Invoke-Azure {} ($id + {}){body}\n",
                rest.method,
                quoted(&format!("{}?api-version={}", rest.path, rest.api_version))
            )
        }
    }
}

fn new_link(name: &str, body: &LinkBody) -> String {
    let databases: Vec<String> = body.databases.iter().map(|d| quoted(d)).collect();
    let mut lines = vec![
        format!("New-AzSqlInstanceLink {INSTANCE} -Name {}", quoted(name)),
        format!("-PartnerAvailabilityGroupName {}", quoted(&body.partner_group)),
        format!("-InstanceAvailabilityGroupName {}", quoted(&body.instance_group)),
        format!("-PartnerEndpoint {}", quoted(&body.partner_endpoint)),
        format!("-Database @({})", databases.join(", ")),
        format!(
            "-InstanceLinkRole {} -FailoverMode {}",
            role_word(body.instance_role),
            body.failover_mode.rest()
        ),
        format!("-SeedingMode {} -ReplicationMode {}", body.seeding_mode.rest(), body.commit_mode.rest()),
    ];
    if body.link_mode == crate::names::LinkMode::MultiDatabase {
        lines.push(format!("-LinkMode {}", body.link_mode.rest()));
    }
    format!("{} | Out-Null\n", lines.join(" `\n    "))
}
