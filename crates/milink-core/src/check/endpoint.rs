//! SQL Server's database mirroring endpoint, clause by clause, and its address.

use super::catalogue::{
    Check, ENDPOINT_ADDRESS, ENDPOINT_AUTHENTICATION, ENDPOINT_CERTIFICATE, ENDPOINT_ENCRYPTION,
    ENDPOINT_EXISTS, ENDPOINT_PORT, ENDPOINT_ROLE, ENDPOINT_STARTED,
};
use super::judge::Judge;
use super::scene::{Scene, absent};
use crate::action::{Action, Statement};
use crate::facts::limits::MANAGED_PORT;
use crate::finding::{Finding, Subject};
use crate::names::Side;
use crate::observe::{Endpoint, Instance, same_name};
use crate::spec::Link;

const HERE: Side = Side::SqlServer;

/// The name of an endpoint that is made, as the documents have it.
const NAME: &str = "database_mirroring_endpoint";

pub(super) fn checks(scene: &Scene<'_>) -> Vec<Finding> {
    vec![
        exists(scene),
        started(scene),
        clause(scene, ENDPOINT_ROLE, "role ALL", |e| (e.role == "ALL", format!("role {}", e.role))),
        clause(scene, ENDPOINT_AUTHENTICATION, "authentication that includes CERTIFICATE", |e| {
            (e.authentication.contains("CERTIFICATE"), format!("authentication {}", e.authentication))
        }),
        clause(scene, ENDPOINT_ENCRYPTION, "encryption that includes AES", |e| {
            let seen =
                if e.encrypted { format!("algorithm {}", e.algorithm) } else { "not encrypted".to_owned() };
            (e.encrypted && e.algorithm.contains("AES"), seen)
        }),
        certificate(scene),
        port(scene),
    ]
}

fn exists(scene: &Scene<'_>) -> Finding {
    scene.on(ENDPOINT_EXISTS, HERE, "one endpoint for DATABASE_MIRRORING", |judge, i| match &i.endpoint {
        Some(e) => judge.pass(format!("{} on port {}", e.name, e.port)),
        None => absent(judge, i, "there is none".to_owned()).mend("create it", vec![create(scene, i)], false),
    })
}

fn create(scene: &Scene<'_>, instance: &Instance) -> Action {
    let asked = scene.links.first().and_then(|l| {
        l.sql_server.listener_port.or_else(|| l.sql_server.endpoint.as_deref().and_then(port_of))
    });
    Action::sql(Statement::CreateEndpoint {
        name: NAME.to_owned(),
        port: asked.unwrap_or(MANAGED_PORT),
        certificate: scene.own_certificate(instance),
    })
}

/// A clause of the endpoint, if there is one.
fn of_endpoint<'a>(
    scene: &Scene<'a>,
    check: Check,
    wanted: &str,
    look: impl FnOnce(Judge, &'a Instance, &'a Endpoint) -> Finding,
) -> Finding {
    scene.on(check, HERE, wanted, |judge, i| match &i.endpoint {
        Some(e) => look(judge, i, e),
        None => judge.skip("no endpoint is seen: see endpoint.exists"),
    })
}

fn clause(
    scene: &Scene<'_>,
    check: Check,
    wanted: &str,
    look: impl FnOnce(&Endpoint) -> (bool, String),
) -> Finding {
    of_endpoint(scene, check, wanted, |judge, i, e| {
        let (good, seen) = look(e);
        judge.judge(good, seen).mend(
            "change the endpoint: partners of other groups reconnect, and must be able to use what it takes then",
            vec![alter(scene, i, e)],
            false,
        )
    })
}

fn alter(scene: &Scene<'_>, instance: &Instance, endpoint: &Endpoint) -> Action {
    let words = ["NTLM", "KERBEROS", "NEGOTIATE", "WINDOWS"];
    let authentication = endpoint.authentication.to_ascii_uppercase();
    Action::sql(Statement::AlterEndpoint {
        name: endpoint.name.clone(),
        certificate: scene.own_certificate(instance),
        keep_windows: words.iter().any(|w| authentication.contains(w)),
    })
}

/// Whether starting it is all that it needs.
fn is_else_as_wanted(scene: &Scene<'_>, instance: &Instance, e: &Endpoint) -> bool {
    let own = scene.own_certificate(instance);
    e.role == "ALL"
        && e.encrypted
        && e.algorithm.contains("AES")
        && e.authentication.contains("CERTIFICATE")
        && e.certificate.as_deref().is_some_and(|c| same_name(c, &own))
}

