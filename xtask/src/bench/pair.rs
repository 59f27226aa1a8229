//! Two servers of one side, one of which follows the other.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bench_driver::groups::{Instance, Link, Mode, until};
use bench_driver::relay::Relay;
use bench_driver::{Session, Target};

use super::Result;
use super::server::{DATABASE, PASSWORD, Running, Server, Side, free_port};

/// What a pair is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// Whether a commit waits until the secondary has hardened it.
    pub(crate) mode: Mode,
    /// Whether what the servers say to each other passes through relays that count it.
    pub(crate) counted: bool,
}

/// The folders of both servers, and what lies between them.
#[derive(Debug)]
pub(crate) struct Pair {
    side: Side,
    mode: Mode,
    /// The first one is the primary at first.
    servers: [Server; 2],
    /// Where each can be reached by the other: an instance's endpoint, PostgreSQL's only port.
    ports: [u16; 2],
    /// In front of those.
    relays: Option<[Relay; 2]>,
}

/// What each side calls a secondary that follows, and what is asked for it.
const FOLLOWERS: &str =
    "SELECT COALESCE(MAX(sync_state), 'none') FROM pg_stat_replication WHERE state = 'streaming'";

impl Pair {
    /// Two servers, with the empty database `bench` on the first. They are not connected yet.
    pub(crate) fn create(side: Side, program: &Path, dir: &Path, setup: Setup) -> Result<Pair> {
        let servers = [Server::create(side, program, dir)?, Server::empty(side, program, dir)?];
        let ports = match side {
            Side::Milink => [free_port()?, free_port()?],
            Side::Postgres => [servers[0].port(), servers[1].port()],
        };
        let relay = |port: u16| Relay::start(SocketAddr::from(([127, 0, 0, 1], port)));
        let relays = if setup.counted { Some([relay(ports[0])?, relay(ports[1])?]) } else { None };
        Ok(Pair { side, mode: setup.mode, servers, ports, relays })
    }

    /// The same, with the second one following the first, and both stopped.
    pub(crate) fn create_linked(side: Side, program: &Path, dir: &Path, setup: Setup) -> Result<Pair> {
        let pair = Pair::create(side, program, dir, setup)?;
        let primary = pair.start_server(0)?;
        if side == Side::Milink {
            let running = RunningPair {
                pair: &pair,
                primary: 0,
                servers: [Some(primary), Some(pair.start_server(1)?)],
            };
            let link = running.link()?;
            link.prepare()?;
            link.back_up(pair.servers[0].folder())?;
            link.create()?;
            link.join()?;
            running.wait_steady()?;
            running.stop()?;
        } else {
            pair.servers[1].copy_of(pair.ports[0])?;
            pair.servers[1].make_standby()?;
            primary.stop()?;
        }
        Ok(pair)
    }

    /// Starts both, and waits until the second follows the first.
    pub(crate) fn start(&self) -> Result<RunningPair<'_>> {
        let servers = [Some(self.start_server(0)?), Some(self.start_server(1)?)];
        let running = RunningPair { pair: self, primary: 0, servers };
        running.wait_steady()?;
        Ok(running)
    }

    /// Starts one of them alone.
    pub(crate) fn start_server(&self, number: usize) -> Result<Running> {
        let arguments = match self.side {
            Side::Milink => {
                vec!["--name".to_owned(), name(number).to_owned(), "--hadr".to_owned(), "on".to_owned()]
            }
            Side::Postgres => {
                // Each is ignored by whoever is in the other role.
                let other = self.told_ports()[1 - number];
                let user = bench_driver::postgres::USER;
                let names = if self.mode == Mode::Synchronous { "*" } else { "" };
                vec![
                    "-c".to_owned(),
                    format!("primary_conninfo=host=127.0.0.1 port={other} user={user}"),
                    "-c".to_owned(),
                    format!("synchronous_standby_names={names}"),
                    // With the default of 5 s, one promotion in ten comes just before a standby that has lost its
                    // primary goes to sleep, and waits that long.
                    "-c".to_owned(),
                    "wal_retrieve_retry_interval=100ms".to_owned(),
                ]
            }
        };
        self.servers[number].start_with(&arguments)
    }

    /// Its folders.
    pub(crate) fn server(&self, number: usize) -> &Server {
        &self.servers[number]
    }

    fn told_ports(&self) -> [u16; 2] {
        self.relays.as_ref().map_or(self.ports, |relays| [0, 1].map(|n: usize| relays[n].address().port()))
    }
}

fn name(number: usize) -> &'static str {
    ["BENCH-A", "BENCH-B"][number]
}

