//! Azure's root certificates, and the names that they may vouch for on SQL Server.
//!
//! SQL Server trusts a managed instance's certificate if it was signed, by way of others, by a root that stands in `master` and was registered
//! with `sp_certificate_add_issuer` for the cloud's names. Azure rotates the certificate by itself and may change the root while doing so, hence
//! all roots for a link that is to live long. Newer REST versions name the roots of the certificate at hand (`trustedRootCertificates`), which
//! is better than any table.

use std::fmt;

use serde::Serialize;

/// A root certificate that Azure uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Root {
    /// Its common name, by which the documents call it.
    pub name: &'static str,
    /// Its subject, as RFC 4514 writes it.
    pub subject: &'static str,
    /// SHA-1 of its DER form, in uppercase digits: SQL Server's `thumbprint`.
    pub thumbprint: &'static str,
    /// Until when it is valid: year, month, day.
    pub expiry: &'static str,
    /// Whether no link works without it, today. The others are for links that outlive a change.
    pub required: bool,
    /// Where it is written.
    pub source: &'static str,
}

const CAS: &str = "Azure CAs, root certificate authorities";
const CAS_AND_SCRIPTS: &str = "Scripts how-to, root certificates; Azure CAs, root certificate authorities";

/// The seven, sorted by name.
pub const ROOTS: &[Root] = &[
    Root {
        name: "DigiCert Global Root CA",
        subject: "CN=DigiCert Global Root CA,OU=www.digicert.com,O=DigiCert Inc,C=US",
        thumbprint: "A8985D3A65E5E5C4B2D7D66D40C6DD2FB19C5436",
        expiry: "2031-11-10",
        required: false,
        source: CAS,
    },
    Root {
        name: "DigiCert Global Root G2",
        subject: "CN=DigiCert Global Root G2,OU=www.digicert.com,O=DigiCert Inc,C=US",
        thumbprint: "DF3C24F9BFD666761B268073FE06D1CC8D4F82A4",
        expiry: "2038-01-15",
        required: true,
        source: CAS_AND_SCRIPTS,
    },
    Root {
        name: "DigiCert Global Root G3",
        subject: "CN=DigiCert Global Root G3,OU=www.digicert.com,O=DigiCert Inc,C=US",
        thumbprint: "7E04DE896A3E666D00E687D33FFAD93BE83D349E",
        expiry: "2038-01-15",
        required: false,
        source: CAS,
    },
    Root {
        name: "DigiCert TLS ECC P384 Root G5",
        subject: "CN=DigiCert TLS ECC P384 Root G5,O=DigiCert\\, Inc.,C=US",
        thumbprint: "17F3DE5E9F0F19E98EF61F32266E20C407AE30EE",
        expiry: "2046-01-14",
        required: false,
        source: CAS,
    },
    Root {
        name: "DigiCert TLS RSA4096 Root G5",
        subject: "CN=DigiCert TLS RSA4096 Root G5,O=DigiCert\\, Inc.,C=US",
        thumbprint: "A78849DC5D7C758C8CDE399856B3AAD0B2A57135",
        expiry: "2046-01-14",
        required: false,
        source: CAS,
    },
    Root {
        name: "Microsoft ECC Root Certificate Authority 2017",
        subject: "CN=Microsoft ECC Root Certificate Authority 2017,O=Microsoft Corporation,C=US",
        thumbprint: "999A64C37FF47D9FAB95F14769891460EEC4C3C5",
        expiry: "2042-07-18",
        required: false,
        source: CAS,
    },
    Root {
        name: "Microsoft RSA Root Certificate Authority 2017",
        subject: "CN=Microsoft RSA Root Certificate Authority 2017,O=Microsoft Corporation,C=US",
        thumbprint: "73A5E64A3BFF8316FF0EDCCC618A906E4EAE4D74",
        expiry: "2042-07-18",
        required: true,
        source: CAS_AND_SCRIPTS,
    },
];

/// The root with this thumbprint; cases, and a leading `0x`, do not matter.
pub fn root_by_thumbprint(thumbprint: &str) -> Option<&'static Root> {
    let digits =
        thumbprint.strip_prefix("0x").or_else(|| thumbprint.strip_prefix("0X")).unwrap_or(thumbprint);
    ROOTS.iter().find(|root| root.thumbprint.eq_ignore_ascii_case(digits))
}

