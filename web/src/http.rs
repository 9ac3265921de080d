//! The browser's own HTTP client, for [`stethoscope_remote`].

use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use stethoscope_core::source::Block;
use stethoscope_remote::{Http, LocalFuture, Request, Response, TransportError};
use url::Url;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, ReadableStreamDefaultReader, ReferrerPolicy, RequestCache, RequestCredentials, RequestInit,
    RequestMode, WorkerGlobalScope,
};

use crate::blob::block;
/// How long an answer may pause.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// `fetch`. A page may read what a server lets pages of other sites read (CORS), and the browser follows redirects itself.
pub struct FetchHttp;

impl Http for FetchHttp {
    fn get(&self, request: Request) -> LocalFuture<'_, Result<Response, TransportError>> {
        Box::pin(get(request))
    }

    fn sleep(&self, time: Duration) -> LocalFuture<'_, ()> {
        Box::pin(sleep(time))
    }

    fn random(&self) -> f64 {
        js_sys::Math::random()
    }
}

fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

async fn sleep(time: Duration) {
    /// A timer that nobody waits for any more is taken back.
    struct Timer(i32);
    impl Drop for Timer {
        fn drop(&mut self) {
            scope().clear_timeout_with_handle(self.0);
        }
    }
    let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let mut timer = None;
    let rung = Promise::new(&mut |resolve: Function, _| {
        timer = scope().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds).ok().map(Timer);
    });
    if timer.is_some() {
        let _ = JsFuture::from(rung).await;
    }
}

/// A request under way, which is called off when nobody waits for it any more.
struct UnderWay(AbortController);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn get(request: Request) -> Result<Response, TransportError> {
    let impossible = |error: JsValue| TransportError::Impossible(said(&error));
    let under_way = UnderWay(AbortController::new().map_err(impossible)?);
    let options = RequestInit::new();
    options.set_mode(RequestMode::Cors);
    options.set_credentials(RequestCredentials::Omit);
    options.set_referrer_policy(ReferrerPolicy::NoReferrer);
    // Gigabytes that are read once would only push other things out.
    options.set_cache(RequestCache::NoStore);
    options.set_signal(Some(&under_way.0.signal()));
    let headers = web_sys::Headers::new().map_err(impossible)?;
    for (name, value) in &request.headers {
        headers.append(name, value).map_err(impossible)?;
    }
    options.set_headers(&headers);

    let fetched = in_time(scope().fetch_with_str_and_init(request.url.as_str(), &options)).await?;
    let answer: web_sys::Response = fetched
        .map_err(|error| {
            let why = "or the server does not let pages of other sites read it";
            TransportError::Unreachable(format!("{}, {why}", said(&error)))
        })?
        .unchecked_into();
    let (body, has_more) = body(&answer, request.most).await?;
    Ok(Response {
        url: Url::parse(&answer.url()).unwrap_or(request.url),
        status: answer.status(),
        headers: pairs(&answer.headers()),
        body,
        has_more,
    })
}

/// The outcome of a promise, if it comes soon enough.
async fn in_time(promise: Promise) -> Result<Result<JsValue, JsValue>, TransportError> {
    match select(JsFuture::from(promise), Box::pin(sleep(IDLE_TIME))).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right(((), _)) => Err(TransportError::Timeout(IDLE_TIME)),
    }
}

/// At most so many bytes of a body, and whether it has more. They stay JavaScript's.
async fn body(answer: &web_sys::Response, most: u64) -> Result<(Block, bool), TransportError> {
    let mut chunks: Vec<Uint8Array> = Vec::new();
    let (mut length, mut has_more) = (0_u64, false);
    if let Some(stream) = answer.body() {
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        loop {
            let read = in_time(reader.read()).await?.map_err(|error| TransportError::Cut(said(&error)))?;
            let field = |name: &str| Reflect::get(&read, &name.into()).unwrap_or(JsValue::UNDEFINED);
            if field("done").is_truthy() {
                break;
            }
            let chunk: Uint8Array = field("value").unchecked_into();
            let room = most - length;
            has_more = u64::from(chunk.length()) > room;
            let chunk = if has_more { chunk.subarray(0, u32::try_from(room).unwrap_or(u32::MAX)) } else { chunk };
            length += u64::from(chunk.length());
            chunks.push(chunk);
            if has_more {
                break;
            }
        }
    }
    let too_long = |_| TransportError::Impossible(format!("its answer has {length} bytes, too many for one piece"));
    let whole = Uint8Array::new_with_length(u32::try_from(length).map_err(too_long)?);
    let mut at = 0;
    for chunk in chunks {
        whole.set(&chunk, at);
        at += chunk.length();
    }
    Ok((block(whole), has_more))
}

/// The headers that the server lets a page see.
fn pairs(headers: &web_sys::Headers) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for entry in js_sys::try_iter(headers).ok().flatten().into_iter().flatten().flatten() {
        let entry: Array = entry.unchecked_into();
        if let (Some(name), Some(value)) = (entry.get(0).as_string(), entry.get(1).as_string()) {
            pairs.push((name, value));
        }
    }
    pairs
}

/// What an exception says.
pub fn said(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{error:?}"), |error| String::from(error.message()))
}
