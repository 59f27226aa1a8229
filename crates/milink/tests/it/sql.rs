//! `milink sql` and the life of an instance.

use crate::Instance;

fn corpus(name: &str) -> String {
    format!("{}/../../../shared/corpus/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn both_corpora_load_unedited() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let loaded = lab.sql(&["-b", "-i", &corpus("Chinook_SqlServer.sql")]);
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    lab.query("master", "CREATE DATABASE Northwind");
    let loaded = lab.sql(&["-b", "-d", "Northwind", "-i", &corpus("instnwnd.sql")]);
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    // Counts of the rows that the scripts insert.
    let chinook = [
        ("Album", 347),
        ("Artist", 275),
        ("Customer", 59),
        ("Invoice", 412),
        ("InvoiceLine", 2240),
        ("PlaylistTrack", 8715),
        ("Track", 3503),
    ];
    for (table, rows) in chinook {
        assert_eq!(
            lab.query("Chinook", &format!("SELECT COUNT(*) FROM {table}")),
            [rows.to_string()],
            "{table}"
        );
    }
    let northwind = [
        ("Customers", 91),
        ("Orders", 830),
        ("[Order Details]", 2155),
        ("Products", 77),
        ("Employees", 9),
        ("EmployeeTerritories", 49),
    ];
    for (table, rows) in northwind {
        assert_eq!(
            lab.query("Northwind", &format!("SELECT COUNT(*) FROM {table}")),
            [rows.to_string()],
            "{table}"
        );
    }
    assert_eq!(
        lab.query("Northwind", "EXEC [Ten Most Expensive Products]").first().map(String::as_str),
        Some("Côte de Blaye\t263.5000")
    );
    assert_eq!(lab.query("Northwind", "EXEC CustOrderHist 'ALFKI'").len(), 11);
    assert_eq!(lab.query("Northwind", "SELECT COUNT(*) FROM Invoices"), ["2155"]);
    let subtotals = lab.query(
        "Northwind",
        "SELECT OrderID, Subtotal FROM [Order Subtotals] WHERE OrderID < 10253 ORDER BY OrderID",
    );
    assert_eq!(
        subtotals,
        ["10248\t440.0000", "10249\t1863.4000", "10250\t1552.6000", "10251\t654.0600", "10252\t3597.9000"]
    );
    // The view rounds each line by way of money, so its total is near the exact 1265793.0395, not equal to it.
    assert_eq!(
        lab.query("Northwind", "SELECT CAST(SUM(Subtotal) / 1000 AS decimal(12,2)) FROM [Order Subtotals]"),
        ["1265.79"]
    );
}

#[test]
fn flags_and_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let bad = lab.sql(&["-b", "-Q", "SELECT nope"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(text(&bad.stderr).contains("Msg 207, Level 16, State 1"));
    assert!(
        lab.sql(&["-Q", "SELECT nope"]).status.success(),
        "without -b an error does not show in the exit code"
    );
    let both = lab.sql(&["-Q", "SELECT 1/0 SELECT 2 AS two"]);
    assert!(text(&both.stdout).contains("two") && text(&both.stderr).contains("8134"));
    let wrong = lab.sql_as("wrong", &["-Q", "SELECT 1"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("18456"));
    let missing = lab.sql(&["-i", "/nowhere.sql"]);
    assert!(!missing.status.success() && text(&missing.stderr).contains("/nowhere.sql"));
    let json = lab.sql(&["--output", "json", "-v", "x=7", "-Q", "SELECT $(x) AS a, N'é' AS b, NULL AS c"]);
    assert_eq!(text(&json.stdout).trim(), r#"{"columns":["a","b","c"],"rows":[[7,"é",null]]}"#);
    let script = folder.path().join("s.sql");
    std::fs::write(
        &script,
        "CREATE TABLE #t (n int)\nGO\nINSERT INTO #t VALUES (1)\nGO 3\nSELECT COUNT(*) AS n FROM #t\n",
    )
    .unwrap();
    assert_eq!(text(&lab.sql(&["--output", "tsv", "-i", script.to_str().unwrap()]).stdout), "n\n3\n");
    let file = folder.path().join("out.txt");
    lab.sql(&["-o", file.to_str().unwrap(), "-Q", "SELECT 5 AS five"]);
    assert!(std::fs::read_to_string(&file).unwrap().contains("five"));
    assert!(!lab.sql(&["-E", "-Q", "SELECT 1"]).status.success());
}

#[test]
fn an_instance_keeps_what_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lab = Instance::start(&data);
    lab.query("master", "CREATE DATABASE d");
    lab.query("d", "CREATE TABLE t (a int IDENTITY PRIMARY KEY, b nvarchar(20)) INSERT INTO t (b) VALUES (N'å'), (N'b') SELECT 1");
    lab.query("master", "CREATE LOGIN bob WITH PASSWORD = 'Bob#Pass123' SELECT 1");
    lab.kill();
    let lab = Instance::start(&data);
    assert_eq!(
        lab.query("d", "INSERT INTO t (b) VALUES (N'c') SELECT a, b FROM t ORDER BY a"),
        ["1\tå", "2\tb", "3\tc"]
    );
    assert_eq!(lab.query("master", "SELECT name FROM sys.sql_logins WHERE name = 'bob'"), ["bob"]);
}

#[test]
fn a_start_that_cannot_be_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stranger"), "x").unwrap();
    let start = |password: &str, data: &std::path::Path| {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_milink"))
            .args(["lab", "serve-instance", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("MSSQL_SA_PASSWORD", password)
            .output()
            .unwrap();
        assert!(!out.status.success());
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    assert!(start(crate::PASSWORD, folder.path()).contains("holds no lab instance"));
    assert!(start("", &folder.path().join("new")).contains("MSSQL_SA_PASSWORD"));
    assert!(start("short", &folder.path().join("new")).contains("too weak"));
}

/// What `milink sql` says of a wrong call: its exit code, and what it prints on standard error.
fn complaint(arguments: &[&str]) -> (Option<i32>, String) {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_milink"))
        .arg("sql")
        .args(arguments)
        .env("SQLCMDPASSWORD", crate::PASSWORD)
        .env_remove("SSL_CERT_FILE")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let server = format!("127.0.0.1,{}", lab.port);
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (binary, circle) = (file("bin.sql", b"SELECT 1\0"), file("circle.sql", b":r circle.sql"));
    let (open, none) = (file("open.sql", b"SELECT 1 /* without end"), file("none.sql", b"SELECT 1\nGO 0"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("127.0.0.1,{free}");
    let script = |path: &str| ["-S", &server, "-U", "sa", "-C", "-b", "-i", path].map(str::to_owned);
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--nothing"], &["--nothing"]),
        (&["-S", &nobody, "-U", "sa", "-Q", "SELECT 1"], &[&nobody, "nothing listens"]),
        (&["-S", "127.0.0.1,99999", "-U", "sa", "-Q", "SELECT 1"], &["99999", "1 to 65535"]),
        (&["-S", &server, "-U", "sa", "-Q", "SELECT 1"], &[&server, "self-signed", "-C"]),
        (&["-S", &server, "-U", "sa", "-C", "-N", "s", "-Q", "SELECT 1"], &["self-signed", "-J"]),
        (&["-S", &server, "-C", "-Q", "SELECT 1"], &["-U", "SQLCMDPASSWORD"]),
        (&["-S", &server, "-U", "sa", "-C", "-d", "nope", "-Q", "SELECT 1"], &["4060", "nope"]),
        (&["-S", &server, "-U", "sa", "-C", "-b", "-t", "1", "-Q", "WAITFOR DELAY '0:0:9'"], &["-t"]),
    ];
    for (arguments, wanted) in cases {
        let (code, said) = complaint(arguments);
        assert!(code.is_some_and(|c| c != 0), "{arguments:?}");
        assert!(wanted.iter().all(|w| said.contains(w)), "{arguments:?} said {said}");
    }
    for (path, wanted) in [(binary, "no text"), (circle, "too deeply"), (open, "Msg 113"), (none, "GO wants")]
    {
        let arguments = script(&path);
        let (code, said) = complaint(&arguments.each_ref().map(String::as_str));
        assert_eq!(code, Some(1), "{path}");
        assert!(said.contains(wanted), "{path} said {said}");
    }
    // The certificate itself is trust enough, in strict mode too.
    let certificate = folder.path().join("data/tls-cert.pem");
    let strict =
        ["-S", &server, "-U", "sa", "-N", "s", "-J", certificate.to_str().unwrap(), "-Q", "SELECT 1"];
    assert_eq!(complaint(&strict), (Some(0), String::new()));
}

#[test]
fn tables_look_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let shown = |more: &[&str]| {
        let query = "SELECT n, t FROM (VALUES (1, 'x '), (20, 'yy'), (300, NULL)) AS v(n, t)";
        let out = lab.sql(&[more, &["-Q", query]].concat());
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(shown(&[]), "  n t\n--- ----\n  1 x\n 20 yy\n300 NULL\n\n(3 rows affected)\n");
    assert_eq!(shown(&["-h", "-1", "-W", "-s", ","]), "1,x\n20,yy\n300,NULL\n\n(3 rows affected)\n");
    assert!(shown(&["-h2"]).contains(" 20 yy\n\n  n t\n--- ----\n300 NULL\n"));
    let literal = lab.sql(&["-x", "--output", "tsv", "-Q", "SELECT '$(x)' AS a"]);
    assert_eq!(literal.stdout, b"a\n$(x)\n");
}

#[test]
fn a_batch_from_standard_input_runs_at_its_go() {
    use std::io::{BufRead as _, Write as _};
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let lab = Instance::start(&folder.path().join("data"));
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_milink"))
        .args(["sql", "-S", &format!("127.0.0.1,{}", lab.port), "-U", "sa", "-C", "--output", "tsv"])
        .args(["-q", "SELECT 0 AS zero"])
        .env("SQLCMDPASSWORD", crate::PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next = || [lines.next().unwrap(), lines.next().unwrap()];
    assert_eq!(next(), ["zero", "0"]);
    // The input stays open: what comes back was not waiting for its end.
    input.write_all(b"SELECT 1 AS one\nGO\n").unwrap();
    assert_eq!(next(), ["one", "1"]);
    input.write_all(b"SELECT 2 AS two").unwrap();
    drop(input);
    assert_eq!(next(), ["two", "2"]);
    assert!(child.wait().unwrap().success());
}
