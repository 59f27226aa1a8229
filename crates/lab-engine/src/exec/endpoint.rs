//! CREATE, ALTER, DROP ENDPOINT and who may connect to one.

use std::collections::BTreeMap;

use lab_tsql::ast::{
    EncryptionAlgorithm, EncryptionLevel, EndpointDefinition, EndpointRole, EndpointState, EndpointStatement,
    Ident, ListenerIp, PermissionVerb, WindowsAuthentication,
};

use super::Stop;
use crate::error::SqlError;
use crate::security::objects::FIRST_ENDPOINT;
use crate::security::{Endpoint, KeyEncryption, Security, x509};
use crate::session::Session;
use crate::types::{now_datetime, unix_seconds};

impl Session {
    pub(super) fn run_endpoint(&mut self, statement: &EndpointStatement) -> Result<(), Stop> {
        let (what, name) = match statement {
            EndpointStatement::Create(definition) => ("CREATE ENDPOINT", &definition.name),
            EndpointStatement::Alter(definition) => ("ALTER ENDPOINT", &definition.name),
            EndpointStatement::Drop(name) => ("DROP ENDPOINT", name),
            EndpointStatement::Connect { verb, endpoint, .. } => (verb.word(), endpoint),
        };
        if !self.shared.state().sysadmin {
            return Err(match statement {
                EndpointStatement::Create(_) => SqlError::no_permission(),
                EndpointStatement::Alter(_) => SqlError::cannot_alter("endpoint", &name.value),
                EndpointStatement::Drop(_) => SqlError::cannot_drop_principal("endpoint", &name.value),
                EndpointStatement::Connect { .. } => SqlError::principal_not_found("endpoint", &name.value),
            }
            .into());
        }
        self.outside_transactions(what)?;
        let server = std::sync::Arc::clone(&self.server);
        let _defining = server.defining();
        let mut security = server.security();
        match statement {
            EndpointStatement::Create(definition) => {
                if security.endpoint_named(&name.value).is_some() {
                    return Err(SqlError::endpoint_exists(&name.value).into());
                }
                if security.endpoint.is_some() {
                    return Err(SqlError::endpoint_of_type_exists().into());
                }
                let mut endpoint = new_endpoint(&name.value);
                self.define(&security, &mut endpoint, definition)?;
                security.endpoint = Some(endpoint);
            }
            EndpointStatement::Alter(definition) => {
                let known = security.endpoint_named(&name.value).cloned();
                let mut endpoint = known.ok_or_else(|| SqlError::cannot_alter("endpoint", &name.value))?;
                let nothing = definition.state.is_none()
                    && definition.tcp.is_none()
                    && definition.mirroring.is_none()
                    && definition.owner.is_none();
                if nothing {
                    return Err(SqlError::endpoint_unchanged().into());
                }
                self.define(&security, &mut endpoint, definition)?;
                security.endpoint = Some(endpoint);
            }
            EndpointStatement::Drop(_) => {
                if security.endpoint_named(&name.value).is_none() {
                    return Err(SqlError::cannot_drop_principal("endpoint", &name.value).into());
                }
                security.endpoint = None;
            }
            EndpointStatement::Connect { verb, grantees, .. } => {
                self.connect_permission(&mut security, name, *verb, grantees)?;
            }
        }
        server.save_security(security)?;
        Ok(())
    }

