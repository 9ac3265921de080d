//! `bundle MODULE FOLDER`: makes the JavaScript through which a browser loads a compiled module, and the module that goes
//! with it.
//!
//! A program of its own because what it is made of takes long to compile: `cargo xtask` starts without it, and runs it when
//! there is a bundle to make.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<OsString>) -> anyhow::Result<()> {
    let [module, folder] = <[OsString; 2]>::try_from(arguments)
        .or_else(|given| bail!("a module and a folder were expected, {} arguments were given", given.len()))?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&module).web(true)?.typescript(false).omit_default_module_path(false);
    // The names of functions are for debuggers, and a third of the file.
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.generate(&folder).with_context(|| format!("bundling {}", module.display()))
}
