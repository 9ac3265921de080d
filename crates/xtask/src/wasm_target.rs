//! The standard library of `wasm32-unknown-unknown`, for the toolchain in use.
//!
//! rustup has it, and `rustup target add` is all that most machines need. Where its server cannot be reached, the library
//! is built from the sources of the same release, which Debian packages as `rust-src`: about a minute.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::command::{command, output, run, succeeds};
use crate::needs;

/// The target.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's suites that may have the release, the calmest first.
const SUITES: [&str; 4] = ["stable", "stable-backports", "testing", "unstable"];

/// A file beside a library that was built here, so that it is replaced when the toolchain has moved on.
const MARK: &str = "built-by-xtask";

/// The toolchain in use.
struct Toolchain {
    release: String,
    commit: String,
    /// Where it keeps the target.
    folder: PathBuf,
    sysroot: PathBuf,
}

/// Makes sure that the target can be compiled for.
pub fn ensure() -> anyhow::Result<()> {
    if works()? {
        return Ok(());
    }
    let toolchain = toolchain()?;
    if toolchain.folder.join(MARK).exists() {
        fs::remove_dir_all(&toolchain.folder).context("removing the library that was built for another release")?;
    }
    eprintln!("the standard library of {TARGET} is missing; asking rustup for it");
    // An error has been shown; whether there is another way shows below.
    if run(&mut command("rustup", ["target", "add", TARGET])).is_ok() && works()? {
        return Ok(());
    }
    eprintln!("building it from the sources of Rust {}", toolchain.release);
    build_from_source(&toolchain).with_context(|| {
        format!(
            "{TARGET} could not be set up; `rustup target add {TARGET}` does it where rustup's server can be reached"
        )
    })?;
    if !works()? {
        bail!("the library that was built for {TARGET} does not work with this toolchain");
    }
    Ok(())
}

/// Whether the compiler finds the target's library and accepts it.
fn works() -> anyhow::Result<bool> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let source = folder.path().join("probe.rs");
    fs::write(&source, "pub fn probe() -> String { String::new() }")?;
    let arguments = ["--target", TARGET, "--crate-type", "rlib", "--out-dir"];
    Ok(succeeds(command("rustc", arguments).args([folder.path(), &source])))
}

fn toolchain() -> anyhow::Result<Toolchain> {
    let version = output(&mut command("rustc", ["--version", "--verbose"]))?;
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let sysroot = PathBuf::from(output(&mut command("rustc", ["--print", "sysroot"]))?);
    Ok(Toolchain {
        release: field("release: ").context("`rustc --version --verbose` names no release")?,
        commit: field("commit-hash: ").context("`rustc --version --verbose` names no commit")?,
        folder: sysroot.join("lib/rustlib").join(TARGET),
        sysroot,
    })
}

fn build_from_source(toolchain: &Toolchain) -> anyhow::Result<()> {
    let work = tempfile::tempdir().context("making a temporary folder")?;
    let library = match installed_sources(toolchain) {
        Some(library) => library,
        None => downloaded_sources(toolchain, work.path())?,
    };
    let built = build(&library, toolchain, work.path())?;
    // Marked first: half a copy is replaced the next time too.
    let libraries = toolchain.folder.join("lib");
    fs::create_dir_all(&libraries).with_context(|| format!("making {}", libraries.display()))?;
    fs::write(toolchain.folder.join(MARK), format!("{} {}\n", toolchain.release, toolchain.commit))?;
    for entry in fs::read_dir(&built).with_context(|| format!("reading {}", built.display()))? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|extension| extension == "rlib")) {
            fs::copy(&path, libraries.join(name)).with_context(|| format!("copying {}", path.display()))?;
        }
    }
    Ok(())
}

/// The library's sources where rustup or the distribution installs them for this very release.
fn installed_sources(toolchain: &Toolchain) -> Option<PathBuf> {
    let debian = format!("/usr/src/rustc-{}/library", toolchain.release);
    [toolchain.sysroot.join("lib/rustlib/src/rust/library"), debian.into()].into_iter().find(|path| is_library(path))
}

fn is_library(path: &Path) -> bool {
    path.join("sysroot/Cargo.toml").is_file() && path.join("vendor").is_dir()
}

/// Fetches and unpacks Debian's `rust-src` of the same release, with the mirror and the keys that this machine trusts.
///
/// Nothing is installed: apt gets lists and a state of its own. It checks the signatures.
fn downloaded_sources(toolchain: &Toolchain, work: &Path) -> anyhow::Result<PathBuf> {
    needs::DPKG.ensure()?;
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let sites = output(&mut command("apt-get", ["indextargets", "--format", "$(SITE)"]))?;
    let mirror = sites.lines().find(|site| site.ends_with("/debian") || site.ends_with("/debian/"));
    let mirror = mirror.context("this machine's apt has no Debian mirror")?;
    for suite in SUITES {
        let folder = work.join(suite);
        let list = format!("deb [signed-by={keyring}] {mirror} {suite} main\n");
        match download(&folder, &list, &toolchain.release) {
            Ok(package) => {
                let unpacked = folder.join("unpacked");
                run(command("dpkg-deb", ["--extract"]).args([&package, &unpacked]))?;
                // The release is part of the path: another one is not found here.
                let library = unpacked.join(format!("usr/src/rustc-{}/library", toolchain.release));
                if !is_library(&library) {
                    bail!("{} has no sources of Rust {}", package.display(), toolchain.release);
                }
                return Ok(library);
            }
            Err(error) => eprintln!("no rust-src {} in Debian {suite}: {error:#}", toolchain.release),
        }
    }
    bail!("no suite of Debian has rust-src {}", toolchain.release)
}

