//! The file that holds contexts. People edit it too: their comments stay.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table, value};

use super::model::Context;
use crate::connect::Environment;
use crate::exit::{Exit, Failure};

/// The version of the file's format; a newer one is not touched.
const VERSION: i64 = 1;

/// The file, as it was read.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    document: DocumentMut,
    current: Option<String>,
    contexts: BTreeMap<String, Context>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: i64,
    current: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Context>,
}

impl ConfigFile {
    /// Where it is: MILINK_CONFIG, or in the platform's folder for configuration.
    ///
    /// # Errors
    /// The environment names no home.
    pub(crate) fn path(environment: &Environment) -> Result<PathBuf, Failure> {
        if let Some(path) = environment.get("MILINK_CONFIG")? {
            return Ok(PathBuf::from(path));
        }
        let folder = |name: &str| -> Result<Option<PathBuf>, Failure> {
            Ok(environment.get(name)?.map(PathBuf::from).filter(|p| p.is_absolute()))
        };
        let home = || {
            folder("HOME")?.ok_or_else(|| {
                let next = "set HOME, or MILINK_CONFIG to the file that holds contexts";
                Failure::arguments("no home folder is known", "HOME", next)
            })
        };
        let config = if cfg!(target_os = "macos") {
            home()?.join("Library/Application Support")
        } else {
            match folder("XDG_CONFIG_HOME")? {
                Some(config) => config,
                None => home()?.join(".config"),
            }
        };
        Ok(config.join("milink/config.toml"))
    }

    /// Reads it; one that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read or understood. The text holds nothing of the file: it might be a secret that somebody put
    /// there.
    pub(crate) fn read(path: &Path) -> Result<ConfigFile, Failure> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => format!("version = {VERSION}\n"),
            Err(e) => {
                let next = "make it readable, or set MILINK_CONFIG to another file";
                return Err(Failure::file(format!("the contexts cannot be read: {e}"), path, next));
            }
        };
        let line = |span: Option<std::ops::Range<usize>>| {
            let before = span.and_then(|s| text.get(..s.start)).unwrap_or_default();
            before.matches('\n').count() + 1
        };
        let wrong = |why: &str, span| {
            Failure::arguments(
                format!("the contexts cannot be understood: {}", why.trim().replace('\n', ", ")),
                format!("{}, line {}", path.display(), line(span)),
                "correct the file, or set MILINK_CONFIG to another one",
            )
        };
        // NB: the errors' own text would quote the line.
        let document: DocumentMut =
            text.parse().map_err(|e: toml_edit::TomlError| wrong(e.message(), e.span()))?;
        if document.get("version").and_then(Item::as_integer).is_some_and(|v| v > VERSION) {
            let next = "use that milink, or set MILINK_CONFIG to another file";
            let what = "the contexts were written by a newer milink";
            return Err(Failure::arguments(what, path.display().to_string(), next));
        }
        let content: Content = toml_edit::de::from_str(&text).map_err(|e| wrong(e.message(), e.span()))?;
        if content.version != VERSION {
            return Err(wrong(&format!("it begins with version = {VERSION}"), None));
        }
        let Content { version: _, current, contexts } = content;
        Ok(ConfigFile { path: path.to_owned(), document, current, contexts })
    }

    /// The context that is to be used, if any: the flag's, MILINK_CONTEXT's, or the current one.
    ///
    /// # Errors
    /// There is none of that name, or the file cannot be read.
    pub(crate) fn chosen(
        flag: Option<&str>,
        environment: &Environment,
    ) -> Result<Option<(String, Context)>, Failure> {
        let named = match flag {
            Some(name) => Some(name.to_owned()),
            None => environment.get("MILINK_CONTEXT")?,
        };
        // Who has no home has no contexts, and asks for none.
        let path = match (ConfigFile::path(environment), &named) {
            (Ok(path), _) => path,
            (Err(_), None) => return Ok(None),
            (Err(e), Some(_)) => return Err(e),
        };
        let file = ConfigFile::read(&path)?;
        let Some(name) = named.or_else(|| file.current.clone()) else { return Ok(None) };
        let context = file.get(&name)?.clone();
        Ok(Some((name, context)))
    }

    /// Its path.
    pub(super) fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// The context that is used if nobody says otherwise.
    pub(crate) fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// All, by name.
    pub(crate) fn contexts(&self) -> &BTreeMap<String, Context> {
        &self.contexts
    }

    /// The one of that name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn get(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let next = match known.as_slice() {
                [] => "make one: milink context add NAME ...".to_owned(),
                known => {
                    format!("take one of {}, or make it: milink context add {name} ...", known.join(", "))
                }
            };
            Failure::not_found(format!("there is no context '{name}'"), self.place(), next)
        })
    }

    /// Reads it, changes it and writes it, and nobody else does so meanwhile.
    ///
    /// # Errors
    /// As reading; or the change fails; or it cannot be written, and then it is as it was.
    pub(super) fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut ConfigFile) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let next = "make the folder writable, or set MILINK_CONFIG to a file elsewhere";
        let failed = |e: std::io::Error| Failure {
            code: Exit::Error,
            ..Failure::file(format!("the contexts cannot be written: {e}"), path, next)
        };
        let path_given = std::path::absolute(path).map_err(failed)?;
        let folder = path_given.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder).map_err(failed)?;
        // The folder itself is locked: a lock file would be left lying about.
        let lock = File::open(folder).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut file = ConfigFile::read(&path_given)?;
        let out = change(&mut file)?;
        write_whole(&path_given, file.document.to_string().as_bytes()).map_err(failed)?;
        lock.sync_all().map_err(failed)?;
        Ok(out)
    }

    /// Adds a context, or puts it in the place of another.
    pub(super) fn put(&mut self, name: &str, context: Context) -> Result<(), Failure> {
        let document = toml_edit::ser::to_document(&context).map_err(|e| {
            Failure::arguments(
                format!("the context cannot be written down: {e}"),
                "milink itself",
                "report this as a bug",
            )
        })?;
        let contexts = self.document.entry("contexts").or_insert_with(|| implicit(Table::new()));
        if let Some(contexts) = contexts.as_table_like_mut() {
            let mut table = Table::new();
            for (key, item) in document.as_table() {
                // Each part is a table of its own, and not in braces on one long line.
                let item = item.clone().into_table().map_or_else(|item| item, Item::Table);
                table.insert(key, item);
            }
            contexts.insert(name, implicit(table));
        }
        self.contexts.insert(name.to_owned(), context);
        Ok(())
    }

    /// Makes a context the current one.
    pub(super) fn make_current(&mut self, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        // An entry that is there keeps the comment above it.
        match self.document.get_mut("current") {
            Some(item) => *item = value(name),
            None => {
                self.document.insert("current", value(name));
            }
        }
        self.current = Some(name.to_owned());
        Ok(())
    }

    /// Removes a context; if it was the current one, there is none.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        if let Some(contexts) = self.document.get_mut("contexts").and_then(Item::as_table_like_mut) {
            contexts.remove(name);
        }
        self.contexts.remove(name);
        if self.current.as_deref() == Some(name) {
            self.document.remove("current");
            self.current = None;
        }
        Ok(())
    }
}

