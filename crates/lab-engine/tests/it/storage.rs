//! A database whose disk fails: its state, the errors, the others beside it, and the way back.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use lab_engine::{LoginRequest, Outcome, Secret, Server, ServerConfig, Session};
use lab_store::{Disk, DiskFile, RealDisk};

use crate::answers::Answers;
use crate::{error, rows};

/// A disk that fails at chosen sites under chosen folders, or from some operation on.
#[derive(Clone, Default)]
struct FaultyDisk(Arc<Mutex<Faults>>);

#[derive(Default)]
struct Faults {
    /// Folder's beginning, site, error.
    at: Vec<(&'static str, &'static str, ErrorKind)>,
    from: Option<u64>,
    operations: u64,
    hits: u64,
}

impl FaultyDisk {
    fn fail(&self, folder: &'static str, site: &'static str, kind: ErrorKind) {
        self.0.lock().unwrap().at.push((folder, site, kind));
    }

    /// Everything works again. How often it did not.
    fn mend(&self) -> u64 {
        let mut faults = self.0.lock().unwrap();
        faults.at.clear();
        faults.from = None;
        std::mem::take(&mut faults.hits)
    }

    fn operation(&self, site: &str, path: &Path) -> io::Result<()> {
        let mut faults = self.0.lock().unwrap();
        let n = faults.operations;
        faults.operations += 1;
        let inside =
            |folder: &str| path.components().any(|c| c.as_os_str().to_string_lossy().starts_with(folder));
        let kind = match faults.from {
            Some(from) if n >= from => Some(ErrorKind::Other),
            _ => faults.at.iter().find(|(f, s, _)| *s == site && inside(f)).map(|(_, _, kind)| *kind),
        };
        kind.map_or(Ok(()), |kind| {
            faults.hits += 1;
            Err(io::Error::new(kind, format!("{site} was made to fail")))
        })
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
}

impl DiskFile for FaultyFile {
    fn read_at(&self, site: &'static str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.operation(site, &self.path)?;
        self.file.read_at(site, offset, buffer)
    }
    fn write_at(&self, site: &'static str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.operation(site, &self.path)?;
        self.file.write_at(site, offset, bytes)
    }
    fn sync(&self, site: &'static str) -> io::Result<()> {
        self.disk.operation(site, &self.path)?;
        self.file.sync(site)
    }
    fn set_len(&self, site: &'static str, len: u64) -> io::Result<()> {
        self.disk.operation(site, &self.path)?;
        self.file.set_len(site, len)
    }
    fn len(&self, site: &'static str) -> io::Result<u64> {
        self.disk.operation(site, &self.path)?;
        self.file.len(site)
    }
}

impl Disk for FaultyDisk {
    fn open(&self, site: &'static str, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        self.operation(site, path)?;
        let file = RealDisk.open(site, path, create)?;
        Ok(Arc::new(FaultyFile { disk: self.clone(), path: path.to_owned(), file }))
    }
    fn rename(&self, site: &'static str, from: &Path, to: &Path) -> io::Result<()> {
        self.operation(site, from)?;
        RealDisk.rename(site, from, to)
    }
    fn remove(&self, site: &'static str, path: &Path) -> io::Result<()> {
        self.operation(site, path)?;
        RealDisk.remove(site, path)
    }
    fn sync_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
        self.operation(site, path)?;
        RealDisk.sync_dir(site, path)
    }
    fn list(&self, site: &'static str, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.operation(site, path)?;
        RealDisk.list(site, path)
    }
    fn make_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
        self.operation(site, path)?;
        RealDisk.make_dir(site, path)
    }
}

/// A server on a disk that can fail, in a folder that outlives it.
struct Lab {
    disk: FaultyDisk,
    server: Option<Arc<Server>>,
    folder: tempfile::TempDir,
}

const PASSWORD: &str = "Lab#Pass123";

impl Lab {
    fn empty() -> Lab {
        Lab { disk: FaultyDisk::default(), server: None, folder: tempfile::tempdir().unwrap() }
    }

    /// Two databases, `a` (database_id 5) and `b`, with a row each.
    fn with_databases() -> Lab {
        let mut lab = Lab::empty();
        lab.start().unwrap();
        let mut s = lab.session();
        rows(&mut s, "CREATE DATABASE a");
        rows(&mut s, "CREATE DATABASE b");
        rows(&mut s, "CREATE TABLE a.dbo.t(n int, v varchar(max)); INSERT a.dbo.t VALUES(1, 'one')");
        rows(&mut s, "CREATE TABLE b.dbo.t(n int); INSERT b.dbo.t VALUES(1)");
        drop(s);
        lab
    }