/// A cloud whose names are documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// Azure.
    Public,
    /// Azure for the government of the United States.
    UsGovernment,
    /// Azure in China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// All of them.
    pub const ALL: [Cloud; 3] = [Cloud::Public, Cloud::UsGovernment, Cloud::China];

    /// What the names of its managed instances end in.
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Cloud::Public => "database.windows.net",
            Cloud::UsGovernment => "database.usgovcloudapi.net",
            Cloud::China => "database.chinacloudapi.cn",
        }
    }

    /// Where that is written.
    pub const SOURCE: &'static str = "Scripts how-to, root certificates";
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cloud::Public => "Azure",
            Cloud::UsGovernment => "Azure US Government",
            Cloud::China => "Azure China",
        })
    }
}

/// The cloud of a managed instance, by its full name.
pub fn cloud_of(fqdn: &str) -> Option<Cloud> {
    let name = fqdn.trim_end_matches('.').to_ascii_lowercase();
    let within =
        |cloud: &Cloud| name.strip_suffix(cloud.dns_suffix()).is_some_and(|rest| rest.ends_with('.'));
    Cloud::ALL.into_iter().find(within)
}

/// What a root may vouch for, as `sp_certificate_add_issuer` wants it: `*.database.windows.net` for an instance of Azure. Of another cloud, which
/// the documents do not name, it is what follows the instance's name and zone. `None` if the name is too short for that.
pub fn issuer_dns(fqdn: &str) -> Option<String> {
    if let Some(cloud) = cloud_of(fqdn) {
        return Some(format!("*.{}", cloud.dns_suffix()));
    }
    let name = fqdn.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    match labels.as_slice() {
        // At least two labels stay, so that nobody vouches for a whole top-level domain.
        [instance, zone, rest @ ..]
            if rest.len() >= 2
                && ![instance, zone].iter().any(|l| l.is_empty())
                && rest.iter().all(|l| !l.is_empty()) =>
        {
            Some(format!("*.{}", rest.join(".")))
        }
        _ => None,
    }
}

/// Whether a name that a root was registered for covers a managed instance. SQL Server's star stands for all labels before the suffix.
pub fn covers(issuer: &str, fqdn: &str) -> bool {
    let (issuer, name) = (issuer.to_ascii_lowercase(), fqdn.trim_end_matches('.').to_ascii_lowercase());
    match issuer.strip_prefix("*.") {
        None => issuer == name,
        Some(suffix) => name.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sources::tests::check_source;
    use super::*;

    #[test]
    fn roots_are_sorted_and_whole() {
        assert_eq!(ROOTS.len(), 7);
        assert!(ROOTS.is_sorted_by(|a, b| a.name < b.name));
        for root in ROOTS {
            check_source(root.source, root.name);
            assert!(root.subject.starts_with(&format!("CN={},", root.name)), "{}", root.subject);
            assert!(root.thumbprint.len() == 40 && root.thumbprint.bytes().all(|b| b.is_ascii_hexdigit()));
            assert!(root.expiry.parse::<jiff::civil::Date>().is_ok(), "{}", root.expiry);
            assert_eq!(root_by_thumbprint(&format!("0x{}", root.thumbprint.to_lowercase())), Some(root));
        }
        let required: Vec<&str> = ROOTS.iter().filter(|r| r.required).map(|r| r.name).collect();
        assert_eq!(required, ["DigiCert Global Root G2", "Microsoft RSA Root Certificate Authority 2017"]);
        check_source(Cloud::SOURCE, "clouds");
    }

    #[test]
    fn what_a_root_vouches_for() {
        for (fqdn, wanted) in [
            ("mi1.a1b2c3.database.windows.net", Some("*.database.windows.net")),
            ("MI1.a1b2c3.Database.Windows.NET.", Some("*.database.windows.net")),
            ("mi1.x.database.usgovcloudapi.net", Some("*.database.usgovcloudapi.net")),
            ("mi1.x.database.chinacloudapi.cn", Some("*.database.chinacloudapi.cn")),
            ("mi1.x.sql.example.cloud", Some("*.sql.example.cloud")),
            ("mi1.x.cloud", None),
            ("mi1..database.example", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(issuer_dns(fqdn).as_deref(), wanted, "{fqdn}");
        }
        assert_eq!(cloud_of("evildatabase.windows.net"), None);
    }

    #[test]
    fn a_registered_name_covers_an_instance() {
        assert!(covers("*.database.windows.net", "mi1.a1b2.database.windows.net"));
        assert!(covers("*.DATABASE.windows.net", "mi1.a1b2.database.windows.net."));
        assert!(!covers("*.database.windows.net", "mi1.a1b2.database.usgovcloudapi.net"));
        assert!(!covers("*.database.windows.net", "database.windows.net"));
        assert!(!covers("*.database.windows.net", "mi1.xdatabase.windows.net"));
    }
}
