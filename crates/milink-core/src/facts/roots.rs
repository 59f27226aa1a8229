//! The root certificates of [`super::certificates::ROOTS`] themselves, in DER form: a link needs no download, and a script is whole.

use super::certificates::ROOTS;

/// The certificate with this common name.
pub fn der(name: &str) -> Option<&'static [u8]> {
    let at = ROOTS.iter().position(|root| root.name == name)?;
    DER.get(at).copied()
}

/// In the order of [`ROOTS`].
const DER: [&[u8]; 7] = [
    include_bytes!("../../roots/digicert-global-root-ca.der"),
    include_bytes!("../../roots/digicert-global-root-g2.der"),
    include_bytes!("../../roots/digicert-global-root-g3.der"),
    include_bytes!("../../roots/digicert-tls-ecc-p384-root-g5.der"),
    include_bytes!("../../roots/digicert-tls-rsa4096-root-g5.der"),
    include_bytes!("../../roots/microsoft-ecc-root-certificate-authority-2017.der"),
    include_bytes!("../../roots/microsoft-rsa-root-certificate-authority-2017.der"),
];

#[cfg(test)]
mod tests {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

    use super::*;
    use crate::names::Hex;

    #[test]
    fn each_is_the_certificate_that_its_row_names() {
        for root in ROOTS {
            let der = der(root.name).unwrap_or_else(|| panic!("{} is missing", root.name));
            let sha1 = Hex::new(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec());
            assert_eq!(sha1.to_string(), root.thumbprint, "{}", root.name);
        }
        assert_eq!(der("DigiCert Global Root G9"), None);
    }
}
