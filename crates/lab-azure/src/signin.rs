//! Signing in: what a cloud is, where its directory is, and tokens for client secrets.

use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use crate::access::Account;
use crate::clock::{iso, spoken};
use crate::context::Estate;
use crate::error::ArmError;
use crate::message::{Request, Response, pairs};
use crate::target::Target;
use crate::token::{Claims, Signer};

/// Names by which a directory may be called that is not known yet.
const ANY_TENANT: [&str; 3] = ["common", "organizations", "consumers"];
/// What tokens for Azure Resource Manager may be for, besides the address by which the client calls it.
const MANAGEMENT: [&str; 2] = ["https://management.azure.com", "https://management.core.windows.net"];
/// What tokens for the instance itself are for: Resource Manager takes none of these.
const DATABASE: &str = "https://database.windows.net";

/// Answers what is asked without a token.
pub(crate) fn answer(
    estate: &Estate,
    signer: &Signer,
    request: &Request,
    target: &Target,
    now_ms: i64,
) -> Response {
    match target {
        Target::Metadata => Response::json(200, metadata(estate, request)),
        Target::InstanceDiscovery => Response::json(200, discovery(estate, request)),
        Target::OpenId { tenant, v2 } => match known_tenant(estate, tenant, now_ms) {
            Ok(tenant) => Response::json(200, open_id(&request.origin, &tenant, *v2)),
            Err(error) => error,
        },
        Target::Keys { .. } => Response::json(200, signer.key_set()),
        Target::Token { tenant, v2 } => token(estate, signer, request, tenant, *v2, now_ms),
        _ => ArmError::internal().response(),
    }
}

/// What `az cloud register` and the libraries read. Old versions wanted a list of clouds.
fn metadata(estate: &Estate, request: &Request) -> Value {
    let origin = &request.origin;
    let cloud = json!({
        "name": "milink-lab",
        "portal": origin,
        "authentication": {
            "loginEndpoint": origin,
            "audiences": [format!("{origin}/"), MANAGEMENT[1], MANAGEMENT[0]],
            "tenant": estate.names.tenant_id,
            "identityProvider": "AAD",
        },
        "resourceManager": origin,
        "activeDirectoryDataLake": origin,
        "graph": origin,
        "graphAudience": origin,
        "microsoftGraphResourceId": format!("{origin}/"),
        "sqlManagement": format!("{origin}/"),
        "media": origin,
        "gallery": origin,
        "batch": origin,
        "suffixes": {"sqlServerHostname": estate.managed.fqdn.split_once('.').map_or("localhost", |(_, zone)| zone)},
    });
    let listed = request.parameter("api-version").is_some_and(|v| v < "2022-09-01" && v > "2019-05-01");
    if listed { json!([cloud]) } else { cloud }
}

fn discovery(estate: &Estate, request: &Request) -> Value {
    let host = request.origin.trim_start_matches("https://");
    json!({
        "tenant_discovery_endpoint":
            format!("{}/{}/v2.0/.well-known/openid-configuration", request.origin, estate.names.tenant_id),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    })
}

/// The directory's id, by whichever name it was called.
fn known_tenant(estate: &Estate, called: &str, now_ms: i64) -> Result<String, Response> {
    let own = &estate.names.tenant_id;
    let known = called.eq_ignore_ascii_case(own)
        || called.eq_ignore_ascii_case("lab.localhost")
        || ANY_TENANT.iter().any(|t| t.eq_ignore_ascii_case(called));
    if known {
        return Ok(own.clone());
    }
    let what = format!(
        "Tenant '{called}' not found. Check to make sure you have the correct tenant ID and are signing into the correct \
         cloud."
    );
    Err(refusal(400, "invalid_tenant", 90_002, &what, now_ms))
}

