//! A disk that keeps its promises and no more.
//!
//! It works over real files. Beside each file it keeps what is surely on disk, as of the last successful sync, and every
//! 512-byte sector that was written since; beside each folder, the names that are surely there. The k-th operation can fail, once or from there on. [`SimDisk::crash`] builds what a power
//! failure may leave: of everything that was not synced, each sector, each length and each name is old or new, or a sector
//! is torn between them.
//!
//! After a failed sync the system takes its pages for clean: what they hold is read, but a later sync does not write it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskFile, RealDisk};

const SECTOR: usize = 512;

/// A generator of choices from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1CE)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Which operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    None,
    /// The one that many operations after arming.
    Once(u64),
    /// That one and all later ones.
    From(u64),
}

type Sectors = BTreeMap<u64, Vec<Vec<u8>>>;

/// A file, by whatever name.
#[derive(Debug, Default)]
struct Node {
    durable: Vec<u8>,
    /// Written since the last sync: every content that the sector had.
    dirty: Sectors,
    /// Written before a failed sync, and not again since.
    limbo: Sectors,
    lengths: Vec<u64>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Remove(PathBuf),
}

type Hook = Box<dyn FnOnce() + Send>;

struct State {
    armed: bool,
    /// A site that always fails.
    site: Option<&'static str>,
    /// What happens in the middle of the next operation at a site.
    hook: Option<(&'static str, Hook)>,
    faults: Faults,
    kind: ErrorKind,
    operations: u64,
    hits: u64,
    sites: BTreeMap<&'static str, u64>,
    dice: Dice,
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    name_changes: Vec<NameChange>,
    /// Folders made here, and whether they are surely there.
    folders: BTreeMap<PathBuf, bool>,
}

/// The disk.
#[derive(Clone)]
pub(super) struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct SimFile {
    disk: SimDisk,
    file: File,
    node: usize,
}

impl SimDisk {
    /// A disk that durably holds what is in a folder and the folders in it.
    pub(super) fn over(root: &Path) -> SimDisk {
        let mut state = State {
            armed: false,
            site: None,
            hook: None,
            faults: Faults::None,
            kind: ErrorKind::Other,
            operations: 0,
            hits: 0,
            sites: BTreeMap::new(),
            dice: Dice::new(1),
            nodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
            folders: BTreeMap::new(),
        };
        let mut todo = vec![root.to_owned()];
        while let Some(folder) = todo.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    let id = state.add(std::fs::read(&path).unwrap());
                    state.names.insert(path.clone(), id);
                    state.durable_names.insert(path, id);
                }
            }
        }
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// From now on operations count, and fail as said.
    pub(super) fn arm(&self, faults: Faults, kind: ErrorKind, seed: u64) {
        let mut state = self.lock();
        state.armed = true;
        state.faults = faults;
        state.kind = kind;
        state.dice = Dice::new(seed);
    }

    /// From now on every operation at a site fails.
    pub(super) fn arm_site(&self, site: &'static str) {
        let mut state = self.lock();
        state.armed = true;
        state.site = Some(site);
    }

    /// Does something in the middle of the next operation at a site.
    pub(super) fn at(&self, site: &'static str, hook: impl FnOnce() + Send + 'static) {
        self.lock().hook = Some((site, Box::new(hook)));
    }

    /// No more failures.
    pub(super) fn disarm(&self) {
        let mut state = self.lock();
        state.armed = false;
        state.faults = Faults::None;
        state.site = None;
    }

    /// Operations since the disk was armed, and how many failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        let state = self.lock();
        (state.operations, state.hits)
    }

    /// Where operations failed.
    pub(super) fn failed_sites(&self) -> BTreeMap<&'static str, u64> {
        self.lock().sites.clone()
    }

    /// Builds in `to` what a power failure may leave of `from` now.
    pub(super) fn crash(&self, seed: u64, from: &Path, to: &Path) {
        let state = self.lock();
        let mut dice = Dice::new(seed);
        // Two extremes are always among the images: nothing that was not synced, and all of it.
        let keep = match seed % 4 {
            0 => 0,
            1 => 100,
            2 => 50,
            _ => 85,
        };
        let mut kept = move |dice: &mut Dice| dice.below(100) < keep;
        let mut names = state.durable_names.clone();
        for change in &state.name_changes {
            if kept(&mut dice) {
                match change.clone() {
                    NameChange::Set(path, id) => drop(names.insert(path, id)),
                    NameChange::Remove(path) => drop(names.remove(&path)),
                    NameChange::Rename(old, new, id) => {
                        names.remove(&old);
                        names.insert(new, id);
                    }
                }
            }
        }
        let lost: Vec<PathBuf> = state
            .folders
            .iter()
            .filter(|(_, durable)| !**durable && !kept(&mut dice))
            .map(|(path, _)| path.clone())
            .collect();
        std::fs::create_dir_all(to).unwrap();
        for (path, id) in names {
            if lost.iter().any(|l| path.starts_with(l)) {
                continue;
            }
            let node = &state.nodes[id];
            let content = node.after_crash(&mut dice, &mut kept);
            let target = to.join(path.strip_prefix(from).unwrap());
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::write(&target, content).unwrap();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; the error that it fails with, if it does.
    fn operation(&self, site: &'static str) -> (MutexGuard<'_, State>, Option<io::Error>) {
        let mut state = self.lock();
        if let Some((_, hook)) = state.hook.take_if(|(at, _)| *at == site) {
            drop(state);
            hook();
            state = self.lock();
        }
        if !state.armed {
            return (state, None);
        }
        let n = state.operations;
        state.operations += 1;
        let fails = match state.faults {
            Faults::None => state.site == Some(site),
            Faults::Once(k) => n == k,
            Faults::From(k) => n >= k,
        };
        if !fails {
            return (state, None);
        }
        state.hits += 1;
        *state.sites.entry(site).or_default() += 1;
        let error = io::Error::new(state.kind, format!("operation {n}, {site}, was made to fail"));
        (state, Some(error))
    }
}

impl State {
    fn add(&mut self, durable: Vec<u8>) -> usize {
        let lengths = vec![durable.len() as u64];
        self.nodes.push(Node { durable, lengths, ..Node::default() });
        self.nodes.len() - 1
    }
}

impl Node {
    fn write(&mut self, n: u64, content: Vec<u8>) {
        let before = self.limbo.remove(&n).unwrap_or_default();
        let all = self.dirty.entry(n).or_default();
        all.extend(before);
        all.push(content);
    }

    fn synced(&mut self, now: &[u8]) {
        // The length is part of what is synced; a sector in limbo keeps what is on disk.
        self.durable.resize(now.len(), 0);
        for (n, _) in std::mem::take(&mut self.dirty) {
            let from = n as usize * SECTOR;
            let to = (from + SECTOR).min(now.len());
            if from < to {
                self.durable[from..to].copy_from_slice(&now[from..to]);
            }
        }
        self.lengths = vec![now.len() as u64];
    }

    fn sync_failed(&mut self) {
        for (n, contents) in std::mem::take(&mut self.dirty) {
            self.limbo.entry(n).or_default().extend(contents);
        }
    }

    fn after_crash(&self, dice: &mut Dice, kept: &mut impl FnMut(&mut Dice) -> bool) -> Vec<u8> {
        let mut out = self.durable.clone();
        let len = match (kept(dice), dice.below(2)) {
            (true, 0) => self.lengths[dice.below(self.lengths.len())],
            (true, _) => *self.lengths.last().unwrap(),
            (false, _) => self.durable.len() as u64,
        };
        out.resize(len as usize, 0);
        for (n, contents) in self.dirty.iter().chain(&self.limbo) {
            if !kept(dice) {
                continue;
            }
            // Mostly the newest, for a file is more interesting when it is nearly right.
            let new = if dice.below(4) > 0 {
                contents.last().unwrap()
            } else {
                &contents[dice.below(contents.len())]
            };
            let torn = if dice.below(8) == 0 { dice.below(SECTOR) } else { SECTOR };
            let from = (*n as usize * SECTOR).min(out.len());
            let to = (from + torn).min(out.len());
            out[from..to].copy_from_slice(&new[..to - from]);
        }
        out
    }
}

impl SimFile {
    fn content(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.file.metadata()?.len() as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    fn write(&self, state: &mut State, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(bytes, offset)?;
        let first = offset / SECTOR as u64;
        let last = (offset + bytes.len() as u64 - 1) / SECTOR as u64;
        let mut now = vec![0; ((last - first + 1) as usize) * SECTOR];
        let mut done = 0;
        loop {
            match self.file.read_at(&mut now[done..], first * SECTOR as u64 + done as u64)? {
                0 => break,
                n => done += n,
            }
        }
        let node = &mut state.nodes[self.node];
        for (n, content) in (first..).zip(now.chunks(SECTOR)) {
            node.write(n, content.to_vec());
        }
        node.lengths.push(self.file.metadata()?.len());
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, site: &'static str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(e) = self.disk.operation(site).1 {
            return Err(e);
        }
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64)? {
                0 => break,
                n => done += n,
            }
        }
        Ok(done)
    }

    fn write_at(&self, site: &'static str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut state, error) = self.disk.operation(site);
        let Some(error) = error else { return self.write(&mut state, offset, bytes) };
        // Some of it may have been written: nothing, a part, all.
        let n = match state.dice.below(3) {
            0 => 0,
            1 => state.dice.below(bytes.len()),
            _ => bytes.len(),
        };
        self.write(&mut state, offset, &bytes[..n])?;
        Err(error)
    }

    fn sync(&self, site: &'static str) -> io::Result<()> {
        let (mut state, error) = self.disk.operation(site);
        let now = self.content()?;
        let node = &mut state.nodes[self.node];
        match error {
            None => {
                node.synced(&now);
                Ok(())
            }
            Some(e) => {
                node.sync_failed();
                Err(e)
            }
        }
    }

    fn set_len(&self, site: &'static str, len: u64) -> io::Result<()> {
        let (mut state, error) = self.disk.operation(site);
        if error.is_none() || state.dice.below(2) == 0 {
            self.file.set_len(len)?;
            let node = &mut state.nodes[self.node];
            node.lengths.push(len);
        }
        error.map_or(Ok(()), Err)
    }

    fn len(&self, site: &'static str) -> io::Result<u64> {
        match self.disk.operation(site).1 {
            Some(e) => Err(e),
            None => Ok(self.file.metadata()?.len()),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, site: &'static str, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let (mut state, error) = self.operation(site);
        if let Some(e) = error {
            return Err(e);
        }
        let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        let known = state.names.get(path).copied();
        let node = match known {
            Some(id) => id,
            None => {
                let id = state.add(Vec::new());
                state.names.insert(path.to_owned(), id);
                state.name_changes.push(NameChange::Set(path.to_owned(), id));
                id
            }
        };
        Ok(Arc::new(SimFile { disk: self.clone(), file, node }))
    }

    fn rename(&self, site: &'static str, from: &Path, to: &Path) -> io::Result<()> {
        let (mut state, error) = self.operation(site);
        if error.is_none() || state.dice.below(2) == 0 {
            std::fs::rename(from, to)?;
            if let Some(id) = state.names.remove(from) {
                state.names.insert(to.to_owned(), id);
                state.name_changes.push(NameChange::Rename(from.to_owned(), to.to_owned(), id));
            }
        }
        error.map_or(Ok(()), Err)
    }

    fn remove(&self, site: &'static str, path: &Path) -> io::Result<()> {
        let (mut state, error) = self.operation(site);
        if error.is_none() || state.dice.below(2) == 0 {
            RealDisk.remove(site, path)?;
            if state.names.remove(path).is_some() {
                state.name_changes.push(NameChange::Remove(path.to_owned()));
            }
        }
        error.map_or(Ok(()), Err)
    }

    fn sync_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
        let (mut state, error) = self.operation(site);
        if let Some(e) = error {
            return Err(e);
        }
        let inside = |p: &Path| p.parent() == Some(path);
        state.name_changes.retain(|c| match c {
            NameChange::Set(p, _) | NameChange::Rename(_, p, _) | NameChange::Remove(p) => !inside(p),
        });
        state.durable_names.retain(|p, _| !inside(p));
        let now: Vec<(PathBuf, usize)> =
            state.names.iter().filter(|(p, _)| inside(p)).map(|(p, id)| (p.clone(), *id)).collect();
        state.durable_names.extend(now);
        state.folders.iter_mut().filter(|(p, _)| inside(p)).for_each(|(_, durable)| *durable = true);
        Ok(())
    }

    fn list(&self, site: &'static str, path: &Path) -> io::Result<Vec<PathBuf>> {
        match self.operation(site).1 {
            Some(e) => Err(e),
            None => RealDisk.list(site, path),
        }
    }

    fn make_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
        let (mut state, error) = self.operation(site);
        if let Some(e) = error {
            return Err(e);
        }
        if !path.exists() {
            state.folders.insert(path.to_owned(), false);
        }
        RealDisk.make_dir(site, path)
    }
}
