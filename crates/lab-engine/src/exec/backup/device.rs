//! Backup devices: where a name leads to, and who uses it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::SqlError;
use crate::server::{BACKUP_FOLDER, Server};

/// A device that one statement has to itself.
#[derive(Debug)]
pub(super) struct Device {
    /// The file.
    pub(super) path: PathBuf,
    /// As the statement names it.
    pub(super) shown: String,
}

/// Files in use by any statement of this process: two that write to one file would mix their blocks.
static BUSY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

impl Drop for Device {
    fn drop(&mut self) {
        BUSY.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

impl Device {
    /// The device of that name, which nobody else uses.
    ///
    /// # Errors
    /// 3201: its folder does not exist, it is in use, it is no file, or it is one of the instance's own.
    pub(super) fn claim(server: &Server, name: &str) -> Result<Device, SqlError> {
        let refuse = |why: &str| SqlError::device_open(name, why);
        if name.contains('\0') || name.chars().count() > 259 {
            return Err(refuse("123(The filename, directory name, or volume label syntax is incorrect.)"));
        }
        let data = &server.config.data_dir;
        let backups = data.join(BACKUP_FOLDER);
        // A name that is absolute stays as it is.
        let named = backups.join(name);
        if named.parent() == Some(&backups) {
            // SQL Server's own folder for backups is there from its set-up on.
            std::fs::create_dir_all(&backups)
                .map_err(|e| refuse(&os_error(e.raw_os_error(), &e.to_string())))?;
        }
        let missing = || refuse("3(The system cannot find the path specified.)");
        let file = named.file_name().ok_or_else(missing)?;
        let folder = named.parent().and_then(|p| p.canonicalize().ok()).ok_or_else(missing)?;
        // Through symbolic links, so that one file has one name, and a link is not replaced by what is written to it.
        let path = folder.join(file);
        let path = path.canonicalize().unwrap_or(path);
        if path.exists() && !path.is_file() {
            return Err(refuse("5(Access is denied.)"));
        }
        let own = |folder: &Path| folder.canonicalize().is_ok_and(|f| path.starts_with(f));
        if own(data) && !own(&backups) {
            return Err(refuse(IN_USE));
        }
        if !BUSY.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
            return Err(refuse(IN_USE));
        }
        Ok(Device { path, shown: name.to_owned() })
    }
}

const IN_USE: &str = "32(The process cannot access the file because it is being used by another process.)";

/// The operating system's error as SQL Server words it.
pub(super) fn os_error(code: Option<i32>, text: &str) -> String {
    match code {
        Some(2) => "2(The system cannot find the file specified.)".to_owned(),
        Some(1 | 13) => "5(Access is denied.)".to_owned(),
        Some(20) => "3(The system cannot find the path specified.)".to_owned(),
        Some(28) => "112(There is not enough space on the disk.)".to_owned(),
        code => format!("{}({text})", code.unwrap_or(0)),
    }
}
