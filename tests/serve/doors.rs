use std::thread;

use serde_json::json;
use tungstenite::Message;

use super::client::{Server, delta};
use crate::checkpoints::folder as temporary;

/// What is tried: what it is, the path, and the headers.
type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)]);

/// What every answer to who is not let in is, to the last byte that is theirs.
fn assert_refused(answer: &str, what: &str) {
    assert!(answer.starts_with("HTTP/1.1 403 "), "{what}: {answer}");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, "open the link that the server printed\n", "{what}");
    for header in ["set-cookie", "server", "location"] {
        assert!(!head.to_lowercase().contains(&format!("\n{header}:")), "{what}: {head}");
    }
}

#[test]
fn the_link_is_exchanged_for_a_cookie_and_disappears_from_the_address() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let answer = server.get(&format!("/?token={}", server.token), &[("Host", &server.name())]);
    assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
    assert!(answer.contains("\r\nlocation: /\r\n"), "{answer}");
    assert!(answer.contains("; Path=/; HttpOnly; SameSite=Strict\r\n"), "{answer}");
    let page = server.get("/", &[("Host", &server.name()), ("Cookie", &server.cookie())]);
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("name=\"stethoscope-server\""), "{page}");
    let head = page.to_lowercase();
    for header in [
        "content-security-policy: default-src 'none';",
        "frame-ancestors 'none'",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-embedder-policy: require-corp",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(head.contains(header), "{header} in {page}");
    }
}

