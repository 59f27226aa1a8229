//! OBJECTPROPERTY, COLUMNPROPERTY, INDEXPROPERTY, DATABASEPROPERTYEX, TYPEPROPERTY: facts by name.

use rusqlite::types::Value;

use super::{bit, int, text};
use crate::catalog::{Catalog, Column, Index, IndexRole, Object, ObjectKind, Table};
use crate::server::{Database, Flavor};
use crate::types::SqlType;

/// A property of an object or of one of its constraints; `None` for what is not known.
pub(super) fn object_property(catalog: &Catalog, object: &Object, id: i32, property: &str) -> Option<i64> {
    let own = object.id == id;
    let kind = |code: &str| i64::from(own && object.kind.code() == code);
    let table = object.table();
    let yes = |found: bool| Some(i64::from(found));
    let of_table = |test: fn(&Table) -> bool| if own { table.map(|t| i64::from(test(t))) } else { None };
    let module = object.kind.module();
    match property.to_ascii_lowercase().as_str() {
        "istable" | "isusertable" => Some(kind("U")),
        "isview" => Some(kind("V")),
        "isprocedure" | "isexecuted" => Some(kind("P")),
        "isscalarfunction" => Some(kind("FN")),
        "isinlinefunction" | "istablefunction" => Some(kind("IF")),
        "isforeignkey" => yes(table.is_some_and(|t| t.foreign_keys.iter().any(|f| f.object_id == id))),
        "ischeckcnst" => yes(table.is_some_and(|t| t.checks.iter().any(|c| c.object_id == id))),
        "isprimarykey" => {
            yes(table.is_some_and(|t| t.indexes.iter().any(|i| i.role == IndexRole::PrimaryKey(id))))
        }
        "isuniquecnst" => {
            yes(table.is_some_and(|t| t.indexes.iter().any(|i| i.role == IndexRole::Unique(id))))
        }
        "isdefaultcnst" => yes(defaults(table).any(|d| d == id)),
        "isdefault" => Some(0),
        "isconstraint" => yes(!own),
        "cnstisdisabled" | "cnstisnottrusted" => constraint_state(table?, id, property),
        "cnstisnotrepl" | "cnstisdeletecascade" | "cnstisupdatecascade" => cascade(table?, id, property),
        "cnstisclustkey" | "cnstisnonclustkey" => {
            let role =
                |i: &&Index| matches!(i.role, IndexRole::PrimaryKey(c) | IndexRole::Unique(c) if c == id);
            let index = table?.indexes.iter().find(role)?;
            yes(index.clustered == property.eq_ignore_ascii_case("cnstisclustkey"))
        }
        "tablehasidentity" => of_table(|t| t.identity_column().is_some()),
        "tablehasprimarykey" => of_table(|t| t.primary_key().is_some()),
        "tablehasforeignkey" => of_table(|t| !t.foreign_keys.is_empty()),
        "tablehasforeignref" => {
            table.filter(|_| own)?;
            yes(!catalog.references_to(object.id).is_empty())
        }
        "tablehasclustindex" => of_table(|t| t.indexes.iter().any(|i| i.clustered)),
        "tablehasnonclustindex" => of_table(|t| t.indexes.iter().any(|i| !i.clustered)),
        "tablehasindex" | "isindexed" => {
            if own && module.is_some() {
                return Some(0);
            }
            of_table(|t| !t.indexes.is_empty())
        }
        "tablehascheckcnst" => of_table(|t| !t.checks.is_empty()),
        "tablehasdefaultcnst" => of_table(|t| t.columns.iter().any(|c| c.default.is_some())),
        "tablehasuniquecnst" => {
            of_table(|t| t.indexes.iter().any(|i| matches!(i.role, IndexRole::Unique(_))))
        }
        "tablehasrowguidcol" => of_table(|t| t.columns.iter().any(|c| c.rowguidcol)),
        "tablehastimestamp" => of_table(|t| t.columns.iter().any(|c| c.ty == SqlType::RowVersion)),
        "tablehastextimage" => of_table(|t| t.columns.iter().any(|c| c.ty.is_large())),
        "tablehasactivefulltextindex"
        | "tablehascolumnset"
        | "tablehasdeletetrigger"
        | "tablehasinserttrigger"
        | "tablehasupdatetrigger"
        | "tabledeletetrigger"
        | "tableinserttrigger"
        | "tableupdatetrigger"
        | "tabledeletetriggercount"
        | "tableinserttriggercount"
        | "tableupdatetriggercount"
        | "tableisfake"
        | "tableislockedonbulkload"
        | "tableispinned"
        | "tabletextinrowlimit"
        | "tablehasvardecimalstorageformat"
        | "tablefulltextcatalogid"
        | "tabletemporaltype"
        | "tableismemoryoptimized"
        | "tableisfiletable" => of_table(|_| false),
        "ismsshipped"
        | "istrigger"
        | "isencrypted"
        | "issystemtable"
        | "isextendedproc"
        | "isreplproc"
        | "isrule"
        | "isqueue"
        | "isindexable"
        | "execisstartup"
        | "execiswithnativecompilation"
        | "hasafertrigger"
        | "hasinsteadoftrigger"
        | "execisrecompiled" => Some(0),
        "isschemabound" => yes(module.is_some_and(|m| m.schema_bound)),
        "isdeterministic" | "isprecise" | "isuserdataaccess" | "issystemdataaccess" => module
            .filter(|_| own)
            .map(|m| i64::from(m.schema_bound && matches!(object.kind, ObjectKind::ScalarFunction(_)))),
        "execisquotedidenton" | "isquotedidenton" => yes(module.is_none_or(|m| m.quoted_identifier)),
        "execisansinullson" | "isansinullson" => yes(module.is_none_or(|m| m.ansi_nulls)),
        "ownerid" => Some(i64::from(catalog.schemas.get(&object.schema).map_or(1, |s| s.owner))),
        "schemaid" => Some(i64::from(object.schema)),
        _ => None,
    }
}

