//! Requests of HTTP: past the doors to the page's files, to what a job has said, and to the socket.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, REFERRER_POLICY, SET_COOKIE,
    TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

use super::doors::Refused;
use super::page::media_type;
use super::{Shared, socket};

/// Connections that are served at once; more wait.
const CONNECTIONS: usize = 256;
/// Sockets that are open at once; more are refused.
const SOCKETS: usize = 128;
/// Whoever takes longer to ask has gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of a request.
const LONGEST_HEAD: usize = 32 << 10;

/// What the page may do: run its own scripts, and ask this server, and for files that a person dropped, the Hub. As in the page
/// itself, and nobody may put it into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' https:; \
                      style-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What every answer says.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// Serves what comes in.
///
/// # Errors
/// If the listener cannot be waited for.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = router(shared);
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return Ok(()) };
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open: some will be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // An event is small, and to be seen at once.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST_HEAD);
            // One that breaks off harms nobody but itself.
            let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            drop(permit);
        });
    }
}

#[derive(Clone)]
struct Rooms {
    shared: Arc<Shared>,
    sockets: Arc<Semaphore>,
}

fn router(shared: Arc<Shared>) -> Router {
    let base = shared.base_path.clone();
    let rooms = Rooms { shared, sockets: Arc::new(Semaphore::new(SOCKETS)) };
    Router::new()
        .route(&format!("{base}socket"), get(open_socket))
        .route(&format!("{base}jobs/{{id}}/events.jsonl"), get(events))
        .fallback(file)
        .layer(from_fn_with_state(rooms.clone(), guard))
        .with_state(rooms)
}

/// Lets in who may come in, and says on every answer what browsers are to make of it.
async fn guard(State(rooms): State<Rooms>, request: Request, next: Next) -> Response {
    let mut response = match enter(&rooms.shared, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(response)) => response,
        // Whatever is wrong, the answer is the same.
        Err(Refused) => (StatusCode::FORBIDDEN, "open the link that the server printed\n").into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Nothing for who may come in, or the answer to give at once.
fn enter(shared: &Shared, request: &Request) -> Result<Option<Response>, Refused> {
    let (doors, headers, uri) = (&shared.doors, request.headers(), request.uri());
    doors.check_name(headers)?;
    // A whole address in the place of a path has a name, too.
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    if uri.authority().is_some_and(|authority| Some(authority.as_str().as_bytes()) != host) {
        return Err(Refused);
    }
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    if !is_read {
        doors.check_origin(headers)?;
    }
    let token = uri.query().and_then(|query| query.split('&').find_map(|part| part.strip_prefix("token=")));
    if let Some(token) = token.filter(|_| is_read && uri.path() == shared.base_path) {
        let cookie = doors.exchange(token)?;
        let location = HeaderValue::from_str(&shared.base_path).map_err(|_| Refused)?;
        return Ok(Some((StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, location)]).into_response()));
    }
    doors.check_cookie(headers)?;
    let has_body =
        headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING);
    if !is_read {
        return Ok(Some(StatusCode::METHOD_NOT_ALLOWED.into_response()));
    }
    Ok(has_body.then(|| StatusCode::PAYLOAD_TOO_LARGE.into_response()))
}

/// A file of the page.
async fn file(State(rooms): State<Rooms>, request: Request) -> Response {
    let base = rooms.shared.base_path.as_str();
    let path = request.uri().path();
    if path.strip_suffix('/').is_none() && format!("{path}/") == base {
        let location = HeaderValue::from_str(base).unwrap_or(HeaderValue::from_static("/"));
        return (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response();
    }
    let name = path.strip_prefix(base);
    match name.and_then(|name| Some((media_type(name), rooms.shared.page.file(name)?))) {
        Some((kind, bytes)) => {
            let bytes = match bytes {
                std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
            };
            ([(CONTENT_TYPE, kind)], Body::from(bytes)).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What a kept job has said so far, to be read by a person or a program.
async fn events(State(rooms): State<Rooms>, Path(id): Path<u64>) -> Response {
    let path = rooms.shared.jobs.job(id).ok().and_then(|job| job.events());
    let Some(path) = path else { return StatusCode::NOT_FOUND.into_response() };
    match tokio::fs::read(path).await {
        Ok(bytes) => ([(CONTENT_TYPE, "application/jsonl")], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The socket, for this server's own page alone.
async fn open_socket(State(rooms): State<Rooms>, request: Request) -> Response {
    if rooms.shared.doors.check_origin(request.headers()).is_err() {
        return (StatusCode::FORBIDDEN, "open the link that the server printed\n").into_response();
    }
    let Ok(permit) = rooms.sockets.try_acquire_owned() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let Ok(upgrade) = WebSocketUpgrade::from_request(request, &()).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    upgrade.max_message_size(socket::LONGEST_MESSAGE).max_frame_size(socket::LONGEST_MESSAGE).on_upgrade(
        |socket| async move {
            socket::serve(socket, rooms.shared).await;
            drop(permit);
        },
    )
}
