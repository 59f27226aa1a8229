//! Trust both ways, and the endpoint: once for each pair of instances.

use super::super::draft::{Draft, OPERATION_MS, slug};
use super::super::{Condition, Phase, Step};
use super::ground::Ground;
use crate::action::{Action, ArmCall, PublicKey, Statement};
use crate::facts::certificates::{ROOTS, cloud_of, covers, issuer_dns};
use crate::facts::roots;
use crate::names::Hex;
use crate::observe::{Endpoint, TrustCertificate, same_name};

/// The name of an endpoint that a plan makes, as the documents have it.
pub(crate) const ENDPOINT: &str = "database_mirroring_endpoint";

pub(super) fn trust(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    own(ground, draft);
    managed(ground, draft);
    authorities(ground, draft);
}

/// SQL Server's certificate, there and in Azure.
fn own(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let name = &ground.certificate;
    // What others have encrypted with it meanwhile would be lost: a master key is never taken back.
    draft.add(
        Step::new(
            "create-master-key",
            "Create the master key of master",
            Phase::Trust,
            Action::sql(Statement::CreateMasterKey),
            Condition::MasterKey,
        )
        .once(),
    );
    let expiry = ground.now.plus_ms(u64::from(ground.link.sql_server.certificate_days) * 86_400_000);
    let create = Step::new(
        "create-certificate",
        format!("Create certificate {name} for SQL Server's endpoint"),
        Phase::Trust,
        Action::sql(Statement::CreateCertificate {
            name: name.clone(),
            subject: format!("Certificate for {name}"),
            expiry,
        }),
        Condition::OwnCertificate { name: name.clone() },
    )
    .requires(Condition::MasterKey)
    .once()
    .undo(drop_certificate(name), Condition::CertificateAbsent { name: name.clone() });
    if draft.add(create) {
        let day = expiry.to_string();
        draft.note(format!(
            "certificate {name} has to be replaced before it expires on {}",
            day.get(..10).unwrap_or(&day)
        ));
    }
    let in_azure = trust_name(ground);
    draft.add(
        Step::new(
            "upload-certificate",
            format!("Give Azure the certificate {name}"),
            Phase::Trust,
            Action::arm(ArmCall::PutTrustCertificate {
                name: in_azure.clone(),
                public: PublicKey::SqlServer { certificate: name.clone() },
            }),
            Condition::TrustCertificate { certificate: name.clone() },
        )
        .requires(Condition::OwnCertificate { name: name.clone() })
        .within(OPERATION_MS)
        .undo(
            Action::arm(ArmCall::DeleteTrustCertificate { name: in_azure.clone() }),
            Condition::TrustCertificateAbsent { name: in_azure },
        ),
    );
}

/// The certificate's name in Azure: its own, unless another server's certificate, which a link may need, has that name.
fn trust_name(ground: &Ground<'_>) -> String {
    let base = &ground.certificate;
    let mine = ground.server.certificate(base);
    let taken = |name: &String| {
        let other = |c: &TrustCertificate| {
            same_name(&c.name, name) && mine.is_none_or(|m| m.thumbprint != c.thumbprint)
        };
        ground.azure.trust_certificates.iter().any(other)
    };
    let later = (2..).map(|n| format!("{base}_{n}"));
    let mut names = std::iter::once(base.clone()).chain(later);
    names.find(|name| !taken(name)).unwrap_or_else(|| base.clone())
}

/// The managed instance's certificate on SQL Server.
fn managed(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let name = &ground.fqdn;
    let imported = Condition::ManagedCertificate { name: name.clone() };
    if ground.server.certificate(name).is_some() {
        draft.add(
            Step::new(
                "drop-stale-managed-certificate",
                format!("Drop the certificate {name}, which the managed instance shows no longer"),
                Phase::Trust,
                Action::sql(Statement::DropCertificate { name: name.clone() }),
                Condition::Any {
                    of: vec![Condition::CertificateAbsent { name: name.clone() }, imported.clone()],
                },
            )
            .once(),
        );
    }
    draft.add(
        Step::new(
            "import-managed-certificate",
            format!("Trust the managed instance's certificate, as {name}"),
            Phase::Trust,
            Action::sql(Statement::ImportCertificate {
                name: name.clone(),
                public: PublicKey::ManagedEndpoint,
            }),
            imported,
        )
        .requires(Condition::CertificateAbsent { name: name.clone() })
        .once()
        .undo(drop_certificate(name), Condition::CertificateAbsent { name: name.clone() }),
    );
}

/// An authority that vouches for managed instances.
struct Authority {
    name: String,
    public: PublicKey,
    der: Hex,
}

/// Those that Azure names for this managed instance, or else all that its cloud uses.
fn named(ground: &Ground<'_>) -> Vec<Authority> {
    if !ground.shown.roots.is_empty() {
        let of = |(subject, der): &(String, Hex)| Authority {
            name: common_name(subject),
            public: PublicKey::Known { der: der.clone() },
            der: der.clone(),
        };
        return ground.shown.roots.iter().map(of).collect();
    }
    if cloud_of(&ground.fqdn).is_none() {
        return Vec::new();
    }
    let bundled = |name: &str| Authority {
        name: name.to_owned(),
        public: PublicKey::BundledRoot { name: name.to_owned() },
        der: roots::der(name).map(|der| Hex::new(der.to_vec())).unwrap_or_default(),
    };
    ROOTS.iter().map(|root| bundled(root.name)).collect()
}

