//! The tool killed at each step: when its intent is written and nothing is sent, when the answer is on its way, and when it is journaled.
//!
//! The tool is the real one, and knows nothing of this. It reaches both sides and Azure through relays of this test, which look into its
//! journal before they pass anything on: what comes after an intent is the action, and what comes back after it is the answer.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde_json::Value;

use super::tool_link::Tool;
use super::{Lab, kill, text};

/// How long a verb may take.
const LONG: Duration = Duration::from_mins(2);

/// Where it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// The intent is in the journal, and nothing of the action has left.
    Before,
    /// The action was answered, and the answer has not arrived.
    AnswerLost,
    /// The outcome is in the journal.
    After,
}

/// An entry's place in the journal.
type Place = (i64, i64);

/// A run, a step of it, and where it was killed there.
type Blow = (i64, String, Point);

/// Who kills.
struct Killer {
    journal: PathBuf,
    points: Vec<Point>,
    /// The process that lives, and the journal's last entry from before it.
    victim: Mutex<Option<(u32, Place)>>,
    blows: Mutex<BTreeSet<Blow>>,
}

impl Killer {
    /// The journal's last entry.
    fn last(&self) -> Option<(Place, Value)> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let journal = Connection::open_with_flags(&self.journal, flags).ok()?;
        journal.busy_timeout(Duration::from_secs(5)).ok()?;
        let query = "SELECT run, number, body FROM entries ORDER BY run DESC, number DESC LIMIT 1";
        let row = journal.query_row(query, [], |r| Ok(((r.get(0)?, r.get(1)?), r.get::<_, String>(2)?)));
        let (place, body) = row.optional().ok()??;
        Some((place, serde_json::from_str(&body).unwrap()))
    }

    /// The step of the last entry, if it is of that kind and was written by the process that lives.
    fn stands_at(&self, kind: &str) -> Option<(Place, String)> {
        let (_, since) = (*self.victim.lock().unwrap())?;
        let (place, record) = self.last()?;
        let is = place > since && record["entry"]["entry"] == kind;
        is.then(|| (place, record["entry"]["step"].as_str().unwrap().to_owned()))
    }

    /// Kills the process at a step, unless it was killed there already; whether it is dead.
    fn strikes(&self, at: &(Place, String), point: Point) -> bool {
        let ((run, _), step) = at;
        if !self.points.contains(&point) || !self.blows.lock().unwrap().insert((*run, step.clone(), point)) {
            return false;
        }
        if let Some((pid, _)) = self.victim.lock().unwrap().take() {
            kill(pid.into());
        }
        true
    }

    fn lives(&self) -> bool {
        self.victim.lock().unwrap().is_some()
    }
}

/// What was asked on a connection since the last intent.
#[derive(Default)]
struct Asked {
    intent: Place,
    requests: u32,
    /// Whether the last that was said was an answer.
    answered: bool,
}

/// Passes on what is said between the tool and a server, or not. The action is the request with that number after an intent: the tool asks
/// a connection to SQL Server first whether it is still alive.
fn relay(to: &str, action: u32, killer: &Arc<Killer>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (to, killer) = (to.to_owned(), killer.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&to) else { continue };
            let asked = Arc::new(Mutex::new(Asked::default()));
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let (ours, theirs) = ((killer.clone(), asked.clone()), (killer.clone(), asked));
            std::thread::spawn(move || pass(client, server, || ours.0.stops_request(&ours.1)));
            std::thread::spawn(move || pass(back.0, back.1, || theirs.0.stops_answer(&theirs.1, action)));
        }
    });
    port
}

impl Killer {
    fn stops_request(&self, asked: &Mutex<Asked>) -> bool {
        let at = self.stands_at("intent");
        let mut asked = asked.lock().unwrap();
        if let Some((place, _)) = &at
            && asked.intent != *place
        {
            *asked = Asked { intent: *place, requests: 0, answered: true };
        }
        asked.requests += u32::from(asked.answered);
        asked.answered = false;
        at.is_some_and(|at| self.strikes(&at, Point::Before))
    }

