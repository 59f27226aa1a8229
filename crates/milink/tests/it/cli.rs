//! What every verb has in common: help, exit codes, contexts, completions, manual pages; and that no secret shows.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What must be seen nowhere.
const CANARY: &str = "canary-7f3a";

/// A home of its own for each test, and none of the user's variables.
struct Home {
    folder: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Home {
    fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Home {
        self.environment.push((name, value.to_owned()));
        self
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join(".config/milink/config.toml")
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milink"));
        command.args(words).env_clear().env("HOME", self.folder.path());
        command.envs(self.environment.iter().map(|(n, v)| (n, v)));
        Ran::of(command.output().unwrap(), self.folder.path())
    }
}

/// What a run printed, with its home called `~`.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output, home: &Path) -> Ran {
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&home.display().to_string(), "~");
        let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{}{}", ran.out, ran.err);
        ran
    }

    fn good(self) -> Ran {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    fn failed(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert_eq!(self.out, "", "what failed has no data");
        self
    }
}

/// All verbs, as the help lists them, each with the words that lead to it.
fn verbs(home: &Home, path: &[String]) -> Vec<Vec<String>> {
    let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
    words.push("--help");
    let help = home.run(&words).good().out;
    assert!(help.contains("Usage: milink"), "{path:?}: {help}");
    let mut out = vec![path.to_vec()];
    let Some(list) = help.split("\nCommands:\n").nth(1) else { return out };
    for line in list.lines().take_while(|l| !l.is_empty()) {
        let Some(verb) = line.strip_prefix("  ").filter(|l| !l.starts_with(' ')) else { continue };
        let verb = verb.split_whitespace().next().unwrap();
        if verb != "help" {
            out.extend(verbs(home, &[path, &[verb.to_owned()]].concat()));
        }
    }
    out
}

