use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use crate::tool::{TIME_LIMIT, command, text};

/// A server in a folder of its own, which ends with the test.
pub struct Server {
    child: Child,
    pub port: u16,
    pub token: String,
}

impl Server {
    /// Starts one that keeps its state in `folder/state`, has its page in `folder/page` and its root in `folder/root`.
    pub fn start(folder: &Path, more: &[&str]) -> Self {
        Self::start_at(folder, 0, more)
    }

    /// The same, at a port.
    pub fn start_at(folder: &Path, port: u16, more: &[&str]) -> Self {
        let path = |name: &str| folder.join(name);
        for name in ["page", "root"] {
            fs::create_dir_all(path(name)).expect("a folder");
        }
        fs::write(path("page/index.html"), "<head><title>Stethoscope</title></head>").expect("a page");
        fs::write(path("page/app.js"), "// the page's script").expect("a script");
        let (state, page, root) = (path("state"), path("page"), path("root"));
        let port = port.to_string();
        let arguments = ["serve", "--port", &port, "--compute", "cpu", "--state", text(&state), "--page", text(&page)];
        let arguments = [&arguments[..], &["--root", text(&root)], more].concat();
        let mut child = command(&arguments).spawn().expect("the binary can be started");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut line).expect("what it says can be read");
        let address = line.trim().strip_prefix("http://127.0.0.1:").unwrap_or_else(|| panic!("no link in {line:?}"));
        let (port, rest) = address.split_once('/').expect("a path");
        let token = rest.split_once("?token=").expect("a token").1.to_owned();
        Self { child, port: port.parse().expect("a port"), token }
    }

    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// This server as a browser names it.
    pub fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Everything that is answered to these bytes.
    pub fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(TIME_LIMIT)).expect("a limit");
        stream.write_all(bytes).expect("a request");
        let mut answer = Vec::new();
        // A server that hangs up has answered what it wanted to.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What is answered to a GET with these headers.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.send(format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").as_bytes())
    }

    /// The cookie that the link is exchanged for.
    pub fn cookie(&self) -> String {
        let answer = self.get(&format!("/?token={}", self.token), &[("Host", &self.name())]);
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        cookie.split(';').next().expect("its name and value").to_owned()
    }

    /// A socket as the page opens it.
    pub fn socket(&self) -> Socket {
        self.socket_with(&self.cookie()).expect("a socket")
    }

    /// A socket with a cookie that was given before.
    pub fn socket_with(&self, cookie: &str) -> Result<Socket, String> {
        let name = self.name();
        let mut request = format!("ws://{name}/socket").into_client_request().expect("an address");
        for (header, value) in [("cookie", cookie), ("origin", &format!("http://{name}"))] {
            request.headers_mut().insert(header, value.parse().expect("a value"));
        }
        let stream = TcpStream::connect(&name).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(TIME_LIMIT)).expect("a limit");
        let (socket, _) = tungstenite::client(request, stream).map_err(|error| error.to_string())?;
        Ok(Socket { socket, listened: 0 })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A page's end of the socket.
pub struct Socket {
    pub socket: WebSocket<TcpStream>,
    listened: u32,
}

/// What came of a job.
#[derive(Debug)]
pub struct Outcome {
    pub events: Vec<Value>,
    pub error: Option<String>,
}

impl Socket {
    pub fn tell(&mut self, asked: &Value) {
        self.socket.send(Message::from(asked.to_string())).expect("it can be sent");
    }

    /// The next thing that is said: what it is, its head, and what follows it.
    pub fn hear(&mut self) -> (String, Value, Option<Value>) {
        loop {
            let message = self.socket.read().expect("a message");
            let Message::Text(text) = message else { continue };
            let (head, follows) = match text.split_once('\n') {
                Some((head, follows)) => (head, Some(serde_json::from_str(follows).expect("JSON"))),
                None => (text.as_str(), None),
            };
            let head: Value = serde_json::from_str(head).expect("JSON");
            let (what, said) = head.as_object().expect("an object").iter().next().expect("a key");
            return (what.clone(), said.clone(), follows);
        }
    }

    /// Begins a job; its number here, and the server's.
    pub fn begin(&mut self, request: &Value) -> (u32, Option<u64>) {
        self.listened += 1;
        self.tell(&json!({"run": {"job": self.listened, "request": request}}));
        (self.listened, self.begun())
    }

    /// Listens to a job that there is; its number here.
    pub fn attach(&mut self, id: u64) -> u32 {
        self.listened += 1;
        self.tell(&json!({"attach": {"job": self.listened, "id": id, "from": 0}}));
        self.begun();
        self.listened
    }

    fn begun(&mut self) -> Option<u64> {
        loop {
            match self.hear() {
                (what, said, _) if what == "begun" => return said["id"].as_u64(),
                (what, said, _) if what == "ended" => panic!("refused: {said}"),
                _ => {}
            }
        }
    }

    /// Listens to a job to its end.
    pub fn listen(&mut self, job: u32) -> Outcome {
        let mut events = Vec::new();
        loop {
            let (what, said, follows) = self.hear();
            if said["job"] != json!(job) {
                continue;
            }
            match what.as_str() {
                "event" => events.push(follows.expect("an event")),
                "ended" => return Outcome { events, error: said["error"].as_str().map(str::to_owned) },
                _ => {}
            }
        }
    }

    /// Runs a request to its end.
    pub fn run(&mut self, request: &Value) -> Outcome {
        self.listened += 1;
        self.tell(&json!({"run": {"job": self.listened, "request": request}}));
        self.listen(self.listened)
    }

    /// The next list of jobs that fits.
    pub fn jobs(&mut self, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        loop {
            let (what, said, _) = self.hear();
            if what == "jobs" {
                let jobs = said["jobs"].as_array().expect("a list").clone();
                if fits(&jobs) {
                    return jobs;
                }
            }
        }
    }

    /// What lies in a folder of the server's.
    pub fn list(&mut self, folder: Option<&str>) -> Result<Value, String> {
        self.tell(&json!({"list": {"number": 1, "folder": folder}}));
        loop {
            let (what, said, _) = self.hear();
            if what == "listing" {
                return said["error"].as_str().map_or(Ok(said["listing"].clone()), |error| Err(error.to_owned()));
            }
        }
    }
}

/// A delta of the built-in pair.
pub fn delta(select: &str) -> Value {
    json!({"delta": {"a": "demo:base", "b": "demo:reasoner", "select": select, "relative": "script", "norms_only": false}})
}