    fn stops_answer(&self, asked: &Mutex<Asked>, action: u32) -> bool {
        let at = self.stands_at("intent");
        let mut asked = asked.lock().unwrap();
        asked.answered = true;
        at.is_some_and(|at| {
            at.0 == asked.intent && asked.requests >= action && self.strikes(&at, Point::AnswerLost)
        })
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, stops: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(n) if n > 0 && !stops() && to.write_all(&buffer[..n]).is_ok() => {}
            _ => break,
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

/// A tool that is killed.
struct Mortal<'a> {
    tool: Tool<'a>,
    killer: Arc<Killer>,
}

impl Mortal<'_> {
    fn of<'a>(lab: &'a Lab, points: &[Point]) -> Mortal<'a> {
        let mut tool = Tool::of(lab);
        let said = |tool: &Tool<'_>, name: &str| {
            tool.environment.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap()
        };
        let killer = Arc::new(Killer {
            journal: PathBuf::from(said(&tool, "MILINK_JOURNAL")),
            points: points.to_vec(),
            victim: Mutex::new(None),
            blows: Mutex::default(),
        });
        for name in ["SQLCMDSERVER", "MILINK_MANAGED_SERVER"] {
            let server = said(&tool, name).replace(',', ":");
            let port = relay(&server, 2, &killer);
            tool.environment.push((name.to_owned(), format!("127.0.0.1,{port}")));
        }
        let azure = said(&tool, "MILINK_ARM_ENDPOINT");
        let port = relay(azure.trim_start_matches("https://"), 1, &killer);
        for name in ["MILINK_ARM_ENDPOINT", "MILINK_AUTHORITY", "AZURE_AUTHORITY_HOST"] {
            tool.environment.push((name.to_owned(), format!("https://localhost:{port}")));
        }
        Mortal { tool, killer }
    }

    /// Runs a verb, and resumes it each time that it is killed, until it is through.
    fn reaches(&self, link: &str, verb: &[&str]) {
        let mut arguments = verb;
        let resume = ["resume", link, "--yes"];
        let began = Instant::now();
        while self.is_killed_in(arguments) {
            assert!(began.elapsed() < LONG, "{verb:?} has no end: {:?}", self.killer.blows.lock().unwrap());
            arguments = &resume;
        }
    }

    /// Runs a verb; whether it was killed. If not, it must have ended well.
    fn is_killed_in(&self, arguments: &[&str]) -> bool {
        let since = self.killer.last().map_or((0, 0), |(place, _)| place);
        let mut command = self.tool.command(arguments);
        // The verb cannot have sent anything before its process is known.
        let mut victim = self.killer.victim.lock().unwrap();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        *victim = Some((child.id(), since));
        drop(victim);
        let watcher = {
            let killer = self.killer.clone();
            std::thread::spawn(move || {
                while killer.lives() {
                    if let Some(at) = killer.stands_at("outcome") {
                        killer.strikes(&at, Point::After);
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            })
        };
        let out = child.wait_with_output().unwrap();
        let killed = self.killer.victim.lock().unwrap().take().is_none();
        watcher.join().unwrap();
        assert!(
            killed || out.status.success(),
            "{arguments:?}: {}\n{}\n{:?}",
            text(&out.stderr),
            self.tool.lab.logs(),
            self.killer.blows.lock().unwrap()
        );
        killed
    }

    fn is_healthy_with(&self, primary: &str) {
        assert_eq!(self.tool.state(), ("healthy".to_owned(), primary.to_owned()));
    }

    /// Makes a link, fails over and back.
    fn makes_and_fails_over(&self) {
        let create =
            ["create", "--name", "sales", "--database", "Chinook", "--failover-mode", "two-way", "--yes"];
        self.reaches("sales", &create);
        self.is_healthy_with("sql-server");
        for to in ["managed", "sql-server"] {
            self.reaches("sales", &["failover", "sales", "--to", to, "--yes"]);
            self.is_healthy_with(to);
        }
    }

    /// Ends a state with two primaries, and drops the link.
    fn repairs_and_drops(&self) {
        let tool = &self.tool;
        let forced = ["failover", "sales", "--to", "managed", "--forced", "--allow-data-loss", "--yes"];
        tool.good(&[&forced[..], &["--confirm", "sales"]].concat());
        tool.lab.sql("managed", "Chinook", "INSERT Genre(GenreId, Name) VALUES(901, N'kept')");
        self.reaches("sales", &["repair", "sales", "--winner", "managed", "--yes"]);
        self.is_healthy_with("managed");
        let kept = "SELECT COUNT(*) FROM Genre WHERE GenreId = 901";
        tool.lab.wait("sqlserver", "Chinook", kept, "1");
        self.reaches("sales", &["drop", "sales", "--yes"]);
        for side in ["sqlserver", "managed"] {
            let groups = tool.lab.sql(side, "master", "SELECT COUNT(*) FROM sys.availability_groups");
            assert_eq!(groups, ["0"], "{side}");
            assert_eq!(tool.lab.sql(side, "Chinook", kept), ["1"], "{side}");
        }
        assert!(tool.json(&["history", "--verify"])["entries"].as_u64() > Some(50));
    }

    /// Whether each step was killed before its action and with its answer lost, and how often actions were given.
    fn was_killed_at(&self, verbs: &[&str]) {
        let blows = self.killer.blows.lock().unwrap();
        let given = given(&self.killer.journal);
        for verb in verbs {
            assert!(given.iter().any(|(_, of, ..)| of == verb), "{verb}: {given:#?}");
        }
        for (run, verb, step, times) in given.iter().filter(|(_, verb, ..)| verbs.contains(&verb.as_str())) {
            for point in [Point::Before, Point::AnswerLost] {
                assert!(blows.contains(&(*run, step.clone(), point)), "{verb} {step}: not killed {point:?}");
            }
            // Once to be killed before it was given, once to have the answer lost; once more only if it may be.
            assert!((2..=3).contains(times), "{verb} {step}: given {times} times");
        }
    }
}

/// Each step whose action was given, by run and name, and how often.
fn given(journal: &Path) -> Vec<(i64, String, String, i64)> {
    let journal = Connection::open(journal).unwrap();
    let query =
        "SELECT run, verb, body ->> '$.entry.step' AS step, COUNT(*) FROM entries JOIN runs ON runs.id = run
                 WHERE body ->> '$.entry.entry' = 'intent' GROUP BY run, step";
    let mut statement = journal.prepare(query).unwrap();
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))).unwrap();
    // A verb is kept as JSON.
    let plain = |(run, verb, step, times): (i64, String, String, i64)| {
        (run, verb.trim_matches('"').to_owned(), step, times)
    };
    rows.map(|row| plain(row.unwrap())).filter(|(_, verb, ..)| verb != "forced-failover").collect()
}

