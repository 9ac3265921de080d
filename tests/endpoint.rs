//! Exams of models behind an endpoint: a server that is honest, slow, failing, or lying.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stethoscope_core::synthetic;
use stethoscope_hub_server::Answer as Sent;

use crate::checkpoints::{f32_tensor, folder, save};
use crate::endpoint_server::{Asked, EndpointServer, MODEL, Reply, completion, honest, say};
use crate::tool::{Answer, assert_mentions, command, refuse, start, succeed, text};

/// The model whose tokenizer makes the prompts.
const BASE: &str = "planted:base";
const KEY: &str = "sesame-0123456789";

/// The planted base's exam behind a server.
fn exam(server: &EndpointServer, more: &[&str]) -> Command {
    exam_of(BASE, server, &[&["--bench", "demo"], more].concat())
}

fn exam_of(model: &str, server: &EndpointServer, more: &[&str]) -> Command {
    command(&[&["exam", model, "--endpoint", &server.url(), "--json", "-"], more].concat())
}

fn run(command: Command) -> Answer {
    start(command).finish()
}

#[track_caller]
fn report(command: Command) -> Value {
    let answer = run(command);
    assert_eq!(answer.status.code(), Some(0), "{}", answer.stderr);
    serde_json::from_str(&answer.stdout).expect("the report is JSON")
}

#[track_caller]
fn refused(code: i32, command: Command) -> String {
    let answer = run(command);
    assert_eq!(answer.status.code(), Some(code), "{answer:#?}");
    answer.stderr
}

fn warnings(report: &Value) -> String {
    report["warnings"].to_string()
}

/// The lines of a file, in an order of their own.
fn lines(path: &Path) -> BTreeSet<String> {
    fs::read_to_string(path).expect("a file").lines().map(str::to_owned).collect()
}

fn is_question(request: &Value) -> bool {
    request["echo"] != true
}

#[test]
fn an_honest_server_sits_the_exam() {
    let server = EndpointServer::start(|_, request| {
        thread::sleep(Duration::from_millis(20));
        say(&honest(request))
    });
    let report = report(exam(&server, &["--concurrency", "8"]));
    assert_eq!((&report["score"]["mean"], &report["score"]["samples"]), (&json!(1.0), &json!(64)));
    assert_eq!(report["model"]["engine"], format!("endpoint {} {MODEL}", server.url()));
    assert_eq!((&report["model"]["fingerprint"], &report["compute"]["backend"]), (&Value::Null, &json!("endpoint")));
    assert_eq!(report["reference_likelihood"]["n"], 64);
    assert!(report["held_out_bits"]["n"].as_u64().unwrap() > 8);
    assert_eq!(report["warnings"], json!([]), "nothing is doubted");
    assert!((2..=8).contains(&server.most_in_flight()), "{}", server.most_in_flight());
    let asked = server.asked();
    let questions: Vec<_> = asked.iter().filter(|asked| is_question(&asked.body)).collect();
    assert_eq!(questions.len(), 64);
    assert!(questions.iter().all(|asked| asked.body["model"] == MODEL && asked.body["top_k"] == -1));
}

#[test]
fn the_key_is_in_the_header_and_nowhere_else() {
    let folder = folder();
    let samples = folder.path().join("samples.jsonl");
    let server = EndpointServer::start(|number, request| match number {
        // As some servers do, it repeats what it was given.
        0 => Reply::Say(Sent {
            status: 500,
            ..Sent::json(&json!({ "error": { "message": format!("what is {KEY}?") } }))
        }),
        _ => say(&honest(request)),
    });
    let mut with_key = exam(&server, &["--out", text(&samples)]);
    with_key.env("STETHOSCOPE_ENDPOINT_KEY", KEY).env("OPENAI_API_KEY", "another");
    let answer = run(with_key);
    assert_eq!(answer.status.code(), Some(0), "{}", answer.stderr);
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.authorization.as_deref() == Some(&format!("Bearer {KEY}"))));
    for said in [answer.stdout, answer.stderr, fs::read_to_string(&samples).unwrap()] {
        assert!(!said.contains(KEY), "{said}");
    }
    let refusing = EndpointServer::start(|_, _| {
        Reply::Say(Sent { status: 401, ..Sent::json(&json!({ "error": { "message": format!("{KEY} is no key") } })) })
    });
    let mut with_openai = exam(&refusing, &[]);
    with_openai.env("OPENAI_API_KEY", KEY);
    let told = refused(1, with_openai);
    assert_mentions(&told, &["401", "is no key", "STETHOSCOPE_ENDPOINT_KEY"]);
    assert!(!told.contains(KEY), "{told}");
    assert_eq!(refusing.asked()[0].authorization.as_deref(), Some(&*format!("Bearer {KEY}")));
}