#[test]
fn every_verb_has_help_and_refuses_what_it_does_not_know() {
    let home = Home::new();
    let all = verbs(&home, &[]);
    assert!(all.len() >= 20, "{all:?}");
    for path in all {
        let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
        words.push("--no-such-flag");
        let ran = home.run(&words).failed(2);
        assert!(ran.err.contains("--no-such-flag") && ran.err.contains("Usage"), "{path:?}: {}", ran.err);
    }
    let ran = home.run(&["contxet"]).failed(2);
    assert!(ran.err.contains("context"), "it knows what was meant: {}", ran.err);
    let help = home.run(&["--help"]).good().out;
    for line in ["  5    an answer was lost", "SQLCMDPASSWORD", "MILINK_MANAGED_SERVER"] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn contexts_come_and_go() {
    let home = Home::new();
    let empty = home.run(&["context", "list"]).good();
    assert_eq!(
        empty.out,
        "There is no context in ~/.config/milink/config.toml; make one: milink context add NAME ...\n"
    );
    let none = home.run(&["context", "show"]).failed(3);
    assert_eq!(
        none.err,
        "error: there is no current context\n\
         \x20 where: ~/.config/milink/config.toml\n\
         \x20 now:   nothing was changed\n\
         \x20 next:  name one, or choose one: milink context use NAME\n"
    );
    let add = [
        "context",
        "add",
        "prod",
        "-S",
        "tcp:prod,1433",
        "-U",
        "sa",
        "--password-from",
        "keyring:milink/prod",
        "-N",
        "strict",
        "--instance-name",
        "mi",
        "-g",
        "rg",
        "--subscription",
        "s",
    ];
    let added = home.run(&add).good();
    assert_eq!(
        added.out,
        "name     prod\n\
         current  no\n\
         file     ~/.config/milink/config.toml\n\
         \n\
         SQL Server\n\
         \x20 server    tcp:prod,1433\n\
         \x20 user      sa\n\
         \x20 password  keyring:milink/prod\n\
         \x20 encrypt   strict\n\
         \n\
         Azure\n\
         \x20 subscription   s\n\
         \x20 resourceGroup  rg\n\
         \x20 instanceName   mi\n"
    );
    assert!(added.err.contains("milink context use prod"), "{}", added.err);
    let again = home.run(&add).failed(2);
    assert!(again.err.contains("there is a context 'prod' already") && again.err.contains("--replace"));
    home.run(&["context", "add", "test", "--managed-server", "t", "--use", "--only-show-errors"]).good();
    let text = std::fs::read_to_string(home.config()).unwrap();
    assert_eq!(
        text,
        "version = 1\ncurrent = \"test\"\n\n\
         [contexts.prod.sql_server]\nserver = \"tcp:prod,1433\"\nuser = \"sa\"\n\
         password = \"keyring:milink/prod\"\nencrypt = \"strict\"\n\n\
         [contexts.prod.azure]\nsubscription = \"s\"\nresource_group = \"rg\"\ninstance_name = \"mi\"\n\n\
         [contexts.test.managed]\nserver = \"t\"\n"
    );
    let list = home.run(&["context", "list"]).good();
    assert_eq!(
        list.out,
        "Current  Name  SQL Server     Managed instance  Azure\n\
         -------- ----- -------------- ----------------- -----\n\
         \x20        prod  tcp:prod,1433                    mi\n\
         *        test                 t\n"
    );
    home.run(&["context", "use", "prod"]).good();
    let json: serde_json::Value =
        serde_json::from_str(&home.run(&["context", "show", "-o", "json"]).good().out).unwrap();
    assert_eq!(json["schemaVersion"], 1);
    assert_eq!(json["sqlServer"]["password"], "keyring:milink/prod");
    let names = home.run(&["context", "list", "--query", "contexts[?current].name", "-o", "tsv"]).good();
    assert_eq!(names.out, "prod\n");
    let yaml =
        home.run(&["context", "list", "--query", "contexts[].{is: current, of: name}", "-o", "yaml"]).good();
    assert_eq!(yaml.out, "- is: true\n  of: prod\n- is: false\n  of: test\n");
    home.run(&["context", "remove", "prod"]).good();
    let gone = home.run(&["context", "show", "prod", "-o", "json"]).failed(3);
    let last: serde_json::Value = serde_json::from_str(gone.err.lines().last().unwrap()).unwrap();
    assert_eq!((&last["exitCode"], &last["error"]["code"]), (&3.into(), &"notFound".into()));
    assert!(last["error"]["next"].as_str().unwrap().contains("test"));
}

#[test]
fn wrong_queries_and_forms_are_refused_before_anything_is_done() {
    let home = Home::new();
    let ran = home.run(&["context", "add", "x", "-S", "h", "--query", "a["]).failed(2);
    assert!(ran.err.contains("--query") && ran.err.contains("column"), "{}", ran.err);
    let ran = home.run(&["context", "add", "x", "-S", "h", "-o", "xml"]).failed(2);
    assert!(ran.err.contains("table, json, tsv, yaml"), "{}", ran.err);
    assert!(!home.config().exists());
}

#[test]
fn a_secret_is_never_kept_nor_shown() {
    let home = Home::new().with("SQLCMDPASSWORD", CANARY).with("AZURE_CLIENT_SECRET", CANARY);
    let string = format!("Server=h;User ID=u;Password={CANARY}");
    for words in [
        ["-P", CANARY],
        ["--password-from", CANARY],
        ["--managed-password-from", CANARY],
        ["--client-secret-from", CANARY],
        ["--connection-string", &string],
        ["--managed-connection-string", &string],
    ] {
        let ran = home.run(&["context", "add", "x", words[0], words[1]]).failed(2);
        assert!(ran.err.contains("env:NAME, file:PATH or keyring:SERVICE/USER"), "{words:?}: {}", ran.err);
    }
    home.run(&["context", "add", "x", "-S", "h", "-U", "u", "--password-from", "env:SQLCMDPASSWORD"]).good();
    for form in ["table", "json", "tsv", "yaml"] {
        home.run(&["context", "show", "x", "-o", form]).good();
        home.run(&["context", "list", "-o", form]).good();
    }
    assert!(!std::fs::read_to_string(home.config()).unwrap().contains(CANARY));
    // Somebody wrote one into the file: it is refused, and not quoted.
    std::fs::write(home.config(), format!("version = 1\n[contexts.a.sql_server]\npassword = \"{CANARY}\"\n"))
        .unwrap();
    let ran = home.run(&["context", "list"]).failed(2);
    assert!(
        ran.err.contains("config.toml, line 3") && ran.err.contains("keyring:SERVICE/USER"),
        "{}",
        ran.err
    );
    // The help names variables, and never their values.
    for path in verbs(&home, &[]) {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        home.run(&words).good();
    }
}

#[test]
fn errors_are_explained() {
    let home = Home::new();
    let ran = home.run(&["explain", "1475", "-o", "json"]).good();
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&json["schemaVersion"], &json["error"]), (&1.into(), &"1475".into()));
    assert!(json["fix"].as_str().unwrap().to_lowercase().contains("backup"), "{json}");
    let ran = home.run(&["explain", "999999"]).failed(3);
    assert!(ran.err.contains("sys.messages"), "{}", ran.err);
}

#[test]
fn tables_fit_the_terminal() {
    let home = Home::new().with("COLUMNS", "40");
    let ran = home.run(&["explain", "1475"]).good();
    assert!(ran.out.lines().count() > 8 && ran.out.lines().all(|l| l.chars().count() <= 40), "{}", ran.out);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let home = Home::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_milink"))
        .args(["completion", "bash"])
        .env("HOME", home.folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output().unwrap(), home.folder.path()).good();
    assert_eq!(ran.err, "");
}

#[test]
fn completions_are_scripts() {
    let home = Home::new();
    let script = home.folder.path().join("completion");
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let text = home.run(&["completion", shell]).good().out;
        assert!(text.contains("password-from"), "{shell} knows flags");
        std::fs::write(&script, text).unwrap();
        // Those that this machine has.
        let check = Command::new(shell).arg("-n").arg(&script).output();
        if let Ok(ran) = check
            && shell != "powershell"
        {
            assert!(ran.status.success(), "{shell}: {}", String::from_utf8_lossy(&ran.stderr));
        } else {
            assert_ne!(shell, "bash", "bash is everywhere");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_each_verb() {
    let home = Home::new();
    let dir = home.folder.path().join("man");
    home.run(&["man", "--dir", dir.to_str().unwrap()]).good();
    let page = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert!(page("milink.1").contains("SQLCMDPASSWORD"));
    for path in verbs(&home, &[]) {
        let name =
            std::iter::once("milink").chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
        assert!(page(&format!("{name}.1")).contains(".SH NAME"), "{name}");
    }
    let file = home.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let ran = home.run(&["man", "--dir", file.to_str().unwrap()]).failed(1);
    assert!(ran.err.contains("  next:  name a folder that can be written"), "{}", ran.err);
}