/// How many full backups there were: one that is made twice costs, and would be the first action that is.
fn full_backups(lab: &Lab) -> Vec<String> {
    let query = "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name = N'Chinook' AND type = 'D' AND is_copy_only = 0";
    lab.sql("sqlserver", "master", query)
}

#[test]
fn killed_before_each_action_or_with_its_answer_lost_it_makes_a_link_and_fails_it_over() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let backups = full_backups(&lab);
    let mortal = Mortal::of(&lab, &[Point::Before, Point::AnswerLost]);
    mortal.makes_and_fails_over();
    mortal.was_killed_at(&["create", "planned-failover"]);
    assert_eq!(full_backups(&lab)[0].parse::<u32>().unwrap(), backups[0].parse::<u32>().unwrap() + 1);
}

#[test]
fn killed_before_each_action_or_with_its_answer_lost_it_repairs_and_drops_a_link() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let mortal = Mortal::of(&lab, &[Point::Before, Point::AnswerLost]);
    mortal.tool.create();
    mortal.repairs_and_drops();
    mortal.was_killed_at(&["repair", "drop"]);
}

#[test]
fn killed_after_each_action_it_reaches_its_goal() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let mortal = Mortal::of(&lab, &[Point::After]);
    mortal.makes_and_fails_over();
    mortal.repairs_and_drops();
    let blows = mortal.killer.blows.lock().unwrap();
    let given = given(&mortal.killer.journal);
    // Between an outcome and the entry after it lies a look; whoever polls may still miss one.
    assert!(given.len() > 25 && blows.len() * 5 >= given.len() * 4, "{blows:#?}\n{given:#?}");
    for (_, verb, step, times) in &given {
        assert_eq!(*times, 1, "{verb} {step}: what was answered is given again");
    }
}