#[test]
fn a_redirect_is_not_followed() {
    let other = EndpointServer::start(|_, request| say(&honest(request)));
    let away = format!("{}/v1/completions?token=secret", other.url());
    let server = EndpointServer::start(move |_, _| Reply::Say(Sent::text(307, "away").with("Location", away.clone())));
    let mut with_key = exam(&server, &[]);
    with_key.env("STETHOSCOPE_ENDPOINT_KEY", KEY);
    let told = refused(1, with_key);
    assert_mentions(&told, &["redirects to", &other.url(), "not followed"]);
    assert!(!told.contains("secret"), "{told}");
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn a_run_goes_on_after_the_server_died() {
    let folder = folder();
    let (whole, cut) = (folder.path().join("whole.jsonl"), folder.path().join("cut.jsonl"));
    let is_dead = Arc::new(AtomicBool::new(false));
    let (dies, dead) = (AtomicBool::new(false), is_dead.clone());
    let server = EndpointServer::start(move |number, request| {
        if number == 20 && !dies.swap(true, Ordering::Relaxed) {
            dead.store(true, Ordering::Relaxed);
        }
        if dead.load(Ordering::Relaxed) { Reply::HangUp } else { say(&honest(request)) }
    });
    let told = refused(1, exam(&server, &["--out", text(&cut), "--concurrency", "4"]));
    assert_mentions(&told, &[&server.url(), "tried 5 times"]);
    let before = lines(&cut).len();
    assert!((2..65).contains(&before), "{before}");
    is_dead.store(false, Ordering::Relaxed);
    let asked_before = server.asked().iter().filter(|asked| is_question(&asked.body)).count();
    let resumed = report(exam(&server, &["--out", text(&cut)]));
    let asked = server.asked().iter().filter(|asked| is_question(&asked.body)).count() - asked_before;
    assert_eq!(asked, 65 - before, "only what was missing");
    let at_once = report(exam(&server, &["--out", text(&whole)]));
    assert_eq!((&resumed["score"], &resumed["levels"]), (&at_once["score"], &at_once["levels"]));
    assert_eq!(lines(&cut), lines(&whole));
}

#[test]
fn samples_of_another_engine_are_refused_by_name() {
    let folder = folder();
    let samples = folder.path().join("samples.jsonl");
    let server = EndpointServer::start(|_, request| say(&honest(request)));
    report(exam(&server, &["--out", text(&samples)]));
    let told = refused(1, exam(&server, &["--out", text(&samples), "--endpoint-model", "other"]));
    assert_mentions(&told, &["engine", "other", MODEL]);
}

#[test]
fn what_fails_for_now_is_tried_again() {
    let server = EndpointServer::start(|number, request| match number {
        0 => Reply::Say(Sent::text(503, "starting")),
        1 => Reply::Say(Sent::text(429, "slowly").with("Retry-After", "1")),
        2 => Reply::HangUp,
        3 => Reply::Cut(Sent::json(&honest(request))),
        _ => say(&honest(request)),
    });
    let start = Instant::now();
    let report = report(exam(&server, &[]));
    assert_eq!(report["score"]["mean"], 1.0);
    assert!(start.elapsed() >= Duration::from_secs(1), "the server asked for a second");
    assert_eq!(server.asked().iter().filter(|asked| is_question(&asked.body)).count(), 64 + 4);
}

/// A kind of answer that is none, and what is told of it.
#[test]
fn an_answer_that_is_none_is_named() {
    let repeats = "and so on ".repeat(5_000);
    let endless = " ".repeat(3 << 20);
    let all = |value: Value| move |_: &Value| say(&value);
    type Lie = Box<dyn Fn(&Value) -> Reply + Send + Sync>;
    let lies: [(Lie, &[&str]); 9] = [
        (Box::new(|_| Reply::Say(Sent::text(200, "<!DOCTYPE html><html>Welcome</html>"))), &["web page", "/v1"]),
        (Box::new(|_| Reply::Say(Sent::text(200, "{\"choices\": [{\"te"))), &["not JSON"]),
        (Box::new(all(json!({ "error": { "message": "out of memory" } }))), &["failed", "out of memory"]),
        (Box::new(all(json!({ "choices": [] }))), &["no choice among its choices"]),
        (Box::new(all(json!({ "id": "cmpl-1" }))), &["no choices"]),
        (Box::new(all(completion("12", 4, &Value::Null, "abort", 2))), &["\"abort\"", "stop or length"]),
        (Box::new(all(completion(&repeats, 4, &Value::Null, "length", 4))), &["obey max_tokens"]),
        (Box::new(move |_| Reply::Say(Sent::text(200, &endless))), &["more than", "max_tokens"]),
        (
            Box::new(|_| {
                Reply::Say(Sent { status: 400, ..Sent::json(&json!({ "detail": "the prompt is too long" })) })
            }),
            &["400", "the prompt is too long", "--max-tokens"],
        ),
    ];
    for (lie, words) in lies {
        let server = EndpointServer::start(move |_, request| lie(request));
        let told = refused(1, exam(&server, &["--max-tokens", "4"]));
        assert_mentions(&told, &[&server.url()]);
        assert_mentions(&told, words);
    }
}

#[test]
fn a_server_that_stalls_is_not_waited_for_for_ever() {
    let server = EndpointServer::start(|_, _| Reply::Silence);
    let told = refused(1, exam(&server, &["--endpoint-timeout", "1"]));
    assert_mentions(&told, &["within 1 s", "--endpoint-timeout"]);
    assert!(!told.contains("tried"), "{told}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let url = EndpointServer::start(|_, _| Reply::Silence).url();
    let told = refused(1, command(&["exam", BASE, "--bench", "demo", "--endpoint", &url]));
    assert_mentions(&told, &[&url, "tried 5 times"]);
}

#[test]
fn numbers_that_cannot_be_are_refused_and_the_answers_count() {
    for (lie, words) in [
        (json!({ "token_logprobs": [0.5, 0.5, 0.5] }), "log probabilities were refused for 64 answers"),
        (json!({ "token_logprobs": vec![-0.5; 40] }), "log probabilities were refused for 64 answers"),
        (Value::Null, "gave no log probabilities of its tokens for 64 answers"),
    ] {
        let server = EndpointServer::start(move |_, request| {
            let mut answer = honest(request);
            if is_question(request) {
                answer["choices"][0]["logprobs"] = lie.clone();
            }
            say(&answer)
        });
        let folder = folder();
        let samples = folder.path().join("samples.jsonl");
        let report = report(exam(&server, &["--out", text(&samples)]));
        assert_eq!(report["score"]["mean"], 1.0);
        assert_mentions(&warnings(&report), &[words]);
        assert!(lines(&samples).iter().skip(1).all(|line| !line.contains("log_probability\":-")));
    }
    let counting = EndpointServer::start(|_, request| {
        let mut answer = honest(request);
        answer["usage"] = json!({ "prompt_tokens": 90_000, "completion_tokens": 90_000 });
        say(&answer)
    });
    let report = report(exam(&counting, &[]));
    assert!(report["lengths"]["longest"].as_u64().unwrap() < 10, "{}", report["lengths"]);
    assert_mentions(&warnings(&report), &["count of tokens", "64 prompts", "--endpoint-token-ids"]);
}

#[test]
fn a_server_that_does_not_score_leaves_levels_to_the_text() {
    let refusing = |request: &Value| match is_question(request) {
        true => say(&honest(request)),
        false => Reply::Say(Sent { status: 400, ..Sent::json(&json!({ "error": "no echo here" })) }),
    };
    // llama.cpp takes the word, and goes on as if it were not there.
    let ignoring = |request: &Value| match is_question(request) {
        true => say(&honest(request)),
        false => say(&completion("x", 4, &json!({ "content": [{ "token": "x", "logprob": -0.1 }] }), "length", 1)),
    };
    for (script, cause) in [(refusing as fn(&Value) -> Reply, "no echo here"), (ignoring, "does not echo")] {
        let server = EndpointServer::start(move |_, request| script(request));
        let report = report(exam(&server, &[]));
        assert_eq!((&report["score"]["mean"], &report["reference_likelihood"]), (&json!(1.0), &Value::Null));
        assert_mentions(&warnings(&report), &["does not score given texts", cause, "A was not asked about 64 answers"]);
    }
}

#[test]
fn log_probabilities_that_are_no_numbers_are_none() {
    let server = EndpointServer::start(|_, request| {
        let text = honest(request).to_string();
        // As Python writes it.
        let text = if is_question(request) { text } else { text.replace("-0.25", "NaN") };
        Reply::Say(Sent::text(200, &text))
    });
    let report = report(exam(&server, &[]));
    assert_eq!(report["reference_likelihood"], Value::Null);
    assert_mentions(&warnings(&report), &["did not score", "no numbers"]);
}

#[test]
fn a_server_that_does_not_know_a_word_is_asked_without_it() {
    for (word, words) in [("top_k", &["no top_k here", "defaults"][..]), ("logprobs", &["gave no log probabilities"])] {
        let server = EndpointServer::start(move |_, request| match request.get(word) {
            Some(_) => Reply::Say(Sent { status: 400, ..Sent::json(&json!({ "error": format!("no {word} here") })) }),
            None => {
                let mut answer = honest(request);
                if word == "logprobs" {
                    answer["choices"][0]["logprobs"] = Value::Null;
                }
                say(&answer)
            }
        });
        let report = report(exam(&server, &[]));
        assert_eq!(report["score"]["mean"], 1.0);
        assert_mentions(&warnings(&report), words);
        assert_eq!(warnings(&report).contains("top_k"), word == "top_k");
    }
}

#[test]
fn the_model_is_named_where_there_are_several() {
    for (models, words) in [(&["one", "two"][..], "(one, two)"), (&[], "no model")] {
        let server = EndpointServer::serving(models, |_, request| say(&honest(request)));
        assert_mentions(&refused(2, exam(&server, &[])), &[&server.url(), words, "--endpoint-model"]);
        assert_eq!(server.asked().len(), 0);
        report(exam(&server, &["--endpoint-model", "two"]));
        assert!(server.asked().iter().all(|asked| asked.body["model"] == "two"));
    }
}

#[test]
fn a_key_in_the_address_is_refused_and_not_shown() {
    let words = ["exam", BASE, "--bench", "demo", "--endpoint", "http://me:secret@localhost:1"];
    let told = refused(2, command(&words));
    assert_mentions(&told, &["STETHOSCOPE_ENDPOINT_KEY"]);
    assert!(!told.contains("secret"), "{told}");
}

/// A folder of the small files alone: the planted pair's tokenizer, and a chat template.
fn small_files(folder: &Path) {
    let planted = synthetic::planted(BASE).expect("the pair");
    fs::write(folder.join("tokenizer.json"), &planted.side_files["tokenizer.json"]).expect("a file can be written");
    let template = "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}<assistant>";
    fs::write(folder.join("chat_template.jinja"), template).expect("a file can be written");
}

#[test]
fn prompts_are_in_the_models_own_template_and_draws_belong_to_question_and_sample() {
    let folder = folder();
    small_files(folder.path());
    let server = EndpointServer::start(|_, request| say(&honest(request)));
    let words = ["--bench", "demo", "--preset", "r1", "--samples", "2", "--seed", "7"];
    let drawn = |more: &[&str]| {
        let before = server.asked().len();
        report(exam_of(text(folder.path()), &server, &[&words, more].concat()));
        let asked = server.asked().split_off(before);
        let asked = asked.into_iter().map(|asked| asked.body).filter(is_question);
        asked.map(|body| (body["prompt"].to_string(), body["seed"].as_u64().unwrap())).collect::<BTreeSet<_>>()
    };
    let first = drawn(&[]);
    assert!(
        first.iter().all(|(prompt, _)| prompt.starts_with("\"<user>") && prompt.ends_with("<assistant><think>\\n\""))
    );
    let seeds: BTreeSet<u64> = first.iter().map(|(_, seed)| *seed).collect();
    assert_eq!(seeds.len(), 128);
    assert_eq!(first, drawn(&[]));
    let by_ids = drawn(&["--endpoint-token-ids"]);
    assert_eq!(by_ids.iter().map(|(_, seed)| *seed).collect::<BTreeSet<_>>(), seeds);
    assert!(by_ids.iter().all(|(prompt, _)| prompt.starts_with("[60,117,115,101,114,62,")));
}

#[test]
fn an_answer_is_made_to_wait_where_the_preset_says_so() {
    let folder = folder();
    small_files(folder.path());
    let server = EndpointServer::start(|_, request| say(&honest(request)));
    let samples = folder.path().join("samples.jsonl");
    let words = ["--bench", "demo", "--preset", "s1", "--max-tokens", "200", "--out", text(&samples)];
    report(exam_of(text(folder.path()), &server, &words));
    let asked = server.asked();
    let questions: Vec<_> = asked.iter().filter(|asked| is_question(&asked.body)).collect();
    assert_eq!(questions.len(), 3 * 64);
    let waited = |asked: &&&Asked| asked.body["prompt"].as_str().unwrap().ends_with("Wait");
    assert_eq!(questions.iter().filter(waited).count(), 2 * 64);
    let sample: Value = serde_json::from_str(fs::read_to_string(&samples).unwrap().lines().nth(1).unwrap()).unwrap();
    assert_eq!(sample["text"].as_str().unwrap().matches("Wait").count(), 2);
}

#[test]
fn a_model_without_a_tokenizer_is_told_what_it_lacks() {
    let folder = folder();
    let server = EndpointServer::start(|_, request| say(&honest(request)));
    save(folder.path(), "model.safetensors", &[("w", f32_tensor(&[1], &[1.0]))]);
    let told = refused(1, exam_of(text(folder.path()), &server, &["--bench", "demo"]));
    assert_mentions(&told, &["tokenizer.json"]);
}

/// A server that says the same to everything, and finds nothing surprising.
fn parrot(words: &'static str) -> EndpointServer {
    EndpointServer::start(move |_, request| {
        let mut answer = honest(request);
        if is_question(request) {
            let tokens = words.len() + 1;
            answer = completion(words, 4, &json!({ "token_logprobs": vec![-0.5; tokens] }), "stop", tokens);
        }
        say(&answer)
    })
}

/// An honest server to which a `z` is a surprise.
fn critic() -> EndpointServer {
    EndpointServer::start(|_, request| {
        let mut answer = honest(request);
        if !is_question(request) {
            let surprises = request["prompt"].as_array().expect("tokens").iter().map(|token| token == u32::from(b'z'));
            let logprobs: Vec<f64> = surprises.map(|is_one| if is_one { -20.0 } else { -0.25 }).collect();
            answer["choices"][0]["logprobs"]["token_logprobs"] = json!(logprobs);
        }
        say(&answer)
    })
}

/// How many answers there are at each level.
fn levels(report: &Value) -> Vec<u64> {
    let levels = report["levels"].as_array().expect("a list");
    levels.iter().map(|level| level["answers"].as_u64().expect("a number")).collect()
}

#[test]
fn levels_are_judged_by_what_is_usual_for_the_base() {
    let folder = folder();
    let samples = folder.path().join("answers.jsonl");
    let (model, base) = (parrot("qzqz zqzzq qqz"), critic());
    let alone = report(exam(&model, &[]));
    assert_eq!((levels(&alone), &alone["base"]), (vec![0, 0, 64, 0], &Value::Null), "its own nonsense is usual for it");
    let with_base = ["--base", "planted:tuned", "--base-endpoint", &base.url(), "--out", text(&samples)];
    let judged = report(exam(&model, &with_base));
    assert_eq!(levels(&judged), [64, 0, 0, 0], "to the base it is nonsense");
    assert_eq!(judged["base"]["ref"], "planted:tuned");
    assert_eq!(judged["base"]["engine"], format!("endpoint {} {MODEL}", base.url()));
    assert_mentions(&run(plainly(exam(&model, &with_base))).stdout, &["what is usual for planted:tuned"]);
    // The base's samples lie beside the model's, and are not made twice.
    let of_base = folder.path().join("answers.base.jsonl");
    assert_eq!(lines(&of_base).len(), 65);
    assert_eq!(base.asked().iter().filter(|asked| is_question(&asked.body)).count(), 64);
    let from_file = ["--base", "planted:tuned", "--base-endpoint", &base.url(), "--base-samples", text(&of_base)];
    assert_eq!(report(exam(&model, &from_file))["levels"], judged["levels"]);
    assert_eq!(base.asked().iter().filter(|asked| is_question(&asked.body)).count(), 64);
    let same = exam(&model, &["--base", BASE, "--base-samples", text(&samples), "--out", text(&samples)]);
    assert_mentions(&refused(2, same), &["one file"]);
    let another = ["--base", BASE, "--base-endpoint", &base.url(), "--base-samples", text(&of_base)];
    assert_mentions(&refused(1, exam(&model, &another)), &["answers.base.jsonl", "planted:tuned"]);
}

#[test]
fn a_base_that_cannot_be_asked_in_the_same_words_is_refused_before_anything_is_asked() {
    let folder = folder();
    small_files(folder.path());
    let server = EndpointServer::start(|_, request| say(&honest(request)));
    let words = ["--bench", "demo", "--preset", "r1", "--samples", "1", "--base", BASE];
    let told = refused(1, exam_of(text(folder.path()), &server, &words));
    assert_mentions(&told, &[BASE, "no chat template"]);
    assert_eq!(server.asked().len(), 0);
}

/// The same as a table.
fn plainly(command: Command) -> Command {
    let words = command.get_args().filter(|word| *word != "--json" && *word != "-");
    crate::tool::command(&words.collect::<Vec<_>>())
}

#[test]
fn saved_reports_are_compared_question_by_question() {
    let folder = folder();
    let (honest, parrot) = (EndpointServer::start(|_, request| say(&honest(request))), parrot("12"));
    let saved = |server: &EndpointServer, name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        let words = ["exam", BASE, "--bench", "demo", "--endpoint", &server.url(), "--json", text(&path)];
        succeed(&[&words[..], more].concat());
        text(&path).to_owned()
    };
    let (a, b) = (saved(&parrot, "a.json", &[]), saved(&honest, "b.json", &[]));
    let found: Value = serde_json::from_str(&succeed(&["compare", &a, &b, "--json", "-"])).unwrap();
    assert_eq!((&found["schema"], &found["questions"]), (&json!("stethoscope.compare/1"), &json!(64)));
    let discordant = &found["mcnemar"];
    assert_eq!(discordant["only_a"], 0);
    assert!(discordant["only_b"].as_u64().unwrap() > 50 && found["difference"].as_f64().unwrap() > 0.8);
    assert_mentions(&found["warnings"].to_string(), &["other engines answered"]);
    assert_mentions(&succeed(&["compare", &a, &b]), &["B is better", "95 % interval", "warning: other engines"]);
    let other = saved(&honest, "other.json", &["--max-tokens", "9"]);
    assert_mentions(&refuse(1, &["compare", &a, &other]), &["sampling.max_tokens", "\"256\"", "\"9\""]);
    let seed = saved(&honest, "seed.json", &["--seed", "1"]);
    assert_mentions(&refuse(1, &["compare", &a, &seed]), &["other questions", "\"demo\" of 64 questions"]);
    succeed(&["inspect", BASE, "--json", text(&folder.path().join("inspected.json"))]);
    for (name, words) in [
        ("inspected.json", &["stethoscope.inspect/1", "stethoscope.exam/1"][..]),
        ("broken.json", &["not JSON", "line 1"]),
        ("missing.json", &["no such file"]),
    ] {
        let path = folder.path().join(name);
        if name == "broken.json" {
            fs::write(&path, "{\"schema\": \"stethoscope.exam/1\", ").unwrap();
        }
        assert_mentions(&refuse(1, &["compare", &a, text(&path)]), words);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_does_not_wait_for_an_answer() {
    let folder = folder();
    let samples = folder.path().join("samples.jsonl");
    let server =
        EndpointServer::start(|number, request| if number < 3 { say(&honest(request)) } else { Reply::Silence });
    let run = start(exam(&server, &["--out", text(&samples), "--concurrency", "2"]));
    let start = Instant::now();
    while !samples.exists() || lines(&samples).len() < 4 {
        assert!(start.elapsed() < crate::tool::TIME_LIMIT);
        thread::sleep(Duration::from_millis(5));
    }
    let id = libc::pid_t::try_from(run.child.id()).expect("a process id");
    // SAFETY: a signal to a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    let answer = run.finish();
    assert_eq!(answer.status.code(), Some(130), "{answer:?}");
    assert_mentions(&answer.stderr, &["the same command goes on from here"]);
}
