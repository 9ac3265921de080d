//! Where the window keeps what it remembers: one small file, where this system's programs keep their settings.

use std::ffi::OsString;
use std::path::PathBuf;

/// The file; none where the environment names no home.
pub fn path() -> Option<PathBuf> {
    path_from(|name| std::env::var_os(name))
}

fn path_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || folder("HOME");
    let base = if cfg!(windows) {
        folder("APPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")))
    };
    Some(base?.join("stethoscope").join("window.json"))
}

/// What was kept.
pub fn read() -> Option<String> {
    std::fs::read_to_string(path()?).ok()
}

/// Keeps a text. The window does as well without it, so a full disk is no reason to bother anyone.
pub fn write(text: &str) {
    let Some(path) = path() else { return };
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = std::fs::write(path, text);
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_the_desktop_says_that_settings_go() {
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/home/someone"));
        assert_eq!(path_from(home), Some("/home/someone/.config/stethoscope/window.json".into()));
        let both = |name: &str| match name {
            "XDG_CONFIG_HOME" => Some("/settings".into()),
            other => home(other),
        };
        assert_eq!(path_from(both), Some("/settings/stethoscope/window.json".into()));
        assert_eq!(path_from(|_| None), None);
    }
}