fn open_id(origin: &str, tenant: &str, v2: bool) -> Value {
    let (version, issuer) = if v2 { ("/v2.0", "/v2.0") } else { ("", "/") };
    json!({
        "token_endpoint": format!("{origin}/{tenant}/oauth2{version}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "jwks_uri": format!("{origin}/{tenant}/discovery{version}/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "response_types_supported": ["token"],
        "scopes_supported": ["openid", "profile"],
        "issuer": format!("{origin}/{tenant}{issuer}"),
        "authorization_endpoint": format!("{origin}/{tenant}/oauth2{version}/authorize"),
        "device_authorization_endpoint": format!("{origin}/{tenant}/oauth2{version}/devicecode"),
        "end_session_endpoint": format!("{origin}/{tenant}/oauth2{version}/logout"),
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver"],
        "tenant_region_scope": null,
        "cloud_instance_name": origin.trim_start_matches("https://"),
    })
}

/// An error as the directory puts it.
fn refusal(status: u16, error: &str, number: u32, what: &str, now_ms: i64) -> Response {
    let id = crate::random::guid().unwrap_or_default();
    let timestamp = iso(now_ms / 1000 * 1000).replace('T', " ");
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{number}: {what} Trace ID: {id} Correlation ID: {id} Timestamp: {timestamp}"),
        "error_codes": [number],
        "timestamp": timestamp,
        "trace_id": id,
        "correlation_id": id,
    });
    Response::json(status, body)
}

/// Which resource a token is wanted for. A scope is the resource with `/.default` behind it, and a resource often ends in
/// `/`, so that there are two.
fn audience(form: &[(String, String)], v2: bool) -> Option<&str> {
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let asked = if v2 {
        let scopes = field("scope")?.split(' ');
        let scope = scopes.into_iter().find(|s| s.ends_with("/.default"))?;
        scope.strip_suffix("/.default")?
    } else {
        field("resource")?
    };
    Some(asked.trim_end_matches('/'))
}

