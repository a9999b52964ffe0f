//! A real browser, headless, spoken to in the Chrome DevTools Protocol over a pair of pipes
//! (`--remote-debugging-pipe`: JSON messages, each ended by a zero byte).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// Set where the browser has to be there, as in CI: without it these tests only say that they were left out.
const NEEDED: &str = "BIZARRO_NEED_BROWSER";
/// A folder to which screenshots are written, for a person to look at.
const SCREENSHOTS: &str = "BIZARRO_SCREENSHOTS";
/// What the browser is called, in the order in which it is looked for.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// How the page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
    pub(crate) media: &'static str,
}

/// A screen of usual size, by day.
pub(crate) const SCREEN: Surroundings =
    Surroundings { width: 1440, height: 900, scheme: "light", media: "screen" };

/// One browser at a time: a test measures how long it takes.
static ALONE: Mutex<()> = Mutex::new(());

/// A browser with one page, ended with the value.
pub(crate) struct Browser {
    _alone: MutexGuard<'static, ()>,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    profile: PathBuf,
    session: String,
    sent: u64,
    loads: usize,
    /// Exceptions, errors of the console, and addresses that the page asked for.
    pub(crate) complaints: Vec<String>,
}

impl Browser {
    /// Starts it, or says loudly that there is none.
    pub(crate) fn start(name: &str) -> Option<Browser> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let installed =
            |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
        let Some(program) = NAMES.into_iter().find(installed) else {
            assert!(
                std::env::var_os(NEEDED).is_none(),
                "{NEEDED} is set, and there is no chromium"
            );
            // Not by a macro: libtest would keep it to itself.
            let _ = writeln!(std::io::stderr(), "\nSKIPPED {name}: no chromium in PATH\n");
            return None;
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let profile =
            std::env::temp_dir().join(format!("bizarro-page-{name}-{}", std::process::id()));
        fs::create_dir_all(&profile).unwrap();
        // The protocol is spoken on descriptors 3 and 4. Without a sandbox, for root and containers have none, and
        // the page is our own.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script, program])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--hide-scrollbars",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--disable-extensions",
                "--disable-background-networking",
            ])
            .args(["--remote-debugging-pipe", &format!("--user-data-dir={}", profile.display())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let session = String::new();
        let complaints = Vec::new();
        let mut browser = Browser {
            _alone: alone,
            child,
            commands,
            answers,
            profile,
            session,
            sent: 0,
            loads: 0,
            complaints,
        };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let id = &target["targetId"];
        let attached =
            browser.ask("Target.attachToTarget", json!({"targetId": id, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_string();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Writes a page down and opens it; returns when it has been loaded.
    pub(crate) fn open(&mut self, html: &str) {
        self.open_at(html, "");
    }

    /// The same, at a place within the page.
    pub(crate) fn open_at(&mut self, html: &str, place: &str) {
        let file = self.profile.join("report.html");
        fs::write(&file, html).unwrap();
        // Another place in the same page would not load it again.
        self.load("about:blank".to_string());
        self.load(format!("file://{}{place}", file.display()));
    }

    fn load(&mut self, url: String) {
        let before = self.loads;
        self.ask("Page.navigate", json!({"url": url}));
        while self.loads == before {
            self.take();
        }
    }

    /// How large, how bright, and whether on paper.
    pub(crate) fn surround(&mut self, by: Surroundings) {
        let metrics = json!({"width": by.width, "height": by.height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let features = json!([{"name": "prefers-color-scheme", "value": by.scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"media": by.media, "features": features}));
    }

    /// The value of an expression, after the next frame has been drawn.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let frame = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))";
        let expression = format!("{frame}.then(() => ({expression}))");
        let question =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", question);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"].get("value").cloned().unwrap_or(Value::Null)
    }

    /// A text that an expression gives.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.eval(expression)
            .as_str()
            .unwrap_or_else(|| panic!("{expression} is no text"))
            .to_string()
    }

    /// Presses and releases a key.
    pub(crate) fn key(&mut self, key: &str) {
        let mut event = json!({"type": "keyDown", "key": key});
        if key.chars().count() == 1 {
            event["text"] = key.into();
        }
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        event["windowsVirtualKeyCode"] = code.into();
        if key == "Enter" {
            event["text"] = "\r".into();
        }
        self.ask("Input.dispatchKeyEvent", event);
        self.ask(
            "Input.dispatchKeyEvent",
            json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}),
        );
    }

    /// Moves to the middle of the first element that a selector names, and clicks.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const node = document.querySelector(\"{selector}\"); node.scrollIntoView({{block: 'nearest'}}); \
             const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        self.click_at(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    }

    pub(crate) fn move_to(&mut self, x: f64, y: f64) {
        self.ask("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": x, "y": y}));
    }

    pub(crate) fn click_at(&mut self, x: f64, y: f64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", event);
        }
    }

    /// A picture of the page: its bytes (PNG). Kept where somebody wants to look at it.
    pub(crate) fn picture(&mut self, name: &str) -> Vec<u8> {
        self.eval("0");
        let shot = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        if let Some(folder) = std::env::var_os(SCREENSHOTS) {
            fs::create_dir_all(&folder).unwrap();
            fs::write(Path::new(&folder).join(format!("{name}.png")), &bytes).unwrap();
        }
        bytes
    }

    /// The page as it would be printed (PDF).
    pub(crate) fn print(&mut self, name: &str) -> Vec<u8> {
        let printed = self.ask("Page.printToPDF", json!({"printBackground": true}));
        let bytes = BASE64_STANDARD.decode(printed["data"].as_str().unwrap()).unwrap();
        if let Some(folder) = std::env::var_os(SCREENSHOTS) {
            fs::create_dir_all(&folder).unwrap();
            fs::write(Path::new(&folder).join(format!("{name}.pdf")), &bytes).unwrap();
        }
        bytes
    }

    /// Sends a command and waits for its answer.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let id = self.sent;
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.clone().into();
        }
        let mut bytes = serde_json::to_vec(&command).unwrap();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let message = self.take();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    /// The next message; what the page did wrong is remembered.
    fn take(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser has ended");
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Page.loadEventFired") => self.loads += 1,
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(params["exceptionDetails"].to_string())
            }
            Some("Log.entryAdded") => self.complaints.push(params["entry"].to_string()),
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                // The bytes of an image that stands in the page are asked of nobody.
                let is_inside = url.starts_with("data:image/svg+xml,") || url == "about:blank";
                if !url.starts_with("file://") && !is_inside {
                    self.complaints.push(format!("it asked for {url}"));
                }
            }
            _ => {}
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
