use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::client::{Server, Socket};
use crate::checkpoints::{folder as temporary, one_tensor};

/// A folder with a root that holds a model, and with another beside it.
fn place() -> (tempfile::TempDir, Server) {
    let place = temporary();
    for name in ["root/model", "outside"] {
        let model = one_tensor(&[1.0, 2.0]);
        fs::create_dir_all(place.path().join(name)).expect("a folder can be made");
        fs::copy(model.path().join("model.safetensors"), place.path().join(name).join("model.safetensors"))
            .expect("a file can be copied");
    }
    fs::write(place.path().join("outside/examples.jsonl"), "{\"the secret\": 1}\n").expect("a file can be written");
    let server = Server::start(place.path(), &[]);
    (place, server)
}

fn root(socket: &mut Socket) -> String {
    let roots = socket.list(None).expect("the roots are listed");
    roots["entries"][0]["reference"].as_str().expect("a reference").to_owned()
}

/// A request of every kind, with a name in every place where one can stand.
fn requests(name: &str) -> Vec<Value> {
    let delta = |a: &str, b: &str| json!({"a": a, "b": b, "select": "all", "relative": "script", "norms_only": true});
    let freeze = |data: &str, eval: Option<&str>, out: Option<&str>| {
        json!({"freeze": {"a": "demo:base", "train": "final_norm", "data": data, "template": null, "eval": eval, "out": out,
            "form": "model", "force": true, "settings": {}}})
    };
    let merge = |recipe: &str, out: Option<&str>| json!({"merge": {"recipe": recipe, "out": out, "force": true, "shard_bytes": 1000000}});
    let recipe = "demo:base; take o_proj from demo:reasoner";
    vec![
        json!({"delta": delta(name, "demo:base")}),
        json!({"delta": delta("demo:base", name)}),
        json!({"delta": delta(&format!("demo:base; take o_proj from {name}"), "demo:base")}),
        json!({"compare": {"a": "demo:base", "fine_tunes": [name, name], "select": "all"}}),
        json!({"inspect": {"checkpoint": name}}),
        json!({"closeup": {"a": name, "b": "demo:base", "tensor": "x", "slice": []}}),
        merge(name, None),
        merge(recipe, Some(name)),
        json!({"extract": {"a": "demo:base", "b": "demo:reasoner", "select": "o_proj", "form": "modules", "out": name, "force": true}}),
        json!({"preview": {"recipe": recipe, "against": [name], "tensors": [], "most_elements": null, "relative": "script", "norms_only": true}}),
        json!({"generate": {"models": [name], "prompt": {"text": "a"}, "sampling": {"temperature": 0.0, "top_k": null, "top_p": 1.0,
            "min_p": 0.0, "seed": 0, "max_tokens": 1, "stop": [], "stop_ids": [], "ignore_eos": false, "waits": 0}, "samples": 1, "positions": null, "base": null}}),
        json!({"locate": {"a": "demo:base", "b": "demo:reasoner", "bench": "mine", "data": name, "generate": false, "destroy": false, "control_seeds": 1}}),
        freeze(name, None, None),
        freeze(name, Some(name), Some(name)),
    ]
}

/// Everything that lies under a folder.
fn everything(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be listed").flatten() {
            names.push(entry.path().display().to_string());
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn a_name_that_leads_out_of_the_roots_is_refused_in_every_place_of_every_request() {
    let (place, server) = place();
    let mut socket = server.socket();
    let root = root(&mut socket);
    let before = everything(&place.path().join("outside"));
    let outside = place.path().join("outside");
    let names = [
        outside.display().to_string(),
        outside.join("examples.jsonl").display().to_string(),
        "root/model".to_owned(),
        "../outside".to_owned(),
        "/etc/passwd".to_owned(),
        format!("{root}/../outside"),
        format!("{root}/%2e%2e/outside"),
        format!("{root}/model\0.yaml"),
        format!("{root}/.."),
        "here:0123456789abcdef/model".to_owned(),
        "http://127.0.0.1:1/model".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for name in names {
        for request in requests(&name) {
            let outcome = socket.run(&request);
            let error = outcome.error.unwrap_or_else(|| panic!("{request} was answered"));
            let said = format!("{error}{:?}", outcome.events);
            assert!(!said.contains("the secret") && !said.contains("root:x"), "{request}: {said}");
            let words = ["cannot be named", "not there any more", "is not asked", "is not a recipe", "expected"];
            assert!(words.iter().any(|words| error.contains(words)), "{request}: {error}");
        }
        assert!(socket.list(Some(&name)).is_err(), "{name}");
    }
    assert_eq!(everything(&outside), before, "nothing was written there");
}

#[test]
fn a_model_under_a_root_is_opened_by_the_name_that_was_listed_and_one_is_written_beside_it() {
    let (place, server) = place();
    let mut socket = server.socket();
    let root = root(&mut socket);
    let listing = socket.list(Some(&root)).expect("a root is listed");
    let model = listing["entries"][0]["reference"].as_str().expect("a reference");
    let outcome = socket.run(&json!({"inspect": {"checkpoint": model}}));
    assert_eq!(outcome.error, None);
    let inspection = &outcome.events.last().expect("an event")["inspection"];
    assert_eq!(inspection["ref"].as_str(), Some(model), "it is asked for by this name again");
    let out = format!("{root}/merged");
    let recipe = "demo:base; take o_proj from demo:reasoner";
    let merge = json!({"merge": {"recipe": recipe, "out": out, "force": false, "shard_bytes": 100000000}});
    assert_eq!(socket.run(&merge).error, None);
    assert!(place.path().join("root/merged/model.safetensors").is_file());
    assert!(socket.run(&merge).error.expect("refused").contains("exists"), "nothing is overwritten unasked");
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_roots_is_not_followed() {
    let (place, server) = place();
    let mut socket = server.socket();
    let root = root(&mut socket);
    let outside = place.path().join("outside");
    std::os::unix::fs::symlink(&outside, place.path().join("root/way")).expect("a link can be made");
    std::os::unix::fs::symlink(outside.join("model.safetensors"), place.path().join("root/model/more.safetensors"))
        .expect("a link can be made");
    for name in ["way", "model"] {
        for request in requests(&format!("{root}/{name}")) {
            let kind = request.as_object().expect("an object").keys().next().expect("a kind").clone();
            // What is written replaces the model, which is inside.
            if name == "model" && (kind == "merge" || kind == "extract" || kind == "freeze" || kind == "locate") {
                continue;
            }
            let error = socket.run(&request).error.unwrap_or_else(|| panic!("{request} was answered"));
            assert!(!error.contains("secret") && !error.contains("outside"), "{error}");
        }
    }
    assert_eq!(everything(&outside).len(), 2);
}
