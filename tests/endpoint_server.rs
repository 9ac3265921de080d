//! A server for tests that speaks `/v1/completions` as a script has it: well, badly, or not at all.

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use stethoscope_hub_server::{Answer, Kind, Request};

/// The model that it usually serves.
pub const MODEL: &str = "some/model";

/// What becomes of a request.
pub enum Reply {
    /// This answer.
    Say(Answer),
    /// The connection ends in the middle of this answer.
    Cut(Answer),
    /// The connection ends before there is an answer.
    HangUp,
    /// Nothing, for longer than anybody waits.
    Silence,
}

/// A request for a completion.
#[derive(Clone, Debug)]
pub struct Asked {
    pub authorization: Option<String>,
    pub body: Value,
}

/// Has a reply to the request of a number, from 0.
type Script = Box<dyn Fn(usize, &Value) -> Reply + Send + Sync>;

struct State {
    address: SocketAddr,
    models: &'static [&'static str],
    script: Script,
    asked: Mutex<Vec<Asked>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    is_over: AtomicBool,
}

/// The server, which stops when it is dropped.
pub struct EndpointServer {
    state: Arc<State>,
}

impl EndpointServer {
    /// Replies to requests for completions as `script` says.
    pub fn start(script: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static) -> Self {
        Self::serving(&[MODEL], script)
    }

    /// Says that it serves these models.
    pub fn serving(
        models: &'static [&'static str],
        script: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let state = Arc::new(State {
            address: listener.local_addr().expect("an address"),
            models,
            script: Box::new(script),
            asked: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                if state.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away in the middle is no concern of the server's.
                thread::spawn(move || drop(converse(&state, stream)));
            }
        });
        Self { state }
    }

    /// Its address: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.state.address)
    }

    /// All requests for completions so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The largest number of requests that were answered at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for EndpointServer {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        // Whoever waits for a connection sees that it is over.
        drop(TcpStream::connect(self.state.address));
    }
}

fn converse(state: &State, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    while let Some(request) = Request::read(&mut input)? {
        let flying = state.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        state.most_in_flight.fetch_max(flying, Ordering::Relaxed);
        let reply = reply(state, &request);
        let sent = match reply {
            Reply::Say(answer) => answer.send(&mut out, None),
            Reply::Cut(answer) => answer.send(&mut out, Some(Kind::Cut)),
            Reply::HangUp => Answer::text(200, "").send(&mut out, Some(Kind::Hangup)),
            Reply::Silence => {
                while !state.is_over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(5));
                }
                return Ok(());
            }
        };
        state.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !sent.goes_on {
            break;
        }
    }
    Ok(())
}

fn reply(state: &State, request: &Request) -> Reply {
    match (&*request.method, &*request.target) {
        ("GET", "/v1/models") => {
            let models: Vec<Value> = state.models.iter().map(|name| json!({ "id": name })).collect();
            say(&json!({ "object": "list", "data": models }))
        }
        ("POST", "/v1/completions") => {
            let body: Value = serde_json::from_slice(&request.body).expect("a request of JSON");
            let authorization = request.header("authorization").map(str::to_owned);
            let mut asked = state.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let number = asked.len();
            asked.push(Asked { authorization, body: body.clone() });
            drop(asked);
            (state.script)(number, &body)
        }
        _ => Reply::Say(Answer::text(404, "no such address")),
    }
}

/// An answer of JSON.
pub fn say(value: &Value) -> Reply {
    Reply::Say(Answer::json(value))
}

/// What an honest server says that has a byte for a token, and knows its sums.
pub fn honest(request: &Value) -> Value {
    let prompt = &request["prompt"];
    if request["echo"] == true {
        let tokens = prompt.as_array().expect("tokens").len();
        let logprobs: Vec<Option<f64>> = (0..tokens).map(|at| (at > 0).then_some(-0.25)).collect();
        return completion("", tokens, &json!({ "token_logprobs": logprobs }), "length", 0);
    }
    let (text, prompt_tokens) = match prompt {
        Value::String(text) => (sum(text), text.len()),
        ids => (String::new(), ids.as_array().expect("tokens").len()),
    };
    let most = request["max_tokens"].as_u64().expect("a number") as usize;
    let text: String = text.chars().take(most).collect();
    // The end is a token, too.
    let tokens = (text.len() + 1).min(most);
    let finish = if tokens > text.len() { "stop" } else { "length" };
    completion(&text, prompt_tokens, &json!({ "token_logprobs": vec![-0.5; tokens] }), finish, tokens)
}

/// An answer as vLLM writes it.
pub fn completion(text: &str, prompt_tokens: usize, logprobs: &Value, finish: &str, tokens: usize) -> Value {
    json!({
        "id": "cmpl-1",
        "object": "text_completion",
        "model": MODEL,
        "choices": [{ "index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish, "stop_reason": null }],
        "usage": { "prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens }
    })
}

/// The answer to `7+5*2-1=`; of anything else, its last words.
fn sum(prompt: &str) -> String {
    let terms = prompt.trim_end_matches('=').replace('-', "+-");
    let product = |term: &str| {
        let (sign, factors) = term.strip_prefix('-').map_or((1, term), |factors| (-1, factors));
        factors.split('*').try_fold(sign, |product: i64, factor| Some(product * factor.parse::<i64>().ok()?))
    };
    let sum: Option<i64> = terms.split('+').map(product).sum();
    sum.map_or_else(|| format!("I heard {} bytes.", prompt.len()), |sum| sum.to_string())
}
