//! Checkpoints that are elsewhere: on a server that answers as the Hub does, behaves and misbehaves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use stethoscope_hub_server::{Exchange, HubServer, Kind, Origin};
use tempfile::TempDir;

use crate::checkpoints::{Tensor, f32_tensor, folder, save, write};
use crate::tool::{Answer, assert_mentions, command, start, text};

/// Rows and columns of every matrix: one is 256 KiB, more than what is read of a file when it is opened.
const SIDE: usize = 256;

/// A Hub with a pair of checkpoints, `org/base` and `org/tuned`.
struct World {
    root: TempDir,
    server: HubServer,
}

impl World {
    fn new() -> Self {
        let root = folder();
        write_checkpoint(&root.path().join("org/base"), 0.0);
        write_checkpoint(&root.path().join("org/tuned"), 0.25);
        let server = HubServer::start(root.path()).expect("two free ports");
        Self { root, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The tool, which takes this server for the Hub.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", self.server.url());
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        start(self.command(arguments)).finish()
    }

    #[track_caller]
    fn delta(&self, a: &str, b: &str, more: &[&str]) -> Value {
        let answer = self.run(&[&["delta", a, b, "--json", "-"], more].concat());
        assert_eq!((answer.status.code(), &*answer.stderr), (Some(0), ""));
        serde_json::from_str(&answer.stdout).expect("the report is JSON")
    }

    /// `inspect` refuses this, with these words.
    #[track_caller]
    fn assert_refused(&self, reference: &str, words: &[&str]) {
        let answer = self.run(&["inspect", reference]);
        assert_eq!((answer.status.code(), &*answer.stdout), (Some(1), ""), "{}", answer.stderr);
        assert_mentions(&answer.stderr, words);
    }

    fn log(&self, origin: Origin) -> Vec<Exchange> {
        self.server.log().into_iter().filter(|exchange| exchange.origin == origin).collect()
    }
}

/// Two blocks in two shards with an index, and the small files beside them.
fn write_checkpoint(folder: &Path, shift: f32) {
    let mut map = serde_json::Map::new();
    for layer in 0..2 {
        let file = format!("model-{:05}-of-00002.safetensors", layer + 1);
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        let matrices = ["self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj"];
        let tensors: Vec<(String, Tensor)> =
            matrices.iter().enumerate().map(|(at, part)| (name(part), matrix(layer * 3 + at, shift))).collect();
        map.extend(tensors.iter().map(|(name, _)| (name.clone(), json!(file))));
        let tensors: Vec<(&str, Tensor)> =
            tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())).collect();
        save(folder, &file, &tensors);
    }
    write(folder, "model.safetensors.index.json", json!({ "weight_map": map }).to_string());
    write(folder, "config.json", r#"{"model_type": "llama", "hidden_size": 256}"#);
    write(folder, "generation_config.json", json!({ "temperature": shift }).to_string());
    write(folder, "tokenizer.json", r#"{"version": "1.0"}"#);
    write(folder, "README.md", "# A model");
}

/// Values that differ from place to place and from matrix to matrix.
fn matrix(seed: usize, shift: f32) -> Tensor {
    let value = |at: usize| ((at * 31 + seed * 17) % 101) as f32 / 50.0 - 1.0;
    let values: Vec<f32> = (0..SIDE * SIDE).map(|at| value(at) * (1.0 + shift * value(at * 7))).collect();
    f32_tensor(&[SIDE, SIDE], &values)
}

/// What a report says, leaving out who was asked and how long it took.
fn findings(mut report: Value) -> Value {
    for key in ["command", "seconds"] {
        report.as_object_mut().expect("an object").remove(key);
    }
    for side in ["a", "b"] {
        report[side].as_object_mut().expect("an object").remove("ref");
    }
    report
}

#[test]
fn a_delta_over_the_network_is_the_delta_of_the_same_files_here() {
    let world = World::new();
    let (a, b) = (world.path("org/base"), world.path("org/tuned"));
    let here = findings(world.delta(text(&a), text(&b), &[]));
    assert!(here["tensors"].as_array().is_some_and(|rows| rows.len() == 6));
    let url = |path: &str| format!("{}/plain/org/{path}", world.server.cdn_url());
    for (a, b) in [
        ("org/base".to_owned(), "org/tuned@main".to_owned()),
        (format!("{}/org/base", world.server.url()), format!("{}/org/tuned/tree/main", world.server.url())),
        (url("base"), url("tuned/")),
        (url("base/model.safetensors.index.json?token=x"), text(&b).to_owned()),
    ] {
        assert_eq!(findings(world.delta(&a, &b, &[])), here, "{a} {b}");
    }
}

#[test]
fn only_headers_samples_and_what_is_selected_are_read() {
    let world = World::new();
    world.delta("org/base", "org/tuned", &["--select", "o_proj"]);
    let (first_read, sample) = (64 << 10, 2 * 4096);
    let matrix = (SIDE * SIDE * 4) as u64;
    // Each of four shards: its start, the samples of its three matrices, one matrix.
    let most = 4 * (first_read + 3 * sample + matrix);
    let sent: u64 = world.log(Origin::Cdn).iter().map(|exchange| exchange.body_bytes).sum();
    assert!(sent <= most && sent >= 4 * matrix, "{sent} of at most {most}");
    let whole: u64 = 4 * 3 * matrix;
    assert!(sent < whole / 2);
}

#[test]
fn an_inspection_reads_headers_and_the_configuration_alone() {
    let world = World::new();
    let answer = world.run(&["inspect", "org/base"]);
    assert_eq!((answer.status.code(), &*answer.stderr), (Some(0), ""));
    assert_mentions(&answer.stdout, &["org/base", "llama", "o_proj"]);
    let ranges: Vec<_> = world.log(Origin::Cdn).into_iter().filter_map(|exchange| exchange.range).collect();
    assert_eq!(ranges, ["bytes=0-65535", "bytes=0-65535"]);
    assert!(!world.log(Origin::Hub).iter().any(|exchange| exchange.target.contains("tokenizer")));
}

#[test]
fn a_token_goes_to_the_hub_and_nowhere_else() {
    let world = World::new();
    write(world.root.path(), "org/base/.token", "hf_secret");
    let with_token = |variable: &str, value: &str| {
        let mut command = world.command(&["inspect", "org/base"]);
        command.env(variable, value);
        start(command).finish()
    };
    let answer = with_token("HF_TOKEN", "hf_secret");
    assert_eq!((answer.status.code(), &*answer.stderr), (Some(0), ""));
    let (hub, cdn) = (world.log(Origin::Hub), world.log(Origin::Cdn));
    assert!(hub.iter().all(|exchange| exchange.authorization.as_deref() == Some("Bearer hf_secret")), "{hub:#?}");
    assert!(cdn.len() == 2 && cdn.iter().all(|exchange| exchange.authorization.is_none()), "{cdn:#?}");

    let kept = write(world.root.path(), "token-file", "hf_secret\n");
    assert_eq!(with_token("HF_TOKEN_PATH", text(&kept)).status.code(), Some(0));

    world.server.reset();
    world.server.misbehave(Kind::RedirectAway, "/api/models", 1);
    let answer = with_token("HF_TOKEN", "hf_secret");
    assert_eq!(answer.status.code(), Some(1));
    assert!(!answer.stderr.contains("hf_secret"), "{}", answer.stderr);
    assert_mentions(&answer.stderr, &["where it was redirected to", "403"]);
    let cdn = world.log(Origin::Cdn);
    assert!(cdn.len() == 1 && cdn[0].authorization.is_none(), "{cdn:#?}");
}

#[test]
fn what_may_not_be_seen_says_what_to_do() {
    let world = World::new();
    write(world.root.path(), "org/base/.token", "hf_secret");
    world.assert_refused("org/base", &["org/base", "401", "no such public repository", "private", "HF_TOKEN"]);
    let mut command = world.command(&["inspect", "org/base"]);
    command.env("HF_TOKEN", "hf_wrong");
    let answer = start(command).finish();
    assert_mentions(&answer.stderr, &["your token may not see it", "check the spelling"]);
    write(world.root.path(), "org/base/.gated", "");
    world.assert_refused("org/base", &["403", "gated", "ask for access", "Access to model org/base is restricted"]);
}

#[test]
fn a_name_that_is_nowhere_says_where_was_looked() {
    let world = World::new();
    world.assert_refused(
        "org/bsae",
        &["org/bsae is neither a path here", "local cache", "the Hub does not give it", "check the spelling"],
    );
    world.assert_refused("org/base@v9", &["org/base@v9", "404", "no such revision", "Invalid rev id: v9"]);
    let answer = world.run(&["inspect", "org/base", "--offline"]);
    assert_mentions(&answer.stderr, &["the Hub is not asked", "offline", "hf download org/base"]);
    let url = format!("{}/plain/org/none/model.safetensors", world.server.cdn_url());
    world.assert_refused(&url, &[&url, "404", "no such file"]);
    let other = format!("{}/org/base/blob/main/README.md", world.server.url());
    world.assert_refused(&other, &["nothing in it"]);
}

#[test]
fn a_revision_is_read_at_its_commit() {
    let world = World::new();
    write_checkpoint(&world.path("org/base@v2"), 0.5);
    let report = world.delta("org/base@v2", text(&world.path("org/base@v2")), &["--norms-only"]);
    assert_mentions(&report["warnings"].to_string(), &["the same values everywhere"]);
    let log = world.log(Origin::Hub);
    assert!(log.iter().any(|exchange| exchange.target.contains("/revision/v2")));
    assert!(!log.iter().any(|exchange| exchange.target.contains("/resolve/v2/")), "{log:#?}");
}

#[test]
fn the_local_cache_comes_before_the_hub_unless_it_lacks_the_weights() {
    let world = World::new();
    let cache = folder();
    let snapshot = "models--org--base/snapshots/0123456789";
    write(cache.path(), "models--org--base/refs/main", "0123456789");
    write(cache.path(), &format!("{snapshot}/tokenizer.json"), "{}");
    let inspect = || {
        let mut command = world.command(&["inspect", "org/base"]);
        command.env("HF_HUB_CACHE", cache.path());
        start(command).finish()
    };
    assert_eq!(inspect().status.code(), Some(0));
    assert!(!world.server.log().is_empty());
    world.server.reset();
    save(cache.path(), &format!("{snapshot}/model.safetensors"), &[("w", f32_tensor(&[1], &[1.0]))]);
    assert_eq!(inspect().status.code(), Some(0));
    assert!(world.server.log().is_empty(), "{:?}", world.server.log());
}

#[test]
fn a_single_file_is_read_from_a_url_without_showing_its_secrets() {
    let world = World::new();
    save(&world.path("single"), "model.safetensors", &[("w", matrix(1, 0.0))]);
    let address = world.server.cdn_url();
    let reference =
        format!("{}/plain/single/model.safetensors?signature=secret", address.replace("//", "//me:secret@"));
    let answer = world.run(&["inspect", &reference, "--json", "-"]);
    assert_eq!(answer.status.code(), Some(0), "{}", answer.stderr);
    assert!(!answer.stdout.contains("secret"), "{}", answer.stdout);
    let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(report["ref"], json!(format!("{address}/plain/single/model.safetensors")), "{report}");
    let log = world.server.log();
    let shard = log.iter().find(|exchange| exchange.range.is_some()).expect("a range");
    assert!(shard.target.ends_with("?signature=secret"), "{shard:?}");
    // The name and the password of the URL, as HTTP writes them.
    assert_eq!(shard.authorization.as_deref(), Some("Basic bWU6c2VjcmV0"));
    world.server.misbehave(Kind::Status(403), "single", 10);
    let answer = world.run(&["inspect", &reference]);
    assert_mentions(&answer.stderr, &["403", "get a new link"]);
    assert!(!answer.stderr.contains("secret"), "{}", answer.stderr);
}

#[test]
fn what_passes_is_tried_again() {
    let here = World::new();
    let expected = findings(here.delta("org/base", "org/tuned", &["--norms-only"]));
    for (kind, part, skip) in [
        (Kind::Status(503), "/api/models/org/base", 0),
        (Kind::TooMany(1), "/resolve/", 0),
        (Kind::Hangup, "/org/tuned/model-00001", 0),
        (Kind::Cut, "/org/base/model-00002", 2),
        (Kind::Cut, "config.json", 0),
        (Kind::ShortLength, "/org/tuned/model-00002", 1),
        // A signed URL that has expired is asked for anew.
        (Kind::Status(403), "/org/base/model-00001-of-00002.safetensors?signature", 1),
    ] {
        here.server.reset();
        here.server.misbehave_later(kind, part, skip, 1);
        let report = here.delta("org/base", "org/tuned", &["--norms-only"]);
        assert_eq!(findings(report), expected, "{kind:?} {part}");
    }
}

/// A delta meets a fault that stays, and says so.
#[track_caller]
fn assert_fails(kind: Kind, part: &str, skip: usize, words: &[&str]) {
    let world = World::new();
    world.server.misbehave_later(kind, part, skip, usize::MAX);
    let answer = world.run(&["delta", "org/base", "org/tuned", "--json", "-"]);
    assert_eq!((answer.status.code(), &*answer.stdout), (Some(1), ""), "{kind:?}: {answer:#?}");
    assert!(answer.stderr.starts_with("error: ") && answer.stderr.len() < 1_500, "{}", answer.stderr);
    assert_mentions(&answer.stderr, words);
}

#[test]
fn a_server_that_is_not_what_it_should_be_is_named() {
    let shard = "/org/base/model-00001-of-00002.safetensors?signature";
    assert_fails(Kind::WebPage, "/api/models", 0, &["not what the Hub's API gives", "is this address a Hub's?"]);
    assert_fails(Kind::HugeBody, "/api/models", 0, &["more than 67108864 bytes"]);
    assert_fails(Kind::RedirectLoop, "/resolve/", 0, &["redirected more than 10 times"]);
    assert_fails(Kind::IgnoreRange, shard, 0, &["model-00001", "ignores ranges", "200", "download the file"]);
    assert_fails(Kind::WrongContentRange, shard, 1, &["were asked for, but the answer says that it holds `bytes "]);
    assert_fails(Kind::NoContentRange, shard, 0, &["Content-Range header was expected"]);
    assert_fails(Kind::LongLength, shard, 1, &["has more than the", "server or a proxy is at fault"]);
    assert_fails(
        Kind::HugeLength,
        shard,
        0,
        &["model-00001", "18446744073709551295 bytes follow", "no trailing bytes"],
    );
    assert_fails(Kind::OtherEtag, shard, 1, &["model-00001", "changed while it was being read", "ETag"]);
    assert_fails(Kind::HugeBody, "index.json", 0, &["index.json", "more than 200000000 bytes"]);
}

#[test]
fn a_server_that_stays_in_trouble_is_given_up_with_the_number_of_tries() {
    let shard = "/org/base/model-00001-of-00002.safetensors?signature";
    assert_fails(
        Kind::Status(500),
        "/api/models",
        0,
        &["on the Hub (http://127.0.0.1", "500", "in trouble", "(tried 5 times)"],
    );
    assert_fails(Kind::Cut, shard, 1, &["model-00001", "reading bytes", "cut", "(tried 5 times)"]);
    assert_fails(Kind::ShortLength, shard, 1, &["says that it holds", "but has", "(tried 5 times)"]);
    assert_fails(Kind::TooMany(3600), "/api/models", 0, &["wait for 3600 s"]);
}

#[test]
fn an_object_store_is_read_as_the_same_files_here() {
    let world = World::new();
    let delta = |a: &str, b: &str| {
        let mut command = world.command(&["delta", a, b, "--json", "-", "--norms-only"]);
        command.env("AWS_ENDPOINT_URL", format!("{}/s3", world.server.cdn_url()));
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "hidden").env("AWS_REGION", "here");
        start(command).finish()
    };
    let (a, b) = (world.path("org/base"), world.path("org/tuned"));
    let here = findings(world.delta(text(&a), text(&b), &["--norms-only"]));
    for b in ["s3://org/tuned", "s3://org/tuned/model.safetensors.index.json"] {
        let answer = delta("s3://org/base/", b);
        assert_eq!((answer.status.code(), &*answer.stderr), (Some(0), ""));
        assert_eq!(findings(serde_json::from_str(&answer.stdout).expect("JSON")), here);
    }
    let answer = delta("s3://org/base", "s3://org/none");
    assert_mentions(&answer.stderr, &["s3://org/none", "nothing in it", ".safetensors files were expected"]);
    world.server.misbehave_later(Kind::OtherEtag, "/s3/org/base/model-00002", 1, usize::MAX);
    let answer = delta("s3://org/base", "s3://org/tuned");
    assert_mentions(&answer.stderr, &["s3://org/base/model-00002", "changed while it was being read"]);
    world.server.misbehave(Kind::Status(403), "/s3/org/base/model-00001", usize::MAX);
    let answer = delta("s3://org/base", "s3://org/tuned");
    assert_mentions(&answer.stderr, &["s3://org/base/model-00001", "does not let this account", "AWS_ACCESS_KEY_ID"]);
    assert!(!answer.stderr.contains("hidden"), "{}", answer.stderr);
}

#[cfg(unix)]
#[test]
fn ctrl_c_does_not_wait_for_a_server_that_does_not_answer() {
    let world = World::new();
    world.server.set_latency(Duration::from_secs(20));
    let run = start(world.command(&["delta", "org/base", "org/tuned"]));
    // Its first request is under way once the server has a connection.
    while world.server.most_in_flight() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let started = std::time::Instant::now();
    let sent = Command::new("kill").args(["-INT", &run.child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let answer = run.finish();
    assert_eq!(answer.status.code(), Some(130), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn requests_are_under_way_at_the_same_time() {
    let world = World::new();
    world.server.set_latency(Duration::from_millis(50));
    world.delta("org/base", "org/tuned", &["--norms-only"]);
    assert!(world.server.most_in_flight() >= 4, "{}", world.server.most_in_flight());
}
