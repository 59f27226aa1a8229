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
