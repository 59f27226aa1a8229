//! The declarative part of a plan as Bicep: certificates and links in Azure. Everything else of a plan is an order of events, which Bicep has
//! none of.

use super::rest::{API_VERSION, MULTI_DATABASE_API_VERSION, role_word};
use super::{Script, Target, base_name, heading, known_key, one_line, side_of};
use crate::action::{Action, ArmCall, LinkBody, PublicKey};
use crate::names::LinkMode;
use crate::observe::Observation;
use crate::plan::Plan;

pub(super) fn script(plan: &Plan, seen: &Observation) -> Option<Script> {
    let mut resources = String::new();
    let mut parameter = false;
    let mut certificate = false;
    let mut before: Vec<String> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        match &step.action {
            Some(Action::Arm { call: ArmCall::PutTrustCertificate { name, public } }) => {
                certificate = true;
                let blob = match (known_key(public, seen), public) {
                    (Some(der), _) => quoted(&der.tsql()),
                    (None, PublicKey::SqlServer { .. } | PublicKey::ManagedEndpoint) => {
                        parameter = true;
                        "sqlServerCertificate".to_owned()
                    }
                    (None, PublicKey::Known { .. } | PublicKey::BundledRoot { .. }) => continue,
                };
                resources.push_str(&trust(name, &blob));
            }
            Some(Action::Arm { call: ArmCall::PutLink { name, body } }) => {
                before = plan
                    .steps
                    .iter()
                    .take(at)
                    .filter(|s| side_of(s).is_some())
                    .map(|s| s.title.clone())
                    .collect();
                resources.push_str(&link(name, body, certificate));
            }
            Some(Action::Arm { .. } | Action::Sql { .. }) | None => {}
        }
    }
    if resources.is_empty() {
        return None;
    }
    let mut out: String = heading(plan).into_iter().map(|l| format!("// {l}\n")).collect();
    out.push_str("// Only what is in Azure: the statements on SQL Server have to be run as well, in the order of the plan.\n");
    if !before.is_empty() {
        out.push_str("// The link can be deployed when these are done on SQL Server:\n");
        out.extend(before.iter().map(|title| one_line(&format!("// - {title}")) + "\n"));
    }
    let instance = quoted(&Target::of(seen).instance);
    out.push_str(&format!(
        "\n@description('The managed instance.')\nparam instanceName string = {instance}\n"
    ));
    if parameter {
        out.push_str(
            "\n@description('The public key of the certificate that SQL Server\\'s endpoint shows: SELECT CERTENCODED(CERT_ID(name)), in master.')\n\
             param sqlServerCertificate string\n",
        );
    }
    out.push_str(&format!(
        "\nresource instance 'Microsoft.Sql/managedInstances@{API_VERSION}' existing = {{\n  name: instanceName\n}}\n{resources}"
    ));
    Some(Script { file_name: format!("{}.bicep", base_name(plan)), text: out })
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '\'' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' => out.push_str("\\$"),
            c => out.push(c),
        }
    }
    format!("'{out}'")
}

fn trust(name: &str, blob: &str) -> String {
    format!(
        "\nresource certificate 'Microsoft.Sql/managedInstances/serverTrustCertificates@{API_VERSION}' = {{\n  parent: instance\n  \
         name: {}\n  properties: {{\n    publicBlob: {blob}\n  }}\n}}\n",
        quoted(name)
    )
}

fn link(name: &str, body: &LinkBody, certificate: bool) -> String {
    let version = match body.link_mode {
        LinkMode::SingleDatabase => API_VERSION,
        LinkMode::MultiDatabase => MULTI_DATABASE_API_VERSION,
    };
    let databases: String = body
        .databases
        .iter()
        .map(|d| format!("      {{\n        databaseName: {}\n      }}\n", quoted(d)))
        .collect();
    let mode = match body.link_mode {
        LinkMode::SingleDatabase => String::new(),
        LinkMode::MultiDatabase => format!("    linkMode: {}\n", quoted(body.link_mode.rest())),
    };
    let after = if certificate { "  dependsOn: [\n    certificate\n  ]\n" } else { "" };
    format!(
        "\nresource link 'Microsoft.Sql/managedInstances/distributedAvailabilityGroups@{version}' = {{\n  parent: instance\n  name: {}\n  \
         properties: {{\n    databases: [\n{databases}    ]\n    instanceLinkRole: {}\n    failoverMode: {}\n    seedingMode: {}\n    \
         partnerEndpoint: {}\n    partnerAvailabilityGroupName: {}\n    instanceAvailabilityGroupName: {}\n{mode}  }}\n{after}}}\n",
        quoted(name),
        quoted(role_word(body.instance_role)),
        quoted(body.failover_mode.rest()),
        quoted(body.seeding_mode.rest()),
        quoted(&body.partner_endpoint),
        quoted(&body.partner_group),
        quoted(&body.instance_group)
    )
}
