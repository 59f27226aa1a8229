//! Whether the side that is to be primary has what does not follow a database: asked before its roles are changed.

use milink_core::finding::{Finding, Status};
use milink_core::names::Side;
use milink_core::objects::{gate, keeps_users_out};
use milink_core::spec::Link;

use super::check::stop_at;
use super::objects;
use super::session::Session;
use crate::exit::{Exit, Failure, NOTHING_CHANGED};

/// Compares the logins, jobs and the like of both sides. What is missing is a warning; where it is required, what keeps users out refuses.
///
/// # Errors
/// It is required, and users could not log in, or nobody can tell.
pub(crate) async fn objects_before_failover(
    session: &Session,
    link: &Link,
    to: Side,
    required: bool,
) -> Result<(), Failure> {
    match compared(session, link, to).await {
        Ok(findings) => {
            let (stops, warns): (Vec<Finding>, Vec<Finding>) = findings
                .into_iter()
                .filter(|f| f.status != Status::Pass)
                .partition(|f| required && keeps_users_out(f));
            for finding in &warns {
                let fix = finding.fix.as_ref().map_or_else(String::new, |fix| format!("; {}", fix.advice));
                session.output.warn(&format!("{}: {}{fix}", finding.check, finding.seen));
            }
            stop_at(session, stops, "users could not work on the other side")
        }
        Err(why) if required => Err(Failure {
            code: Exit::Refused,
            what: format!("what the {to} lacks cannot be told: {why}"),
            where_: "--require-objects".to_owned(),
            now_true: NOTHING_CHANGED.to_owned(),
            next: "milink objects diff; without --require-objects it is a warning".to_owned(),
        }),
        Err(why) => {
            session.output.warn(&format!("what the {to} lacks outside of its databases is not known: {why}"));
            Ok(())
        }
    }
}

async fn compared(session: &Session, link: &Link, to: Side) -> Result<Vec<Finding>, String> {
    let client = |side| session.sides.client(side).ok_or_else(|| format!("no connection to the {side}"));
    let (source, target) = (client(to.other())?, client(to)?);
    let found = objects::diff(source, target, &link.databases).await.map_err(|failure| failure.what)?;
    Ok(gate(to, &found.differences))
}
