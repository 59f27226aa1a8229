//! Keys and certificates: whom a server trusts, what it proves itself with, and that no secret gets out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lab_engine::{Flavor, Secret, Server, ServerConfig, UpdatePolicy};

use crate::{Lab, error, rows, run};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

const PASSWORD: &str = "C4nary#InTheMine";

/// A lab with a master key, a certificate and an endpoint.
fn prepared() -> Lab {
    let lab = Lab::new();
    let mut s = lab.session();
    for text in [
        &format!("CREATE MASTER KEY ENCRYPTION BY PASSWORD = '{PASSWORD}'"),
        "CREATE CERTIFICATE own WITH SUBJECT = 'own', EXPIRY_DATE = '2099-01-01'",
        "CREATE ENDPOINT e STATE = STARTED AS TCP (LISTENER_PORT = 5022, LISTENER_IP = (127.0.0.1)) FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE own, ENCRYPTION = REQUIRED ALGORITHM AES)",
    ] {
        rows(&mut s, text);
    }
    lab
}

#[test]
fn the_endpoint_keeps_its_key_over_a_restart_and_only_in_this_folder() {
    let lab = prepared();
    let before = lab.server.mirroring_endpoint().unwrap();
    let certificate = before.certificate.clone().unwrap();
    assert_eq!((before.name.as_str(), before.port), ("e", 5022));
    assert!(certificate.private_key_pkcs8.is_some());
    assert!(
        !format!("{before:?}").contains(&format!("{:?}", certificate.private_key_pkcs8.unwrap().expose()))
    );
    let lab = lab.restart();
    assert_eq!(lab.server.mirroring_endpoint().unwrap(), before);
    // Without the service master key, as in a copy of master alone, nothing opens it.
    let Lab { server, folder } = lab;
    drop(server);
    std::fs::remove_file(folder.path().join("data/service-master-key")).unwrap();
    let server = Lab::open(&folder);
    let endpoint = server.mirroring_endpoint().unwrap();
    assert_eq!(endpoint.certificate.unwrap().private_key_pkcs8, None);
}

#[test]
fn certificates_of_others_are_trusted_and_every_change_is_told() {
    let lab = prepared();
    let told = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&told);
    lab.server.on_security_change(Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let mut s = lab.session();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/digicert-global-root-g2.pem");
    rows(&mut s, &format!("CREATE CERTIFICATE DigiCertPKI FROM FILE = '{}'", file.display()));
    rows(&mut s, "EXEC sp_certificate_add_issuer 257, N'*.database.windows.net'");
    assert_eq!(
        rows(
            &mut s,
            "SELECT issuer_name, subject, key_length, pvt_key_encryption_type, CAST(start_date AS date), cert_serial_number FROM sys.certificates WHERE name = 'DigiCertPKI'"
        ),
        [
            "US, DigiCert Inc, www.digicert.com, DigiCert Global Root G2|US, DigiCert Inc, www.digicert.com, DigiCert Global Root G2|2048|NA|2013-08-01|03 3a f1 e6 a7 11 a9 a0 bb 28 64 b1 1d 09 fa e5"
        ]
    );
    assert_eq!(
        rows(&mut s, "SELECT * FROM lab.certificate_issuers"),
        ["257|DigiCertPKI|*.database.windows.net"]
    );
    let trusted = lab.server.trusted_certificates();
    assert_eq!(trusted.len(), 1);
    assert_eq!(hex(&trusted[0].thumbprint), "DF3C24F9BFD666761B268073FE06D1CC8D4F82A4");
    assert_eq!(trusted[0].issues, ["*.database.windows.net"]);
    rows(&mut s, "ALTER ENDPOINT e STATE = STOPPED");
    assert_eq!(told.load(Ordering::Relaxed), 3);
    assert_eq!(error(&mut s, "ALTER ENDPOINT nobody STATE = STOPPED"), 15151);
    assert_eq!(told.load(Ordering::Relaxed), 3);
}