#[test]
fn who_comes_under_another_name_from_another_page_or_without_the_link_gets_the_same_403() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let (name, cookie, port) = (server.name(), server.cookie(), server.port);
    let own = format!("http://{name}");
    let token = format!("/?token={}", server.token);
    let wrong_token = format!("/?token={}", "0".repeat(64));
    let rebound = format!("evil.example:{port}");
    let other_port = format!("http://127.0.0.1:{}", port ^ 1);
    let cases: [Case<'_>; 14] = [
        ("no cookie", "/", &[("Host", &name)]),
        ("no cookie, a file", "/app.js", &[("Host", &name)]),
        ("no cookie, no such file", "/nothing", &[("Host", &name)]),
        ("no cookie, a job", "/jobs/1/events.jsonl", &[("Host", &name)]),
        ("a wrong token", &wrong_token, &[("Host", &name)]),
        ("an empty token", "/?token=", &[("Host", &name), ("Cookie", &cookie)]),
        ("a wrong cookie", "/", &[("Host", &name), ("Cookie", "stethoscope=1")]),
        ("a rebound name", "/", &[("Host", &rebound), ("Cookie", &cookie)]),
        ("a rebound name with the token", &token, &[("Host", &rebound)]),
        ("no name", "/", &[("Cookie", &cookie)]),
        ("two names", "/", &[("Host", &name), ("Host", &rebound), ("Cookie", &cookie)]),
        ("another page", "/", &[("Host", &name), ("Origin", "https://evil.example"), ("Cookie", &cookie)]),
        ("another port's page", "/app.js", &[("Host", &name), ("Origin", &other_port), ("Cookie", &cookie)]),
        ("a hidden page", "/", &[("Host", &name), ("Origin", "null"), ("Cookie", &cookie)]),
    ];
    for (what, path, headers) in cases {
        assert_refused(&server.get(path, headers), what);
    }
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];
    let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let sockets: [(&str, &[(&str, &str)]); 4] = [
        ("a socket without an origin", &[("Host", &name), ("Cookie", &cookie)]),
        ("a socket of another page", &[("Host", &name), ("Cookie", &cookie), ("Origin", "https://evil.example")]),
        ("a socket without a cookie", &[("Host", &name), ("Origin", &own)]),
        ("a socket under another name", &[("Host", &rebound), ("Cookie", &cookie), ("Origin", &own)]),
    ];
    for (what, headers) in sockets {
        let headers: Vec<_> = headers.iter().chain(&upgrade).chain([&key]).copied().collect();
        assert_refused(&server.get("/socket", &headers), what);
    }
    let post = |origin: &str| {
        server.send(
            format!(
                "POST / HTTP/1.1\r\nHost: {name}\r\nCookie: {cookie}\r\n{origin}Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            .as_bytes(),
        )
    };
    assert_refused(&post(""), "a POST from nowhere");
    assert_refused(&post("Origin: https://evil.example\r\n"), "a POST from another page");
    assert!(post(&format!("Origin: {own}\r\n")).starts_with("HTTP/1.1 405 "));
    let whole =
        format!("GET http://evil.example/ HTTP/1.1\r\nHost: {name}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    assert_refused(&server.send(whole.as_bytes()), "a whole address of another name");
}

#[test]
fn no_path_leads_out_of_the_page_and_broken_requests_break_nothing() {
    let folder = temporary();
    std::fs::write(folder.path().join("secret"), "the secret").expect("a file can be written");
    let server = Server::start(folder.path(), &[]);
    let (name, cookie) = (server.name(), server.cookie());
    let get = |path: &str| server.get(path, &[("Host", &name), ("Cookie", &cookie)]);
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/..\\secret",
        "//etc/passwd",
        "/page/../../secret",
        "/%00",
        "/app.js%00",
        "/.git",
        "/jobs/../socket",
        "/jobs/1%2f..%2f..%2fsecret/events.jsonl",
        "/jobs/18446744073709551616/events.jsonl",
        "/jobs/-1/events.jsonl",
        "/jobs/1/events.jsonl",
    ] {
        let answer = get(path);
        assert!(answer.starts_with("HTTP/1.1 404 ") || answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
        assert!(!answer.contains("the secret") && !answer.contains("root:"), "{path}: {answer}");
    }
    for broken in
        [&b"\r\n\r\n"[..], b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", &[b'A'; 100_000], b"GET /\0 HTTP/1.1\r\n\r\n"]
    {
        let answer = server.send(broken);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let body = format!(
        "GET / HTTP/1.1\r\nHost: {name}\r\nCookie: {cookie}\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n"
    );
    assert!(server.send(body.as_bytes()).starts_with("HTTP/1.1 413 "));
    assert!(get("/app.js").starts_with("HTTP/1.1 200 "), "it still serves");
}

#[test]
fn malformed_and_oversized_frames_end_the_socket_and_nothing_else() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let deep = format!("{{\"run\":{}", "[".repeat(100_000));
    let frames = [
        Message::from("not JSON".to_owned()),
        Message::from(json!({"shell": "ls"}).to_string()),
        Message::from(json!({"run": {"job": 1, "request": {"delta": {}}}}).to_string()),
        Message::from(json!({"stop": {"job": 1, "and": "more"}}).to_string()),
        Message::from(deep),
        Message::from(vec![0_u8; 10]),
        Message::from("x".repeat(2 << 20)),
    ];
    for frame in frames {
        let mut socket = server.socket();
        let start = frame.to_string().chars().take(30).collect::<String>();
        // A server that hangs up may do so before all was sent.
        let _ = socket.socket.send(frame);
        loop {
            match socket.socket.read() {
                Ok(Message::Close(goodbye)) => {
                    assert!(goodbye.is_none_or(|goodbye| goodbye.reason.is_empty()), "{start}");
                    break;
                }
                Err(_) => break,
                Ok(Message::Text(text)) => assert!(text.starts_with("{\"jobs\""), "{start}: {text}"),
                Ok(_) => {}
            }
        }
    }
    assert_eq!(server.socket().run(&delta("final_norm")).error, None, "it still works");
}

#[test]
fn there_are_only_so_many_sockets_and_one_that_takes_nothing_keeps_nobody_waiting() {
    let folder = temporary();
    let server = Server::start(folder.path(), &[]);
    let cookie = server.cookie();
    let sockets: Vec<_> = (0..128).map(|_| server.socket_with(&cookie).expect("a socket")).collect();
    let refused = server.socket_with(&cookie).err().expect("one too many");
    assert!(refused.contains("503"), "{refused}");
    drop(sockets);
    let mut slow = loop {
        // Those that were closed are noticed soon.
        match server.socket_with(&cookie) {
            Ok(socket) => break socket,
            Err(_) => thread::yield_now(),
        }
    };
    for job in 0..30 {
        slow.tell(&json!({"run": {"job": job, "request": delta("o_proj")}}));
    }
    // It never reads; this one does.
    assert_eq!(server.socket().run(&delta("final_norm")).error, None);
}

#[test]
fn behind_a_proxy_the_page_is_under_its_path_and_answers_to_its_name() {
    let folder = temporary();
    let server = Server::start(folder.path(), &["--base-path", "/lab", "--allow-name", "lab.example"]);
    let host = [("Host", "lab.example")];
    let answer = server.get(&format!("/lab/?token={}", server.token), &host);
    assert!(answer.contains("\r\nlocation: /lab/\r\n") && answer.contains("Path=/lab/;"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let cookie = cookie.split(';').next().expect("its value");
    let get = |path: &str| server.get(path, &[host[0], ("Cookie", cookie)]);
    assert!(get("/lab/app.js").starts_with("HTTP/1.1 200 "));
    assert!(get("/lab").contains("\r\nlocation: /lab/\r\n"));
    for outside in ["/", "/app.js", "/socket", "/lab/lab/app.js"] {
        assert!(get(outside).starts_with("HTTP/1.1 404 "), "{outside}");
    }
    assert_refused(&server.get(&format!("/?token={}", server.token), &host), "the token elsewhere");
}
