//! Each check with what passes, what does not, and what cannot be told; then what holds of all of them together.

mod asked;
mod gates;
mod rows_database;
mod rows_server;
mod rows_trust;
mod whole;
mod world;

use crate::finding::Status;
use world::{Row, World};

fn rows() -> Vec<Row> {
    [rows_server::rows(), rows_trust::rows(), rows_database::rows()].into_iter().flatten().collect()
}

#[test]
fn all_is_well_where_all_is_well() {
    let world = World::new();
    for finding in super::requirements(&world.link, &world.seen) {
        assert!(matches!(finding.status, Status::Pass | Status::Skipped), "{finding:#?}");
    }
}

#[test]
fn each_row_holds() {
    let rows = rows();
    let proved = rows.iter().map(|row| {
        let world = row.world();
        row.prove(&super::requirements(&world.link, &world.seen))
    });
    let wrong: Vec<String> = proved.filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
