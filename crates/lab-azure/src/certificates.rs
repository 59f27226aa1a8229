//! `managedInstances/serverTrustCertificates` and `endpointCertificates`.

use serde_json::{Value, json};

use crate::config::Names;
use crate::context::{Context, Outcome, Start};
use crate::error::ArmError;
use crate::instance::TrustedCertificate;
use crate::message::{Method, Response};
use crate::operations::{Work, same};
use crate::target::Family;
use crate::validate::{self, Object, hex, to_hex};

const TRUST: &str = "managedInstances/serverTrustCertificates";
const ENDPOINT: &str = "managedInstances/endpointCertificates";
/// The endpoints that have a certificate; the lab has one endpoint, and shows its certificate for the first only.
const MIRRORING: &str = "DATABASE_MIRRORING";
const ROOTS_SINCE: &str = "2025-08-01";

fn resource(names: &Names, certificate: &TrustedCertificate) -> Value {
    json!({
        "properties": {
            "publicBlob": to_hex(&certificate.der),
            "thumbprint": to_hex(&certificate.thumbprint),
            "certificateName": certificate.name,
        },
        "id": format!("{}/serverTrustCertificates/{}", names.instance_id(), certificate.name),
        "name": certificate.name,
        "type": "Microsoft.Sql/managedInstances/serverTrustCertificates",
    })
}

/// Certificates of partners.
pub(crate) fn trust_list(context: &Context<'_>) -> Result<Outcome, ArmError> {
    let list = context.report.certificates()?;
    let value: Vec<Value> = list.iter().map(|c| resource(context.names(), c)).collect();
    Ok(Response::json(200, json!({ "value": value })).into())
}

/// The certificate of that name as a resource, for results of operations.
pub(crate) fn resource_named(context: &Context<'_>, name: &str) -> Result<Option<Value>, ArmError> {
    let list = context.report.certificates()?;
    Ok(list.iter().find(|c| same(&c.name, name)).map(|c| resource(context.names(), c)))
}

/// One certificate of a partner: read, brought or taken.
pub(crate) fn trust_one(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let there = context.report.certificates()?.iter().find(|c| same(&c.name, name));
    let work = match context.request.method {
        Method::Get => {
            let found = there.ok_or_else(|| ArmError::no_resource(TRUST, name))?;
            return Ok(Response::json(200, resource(context.names(), found)).into());
        }
        Method::Put => {
            let name = validate::name(name)?;
            let der = read_blob(&context.request.body)?;
            // There is no way to exchange what a name stands for but to delete it first.
            if there.is_some_and(|c| c.der != der) {
                let message = format!("The provided name '{name}' already exists.");
                return Err(ArmError::new(400, "NameAlreadyExists", message));
            }
            Work::Trust { name, der }
        }
        Method::Delete if there.is_none() => return Ok(Response::empty(204).into()),
        Method::Delete => Work::Forget { name: name.to_owned() },
        Method::Patch | Method::Post => return Err(ArmError::internal()),
    };
    if context.operations.running_on(Family::TrustCertificates, name).is_some() {
        return Err(ArmError::conflicting());
    }
    let operation = match context.request.method {
        Method::Delete => "DeleteManagedInstanceServerTrustCertificate",
        _ => "UploadManagedInstanceServerTrustCertificate",
    };
    Ok(Start::new(Family::TrustCertificates, operation, name, work).into())
}

/// `properties.publicBlob`, which is a certificate in hexadecimal.
fn read_blob(body: &[u8]) -> Result<Vec<u8>, ArmError> {
    let body = validate::parse(body)?;
    let body = Object::new(&body, "")?;
    let properties = body.object("properties")?.ok_or_else(|| ArmError::bad_body("properties"))?;
    let text = properties.text("publicBlob")?.ok_or_else(|| ArmError::bad_body("publicBlob"))?;
    let der = hex(text).ok_or_else(|| ArmError::bad_value("PublicBlob"))?;
    let parsed = x509_parser::parse_x509_certificate(&der);
    let whole = parsed.is_ok_and(|(rest, _)| rest.is_empty());
    if whole { Ok(der) } else { Err(ArmError::bad_value("PublicBlob")) }
}

fn endpoint(context: &Context<'_>) -> Result<Value, ArmError> {
    let certificate = context.report.endpoint_certificate()?;
    let mut properties = json!({"publicBlob": to_hex(&certificate.der)});
    if context.version >= ROOTS_SINCE {
        let root = |der: &Vec<u8>| {
            let parsed = x509_parser::parse_x509_certificate(der);
            let subject = parsed.map(|(_, c)| c.subject().to_string()).unwrap_or_default();
            json!({"publicBlob": to_hex(der), "subject": subject})
        };
        properties["trustedRootCertificates"] = certificate.roots.iter().map(root).collect();
    }
    Ok(json!({
        "properties": properties,
        "id": format!("{}/endpointCertificates/{MIRRORING}", context.names().instance_id()),
        "name": MIRRORING,
        "type": "Microsoft.Sql/managedInstances/endpointCertificates",
    }))
}

/// The instance's own certificates.
pub(crate) fn endpoint_list(context: &Context<'_>) -> Result<Outcome, ArmError> {
    Ok(Response::json(200, json!({"value": [endpoint(context)?]})).into())
}

/// One of them.
pub(crate) fn endpoint_one(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    if !name.eq_ignore_ascii_case(MIRRORING) {
        return Err(ArmError::no_resource(ENDPOINT, name));
    }
    Ok(Response::json(200, endpoint(context)?).into())
}