fn defaults(table: Option<&Table>) -> impl Iterator<Item = i32> {
    table.into_iter().flat_map(|t| t.columns.iter().filter_map(|c| c.default.as_ref().map(|d| d.object_id)))
}

fn constraint_state(table: &Table, id: i32, property: &str) -> Option<i64> {
    let check = table.checks.iter().find(|c| c.object_id == id).map(|c| (c.disabled, c.not_trusted));
    let key = table.foreign_keys.iter().find(|f| f.object_id == id).map(|f| (f.disabled, f.not_trusted));
    let (disabled, not_trusted) = check.or(key)?;
    Some(i64::from(if property.eq_ignore_ascii_case("cnstisdisabled") { disabled } else { not_trusted }))
}

fn cascade(table: &Table, id: i32, property: &str) -> Option<i64> {
    use crate::catalog::ReferentialAction::Cascade;
    let key = table.foreign_keys.iter().find(|f| f.object_id == id)?;
    Some(i64::from(match property.to_ascii_lowercase().as_str() {
        "cnstisdeletecascade" => key.on_delete == Cascade,
        "cnstisupdatecascade" => key.on_update == Cascade,
        _ => false,
    }))
}

/// What COLUMNPROPERTY is asked about: a column of a table or module, or a parameter.
pub(super) struct Subject<'a> {
    pub(super) ordinal: i64,
    pub(super) ty: SqlType,
    pub(super) nullable: bool,
    pub(super) column: Option<&'a Column>,
    pub(super) output: bool,
    pub(super) parameter: bool,
    pub(super) key: bool,
}

pub(super) fn column_property(s: &Subject<'_>, property: &str) -> Option<Value> {
    let column = |test: fn(&Column) -> bool| bit(s.column.is_some_and(test));
    Some(match property {
        "isidentity" => column(|c| c.identity.is_some()),
        "iscomputed" => column(|c| c.computed.is_some()),
        "isrowguidcol" => column(|c| c.rowguidcol),
        "isidnotforrepl" => column(|c| c.identity.is_some_and(|i| i.not_for_replication)),
        "isdeterministic" | "isprecise" => {
            s.column?.computed.as_ref()?;
            bit(true)
        }
        "isprimarykey" => bit(s.key),
        "isoutparam" => {
            if !s.parameter {
                return None;
            }
            bit(s.output)
        }
        "allowsnull" => bit(s.nullable),
        "columnid" | "ordinal" => int(s.ordinal),
        "precision" => int(s.ty.char_length().map_or(i64::from(s.ty.precision()), i64::from)),
        "scale" => {
            if s.ty.is_character() || s.ty.is_binary() {
                return None;
            }
            int(s.ty.scale())
        }
        "charmaxlen" => s.ty.char_length().map_or(int(-1), int),
        "usesansitrim" => {
            if !s.ty.is_character() && !s.ty.is_binary() {
                return None;
            }
            bit(true)
        }
        "isindexable" => bit(!s.ty.is_large() && s.ty != SqlType::Xml),
        "ishidden"
        | "issparse"
        | "iscolumnset"
        | "isxmlindexable"
        | "iscursortype"
        | "isfulltextindexed"
        | "isfilestream"
        | "systemdataaccess"
        | "userdataaccess"
        | "fulltexttypecolumn"
        | "statisticalsemantics"
        | "generatedalwaystype" => int(0),
        _ => return None,
    })
}

