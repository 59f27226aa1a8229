//! What an answer is made from, and what it may be.

use crate::access::Account;
use crate::config::{ManagedAddress, Names, Timing};
use crate::error::ArmError;
use crate::instance::{
    Answer, Call, Database, EndpointCertificate, InstanceError, InstanceFacts, Link, TrustedCertificate,
};
use crate::message::{Method, Request, Response};
use crate::operations::{Operations, Work};
use crate::settings::InstanceSettings;
use crate::target::{Family, Target};

/// What the endpoints are, as long as they run.
pub(crate) struct Estate {
    pub(crate) names: Names,
    pub(crate) managed: ManagedAddress,
    pub(crate) timing: Timing,
    pub(crate) accounts: Vec<Account>,
}

/// A request that was let in, and all that there is to judge it by.
pub(crate) struct Context<'a> {
    pub(crate) estate: &'a Estate,
    pub(crate) request: &'a Request,
    pub(crate) account: &'a Account,
    /// `api-version`; empty where none was asked for.
    pub(crate) version: &'a str,
    pub(crate) report: &'a Report,
    pub(crate) operations: &'a Operations,
    pub(crate) settings: &'a InstanceSettings,
}

impl Context<'_> {
    pub(crate) fn names(&self) -> &Names {
        &self.estate.names
    }
}

/// What the managed instance has said.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) answers: Vec<Result<Answer, InstanceError>>,
}

impl Report {
    fn find<'a, T: ?Sized>(&'a self, pick: impl Fn(&'a Answer) -> Option<&'a T>) -> Result<&'a T, ArmError> {
        if let Some(found) = self.answers.iter().flatten().find_map(pick) {
            return Ok(found);
        }
        let error = self.answers.iter().find_map(|a| a.as_ref().err());
        Err(error.map_or_else(ArmError::internal, ArmError::of_instance))
    }

    pub(crate) fn facts(&self) -> Result<&InstanceFacts, ArmError> {
        self.find(|a| if let Answer::Facts(facts) = a { Some(facts) } else { None })
    }

    pub(crate) fn links(&self) -> Result<&[Link], ArmError> {
        self.find(|a| if let Answer::Links(links) = a { Some(links.as_slice()) } else { None })
    }

    pub(crate) fn certificates(&self) -> Result<&[TrustedCertificate], ArmError> {
        self.find(|a| if let Answer::TrustedCertificates(list) = a { Some(list.as_slice()) } else { None })
    }

    pub(crate) fn endpoint_certificate(&self) -> Result<&EndpointCertificate, ArmError> {
        self.find(|a| if let Answer::EndpointCertificate(cert) = a { Some(cert) } else { None })
    }

    pub(crate) fn databases(&self) -> Result<&[Database], ArmError> {
        self.find(|a| if let Answer::Databases(list) = a { Some(list.as_slice()) } else { None })
    }
}

/// What the instance must be asked before a request can be answered.
pub(crate) fn questions(target: &Target, method: Method) -> Vec<Call> {
    match target {
        Target::Instances | Target::Instance if method == Method::Delete => Vec::new(),
        Target::Instances | Target::Instance => vec![Call::Facts, Call::Links],
        Target::Resources => vec![Call::Facts, Call::Links, Call::Databases],
        Target::Links | Target::Link(_) | Target::FailOver(_) | Target::SetRole(_) => {
            vec![Call::Links, Call::TrustedCertificates]
        }
        Target::TrustCertificates | Target::TrustCertificate(_) => vec![Call::TrustedCertificates],
        Target::EndpointCertificates | Target::EndpointCertificate(_) => vec![Call::EndpointCertificate],
        Target::Databases | Target::Database(_) | Target::RestoreDetails(_) => {
            vec![Call::Databases, Call::Links]
        }
        Target::Results { family: Family::Links, .. } => vec![Call::Links, Call::TrustedCertificates],
        Target::Results { family: Family::TrustCertificates, .. } => vec![Call::TrustedCertificates],
        Target::Results { family: Family::Instances, .. } => vec![Call::Facts, Call::Links],
        _ => Vec::new(),
    }
}

/// An operation that a request starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) family: Family,
    pub(crate) name: &'static str,
    pub(crate) subject: String,
    pub(crate) work: Work,
    /// What becomes of the instance's settings.
    pub(crate) settings: Option<InstanceSettings>,
    /// Another operation that this one puts an end to.
    pub(crate) cancels: Option<String>,
}

impl Start {
    pub(crate) fn new(family: Family, name: &'static str, subject: &str, work: Work) -> Start {
        Start { family, name, subject: subject.to_owned(), work, settings: None, cancels: None }
    }
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Answer(Response),
    Start(Box<Start>),
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Outcome {
        Outcome::Answer(response)
    }
}

impl From<Start> for Outcome {
    fn from(start: Start) -> Outcome {
        Outcome::Start(Box::new(start))
    }
}