/// `Authorization: Basic` of a client that does not put its secret into the form (RFC 6749, section 2.3.1).
fn basic(request: &Request) -> Option<(String, String)> {
    use base64::Engine as _;
    let value = request.authorization.as_deref()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn is_management(audience: &str, origin: &str) -> bool {
    let port = |url: &str| url.rsplit_once(':').map(|(_, port)| port.to_owned());
    // However the client calls this machine, it is the same port of it.
    let own = audience.starts_with("https://") && port(audience) == port(origin) && port(audience).is_some();
    own || audience.eq_ignore_ascii_case(origin)
        || MANAGEMENT.iter().any(|m| m.eq_ignore_ascii_case(audience))
}

fn token(
    estate: &Estate,
    signer: &Signer,
    request: &Request,
    tenant: &str,
    v2: bool,
    now_ms: i64,
) -> Response {
    let tenant = match known_tenant(estate, tenant, now_ms) {
        Ok(tenant) => tenant,
        Err(error) => return error,
    };
    let form = pairs(&String::from_utf8_lossy(&request.body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let invalid = |number, what: &str| refusal(400, "invalid_request", number, what, now_ms);
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        None => {
            let what = "The request body must contain the following parameter: 'grant_type'.";
            return invalid(900_144, what);
        }
        Some(other) => {
            let what = format!("The app requested an unsupported grant type '{other}'.");
            return refusal(400, "unsupported_grant_type", 70_003, &what, now_ms);
        }
    }
    let (client, secret) = match (field("client_id"), field("client_secret"), basic(request)) {
        (Some(client), Some(secret), _) | (_, _, Some((client, secret))) => (client, secret),
        (None, ..) => {
            return invalid(900_144, "The request body must contain the following parameter: 'client_id'.");
        }
        (Some(_), None, None) => {
            let what = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return refusal(401, "invalid_client", 7_000_218, what, now_ms);
        }
    };
    let account = estate.accounts.iter().find(|a| a.client_id.eq_ignore_ascii_case(&client));
    let Some(account) = account else {
        let what = format!(
            "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the application \
             has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
            estate.names.subscription_name
        );
        return refusal(400, "unauthorized_client", 700_016, &what, now_ms);
    };
    if !bool::from(account.client_secret.as_bytes().ct_eq(secret.as_bytes())) {
        let what = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not \
             the client secret ID, for a secret added to app '{client}'."
        );
        return refusal(401, "invalid_client", 7_000_215, &what, now_ms);
    }
    let Some(audience) = audience(&form, v2) else {
        let name = if v2 { "scope" } else { "resource" };
        return invalid(
            900_144,
            &format!("The request body must contain the following parameter: '{name}'."),
        );
    };
    if !is_management(audience, &request.origin) && audience != DATABASE {
        let what = format!(
            "The resource principal named {audience} was not found in the tenant named {}.",
            estate.names.subscription_name
        );
        return refusal(400, "invalid_resource", 500_011, &what, now_ms);
    }
    issue(estate, signer, request, &tenant, account, audience, now_ms)
}

fn issue(
    estate: &Estate,
    signer: &Signer,
    request: &Request,
    tenant: &str,
    account: &Account,
    audience: &str,
    now_ms: i64,
) -> Response {
    let now = now_ms / 1000;
    let lifetime = estate.timing.token_lifetime.as_secs() as i64;
    let claims = Claims {
        aud: audience.to_owned(),
        iss: format!("{}/{tenant}/", request.origin),
        iat: now,
        nbf: now,
        exp: now + lifetime,
        appid: account.client_id.clone(),
        oid: account.object_id.clone(),
        sub: account.object_id.clone(),
        tid: tenant.to_owned(),
        ver: "1.0".to_owned(),
        idtyp: "app".to_owned(),
    };
    match signer.token(&claims) {
        Some(token) => Response::json(
            200,
            json!({
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "expires_on": (now + lifetime).to_string(),
                "not_before": now.to_string(),
                "resource": audience,
                "access_token": token,
            }),
        )
        .with("Cache-Control", "no-store, no-cache"),
        None => {
            refusal(500, "server_error", 90_033, "A transient error has occurred. Please try again.", now_ms)
        }
    }
}

/// Who a request comes from, by its token.
pub(crate) fn authenticate<'a>(
    estate: &'a Estate,
    signer: &Signer,
    request: &Request,
    now_ms: i64,
) -> Result<&'a Account, ArmError> {
    let refuse = |code: &str, message: &str| {
        ArmError::unauthorized(&estate.names.tenant_id, &request.origin, code, message)
    };
    let header = request.authorization.as_deref().ok_or_else(|| {
        refuse("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    })?;
    let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    let token = token.map(|(_, token)| token.trim()).ok_or_else(|| {
        let message = "Authentication failed. The 'Authorization' header is provided in an invalid format.";
        refuse("AuthenticationFailedInvalidHeader", message)
    })?;
    let invalid = || refuse("InvalidAuthenticationToken", "The access token is invalid.");
    let claims = signer.read(token).ok_or_else(invalid)?;
    let now = now_ms / 1000;
    if claims.exp <= now {
        let message = format!(
            "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
            spoken(claims.exp * 1000),
            spoken(now_ms)
        );
        return Err(refuse("ExpiredAuthenticationToken", &message));
    }
    // Five minutes: what clocks may differ by.
    if claims.nbf > now + 300 || !claims.tid.eq_ignore_ascii_case(&estate.names.tenant_id) {
        return Err(invalid());
    }
    if !is_management(&claims.aud, &request.origin) {
        let message = format!(
            "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of \
             the allowed audiences '{}/','{}/'.",
            claims.aud, request.origin, MANAGEMENT[0]
        );
        return Err(refuse("InvalidAuthenticationTokenAudience", &message));
    }
    estate.accounts.iter().find(|a| a.client_id == claims.appid).ok_or_else(invalid)
}
