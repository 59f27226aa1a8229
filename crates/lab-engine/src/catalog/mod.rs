//! The catalog of one database: schemas, principals, objects.
//!
//! It lives in the table `_catalog` of the database itself, so that it is replicated and restored with the pages; in
//! memory it is an immutable value behind an `Arc`. A statement that changes it makes a changed copy, writes the changed
//! entries in the same SQLite transaction, and the copy becomes the database's catalog when the transaction commits.

mod object;
mod persist;
mod property;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(crate) use object::*;
pub(crate) use persist::{CatalogChange, create_tables, load};
pub(crate) use property::{ExtendedProperty, PropertyClass};
pub(crate) use table::*;

use crate::types::Collation;

/// The id of schema `dbo`.
pub(crate) const DBO: i32 = 1;
/// The id of schema `INFORMATION_SCHEMA`.
pub(crate) const INFORMATION_SCHEMA: i32 = 3;
/// The id of schema `sys`.
pub(crate) const SYS: i32 = 4;
/// The first id given to a user's object.
pub(crate) const FIRST_OBJECT_ID: i32 = 245_575_913;
/// SQL Server's object ids advance by this much, so that they do not look like counters.
pub(crate) const OBJECT_ID_STEP: i32 = 16;

/// Whether two identifiers name the same thing under the server's case-insensitive collation.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && fold_name(a) == fold_name(b))
}

/// The form of an identifier that is compared.
pub(crate) fn fold_name(name: &str) -> String {
    name.to_lowercase()
}

/// The catalog of one database at one version.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    /// Grows with every change that committed; plans are valid for one version.
    pub(crate) version: u64,
    pub(crate) collation: Collation,
    pub(crate) schemas: BTreeMap<i32, Schema>,
    pub(crate) principals: BTreeMap<i32, Principal>,
    objects: BTreeMap<i32, Arc<Object>>,
    properties: BTreeMap<i32, ExtendedProperty>,
    /// Schema and folded name to object id; constraints are here too, under their table's schema.
    names: HashMap<(i32, String), i32>,
    /// Constraint id to the id of its table.
    constraint_owner: HashMap<i32, i32>,
    next_object_id: i32,
}