    /// Brings what a statement says into an endpoint.
    fn define(
        &self,
        security: &Security,
        endpoint: &mut Endpoint,
        definition: &EndpointDefinition,
    ) -> Result<(), SqlError> {
        if let Some(owner) = &definition.owner
            && !owner.value.eq_ignore_ascii_case("sa")
        {
            return Err(SqlError::unsupported("ENDPOINT AUTHORIZATION other than sa"));
        }
        if let Some(state) = definition.state {
            state.word().clone_into(&mut endpoint.state);
        }
        if let Some(tcp) = &definition.tcp {
            if let Some(port) = tcp.port {
                let valid = u16::try_from(port).ok().filter(|port| *port > 0);
                endpoint.port = valid
                    .ok_or_else(|| SqlError::new(102, 15, 1, format!("Incorrect syntax near '{port}'.")))?;
            }
            match tcp.ip {
                Some(ListenerIp::All) => endpoint.ip = None,
                Some(ListenerIp::Address(ip)) => endpoint.ip = Some(ip),
                None => {}
            }
        }
        if endpoint.port == 0 {
            return Err(SqlError::new(102, 15, 1, "Incorrect syntax near ')'."));
        }
        let Some(mirroring) = &definition.mirroring else { return Ok(()) };
        if let Some(role) = mirroring.role {
            role.word().clone_into(&mut endpoint.role);
        }
        if let Some(authentication) = &mirroring.authentication {
            let certificate = authentication.certificate.as_ref();
            endpoint.certificate =
                certificate.map(|name| endpoint_certificate(security, name)).transpose()?;
            endpoint.windows = authentication.windows.map(|how| how.word().to_owned());
            endpoint.certificate_first = authentication.certificate_first;
        }
        if let Some(encryption) = &mirroring.encryption {
            encryption.level.word().clone_into(&mut endpoint.encryption);
            let default = [EncryptionAlgorithm::Aes];
            let algorithms = match (encryption.level, encryption.algorithms.as_slice()) {
                (EncryptionLevel::Disabled, _) => &[],
                (_, []) => &default[..],
                (_, written) => written,
            };
            endpoint.algorithms = algorithms.iter().map(|a| a.word().to_owned()).collect();
        }
        Ok(())
    }

    fn connect_permission(
        &self,
        security: &mut Security,
        name: &Ident,
        verb: PermissionVerb,
        grantees: &[Ident],
    ) -> Result<(), SqlError> {
        if security.endpoint_named(&name.value).is_none() {
            return Err(SqlError::principal_not_found("endpoint", &name.value));
        }
        let Some(endpoint) = &mut security.endpoint else { return Ok(()) };
        for grantee in grantees {
            const PUBLIC: i32 = 2;
            let id = if grantee.value.eq_ignore_ascii_case("public") {
                PUBLIC
            } else {
                let login = self.server.login_named(&grantee.value);
                login.ok_or_else(|| SqlError::principal_not_found("login", &grantee.value))?.id
            };
            match verb {
                PermissionVerb::Grant => endpoint.connect.insert(id, false),
                PermissionVerb::Deny => endpoint.connect.insert(id, true),
                PermissionVerb::Revoke => endpoint.connect.remove(&id),
            };
        }
        Ok(())
    }
}

/// An endpoint of which nothing was said yet, with SQL Server's defaults.
fn new_endpoint(name: &str) -> Endpoint {
    Endpoint {
        id: FIRST_ENDPOINT,
        name: name.to_owned(),
        state: EndpointState::Stopped.word().to_owned(),
        port: 0,
        ip: None,
        role: EndpointRole::All.word().to_owned(),
        windows: Some(WindowsAuthentication::Negotiate.word().to_owned()),
        certificate: None,
        certificate_first: false,
        encryption: EncryptionLevel::Required.word().to_owned(),
        algorithms: vec![EncryptionAlgorithm::Aes.word().to_owned()],
        connect: BTreeMap::new(),
    }
}

/// The id of a certificate that an endpoint can prove itself with.
fn endpoint_certificate(security: &Security, name: &Ident) -> Result<i32, SqlError> {
    let certificate = security
        .certificate_named(&name.value)
        .ok_or_else(|| SqlError::principal_not_found("certificate", &name.value))?;
    let now = unix_seconds(now_datetime());
    let valid = x509::facts(&certificate.der).is_some_and(|f| (f.not_before..=f.not_after).contains(&now));
    if certificate.encryption() != KeyEncryption::MasterKey || !valid {
        return Err(SqlError::certificate_not_for_endpoint(&certificate.name));
    }
    Ok(certificate.id)
}
