//! `cargo xtask bench merge`: writing models made out of others, beside `cp` of the same files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::measure::{Measured, once};
use super::{MergeArguments, Pair, Results};

/// What is measured: a name, and a recipe in which `A` and `B` stand for the two checkpoints. Recipes of several lines are
/// mergekit's.
const RECIPES: [(&str, &str); 10] = [
    ("transplant", "A; take o_proj from B"),
    ("destroy", "A; destroy reinit k_proj & layers 2..5 seed 1"),
    ("heads", "A; take o_proj & heads 0 from B"),
    ("linear", "merge_method: linear\nmodels: [{model: A}, {model: B}]\nparameters: {weight: 0.5}\n"),
    ("slerp", "merge_method: slerp\nbase_model: A\nmodels: [{model: B}]\nparameters: {t: 0.5}\n"),
    (
        "task_arithmetic",
        "merge_method: task_arithmetic\nbase_model: A\nmodels: [{model: B, parameters: {weight: 0.5}}]\n",
    ),
    ("ties", "merge_method: ties\nbase_model: A\nmodels: [{model: B, parameters: {weight: 0.5, density: 0.5}}]\n"),
    (
        "dare_ties",
        "merge_method: dare_ties\nbase_model: A\nmodels: [{model: B, parameters: {weight: 0.5, density: 0.5}}]\n",
    ),
    (
        "breadcrumbs",
        "merge_method: breadcrumbs\nbase_model: A\n\
         models: [{model: B, parameters: {weight: 0.5, density: 0.9, gamma: 0.01}}]\n",
    ),
    ("della", "merge_method: della\nbase_model: A\nmodels: [{model: B, parameters: {weight: 0.5, density: 0.5}}]\n"),
];

/// Measures each recipe and `cp` of what it wrote, in turn, so that a machine that slows down slows both.
///
/// `cp` leaves its bytes in the page cache, while the writer waits until they are on the disk: `cp_and_sync` does so, too.
pub fn measure(arguments: &MergeArguments, binary: &Path) -> anyhow::Result<Results> {
    let pair = Pair::new(arguments.common.shape.as_deref().unwrap_or("qwen2.5-0.5b"), None)?;
    let folder = pair.a.parent().context("the fixture lies in a folder")?.join("merged");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let mut results = Map::new();
    for (name, recipe) in RECIPES.iter().filter(|(name, _)| wanted(name)) {
        let measured = measure_one(&pair, &folder, name, recipe, binary, arguments)?;
        results.insert((*name).to_owned(), measured);
    }
    if results.is_empty() {
        bail!("there is no recipe of that name; there are {}", RECIPES.map(|(name, _)| name).join(", "));
    }
    fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    Ok(vec![("fixture", pair.describe()), ("recipes", Value::Object(results))])
}

fn measure_one(
    pair: &Pair,
    folder: &Path,
    name: &str,
    recipe: &str,
    binary: &Path,
    arguments: &MergeArguments,
) -> anyhow::Result<Value> {
    let (out, copy) = (folder.join(name), folder.join("copy"));
    let recipe = write_recipe(pair, folder, name, recipe)?;
    let merge = ["merge".as_ref(), recipe.as_os_str(), "-o".as_ref(), out.as_os_str(), "--json".as_ref(), "-".as_ref()];
    let both = [out.as_os_str(), copy.as_os_str()];
    let script = "cp -r \"$0\" \"$1\" && sync \"$1\"/*";
    let mut fastest: Option<[Measured; 3]> = None;
    for _ in 0..arguments.common.runs.max(1) {
        clear(&[&out, &copy])?;
        let merged = once(binary, &merge)?;
        // It was written past the page cache, which `cp` is to read it from.
        read_all(&out)?;
        let copied = once(Path::new("cp"), &[&["-r".as_ref()], &both[..]].concat())?;
        clear(&[&copy])?;
        let synced = once(Path::new("sh"), &[&["-c".as_ref(), OsStr::new(script)], &both[..]].concat())?;
        let run = [merged, copied, synced];
        match &mut fastest {
            None => fastest = Some(run),
            Some(before) => before.iter_mut().zip(run).for_each(|(before, run)| before.and(run)),
        }
    }
    let bytes = bytes_of(&out)?;
    clear(&[&out, &copy])?;
    // Its recipes are all in files.
    let is_mergekits = recipe.extension().is_some_and(|extension| extension == "yaml");
    let peer = arguments.mergekit.as_deref().filter(|_| is_mergekits).map(|program| {
        let peer = once(program, &[recipe.as_os_str(), out.as_os_str()]);
        clear(&[&out])?;
        peer
    });
    let peer = peer.transpose()?;
    let [merged, copied, synced] = fastest.context("nothing was run")?;
    Ok(json!({
        "bytes": bytes,
        "merge": merged.describe(bytes),
        "cp": copied.describe(bytes),
        "cp_and_sync": synced.describe(bytes),
        "to_cp": merged.seconds / copied.seconds,
        "to_cp_and_sync": merged.seconds / synced.seconds,
        "mergekit": peer.as_ref().map(|peer| peer.describe(bytes)),
        "mergekit_to_merge": peer.as_ref().map(|peer| peer.seconds / merged.seconds),
    }))
}

/// What the command line is given: a recipe of one line, or the file that holds it.
fn write_recipe(pair: &Pair, folder: &Path, name: &str, recipe: &str) -> anyhow::Result<PathBuf> {
    let path = |path: &Path| path.to_str().map(str::to_owned).context("a path of UTF-8");
    let (a, b) = (path(&pair.a)?, path(&pair.b)?);
    if !recipe.contains('\n') {
        return Ok(recipe.replacen('A', &a, 1).replacen("from B", &format!("from {b}"), 1).into());
    }
    // JSON's quotes are YAML's.
    let quoted = |path: &str| serde_json::to_string(path);
    let text = recipe.replace("model: A", &format!("model: {}", quoted(&a)?));
    let text = text.replace("model: B", &format!("model: {}", quoted(&b)?));
    let file = folder.join(format!("{name}.yaml"));
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

fn clear(folders: &[&Path]) -> anyhow::Result<()> {
    for folder in folders.iter().filter(|folder| folder.exists()) {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

/// Reads every file of a folder.
fn read_all(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        std::io::copy(&mut fs::File::open(entry?.path())?, &mut std::io::sink())?;
    }
    Ok(())
}

fn bytes_of(folder: &Path) -> anyhow::Result<u64> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
