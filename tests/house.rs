//! The project's own papers say what is true of it.

use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("native lies in the project's folder")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("reading {name}: {error}"))
}

/// The quoted strings of a `key = […]` in a manifest.
fn list<'text>(manifest: &'text str, key: &str) -> BTreeSet<&'text str> {
    let start = manifest.find(&format!("\n{key} = [")).unwrap_or_else(|| panic!("no {key} in the manifest"));
    let inside = manifest[start..].split(['[', ']']).nth(1).expect("a closed list");
    inside.split('"').skip(1).step_by(2).collect()
}

#[test]
fn the_architecture_page_has_a_section_for_every_crate_and_for_no_other() {
    let architecture = read("ARCHITECTURE.md");
    let headings: BTreeSet<&str> = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'))
        // A folder that is not a crate may have a section too.
        .filter(|folder| root().join(folder).join("Cargo.toml").exists() || !root().join(folder).exists())
        .collect();
    assert_eq!(headings, list(&read("Cargo.toml"), "members"));
}

#[test]
fn the_architecture_page_names_every_module_of_core() {
    let library = read("crates/core/src/lib.rs");
    let architecture = read("ARCHITECTURE.md");
    let named: BTreeSet<&str> = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" | "))
        .flat_map(|(names, _)| names.split('`').step_by(2).filter(|name| !name.contains(',')))
        .collect();
    let declared: BTreeSet<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let missing: Vec<_> = declared.difference(&named).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_shader_has_a_twin_on_the_cpu() {
    let shaders = root().join("shaders").read_dir().expect("a folder of shaders");
    let shaders = shaders.map(|entry| entry.expect("an entry").path());
    let stems: Vec<_> = shaders.filter(|path| path.extension().is_some_and(|kind| kind == "wgsl")).collect();
    assert!(!stems.is_empty());
    for shader in stems {
        let stem = shader.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let text = read(&format!("shaders/{stem}.wgsl"));
        let (_, named) = text.split_once("The twin on the CPU is ").unwrap_or_else(|| panic!("{stem} names no twin"));
        let end = named.find(".rs").expect("a file of Rust") + ".rs".len();
        let twin = read(&named[..end]);
        assert!(twin.contains("twin") && twin.contains("shader"), "{stem} and {}", &named[..end]);
    }
}

#[test]
fn the_licences_are_those_of_the_manifest() {
    assert!(read("Cargo.toml").contains("\nlicense = \"MIT OR Apache-2.0\"\n"));
    assert!(read("LICENSE-MIT").starts_with("MIT License\n"));
    assert!(read("LICENSE-APACHE").contains("Version 2.0, January 2004"));
}

#[test]
fn continuous_integration_runs_the_command_that_the_readme_gives() {
    let command = "\ncargo xtask test\n";
    assert!(read("README.md").contains(command));
    assert!(read(".ci/run").contains(command));
}