    fn start(&mut self) -> Result<(), lab_engine::OpenError> {
        self.server = None;
        let config = ServerConfig {
            sa_password: Some(Secret::new(PASSWORD.into())),
            server_name: "LAB".into(),
            max_sessions: 100,
            ..ServerConfig::new(self.data())
        };
        self.server = Some(Server::open_on(config, Arc::new(self.disk.clone()))?);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of `a`.
    fn files(&self) -> PathBuf {
        let found = std::fs::read_dir(self.data()).unwrap().map(|e| e.unwrap().path());
        found.into_iter().find(|p| p.file_name().unwrap().to_string_lossy().starts_with("db5-")).unwrap()
    }

    fn login(&self, database: &str) -> Result<Session, lab_engine::SqlError> {
        self.server.as_ref().unwrap().login(&LoginRequest {
            user: "sa".into(),
            password: Some(Secret::new(PASSWORD.into())),
            database: database.into(),
            ..LoginRequest::default()
        })
    }

    fn session(&self) -> Session {
        self.login("").unwrap()
    }

    /// `a` is in that state, and says so with that error; `b` and master go on.
    fn expect(&self, state: &str, number: &str, use_error: i32) {
        let mut s = self.session();
        assert_eq!(
            rows(
                &mut s,
                "SELECT state, state_desc, DATABASEPROPERTYEX('a', 'Status') FROM sys.databases WHERE name = 'a'"
            ),
            [format!("{number}|{state}|{state}")]
        );
        assert_eq!(error(&mut s, "USE a"), use_error);
        assert_eq!(error(&mut s, "SELECT * FROM a.dbo.t"), use_error);
        assert_eq!(self.login("a").unwrap_err().number, 4060);
        rows(
            &mut s,
            "INSERT b.dbo.t VALUES(2); DELETE b.dbo.t WHERE n = 2; CREATE LOGIN l WITH PASSWORD = 'Lab#Pass123'; DROP LOGIN l",
        );
    }

    fn newest_segment(&self) -> PathBuf {
        let mut logs: Vec<PathBuf> =
            std::fs::read_dir(self.files()).unwrap().map(|e| e.unwrap().path()).collect();
        logs.retain(|p| p.extension().is_some_and(|e| e == "log"));
        logs.sort();
        logs.pop().unwrap()
    }
}

/// Runs a batch as a connection does; the error that takes the answer's place, if it must not leave.
fn answer(session: &mut Session, text: &str) -> Result<Answers, lab_engine::SqlError> {
    let mut answers = Answers::default();
    session.run_batch(text, &mut answers);
    session.barrier().wait()?;
    match answers.errors.first() {
        Some(e) => Err(e.clone()),
        None => Ok(answers),
    }
}

#[test]
fn a_failed_sync_takes_the_database_down_alone_and_set_online_brings_it_back() {
    let lab = Lab::with_databases();
    let mut s = lab.session();
    rows(&mut s, "INSERT a.dbo.t VALUES(2, 'two')");
    lab.disk.fail("db5-", "log sync", ErrorKind::Other);
    let e = answer(&mut s, "INSERT a.dbo.t VALUES(3, 'three')").unwrap_err();
    assert_eq!((e.number, e.class), (9001, 21), "{e}");
    assert!(e.message.contains("'a'") && e.message.contains("log sync"), "{e}");
    // What others see of it must not leave either.
    assert_ne!(
        answer(&mut s, "SELECT count(*) FROM a.dbo.t").map(|a| a.last_rows()),
        Ok(vec!["3".to_owned()])
    );
    drop(s);
    lab.expect("RECOVERY_PENDING", "3", 945);
    assert!(lab.disk.mend() > 0);
    let mut s = lab.session();
    rows(&mut s, "ALTER DATABASE a SET ONLINE");
    let found = rows(&mut s, "SELECT n FROM a.dbo.t ORDER BY n");
    assert!(found == ["1", "2"] || found == ["1", "2", "3"], "{found:?}");
    rows(&mut s, "INSERT a.dbo.t VALUES(4, 'four'); DBCC CHECKDB('a')");
}

#[test]
fn a_full_disk_refuses_what_it_cannot_harden_and_loses_nothing() {
    let mut lab = Lab::with_databases();
    lab.disk.fail("db5-", "segment zero", ErrorKind::StorageFull);
    let mut s = lab.session();
    let mut done = 1;
    // What does not compress fills the segment that there is.
    let e = loop {
        let insert = format!(
            "DECLARE @v varchar(max) = '', @i int = 0; WHILE @i < 400 BEGIN SET @v = @v + CAST(NEWID() AS varchar(36)); SET @i = @i + 1 END; INSERT a.dbo.t VALUES({}, @v)",
            done + 1
        );
        match answer(&mut s, &insert) {
            Ok(_) => done += 1,
            Err(e) => break e,
        }
        assert!(done < 2000, "the log never filled its segment");
    };
    assert_eq!((e.number, e.class), (9001, 21), "{e}");
    assert!(e.message.contains("disk full"), "{e}");
    assert!(done > 10, "{done}");
    drop(s);
    lab.expect("RECOVERY_PENDING", "3", 945);
    // Still no room, not even for the control file.
    lab.disk.fail("db5-", "control write", ErrorKind::StorageFull);
    let mut s = lab.session();
    assert_eq!(error(&mut s, "ALTER DATABASE a SET ONLINE"), 5181);
    drop(s);
    lab.expect("RECOVERY_PENDING", "3", 945);
    assert!(lab.disk.mend() > 0);
    let mut s = lab.session();
    rows(&mut s, "ALTER DATABASE a SET ONLINE");
    assert_eq!(rows(&mut s, "SELECT count(*), max(n) FROM a.dbo.t"), [format!("{done}|{done}")]);
    rows(&mut s, "INSERT a.dbo.t VALUES(5000, 'more')");
    drop(s);
    lab.start().unwrap();
    assert_eq!(
        rows(&mut lab.session(), "SELECT count(*), max(n) FROM a.dbo.t"),
        [format!("{}|5000", done + 1)]
    );
}

#[test]
fn what_a_full_disk_stops_before_it_begins_leaves_the_database_running() {
    let lab = Lab::with_databases();
    let mut s = lab.session();
    lab.disk.fail("db5-", "control write", ErrorKind::StorageFull);
    let e = answer(&mut s, "USE a; CHECKPOINT").unwrap_err();
    assert_eq!((e.number, e.class), (9002, 17), "{e}");
    assert_eq!(answer(&mut s, "ALTER DATABASE a SET RECOVERY SIMPLE").unwrap_err().number, 9002);
    assert_eq!(
        rows(&mut s, "SELECT state_desc, recovery_model_desc FROM sys.databases WHERE name = 'a'"),
        ["ONLINE|FULL"]
    );
    rows(&mut s, "INSERT a.dbo.t VALUES(2, 'two')");
    assert!(lab.disk.mend() > 0);
    rows(&mut s, "CHECKPOINT; ALTER DATABASE a SET RECOVERY SIMPLE; INSERT a.dbo.t VALUES(3, 'three')");
    // A database that cannot be made leaves nothing behind.
    let folders = || std::fs::read_dir(lab.data()).unwrap().count();
    let before = folders();
    lab.disk.fail("db7-", "segment zero", ErrorKind::StorageFull);
    assert_eq!(answer(&mut s, "CREATE DATABASE c").unwrap_err().number, 5123);
    assert_eq!(folders(), before);
    assert!(lab.disk.mend() > 0);
    rows(&mut s, "CREATE DATABASE c");
}

#[test]
fn a_damaged_log_makes_the_database_suspect_and_the_server_starts() {
    let mut lab = Lab::with_databases();
    let mut s = lab.session();
    rows(&mut s, "INSERT a.dbo.t VALUES(2, 'two')");
    drop(s);
    lab.server = None;
    let segment = lab.newest_segment();
    let whole = std::fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    damaged[64 + 40] ^= 1;
    std::fs::write(&segment, damaged).unwrap();
    lab.start().unwrap();
    lab.expect("SUSPECT", "4", 926);
    let mut s = lab.session();
    let e = answer(&mut s, "ALTER DATABASE a SET ONLINE").unwrap_err();
    assert_eq!(e.number, 5181);
    assert!(e.message.contains(".log, offset 64"), "{e}");
    // The right file is put back.
    std::fs::write(&segment, &whole).unwrap();
    rows(&mut s, "ALTER DATABASE a SET ONLINE");
    assert_eq!(rows(&mut s, "SELECT count(*) FROM a.dbo.t"), ["2"]);
    // Or the database is given up.
    rows(&mut s, "INSERT a.dbo.t VALUES(3, 'three')");
    rows(&mut s, "INSERT a.dbo.t VALUES(4, 'four')");
    drop(s);
    lab.server = None;
    let segment = lab.newest_segment();
    let mut damaged = std::fs::read(&segment).unwrap();
    damaged[64 + 40] ^= 1;
    std::fs::write(segment, damaged).unwrap();
    lab.start().unwrap();
    lab.expect("SUSPECT", "4", 926);
    let mut s = lab.session();
    rows(&mut s, "DROP DATABASE a");
    rows(&mut s, "CREATE DATABASE a; CREATE TABLE a.dbo.t(n int)");
}

#[test]
fn a_missing_file_leaves_the_database_waiting_for_it() {
    let mut lab = Lab::with_databases();
    let mut s = lab.session();
    rows(&mut s, "USE a; CHECKPOINT");
    drop(s);
    lab.server = None;
    let data = lab.files().join("data.db");
    std::fs::rename(&data, data.with_extension("away")).unwrap();
    lab.start().unwrap();
    lab.expect("RECOVERY_PENDING", "3", 945);
    assert!(!data.exists(), "it is not made anew");
    std::fs::rename(data.with_extension("away"), &data).unwrap();
    let mut s = lab.session();
    rows(&mut s, "ALTER DATABASE a SET ONLINE");
    assert_eq!(rows(&mut s, "SELECT v FROM a.dbo.t"), ["one"]);
}

#[test]
fn a_flipped_bit_in_the_data_file_is_found_at_the_start_and_by_checkdb() {
    use std::os::unix::fs::FileExt;
    let mut lab = Lab::with_databases();
    let mut s = lab.session();
    rows(&mut s, "USE a; CHECKPOINT; DBCC CHECKDB");
    let file = std::fs::OpenOptions::new().read(true).write(true).open(lab.files().join("data.db")).unwrap();
    let at = file.metadata().unwrap().len() - 2048;
    let mut byte = [0];
    file.read_at(&mut byte, at).unwrap();
    file.write_at(&[byte[0] ^ 16], at).unwrap();
    assert_eq!(error(&mut s, "DBCC CHECKDB"), 8928);
    drop(s);
    lab.start().unwrap();
    lab.expect("SUSPECT", "4", 926);
}

#[test]
fn coming_back_ends_the_sessions_that_have_the_files_open() {
    let lab = Lab::with_databases();
    let other = lab.session();
    let (hang_up, hung_up) = mpsc::channel();
    other.set_hang_up(Box::new(move || hang_up.send(()).unwrap()));
    let mut other = other;
    rows(&mut other, "SELECT * FROM a.dbo.t");
    let mut s = lab.session();
    lab.disk.fail("db5-", "log sync", ErrorKind::Other);
    answer(&mut s, "INSERT a.dbo.t VALUES(3, 'three')").unwrap_err();
    lab.disk.mend();
    std::thread::scope(|scope| {
        // As a connection does that waits for its client.
        scope.spawn(move || {
            hung_up.recv().unwrap();
            assert!(other.is_killed());
            drop(other);
        });
        rows(&mut s, "ALTER DATABASE a SET ONLINE");
    });
    rows(&mut s, "INSERT a.dbo.t VALUES(4, 'four')");
    // One that runs sees the mark by itself.
    let mut running = lab.session();
    rows(&mut s, &format!("KILL {}", running.id()));
    assert_eq!(running.run_batch("SELECT 1", &mut Answers::default()), Outcome::Disconnect);
}

#[test]
fn a_first_start_that_is_cut_off_begins_anew() {
    let mut cut_off = 0;
    for from in (0..).map(|n| n * n * 4) {
        let mut lab = Lab::empty();
        lab.disk.0.lock().unwrap().from = Some(from);
        let started = lab.start().is_ok();
        lab.server = None;
        let hits = lab.disk.mend();
        assert_eq!(started, hits == 0, "from {from}");
        lab.start().unwrap_or_else(|e| panic!("from {from}: {e}"));
        assert_eq!(rows(&mut lab.session(), "SELECT count(*) FROM msdb.dbo.backupset"), ["0"], "from {from}");
        if hits == 0 {
            break;
        }
        cut_off += 1;
    }
    assert!(cut_off > 4, "{cut_off}");
}
