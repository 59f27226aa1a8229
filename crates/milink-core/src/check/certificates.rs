//! Trust both ways: by what certificates are, never by their names alone.

use super::catalogue::{
    TRUST_ISSUERS, TRUST_MANAGED, TRUST_MASTER_KEY, TRUST_OWN, TRUST_OWN_NAME, TRUST_ROOTS,
    TRUST_STALE_UPLOAD, TRUST_UPLOADED,
};
use super::judge::Judge;
use super::scene::{Scene, absent, fqdn, is_documented_cloud};
use crate::action::{Action, ArmCall, PublicKey, Statement};
use crate::facts::certificates::{ROOTS, covers, issuer_dns};
use crate::facts::limits::check_certificate_name;
use crate::finding::{Finding, Subject};
use crate::moment::Moment;
use crate::names::{Hex, Side};
use crate::observe::{AzureInstance, Certificate, EndpointCertificate, Instance, same_name};

/// Days before its expiry when a certificate is worth a warning.
pub(super) const WARN_DAYS: i64 = 30;

const HERE: Side = Side::SqlServer;

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Finding> {
    vec![
        master_key(scene),
        own_name(scene),
        own(scene),
        managed(scene),
        uploaded(scene),
        stale_upload(scene),
        roots(scene),
        issuers(scene),
    ]
}

fn master_key(scene: &Scene<'_>) -> Finding {
    scene
        .on(TRUST_MASTER_KEY, HERE, "symmetric key 101 in master", |judge, i| match i.master_key {
            Some(true) => judge.pass("it is there"),
            Some(false) => absent(judge, i, "there is none".to_owned()),
            None => judge.unknown("this login may not see the symmetric keys of master (VIEW DEFINITION)"),
        })
        .mend("create it", vec![Action::sql(Statement::CreateMasterKey)], false)
}

fn own_name(scene: &Scene<'_>) -> Finding {
    scene
        .on(TRUST_OWN_NAME, HERE, "128 characters at most, and no backslash", |judge, i| {
            let name = scene.own_certificate(i);
            match check_certificate_name(&name) {
                Ok(()) => judge.pass(name),
                Err(fault) => judge.fail(format!("{name}: {fault}")),
            }
        })
        .advise("name another certificate (sqlServer.certificate)")
}

/// The certificates of `master`, or that they are hidden.
fn certificates(instance: &Instance) -> Result<&[Certificate], String> {
    let all = instance.certificates.as_deref();
    all.ok_or_else(|| "this login may not see the certificates of master (VIEW DEFINITION)".to_owned())
}

fn own(scene: &Scene<'_>) -> Finding {
    let wanted =
        format!("valid for more than {WARN_DAYS} days, with its private key encrypted by the master key");
    scene.on(TRUST_OWN, HERE, wanted, |judge, i| {
        let name = scene.own_certificate(i);
        judge.look(certificates(i), |judge, _| match i.certificate(&name) {
            None => absent(judge, i, format!("there is no certificate {name}")).mend(
                "create it",
                vec![create(scene, &name)],
                false,
            ),
            Some(certificate) => validity(judge, certificate, scene.seen.at),
        })
    })
}

fn create(scene: &Scene<'_>, name: &str) -> Action {
    let days = scene.links.first().map_or(365, |l| l.sql_server.certificate_days);
    Action::sql(Statement::CreateCertificate {
        name: name.to_owned(),
        subject: format!("Certificate for {name}"),
        expiry: scene.seen.at.plus_ms(u64::from(days) * 86_400_000),
    })
}

