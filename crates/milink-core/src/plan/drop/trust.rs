//! Trust that a link leaves behind: on both sides, and only where nothing else uses it.

use super::super::draft::{Draft, OPERATION_MS, slug};
use super::super::{Condition, Phase, Shared, Step};
use crate::action::{Action, ArmCall, Statement};
use crate::facts::certificates::ROOTS;
use crate::facts::roots;
use crate::observe::{AzureInstance, Certificate, Instance, Observation, same_name};
use crate::plan::create::ENDPOINT;
use crate::spec::Link;

/// Certificates and the endpoint, where nothing else uses them.
pub(super) fn clean(link: &Link, seen: &Observation, draft: &mut Draft<'_>) {
    if let Some(server) = seen.sql_server.known() {
        on_sql_server(link, seen, server, draft);
    }
    if let Some(azure) = seen.azure.known() {
        in_azure(link, seen, azure, draft);
    }
}

/// Whether nothing else uses it; otherwise that is noted.
fn unused(
    link: &Link,
    what: Shared,
    thing: &str,
    seen: &Observation,
    draft: &mut Draft<'_>,
) -> Option<Condition> {
    let condition = Condition::UnusedByOthers { link: link.name.clone(), what };
    match condition.judge(seen) {
        super::super::Truth::Holds => Some(condition),
        super::super::Truth::Not { seen } => {
            draft.note(format!("{thing} stays: {seen}"));
            None
        }
        super::super::Truth::Unknown { why } => {
            draft.note(format!("{thing} stays, since nobody can tell what uses it: {why}"));
            None
        }
    }
}

/// The certificate of SQL Server's endpoint, as Azure has it.
fn in_azure(link: &Link, seen: &Observation, azure: &AzureInstance, draft: &mut Draft<'_>) {
    let Some(server) = seen.sql_server.known() else {
        if !azure.trust_certificates.is_empty() {
            draft.note("certificates in Azure stay: SQL Server does not answer, so nobody can tell which are its own");
        }
        return;
    };
    let mine = azure
        .trust_certificates
        .iter()
        .filter(|t| server.certificate_with(&t.thumbprint).is_some_and(|c| c.private_key));
    for certificate in mine {
        let name = &certificate.name;
        let thing = format!("certificate {name} in Azure");
        let Some(unused) = unused(link, Shared::TrustCertificate, &thing, seen, draft) else { continue };
        draft.add(
            Step::new(
                format!("delete-trust-certificate-{}", slug(name)),
                format!("Delete SQL Server's certificate {name} in Azure"),
                Phase::Cleanup,
                Action::arm(ArmCall::DeleteTrustCertificate { name: name.clone() }),
                Condition::TrustCertificateAbsent { name: name.clone() },
            )
            .requires(unused)
            .within(OPERATION_MS),
        );
    }
}

fn on_sql_server(link: &Link, seen: &Observation, server: &Instance, draft: &mut Draft<'_>) {
    if let Some(azure) = seen.azure.known() {
        let fqdn = azure.fqdn.trim_end_matches('.').to_owned();
        if let Some(managed) = server.certificate(&fqdn)
            && let Some(unused) = unused(
                link,
                Shared::Managed { fqdn: fqdn.clone() },
                &format!("certificate {fqdn}"),
                seen,
                draft,
            )
        {
            draft.add(drop_certificate(&managed.name, unused));
        }
    }
    let authorities: Vec<&Certificate> = authorities(server, seen.azure.known());
    if !authorities.is_empty()
        && let Some(unused) = unused(link, Shared::Roots, "the trust in Azure's authorities", seen, draft)
    {
        for certificate in authorities {
            draft.add(drop_certificate(&certificate.name, unused.clone()));
        }
    }
    endpoint(link, seen, server, draft);
}

/// Certificates that are Azure's roots, by their content: those that come with `milink`, and those that Azure names.
pub(super) fn authorities<'a>(server: &'a Instance, azure: Option<&AzureInstance>) -> Vec<&'a Certificate> {
    let bundled = |c: &Certificate| ROOTS.iter().any(|r| roots::der(r.name) == Some(c.public.bytes()));
    let named = |c: &Certificate| {
        let shown = azure.and_then(|a| a.endpoint_certificate.as_ref());
        shown.is_some_and(|s| s.roots.iter().any(|(_, der)| *der == c.public))
    };
    server.certificates.iter().flatten().filter(|c| !c.private_key && (bundled(c) || named(c))).collect()
}

/// The endpoint and its certificate, if they are such as `milink` makes.
fn endpoint(link: &Link, seen: &Observation, server: &Instance, draft: &mut Draft<'_>) {
    let Some(there) = &server.endpoint else { return };
    let name = &there.name;
    if !same_name(name, ENDPOINT) {
        draft.note(format!("endpoint {name} and its certificate stay: they were there before"));
        return;
    }
    let Some(unused) = unused(link, Shared::Endpoint, &format!("endpoint {name}"), seen, draft) else {
        return;
    };
    // The link's own availability group needs it until it is gone.
    let requires =
        Condition::All { of: vec![unused.clone(), Condition::GroupAbsent { name: link.sql_group.clone() }] };
    if server.group(&link.sql_group).is_some() && !draft.steps.iter().any(|s| s.id == "drop-group") {
        draft.note(format!("endpoint {name} stays with availability group {}", link.sql_group));
        return;
    }
    let drop = Action::sql(Statement::DropEndpoint { name: name.clone() });
    draft.add(
        Step::new(
            "drop-endpoint",
            format!("Drop endpoint {name}"),
            Phase::Cleanup,
            drop,
            Condition::EndpointAbsent,
        )
        .requires(requires)
        .once(),
    );
    let Some(own) = server.endpoint_certificate() else { return };
    let encrypts = server.databases.iter().any(|d| {
        d.encryption
            .thumbprint
            .as_deref()
            .is_some_and(|t| t.eq_ignore_ascii_case(&own.thumbprint.to_string()))
    });
    let conventional =
        own.name.to_lowercase().starts_with("cert_") && own.name.to_lowercase().contains("_endpoint");
    if encrypts || !conventional {
        draft.note(format!("certificate {} stays: it may be there for more than links", own.name));
        return;
    }
    draft.add(drop_certificate(&own.name, Condition::EndpointAbsent));
}

pub(super) fn drop_certificate(name: &str, requires: Condition) -> Step {
    Step::new(
        format!("drop-certificate-{}", slug(name)),
        format!("Drop certificate {name}"),
        Phase::Cleanup,
        Action::sql(Statement::DropCertificate { name: name.to_owned() }),
        Condition::CertificateAbsent { name: name.to_owned() },
    )
    .requires(requires)
    .once()
}
