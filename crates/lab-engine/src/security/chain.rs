//! Whether a certificate is vouched for by roots that were imported.

use pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Validates `der` against `roots`, through any of `others`, at a time in seconds since 1970. Nothing is asked of the
/// network, so a certificate that was revoked still passes.
///
/// # Errors
/// Why not, in words.
pub(crate) fn validate(der: &[u8], others: &[Vec<u8>], roots: &[Vec<u8>], now: i64) -> Result<(), String> {
    let der = CertificateDer::from(der);
    let certificate = EndEntityCert::try_from(&der).map_err(|e| e.to_string())?;
    let roots: Vec<CertificateDer<'_>> =
        roots.iter().map(|root| CertificateDer::from(root.as_slice())).collect();
    let anchors: Vec<TrustAnchor<'_>> =
        roots.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
    let others: Vec<CertificateDer<'_>> =
        others.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.unsigned_abs()));
    certificate
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &others,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
        .map_err(|e| e.to_string())
}

/// Whether a name is covered by a suffix as `sp_certificate_add_issuer` takes it: `*.database.windows.net`.
pub(crate) fn covers(suffix: &str, name: &str) -> bool {
    let (suffix, name) = (suffix.to_ascii_lowercase(), name.to_ascii_lowercase());
    match suffix.strip_prefix('*') {
        Some(rest) => name.len() > rest.len() && name.ends_with(rest),
        None => suffix == name,
    }
}

#[cfg(test)]
mod tests {
    use super::super::x509::{Wanted, issued, self_signed};
    use super::*;

    #[test]
    fn a_chain_holds_for_its_root_and_its_time_only() {
        let wanted = |subject| Wanted {
            subject,
            dns_name: Some("mi.lab.database.windows.net"),
            not_before: 1_700_000_000,
            not_after: 1_800_000_000,
        };
        let (root, made) = issued(&wanted("root"), &wanted("mi")).unwrap();
        let now = 1_750_000_000;
        assert_eq!(validate(&made.der, &[], std::slice::from_ref(&root), now), Ok(()));
        assert!(validate(&made.der, &[], &[], now).is_err());
        assert!(validate(&made.der, &[], std::slice::from_ref(&root), 1_900_000_000).is_err());
        let (stranger, _) = issued(&wanted("root"), &wanted("mi")).unwrap();
        assert!(validate(&made.der, &[], &[stranger], now).is_err());
        let alone = self_signed(&wanted("alone")).unwrap();
        assert!(validate(&alone.der, &[], &[root], now).is_err());
    }

    #[test]
    fn a_suffix_covers_names_below_it() {
        assert!(covers("*.database.windows.net", "mi.abc.Database.Windows.Net"));
        assert!(!covers("*.database.windows.net", "database.windows.net"));
        assert!(!covers("*.database.windows.net", "mi.database.windows.net.evil"));
    }
}