fn validity(judge: Judge, certificate: &Certificate, now: Moment) -> Finding {
    let name = &certificate.name;
    if !certificate.private_key {
        let advice = "create another certificate, and name it (sqlServer.certificate)";
        return judge.fail(format!("{name} has no private key here")).advise(advice);
    }
    let rotate = "make a new certificate, give it to Azure, let the endpoint show it, then drop the old one";
    if let Some(start) = certificate.start.filter(|s| *s > now) {
        return judge.fail(format!("{name} is valid from {start} on only")).advise(rotate);
    }
    let Some(expiry) = certificate.expiry else {
        return judge.unknown(format!("{name} has a private key; its expiry_date is not shown"));
    };
    let days = expiry.days_after(now);
    if days < 0 {
        judge.fail(format!("{name} expired at {expiry}")).advise(rotate)
    } else if days <= WARN_DAYS {
        judge.warn(format!("{name} expires in {days} days, at {expiry}")).advise(rotate)
    } else {
        judge.pass(format!("{name} ({}) is valid for {days} days more", certificate.thumbprint))
    }
}

/// What the managed instance shows to partners.
fn shown(azure: &AzureInstance) -> Result<&EndpointCertificate, String> {
    azure.endpoint_certificate.as_ref().ok_or_else(|| {
        "Azure does not give the certificate of the managed instance's endpoint \
         (Microsoft.Sql/managedInstances/endpointCertificates/read)"
            .to_owned()
    })
}

fn managed(scene: &Scene<'_>) -> Finding {
    let wanted =
        "a certificate whose name is the managed instance's full name, and whose content is what it shows";
    scene.on(TRUST_MANAGED, HERE, wanted, |judge, i| {
        let known = certificates(i).and_then(|_| scene.azure()).and_then(|a| Ok((a, shown(a)?)));
        judge.look(known, |judge, (azure, shown)| {
            let name = fqdn(azure);
            let import = Action::sql(Statement::ImportCertificate {
                name: name.to_owned(),
                public: PublicKey::ManagedEndpoint,
            });
            match i.certificate(name) {
                Some(c) if c.thumbprint == shown.thumbprint => {
                    judge.pass(format!("{name} ({})", c.thumbprint))
                }
                Some(stale) => judge
                    .fail(format!(
                        "{name} on SQL Server is {}, the managed instance shows {}: it is stale",
                        stale.thumbprint, shown.thumbprint
                    ))
                    .mend(
                        "drop it and import the new one",
                        vec![Action::sql(Statement::DropCertificate { name: name.to_owned() }), import],
                        false,
                    ),
                None => {
                    let elsewhere = i.certificate_with(&shown.thumbprint);
                    let seen = match elsewhere {
                        Some(c) => format!("it is there under the name {} only, and not as {name}", c.name),
                        None => format!("there is no certificate {name}"),
                    };
                    // The content cannot be imported a second time while it is there under another name.
                    match elsewhere {
                        Some(c) => absent(judge, i, seen).mend(
                            "drop it and import it under the right name",
                            vec![Action::sql(Statement::DropCertificate { name: c.name.clone() }), import],
                            false,
                        ),
                        None => absent(judge, i, seen).mend("import it", vec![import], true),
                    }
                }
            }
        })
    })
}

fn uploaded(scene: &Scene<'_>) -> Finding {
    TRUST_UPLOADED
        .of(Subject::Azure, "a server trust certificate of the same content")
        .look(own_and_azure(scene), |judge, own_and_azure| {
            let Some((own, azure)) = own_and_azure else {
                return judge.skip(NO_OWN);
            };
            if let Some(there) = azure.trusts(&own.thumbprint) {
                return judge.pass(format!("{} ({})", there.name, there.thumbprint));
            }
            let taken = azure.trust_certificates.iter().find(|c| same_name(&c.name, &own.name));
            let seen = format!("Azure does not have {} ({})", own.name, own.thumbprint);
            match taken {
                None => judge.fail(seen).mend(
                    "upload it",
                    vec![Action::arm(ArmCall::PutTrustCertificate {
                        name: own.name.clone(),
                        public: PublicKey::SqlServer { certificate: own.name.clone() },
                    })],
                    true,
                ),
                Some(other) => judge
                    .fail(format!("{seen}; what has that name there is {}: it is stale", other.thumbprint))
                    .advise("upload it under another name, or delete the stale one first, if no other SQL Server uses it"),
            }
        })
}