pub(super) fn index_property(index: &Index, property: &str) -> Option<Value> {
    Some(match property {
        "indexid" => int(index.id),
        "isunique" => bit(index.unique),
        "isclustered" => bit(index.clustered),
        "isdisabled" => bit(index.disabled),
        "indexfillfactor" => int(index.fill_factor),
        "indexdepth" => int(1),
        "isstatistics"
        | "ishypothetical"
        | "ispadindex"
        | "isautostatistics"
        | "isfulltextkey"
        | "iscolumnstore"
        | "isoptimizedforsequentialkey"
        | "isrowlockdisallowed"
        | "ispagelockdisallowed" => int(0),
        _ => return None,
    })
}

pub(super) fn database_property(database: &Database, flavor: Flavor, property: &str) -> Option<Value> {
    let e = database.entry();
    let switch = |option: &str, default: bool| {
        bit(e.switches.get(option).map_or(default, |v| matches!(v.as_str(), "ON" | "LOCAL" | "FORCED")))
    };
    Some(match property {
        "status" => text(database.state().name()),
        "recovery" => text(e.recovery_model.name()),
        "collation" => text(e.collation.name()),
        "updateability" => text(if database.is_read_only() { "READ_ONLY" } else { "READ_WRITE" }),
        "useraccess" => text(if e.single_user { "SINGLE_USER" } else { "MULTI_USER" }),
        "isreadonly" => bit(e.read_only),
        "issingleuser" => bit(e.single_user),
        "isoffline" => bit(database.state() == crate::server::DatabaseState::Offline),
        "issuspect" => bit(database.state() == crate::server::DatabaseState::Suspect),
        "isemergencymode" | "isshutdown" | "isdboonly" | "isinload" | "isinrecovery" | "isnotrecovered" => {
            int(0)
        }
        "isinstandby"
        | "isfulltextenabled"
        | "ispublished"
        | "issubscribed"
        | "ismergepublished"
        | "isxtpsupported"
        | "issyncwithbackup"
        | "istornpagedetectionenabled"
        | "isaccentsensitive"
        | "isclone"
        | "isverifiedclone"
        | "ismemoryoptimizedelevatetosnapshotenabled" => int(0),
        "version" => int(flavor.database_version()),
        "comparisonstyle" => int(196_609),
        "lcid" => int(1033),
        "sqlsortorder" => int(52),
        "snapshotisolationstate" => bit(e.snapshot_isolation),
        "isreadcommittedsnapshoton" => bit(e.read_committed_snapshot),
        "isautoclose" => switch("AUTO_CLOSE", false),
        "isautoshrink" => switch("AUTO_SHRINK", false),
        "isautocreatestatistics" => switch("AUTO_CREATE_STATISTICS", true),
        "isautocreatestatisticsincremental" => int(0),
        "isautoupdatestatistics" => switch("AUTO_UPDATE_STATISTICS", true),
        "isansinulldefault" => switch("ANSI_NULL_DEFAULT", false),
        "isansinullsenabled" => switch("ANSI_NULLS", false),
        "isansipaddingenabled" => switch("ANSI_PADDING", false),
        "isansiwarningsenabled" => switch("ANSI_WARNINGS", false),
        "isarithmeticabortenabled" => switch("ARITHABORT", false),
        "isnullconcat" => switch("CONCAT_NULL_YIELDS_NULL", false),
        "isnumericroundabortenabled" => switch("NUMERIC_ROUNDABORT", false),
        "isquotedidentifiersenabled" => switch("QUOTED_IDENTIFIER", false),
        "isrecursivetriggersenabled" => switch("RECURSIVE_TRIGGERS", false),
        "isclosecursorsoncommitenabled" => switch("CURSOR_CLOSE_ON_COMMIT", false),
        "islocalcursorsdefault" => switch("CURSOR_DEFAULT", false),
        "isparameterizationforced" => switch("PARAMETERIZATION", false),
        "isbrokerenabled" => {
            bit(e.switches.contains_key("ENABLE_BROKER") && !e.switches.contains_key("DISABLE_BROKER"))
        }
        _ => return None,
    })
}

/// TYPEPROPERTY.
pub(super) fn type_property(ty: SqlType, property: &str) -> Option<Value> {
    Some(match property {
        "precision" => match ty.name() {
            "char" | "varchar" | "binary" | "varbinary" => int(8000),
            "nchar" | "nvarchar" => int(4000),
            "decimal" | "numeric" => int(38),
            _ => int(ty.precision()),
        },
        "scale" if ty.is_decimal() => int(38),
        "scale" if ty.is_character() || ty.is_binary() => return None,
        "scale" => int(ty.scale()),
        "allowsnull" => int(1),
        "ownerid" => int(4),
        "usesansitrim" if ty.is_character() || ty.is_binary() => int(1),
        _ => return None,
    })
}
