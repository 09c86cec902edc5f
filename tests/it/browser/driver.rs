// SPDX-License-Identifier: Apache-2.0
//! A headless Chromium, driven over WebDriver. One test at a time has it, and hands it on to the next as if it were new:
//! to start one takes a whole core for seconds.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The browsers that wait for the next test: without JavaScript, and with it. Who holds the lock has the turn.
static IDLE: Mutex<[Option<Session>; 2]> = Mutex::new([None, None]);

/// Nothing runs at the end of a process of tests, so the driver has a shell around it that ends all when its standard
/// input does.
const SHELL: &str =
    "\"$0\" --port=0 & cat > /dev/null; trap '' TERM; kill 0; sleep 0.3; rm -rf \"$1\"; kill -KILL 0";

const DRIVER: &str = "/usr/bin/chromedriver";
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(15);

/// The key under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A driver, and a browser with one window and a profile of its own.
struct Session {
    shell: Child,
    url: String,
    agent: ureq::Agent,
}

impl Session {
    fn start(has_javascript: bool) -> Session {
        let profile = tempfile::tempdir().unwrap().keep();
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, DRIVER])
            .arg(&profile)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = port_of(&mut shell);
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.display()));
        let mut options = json!({ "args": flags });
        if !has_javascript {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)));
        let url = format!("http://127.0.0.1:{port}/session");
        let mut session = Session { shell, url, agent: config.build().new_agent() };
        let wanted = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": options,
        });
        let made = session.post("", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        session.url += &format!("/{}", made["sessionId"].as_str().unwrap());
        session
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let answer = self.agent.post(&url).header("Content-Type", "application/json").send(body.to_string());
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {}", answer["value"]["message"]);
        answer["value"].take()
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.agent.get(format!("{}{path}", self.url)).call();
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["value"].take()
    }

    /// As new: no page, cookie, permission, screen, scheme or line of the console is left of the test before.
    fn reset(&self) {
        self.post("/url", &json!({ "url": "about:blank" }));
        for (command, parameters) in [
            ("Network.clearBrowserCookies", json!({})),
            ("Network.clearBrowserCache", json!({})),
            ("Browser.resetPermissions", json!({})),
            ("Page.resetNavigationHistory", json!({})),
            ("Emulation.clearDeviceMetricsOverride", json!({})),
            ("Emulation.setEmulatedMedia", json!({ "features": [] })),
        ] {
            self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
        }
        self.post("/se/log", &json!({ "type": "browser" }));
    }

    fn end(mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A browser in the hand of a test.
pub struct Browser {
    /// There until the drop.
    session: Option<Session>,
    has_javascript: bool,
    idle: MutexGuard<'static, [Option<Session>; 2]>,
}

impl Browser {
    pub fn start() -> Browser {
        Browser::start_with(true)
    }

    pub fn start_without_javascript() -> Browser {
        Browser::start_with(false)
    }

    fn start_with(has_javascript: bool) -> Browser {
        // A test that failed with the browser in hand has ended it.
        let mut idle = IDLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let waiting = idle[usize::from(has_javascript)].take();
        let session = waiting.unwrap_or_else(|| Session::start(has_javascript));
        Browser { session: Some(session), has_javascript, idle }
    }

    fn session(&self) -> &Session {
        self.session.as_ref().unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.session().post(path, body)
    }

    fn get(&self, path: &str) -> Value {
        self.session().get(path)
    }

    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    pub fn url(&self) -> String {
        self.get("/url").as_str().unwrap().to_owned()
    }

    /// Runs a script in the page; what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What an expression is in the page, as a number.
    pub fn number(&self, expression: &str) -> i64 {
        self.run(&format!("return {expression}")).as_i64().unwrap()
    }

    /// Waits until an expression holds in the page.
    pub fn wait_for(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        self.wait_until(expression, |browser| (browser.run(&script) == json!(true)).then_some(()));
    }

    /// A command of the DevTools protocol.
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// The width of the screen in CSS pixels; under 500 it is a phone.
    pub fn set_width(&self, width: u32) {
        let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", screen);
    }

    /// `light` or `dark`.
    pub fn set_color_scheme(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// The elements that a selector finds; works without JavaScript in the page.
    pub fn elements(&self, selector: &str) -> Vec<String> {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": selector }));
        found.as_array().unwrap().iter().map(|e| e[ELEMENT].as_str().unwrap().to_owned()).collect()
    }

    /// The first of them, once it is there.
    fn element(&self, selector: &str) -> String {
        self.wait_until(selector, |browser| browser.elements(selector).into_iter().next())
    }

    /// Waits until as many elements are there; without JavaScript in the page too.
    pub fn wait_for_count(&self, selector: &str, count: usize) {
        self.wait_until(selector, |browser| (browser.elements(selector).len() == count).then_some(()));
    }

    /// Waits until the first element that a selector finds says this.
    pub fn wait_for_text(&self, selector: &str, text: &str) {
        self.wait_until(text, |browser| (browser.text(selector) == text).then_some(()));
    }

    fn wait_until<T>(&self, what: &str, look: impl Fn(&Browser) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            match look(self) {
                Some(found) => return found,
                None => assert!(start.elapsed() < PATIENCE, "this never came: {what}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text of the first element that a selector finds.
    pub fn text(&self, selector: &str) -> String {
        // An element may be gone with its page before its text is asked for: then the next page is asked.
        self.wait_until(selector, |browser| {
            let text = browser.get(&format!("/element/{}/text", browser.element(selector)));
            text.as_str().map(str::to_owned)
        })
    }

    pub fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// Replaces the text of a field.
    pub fn enter(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/clear"), &json!({}));
        self.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys wherever the focus is.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] }));
    }

    /// What the console said since it was last asked: errors of scripts, refusals by the content security policy,
    /// failed requests.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let complaint = |entry: &Value| {
            let level = entry["level"].as_str().unwrap();
            (level == "SEVERE" || level == "WARNING").then(|| entry["message"].as_str().unwrap().to_owned())
        };
        log.as_array().unwrap().iter().filter_map(complaint).collect()
    }

    /// Fails where the console complained.
    pub fn assert_quiet(&self) {
        assert_eq!(self.complaints(), Vec::<String>::new(), "the console of {}", self.url());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        if std::thread::panicking() {
            return session.end();
        }
        session.reset();
        self.idle[usize::from(self.has_javascript)] = Some(session);
    }
}

fn port_of(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // The pipe must be read on, or the driver blocks when it is full.
    std::thread::spawn(move || lines.for_each(drop));
    port.unwrap_or_else(|| panic!("{DRIVER} did not say its port; apt-get install chromium chromium-driver"))
}
