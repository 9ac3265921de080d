//! What can be wrong with files and requests: the message says which file and tensor, what was found and what was expected.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::checkpoints::{f32_tensor, file_of, folder, one_tensor, save, write};
use crate::tool::{assert_mentions, refuse, succeed, text};

/// Every command refuses this checkpoint, on whichever side it stands and however it is read.
#[track_caller]
fn assert_reference_refused(reference: &Path, words: &[&str]) {
    let good = one_tensor(&[1.0]);
    let (reference, good) = (text(reference), text(good.path()));
    for arguments in
        [&["inspect", reference][..], &["delta", reference, good], &["delta", good, reference, "--no-mmap"]]
    {
        let message = refuse(1, arguments);
        assert_mentions(&message, words);
        assert!(message.starts_with("error: ") && message.ends_with('\n') && message.len() < 2_000, "{message}");
        assert!(!message.contains('\x1b') && !message.contains('\0'), "{message:?}");
    }
}

/// A file with these bytes is refused.
#[track_caller]
fn assert_file_refused(bytes: &[u8], words: &[&str]) {
    let folder = folder();
    let path = write(folder.path(), "broken.safetensors", bytes);
    assert_reference_refused(&path, &[&["broken.safetensors"], words].concat());
}

/// A file with this header, and eight bytes of data, is refused.
#[track_caller]
fn assert_header_refused(header: &str, words: &[&str]) {
    assert_file_refused(&file_of(header, &[0; 8]), words);
}