fn started(scene: &Scene<'_>) -> Finding {
    of_endpoint(scene, ENDPOINT_STARTED, "state STARTED", |judge, i, e| {
        judge.judge(e.state == "STARTED", format!("state {}", e.state)).mend(
            "start it",
            vec![Action::sql(Statement::StartEndpoint { name: e.name.clone() })],
            is_else_as_wanted(scene, i, e),
        )
    })
}

fn certificate(scene: &Scene<'_>) -> Finding {
    let wanted = "a certificate with its private key, encrypted by the master key";
    of_endpoint(scene, ENDPOINT_CERTIFICATE, wanted, |judge, i, e| {
        let found = shows(judge, &scene.own_certificate(i), i, e);
        found.mend("let it show the right certificate: partners reconnect", vec![alter(scene, i, e)], false)
    })
}

fn shows(judge: Judge, own: &str, instance: &Instance, endpoint: &Endpoint) -> Finding {
    let Some(shown) = &endpoint.certificate else {
        // It takes certificates, so it shows one: its name is hidden from this login.
        return if endpoint.authentication.contains("CERTIFICATE") {
            judge.unknown("it shows a certificate that this login may not see (VIEW DEFINITION)")
        } else {
            judge.fail("it shows none")
        };
    };
    if !same_name(shown, own) {
        return judge.fail(format!("it shows {shown}, and {own} is asked for (sqlServer.certificate)"));
    }
    match instance.certificate(shown) {
        Some(c) => {
            let has = if c.private_key { "with its" } else { "without a" };
            judge.judge(c.private_key, format!("{shown} ({}), {has} private key", c.thumbprint))
        }
        None => judge.unknown(format!("it shows {shown}, which this login may not see")),
    }
}

fn port(scene: &Scene<'_>) -> Finding {
    of_endpoint(
        scene,
        ENDPOINT_PORT,
        "5022 for the default instance only, and the port that the link names",
        |judge, i, e| {
            let named = i.server_name.contains('\\');
            let asked = scene.links.iter().find_map(|l| {
                // A forwarded port is meant if both are given.
                let given = l.sql_server.endpoint.as_deref().and_then(port_of)?;
                (l.sql_server.listener_port.is_none() && given != e.port).then_some(given)
            });
            match (named && e.port == MANAGED_PORT, asked) {
            (true, _) => judge
                .fail(format!("{} is a named instance, and listens on {}", i.server_name, e.port))
                .advise("give the endpoint of a named instance a port of its own (ALTER ENDPOINT ... LISTENER_PORT)"),
            (false, Some(asked)) => judge
                .fail(format!("it listens on {}, and the link's address names {asked}", e.port))
                .advise("name the endpoint's port in sqlServer.endpoint, or say that it is forwarded (sqlServer.listenerPort)"),
            (false, None) => judge.pass(format!("port {}", e.port)),
        }
        },
    )
}

/// The address that Azure is given.
pub(super) fn address(scene: &Scene<'_>, link: &Link) -> Finding {
    let judge = ENDPOINT_ADDRESS.of(
        Subject::Link { name: link.name.clone() },
        "TCP://host:port, reachable from the managed instance",
    );
    match &link.sql_server.endpoint {
        Some(url) => match port_of(url) {
            Some(_) => judge.pass(url.clone()),
            None => judge
                .fail(format!("'{url}' is no address of an endpoint"))
                .advise("write TCP://host:port, with a host that the managed instance can reach (sqlServer.endpoint)"),
        },
        None => judge.look(scene.sql_server(), |judge, i| {
            let host = i.server_name.split('\\').next().unwrap_or(&i.server_name);
            let port = i.endpoint.as_ref().map_or(MANAGED_PORT, |e| e.port);
            judge
                .warn(format!("none is given: TCP://{host}:{port} is taken, and the managed instance must resolve that name"))
                .advise("give the address that the managed instance reaches (sqlServer.endpoint), or let its DNS know the name")
        }),
    }
}

fn port_of(url: &str) -> Option<u16> {
    let scheme = url.get(..6).filter(|s| s.eq_ignore_ascii_case("tcp://"))?;
    let (host, port) = url.get(scheme.len()..)?.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    (!host.is_empty() && port > 0).then_some(port)
}
