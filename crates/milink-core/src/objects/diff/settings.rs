//! Settings of the server.

use super::{Difference, Kind, Mend, Severity, both, otherwise};
use crate::objects::{Objects, SETTINGS, Setting, Statement, Taken};
use crate::script::tsql::text;

const ADVANCED: &str = "show advanced options";

pub(super) fn settings(source: &Objects, target: &Objects, out: &mut Vec<Difference>) {
    let parts = (source, &source.settings);
    let Some((ours, theirs)) = both(Kind::Setting, parts, (target, &target.settings), out) else { return };
    let find = |all: &[Setting], name: &str| all.iter().find(|s| s.name.eq_ignore_ascii_case(name)).cloned();
    let shows_advanced = find(theirs, ADVANCED).is_some_and(|s| s.value != 0);
    for compared in SETTINGS {
        // A release that does not know it behaves as its default says.
        let (Some(one), Some(two)) = (find(ours, compared.name), find(theirs, compared.name)) else {
            continue;
        };
        if one.value == two.value {
            continue;
        }
        let what = vec![otherwise("it", &two.value.to_string(), &one.value.to_string())];
        let severity = if compared.breaks { Severity::Important } else { Severity::Note };
        let mend = match compared.managed {
            Taken::No if target.managed => {
                Mend::by_hand("a managed instance does not take it: what needs it must do without")
            }
            Taken::WithoutEffect if target.managed => Mend::by_hand(
                "a managed instance takes it, but nothing comes of it: what needs it must do without",
            ),
            Taken::Yes | Taken::No | Taken::WithoutEffect => {
                Mend::Now { statements: vec![set(&one, shows_advanced)] }
            }
        };
        out.push(Difference::different(Kind::Setting, compared.name, what, severity, mend));
    }
}

/// One batch, so that `show advanced options` is left as it was.
fn set(setting: &Setting, shows_advanced: bool) -> Statement {
    let set = |name: &str, value: i64| format!("EXEC sys.sp_configure {}, {value}; RECONFIGURE;", text(name));
    let own = set(&setting.name, setting.value);
    Statement::new(if setting.advanced && !shows_advanced {
        format!("{} {own} {}", set(ADVANCED, 1), set(ADVANCED, 0))
    } else {
        own
    })
}
