//! The tables as a document. `docs/facts.md` is its output, and a test keeps it so.

use super::certificates::{Cloud, ROOTS};
use super::errors::{self, CodeFact, Explanation, NumberFact, SYMPTOMS};
use super::limits::LIMITS;
use super::policy::{DIRECTIONS, UpdatePolicy};
use super::rbac::{BUILT_IN_ROLE, BUILT_IN_ROLE_ID, RIGHTS, Right};
use super::sources::DOCUMENTS;
use super::states::{Field, WORDS};
use super::version::{
    EDITIONS, MULTI_DATABASE_EDITIONS, Minimum, Pack, RELEASES, ReleaseSupport, SERVICING_TELL_TALE,
};

/// How the committed file is written again.
const COMMAND: &str = "cargo run -p milink-core --example facts > docs/facts.md";

/// The content of `docs/facts.md`.
pub fn markdown() -> String {
    let parts = [
        intro(),
        versions(),
        policies(),
        limits(),
        certificates(),
        rights(),
        states(),
        numbers(),
        codes(),
        symptoms(),
        documents(),
    ];
    parts.join("\n")
}

fn intro() -> String {
    format!(
        "# Facts about Managed Instance links\n\n\
         What the tool knows of versions, limits, rights, states and errors, each with the document that says so (the short\n\
         names are explained at the [end](#documents)). Written from the tables in `crates/milink-core/src/facts` by\n\
         `{COMMAND}`: change the tables, not this file.\n"
    )
}

fn versions() -> String {
    let row = |r: &ReleaseSupport| {
        let packs: Vec<String> = r.packs.iter().map(Pack::to_string).collect();
        let platforms: Vec<String> = r.platforms.iter().map(ToString::to_string).collect();
        let cluster = if r.needs_cluster { ", in a failover cluster (one node is enough)" } else { "" };
        vec![
            r.release.to_string(),
            packs.join(" and "),
            format!("{}{cluster}", platforms.join(", ")),
            yes_no(r.starts_from_sql_server).to_owned(),
            minimum(&r.starts_from_managed),
            if r.failover_breaks_link { "ends the link" } else { "keeps it, if wanted" }.to_owned(),
            minimum(&r.failover_by_tsql),
            minimum(&r.multi_database),
            r.source.to_owned(),
        ]
    };
    let head = [
        "Release",
        "Minimum",
        "Runs on",
        "Begins on SQL Server",
        "Begins on the managed instance, fails back",
        "A failover",
        "FAILOVER in T-SQL",
        "Several databases",
        "Source",
    ];
    format!(
        "## Versions\n\n{}\n\
         SQL Server 2014 and earlier have no link.\n\n\
         Editions: {}; for several databases in one link: {}.\n\n\
         On SQL Server 2016 and 2017 a higher build alone does not prove the Connect pack: it is there if\n\
         {}.\n",
        table(&head, RELEASES.iter().map(row)),
        list(EDITIONS),
        list(MULTI_DATABASE_EDITIONS),
        SERVICING_TELL_TALE,
    )
}

fn policies() -> String {
    let mut head = vec!["SQL Server".to_owned()];
    head.extend(UpdatePolicy::ALL.iter().map(|p| format!("to {p} (`{}`)", p.rest())));
    head.extend(["from the managed instance".to_owned(), "Source".to_owned()]);
    let rows = DIRECTIONS.iter().map(|d| {
        let mut row = vec![d.release.to_string()];
        row.extend(UpdatePolicy::ALL.iter().map(|p| yes_no(d.to_managed.contains(p)).to_owned()));
        row.push(d.from_managed.map_or_else(|| "never".to_owned(), |p| format!("policy {p} only")));
        row.push(d.source.to_owned());
        row
    });
    format!(
        "## Update policies: which way data flows\n\n{}\n\
         A policy can be raised, and never lowered.\n",
        table(&head, rows)
    )
}

fn limits() -> String {
    let rows = LIMITS.iter().map(|l| {
        let value = if l.unit.is_empty() { l.value.to_string() } else { format!("{} {}", l.value, l.unit) };
        vec![l.item.to_owned(), value, l.note.to_owned(), l.source.to_owned()]
    });
    format!("## Limits\n\n{}", table(&["Of what", "How much", "To be known", "Source"], rows))
}

fn certificates() -> String {
    let roots = ROOTS.iter().map(|r| {
        let need = if r.required { "always" } else { "for a link that is to live long" };
        let thumbprint = format!("`{}`", r.thumbprint);
        vec![
            r.name.to_owned(),
            format!("`{}`", r.subject),
            thumbprint,
            r.expiry.to_owned(),
            need.to_owned(),
            r.source.to_owned(),
        ]
    });
    let clouds = Cloud::ALL
        .iter()
        .map(|c| vec![c.to_string(), format!("`*.{}`", c.dns_suffix()), Cloud::SOURCE.to_owned()]);
    format!(
        "## Azure's root certificates\n\n{}\n{}",
        table(&["Root", "Subject", "SHA-1", "Valid until", "Needed", "Source"], roots),
        table(&["Cloud", "Name for `sp_certificate_add_issuer`", "Source"], clouds),
    )
}

fn rights() -> String {
    let row = |r: &Right| {
        vec![
            format!("`{}`", r.action),
            if r.purposes.is_empty() { "-".to_owned() } else { list(r.purposes) },
            r.standing.to_string(),
            r.what.to_owned(),
            r.source.to_owned(),
        ]
    };
    format!(
        "## Rights in Azure\n\n\
         The built-in role *{BUILT_IN_ROLE}* (`{BUILT_IN_ROLE_ID}`) has them all.\n\n{}",
        table(&["Action", "For", "Standing", "What it allows", "Source"], RIGHTS.iter().map(row))
    )
}