const NO_OWN: &str = "no certificate of SQL Server's endpoint is seen: see trust.own-certificate";

/// The certificate that SQL Server's endpoint is to show, if it is there already, and Azure.
fn own_and_azure<'a>(scene: &Scene<'a>) -> Result<Option<(&'a Certificate, &'a AzureInstance)>, String> {
    let instance = scene.sql_server()?;
    certificates(instance)?;
    let azure = scene.azure()?;
    let own = instance.certificate(&scene.own_certificate(instance));
    Ok(own.map(|own| (own, azure)))
}

fn stale_upload(scene: &Scene<'_>) -> Finding {
    TRUST_STALE_UPLOAD.of(Subject::Azure, "none, or one of the same content").look(
        own_and_azure(scene),
        |judge, own_and_azure| {
            let Some((own, azure)) = own_and_azure else {
                return judge.skip(NO_OWN);
            };
            let stale = azure
                .trust_certificates
                .iter()
                .find(|c| same_name(&c.name, &own.name) && c.thumbprint != own.thumbprint);
            match stale {
                None => judge.pass(format!(
                    "{} certificates of partners, none of them stale",
                    azure.trust_certificates.len()
                )),
                Some(stale) => judge
                    .fail(format!(
                        "{} in Azure is {}, on SQL Server it is {}",
                        stale.name, stale.thumbprint, own.thumbprint
                    ))
                    .mend(
                        "delete it in Azure, if no other SQL Server of the same name uses it",
                        vec![Action::arm(ArmCall::DeleteTrustCertificate { name: stale.name.clone() })],
                        false,
                    ),
            }
        },
    )
}

/// A root certificate that signs managed instances, and the certificate on SQL Server that has its content.
struct Authority<'a> {
    name: String,
    required: bool,
    der: Option<&'a Hex>,
    there: Option<&'a Certificate>,
}

/// The authorities that Azure names for this managed instance, or else those that its cloud is documented to use.
fn authorities<'a>(scene: &Scene<'a>) -> Result<Vec<Authority<'a>>, String> {
    let all = certificates(scene.sql_server()?)?;
    let azure = scene.azure()?;
    let named = &shown(azure)?.roots;
    if !named.is_empty() {
        let of = |(subject, der): &'a (String, Hex)| Authority {
            name: common_name(subject),
            required: true,
            der: Some(der),
            there: all.iter().find(|c| c.public == *der),
        };
        return Ok(named.iter().map(of).collect());
    }
    if !is_documented_cloud(azure) {
        return Ok(Vec::new());
    }
    let of = |root: &'static crate::facts::certificates::Root| Authority {
        name: root.name.to_owned(),
        required: root.required,
        der: None,
        there: all.iter().find(|c| c.thumbprint.to_string() == root.thumbprint),
    };
    Ok(ROOTS.iter().map(of).collect())
}

const NO_AUTHORITY: &str = "Azure names no root, and the instance's cloud is none whose roots are documented";

/// `CN=Name, O=...` is `Name`.
fn common_name(subject: &str) -> String {
    let part = subject.split([',', ';']).map(str::trim).find_map(|p| p.strip_prefix("CN="));
    part.unwrap_or(subject).trim().to_owned()
}

