use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use pollster::block_on;
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::*;

/// How long the clients of these tests wait for an answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// A client, and what drives its connections.
fn client() -> (NativeHttp, Runtime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    (NativeHttp::new(runtime.handle().clone(), PATIENCE), runtime)
}

/// The address of a server that reads one request and then does this.
fn server(answer: impl FnOnce(TcpStream, String) + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("a request") == 1 {
            head.push(byte[0]);
        }
        answer(stream, String::from_utf8(head).expect("text"));
    });
    Url::parse(&format!("http://{address}/file")).expect("a URL")
}

fn get(url: Url, most: u64) -> Result<Response, TransportError> {
    let (http, _runtime) = client();
    block_on(http.get(Request { url, headers: vec![("range", "bytes=0-9".to_owned())], most }))
}

#[test]
fn a_request_says_what_is_wanted_and_its_answer_what_there_is() {
    let url = server(|mut stream, head| {
        let body = head.to_lowercase();
        write!(stream, "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .expect("an answer");
    });
    let answer = get(url.clone(), 10_000).expect("an answer");
    assert_eq!((answer.status, answer.header("etag"), answer.has_more, &answer.url), (206, Some("\"1\""), false, &url));
    let head = String::from_utf8(answer.body.bytes().into_owned()).expect("text");
    for line in ["get /file http/1.1", "range: bytes=0-9", "user-agent: stethoscope/"] {
        assert!(head.contains(line), "{head}");
    }
    assert!(!head.contains("accept-encoding"), "{head}");
}

#[test]
fn no_more_of_a_body_is_read_than_is_wanted() {
    let (sender, sent) = std::sync::mpsc::channel();
    let url = server(move |mut stream, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n").expect("a head");
        let mut count: u64 = 0;
        while stream.write_all(&[7; 4096]).is_ok() {
            count += 4096;
        }
        sender.send(count).expect("somebody listens");
    });
    let answer = get(url, 100).expect("an answer");
    assert_eq!((answer.body.length(), answer.has_more), (100, true));
    let sent = sent.recv().expect("a count");
    assert!(sent < 100_000_000, "the client hung up after {sent} bytes");
}

#[test]
fn a_server_that_falls_silent_is_waited_for_only_so_long() {
    let hold = |stream: TcpStream| {
        thread::sleep(PATIENCE * 10);
        drop(stream);
    };
    let before = get(server(move |stream, _| hold(stream)), 10).err();
    let amid = server(move |mut stream, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").expect("half an answer");
        hold(stream);
    });
    for error in [before, get(amid, 10).err()] {
        assert_eq!(error, Some(TransportError::Timeout(PATIENCE)));
    }
}

#[test]
fn a_connection_that_ends_early_and_a_server_that_is_not_there_are_told_apart() {
    let cut = get(
        server(|mut stream, _| {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").expect("half an answer");
        }),
        10,
    );
    assert!(matches!(cut, Err(TransportError::Cut(_))));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let nobody = get(Url::parse(&format!("http://{address}/")).expect("a URL"), 10);
    assert!(matches!(nobody, Err(TransportError::Unreachable(_))));
    let encrypted = server(|mut stream, _| drop(stream.write_all(b"no handshake")));
    assert!(get(Url::parse(&encrypted.as_str().replace("http:", "https:")).expect("a URL"), 10).is_err());
}

#[test]
fn a_token_that_cannot_be_a_header_is_not_shown() {
    let (http, _runtime) = client();
    let url = Url::parse("http://127.0.0.1:1/").expect("a URL");
    let headers = vec![("authorization", "Bearer two\nlines".to_owned())];
    let error = block_on(http.get(Request { url, headers, most: 1 })).err().expect("an error").to_string();
    assert!(error.contains("one line of text") && !error.contains("lines\n") && !error.contains("two"), "{error}");
}

#[test]
fn a_request_that_nobody_waits_for_ends() {
    let (sender, ended) = std::sync::mpsc::channel();
    let url = server(move |mut stream, _| {
        // Nothing more comes, until the client hangs up.
        let count = stream.read(&mut [0]).unwrap_or(0);
        sender.send(count).expect("somebody listens");
    });
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let http = NativeHttp::new(runtime.handle().clone(), Duration::from_secs(60));
    let mut waiting = http.get(Request { url, headers: Vec::new(), most: 1 });
    block_on(async {
        let soon = http.sleep(PATIENCE);
        futures_util::future::select(&mut waiting, soon).await;
    });
    drop(waiting);
    assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(0));
}
