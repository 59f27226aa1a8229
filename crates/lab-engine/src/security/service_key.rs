//! The service master key: a file in the data folder that only its owner may read.
//!
//! SQL Server keeps it in `master` under the machine's own key (DPAPI), which a lab does not have: a copy of the data folder
//! without this file cannot read a private key, and one with it can.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::crypt::Key;

const FILE: &str = "service-master-key";
const NEW: &str = "service-master-key.new";

/// Reads the key of a data folder, making it first if it is not there.
pub(crate) fn load_or_make(data_dir: &Path) -> Result<Key, String> {
    let path = data_dir.join(FILE);
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    match std::fs::File::open(&path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(64).read_to_end(&mut bytes).map_err(told)?;
            Key::from_bytes(&bytes).ok_or_else(|| format!("{} is no key", path.display()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key = Key::random().map_err(|_| "no randomness".to_owned())?;
            write(data_dir, &key).map_err(told)?;
            Ok(key)
        }
        Err(e) => Err(told(e)),
    }
}

fn write(data_dir: &Path, key: &Key) -> std::io::Result<()> {
    let new = data_dir.join(NEW);
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(key.bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, data_dir.join(FILE))?;
    std::fs::File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = load_or_make(folder.path()).unwrap();
        assert_eq!(load_or_make(folder.path()).unwrap(), key);
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(load_or_make(folder.path()).is_err());
    }
}