impl Catalog {
    /// The catalog of an empty database.
    pub(crate) fn new(collation: Collation) -> Catalog {
        let schema = |id, name: &str, owner| (id, Schema { id, name: name.to_owned(), owner });
        let mut catalog = Catalog {
            version: 1,
            collation,
            schemas: BTreeMap::from([
                schema(DBO, "dbo", 1),
                schema(2, "guest", 2),
                schema(INFORMATION_SCHEMA, "INFORMATION_SCHEMA", 3),
                schema(SYS, "sys", 4),
            ]),
            principals: BTreeMap::new(),
            objects: BTreeMap::new(),
            properties: BTreeMap::new(),
            names: HashMap::new(),
            constraint_owner: HashMap::new(),
            next_object_id: FIRST_OBJECT_ID,
        };
        for (id, name, fixed_role) in FIXED_PRINCIPALS {
            let role = *id == 0 || *fixed_role;
            let principal = Principal {
                id: *id,
                name: (*name).to_owned(),
                kind: if role { PrincipalKind::Role } else { PrincipalKind::SqlUser },
                default_schema: (!role).then(|| if *id == 1 { "dbo".to_owned() } else { "guest".to_owned() }),
                sid: (*id == 1).then(|| "01".to_owned()),
                fixed_role: *fixed_role,
                member_of: if *id == 1 { vec![16384] } else { Vec::new() },
                created: 0,
            };
            catalog.principals.insert(*id, principal);
        }
        catalog
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    pub(crate) fn object(&self, id: i32) -> Option<&Arc<Object>> {
        self.objects.get(&id)
    }

    /// The object or constraint with that name; for a constraint, the constraint's id.
    pub(crate) fn id_of(&self, schema: i32, name: &str) -> Option<i32> {
        self.names.get(&(schema, fold_name(name))).copied()
    }

    pub(crate) fn object_named(&self, schema: i32, name: &str) -> Option<&Arc<Object>> {
        self.id_of(schema, name).and_then(|id| self.objects.get(&id))
    }

    /// The table that owns the constraint with that id.
    pub(crate) fn constraint_table(&self, constraint: i32) -> Option<&Arc<Object>> {
        self.constraint_owner.get(&constraint).and_then(|id| self.objects.get(id))
    }

    pub(crate) fn schema_named(&self, name: &str) -> Option<&Schema> {
        self.schemas.values().find(|s| same_name(&s.name, name))
    }

    pub(crate) fn schema_name(&self, id: i32) -> &str {
        self.schemas.get(&id).map_or("", |s| s.name.as_str())
    }

    pub(crate) fn principal_named(&self, name: &str) -> Option<&Principal> {
        self.principals.values().find(|p| same_name(&p.name, name))
    }

    /// Extended properties of what is there; those of dropped objects are gone with them.
    pub(crate) fn properties(&self) -> impl Iterator<Item = &ExtendedProperty> {
        self.properties.values().filter(|p| match p.class {
            PropertyClass::Database => true,
            PropertyClass::Schema => self.schemas.contains_key(&p.major),
            PropertyClass::Object | PropertyClass::Parameter | PropertyClass::Index => {
                self.objects.contains_key(&p.major) || self.constraint_owner.contains_key(&p.major)
            }
        })
    }

    pub(crate) fn property(&self, id: i32) -> Option<&ExtendedProperty> {
        self.properties.get(&id)
    }

    pub(crate) fn put_property(&mut self, property: ExtendedProperty) {
        self.properties.insert(property.id, property);
    }

    pub(crate) fn remove_property(&mut self, id: i32) {
        self.properties.remove(&id);
    }

    /// Where new objects get their ids from.
    pub(crate) fn ids(&self) -> ObjectIds {
        ObjectIds { next: self.next_object_id }
    }

    /// Ids that were taken are never given again.
    pub(crate) fn advance(&mut self, ids: ObjectIds) {
        self.next_object_id = ids.next;
    }

    /// Adds an object or puts a changed one in the place of its former self.
    pub(crate) fn put(&mut self, object: Object) -> Arc<Object> {
        self.forget_names(object.id);
        self.names.insert((object.schema, fold_name(&object.name)), object.id);
        if let ObjectKind::Table(table) = &object.kind {
            for (id, name) in table.constraints() {
                self.names.insert((object.schema, fold_name(name)), id);
                self.constraint_owner.insert(id, object.id);
            }
        }
        let object = Arc::new(object);
        self.objects.insert(object.id, Arc::clone(&object));
        object
    }

    /// Removes an object and its constraints.
    pub(crate) fn remove(&mut self, id: i32) {
        self.forget_names(id);
        self.objects.remove(&id);
    }

    fn forget_names(&mut self, id: i32) {
        let Some(old) = self.objects.get(&id) else { return };
        self.names.remove(&(old.schema, fold_name(&old.name)));
        if let ObjectKind::Table(table) = &old.kind {
            for (constraint, name) in table.constraints() {
                self.names.remove(&(old.schema, fold_name(name)));
                self.constraint_owner.remove(&constraint);
            }
        }
    }

    /// Modules WITH SCHEMABINDING whose text names an object: they forbid that it goes or changes.
    pub(crate) fn bound_to(&self, object: &Object) -> Vec<Arc<Object>> {
        let schema = self.schema_name(object.schema);
        let names = |text: &str| {
            // Names in such a module have two parts, always.
            lab_tsql::mentioned_names(text).iter().any(|n| {
                n.schema().is_some_and(|s| same_name(s, schema)) && same_name(n.name(), &object.name)
            })
        };
        self.objects
            .values()
            .filter(|o| o.id != object.id)
            .filter(|o| o.kind.module().is_some_and(|m| m.schema_bound && names(&m.definition)))
            .cloned()
            .collect()
    }

    /// The foreign keys of any table that refer to `table`, with the table that has them.
    pub(crate) fn references_to(&self, table: i32) -> Vec<(Arc<Object>, ForeignKey)> {
        let mut out = Vec::new();
        for object in self.objects.values() {
            if let ObjectKind::Table(t) = &object.kind {
                for fk in t.foreign_keys.iter().filter(|fk| fk.referenced_table == table) {
                    out.push((Arc::clone(object), fk.clone()));
                }
            }
        }
        out
    }
}

/// Fresh object ids of one database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectIds {
    next: i32,
}

impl ObjectIds {
    pub(crate) fn take(&mut self) -> i32 {
        let id = self.next;
        self.next = id.checked_add(OBJECT_ID_STEP).unwrap_or(FIRST_OBJECT_ID + 1);
        id
    }
}

/// The principals that every database has: id, name, whether it is a fixed role.
const FIXED_PRINCIPALS: &[(i32, &str, bool)] = &[
    (0, "public", false),
    (1, "dbo", false),
    (2, "guest", false),
    (3, "INFORMATION_SCHEMA", false),
    (4, "sys", false),
    (16384, "db_owner", true),
    (16385, "db_accessadmin", true),
    (16386, "db_securityadmin", true),
    (16387, "db_ddladmin", true),
    (16389, "db_backupoperator", true),
    (16390, "db_datareader", true),
    (16391, "db_datawriter", true),
    (16392, "db_denydatareader", true),
    (16393, "db_denydatawriter", true),
];