/// A pair that runs. Which one is primary may change.
#[derive(Debug)]
pub(crate) struct RunningPair<'p> {
    pair: &'p Pair,
    primary: usize,
    /// One that is not there is about to be started again.
    servers: [Option<Running>; 2],
}

impl<'p> RunningPair<'p> {
    /// Both servers, however they were started.
    pub(crate) fn of(pair: &'p Pair, servers: [Running; 2]) -> RunningPair<'p> {
        RunningPair { pair, primary: 0, servers: servers.map(Some) }
    }

    /// Those that run.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Running> {
        self.servers.iter().flatten()
    }

    /// The database where it is written to.
    pub(crate) fn primary(&self) -> Result<Target> {
        self.target(self.primary)
    }

    /// The database where it is read.
    pub(crate) fn secondary(&self) -> Result<Target> {
        self.target(1 - self.primary)
    }

    /// The database on one of them.
    pub(crate) fn target(&self, number: usize) -> Result<Target> {
        Ok(self.running(number)?.target_of(DATABASE))
    }

    fn running(&self, number: usize) -> Result<&Running> {
        self.servers[number].as_ref().ok_or_else(|| format!("{} does not run", name(number)))
    }

    /// The instances as the statements of availability groups name them.
    pub(crate) fn link(&self) -> Result<Link> {
        let told = self.pair.told_ports();
        let instance = |number: usize| -> Result<Instance> {
            Ok(Instance {
                name: name(number).to_owned(),
                address: self.running(number)?.address(),
                password: PASSWORD.to_owned(),
                endpoint_port: self.pair.ports[number],
                told_port: told[number],
            })
        };
        Ok(Link { a: instance(0)?, b: instance(1)?, database: DATABASE.to_owned(), mode: self.pair.mode })
    }

    /// Waits until the secondary follows, in the mode that was asked for.
    pub(crate) fn wait_steady(&self) -> Result<()> {
        if self.pair.side == Side::Milink {
            let link = self.link()?;
            return link.wait_steady(if self.primary == 0 { &link.a } else { &link.b });
        }
        let wanted = if self.pair.mode == Mode::Synchronous { "sync" } else { "async" };
        let mut session = self.primary()?.open()?;
        until(|| match session.value(FOLLOWERS)? {
            state if state == wanted => Ok(None),
            state => Ok(Some(format!("the primary sees its standby {state}"))),
        })
    }

    /// Waits until a query gives the same on both.
    pub(crate) fn wait_equal(&self, query: &str) -> Result<String> {
        let here = self.primary()?.open()?.value(query)?;
        let mut session = self.secondary()?.open()?;
        until(|| match session.value(query) {
            Ok(there) if there == here => Ok(None),
            Ok(there) => Ok(Some(format!("{query}: {here} on the primary, {there} on the secondary"))),
            // A table that was made just now is not there yet.
            Err(why) => Ok(Some(format!("the secondary: {why}"))),
        })?;
        Ok(here)
    }

    /// Bytes so far to the secondary, and to the primary.
    pub(crate) fn shipped(&self) -> Result<(u64, u64)> {
        let relays = self.pair.relays.as_ref().ok_or("the pair has no relays")?;
        let (to_primary, from_primary) = relays[self.primary].bytes();
        let (to_secondary, from_secondary) = relays[1 - self.primary].bytes();
        Ok((from_primary + to_secondary, to_primary + from_secondary))
    }

    /// Hands the primary role over; the writer sees when that is done. Of PostgreSQL's, the old primary is gone then.
    pub(crate) fn hand_over(&mut self) -> Result<()> {
        if self.pair.side == Side::Milink {
            let link = self.link()?;
            link.fail_over(if self.primary == 0 { &link.a } else { &link.b })?;
        } else {
            // A fast shutdown ends when the standby has everything.
            let mut standby: Session = self.secondary()?.open()?;
            self.servers[self.primary].take().ok_or("the primary does not run")?.stop()?;
            // Nobody waits for its end: the function looks only ten times a second.
            standby.run("SELECT pg_promote(false)")?;
        }
        self.primary = 1 - self.primary;
        Ok(())
    }

    /// Waits until the old primary follows the new one; of PostgreSQL's, it is started again as a standby first.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let old = 1 - self.primary;
        if self.servers[old].is_none() {
            self.pair.servers[old].make_standby()?;
            self.servers[old] = Some(self.pair.start_server(old)?);
        }
        self.wait_steady()
    }

    /// Stops both in order, the primary first: the secondary has everything then.
    pub(crate) fn stop(mut self) -> Result<()> {
        for number in [self.primary, 1 - self.primary] {
            if let Some(server) = self.servers[number].take() {
                server.stop()?;
            }
        }
        Ok(())
    }
}

/// How long what was sent may be under way.
pub(crate) const DRAIN: Duration = Duration::from_millis(300);
