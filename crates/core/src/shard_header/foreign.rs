//! Files that people give by mistake.

use std::fmt;

/// A file that is not safetensors, but that can be told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignFormat {
    /// A Git LFS pointer: a few lines of text that stand for the file.
    GitLfsPointer,
    /// llama.cpp's format.
    Gguf,
    /// A ZIP archive, as `torch.save` writes it.
    Zip,
    /// A bare Python pickle, as `torch.save` wrote it before.
    Pickle,
    /// A web page, such as a server's error message saved under the file's name.
    Html,
}

impl ForeignFormat {
    /// The format of a file that starts with these bytes (some tens of them).
    ///
    /// To be asked only after a file turned out not to be safetensors: a header's length may happen to start with `PK`.
    pub fn recognise(start: &[u8]) -> Option<Self> {
        let starts: [(&[u8], Self); 7] = [
            (b"version https://git-lfs", Self::GitLfsPointer),
            (b"GGUF", Self::Gguf),
            (b"PK\x03\x04", Self::Zip),
            (b"\x80\x02", Self::Pickle),
            (b"<!DOCTYPE", Self::Html),
            (b"<!doctype", Self::Html),
            (b"<html", Self::Html),
        ];
        starts.into_iter().find_map(|(magic, format)| start.starts_with(magic).then_some(format))
    }
}

/// What it is and what to do about it, to follow a file's name and a colon.
impl fmt::Display for ForeignFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitLfsPointer => {
                "this is a Git LFS pointer, not the weights it stands for; fetch them with `git lfs pull`"
            }
            Self::Gguf => {
                "this is a GGUF file; only safetensors are read, so give the safetensors release that it was made from"
            }
            Self::Zip | Self::Pickle => {
                "this is a PyTorch file (a pickle, which can run any code when it is opened); only safetensors are \
                 read, so convert it with the safetensors library or find the model's safetensors release"
            }
            Self::Html => "this is a web page, not a safetensors file; the download went wrong, so fetch it again",
        })
    }
}