/// A table whose heading is not written, as only its parts hold anything.
fn implicit(mut table: Table) -> Item {
    table.set_implicit(true);
    Item::Table(table)
}

/// Whoever reads the file sees it as it was or as it is, never half of it; and nobody but its owner reads it.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A link leads to where the file is kept, as in a folder of dotfiles, and stays one.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut temporary = path.clone().into_os_string();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, &path));
    if written.is_err() {
        // Of no use to anybody; the first error is the one to tell.
        drop(std::fs::remove_file(&temporary));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConfigFile, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        ConfigFile::read(&path)
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_quoted() {
        for bad in [
            "password = \"hunter2\"",
            "password = hunter2",
            "password = \"hunter2",
            "password = [\"hunter2\"]",
            "pwd = \"hunter2\"",
            "connection_string = \"Password=hunter2\"",
        ] {
            let e = read(&format!("version = 1\n[contexts.a.sql_server]\n{bad}\n")).unwrap_err();
            assert_eq!(e.code, Exit::BadArguments, "{bad}");
            assert!(!e.to_string().contains("hunter2"), "{e}");
            assert!(e.where_.contains("config.toml, line 3"), "{e}");
        }
        let e = read("version = 1\n[contexts.a.sql_server]\npassword = \"hunter2\"\n").unwrap_err();
        assert!(e.what.contains("env:NAME, file:PATH or keyring:SERVICE/USER"), "{e}");
    }

    #[test]
    fn versions() {
        assert!(read("").unwrap_err().what.contains("version"));
        assert!(read("version = 2\n").unwrap_err().what.contains("newer milink"));
        assert!(read("version = 1\n").unwrap().contexts.is_empty());
    }

    #[test]
    fn comments_stay_and_others_are_not_touched() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/config.toml");
        std::fs::create_dir(folder.path().join("deeper")).unwrap();
        let by_hand = "# mine\nversion = 1\ncurrent = \"a\" # now\n\n# production\n[contexts.a.sql_server]\nserver = \"h\" # rack 7\n";
        std::fs::write(&path, by_hand).unwrap();
        let side = super::super::model::ContextSide { server: Some("other".into()), ..Default::default() };
        ConfigFile::change(&path, |file| {
            file.put("b", Context { managed: side, ..Context::default() })?;
            file.make_current("b")
        })
        .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for kept in ["# mine", "# production", "server = \"h\" # rack 7"] {
            assert!(text.contains(kept), "{text}");
        }
        assert!(text.contains("[contexts.b.managed]\nserver = \"other\""), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = ConfigFile::read(&path).unwrap();
        assert_eq!(again.current(), Some("b"));
        assert_eq!(again.contexts().len(), 2);
        ConfigFile::change(&path, |file| file.remove("b")).unwrap();
        assert_eq!(ConfigFile::read(&path).unwrap().current(), None);
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "version = 1\n").unwrap();
        let done = ConfigFile::change(&path, |file| {
            file.put("b", Context::default())?;
            file.remove("c")
        });
        assert_eq!(done.unwrap_err().code, Exit::NotFound);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "version = 1\n");
    }
}