#[test]
fn a_managed_instance_has_a_certificate_that_its_root_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    let open = |port: u16| {
        let config = ServerConfig {
            sa_password: Some(Secret::new("Lab#Pass123".into())),
            server_name: "mi.lab.database.windows.net".into(),
            flavor: Flavor::Managed(UpdatePolicy::Sql2022),
            mirroring_port: port,
            ..ServerConfig::new(folder.path().join("data"))
        };
        Lab { server: Server::open(config).unwrap(), folder: tempfile::tempdir().unwrap() }
    };
    let managed = open(5022);
    let told = run(&mut managed.session(), "EXEC sp_get_endpoint_certificate 4");
    let der = told.sets[0].1[0][0].clone();
    let root = managed.server.managed_root_certificate().unwrap();
    let certificate = managed.server.mirroring_endpoint().unwrap().certificate.unwrap();
    assert_eq!(der, rusqlite::types::Value::Blob(certificate.der.clone()));
    for refused in
        ["CREATE AVAILABILITY GROUP g FOR REPLICA ON 'x' WITH (ENDPOINT_URL = 'y')", "DROP ENDPOINT e"]
    {
        assert_eq!(error(&mut managed.session(), refused), 41906, "{refused}");
    }
    drop(managed);
    let managed = open(5055);
    let endpoint = managed.server.mirroring_endpoint().unwrap();
    assert_eq!((endpoint.port, endpoint.certificate), (5055, Some(certificate.clone())));

    let lab = prepared();
    let mut s = lab.session();
    let fqdn = "mi.lab.database.windows.net";
    rows(&mut s, &format!("CREATE CERTIFICATE [{fqdn}] FROM BINARY = 0x{}", hex(&certificate.der)));
    let validate =
        "DECLARE @id int = CERT_ID('mi.lab.database.windows.net') EXEC sp_validate_certificate_ca_chain @id";
    assert_eq!(error(&mut s, validate), 15297, "nobody vouches for it yet");
    rows(&mut s, &format!("CREATE CERTIFICATE root FROM BINARY = 0x{}", hex(&root)));
    assert_eq!(error(&mut s, validate), 15297, "the root is not said to vouch for it");
    rows(
        &mut s,
        "DECLARE @id int = CERT_ID('root') EXEC sp_certificate_add_issuer @id, N'*.windows.example'",
    );
    assert_eq!(error(&mut s, validate), 15297, "the root vouches for other names");
    rows(
        &mut s,
        "DECLARE @id int = CERT_ID('root') EXEC sp_certificate_add_issuer @id, N'*.database.windows.net'",
    );
    rows(&mut s, validate);
    assert_eq!(error(&mut s, "EXEC sp_validate_certificate_ca_chain 256"), 15297, "a self-signed one");
    assert_eq!(error(&mut s, "EXEC sp_validate_certificate_ca_chain 999"), 15151);
}

#[test]
fn documents_are_kept_by_name() {
    let lab = Lab::new();
    lab.server.put_document("a", Some("1".into())).unwrap();
    lab.server.put_document("b", Some("2".into())).unwrap();
    lab.server.put_document("a", Some("3".into())).unwrap();
    lab.server.put_document("b", None).unwrap();
    let lab = lab.restart();
    let documents: Vec<_> = lab.server.documents().into_iter().collect();
    assert_eq!(documents, [("a".to_owned(), "3".to_owned())]);
}

/// Every file under a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn no_secret_gets_out() {
    let lab = prepared();
    let key = lab.server.mirroring_endpoint().unwrap().certificate.unwrap().private_key_pkcs8.unwrap();
    // The middle of a PKCS#8 of P-256 is the secret number itself: as it is, as JSON and as hexadecimal.
    let secret = &key.expose()[40..64];
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    let canaries = [
        PASSWORD.as_bytes().to_vec(),
        PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        secret.to_vec(),
        numbers.join(",").into_bytes(),
        hex(secret).into_bytes(),
        hex(secret).to_lowercase().into_bytes(),
    ];
    let holds = |bytes: &[u8]| canaries.iter().any(|c| bytes.windows(c.len()).any(|w| w == c.as_slice()));
    let mut s = lab.session();
    let mut said = String::new();
    for text in [
        &format!("CREATE MASTER KEY ENCRYPTION BY PASSWORD = '{PASSWORD}'"),
        &format!("OPEN MASTER KEY DECRYPTION BY PASSWORD = '{PASSWORD}x'"),
        &format!("ALTER MASTER KEY ADD ENCRYPTION BY PASSWORD = '{PASSWORD}'"),
        &format!("CREATE CERTIFICATE c ENCRYPTION BY PASSWORD = '{PASSWORD}' WITH SUBJECT = 's'"),
        &format!(
            "BACKUP CERTIFICATE own TO FILE = 'own.cer' WITH PRIVATE KEY (FILE = 'own.pvk', ENCRYPTION BY PASSWORD = '{PASSWORD}')"
        ),
        &format!(
            "CREATE CERTIFICATE d FROM FILE = 'own.cer' WITH PRIVATE KEY (FILE = 'own.pvk', DECRYPTION BY PASSWORD = '{PASSWORD}y')"
        ),
    ] {
        let answers = run(&mut s, text);
        said += &format!("{:?} {:?}", answers.errors, answers.infos);
        let mut other = lab.session();
        said += &rows(&mut other, "SELECT t.text FROM sys.session_batches AS t").join("\n");
        said += &rows(&mut other, "DBCC INPUTBUFFER(51)").join("\n");
    }
    // 51 is this session: what it ran last is what is shown of it, and not the batch above.
    assert!(said.contains("has been replaced"), "{said}");
    for view in
        ["certificates", "symmetric_keys", "database_mirroring_endpoints", "endpoints", "server_permissions"]
    {
        said += &rows(&mut s, &format!("SELECT * FROM sys.{view}")).join("\n");
    }
    said += &format!("{:?} {:?} {:?}", lab.server.mirroring_endpoint(), lab.server.documents(), lab.server);
    assert!(!holds(said.as_bytes()), "{said}");
    drop(s);
    let Lab { server, folder } = lab;
    drop(server);
    let mut read = 0;
    for file in files(folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        read += bytes.len();
        assert!(!holds(&bytes), "{}", file.display());
    }
    assert!(read > 100_000 && holds(&[b"before ", canaries[0].as_slice()].concat()), "nothing was looked at");
}
