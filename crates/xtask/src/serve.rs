//! A small web server for a folder, on this machine alone.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;

/// The longest line of a request that is read, and the most lines.
const LINE_AT_MOST: u64 = 8 << 10;
const LINES_AT_MOST: usize = 100;

/// Whoever takes longer to ask has gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs on threads of its own until the program ends.
pub struct Server {
    address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Server {
    /// Serves the files of a folder, not of folders in it, on a port of the loopback interface.
    pub fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("listening on port {port}; --port chooses another"))?;
        let address = listener.local_addr().context("asking for the port")?;
        let folder = Arc::new(folder.to_owned());
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = folder.clone();
                // One that breaks off harms nobody but itself.
                thread::spawn(move || answer(stream, &folder, address.port()));
            }
        });
        Ok(Self { address, thread })
    }

    /// Where the page is.
    pub fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Does not return while the server runs.
    pub fn wait(self) {
        // It ends only with the program.
        let _ = self.thread.join();
    }
}

/// What a request asks for.
struct Asked {
    method: String,
    path: String,
    host: Option<String>,
}

fn answer(mut stream: TcpStream, folder: &Path, port: u16) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let Some(asked) = read(&stream)? else { return refuse(&mut stream, "400 Bad Request") };
    // A page elsewhere may have its own name point here, and then read what is served.
    let hosts = ["localhost", "127.0.0.1"].map(|host| format!("{host}:{port}"));
    if !asked.host.is_some_and(|host| hosts.contains(&host)) {
        return refuse(&mut stream, "403 Forbidden");
    }
    if asked.method != "GET" && asked.method != "HEAD" {
        return refuse(&mut stream, "405 Method Not Allowed");
    }
    let Some(bytes) = file(folder, &asked.path).and_then(|path| fs::read(path).ok()) else {
        return refuse(&mut stream, "404 Not Found");
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nCross-Origin-Opener-Policy: same-origin\r\n\
         Cross-Origin-Embedder-Policy: require-corp\r\nConnection: close\r\n\r\n",
        media_type(&asked.path),
        bytes.len()
    )?;
    if asked.method == "GET" {
        stream.write_all(&bytes)?;
    }
    stream.flush()
}

fn refuse(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Reads the head of a request; none if it is not one.
fn read(stream: &TcpStream) -> io::Result<Option<Asked>> {
    let mut reader = BufReader::new(stream);
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        io::Read::take(&mut reader, LINE_AT_MOST).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut asked = Asked { method: method.to_owned(), path: path.to_owned(), host: None };
    for _ in 0..LINES_AT_MOST {
        match line()?.split_once(':') {
            None => return Ok(Some(asked)),
            Some((name, value)) if name.eq_ignore_ascii_case("host") => asked.host = Some(value.trim().to_owned()),
            Some(_) => {}
        }
    }
    Ok(None)
}

/// The file that a path names, if it is one right in the folder.
fn file(folder: &Path, path: &str) -> Option<PathBuf> {
    let name = path.split(['?', '#']).next()?.strip_prefix('/')?;
    let name = if name.is_empty() { "index.html" } else { name };
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (is_plain && !name.starts_with('.')).then(|| folder.join(name))
}

fn media_type(path: &str) -> &'static str {
    match path.split(['?', '#']).next().unwrap_or_default().rsplit_once('.').map(|(_, ending)| ending) {
        None | Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some(_) => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn only_files_right_in_the_folder_are_served() {
        let file = |path| file(Path::new("dist"), path);
        assert_eq!(file("/"), Some("dist/index.html".into()));
        assert_eq!(file("/page.js?x=1"), Some("dist/page.js".into()));
        for path in ["", "page.js", "/../secret", "/.git", "/a/b", "/a%2fb", "/a\\b"] {
            assert_eq!(file(path), None, "{path}");
        }
    }

    #[test]
    fn a_request_under_another_host_s_name_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.wasm"), b"\0asm").expect("a file");
        let server = Server::start(folder.path(), 0).expect("a free port");
        let ask = |request: &str| {
            let mut stream = TcpStream::connect(server.address).expect("a connection");
            stream.write_all(request.as_bytes()).expect("a request");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        };
        let port = server.address.port();
        let there = ask(&format!("GET /a.wasm HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
        assert!(there.starts_with("HTTP/1.1 200 ") && there.contains("application/wasm"), "{there}");
        assert!(there.ends_with("\r\n\r\n\0asm"), "{there}");
        assert!(ask("GET /a.wasm HTTP/1.1\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 403 "));
        assert!(ask("GET /a.wasm HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403 "));
        assert!(ask(&format!("GET /b HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).starts_with("HTTP/1.1 404 "));
        assert!(ask(&format!("PUT /a HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).starts_with("HTTP/1.1 405 "));
        assert!(ask("\r\n\r\n").starts_with("HTTP/1.1 400 "));
    }
}
