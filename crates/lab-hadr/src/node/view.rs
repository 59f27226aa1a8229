//! What a node knows, for whoever shows it.

use lab_store::Lsn;

use super::connections::Link;
use super::secondary::InState;
use super::{LinkError, LocalCopy, Node, Partner, PartnerKey, SeedIn};
use crate::wire::{PrimaryState, Progress, Status};
use crate::{DbName, Role};

pub use super::seeding::{SeedState, SeedingRecord};

/// `sys.dm_hadr_database_replica_states.synchronization_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncState {
    /// No data moves.
    NotSynchronizing,
    /// Data moves, and commits do not wait.
    Synchronizing,
    /// Every acknowledged commit is hardened on both sides.
    Synchronized,
    /// What only this side had is being undone.
    Reverting,
    /// A copy is being made.
    Initializing,
}

/// A database as one partner's data movement sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseView {
    /// The database.
    pub db: DbName,
    /// This side's copy.
    pub local: Option<LocalCopy>,
    /// How it stands with the peer.
    pub state: SyncState,
    /// SET HADR SUSPEND, here.
    pub suspended: bool,
    /// Why nothing moves: an error's number, and its text.
    pub why: Option<(u32, String)>,
    /// On a primary: what was sent, and what the secondary has said.
    pub sent: Option<(Lsn, Progress)>,
    /// On a secondary: what the primary has said.
    pub primary: Option<PrimaryState>,
}

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerView {
    /// Which.
    pub key: PartnerKey,
    /// This side's role, in effect.
    pub role: Role,
    /// The role that it is to have.
    pub wanted: Role,
    /// Whether there is a connection.
    pub connected: bool,
    /// What the peer has said of itself.
    pub peer: Option<Status>,
    /// Whether the peer has said that it is a managed instance, on this connection or an earlier one.
    pub peer_managed: bool,
    /// Why there was no connection, last.
    pub last_error: Option<LinkError>,
    /// A planned failover is under way.
    pub failing_over: bool,
    /// The databases of both sides.
    pub databases: Vec<DatabaseView>,
}

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The partners.
    pub partners: Vec<PartnerView>,
    /// Seedings, oldest first.
    pub seedings: Vec<SeedingRecord>,
}

impl Node {
    /// What it knows now.
    pub fn view(&self) -> View {
        View {
            partners: self.partners.values().map(|p| self.partner_view(p)).collect(),
            seedings: self.seedings.records.iter().cloned().collect(),
        }
    }

    fn partner_view(&self, partner: &Partner) -> PartnerView {
        let mut names = partner.spec.databases.clone();
        let theirs = partner.peer.iter().flat_map(|p| p.databases.iter().map(|d| d.name.clone()));
        names.extend(theirs);
        names.sort();
        names.dedup();
        PartnerView {
            key: partner.spec.key,
            role: self.role_in_effect(partner),
            wanted: partner.spec.role,
            connected: matches!(partner.link, Link::Up { .. }),
            peer: partner.peer.clone(),
            peer_managed: partner.peer_managed,
            last_error: partner.last_error.clone(),
            failing_over: partner.handover.is_some(),
            databases: names.into_iter().map(|db| self.database_view(partner, db)).collect(),
        }
    }

    fn database_view(&self, partner: &Partner, db: DbName) -> DatabaseView {
        let (out, stream) = (partner.outs.get(&db), partner.ins.get(&db));
        let mut why = None;
        let suspended = self.is_suspended(&db);
        let peer_suspended =
            partner.peer.as_ref().is_some_and(|p| p.databases.iter().any(|d| d.name == db && d.suspended));
        let state = match (out, stream.map(|s| (&s.state, &s.primary))) {
            (Some(_), _) if suspended || peer_suspended => SyncState::NotSynchronizing,
            (Some(out), _) if out.is_synchronized() => SyncState::Synchronized,
            (Some(_), _) => SyncState::Synchronizing,
            (None, Some((InState::Following { .. }, primary))) => {
                if primary.suspended {
                    SyncState::NotSynchronizing
                } else if primary.synchronized {
                    SyncState::Synchronized
                } else {
                    SyncState::Synchronizing
                }
            }
            (None, Some((InState::ReadingFork { .. } | InState::SeedWanted { since: Some(_), .. }, _))) => {
                SyncState::Reverting
            }
            (None, Some((InState::Seeding(SeedIn { rewind: true, .. }), _))) => SyncState::Reverting,
            (None, Some((InState::SeedWanted { since: None, .. } | InState::Seeding(_), _))) => {
                SyncState::Initializing
            }
            (None, Some((InState::Failed { number, why: text, .. }, _))) => {
                why = Some((*number, text.clone()));
                SyncState::NotSynchronizing
            }
            (None, Some((InState::Asking | InState::Suspended, _)) | None) => SyncState::NotSynchronizing,
        };
        DatabaseView {
            local: self.local(&db).cloned(),
            db,
            state,
            suspended,
            why,
            sent: out.map(|o| (o.sent, o.peer)),
            primary: stream.map(|s| s.primary),
        }
    }
}
