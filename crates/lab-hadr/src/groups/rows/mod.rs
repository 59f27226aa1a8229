//! The rows of `sys.availability_*` and `sys.dm_hadr_*`: what the groups are, and what is going on in them, column for
//! column as documented. Columns that the documents call internal are there and NULL.
//!
//! [`system_views`] lists all of them with columns and rows of [`Value`]s, so that whoever shows them needs one adapter only.

mod catalog;
mod seeding;
mod states;

use lab_store::Lsn;

use super::{
    CommitMode, Group, GroupDatabase, Groups, Kind, LiveDatabase, LiveGroup, LivePeer, LiveState, Moment,
    Partnering, Replica, Role, same_name,
};
use crate::{DatabaseId, DbName, GroupId, ReplicaId};

pub use catalog::*;
pub use seeding::*;
pub use states::*;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// tinyint, smallint, int and bigint.
    Int(i64),
    /// bit.
    Bit(bool),
    /// nvarchar.
    Text(String),
    /// uniqueidentifier, in the order of its bytes.
    Guid([u8; 16]),
    /// numeric(25,0).
    Lsn(i128),
    /// datetime.
    Time(Moment),
}

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// tinyint.
    TinyInt,
    /// smallint.
    SmallInt,
    /// int.
    Int,
    /// bigint.
    BigInt,
    /// bit.
    Bit,
    /// nvarchar(60): the descriptions.
    Description,
    /// nvarchar: names and texts.
    Text,
    /// varbinary(85).
    Sid,
    /// uniqueidentifier.
    Guid,
    /// numeric(25,0).
    Lsn,
    /// datetime.
    Time,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnKind,
}

/// A row of a view.
pub trait ViewRow {
    /// The view's name without its schema `sys`.
    const VIEW: &'static str;

    /// The columns, in their order.
    fn columns() -> &'static [ViewColumn];

    /// The values, in the order of the columns.
    fn values(&self) -> Vec<Value>;
}

/// A type that a column may have.
trait Cell {
    const KIND: ColumnKind;

    fn value(&self) -> Value;
}

macro_rules! cells {
    ($($type:ty: $kind:ident, |$cell:ident| $value:expr;)*) => {
        $(impl Cell for $type {
            const KIND: ColumnKind = ColumnKind::$kind;

            fn value(&self) -> Value {
                let $cell = self;
                $value
            }
        })*
    };
}

cells! {
    u8: TinyInt, |n| Value::Int(i64::from(*n));
    i16: SmallInt, |n| Value::Int(i64::from(*n));
    i32: Int, |n| Value::Int(i64::from(*n));
    i64: BigInt, |n| Value::Int(*n);
    bool: Bit, |b| Value::Bit(*b);
    &'static str: Description, |s| Value::Text((*s).to_owned());
    String: Text, |s| Value::Text(s.clone());
    GroupId: Guid, |id| Value::Guid(id.0);
    ReplicaId: Guid, |id| Value::Guid(id.0);
    DatabaseId: Guid, |id| Value::Guid(id.0);
    [u8; 16]: Guid, |id| Value::Guid(*id);
    Lsn: Lsn, |lsn| Value::Lsn(lsn.numeric());
    Moment: Time, |at| Value::Time(*at);
    Sid: Sid, |_sid| Value::Null;
}

impl<T: Cell> Cell for Option<T> {
    const KIND: ColumnKind = T::KIND;

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Cell::value)
    }
}

/// An owner that a replica does not have: NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sid;

/// Declares the row of a view: the fields are its columns.
macro_rules! view {
    ($(#[$doc:meta])* $name:ident $view:literal { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(missing_docs, reason = "columns of the view, by their documented names")]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl $crate::groups::rows::ViewRow for $name {
            const VIEW: &'static str = $view;

            fn columns() -> &'static [$crate::groups::rows::ViewColumn] {
                &[$($crate::groups::rows::ViewColumn {
                    name: stringify!($field),
                    kind: <$type as $crate::groups::rows::Cell>::KIND,
                },)*]
            }

            fn values(&self) -> Vec<$crate::groups::rows::Value> {
                vec![$($crate::groups::rows::Cell::value(&self.$field),)*]
            }
        }
    };
}
use view;

/// What the views show.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The groups.
    pub groups: &'a Groups,
    /// What is going on in them.
    pub live: &'a LiveState,
    /// `@@SERVERNAME`.
    pub server: &'a str,
    /// `sp_multidb_milink`.
    pub multiple_databases: bool,
}

