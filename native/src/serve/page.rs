//! The page's files: built into the program, or in a folder.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

/// Files that were built in: name and bytes. Empty where the program was built without the page.
mod built_in {
    include!(concat!(env!("OUT_DIR"), "/page.rs"));
}

/// What tells the page that it is a server's.
const MARK: &str = "<meta name=\"stethoscope-server\" content=\"socket\">\n<title>";

/// The page, wherever it is.
pub enum Page {
    /// Built into the program.
    BuiltIn,
    /// In a folder.
    Folder(PathBuf),
}

impl Page {
    /// The page of a folder, or the one that was built in; none where there is neither.
    pub fn find(folder: Option<PathBuf>) -> Option<Self> {
        match folder {
            Some(folder) => folder.join(FIRST).is_file().then_some(Self::Folder(folder)),
            None => built_in::FILES.iter().any(|(name, _)| *name == FIRST).then_some(Self::BuiltIn),
        }
    }

    /// A file of the page, by its name in the address: the empty one is the page itself. Nothing is read but what lies right in
    /// the folder.
    pub fn file(&self, name: &str) -> Option<Cow<'static, [u8]>> {
        let name = if name.is_empty() { FIRST } else { name };
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !is_plain || name.starts_with('.') {
            return None;
        }
        let bytes = match self {
            Self::BuiltIn => {
                Cow::Borrowed(built_in::FILES.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)?)
            }
            Self::Folder(folder) => {
                let path = folder.join(name);
                let is_file = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
                Cow::Owned(is_file.then(|| fs::read(path).ok()).flatten()?)
            }
        };
        if name != FIRST {
            return Some(bytes);
        }
        let text = String::from_utf8_lossy(&bytes).replacen("<title>", MARK, 1);
        Some(Cow::Owned(text.into_bytes()))
    }
}

/// The file that is the page.
const FIRST: &str = "index.html";

/// What a file is, for a browser.
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        None | Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some(_) => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_right_in_the_folder_are_served_and_the_page_knows_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("page");
        fs::create_dir(&inside).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(inside.join("index.html"), "<head><title>Stethoscope</title></head>").unwrap();
        fs::write(inside.join("app.js"), "1").unwrap();
        fs::write(inside.join(".hidden"), "2").unwrap();
        let page = Page::find(Some(inside)).unwrap();
        assert!(String::from_utf8_lossy(&page.file("").unwrap()).contains("name=\"stethoscope-server\""));
        assert_eq!(page.file("app.js").as_deref(), Some(&b"1"[..]));
        for name in ["..", "../secret", ".hidden", "a/b", "a\\b", "%2e%2e", "a\0b", "none.js"] {
            assert_eq!(page.file(name), None, "{name}");
        }
        assert!(Page::find(Some(folder.path().to_owned())).is_none(), "no page is in there");
    }
}
