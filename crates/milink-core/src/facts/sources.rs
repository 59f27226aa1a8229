//! The documents that the tables cite, by short names.

use serde::Serialize;

/// A public document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Document {
    /// By this name rows cite it, followed by a comma and the part of it: by what it is about, since headings change from copy to copy.
    pub short: &'static str,
    /// Its name on the web, or what it is.
    pub title: &'static str,
    /// The date that is printed in the copy that was read. The feature moves: newer copies win.
    pub date: &'static str,
}

const fn document(short: &'static str, title: &'static str, date: &'static str) -> Document {
    Document { short, title, date }
}

/// All of them, sorted by their short names.
pub const DOCUMENTS: &[Document] = &[
    document(
        "Azure CAs",
        "Azure Certificate Authority details (azure-ca-details), root certificate authorities",
        "2025",
    ),
    document("Best practices", "managed-instance-link-best-practices", "2026-01-28"),
    document("CREATE AG", "create-availability-group-transact-sql", "2025"),
    document("DAG", "distributed-availability-groups, configure-distributed-availability-groups", "2025"),
    document(
        "DMVs",
        "sys-dm-hadr-database-replica-states, -availability-replica-states, -physical-seeding-stats, -automatic-seeding",
        "2017 to 2025",
    ),
    document("DR", "managed-instance-link-disaster-recovery", "2025-03-06"),
    document(
        "Engine knowledge",
        "general knowledge of the Database Engine, which was not read again for these tables",
        "-",
    ),
    document(
        "Error lists",
        "Database Engine events and errors (the lists of SQL Server 2022 and 2025)",
        "2025",
    ),
    document("Extend AG", "managed-instance-link-extend-availability-group", "2026-09-28"),
    document("Fail over", "managed-instance-link-failover-how-to", "2024-12-06"),
    document("Migrate", "managed-instance-link-migrate", "2026-09-28"),
    document("Overview", "managed-instance-link-feature-overview", "2026-03-06"),
    document("Prepare", "managed-instance-link-preparation", "2026-09-28"),
    document("Prepare 2016", "managed-instance-link-preparation-wsfc", "2022-06"),
    document(
        "REST",
        "Azure REST specification of Microsoft.Sql and Azure Resource Manager's conventions",
        "2025/2026",
    ),
    document(
        "Recorded",
        "recordings of the real service that Microsoft's client test suites publish",
        "2024 to 2026",
    ),
    document("SSMS how-to", "managed-instance-link-configure-how-to-ssms", "2024 to 2025"),
    document("Scripts how-to", "managed-instance-link-configure-how-to-scripts", "2023-11 to 2025"),
    document("Troubleshoot", "managed-instance-link-troubleshoot-how-to", "2026-06-25"),
    document("Update policy", "update-policy", "2025-11-18"),
    document(
        "Walkthrough",
        "a public third-party write-up of the SSMS 21 wizard on SQL Server 2017",
        "2026-05",
    ),
];

/// The document that a row's source names first: `Overview, version support` names `Overview`.
pub fn document_of(source: &str) -> Option<&'static Document> {
    let short = source.split([',', ';']).next().unwrap_or(source).trim();
    DOCUMENTS.iter().find(|d| d.short == short)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Every part of a source that stands between semicolons names a document and a part of it.
    pub(crate) fn check_source(source: &str, row: &str) {
        for part in source.split(';') {
            assert!(document_of(part).is_some(), "{row}: {part:?} names no document");
            let section = part.split_once(',').map_or("", |(_, section)| section.trim());
            assert!(!section.is_empty(), "{row}: {part:?} names no part of the document");
        }
    }

    #[test]
    fn documents_are_sorted_and_differ() {
        assert!(DOCUMENTS.is_sorted_by(|a, b| a.short < b.short));
        for d in DOCUMENTS {
            assert!(!d.title.is_empty() && !d.date.is_empty(), "{d:?}");
        }
    }

    #[test]
    fn a_source_names_its_document() {
        assert_eq!(document_of("Overview, version support").map(|d| d.date), Some("2026-03-06"));
        assert_eq!(document_of("Hearsay, a friend"), None);
    }
}
