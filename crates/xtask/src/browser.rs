//! The tests of the page, in a real browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use stethoscope_hub_server::HubServer;

use crate::command::{cargo, command, root, run as run_command, target_directory};
use crate::{needs, serve, single_file, web};

/// Runs all of them.
pub fn test() -> anyhow::Result<()> {
    let folder = target_directory().join("page");
    web::build(&folder)?;
    let travels = web::page_sizes(&folder)?.iter().map(|(_, _, gzip)| gzip).sum::<u64>();
    ensure!(
        travels <= web::LARGEST_PAGE,
        "the page has {travels} bytes, gzipped; at most {} were expected: see what the module is made of",
        web::LARGEST_PAGE
    );
    let single_file = target_directory().join(web::SINGLE_FILE);
    single_file::write(&folder, &single_file)?;
    run_command(&mut cargo(["build", "--locked", "--package", "stethoscope-native"]))?;
    let server = serve::Server::start(&folder, 0)?;
    let hub = HubServer::start(&hub_root()?).context("starting a Hub for the tests")?;
    run_command(
        script("run.mjs")?
            .env("STETHOSCOPE_PAGE", server.address())
            .env("STETHOSCOPE_PAGE_FOLDER", &folder)
            .env("STETHOSCOPE_SINGLE_FILE", single_file)
            .env("STETHOSCOPE_HUB", hub.url())
            .env("STETHOSCOPE_HUB_CDN", hub.cdn_url())
            .env("STETHOSCOPE_BINARY", target_directory().join("debug/stethoscope"))
            .env("STETHOSCOPE_PICTURES", target_directory().join("pictures")),
    )
}

/// A folder of repositories: `org/base` and `org/tuned`, in shards.
fn hub_root() -> anyhow::Result<PathBuf> {
    let hub = target_directory().join("hub");
    for (side, name) in [("a", "base"), ("b", "tuned")] {
        let repository = hub.join("org").join(name);
        std::fs::create_dir_all(&repository).with_context(|| format!("making {}", repository.display()))?;
        let files = root().join("tests/data/delta/qwen2").join(side);
        for entry in std::fs::read_dir(&files).with_context(|| format!("listing {}", files.display()))? {
            let path = entry?.path();
            let copy = repository.join(path.file_name().unwrap_or_default());
            std::fs::copy(&path, copy).with_context(|| format!("copying {}", path.display()))?;
        }
    }
    Ok(hub)
}

/// A script of tests/browser, with the browser and the libraries that it needs.
pub fn script(name: &str) -> anyhow::Result<Command> {
    for need in [needs::CHROMIUM, needs::NODE, needs::NPM] {
        need.ensure()?;
    }
    let folder = root().join("tests/browser");
    install(&folder)?;
    Ok(command("node", [folder.join(name)]))
}

/// Installs the libraries that the lock file names, unless these are there.
fn install(folder: &Path) -> anyhow::Result<()> {
    let lock = folder.join("package-lock.json");
    let installed = target_directory().join("browser-libraries.json");
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    let wanted = read(&lock)?;
    if folder.join("node_modules").is_dir() && std::fs::read(&installed).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    let mut npm = command("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    run_command(npm.current_dir(folder))?;
    std::fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))
}
