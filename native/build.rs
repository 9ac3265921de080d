//! Builds the page in: the folder that the environment variable `STETHOSCOPE_PAGE` names when the program is compiled, as
//! `cargo xtask web` makes it. Without one, `stethoscope serve` takes its page from a folder.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const PAGE: &str = "STETHOSCOPE_PAGE";

fn main() {
    println!("cargo::rerun-if-env-changed={PAGE}");
    let mut files = String::new();
    if let Some(folder) = env::var_os(PAGE).filter(|folder| !folder.is_empty()) {
        let folder = fs::canonicalize(&folder).unwrap_or_else(|error| panic!("{PAGE}={}: {error}", folder.display()));
        println!("cargo::rerun-if-changed={}", folder.display());
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.is_file()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            writeln!(files, "    ({name:?}, include_bytes!({path:?})),").expect("a string can be written to");
        }
    }
    let text = format!("/// Name and bytes of each.\npub const FILES: &[(&str, &[u8])] = &[\n{files}];\n");
    let out = env::var_os("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&out).join("page.rs"), text).expect("cargo's own folder can be written to");
}
