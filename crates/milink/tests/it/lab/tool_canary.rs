//! Secrets are looked for in all that the tool says and writes: every verb, in each form, where all is well and where it is not.

use std::path::Path;

use super::Lab;
use super::tool_link::Tool;

/// A password that no server takes. It is as secret as one that does.
const WRONG: &str = "c4n4ry-Wrong#Pass1";

/// What an access token begins with: `{"` in Base64.
const TOKEN: &str = "eyJ";

/// Who looks for secrets.
struct Warden<'a> {
    tool: Tool<'a>,
    secrets: Vec<String>,
    commands: usize,
}

impl Warden<'_> {
    fn of(lab: &Lab) -> Warden<'_> {
        let tool = Tool::of(lab);
        let secret = |(name, value): &(String, String)| {
            (name.contains("PASSWORD") || name.contains("SECRET")).then(|| value.clone())
        };
        let mut secrets: Vec<String> = tool.environment.iter().filter_map(secret).collect();
        assert_eq!(secrets.len(), 3, "two logins and a client secret");
        secrets.extend([WRONG.to_owned(), TOKEN.to_owned()]);
        Warden { tool, secrets, commands: 0 }
    }

    /// The secret that is in there.
    fn found(&self, bytes: &[u8]) -> Option<&str> {
        let has = |secret: &&String| {
            let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
            [secret.as_bytes(), &wide].iter().any(|s| bytes.windows(s.len()).any(|w| w == *s))
        };
        self.secrets.iter().find(has).map(String::as_str)
    }

    /// Runs a verb with variables of its own; whether it ended well.
    fn run(&mut self, arguments: &[&str], variables: &[(&str, &str)]) -> bool {
        self.commands += 1;
        // Whatever libraries would log is said too.
        let mut command = self.tool.command(arguments);
        command.env("RUST_LOG", "trace").env("AZURE_LOG", "trace").envs(variables.iter().copied());
        let out = command.output().unwrap();
        for said in [&out.stdout, &out.stderr] {
            if let Some(secret) = self.found(said) {
                panic!("{arguments:?} {variables:?} says {secret}: {}", super::text(said));
            }
        }
        out.status.success()
    }

    fn good(&mut self, arguments: &[&str]) {
        assert!(self.run(arguments, &[]), "{arguments:?}");
    }

    /// Whatever files there are below.
    fn files(&self, folder: &Path) -> usize {
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                seen += self.files(&path);
            } else if let Some(secret) = self.found(&std::fs::read(&path).unwrap()) {
                panic!("{} has {secret}", path.display());
            } else {
                seen += 1;
            }
        }
        seen
    }
}

/// What only looks, before and after there is a link.
const LOOKS: [&[&str]; 17] = [
    &["check", "--name", "sales", "--database", "Chinook"],
    &["plan", "--name", "sales", "--database", "Chinook"],
    &["create", "--name", "sales", "--database", "Chinook", "--what-if"],
    &["script", "--name", "sales", "--database", "Chinook", "--as", "all"],
    &["status"],
    &["list"],
    &["show", "sales"],
    &["doctor", "sales"],
    &["failover", "sales", "--what-if"],
    &["repair", "sales", "--winner", "managed", "--what-if"],
    &["undo", "sales", "--what-if"],
    &["drop", "sales", "--what-if"],
    &["purge", "--what-if"],
    &["objects", "diff"],
    &["objects", "script"],
    &["benefit"],
    &["history"],
];

#[test]
fn no_verb_says_or_writes_a_secret() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let mut warden = Warden::of(&lab);
    // The search finds what is there to be found.
    assert!(warden.found(lab.good(&["env"]).as_bytes()).is_some());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (journal, config, scripts) = (at("journal.db"), at("config"), at("scripts"));
    warden.tool.environment.push(("MILINK_JOURNAL".to_owned(), journal));
    warden.tool.environment.push(("XDG_CONFIG_HOME".to_owned(), config));

    let of = |name: &str, warden: &Warden<'_>| {
        warden.tool.environment.iter().find(|(n, _)| n == name).unwrap().1.clone()
    };
    let server = of("SQLCMDSERVER", &warden);
    let password = of("SQLCMDPASSWORD", &warden);
    let string = format!("Server={server};User ID=sa;Password={password};TrustServerCertificate=true");
    let wrong = format!("Server={server};User ID=sa;Password={WRONG};TrustServerCertificate=true");
    let nowhere = "https://localhost:1";
    let troubles: [&[(&str, &str)]; 4] = [
        &[("SQLCMDPASSWORD", WRONG)],
        &[("MILINK_MANAGED_PASSWORD", WRONG)],
        &[("AZURE_CLIENT_SECRET", WRONG)],
        &[("MILINK_ARM_ENDPOINT", nowhere), ("MILINK_AUTHORITY", nowhere)],
    ];

    // A context keeps where secrets are, and no secret.
    warden.good(&["context", "add", "lab", "--password-from", "env:SQLCMDPASSWORD", "--use"]);
    for verb in [&["context", "list"][..], &["context", "show", "lab"]] {
        for form in ["table", "json", "yaml"] {
            warden.good(&[verb, &["-o", form]].concat());
        }
    }
    assert!(!warden.run(&["context", "add", "other", "--connection-string", &string], &[]));

    warden.good(&["script", "--name", "sales", "--database", "Chinook", "--as", "all", "--dir", &scripts]);
    warden.good(&[
        "create",
        "--name",
        "sales",
        "--database",
        "Chinook",
        "--failover-mode",
        "two-way",
        "--yes",
    ]);
    for look in LOOKS {
        for form in ["table", "json", "yaml"] {
            warden.run(&[look, &["-o", form]].concat(), &[]);
        }
    }
    // A look that somebody is missing from takes its time, and is the same for every verb.
    for look in [
        &["check", "--name", "sales", "--database", "Chinook"][..],
        &["doctor", "sales"],
        &["objects", "diff"],
    ] {
        for trouble in troubles {
            warden.run(look, trouble);
        }
    }
    for (string, well) in [(&string, true), (&wrong, false)] {
        let form = ["--connection-string", string.as_str()];
        assert_eq!(warden.run(&[&["objects", "diff"], &form[..]].concat(), &[]), well);
        warden.run(&[&["status", "-o", "json"], &form[..]].concat(), &[]);
    }
    warden.good(&["script", "--for", "drop", "--name", "sales", "--as", "all", "--dir", &scripts]);
    warden.good(&["failover", "sales", "--yes", "--receipt", "-o", "json"]);
    assert!(!warden.run(&["resume", "sales", "--yes"], &[]));
    warden.good(&["adopt"]);
    warden.run(&["objects", "copy", "--yes"], &[]);
    for trouble in troubles {
        assert!(!warden.run(&["failover", "sales", "--yes"], trouble), "{trouble:?}");
    }
    warden.run(&["drop", "sales", "--yes"], &[]);
    warden.run(&["purge", "--yes"], &[]);
    warden.good(&["history", "--verify"]);
    let written = warden.files(folder.path());
    assert!(warden.commands > 75 && written >= 6, "{} commands, {written} files", warden.commands);
}
