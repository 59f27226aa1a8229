//! Where a managed instance answers clients, by what Azure says of it.

use milink_arm::ManagedInstanceProperties;
use milink_sql::Server;

/// The port of an instance's public endpoint; inside of its network it is 1433 (Managed instance, public endpoint).
const PUBLIC_PORT: u16 = 3342;

/// The server: its name inside of its network, or its public endpoint. A link's own traffic never takes the latter (Overview, limitations).
///
/// # Errors
/// Azure does not say its name, or it has no public endpoint.
pub(super) fn server(properties: &ManagedInstanceProperties, public: bool) -> Result<Server, String> {
    let name = properties.fully_qualified_domain_name.as_deref().map(|n| n.trim_end_matches('.'));
    let name = name.filter(|n| !n.is_empty()).ok_or("it does not say the instance's name")?;
    let (host, port) = if public {
        if properties.public_data_endpoint_enabled == Some(false) {
            return Err("the public endpoint of the instance is switched off".to_owned());
        }
        let (first, zone) = name.split_once('.').ok_or_else(|| format!("'{name}' has no zone"))?;
        (format!("{first}.public.{zone}"), Some(PUBLIC_PORT))
    } else {
        (name.to_owned(), None)
    };
    let server = Server::parse(&host).map_err(|e| e.to_string())?;
    Ok(Server { port, ..server })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_from_outside() {
        let mut properties = ManagedInstanceProperties {
            fully_qualified_domain_name: Some("mi.a1b2.database.windows.net".to_owned()),
            ..ManagedInstanceProperties::default()
        };
        let at = |p: &ManagedInstanceProperties, public| server(p, public).map(|s| s.to_string());
        assert_eq!(at(&properties, false).as_deref(), Ok("mi.a1b2.database.windows.net"));
        assert_eq!(at(&properties, true).as_deref(), Ok("mi.public.a1b2.database.windows.net,3342"));
        properties.public_data_endpoint_enabled = Some(false);
        assert!(at(&properties, true).is_err_and(|e| e.contains("switched off")));
        for bad in ["", "mi;x.zone", "mi x"] {
            properties.fully_qualified_domain_name = Some(bad.to_owned());
            assert!(at(&properties, false).is_err(), "{bad}");
        }
    }
}
