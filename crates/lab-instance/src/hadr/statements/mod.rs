//! The statements of availability groups: what they need to know, and what has to happen when they have changed the groups.

mod facts;
mod given;

use std::time::Duration;

use lab_engine::{AlwaysOn, AlwaysOnCaller, AlwaysOnStatement, SqlError};
use lab_hadr::{
    Action, Alteration, Change, Command, DbName, Event, GroupId, Groups, Kind, Origin, Refusal, Role,
};

use super::{Face, Hadr};
use crate::answer::lock;

/// A planned failover ends by itself before that.
const FAILOVER_TIME: Duration = Duration::from_secs(90);
/// How long a role change may take that needs nobody else.
const ROLE_TIME: Duration = Duration::from_mins(1);

fn refused(refusal: &Refusal) -> SqlError {
    SqlError::new(refusal.number(), refusal.severity(), refusal.state(), refusal.text().to_owned())
}

impl AlwaysOn for Face {
    fn execute(
        &self,
        statement: &AlwaysOnStatement<'_>,
        _caller: &AlwaysOnCaller,
    ) -> Result<Vec<String>, SqlError> {
        let hadr = self.0.upgrade().ok_or_else(|| refused(&Refusal::feature_disabled()))?;
        hadr.carry_out(&given::command(statement), Origin::TSql)
    }
}

impl Hadr {
    /// Carries a statement out, or what the service that owns a managed instance does in its place; messages for whoever
    /// wanted it.
    ///
    /// # Errors
    /// What SQL Server answers.
    pub(crate) fn carry_out(&self, command: &Command, origin: Origin) -> Result<Vec<String>, SqlError> {
        if let Command::Alter { group, alteration: Alteration::Join(_) } = command {
            self.await_offer(group);
        }
        let change = {
            let _changing = lock(&self.changing);
            let before = self.groups();
            let change = before.apply(command, &self.facts(origin)).map_err(|e| refused(&e))?;
            for action in &change.actions {
                if let Action::JoinDatabase { database, .. } = action {
                    self.server.join_restored(database.as_str())?;
                }
            }
            self.keep_groups(change.groups.clone())?;
            self.after(&before, &change.groups);
            change
        };
        let Change { actions, notices, .. } = change;
        for action in actions {
            self.act(action)?;
        }
        // What leaves a distributed group may be written to from now on, or not any more: the next statement relies on it.
        self.wait_for(ROLE_TIME, Hadr::is_settled);
        Ok(notices.iter().map(|n| n.text().to_owned()).collect())
    }

    /// Databases have come into groups, or gone out of them.
    pub(super) fn after(&self, before: &Groups, now: &Groups) {
        let (before, now) = (joined(before), joined(now));
        for db in now.iter().filter(|db| !before.contains(db)) {
            self.take_up(db);
        }
        for db in before.iter().filter(|db| !now.contains(db)) {
            self.leave(db);
        }
        if before != now {
            // What was taken up is settled now.
            self.tell(Event::Configured(self.config()));
        }
    }

    /// A database is in no group any more. One that was written to goes on alone; a secondary copy is left RESTORING.
    fn leave(&self, db: &DbName) {
        let was_secondary = self.copy(db).is_some_and(|c| c.store.mode() == lab_store::Mode::Secondary);
        self.let_go(db);
        let left = if was_secondary {
            self.server.leave_restoring(db.as_str())
        } else {
            self.server.set_replica_role(db.as_str(), lab_engine::ReplicaRole::Standalone, None)
        };
        if let Err(e) = left {
            self.log(&format!("The database '{db}' could not leave its group in order: {}", e.message));
        }
        // Before it looks as if the group had no copy here: nobody is to make a new one.
        self.tell_outsiders();
        self.tell(Event::Copy { db: db.clone(), copy: None });
    }

    fn act(&self, action: Action) -> Result<(), SqlError> {
        match action {
            Action::PlannedFailover { group } => self.fail_over(group),
            Action::BecomeSecondary { group } => self.wait_for_role(group, Role::Secondary),
            Action::ForceFailover { group } => self.wait_for_role(group, Role::Primary),
            Action::RetrySeeding { group, replica } => {
                self.tell(Event::RetrySeeding { group, replica });
                Ok(())
            }
            // The groups say it already, and the machine has read them.
            Action::Suspend { .. }
            | Action::Resume { .. }
            | Action::LeaveGroup { .. }
            | Action::JoinDatabase { .. }
            | Action::CancelSeeding { .. } => Ok(()),
        }
    }

    fn fail_over(&self, group: GroupId) -> Result<(), SqlError> {
        lock(&self.failovers).remove(&group);
        self.tell(Event::Failover { group });
        self.wait_for(FAILOVER_TIME, |hadr| lock(&hadr.failovers).contains_key(&group));
        match lock(&self.failovers).remove(&group) {
            Some(Ok(())) => Ok(()),
            Some(Err((number, text))) => {
                Err(SqlError::new(number as i32, 16, 1, format!("The failover has not taken place: {text}.")))
            }
            None => Err(SqlError::new(
                41969,
                16,
                1,
                "It is not known whether the other replica has taken the primary role: look at the roles of both.".to_owned(),
            )),
        }
    }

    /// Whether every database is written to, or not, as the groups want it.
    fn is_settled(&self) -> bool {
        self.config().databases.iter().all(|(db, spec)| {
            let writable = self.copy(db).map(|c| c.store.mode() == lab_store::Mode::Primary);
            writable.is_none_or(|writable| writable == spec.writable)
        })
    }

    /// Waits until the databases of a group have been brought to the role that it is to have.
    fn wait_for_role(&self, group: GroupId, role: Role) -> Result<(), SqlError> {
        let there = |hadr: &Hadr| {
            let view = hadr.runner.view();
            view.partners.iter().filter(|p| p.key.group == group).all(|p| p.role == role || p.wanted != role)
        };
        if self.wait_for(ROLE_TIME, there) {
            return Ok(());
        }
        let text = format!("The databases of the group have not come to the role {} in time.", role.name());
        Err(SqlError::new(41969, 16, 1, text))
    }
}

/// The databases that are in groups.
fn joined(groups: &Groups) -> Vec<DbName> {
    let of = |kind: &Kind| match kind {
        Kind::Local(local) => {
            local.databases.iter().filter(|d| d.joined).map(|d| DbName::new(&d.name)).collect()
        }
        Kind::Distributed(_) => Vec::new(),
    };
    groups.groups.iter().flat_map(|g| of(&g.kind)).collect()
}
