//! Small checkpoints, written by the `safetensors` crate, and files that no library would write.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, View};
use tempfile::TempDir;

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.bytes.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// A tensor of f32.
pub fn f32_tensor(shape: &[usize], values: &[f32]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor { dtype: Dtype::F32, shape: shape.to_vec(), bytes }
}

/// A folder that goes away with the test.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Writes a file, and the folders it is in; its path.
pub fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
    fs::write(&path, bytes).expect("a file can be written");
    path
}

/// Writes a safetensors file; its path.
pub fn save(folder: &Path, name: &str, tensors: &[(&str, Tensor)]) -> PathBuf {
    let views = tensors.iter().map(|(name, tensor)| (*name, tensor));
    write(folder, name, safetensors::serialize(views, None).expect("tensors that fit"))
}

/// A folder with one checkpoint of one F32 tensor `w`, with these values.
pub fn one_tensor(values: &[f32]) -> TempDir {
    let folder = folder();
    save(folder.path(), "model.safetensors", &[("w", f32_tensor(&[values.len()], values))]);
    folder
}

/// The bytes of a file with this header and this data after it, be they right or wrong.
pub fn file_of(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Two checkpoints of one enormous tensor `w`, all zeros and taking no space, which take minutes to compare. They lie where
/// the build does, since a temporary folder may be in memory.
#[cfg(unix)]
pub fn sparse_pair() -> (PathBuf, PathBuf, TempDir) {
    const ELEMENTS: u64 = 1 << 33;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder beside the build");
    let header = format!(r#"{{"w":{{"dtype":"F32","shape":[{ELEMENTS}],"data_offsets":[0,{}]}}}}"#, 4 * ELEMENTS);
    let [a, b] = ["a", "b"].map(|name| {
        let path = write(folder.path(), &format!("{name}.safetensors"), file_of(&header, &[]));
        let file = fs::File::options().write(true).open(&path).expect("the file just written");
        file.set_len(8 + header.len() as u64 + 4 * ELEMENTS).expect("a file may have holes");
        path
    });
    (a, b, folder)
}
