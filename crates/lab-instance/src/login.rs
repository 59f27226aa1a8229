//! LOGIN7 and its answer.

use std::sync::Arc;

use lab_engine::{EnvChange, LoginRequest, Secret, Server, Session, Sink, SqlError};
use lab_tds::token;
use lab_tds::{Feature, Login7, TdsVersion};

use crate::answer::Answer;
use crate::handshake::{Entered, wire_version};

/// What the server chooses, and the range a client may ask for.
const PACKET_SIZE: u16 = 4096;
const PACKET_MIN: u32 = 512;
const PACKET_MAX: u32 = 32767;

/// Opens the session that LOGIN7 asks for and says so; a refusal is in the answer, too.
pub(crate) fn login(
    server: &Arc<Server>,
    request: &Login7,
    entered: &Entered,
    address: &str,
    answer: &mut Answer,
) -> Option<Session> {
    let packet_size = match request.packet_size {
        0 => PACKET_SIZE,
        asked => asked.clamp(PACKET_MIN, PACKET_MAX) as u16,
    };
    let opened = open(server, request, entered, address, packet_size);
    let session = match opened {
        Ok(session) => session,
        Err(e) => {
            answer.error(&e);
            answer.done(lab_engine::Done {
                kind: lab_engine::DoneKind::Statement,
                rows: None,
                command: 0,
                error: true,
            });
            answer.finish();
            return None;
        }
    };
    greet(server, &session, request, packet_size, answer);
    answer.finish();
    answer.session(session.id(), packet_size, session.barrier());
    Some(session)
}

fn open(
    server: &Arc<Server>,
    request: &Login7,
    entered: &Entered,
    address: &str,
    packet_size: u16,
) -> Result<Session, SqlError> {
    if request.features.iter().any(|f| f.id == Feature::FED_AUTH) || !request.sspi.is_empty() {
        // Tokens and Windows logins need a directory to ask; the lab's Azure endpoint will bring the former.
        return Err(SqlError::new(
            18456,
            14,
            1,
            "Login failed. The lab instance accepts SQL Server logins only.",
        ));
    }
    if request.change_password.is_some() {
        return Err(SqlError::new(
            18463,
            14,
            1,
            format!(
                "Login failed for user '{}'. The password cannot be changed at login.",
                request.user_name
            ),
        ));
    }
    if !request.attach_db_file.is_empty() {
        return Err(SqlError::new(1813, 16, 2, "A database file cannot be attached at login."));
    }
    server.login(&LoginRequest {
        user: request.user_name.clone(),
        password: Some(Secret::new(request.password.expose().to_owned())),
        database: request.database.clone(),
        host: request.host_name.clone(),
        program: request.app_name.clone(),
        client_interface: request.library_name.clone(),
        host_process: request.client_pid,
        client_address: address.to_owned(),
        encrypted: entered.encrypted,
        tds_version: request.tds_version,
        packet_size: packet_size.into(),
        read_only_intent: request.read_only_intent(),
    })
}

fn greet(server: &Server, session: &Session, request: &Login7, packet_size: u16, answer: &mut Answer) {
    let database = session.database_name();
    let version = answer.version();
    answer.env(EnvChange::Database { new: database.clone(), old: "master".to_owned() });
    answer.info(&SqlError::new(5701, 0, 2, format!("Changed database context to '{database}'.")));
    answer.env(EnvChange::Collation(session.collation()));
    answer.env(EnvChange::Language { new: "us_english".to_owned(), old: String::new() });
    answer.info(&SqlError::new(5703, 0, 1, "Changed language setting to us_english."));
    let out = answer.tokens();
    token::login_ack(out, version, "Microsoft SQL Server", wire_version(server.flavor().build()));
    token::env_change(out, version, token::EnvChange::PacketSize(packet_size, PACKET_SIZE));
    if version >= TdsVersion::V7_4 && !request.features.is_empty() {
        // Only what is served is acknowledged: clients turn off the rest.
        let utf8 = request.features.iter().any(|f| f.id == Feature::UTF8_SUPPORT);
        let acknowledged: &[(u8, &[u8])] = if utf8 { &[(Feature::UTF8_SUPPORT, &[1])] } else { &[] };
        token::feature_ext_ack(out, acknowledged);
    }
}
