//! SIGKILL of either side, or both, at random under load, with and without a forced failover: what was acknowledged is there,
//! and copies at the same position are the same.

use std::time::{Duration, Instant};

use super::contents::assert_same;
use super::forks::{force, give_way};
use super::ledger::Ledger;
use super::pair::{DAG, DB, Pair, Setup, lsn, role, state};
use super::server::Server;
use super::{SOON, eventually, until};

/// A generator whose course is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Waits until the secondary follows; not by asking both sides for everything, since this is done many times.
fn follows(primary: &Server, secondary: &Server) {
    eventually("it is followed again", SOON, || {
        let found = state(primary, DAG, false);
        if found == "SYNCHRONIZED" {
            Ok(())
        } else {
            Err(format!("{found}, {} is {}", secondary.name, role(secondary)))
        }
    });
}

/// Which of the two are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Primary,
    Secondary,
    Both,
}

#[test]
fn either_side_at_random_under_load() {
    let rounds: usize = std::env::var("MILINK_CRASH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let mut pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    // Every acknowledged commit is on both sides, also while one is away.
    for server in [&pair.a, &pair.b] {
        server.run(&format!(
            "ALTER AVAILABILITY GROUP [{DAG}] SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1)"
        ));
    }
    let ledger = Ledger::new(4);
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let (mut primary, mut secondary) = (&mut pair.a, &mut pair.b);
    let (mut forced, mut longest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let began = Instant::now();
        let load = ledger.write_to(primary);
        std::thread::sleep(Duration::from_millis(20 + dice.below(130)));
        let victim = [Victim::Primary, Victim::Secondary, Victim::Both][dice.below(3) as usize];
        if victim != Victim::Secondary {
            primary.kill();
        }
        if victim != Victim::Primary {
            secondary.kill();
        }
        // Those that wait for an answer that cannot come are set free by what comes back.
        let stopping = std::thread::spawn(move || load.stop());
        if victim != Victim::Primary {
            secondary.restart();
        }
        if victim != Victim::Secondary && dice.below(2) == 0 {
            force(secondary);
            forced += 1;
            std::mem::swap(&mut primary, &mut secondary);
            // The old primary comes back, believes to be one still, and is told otherwise.
            secondary.restart();
            give_way(secondary);
        } else if victim != Victim::Secondary {
            primary.restart();
        }
        follows(primary, secondary);
        stopping.join().unwrap();
        ledger.check(primary);
        if round % 10 == 9 || round + 1 == rounds {
            until("both are at the same position", &true, || {
                let [here, there] = [&*primary, &*secondary].map(|s| lsn(s, DAG, "last_hardened_lsn"));
                let redone = lsn(secondary, DAG, "last_commit_lsn") == lsn(primary, DAG, "last_commit_lsn");
                here == there && redone
            });
            assert_same(primary, secondary, DB);
            ledger.check(secondary);
        }
        longest = longest.max(began.elapsed());
    }
    let total = ledger.total();
    assert!(total > rounds as i64, "hardly anything was written: {total}");
    eprintln!(
        "{total} commits acknowledged in {rounds} rounds, {forced} of them with a forced failover; the longest took {longest:?}"
    );
}