/// Each authority is imported, and may vouch for the cloud's names.
fn authorities(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let named = named(ground);
    if named.is_empty() {
        draft.note(format!(
            "Azure does not name the authority of {}'s certificate, and its cloud is none whose authorities are known: if SQL \
             Server does not accept the certificate, import that authority's and run sp_certificate_add_issuer",
            ground.fqdn
        ));
    }
    let Some(dns) = issuer_dns(&ground.fqdn) else {
        draft.note(format!("{} is too short a name for an authority to vouch for", ground.fqdn));
        return;
    };
    // Nothing shows for whom an authority may vouch. A link that is connected shows that it may.
    let connected =
        Condition::Connected { name: ground.link.name.clone(), primary: ground.link.initial_primary };
    let vouched = connected.judge(ground.seen).holds();
    for Authority { name, public, der } in named {
        let there = ground.server.certificates.iter().flatten().find(|c| c.public == der);
        let on_server = there.map_or_else(|| free_name(ground, &name), |c| c.name.clone());
        let exists = Condition::CertificateExists { name: on_server.clone() };
        draft.add(
            Step::new(
                format!("import-root-{}", slug(&name)),
                format!("Import the certificate of {name}"),
                Phase::Trust,
                Action::sql(Statement::ImportCertificate { name: on_server.clone(), public }),
                exists.clone(),
            )
            .once()
            .undo(drop_certificate(&on_server), Condition::CertificateAbsent { name: on_server.clone() }),
        );
        let known = there.and_then(|c| c.issuer_for.as_ref());
        let covered = known.is_some_and(|names| names.iter().any(|n| covers(n, &ground.fqdn)));
        if covered || vouched {
            continue;
        }
        draft.add(
            Step::new(
                format!("add-issuer-{}", slug(&name)),
                format!("Let {name} vouch for {dns}"),
                Phase::Trust,
                Action::sql(Statement::AddIssuer { certificate: on_server, names: dns.clone() }),
                Condition::Confirmed,
            )
            .requires(exists),
        );
    }
}

/// `CN=Name, O=...` is `Name`.
fn common_name(subject: &str) -> String {
    let part = subject.split([',', ';']).map(str::trim).find_map(|p| p.strip_prefix("CN="));
    part.unwrap_or(subject).trim().to_owned()
}

/// A name that no other certificate has.
fn free_name(ground: &Ground<'_>, name: &str) -> String {
    let later = (2..).map(|n| format!("{name} {n}"));
    let mut names = std::iter::once(name.to_owned()).chain(later);
    names.find(|n| ground.server.certificate(n).is_none()).unwrap_or_else(|| name.to_owned())
}

fn drop_certificate(name: &str) -> Action {
    Action::sql(Statement::DropCertificate { name: name.to_owned() })
}

/// The endpoint shows the certificate, and takes others'.
pub(super) fn endpoint(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let certificate = ground.certificate.clone();
    let proved = Condition::Endpoint { certificate: certificate.clone() };
    let has_certificate = Condition::OwnCertificate { name: certificate.clone() };
    let Some(there) = &ground.server.endpoint else {
        let name = ENDPOINT.to_owned();
        let statement = Statement::CreateEndpoint { name: name.clone(), port: ground.port, certificate };
        let title = format!("Create the endpoint on port {}", ground.port);
        draft.add(
            Step::new("create-endpoint", title, Phase::Trust, Action::sql(statement), proved)
                .requires(has_certificate)
                .once()
                .undo(Action::sql(Statement::DropEndpoint { name }), Condition::EndpointAbsent),
        );
        return;
    };
    let name = there.name.clone();
    if is_only_stopped(there, &certificate) {
        let title = format!("Start endpoint {name}");
        let start = Action::sql(Statement::StartEndpoint { name });
        draft.add(Step::new("start-endpoint", title, Phase::Trust, start, proved));
        return;
    }
    let keep_windows = takes_windows(there);
    let show = |certificate: &String| {
        Action::sql(Statement::AlterEndpoint {
            name: name.clone(),
            certificate: certificate.clone(),
            keep_windows,
        })
    };
    let title = format!("Let endpoint {name} show and take certificates");
    let alter = Step::new("alter-endpoint", title, Phase::Trust, show(&certificate), proved)
        .requires(has_certificate);
    let alter = match &there.certificate {
        Some(before) => alter.undo(show(before), Condition::EndpointShows { certificate: before.clone() }),
        // It goes on taking what it took before.
        None => alter,
    };
    if draft.add(alter) {
        draft.note(format!(
            "endpoint {name} is changed: partners of other availability groups reconnect, and must be able to use AES (now: {})",
            there.algorithm
        ));
    }
}

fn takes_windows(endpoint: &Endpoint) -> bool {
    let words = ["NTLM", "KERBEROS", "NEGOTIATE", "WINDOWS"];
    words.iter().any(|word| endpoint.authentication.to_ascii_uppercase().contains(word))
}

fn is_only_stopped(endpoint: &Endpoint, certificate: &str) -> bool {
    endpoint.state != "STARTED"
        && endpoint.role == "ALL"
        && endpoint.encrypted
        && endpoint.algorithm.contains("AES")
        && endpoint.authentication.contains("CERTIFICATE")
        && endpoint.certificate.as_deref().is_some_and(|c| same_name(c, certificate))
}
