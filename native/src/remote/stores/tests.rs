use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use pollster::block_on;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::source::{ByteSource as _, ReadError};
use stethoscope_remote::{RemoteFolder as _, Wanted, open_folder};
use tokio::runtime::{Builder, Runtime};

use super::enabled::StoreFolder;
use super::source::StoreSource;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// A store with these objects.
fn store(objects: &[(&str, &[u8])]) -> Arc<dyn ObjectStore> {
    let store = InMemory::new();
    for (path, bytes) in objects {
        block_on(store.put(&Path::from(*path), bytes.to_vec().into())).expect("memory");
    }
    Arc::new(store)
}

#[test]
fn the_folder_of_a_checkpoint_is_listed_without_what_lies_below_it() {
    let runtime = runtime();
    let store = store(&[
        ("m/a.safetensors", b"aaaa"),
        ("m/config.json", b"{}"),
        ("m/onnx/b.safetensors", b"b"),
        ("other/c.safetensors", b"c"),
    ]);
    let folder = block_on(StoreFolder::open(store, runtime.handle().clone(), "s3://bucket".into(), "m"));
    assert_eq!(folder.files().unwrap(), ["a.safetensors", "config.json"]);
    let opened = open_folder("r".into(), &folder, &Wanted::Checkpoint, SideFiles::All);
    let files = block_on(opened).unwrap();
    assert_eq!(files.shards[0].name(), "s3://bucket/m/a.safetensors");
    assert_eq!(&*block_on(files.shards[0].read(1..3)).unwrap().bytes(), b"aa");
    assert_eq!(files.side_files.keys().collect::<Vec<_>>(), ["config.json"]);
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_has_changed() {
    let runtime = runtime();
    let long = vec![1; 100_000];
    let store = store(&[("x", &long)]);
    let open = StoreSource::open(store.clone(), runtime.handle().clone(), "s3://b/x".into(), Path::from("x"));
    let source = block_on(open).unwrap();
    assert_eq!((source.length(), block_on(source.read(70_000..80_000)).unwrap().length()), (100_000, 10_000));
    assert!(matches!(block_on(source.read(0..100_001)), Err(ReadError::Shrank { available: 100_000, .. })));
    block_on(store.put(&Path::from("x"), long.into())).unwrap();
    let error = block_on(source.read(70_000..80_000)).err().unwrap();
    assert!(matches!(error, ReadError::Changed { .. }), "{error}");
}

#[test]
fn an_object_that_is_not_there_is_absent() {
    let runtime = runtime();
    let open = StoreSource::open(store(&[]), runtime.handle().clone(), "s3://b/x".into(), Path::from("x"));
    let error = block_on(open).err().unwrap();
    assert!(error.failure.is_absence() && error.to_string() == "s3://b/x: there is no such file", "{error}");
}