fn states() -> String {
    let section = |field: &Field| {
        let rows = WORDS.iter().filter(|w| w.field == *field).map(|w| {
            vec![format!("`{}`", w.word), w.phase.to_string(), w.meaning.to_owned(), w.source.to_owned()]
        });
        format!(
            "### `{}` of {}\n\n{}",
            field.column(),
            field.place(),
            table(&["Word", "Phase", "Meaning", "Source"], rows)
        )
    };
    let sections: Vec<String> = Field::ALL.iter().map(section).collect();
    format!(
        "## States\n\n\
         No complete list of `replicaState` is published: a word with `Error` in it says that a step failed, any other unknown\n\
         word is shown as it is.\n\n{}",
        sections.join("\n")
    )
}

fn numbers() -> String {
    let mut facts: Vec<&NumberFact> = errors::numbers().collect();
    facts.sort_by_key(|f| f.number);
    let rows = facts.into_iter().map(|f| {
        let mut row = vec![f.number.to_string(), f.place.to_string()];
        row.extend(explained(&f.explanation));
        row
    });
    let head = ["Number", "Where", "Phase", "Severity", "What is seen", "Why", "What to do", "Source"];
    format!("## Errors by number\n\n{}", table(&head, rows))
}

fn codes() -> String {
    let mut facts: Vec<&CodeFact> = errors::codes().collect();
    facts.sort_by_key(|f| f.code.to_ascii_lowercase());
    let rows = facts.into_iter().map(|f| {
        let name = if f.family { format!("`{}...`", f.code) } else { format!("`{}`", f.code) };
        let mut row = vec![name, f.http.map_or_else(|| "-".to_owned(), |status| status.to_string())];
        match f.number() {
            None => row.extend(explained(&f.explanation())),
            Some(number) => {
                let e = f.explanation();
                row.extend([
                    e.phase.to_string(),
                    e.severity.to_string(),
                    format!("as error {number}: {}", e.symptom),
                ]);
                row.extend(["-".to_owned(), format!("see {number}"), e.source.to_owned()]);
            }
        }
        row
    });
    let head = ["Code", "HTTP", "Phase", "Severity", "What is seen", "Why", "What to do", "Source"];
    format!(
        "## Errors by code\n\n\
         A code with dots stands for all that begin like it and have no row of their own.\n\n{}",
        table(&head, rows)
    )
}

fn explained(e: &Explanation) -> [String; 6] {
    let fix = e.command.map_or_else(|| e.fix.to_owned(), |command| format!("{}: `{command}`", e.fix));
    [
        e.phase.to_string(),
        e.severity.to_string(),
        e.symptom.to_owned(),
        e.cause.to_owned(),
        fix,
        e.source.to_owned(),
    ]
}

fn symptoms() -> String {
    let rows = SYMPTOMS
        .iter()
        .map(|s| vec![s.symptom.to_owned(), s.cause.to_owned(), s.fix.to_owned(), s.source.to_owned()]);
    format!("## Without a number\n\n{}", table(&["What is seen", "Why", "What to do", "Source"], rows))
}

fn documents() -> String {
    let rows = DOCUMENTS.iter().map(|d| vec![d.short.to_owned(), d.title.to_owned(), d.date.to_owned()]);
    format!(
        "## Documents\n\n\
         The feature moves: a copy that is newer than the one that was read is right.\n\n{}",
        table(&["Short name", "Document", "Date of the copy"], rows)
    )
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn minimum(minimum: &Minimum) -> String {
    match minimum {
        Minimum::Never => "never".to_owned(),
        Minimum::From(_) | Minimum::Unstated { .. } => minimum.to_string(),
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    let names: Vec<String> = items.iter().map(T::to_string).collect();
    names.join(", ")
}

fn table(head: &[impl AsRef<str>], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head.iter().map(|h| h.as_ref().to_owned()).collect());
    text += &line(head.iter().map(|_| "---".to_owned()).collect());
    for row in rows {
        assert_eq!(row.len(), head.len(), "a row has a cell for each column: {row:?}");
        text += &line(row.iter().map(|c| cell(c)).collect());
    }
    text
}

/// A text as it may stand in a cell: bars would end it, and angle brackets outside of code would be taken for HTML.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for c in text.chars() {
        in_code ^= c == '`';
        match c {
            '|' => out.push_str("\\|"),
            '<' if !in_code => out.push_str("&lt;"),
            '>' if !in_code => out.push_str("&gt;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed document.
    const COMMITTED: &str = include_str!("../../../../docs/facts.md");

    #[test]
    fn the_document_is_fresh() {
        let fresh = markdown();
        let stale = fresh.lines().zip(COMMITTED.lines()).find(|(new, old)| new != old);
        assert_eq!(stale, None, "docs/facts.md is stale; write it again: {COMMAND}");
        assert_eq!(fresh.len(), COMMITTED.len(), "docs/facts.md is stale; write it again: {COMMAND}");
    }

    #[test]
    fn every_row_is_in_the_document() {
        let text = markdown();
        for fact in errors::numbers() {
            assert!(text.contains(&format!("\n| {} | {} |", fact.number, fact.place)), "{}", fact.number);
        }
        for fact in errors::codes() {
            assert!(text.contains(&format!("\n| `{}", fact.code)), "{}", fact.code);
        }
        for right in RIGHTS {
            assert!(text.contains(right.action));
        }
        let open = |line: &&str| line.starts_with('|') && !line.matches('`').count().is_multiple_of(2);
        assert_eq!(text.lines().find(open), None, "code that is not closed");
    }

    #[test]
    fn cells_keep_their_text() {
        assert_eq!(cell("a | `b<c>` <d>"), "a \\| `b<c>` &lt;d&gt;");
    }
}
