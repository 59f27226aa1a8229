//! ENDPOINT.

use super::{Parsed, Parser};
use crate::ast::{
    EncryptionAlgorithm, EncryptionLevel, EndpointAuthentication, EndpointDefinition, EndpointEncryption,
    EndpointRole, EndpointState, EndpointStatement, Ident, ListenerIp, MirroringOptions, PermissionVerb,
    StatementKind, TcpOptions, WindowsAuthentication,
};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn endpoint(&mut self, verb: &str) -> Parsed<StatementKind> {
        let name = self.ident()?;
        if verb == "DROP" {
            return Ok(StatementKind::Endpoint(EndpointStatement::Drop(name)));
        }
        let create = verb == "CREATE";
        let owner = if self.accept_word("AUTHORIZATION") { Some(self.ident()?) } else { None };
        let mut state = None;
        if self.accept_word("STATE") {
            state = Some(self.equals_word(EndpointState::ALL, EndpointState::word)?);
        }
        let mut tcp = None;
        if self.accept_word("AS") {
            if self.is_word("HTTP") {
                return Ok(self.recognised(&format!("{verb} ENDPOINT AS HTTP")));
            }
            self.expect_word("TCP")?;
            tcp = Some(self.tcp_options()?);
        } else if create {
            return Err(self.unexpected());
        }
        let mut mirroring = None;
        if self.accept_word("FOR") {
            for payload in ["TSQL", "SERVICE_BROKER", "SOAP"] {
                if self.is_word(payload) {
                    return Ok(self.recognised(&format!("{verb} ENDPOINT FOR {payload}")));
                }
            }
            if self.accept_any(&["DATABASE_MIRRORING", "DATA_MIRRORING"]).is_none() {
                return Err(self.unexpected());
            }
            mirroring = Some(self.mirroring_options()?);
        } else if create {
            return Err(self.unexpected());
        }
        let definition = Box::new(EndpointDefinition { name, owner, state, tcp, mirroring });
        Ok(StatementKind::Endpoint(if create {
            EndpointStatement::Create(definition)
        } else {
            EndpointStatement::Alter(definition)
        }))
    }

    fn tcp_options(&mut self) -> Parsed<TcpOptions> {
        self.expect("(")?;
        let mut options = TcpOptions::default();
        while !self.accept(")") {
            match self.accept_any(&["LISTENER_PORT", "LISTENER_IP"]) {
                Some("LISTENER_PORT") => options.port = Some(self.equals_number()?),
                Some(_) => options.ip = Some(self.listener_ip()?),
                None => return Err(self.unexpected()),
            }
            self.accept(",");
        }
        Ok(options)
    }

    /// `ALL`, `(10.0.0.1)`, `('fe80::1')`
    fn listener_ip(&mut self) -> Parsed<ListenerIp> {
        self.expect("=")?;
        if self.accept_word("ALL") {
            return Ok(ListenerIp::All);
        }
        self.expect("(")?;
        let start = self.at;
        let text = if let Token::String { value, .. } = self.peek() {
            let value = value.clone();
            self.at += 1;
            value
        } else {
            // Four parts look like numbers with decimal places to the lexer: the text is read instead.
            let from = self.pos().offset;
            while matches!(self.peek(), Token::Int(_) | Token::Decimal(_) | Token::Symbol(".")) {
                self.at += 1;
            }
            self.source(from, self.end_offset())
        };
        let address = text.parse().map_err(|_| {
            self.at = start;
            self.unexpected()
        })?;
        self.expect(")")?;
        Ok(ListenerIp::Address(address))
    }

    fn mirroring_options(&mut self) -> Parsed<MirroringOptions> {
        self.expect("(")?;
        let mut options = MirroringOptions::default();
        while !self.accept(")") {
            match self.accept_any(&["ROLE", "AUTHENTICATION", "ENCRYPTION"]) {
                Some("ROLE") => options.role = Some(self.equals_word(EndpointRole::ALL, EndpointRole::word)?),
                Some("AUTHENTICATION") => options.authentication = Some(self.endpoint_authentication()?),
                Some(_) => options.encryption = Some(self.endpoint_encryption()?),
                None => return Err(self.unexpected()),
            }
            self.accept(",");
        }
        Ok(options)
    }

    fn endpoint_authentication(&mut self) -> Parsed<EndpointAuthentication> {
        self.expect("=")?;
        let mut authentication =
            EndpointAuthentication { windows: None, certificate: None, certificate_first: false };
        loop {
            if authentication.windows.is_none() && self.accept_word("WINDOWS") {
                let how = self.maybe_one_of(WindowsAuthentication::ALL, WindowsAuthentication::word);
                authentication.windows = Some(how.unwrap_or(WindowsAuthentication::Negotiate));
            } else if authentication.certificate.is_none() && self.accept_word("CERTIFICATE") {
                authentication.certificate = Some(self.ident()?);
                authentication.certificate_first = authentication.windows.is_none();
            } else {
                break;
            }
        }
        if authentication.windows.is_none() && authentication.certificate.is_none() {
            return Err(self.unexpected());
        }
        Ok(authentication)
    }

    fn endpoint_encryption(&mut self) -> Parsed<EndpointEncryption> {
        let level = self.equals_word(EncryptionLevel::ALL, EncryptionLevel::word)?;
        let mut algorithms = Vec::new();
        if level != EncryptionLevel::Disabled && self.accept_word("ALGORITHM") {
            algorithms.push(self.one_of(EncryptionAlgorithm::ALL, EncryptionAlgorithm::word)?);
            let second = self.maybe_one_of(EncryptionAlgorithm::ALL, EncryptionAlgorithm::word);
            algorithms.extend(second.filter(|other| !algorithms.contains(other)));
        }
        Ok(EndpointEncryption { level, algorithms })
    }

    /// `GRANT CONNECT ON ENDPOINT::e TO x`, if that is what stands here; other permissions are read elsewhere.
    pub(in crate::parser) fn endpoint_permission(&mut self) -> Parsed<Option<StatementKind>> {
        let verb = PermissionVerb::ALL.iter().copied().find(|verb| self.is_word(verb.word()));
        let Some(verb) = verb.filter(|_| {
            self.is_word_at(1, "CONNECT")
                && self.is_word_at(2, "ON")
                && self.is_word_at(3, "ENDPOINT")
                && self.is_at(4, "::")
        }) else {
            return Ok(None);
        };
        self.at += 5;
        let endpoint = self.ident()?;
        let to = self.accept_word("TO") || verb == PermissionVerb::Revoke && self.accept_word("FROM");
        if !to {
            return Err(self.unexpected());
        }
        // PUBLIC is a reserved word and a principal.
        let grantees: Vec<Ident> = self.list(Self::any_word)?;
        if self.accept_words(&["WITH", "GRANT", "OPTION"]) {
            self.refuse("GRANT WITH GRANT OPTION");
        }
        self.accept_word("CASCADE");
        if self.accept_word("AS") {
            self.ident()?;
            self.refuse(&format!("{} AS", verb.word()));
        }
        Ok(Some(StatementKind::Endpoint(EndpointStatement::Connect { verb, endpoint, grantees })))
    }
}
