//! `cargo xtask web`: makes the page, a folder that any web server can serve.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::command::{cargo, root, run as run_command, target_directory};
use crate::{serve, single_file, wasm_target};

/// What the wasm module and its script are called in the page's folder.
const MODULE: &str = "stethoscope";

/// The same of the module that runs models, which is fetched when somebody listens.
const MODELS: &str = "listen";

/// What the file is called that has the trained pair, for when somebody opens it.
pub const DEMO: &str = "demo.json";

/// What the page in one file is called.
pub const SINGLE_FILE: &str = "stethoscope.html";

/// The script that tells a browser which files to keep for when there is no network.
const KEPT: &str = "offline-files.js";

#[derive(Args)]
pub struct WebArguments {
    /// The folder for the page; what is in it is replaced.
    #[arg(long, default_value = "dist")]
    out: PathBuf,
    /// Make one HTML file of the page as well, to be opened from a disk: `stethoscope.html` in the folder.
    #[arg(long)]
    single_file: bool,
    /// Serve the page on this machine until stopped.
    #[arg(long)]
    serve: bool,
    /// The port to serve it on; 0 for any that is free.
    #[arg(long, default_value_t = 8080, requires = "serve")]
    port: u16,
}

/// Makes the page, and serves it if that was asked.
pub fn run(arguments: &WebArguments) -> anyhow::Result<()> {
    let out = root().join(&arguments.out);
    build(&out)?;
    print_sizes(&out)?;
    if arguments.single_file {
        let file = out.join(SINGLE_FILE);
        single_file::write(&out, &file)?;
        let bytes = fs::metadata(&file).with_context(|| format!("reading {}", file.display()))?.len();
        eprintln!("{bytes:>10}             {SINGLE_FILE}, the page in one file");
    }
    if arguments.serve {
        let server = serve::Server::start(&out, arguments.port)?;
        eprintln!("the page is at {}; Ctrl-C stops it", server.address());
        server.wait();
    }
    Ok(())
}

/// Compiles the module and puts it together with the page.
pub fn build(out: &Path) -> anyhow::Result<()> {
    wasm_target::ensure()?;
    // One after the other: together, cargo would give each what only the other asks of their dependencies.
    let modules = [compile("stethoscope-web", MODULE)?, compile("stethoscope-listen", MODELS)?];
    if out.exists() {
        fs::remove_dir_all(out).with_context(|| format!("replacing {}", out.display()))?;
    }
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let bundle = ["run", "--locked", "--quiet", "--package", "stethoscope-bundle", "--"];
    for module in &modules {
        run_command(cargo(bundle).args([module, out]))?;
    }
    copy(&root().join("index.html"), &out.join("index.html"))?;
    // The report looks and works as in the page that the command line writes.
    let report = root().join("crates/show/src/page");
    copy(&report.join("style.css"), &out.join("report.css"))?;
    copy(&report.join("sorting.js"), &out.join("sorting.js"))?;
    for entry in fs::read_dir(root().join("web/page")).context("listing web/page")? {
        let path = entry?.path();
        copy(&path, &out.join(path.file_name().unwrap_or_default()))?;
    }
    write_demo(&out.join(DEMO))?;
    write_kept(out)
}

/// Writes the trained pair and its plug-ins: for every name of a checkpoint its files, in Base64, by theirs.
fn write_demo(path: &Path) -> anyhow::Result<()> {
    let mut models = Map::new();
    for name in stethoscope_demo::NAMES {
        let files = stethoscope_demo::files(name).with_context(|| format!("{name} is not built in"))?;
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), Value::String(BASE64.encode(bytes))));
        models.insert(name.to_owned(), Value::Object(files.collect()));
    }
    fs::write(path, Value::Object(models).to_string()).with_context(|| format!("writing {}", path.display()))
}

/// Compiles a crate as a module of this name, and says where that is.
fn compile(package: &str, name: &str) -> anyhow::Result<PathBuf> {
    let wanted = ["--package", package, "--profile", "web", "--target", wasm_target::TARGET];
    run_command(cargo(["build", "--locked"]).args(wanted))?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let module = target_directory().join(wasm_target::TARGET).join("web").join(file);
    // Its script asks for the module under its own name.
    let named = target_directory().join(format!("{name}.wasm"));
    fs::copy(&module, &named).with_context(|| format!("copying {}", module.display()))?;
    Ok(named)
}

/// Lists the files that a browser keeps at once, and those that it keeps when they are first asked for, with a version that changes
/// with any of them.
fn write_kept(out: &Path) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(out).with_context(|| format!("listing {}", out.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut hash = Sha256::new();
    for name in &names {
        let bytes = fs::read(out.join(name)).with_context(|| format!("reading {name}"))?;
        hash.update(name.as_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let version: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // The page is asked for by its folder's address, too; its own script is the browser's affair.
    let kept: Vec<&str> = ["./"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let kept = kept.into_iter().filter(|name| *name != "offline.js");
    let (later, files): (Vec<&str>, Vec<&str>) = kept.partition(|name| is_for_models(name));
    let (later, files) = (serde_json::to_string_pretty(&later)?, serde_json::to_string_pretty(&files)?);
    let script = format!("self.VERSION = \"{version}\";\nself.FILES = {files};\nself.LATER = {later};\n");
    fs::write(out.join(KEPT), script).with_context(|| format!("writing {KEPT}"))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

/// Whether a file of the page is fetched only when somebody listens.
fn is_for_models(name: &str) -> bool {
    name.starts_with(MODELS)
}

/// Whether the page can be used before a file of it is there.
fn is_for_later(name: &str) -> bool {
    is_for_models(name) || name == DEMO
}

/// What all files of the page may have together as they travel, so that it is soon there; those for models, and the trained pair,
/// come later.
pub const LARGEST_PAGE: u64 = 3 << 20;

/// The files of a page by name, with their lengths as they are and as they travel, without those that come later.
pub fn page_sizes(folder: &Path) -> anyhow::Result<Vec<(String, u64, u64)>> {
    Ok(sizes(folder)?.into_iter().filter(|(name, ..)| !is_for_later(name)).collect())
}

/// The same of all files.
fn sizes(folder: &Path) -> anyhow::Result<Vec<(String, u64, u64)>> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let bytes = fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
        let mut packed = Vec::new();
        flate2::read::GzEncoder::new(&bytes[..], flate2::Compression::best()).read_to_end(&mut packed)?;
        sizes.push((entry.file_name().to_string_lossy().into_owned(), bytes.len() as u64, packed.len() as u64));
    }
    sizes.sort();
    Ok(sizes)
}

fn print_sizes(folder: &Path) -> anyhow::Result<()> {
    let sizes = sizes(folder)?;
    let sum = |what: &str, is_such: fn(&str) -> bool| {
        let such = sizes.iter().filter(|(name, ..)| is_such(name));
        let (bytes, packed): (Vec<u64>, Vec<u64>) = such.map(|(_, bytes, packed)| (bytes, packed)).unzip();
        (what.to_owned(), bytes.iter().sum::<u64>(), packed.iter().sum::<u64>())
    };
    let models = sum("for models, when somebody listens", is_for_models);
    let page = sum("in all, without those for models and the trained pair", |name| !is_for_later(name));
    eprintln!("{:>10} {:>10}", "bytes", "gzip");
    for (name, bytes, packed) in sizes.iter().chain([&models, &page]) {
        eprintln!("{bytes:>10} {packed:>10}  {name}");
    }
    Ok(())
}
