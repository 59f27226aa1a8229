//! Rows about certificates and the endpoint.

use super::world::*;
use crate::finding::Status::{Failed, Pass, Skipped, Unknown, Warning};
use crate::names::Hex;
use crate::observe::TrustCertificate;

fn in_days(days: i64) -> Option<crate::moment::Moment> {
    Some(crate::moment::Moment::from_unix_ms(now().unix_ms() + days * 86_400_000 + 1))
}

fn documented_roots(w: &mut World) {
    w.azure().endpoint_certificate.as_mut().unwrap().roots.clear();
}

fn all_roots(w: &mut World) {
    documented_roots(w);
    let roots = crate::facts::certificates::ROOTS.iter().map(|r| {
        let mut c = root(r.name, 9);
        c.thumbprint = crate::names::Thumbprint::new(r.thumbprint.parse().unwrap());
        c
    });
    w.sql().certificates.as_mut().unwrap().extend(roots);
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("trust.master-key", |w| w.sql().master_key = Some(false), Failed, "none"),
        row("trust.master-key", |w| w.blind().sql().master_key = Some(false), Unknown, "hidden"),
        row("trust.master-key", |w| w.sql().master_key = None, Unknown, "may not see"),
        row(
            "trust.own-certificate-name",
            |w| w.link.sql_server.certificate = Some("A\\B".to_owned()),
            Failed,
            "backslash",
        ),
        row("trust.own-certificate-name", World::without_sql, Unknown, "refused"),
        // The conventional name of a named instance has no backslash.
        row(
            "trust.own-certificate-name",
            |w| {
                w.sql().server_name = "SQL01\\PROD".to_owned();
                w.sql().endpoint = None;
            },
            Pass,
            "Cert_SQL01_PROD_endpoint",
        ),
        row("trust.own-certificate", |_| {}, Pass, "900 days"),
        row(
            "trust.own-certificate",
            |w| w.drop_certificate(OWN),
            Failed,
            "no certificate Cert_SQL01_endpoint",
        ),
        row("trust.own-certificate", |w| w.blind().drop_certificate(OWN), Unknown, "hidden"),
        row(
            "trust.own-certificate",
            |w| w.sql().certificates = None,
            Unknown,
            "may not see the certificates",
        ),
        row("trust.own-certificate", |w| w.certificate(OWN).private_key = false, Failed, "no private key"),
        row("trust.own-certificate", |w| w.certificate(OWN).expiry = in_days(31), Pass, "31 days"),
        row("trust.own-certificate", |w| w.certificate(OWN).expiry = in_days(30), Warning, "30 days"),
        row("trust.own-certificate", |w| w.certificate(OWN).expiry = in_days(-1), Failed, "expired"),
        row("trust.own-certificate", |w| w.certificate(OWN).expiry = None, Unknown, "not shown"),
        row("trust.own-certificate", |w| w.certificate(OWN).start = in_days(1), Failed, "valid from"),
        row("trust.managed-certificate", |_| {}, Pass, FQDN),
        row("trust.managed-certificate", |w| w.drop_certificate(FQDN), Failed, "no certificate mi1"),
        row("trust.managed-certificate", |w| w.certificate(FQDN).thumbprint = thumb(77), Failed, "stale"),
        row(
            "trust.managed-certificate",
            |w| w.certificate(FQDN).name = "mi".to_owned(),
            Failed,
            "under the name mi only",
        ),
        row("trust.managed-certificate", |w| w.blind().drop_certificate(FQDN), Unknown, "hidden"),
        row(
            "trust.managed-certificate",
            |w| w.azure().endpoint_certificate = None,
            Unknown,
            "endpointCertificates/read",
        ),
        row("trust.uploaded-certificate", |w| w.azure().trust_certificates.clear(), Failed, "does not have"),
        row(
            "trust.uploaded-certificate",
            |w| w.azure().trust_certificates[0].thumbprint = thumb(78),
            Failed,
            "stale",
        ),
        // The same content under another name will do.
        row(
            "trust.uploaded-certificate",
            |w| w.azure().trust_certificates[0].name = "other".to_owned(),
            Pass,
            "other",
        ),
        row("trust.uploaded-certificate", World::without_azure, Unknown, "AuthorizationFailed"),
        row("trust.uploaded-certificate", |w| w.drop_certificate(OWN), Skipped, "trust.own-certificate"),
        row(
            "trust.stale-uploaded-certificate",
            |w| w.azure().trust_certificates[0].thumbprint = thumb(78),
            Warning,
            "in Azure is",
        ),
        row(
            "trust.stale-uploaded-certificate",
            |w| {
                w.azure()
                    .trust_certificates
                    .push(TrustCertificate { name: "x".to_owned(), thumbprint: thumb(9) });
            },
            Pass,
            "2 certificates",
        ),
        row("trust.stale-uploaded-certificate", World::without_azure, Unknown, "AuthorizationFailed"),
        row("trust.azure-roots", |_| {}, Pass, "all 1"),
        row("trust.azure-roots", |w| w.drop_certificate("Root One"), Failed, "missing: Root One"),
        row(
            "trust.azure-roots",
            |w| w.certificate("Root One").public = Hex::new(vec![4]),
            Failed,
            "missing: Root One",
        ),
        row("trust.azure-roots", |w| w.blind().drop_certificate("Root One"), Unknown, "hidden"),
        row("trust.azure-roots", documented_roots, Failed, "DigiCert Global Root G2"),
        row("trust.azure-roots", all_roots, Pass, "all 7"),
        row(
            "trust.azure-roots",
            |w| {
                all_roots(w);
                w.drop_certificate("DigiCert Global Root G3");
            },
            Warning,
            "missing: DigiCert Global Root G3",
        ),
        row(
            "trust.azure-roots",
            |w| {
                documented_roots(w);
                w.azure().fqdn = "mi1.x.lab.example".to_owned();
            },
            Skipped,
            "names no root",
        ),
        row(
            "trust.azure-roots",
            |w| w.azure().endpoint_certificate = None,
            Unknown,
            "endpointCertificates/read",
        ),
        row("trust.azure-issuers", |_| {}, Pass, "1 roots vouch"),
        row(
            "trust.azure-issuers",
            |w| w.certificate("Root One").issuer_for = Some(vec!["*.example".to_owned()]),
            Failed,
            "Root One may not vouch",
        ),
        row("trust.azure-issuers", |w| w.certificate("Root One").issuer_for = None, Unknown, "no view"),
        row(
            "trust.azure-issuers",
            |w| {
                w.linked();
                w.certificate("Root One").issuer_for = None;
            },
            Pass,
            "link sales is connected",
        ),
        row("trust.azure-issuers", |w| w.drop_certificate("Root One"), Skipped, "not there yet"),
        row("endpoint.exists", |w| w.sql().endpoint = None, Failed, "none"),
        row("endpoint.exists", |w| w.blind().sql().endpoint = None, Unknown, "hidden"),
        row("endpoint.started", |w| w.endpoint().state = "STOPPED".to_owned(), Failed, "STOPPED"),
        row("endpoint.started", World::without_sql, Unknown, "refused"),
        row("endpoint.started", |w| w.sql().endpoint = None, Skipped, "endpoint.exists"),
        row("endpoint.role", |w| w.endpoint().role = "WITNESS".to_owned(), Failed, "WITNESS"),
        row("endpoint.role", World::without_sql, Unknown, "refused"),
        row(
            "endpoint.authentication",
            |w| w.endpoint().authentication = "NEGOTIATE".to_owned(),
            Failed,
            "NEGOTIATE",
        ),
        row(
            "endpoint.authentication",
            |w| w.endpoint().authentication = "NEGOTIATE, CERTIFICATE".to_owned(),
            Pass,
            "NEGOTIATE",
        ),
        row("endpoint.authentication", World::without_sql, Unknown, "refused"),
        row("endpoint.encryption", |w| w.endpoint().encrypted = false, Failed, "not encrypted"),
        row("endpoint.encryption", |w| w.endpoint().algorithm = "RC4".to_owned(), Failed, "RC4"),
        row("endpoint.encryption", World::without_sql, Unknown, "refused"),
        row(
            "endpoint.certificate",
            |w| {
                w.endpoint().certificate = None;
                w.endpoint().authentication = "NEGOTIATE".to_owned();
            },
            Failed,
            "none",
        ),
        row("endpoint.certificate", |w| w.endpoint().certificate = None, Unknown, "may not see"),
        row(
            "endpoint.certificate",
            |w| w.certificate(OWN).private_key = false,
            Failed,
            "without a private key",
        ),
        row(
            "endpoint.certificate",
            |w| w.link.sql_server.certificate = Some("Other".to_owned()),
            Failed,
            "Other is asked for",
        ),
        row("endpoint.port", |w| w.sql().server_name = "SQL01\\PROD".to_owned(), Warning, "named instance"),
        row("endpoint.port", |w| w.endpoint().port = 5023, Warning, "names 5022"),
        row(
            "endpoint.port",
            |w| {
                w.endpoint().port = 5023;
                w.link.sql_server.listener_port = Some(5023);
            },
            Pass,
            "5023",
        ),
        row("endpoint.port", World::without_sql, Unknown, "refused"),
        row(
            "endpoint.address",
            |w| w.link.sql_server.endpoint = Some("10.0.0.4:5022".to_owned()),
            Failed,
            "no address",
        ),
        row(
            "endpoint.address",
            |w| w.link.sql_server.endpoint = Some("TCP://:5022".to_owned()),
            Failed,
            "no address",
        ),
        row("endpoint.address", |w| w.link.sql_server.endpoint = None, Warning, "TCP://SQL01:5022 is taken"),
        row(
            "endpoint.address",
            |w| {
                w.link.sql_server.endpoint = None;
                w.without_sql();
            },
            Unknown,
            "refused",
        ),
    ]
}
