//! Microsoft Entra on the SQL side against a lab: its authority gives tokens, its servers refuse them, and both is said. And the address of
//! the managed instance, which Azure knows.

use super::Lab;
use super::tool_link::Tool;

const USER: [&str; 2] = ["SQLCMDUSER", "SQLCMDPASSWORD"];
const REFUSED: [&str; 2] =
    ["the server refused the token", "The lab instance accepts SQL Server logins only"];

/// What cannot be seen, and why, by a tool that lacks some variables and has others.
fn unseen(lab: &Lab, without: &[&str], with: &[(&str, &str)], flags: &[&str]) -> String {
    let mut tool = Tool::of(lab);
    tool.environment.retain(|(name, _)| !without.contains(&name.as_str()));
    tool.environment.extend(with.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    tool.json(&[&["doctor", "x"], flags].concat())["unknown"].to_string()
}

#[test]
fn tokens_are_asked_for_and_sent_on_both_sides() {
    let lab = Lab::up(&["--sample", "none"]);
    let says = |said: &str, wanted: &[&str]| {
        assert!(wanted.iter().all(|w| said.contains(w)), "{wanted:?}: {said}");
    };
    // -G is whoever is signed in to Azure: in a lab an application with its secret.
    says(&unseen(&lab, &USER, &[], &["-G"]), &REFUSED);
    let wrong = [("AZURE_CLIENT_SECRET", "wrong-canary")];
    let said = unseen(&lab, &USER, &wrong, &["-G"]);
    says(&said, &["SQL Server", "no token can be had: ActiveDirectoryDefault", "AADSTS7000215"]);
    assert!(!said.contains("wrong-canary"), "{said}");
    // sqlcmd's words; the tenant is known elsewhere.
    let variable = |name: &str| {
        let tool = Tool::of(&lab);
        tool.environment.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap()
    };
    let (id, secret) = (variable("AZURE_CLIENT_ID"), variable("AZURE_CLIENT_SECRET"));
    let own = [("SQLCMDUSER", id.as_str()), ("SQLCMDPASSWORD", secret.as_str())];
    let method = ["--authentication-method", "ActiveDirectoryServicePrincipal"];
    says(&unseen(&lab, &USER, &own, &method), &REFUSED);
    says(
        &unseen(&lab, &USER, &[own[0], ("SQLCMDPASSWORD", "no")], &method),
        &["ActiveDirectoryServicePrincipal", "AADSTS"],
    );
    // An ADO.NET connection string, and the environment of the process.
    let server = variable("SQLCMDSERVER");
    let string =
        format!("Server={server};Authentication=Active Directory Default;TrustServerCertificate=true");
    let string = [("MILINK_CONNECTION_STRING", string.as_str())];
    says(&unseen(&lab, &["SQLCMDUSER", "SQLCMDPASSWORD", "SQLCMDSERVER"], &string, &[]), &REFUSED);
    let environment = ["--authentication-method", "ActiveDirectoryEnvironment"];
    says(&unseen(&lab, &USER, &[], &environment), &REFUSED);
    // A workload's token is shown to the authority, which does not know it.
    let file = lab.data().join("workload-token");
    std::fs::write(&file, "eyJhbGciOiJub25lIn0.e30.").unwrap();
    let file = [("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap())];
    let workload = ["--authentication-method", "ActiveDirectoryWorkloadIdentity"];
    says(&unseen(&lab, &USER, &file, &workload), &["no token can be had: ActiveDirectoryWorkloadIdentity"]);
    // The other side.
    let managed = ["MILINK_MANAGED_USER", "MILINK_MANAGED_PASSWORD"];
    let said = unseen(&lab, &managed, &[], &["--managed-authentication", "ActiveDirectoryDefault"]);
    says(&said, &REFUSED);
    assert!(said.contains("managed instance") && !said.contains("SQL Server:"), "{said}");
    // What needs a browser is refused by its name.
    let mut tool = Tool::of(&lab);
    tool.environment.retain(|(name, _)| !USER.contains(&name.as_str()));
    let (code, said) = tool.bad(&["doctor", "x", "-G", "-U", "me@example.org"]);
    assert!(code == 2 && said.contains("ActiveDirectoryInteractive is not supported here"), "{said}");
}

#[test]
fn the_managed_instances_address_is_learnt_from_azure() {
    let lab = Lab::up(&["--sample", "none"]);
    // NB: Azure tells a name and no port, and a lab's instance has another one than 1433: that it was sought where Azure says is all that
    // can be seen here.
    let quick = ["-l", "2"];
    let said = unseen(&lab, &["MILINK_MANAGED_SERVER"], &[], &quick);
    assert!(said.contains("lab-mi.localhost"), "{said}");
    let mut tool = Tool::of(&lab);
    tool.environment.retain(|(name, _)| name != "MILINK_MANAGED_SERVER");
    let out = tool.run(&["doctor", "x", "--managed-public-endpoint"]);
    let said = super::text(&out.stderr);
    assert!(said.contains("the public endpoint of the instance is switched off"), "{said}");
}