/// A view.
#[derive(Debug, Clone, Copy)]
pub struct SystemView {
    /// Its name without its schema `sys`.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [ViewColumn],
    /// Its rows.
    pub rows: fn(Shown<'_>) -> Vec<Vec<Value>>,
}

/// All views.
pub fn system_views() -> Vec<SystemView> {
    fn all<R: ViewRow>(rows: Vec<R>) -> Vec<Vec<Value>> {
        rows.iter().map(ViewRow::values).collect()
    }
    fn view<R: ViewRow>(rows: fn(Shown<'_>) -> Vec<Vec<Value>>) -> SystemView {
        SystemView { name: R::VIEW, columns: R::columns(), rows }
    }
    vec![
        view::<AvailabilityGroup>(|s| all(availability_groups(s))),
        view::<AvailabilityReplica>(|s| all(availability_replicas(s))),
        view::<AvailabilityDatabase>(|s| all(availability_databases_cluster(s))),
        view::<AvailabilityGroupListener>(|s| all(availability_group_listeners(s))),
        view::<AvailabilityGroupState>(|s| all(availability_group_states(s))),
        view::<AvailabilityReplicaState>(|s| all(availability_replica_states(s))),
        view::<AvailabilityReplicaClusterState>(|s| all(availability_replica_cluster_states(s))),
        view::<DatabaseReplicaState>(|s| all(database_replica_states(s))),
        view::<DatabaseReplicaClusterState>(|s| all(database_replica_cluster_states(s))),
        view::<AutomaticSeeding>(|s| all(automatic_seeding(s))),
        view::<PhysicalSeedingStats>(|s| all(physical_seeding_stats(s))),
        view::<InternalAvailabilityGroup>(|s| all(internal_availability_groups(s))),
        view::<InternalAvailabilityReplica>(|s| all(internal_availability_replicas(s))),
    ]
}

/// A replica of a group, or a group of a distributed one.
#[derive(Clone, Copy)]
struct Member<'a> {
    partnering: &'a Partnering,
    /// What only replicas have.
    replica: Option<&'a Replica>,
    /// Whether it is this side.
    here: bool,
}

impl<'a> Shown<'a> {
    /// The members of a group, in the order in which they were named.
    fn members(self, group: &'a Group) -> Vec<Member<'a>> {
        match &group.kind {
            Kind::Local(local) => local
                .replicas
                .iter()
                .map(|replica| Member {
                    partnering: &replica.partnering,
                    replica: Some(replica),
                    here: same_name(&replica.partnering.name, self.server),
                })
                .collect(),
            Kind::Distributed(distributed) => distributed
                .members()
                .into_iter()
                .map(|partnering| Member {
                    partnering,
                    replica: None,
                    here: same_name(&partnering.name, &distributed.here.name),
                })
                .collect(),
        }
    }

    /// The databases of a group; of a distributed one, those of the group that it stands on here.
    fn databases(self, group: &'a Group) -> &'a [GroupDatabase] {
        let local = match &group.kind {
            Kind::Local(local) => Some(local),
            Kind::Distributed(d) => self.groups.named(&d.here.name).and_then(Group::as_local),
        };
        local.map(|l| l.databases.as_slice()).unwrap_or_default()
    }

    fn live(self, group: &Group) -> Option<&'a LiveGroup> {
        self.live.groups.get(&group.id)
    }

    fn peer(self, group: &Group, member: Member<'_>) -> Option<&'a LivePeer> {
        self.live(group)?.peers.get(&member.partnering.id)
    }

    /// The role that this side has; before the data path has said, it has none.
    fn role(self, group: &Group) -> Role {
        self.live(group).map_or(Role::Resolving, |l| l.role)
    }

    /// The members of which this side knows the state: the primary knows all, others know themselves.
    fn known_members(self, group: &'a Group) -> Vec<Member<'a>> {
        let primary = self.role(group) == Role::Primary;
        self.members(group).into_iter().filter(|m| m.here || primary).collect()
    }

    fn copy(self, group: &Group, member: Member<'_>, database: &GroupDatabase) -> Option<&'a LiveDatabase> {
        let name = DbName::new(&database.name);
        if member.here {
            self.live(group)?.databases.get(&name)
        } else {
            self.peer(group, member)?.databases.get(&name)
        }
    }

    /// How commits are made towards a member.
    fn commit_mode(self, group: &Group, member: Member<'_>) -> CommitMode {
        match &group.kind {
            Kind::Local(_) => member.partnering.commit_mode,
            Kind::Distributed(distributed) => distributed.commit_mode(),
        }
    }
}