/// A file with one tensor `w`, described like this, is refused; the message names the tensor.
#[track_caller]
fn assert_entry_refused(entry: &str, words: &[&str]) {
    assert_header_refused(&format!(r#"{{"w":{entry}}}"#), &[&["\"w\""], words].concat());
}

#[test]
fn headers_that_are_too_long() {
    assert_file_refused(&file_of("{}", &[])[..9], &["claims 2 bytes", "whole file has 9"]);
    let huge = |length: u64| [&length.to_le_bytes()[..], b"{}"].concat();
    assert_file_refused(&huge(100_000_001), &["claims 100000001 bytes", "at most 100000000"]);
    assert_file_refused(&huge(u64::MAX), &["claims 18446744073709551615 bytes", "at most 100000000"]);
    assert_file_refused(&huge(99_999_999), &["claims 99999999 bytes", "cut short"]);
}

#[test]
fn files_that_are_hardly_there() {
    assert_file_refused(b"", &["the file is empty"]);
    assert_file_refused(b"\x02\0\0", &["3 bytes", "8 bytes"]);
    assert_file_refused(&[0; 8], &["claims 0 bytes", "JSON object was expected"]);
}

#[test]
fn headers_that_are_not_json_objects() {
    assert_file_refused(&file_of("{\"\u{1}", &[]).map_last(0xff), &["not UTF-8", "JSON text was expected"]);
    assert_header_refused("{\"w\":", &["not the JSON that was expected"]);
    assert_header_refused("[]", &["byte 0x5b", "`{` was expected"]);
    assert_header_refused(" {}", &["byte 0x20", "`{` was expected"]);
    assert_header_refused(&format!("{{\"w\":{}", "[".repeat(100_000)), &[]);
}

/// Bytes with another last one.
trait MapLast {
    fn map_last(self, byte: u8) -> Self;
}

impl MapLast for Vec<u8> {
    fn map_last(mut self, byte: u8) -> Self {
        *self.last_mut().expect("at least one byte") = byte;
        self
    }
}

#[test]
fn names_given_twice() {
    let entry = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let other = r#"{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#;
    assert_header_refused(&format!(r#"{{"w":{entry},"w":{other}}}"#), &["\"w\" is listed twice", "expected once"]);
    assert_header_refused(&format!(r#"{{"w":{entry},"\u0077":{other}}}"#), &["\"w\" is listed twice"]);
    assert_entry_refused(
        r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4],"shap\u0065":[2]}"#,
        &["`shape` twice", "expected once"],
    );
    assert_header_refused(r#"{"__metadata__":{"k":"1","\u006b":"2"}}"#, &["__metadata__", "\"k\" twice"]);
}

#[test]
fn entries_that_cannot_be_understood() {
    assert_entry_refused(
        r#"{"dtype":"F33","shape":[2],"data_offsets":[0,8]}"#,
        &["\"F33\"", "not a safetensors", "BF16"],
    );
    assert_entry_refused(r#"{"dtype":"F4","shape":[16],"data_offsets":[0,8]}"#, &["\"F4\"", "not supported", "BF16"]);
    assert_entry_refused(r#"{"dtype":"F32","shape":[2]}"#, &["data_offsets"]);
    assert_entry_refused(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8],"scale":2}"#, &["\"scale\"", "expected"]);
    assert_header_refused(r#"{"__metadata__":{"k":1}}"#, &["__metadata__", "strings was expected"]);
    assert_header_refused(
        r#"{"w\u0000":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        &[r#""w\0""#, "NUL", "another name"],
    );
}

#[test]
fn shapes_that_do_not_fit() {
    let ones = "1,".repeat(8);
    let entry = format!(r#"{{"dtype":"F64","shape":[{ones}1],"data_offsets":[0,8]}}"#);
    assert_entry_refused(&entry, &["9 dimensions", "at most 8"]);
    assert_entry_refused(r#"{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#, &["8 bytes", "[3] of F32 takes 12"]);
    assert_entry_refused(r#"{"dtype":"F32","shape":[],"data_offsets":[0,8]}"#, &["8 bytes", "[] of F32 takes 4"]);
    assert_entry_refused(
        r#"{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,8]}"#,
        &["overflows", "2^64 bytes"],
    );
    assert_entry_refused(
        r#"{"dtype":"F32","shape":[0,4294967296,4294967296,4294967296],"data_offsets":[0,0]}"#,
        &["overflows"],
    );
}

#[test]
fn offsets_that_cannot_be() {
    let offsets = |offsets: &str| format!(r#"{{"dtype":"F32","shape":[2],"data_offsets":{offsets}}}"#);
    assert_entry_refused(&offsets("[-8,0]"), &["-8"]);
    assert_entry_refused(&offsets("[0,8.5]"), &["8.5"]);
    assert_entry_refused(
        &offsets("[0,18446744073709551616]"),
        &["floating point", "a whole number from 0 to 2^64 - 1"],
    );
    assert_entry_refused(&offsets("[8,0]"), &["go backwards, from 8 to 0"]);
    assert_entry_refused(&offsets("[0]"), &["data_offsets", "expected"]);
    assert_entry_refused(&offsets("[4,12]"), &["4..12", "only 8 bytes follow the header"]);
    assert_entry_refused(&offsets("[18446744073709551607,18446744073709551615]"), &["only 8 bytes follow the header"]);
}

#[test]
fn tensors_that_overlap_or_leave_bytes_over() {
    let two = |first: &str, second: &str| {
        let entry = |offsets| format!(r#"{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}"#);
        format!(r#"{{"v":{},"w":{}}}"#, entry(first), entry(second))
    };
    assert_header_refused(
        &two("[0,4]", "[2,6]"),
        &["\"w\" starts at data offset 2, inside tensor \"v\", which ends at 4"],
    );
    assert_header_refused(&two("[0,4]", "[0,4]"), &["inside tensor"]);
    assert_file_refused(&file_of(&two("[0,4]", "[8,12]"), &[0; 12]), &["4..8", "before tensor \"w\"", "no tensor"]);
    let trailing = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert_header_refused(trailing, &["ends at data offset 4", "8 bytes follow", "no trailing bytes"]);
    assert_header_refused("{}", &["ends at data offset 0", "8 bytes follow"]);
}

/// A folder with an index like this, and two shards that hold `v` and `w`.
fn indexed(index: &str) -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), "model.safetensors.index.json", index);
    save(folder.path(), "one.safetensors", &[("v", f32_tensor(&[1], &[1.0]))]);
    save(folder.path(), "two.safetensors", &[("w", f32_tensor(&[1], &[2.0]))]);
    folder
}

#[test]
fn indexes_that_do_not_describe_their_folder() {
    let refused = |map: &str, words: &[&str]| {
        let folder = indexed(&format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#));
        let words = [&["model.safetensors.index.json"], words].concat();
        assert_reference_refused(folder.path(), &words);
        assert_reference_refused(&folder.path().join("model.safetensors.index.json"), &words);
    };
    refused("{}", &["`weight_map` is empty", "at least one tensor was expected"]);
    refused(r#"{"w":"../two.safetensors"}"#, &["\"w\"", "../two.safetensors", "`..`", "own folder was expected"]);
    refused(r#"{"w":"/etc/two.safetensors"}"#, &["\"w\"", "absolute path", "own folder was expected"]);
    refused(r#"{"w":"C:\\two.safetensors"}"#, &["\"w\"", "own folder was expected"]);
    refused(r#"{"w":"three.safetensors"}"#, &["three.safetensors", "missing", "fetch it"]);
    refused(r#"{"v":"two.safetensors","w":"two.safetensors"}"#, &["\"v\"", "two.safetensors", "not of one release"]);
    refused(
        r#"{"w":"one.safetensors","v":"two.safetensors"}"#,
        &["\"v\"", "two.safetensors", "but it is in", "one.safetensors", "not of one release"],
    );
    refused(r#"{"v":"one.safetensors","\u0076":"two.safetensors"}"#, &["\"v\" is listed twice"]);
    refused(r#"{"v":"pytorch_model.bin"}"#, &["\"v\"", "pytorch_model.bin", ".safetensors file was expected"]);
    refused(r#"{"v":3}"#, &["\"v\"", "name of a file was expected"]);
}

#[test]
fn indexes_that_are_none() {
    for (index, words) in [("", &["not the JSON"][..]), ("[]", &["`weight_map`"]), ("{}", &["no `weight_map`"])] {
        assert_reference_refused(indexed(index).path(), &[&["model.safetensors.index.json"], words].concat());
    }
}

#[test]
fn a_name_in_two_shards_is_refused() {
    let folder = folder();
    for name in ["one.safetensors", "two.safetensors"] {
        save(folder.path(), name, &[("w", f32_tensor(&[1], &[1.0]))]);
    }
    assert_reference_refused(folder.path(), &["\"w\"", "one.safetensors", "two.safetensors", "expected once"]);
}

#[test]
fn a_shard_that_is_missing_by_the_names_of_the_others() {
    let folder = folder();
    save(folder.path(), "model-00002-of-00002.safetensors", &[("w", f32_tensor(&[1], &[1.0]))]);
    assert_reference_refused(folder.path(), &["model-00001-of-00002.safetensors", "missing"]);
}

#[test]
fn scales_that_do_not_fit_their_values() {
    let folder = folder();
    let values = crate::checkpoints::Tensor {
        dtype: safetensors::Dtype::F8_E4M3,
        shape: vec![200, 130],
        bytes: vec![0; 26_000],
    };
    let scales = f32_tensor(&[2, 3], &[1.0; 6]);
    save(folder.path(), "model.safetensors", &[("w.weight", values), ("w.weight_scale_inv", scales)]);
    let words = ["model.safetensors", "\"w.weight_scale_inv\"", "\"w.weight\"", "[2, 3]", "[2, 2] was expected"];
    assert_reference_refused(folder.path(), &words);
}

#[test]
fn things_that_are_no_checkpoint() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("empty")).expect("a folder");
    assert_reference_refused(&at("empty"), &["empty", "there is nothing in it", ".safetensors files were expected"]);
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 988097824\n";
    for (name, bytes, words) in [
        ("model.gguf", &b"GGUF\x03\0\0\0\0\0\0\0"[..], &["GGUF file", "safetensors release"][..]),
        ("renamed.safetensors", b"GGUF\x03\0\0\0\0\0\0\0", &["GGUF file", "safetensors release"]),
        ("pytorch_model.bin", b"PK\x03\x04\0\0\0\0\0\0", &["PyTorch file", "convert it"]),
        ("old.bin", b"\x80\x02}q\0.", &["PyTorch file", "convert it"]),
        ("unknown.bin", b"????????????", &["PyTorch file"]),
        ("model.safetensors", lfs.as_bytes(), &["Git LFS pointer", "git lfs pull"]),
        ("page.safetensors", b"<!DOCTYPE html><html>", &["web page", "fetch it again"]),
        ("notes.txt", b"hello", &["not a checkpoint", ".safetensors file"]),
    ] {
        assert_reference_refused(&write(folder.path(), &format!("files/{name}"), bytes), &[&[name], words].concat());
    }
    write(folder.path(), "torch/pytorch_model.bin", b"PK\x03\x04");
    assert_reference_refused(&at("torch"), &["no .safetensors files", "pytorch_model.bin", "convert them"]);
    write(folder.path(), "llama/model.gguf", b"GGUF");
    assert_reference_refused(&at("llama"), &["no .safetensors files", "model.gguf", "safetensors release"]);
    assert_reference_refused(&at("nowhere"), &["nowhere", "no such file or directory", "expected"]);
    assert_reference_refused(
        Path::new("demo:nobody"),
        &["demo:nobody", "demo:base or demo:reasoner", "planted:tuned was expected"],
    );
    assert_reference_refused(Path::new("no-such-org/model"), &["no-such-org/model", "local cache", "hf download"]);
    assert_reference_refused(Path::new("https://a.b:c/"), &["the URL", "invalid port", "was expected"]);
    assert_reference_refused(Path::new("https://a.b/c.gguf"), &["https://a.b/c.gguf", "GGUF file"]);
}

#[test]
fn two_models_with_nothing_in_common() {
    let (one, folder) = (one_tensor(&[1.0]), folder());
    let other = save(folder.path(), "other.safetensors", &[("x", f32_tensor(&[1], &[1.0]))]);
    let message = refuse(1, &["delta", text(one.path()), text(&other)]);
    assert_mentions(&message, &[text(one.path()), "other.safetensors", "no tensor in common", "a fine-tune of it?"]);
    let wider = one_tensor(&[1.0, 2.0]);
    let message = refuse(1, &["delta", text(one.path()), text(wider.path())]);
    assert_mentions(&message, &["no tensor in common", "\"w\" does not fit ([1] in A, [2] in B)"]);
}

#[test]
fn values_that_are_not_finite_are_counted_and_told() {
    let a = one_tensor(&[1.0, f32::NAN, 3.0, 4.0, f32::INFINITY]);
    let b = one_tensor(&[2.0, 1.0, 3.0, f32::NEG_INFINITY, f32::INFINITY]);
    let report = crate::tool::delta(a.path(), b.path(), &[]);
    let row = &report["tensors"][0];
    assert_eq!((&row["non_finite_a"], &row["non_finite_b"]), (&json!(2), &json!(2)));
    assert_eq!((&row["elements"], &row["changed"], &row["l2_delta"]), (&json!(5), &json!(1), &json!(1.0)));
    let bins = row["relative"]["counts"].as_array().expect("bins").iter().filter_map(Value::as_u64);
    assert_eq!(bins.sum::<u64>(), 2);
    let table = succeed(&["delta", text(a.path()), text(b.path())]);
    assert_mentions(&table, &["warning: one tensor holds values", "2 in A", "the first in \"w\""]);
}

#[test]
fn a_family_table_that_cannot_be_used() {
    let (model, folder) = (one_tensor(&[1.0]), folder());
    let broken = write(folder.path(), "mine.toml", "name = ");
    let message = refuse(1, &["inspect", text(model.path()), "--anatomy", text(&broken)]);
    assert_mentions(&message, &["mine.toml"]);
    let missing = folder.path().join("none.toml");
    let message = refuse(1, &["inspect", text(model.path()), "--anatomy", text(&missing)]);
    assert_mentions(&message, &["none.toml: there is no such file", "a family table in TOML was expected"]);
}

#[test]
fn settings_that_cannot_be_read_are_noted() {
    let (a, b) = (one_tensor(&[1.0]), one_tensor(&[2.0]));
    write(a.path(), "config.json", "{\"model_type\": ");
    write(b.path(), "config.json", "[]");
    write(b.path(), "generation_config.json", b"\xff\xfe");
    let report = crate::tool::delta(a.path(), b.path(), &[]);
    let warnings = report["warnings"].to_string();
    assert_mentions(&warnings, &["config.json is not used: it is not JSON", "config.json is not used: a JSON object"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use super::*;
    use crate::checkpoints::sparse_pair;
    use crate::tool::{command, start, stethoscope};

    /// Cuts a file short while it is compared, and checks what is said.
    fn shrink_while_reading(more: &[&str]) {
        let (a, b, _keep) = sparse_pair();
        let run = start(command(&[&["delta", text(&a), text(&b), "--threads", "1"], more].concat()));
        wait_until_open(run.child.id(), &b);
        fs::File::options().write(true).open(&b).and_then(|file| file.set_len(1 << 20)).expect("a shorter file");
        let answer = run.finish();
        assert_eq!((answer.status.code(), &*answer.stdout), (Some(1), ""), "{answer:?}");
        assert_mentions(
            &answer.stderr,
            &["b.safetensors", "while it was being read", "is something still writing it?"],
        );
    }

    /// Waits until a process has opened a file and had the time to look at its length.
    fn wait_until_open(process: u32, path: &Path) {
        let folder = format!("/proc/{process}/fd");
        for _ in 0..5_000 {
            let open = fs::read_dir(&folder).into_iter().flatten().flatten();
            if open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target.ends_with(path)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(100));
    }

    #[test]
    fn a_mapped_file_that_shrinks_while_it_is_read() {
        shrink_while_reading(&[]);
    }

    #[test]
    fn a_file_read_in_pieces_that_shrinks_while_it_is_read() {
        shrink_while_reading(&["--no-mmap"]);
    }

    #[test]
    fn the_hubs_cache_is_read_through_its_links() {
        let cache = folder();
        for (model, value) in [("base", 1.0_f32), ("tuned", 1.5)] {
            let repository = cache.path().join(format!("models--some-org--{model}"));
            let tensor = f32_tensor(&[1], &[value]);
            save(&repository, "blobs/0a1b", &[("model.layers.0.self_attn.o_proj.weight", tensor)]);
            write(&repository, "blobs/2c3d", r#"{"model_type": "llama"}"#);
            write(&repository, "refs/main", "aaaaaaaa");
            let snapshot = repository.join("snapshots/aaaaaaaa");
            fs::create_dir_all(&snapshot).expect("a folder");
            symlink("../../blobs/0a1b", snapshot.join("model.safetensors")).expect("a link");
            symlink("../../blobs/2c3d", snapshot.join("config.json")).expect("a link");
        }
        let by_name = |a: &str, b: &str| {
            let mut command = command(&["delta", a, b, "--json", "-"]);
            command.env("HF_HUB_CACHE", cache.path());
            let answer = start(command).finish();
            assert_eq!(answer.status.code(), Some(0), "{answer:?}");
            let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
            assert_eq!(report["tensors"][0]["l2_relative"], json!(0.5));
            assert_eq!(report["tensors"][0]["role"], json!("o_proj"));
        };
        by_name("some-org/base", "some-org/tuned@main");
        by_name("some-org/base@aaaaaaaa", text(&cache.path().join("models--some-org--tuned")));
        by_name(text(&cache.path().join("models--some-org--base/snapshots/aaaaaaaa")), "some-org/tuned");

        fs::remove_file(cache.path().join("models--some-org--tuned/blobs/0a1b")).expect("the blob");
        let snapshot = cache.path().join("models--some-org--tuned/snapshots/aaaaaaaa");
        assert_reference_refused(&snapshot, &["model.safetensors is a link to ../../blobs/0a1b", "fetch it again"]);
    }

    #[test]
    fn pipes_and_devices_are_no_checkpoints() {
        assert_reference_refused(Path::new("/dev/null"), &["/dev/null", "regular file was expected"]);
        let folder = folder();
        let pipe = folder.path().join("model.safetensors");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        assert_reference_refused(&pipe, &["model.safetensors", "regular file was expected"]);
        assert_reference_refused(folder.path(), &["model.safetensors", "regular file was expected"]);
    }

    #[test]
    fn a_file_that_may_not_be_read() {
        let folder = one_tensor(&[1.0]);
        let path = folder.path().join("model.safetensors");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("permissions");
        // Root may read everything.
        if fs::File::open(&path).is_err() {
            assert_reference_refused(&path, &["model.safetensors", "permission denied"]);
        } else {
            assert_eq!(stethoscope(&["inspect", text(&path)]).status.code(), Some(0));
        }
    }
}
