//! What `milink serve` lets an operator do with a link, asked as a browser without JavaScript asks.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::tool_link::Tool;
use super::{Lab, SOON};
use crate::hadr::eventually;

/// A server with somebody who has signed in.
struct Browser {
    server: Child,
    http: reqwest::blocking::Client,
    url: String,
    cookie: String,
}

impl Browser {
    fn of(tool: &Tool<'_>) -> Browser {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut command = tool.command(&["serve", "--listen", "127.0.0.1:0", "--every", "0.5"]);
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let once = lines.find_map(|l| Some(l.unwrap().split_once("Sign in, once: ")?.1.to_owned())).unwrap();
        // What it says further on must be read, or it waits.
        std::thread::spawn(move || lines.for_each(drop));
        let http = reqwest::blocking::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_mins(1))
            .no_proxy()
            .build()
            .unwrap();
        let answer = http.get(&once).send().unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let url = once.split("/sign-in").next().unwrap().to_owned();
        Browser { server, http, url, cookie }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer =
            self.http.get(format!("{}{path}", self.url)).header("cookie", &self.cookie).send().unwrap();
        (answer.status().as_u16(), answer.text().unwrap())
    }

    /// Sends a form with the token of a page; the status, where it leads and the page.
    fn post(&self, page: &str, path: &str, form: &str) -> (u16, String, String) {
        let (_, html) = self.get(page);
        let token = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let request = self.http.post(format!("{}{path}", self.url)).header("cookie", &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("{form}&csrf={token}")).send().unwrap();
        let to = answer.headers().get("location").map(|l| l.to_str().unwrap().to_owned());
        (answer.status().as_u16(), to.unwrap_or_default(), answer.text().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

#[test]
fn a_failover_is_drilled_reviewed_confirmed_and_proved_in_the_browser() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let tool = Tool::of(&lab);
    tool.create();
    let browser = Browser::of(&tool);
    let (failover, rehearse) = ("/c/default/links/sales/failover", "/c/default/rehearse");
    eventually("the first look", SOON, || match browser.get(failover) {
        (200, page) if page.contains("which is primary, to the managed instance") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let (status, review) = browser.get(&format!("{failover}/review?kind=planned"));
    assert_eq!(status, 200, "{review}");
    assert!(review.contains("Point of no return") && review.contains("FAILOVER"), "{review}");

    // A name that differs begins nothing.
    let forced = "kind=forced&to=managed&max_lag=60&timeout=300&confirm=Sales";
    let (status, _, page) = browser.post(failover, &format!("{failover}/begin"), forced);
    assert_eq!(status, 422, "{page}");
    assert!(page.contains("not the link&#39;s name"), "{page}");
    assert_eq!(tool.state(), ("healthy".to_owned(), "sql-server".to_owned()));

    let start = "rate=50&connections=2";
    assert_eq!(browser.post(rehearse, &format!("{rehearse}/start"), start).0, 303);
    eventually("the workload", SOON, || {
        let (_, page) = browser.get(rehearse);
        let counted = page.split("<dt>Acknowledged</dt><dd>").nth(1).and_then(|rest| rest.split('<').next());
        match counted.and_then(|n| n.parse::<u32>().ok()) {
            Some(n) if n > 50 => Ok(()),
            other => Err(format!("{other:?} commits")),
        }
    });
    let planned = "kind=planned&to=managed&max_lag=60&timeout=120";
    let (status, run, page) = browser.post(failover, &format!("{failover}/begin"), planned);
    assert_eq!(status, 303, "{page}");
    let number = run.strip_prefix("/c/default/runs/").unwrap_or_else(|| panic!("{run}")).to_owned();
    eventually("the failover", SOON, || match tool.state() {
        (state, primary) if state == "healthy" && primary == "managed" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let receipt = format!("{failover}/receipt?run={number}");
    eventually("the run's end", SOON, || match browser.get(&receipt) {
        (200, page) if page.contains("Every step is proved") => Ok(()),
        other => Err(format!("{other:?}")),
    });

    assert_eq!(browser.post(rehearse, &format!("{rehearse}/stop"), "").0, 303);
    let mut report = String::new();
    eventually("the count of both sides", SOON, || {
        let (status, page) = browser.get(&format!("{rehearse}/report?rto_ms=30000&commits_min=50"));
        report = page;
        if status == 200 { Ok(()) } else { Err(format!("{status}")) }
    });
    assert!(report.contains(">PASSED<") && report.contains("planned failover"), "{report}");
    let (status, junit) = browser.get(&format!("{rehearse}/report.xml?rto_ms=0&commits_min=50"));
    assert_eq!(status, 200);
    assert!(junit.contains("failures=\"1\" errors=\"0\""), "{junit}");

    let (status, _, page) = browser.post(&receipt, &format!("{failover}/receipt"), &format!("run={number}"));
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("are the same on both sides, 0 differ"), "{page}");

    // Back by force, and repaired: the managed instance gives way.
    let forced = "kind=forced&to=sql-server&max_lag=60&timeout=300&confirm=sales";
    let (status, _, page) = browser.post(failover, &format!("{failover}/begin"), forced);
    assert_eq!(status, 303, "{page}");
    let repair = "/c/default/links/sales/repair";
    eventually("both are primary", SOON, || match browser.get(repair) {
        (200, page) if page.contains("Both sides are primary") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let chosen = "winner=sql-server&confirm=sales";
    eventually("the forced run's end", SOON, || match browser.post(repair, repair, chosen) {
        (303, ..) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    eventually("the repair", SOON, || match tool.state() {
        (state, primary) if state == "healthy" && primary == "sql-server" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    eventually("the guards of a drop", SOON, || match browser.get("/c/default/links/sales/drop") {
        (200, page) if page.contains("The copy has everything of Chinook") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}