/// Downloads the package into `folder` and returns its path.
fn download(folder: &Path, list: &str, release: &str) -> anyhow::Result<PathBuf> {
    for part in ["lists/partial", "cache/archives/partial", "parts"] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join("sources.list"), list)?;
    let option = |name: &str, path: &str| format!("-o{name}={}", folder.join(path).display());
    let options = [
        option("Dir::Etc::sourcelist", "sources.list"),
        option("Dir::Etc::sourceparts", "parts"),
        option("Dir::State::lists", "lists"),
        option("Dir::Cache", "cache"),
        "-oAcquire::Languages=none".into(),
        // The user that apt drops to cannot write into our folder.
        "-oAPT::Sandbox::User=".into(),
        "--quiet".into(),
    ];
    run(command("apt-get", &options).arg("update"))?;
    run(command("apt-get", &options).args(["download", &format!("rust-src={release}*")]).current_dir(folder))?;
    let mut files = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "deb")).context("apt wrote no package")
}

/// Builds the library as Rust's own bootstrap does and returns the folder that holds it.
fn build(library: &Path, toolchain: &Toolchain, work: &Path) -> anyhow::Result<PathBuf> {
    let source = work.join("source");
    fs::create_dir_all(source.join(".cargo"))?;
    // Links are followed: Debian keeps some of the vendored crates elsewhere.
    run(command("cp", ["--recursive", "--dereference", "--no-preserve=mode"]).args([library, &source.join("library")]))?;
    let library = source.join("library");
    if !library.join("Cargo.lock").is_file() {
        bail!("{} has no Cargo.lock", library.display());
    }
    fs::write(
        source.join(".cargo/config.toml"),
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"library/vendor\"\n",
    )?;
    leave_out_what_is_not_packaged(&library)?;
    let target = work.join("target");
    let remap = format!("--remap-path-prefix={}=/rustc/{}/library", library.display(), toolchain.commit);
    let arguments = ["build", "--offline", "--manifest-path", "sysroot/Cargo.toml", "--profile", "dist"];
    let mut cargo = command("cargo", arguments);
    cargo.args(["--target", TARGET, "--features", "panic-unwind"]).current_dir(&library);
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", format!("-Zforce-unstable-if-unmarked {remap}"));
    // The library uses unstable features, and its crates are told apart from a user's by this metadata.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_DEFAULT_LIB_METADATA", "stablestd");
    cargo.env("CARGO_PROFILE_DIST_DEBUG", "0").env("CARGO_TARGET_DIR", &target);
    run(&mut cargo)?;
    Ok(target.join(TARGET).join("dist/deps"))
}

/// Takes out what only the library's own tests and its C parts need: no sources of those are packaged.
fn leave_out_what_is_not_packaged(library: &Path) -> anyhow::Result<()> {
    edit(&library.join("Cargo.toml"), |manifest| {
        let members = section(manifest, "members = [", "]\n")?;
        Some(manifest.replacen(members, "members = [\"std\", \"sysroot\"]\n", 1))
    })?;
    edit(&library.join("std/Cargo.toml"), |manifest| {
        let tests = section(manifest, "[dev-dependencies]", "\n\n")?;
        Some(manifest.replacen(tests, "", 1))
    })?;
    edit(&library.join("compiler-builtins/compiler-builtins/Cargo.toml"), |manifest| {
        Some(without_lines(manifest, &["cc = "]).replace("c = [\"dep:cc\"]", "c = []"))
    })?;
    edit(&library.join("sysroot/Cargo.toml"), |manifest| {
        Some(without_lines(manifest, &["profiler_builtins = ", "profiler = "]))
    })
}

/// The text from `start` to the end of the next `end`.
fn section<'text>(text: &'text str, start: &str, end: &str) -> Option<&'text str> {
    let from = text.find(start)?;
    let length = text[from..].find(end)? + end.len();
    Some(&text[from..from + length])
}

fn without_lines(text: &str, beginnings: &[&str]) -> String {
    text.split_inclusive('\n').filter(|line| !beginnings.iter().any(|beginning| line.starts_with(beginning))).collect()
}

fn edit(path: &Path, change: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let changed = change(&text).with_context(|| format!("{} is not laid out as expected", path.display()))?;
    fs::write(path, changed).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_reaches_to_the_next_end() {
        let manifest = "[a]\nx = 1\n\n[dev-dependencies]\ny = 2\n\n[b]\n\n";
        assert_eq!(section(manifest, "[dev-dependencies]", "\n\n"), Some("[dev-dependencies]\ny = 2\n\n"));
        assert_eq!(section(manifest, "[c]", "\n\n"), None);
    }

    #[test]
    fn lines_are_left_out_by_their_beginning() {
        assert_eq!(without_lines("a = 1\nab = 2\nc = 3\n", &["a = ", "c = "]), "ab = 2\n");
    }
}
