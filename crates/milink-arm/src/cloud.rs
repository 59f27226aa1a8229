//! The clouds: where Resource Manager and the authority are, and who tokens are for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A cloud. Every address is `https://host[:port]`, without a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloud {
    /// Azure Resource Manager.
    pub arm_endpoint: String,
    /// Who gives tokens.
    pub authority: String,
    /// Who Resource Manager's tokens are for.
    pub audience: String,
    /// Who tokens for the SQL side are for.
    pub sql_audience: String,
    /// What names of managed instances end in, without a dot before it.
    pub sql_suffix: String,
}

impl Cloud {
    fn known(arm: &str, authority: &str, suffix: &str) -> Cloud {
        Cloud {
            arm_endpoint: arm.to_owned(),
            authority: authority.to_owned(),
            audience: arm.to_owned(),
            sql_audience: sql_audience(suffix),
            sql_suffix: suffix.to_owned(),
        }
    }

    /// Azure.
    pub fn public() -> Cloud {
        Cloud::known(
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "database.windows.net",
        )
    }

    /// Azure Government.
    pub fn government() -> Cloud {
        Cloud::known(
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "database.usgovcloudapi.net",
        )
    }

    /// Azure in China.
    pub fn china() -> Cloud {
        Cloud::known(
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "database.chinacloudapi.cn",
        )
    }

    /// The cloud that one of the Azure CLI's names means.
    pub fn named(name: &str) -> Option<Cloud> {
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        if is(&["AzureCloud", "AzurePublicCloud", "public"]) {
            Some(Cloud::public())
        } else if is(&["AzureUSGovernment", "government"]) {
            Some(Cloud::government())
        } else if is(&["AzureChinaCloud", "china"]) {
            Some(Cloud::china())
        } else {
            None
        }
    }

    /// Reads what `/metadata/endpoints` answers: one cloud (2022-09-01), or a list of clouds (2020-06-01), of which the one
    /// at that address is taken.
    pub(crate) fn from_metadata(arm_endpoint: &str, answer: &Value) -> Result<Cloud, String> {
        let here = trimmed(arm_endpoint);
        let own = |cloud: &&Value| {
            let at = cloud.get("resourceManager").and_then(Value::as_str).unwrap_or_default();
            trimmed(at).eq_ignore_ascii_case(here)
        };
        let one = match answer {
            Value::Array(clouds) => clouds
                .iter()
                .find(own)
                .or_else(|| clouds.first().filter(|_| clouds.len() == 1))
                .ok_or_else(|| format!("none of its {} clouds is at {here}", clouds.len()))?,
            other => other,
        };
        let metadata: Metadata = serde_json::from_value(one.clone())
            .map_err(|error| format!("its clouds cannot be read: {error}"))?;
        let authority = trimmed(&metadata.authentication.login_endpoint).to_owned();
        let audience = metadata.authentication.audiences.into_iter().next();
        let suffix = metadata.suffixes.and_then(|s| s.sql_server_hostname).unwrap_or_default();
        let suffix = suffix.trim_start_matches('.');
        let suffix = if suffix.is_empty() { "database.windows.net" } else { suffix };
        Ok(Cloud {
            arm_endpoint: here.to_owned(),
            authority,
            audience: audience.unwrap_or_else(|| here.to_owned()),
            sql_audience: sql_audience(suffix),
            sql_suffix: suffix.to_owned(),
        })
    }
}

/// A cloud does not say who tokens for its SQL side are for. In Azure's own clouds it is the zone; elsewhere the zone need
/// be no such name, and the public cloud's is what servers know.
fn sql_audience(suffix: &str) -> String {
    let zone = if suffix.starts_with("database.") { suffix } else { "database.windows.net" };
    format!("https://{zone}/")
}

fn trimmed(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[derive(Deserialize)]
struct Metadata {
    authentication: Authentication,
    suffixes: Option<Suffixes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    login_endpoint: String,
    #[serde(default)]
    audiences: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suffixes {
    sql_server_hostname: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cloud(at: &str) -> Value {
        json!({
            "name": "x",
            "authentication": {
                "loginEndpoint": format!("{at}/login/"),
                "audiences": [format!("{at}/"), "https://other/"],
            },
            "resourceManager": format!("{at}/"),
            "suffixes": { "sqlServerHostname": ".database.example" },
        })
    }

    #[test]
    fn reads_one_cloud_and_a_list_of_clouds() {
        let one = Cloud::from_metadata("https://arm:8443/", &cloud("https://arm:8443")).unwrap();
        assert_eq!(one.arm_endpoint, "https://arm:8443");
        assert_eq!(one.authority, "https://arm:8443/login");
        assert_eq!(one.audience, "https://arm:8443/");
        assert_eq!(one.sql_suffix, "database.example");
        assert_eq!(one.sql_audience, "https://database.example/");
        let list = json!([cloud("https://other"), cloud("https://ARM:8443")]);
        let found = Cloud::from_metadata("https://arm:8443", &list).unwrap();
        assert_eq!(found.authority, "https://ARM:8443/login");
        assert!(Cloud::from_metadata("https://third", &list).unwrap_err().contains("none of its 2 clouds"));
        assert!(Cloud::from_metadata("https://third", &json!({"x": 1})).is_err());
    }

    #[test]
    fn the_least_that_a_cloud_may_say_is_enough() {
        let least =
            json!({"authentication": {"loginEndpoint": "https://a", "audiences": []}, "suffixes": {}});
        let cloud = Cloud::from_metadata("https://a", &least).unwrap();
        assert_eq!(
            (cloud.audience.as_str(), cloud.sql_audience.as_str()),
            ("https://a", "https://database.windows.net/")
        );
    }
}
