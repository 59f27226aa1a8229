//! Copying: the statements that mend the target, one by one, with what came of each.

use milink_core::objects::{Difference, Kind, Mend, Statement};
use milink_sql::Client;
use serde::Serialize;

/// What came of a statement, or of a difference that has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Outcome {
    /// It is done.
    Done,
    /// The target refused it, and nothing of it was done.
    Failed {
        /// Its answer.
        error: String,
    },
    /// The answer was lost: look before it is repeated. Nothing after it was run.
    Uncertain {
        /// What happened.
        error: String,
    },
    /// It was not run.
    Left {
        /// Why.
        why: String,
    },
}

/// A statement and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    /// What it mends.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// The statement, with `***` for its secrets; none where a difference has none.
    pub statement: Option<Statement>,
    /// What came of it.
    pub outcome: Outcome,
}

/// Runs what mends the target. One refusal does not stop the others, except for those of the same object that come after it. Each statement
/// may be run again: who starts over loses nothing.
pub async fn copy(target: &Client, differences: &[Difference]) -> Vec<Copied> {
    let mut out = Vec::new();
    let mut lost = false;
    for difference in differences {
        let mut stopped = lost.then_some("the answer to a statement before it was lost");
        let statements = match &difference.mend {
            Mend::Now { statements } => statements,
            Mend::AfterFailover { .. } => {
                out.push(left(difference, "it is run after the failover, on the new primary"));
                continue;
            }
            Mend::Along { with } => {
                out.push(left(difference, &format!("it is mended by {with}")));
                continue;
            }
            Mend::ByHand { why } => {
                out.push(left(difference, why));
                continue;
            }
        };
        for statement in statements {
            let outcome = match stopped {
                Some(why) => Outcome::Left { why: why.to_owned() },
                None => run(target, statement).await,
            };
            match &outcome {
                Outcome::Uncertain { .. } => {
                    lost = true;
                    stopped = Some("the answer to a statement before it was lost");
                }
                Outcome::Failed { .. } | Outcome::Left { .. } if stopped.is_none() => {
                    stopped = Some("a statement before it, for the same object, was not run");
                }
                Outcome::Done | Outcome::Failed { .. } | Outcome::Left { .. } => {}
            }
            out.push(Copied {
                kind: difference.kind,
                name: difference.name.clone(),
                statement: Some(statement.clone()),
                outcome,
            });
        }
    }
    out
}

fn left(difference: &Difference, why: &str) -> Copied {
    Copied {
        kind: difference.kind,
        name: difference.name.clone(),
        statement: None,
        outcome: Outcome::Left { why: why.to_owned() },
    }
}

async fn run(target: &Client, statement: &Statement) -> Outcome {
    let text = match statement.to_run() {
        Ok(text) => text,
        Err(what) => {
            let why = format!("the {what} cannot be read: fill it into the script and run that");
            return Outcome::Left { why };
        }
    };
    match Box::pin(target.execute(statement.database, text.expose())).await {
        Ok(_) => Outcome::Done,
        Err(e) => {
            let error = statement.masked(&e.to_string());
            if e.is_certain() { Outcome::Failed { error } } else { Outcome::Uncertain { error } }
        }
    }
}