fn list<'a>(authorities: impl Iterator<Item = &'a Authority<'a>>) -> String {
    authorities.map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn roots(scene: &Scene<'_>) -> Finding {
    let judge =
        TRUST_ROOTS.of(Subject::Instance { side: HERE }, "the roots that Azure names, or those of its cloud");
    judge.look(authorities(scene), |judge, authorities| {
        if authorities.is_empty() {
            return judge.skip(NO_AUTHORITY);
        }
        let vouch = scene.azure().ok().and_then(|a| issuer_dns(&a.fqdn));
        if vouch.is_none() {
            return judge.skip("the managed instance's name is too short for an authority to vouch for");
        }
        let missing = || authorities.iter().filter(|a| a.there.is_none());
        if missing().next().is_none() {
            return judge.pass(format!("all {} are there", authorities.len()));
        }
        let seen = format!("missing: {}", list(missing()));
        let found = match (missing().any(|a| a.required), scene.sql_server()) {
            (true, Ok(i)) => absent(judge, i, seen),
            (true, Err(why)) => judge.unknown(why),
            // Enough for today, and not for the day on which Azure changes its root.
            (false, _) => judge.warn(seen),
        };
        // What Azure does not send along comes with milink.
        let import = |a: &Authority<'_>| {
            let public = match a.der {
                Some(der) => PublicKey::Known { der: der.clone() },
                None => PublicKey::BundledRoot { name: a.name.clone() },
            };
            Action::sql(Statement::ImportCertificate { name: a.name.clone(), public })
        };
        let vouch = |a: &Authority<'_>| {
            vouch.as_ref().map(|names| {
                Action::sql(Statement::AddIssuer { certificate: a.name.clone(), names: names.clone() })
            })
        };
        let actions = missing().flat_map(|a| std::iter::once(import(a)).chain(vouch(a))).collect();
        found.mend("import them, and let them vouch for managed instances", actions, true)
    })
}

/// `sp_certificate_add_issuer` leaves no trace that a view shows on every build. A link that is connected proves it as well.
fn issuers(scene: &Scene<'_>) -> Finding {
    let judge =
        TRUST_ISSUERS.of(Subject::Instance { side: HERE }, "registered with sp_certificate_add_issuer");
    let known = authorities(scene).and_then(|all| Ok((all, scene.azure()?)));
    judge.look(known, |judge, (authorities, azure)| {
        if authorities.is_empty() {
            return judge.skip(NO_AUTHORITY);
        }
        let there: Vec<&Certificate> = authorities.iter().filter_map(|a| a.there).collect();
        if there.is_empty() {
            return judge.skip("the roots are not there yet");
        }
        let register: Vec<Action> = issuer_dns(&azure.fqdn)
            .map(|names| {
                let add = |c: &&Certificate| {
                    Action::sql(Statement::AddIssuer { certificate: c.name.clone(), names: names.clone() })
                };
                there.iter().map(add).collect()
            })
            .unwrap_or_default();
        let safe = !register.is_empty();
        let vouches = |c: &Certificate| c.issuer_for.as_ref().map(|n| n.iter().any(|n| covers(n, &azure.fqdn)));
        let no: Vec<&str> =
            there.iter().filter(|c| vouches(c) == Some(false)).map(|c| c.name.as_str()).collect();
        if !no.is_empty() {
            return judge
                .fail(format!("{} may not vouch for {}", no.join(", "), azure.fqdn))
                .mend("register them", register, safe);
        }
        if there.iter().all(|c| vouches(c) == Some(true)) {
            return judge.pass(format!("{} roots vouch for {}", there.len(), azure.fqdn));
        }
        match connected_link(scene) {
            Some(link) => judge.pass(format!("link {link} is connected, so the chain is trusted")),
            None => judge
                .unknown("no view of this build shows for whom a root may vouch, and no link is connected")
                .advise("EXEC sp_validate_certificate_ca_chain with the certificate_id of the managed instance's certificate tells"),
        }
    })
}

/// A link to this managed instance that SQL Server sees connected.
fn connected_link<'a>(scene: &Scene<'a>) -> Option<&'a str> {
    let groups = &scene.sql_server().ok()?.groups;
    let up = |g: &&crate::observe::Group| {
        g.distributed
            && scene.azure_link(&g.name).is_some()
            && g.remote().is_some_and(|r| r.connected == Some(true))
    };
    groups.iter().find(up).map(|g| g.name.as_str())
}
