use std::fs;

use super::*;

/// A shard that holds one tensor of one byte.
fn shard(tensor: &str) -> Vec<u8> {
    let header = format!(r#"{{"{tensor}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), b"x"].concat()
}

/// A folder with these files, each holding what `shard` makes or, if it is no shard, the text given.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = if name.ends_with(".safetensors") { shard(content) } else { content.as_bytes().to_vec() };
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn options() -> OpenOptions {
    OpenOptions { mmap: true, hub_cache: None, built_in: None, offline: true, ..OpenOptions::default() }
}

fn open_reference(reference: &str, options: &OpenOptions) -> Result<CheckpointFiles, OpenError> {
    pollster::block_on(super::open_reference(reference, options))
}

fn open(path: &Path) -> Result<CheckpointFiles, OpenError> {
    open_reference(path.to_str().unwrap(), &options())
}

/// The file names of the shards.
fn shards(files: &CheckpointFiles) -> Vec<&str> {
    files.shards.iter().map(|shard| shard.name().rsplit('/').next().unwrap()).collect()
}

#[track_caller]
fn assert_message(result: Result<CheckpointFiles, OpenError>, words: &[&str]) {
    let error = anyhow::Error::new(result.err().expect("this cannot be opened"));
    let message = format!("{error:#}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

const INDEX: &str = r#"{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#;

#[test]
fn an_index_decides_which_files_of_a_folder_are_read() {
    let folder = folder(&[
        ("model.safetensors.index.json", INDEX),
        ("model-2.safetensors", "b"),
        ("model-1.safetensors", "a"),
        ("consolidated.safetensors", "c"),
        ("config.json", "{}"),
        ("README.md", "text"),
    ]);
    for path in [folder.path().to_owned(), folder.path().join("model.safetensors.index.json")] {
        for mmap in [true, false] {
            let files = open_reference(path.to_str().unwrap(), &OpenOptions { mmap, ..options() }).unwrap();
            assert_eq!(shards(&files), ["model-1.safetensors", "model-2.safetensors"]);
            assert!(files.index.as_ref().unwrap().0.ends_with("model.safetensors.index.json"));
            assert_eq!(files.side_files.keys().collect::<Vec<_>>(), ["config.json"]);
            assert_eq!(files.reference, path.to_str().unwrap());
            let checkpoint = pollster::block_on(stethoscope_core::checkpoint::Checkpoint::read(files)).unwrap();
            assert_eq!(checkpoint.tensors.len(), 2);
            assert_eq!(checkpoint.notes, [] as [&str; 0]);
        }
    }
}

#[test]
fn without_an_index_model_safetensors_is_the_checkpoint_and_else_all_shards_are() {
    let one = folder(&[("model.safetensors", "a"), ("consolidated.safetensors", "a")]);
    assert_eq!(shards(&open(one.path()).unwrap()), ["model.safetensors"]);
    let all = folder(&[("b.safetensors", "b"), ("a.safetensors", "a"), ("pytorch_model.bin", "x")]);
    assert_eq!(shards(&open(all.path()).unwrap()), ["a.safetensors", "b.safetensors"]);
}

#[test]
fn a_shard_that_is_missing_is_named() {
    let listed = folder(&[("model.safetensors.index.json", INDEX), ("model-1.safetensors", "a")]);
    assert_message(
        open(listed.path()),
        &["model.safetensors.index.json says", "model-2.safetensors", "missing; fetch"],
    );
    let numbered = folder(&[("m-00001-of-00004.safetensors", "a"), ("m-00004-of-00004.safetensors", "b")]);
    assert_message(open(numbered.path()), &["m-00002-of-00004.safetensors", "missing (as are 1 more)"]);
}

#[test]
fn an_index_that_leaves_the_folder_is_refused() {
    let index = INDEX.replace("model-2", "../model-2");
    let folder = folder(&[("inner/model.safetensors.index.json", &index), ("model-2.safetensors", "b")]);
    let words = ["model.safetensors.index.json", "tensor \"b\"", "\"../model-2.safetensors\"", "own folder"];
    assert_message(open(&folder.path().join("inner")), &words);
}

#[test]
fn several_indexes_are_ambiguous_unless_one_is_the_usual() {
    let mut files = vec![("x.safetensors.index.json", INDEX), ("y.safetensors.index.json", INDEX)];
    files.extend([("model-1.safetensors", "a"), ("model-2.safetensors", "b")]);
    assert_message(open(folder(&files).path()), &["several indexes", "x.safetensors.index.json, y.safetensors"]);
    files.push(("model.safetensors.index.json", INDEX));
    assert_eq!(open(folder(&files).path()).unwrap().shards.len(), 2);
}

#[test]
fn one_file_is_a_checkpoint_with_the_config_that_is_its_own() {
    let single = folder(&[("model.safetensors", "a"), ("config.json", "{}")]);
    let files = open(&single.path().join("model.safetensors")).unwrap();
    assert_eq!(files.side_files.len(), 1);
    assert_eq!(files.notes, [] as [&str; 0]);

    let several = folder(&[("x.safetensors", "a"), ("y.safetensors", "b"), ("config.json", "{}")]);
    let files = open(&several.path().join("y.safetensors")).unwrap();
    assert_eq!((shards(&files), files.side_files.len()), (vec!["y.safetensors"], 0));
    assert!(files.notes[0].contains("config.json is not used"), "{:?}", files.notes);

    let series =
        folder(&[("m-00001-of-00002.safetensors", "a"), ("m-00002-of-00002.safetensors", "b"), ("config.json", "{}")]);
    let files = open(&series.path().join("m-00001-of-00002.safetensors")).unwrap();
    assert_eq!((files.shards.len(), files.side_files.len()), (1, 1));
    assert!(files.notes[0].contains("one of 2 shards"), "{:?}", files.notes);
}

#[test]
fn an_empty_directory_is_refused() {
    assert_message(open(folder(&[]).path()), &["there is nothing in it", ".safetensors files were expected"]);
}

#[test]
fn a_directory_without_shards_is_refused_with_what_to_do() {
    let pytorch = folder(&[("pytorch_model.bin", "x"), ("config.json", "{}")]);
    assert_message(
        open(pytorch.path()),
        &["no .safetensors files", "pytorch_model.bin", "convert them to safetensors"],
    );
    let gguf = folder(&[("model.Q4_K.gguf", "GGUF")]);
    assert_message(open(gguf.path()), &["model.Q4_K.gguf", "safetensors release"]);
    let outer = folder(&[("models/x/model.safetensors", "a")]);
    assert_message(open(&outer.path().join("models")), &["did you mean", "/models/x?"]);
    assert_message(open(folder(&[("notes.txt", "x")]).path()), &["notes.txt", ".safetensors files were expected"]);
}

#[test]
fn files_of_other_kinds_are_refused_with_what_to_do() {
    let folder = folder(&[
        ("model.gguf", "GGUF\u{3}"),
        ("pytorch_model.bin", "PK\u{3}\u{4}"),
        ("old.pt", "anything"),
        ("pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        ("config.json", "{}"),
    ]);
    for (name, words) in [
        ("model.gguf", ["this is a GGUF file", "safetensors release"]),
        ("pytorch_model.bin", ["this is a PyTorch file", "convert it"]),
        ("old.pt", ["this is a PyTorch file", "convert it"]),
        ("pointer", ["Git LFS pointer", "git lfs pull"]),
        ("config.json", ["not a checkpoint", "*.index.json"]),
    ] {
        let [first, second] = words;
        assert_message(open(&folder.path().join(name)), &[name, first, second]);
    }
}

#[test]
fn a_pointer_under_a_shards_name_is_refused_when_its_header_is_read() {
    let folder = folder(&[]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    fs::write(folder.path().join("model.safetensors"), pointer).unwrap();
    let files = open(folder.path()).unwrap();
    let error = pollster::block_on(stethoscope_core::checkpoint::Checkpoint::read(files)).err().unwrap().to_string();
    assert!(error.contains("model.safetensors: this is a Git LFS pointer"), "{error}");
}

#[test]
fn a_path_that_is_missing_is_refused_with_names_that_are_close() {
    let folder = folder(&[("qwen-base/model.safetensors", "a")]);
    assert_message(
        open(&folder.path().join("qwen-bas")),
        &["qwen-bas: there is no such", "did you mean", "qwen-base?"],
    );
    let through_a_file = folder.path().join("qwen-base/model.safetensors/x");
    assert_message(open(&through_a_file), &["there is no such file"]);
    assert_message(open_reference("nothing", &options()), &["nothing: there is no such file"]);
    assert_message(open_reference("", &options()), &["\"\": there is no such file"]);
    assert_message(open_reference("a\0b", &options()), &["there is no such file"]);
}

#[test]
fn nothing_elsewhere_is_opened_offline() {
    for url in ["https://x.org/m.safetensors?secret", "s3://bucket/folder?secret"] {
        let message = open_reference(url, &options()).err().unwrap().to_string();
        assert!(message.contains("elsewhere, but --offline") && !message.contains("secret"), "{message}");
    }
}

#[test]
fn what_is_built_in_comes_from_whoever_has_it() {
    let built_in: BuiltInOpener = |name| {
        (name == "demo:base").then(|| CheckpointFiles {
            reference: name.to_owned(),
            shards: Vec::new(),
            index: None,
            side_files: BTreeMap::new(),
            notes: Vec::new(),
        })
    };
    let with = OpenOptions { built_in: Some(built_in), ..options() };
    assert_eq!(open_reference("demo:base", &with).unwrap().reference, "demo:base");
    assert_message(open_reference("demo:x", &with), &["demo:x", "demo:base or demo:reasoner", "planted:base"]);
    assert_message(open_reference("demo:base", &options()), &["demo:base: nothing of that name is built in"]);
}

#[test]
fn what_the_system_refuses_is_said_with_the_path() {
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let error = OpenError::from_io(Path::new("/x/y"), "listed", denied).to_string();
    assert_eq!(error, "/x/y: permission denied; make it readable for you, or run as somebody who may read it");
    let other = OpenError::from_io(Path::new("/x/y"), "listed", io::Error::other("broken disk"));
    assert_message(Err(other), &["/x/y: it could not be listed: broken disk"]);
}

#[test]
fn side_files_that_cannot_be_had_are_noted() {
    let folder = folder(&[("model.safetensors", "a"), ("config.json/inside", "x")]);
    let files = open(folder.path()).unwrap();
    assert!(files.notes[0].contains("config.json is not used: it is not a regular file"), "{:?}", files.notes);
    let tokenizer = File::create(folder.path().join("tokenizer.json")).unwrap();
    tokenizer.set_len(LARGEST_SIDE_FILE + 1).unwrap();
    let files = open(folder.path()).unwrap();
    assert!(files.notes[1].contains("tokenizer.json is not used: it has 200000001 bytes"), "{:?}", files.notes);
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A cache with one model of two shards, as the Hub's tools lay it out.
    fn cache() -> tempfile::TempDir {
        let cache = folder(&[("models--org--name/refs/main", "c0ffee1234")]);
        let repository = cache.path().join("models--org--name");
        let snapshot = repository.join("snapshots/c0ffee1234");
        for path in [&snapshot, &repository.join("blobs")] {
            fs::create_dir_all(path).unwrap();
        }
        let files = [
            ("model.safetensors.index.json", INDEX.as_bytes().to_vec()),
            ("model-1.safetensors", shard("a")),
            ("model-2.safetensors", shard("b")),
            ("config.json", b"{}".to_vec()),
        ];
        for (name, bytes) in files {
            let blob = format!("blob-of-{name}").replace('.', "-");
            fs::write(repository.join("blobs").join(&blob), bytes).unwrap();
            symlink(format!("../../blobs/{blob}"), snapshot.join(name)).unwrap();
        }
        cache
    }

    #[test]
    fn the_hubs_cache_is_read_by_name_by_repository_and_by_snapshot() {
        let cache = cache();
        let repository = cache.path().join("models--org--name");
        let snapshot = repository.join("snapshots/c0ffee1234");
        let with = OpenOptions { hub_cache: Some(cache.path().to_owned()), ..options() };
        let index = snapshot.join("model.safetensors.index.json");
        for reference in [
            "org/name",
            "org/name@main",
            "org/name@c0ffee1",
            repository.to_str().unwrap(),
            snapshot.to_str().unwrap(),
            index.to_str().unwrap(),
        ] {
            let files = open_reference(reference, &with).unwrap();
            assert_eq!(shards(&files), ["model-1.safetensors", "model-2.safetensors"], "{reference}");
            assert_eq!(files.side_files.len(), 1);
            assert_eq!(files.reference, reference);
            let read = pollster::block_on(stethoscope_core::checkpoint::Checkpoint::read(files)).unwrap();
            assert_eq!(read.parameters(), 2);
        }
    }

    #[test]
    fn a_model_or_a_revision_that_is_not_in_the_cache_is_refused_with_what_to_do() {
        let cache = cache();
        let with = OpenOptions { hub_cache: Some(cache.path().to_owned()), ..options() };
        let place = cache.path().to_str().unwrap();
        let words = ["org/other@v2", "Hub's local cache", place, "hf download org/other --revision v2"];
        assert_message(open_reference("org/other@v2", &with), &words);
        assert_message(
            open_reference("org/name@v2", &with),
            &["org/name@v2", "no snapshot of v2", "it has c0ffee1234"],
        );
        assert_message(open_reference("org/other", &options()), &["hf download org/other", "set HF_HUB_CACHE"]);
    }

    #[test]
    fn a_link_to_nowhere_is_named() {
        let cache = cache();
        let repository = cache.path().join("models--org--name");
        fs::remove_file(repository.join("blobs/blob-of-model-2-safetensors")).unwrap();
        let words = ["model-2.safetensors is a link to ../../blobs/blob-of-model-2-safetensors", "fetch it again"];
        assert_message(open(&repository), &words);
        let lone = folder(&[]);
        symlink("nowhere", lone.path().join("model.safetensors")).unwrap();
        assert_message(open(lone.path()), &["model.safetensors is a link to nowhere"]);
        assert_message(open(&lone.path().join("model.safetensors")), &["model.safetensors is a link to nowhere"]);
    }

    #[test]
    fn a_pipe_is_refused_instead_of_waited_for() {
        let folder = folder(&[]);
        let path = folder.path().join("model.safetensors");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert_message(open(folder.path()), &["model.safetensors is neither a file nor a directory"]);
        assert_message(open(&path), &["model.safetensors is neither a file nor a directory"]);
        assert_message(open(Path::new("/dev/null")), &["/dev/null is neither a file nor a directory"]);
    }
}
