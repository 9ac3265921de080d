//! `stethoscope serve`: the page, driving this machine.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use super::computing::{Machine, misused};
use super::output::Destination;
use super::{Failure, INTERRUPTED};
use crate::serve::{Server, Settings};

/// How the page is served.
#[derive(clap::Args)]
pub struct Arguments {
    /// The port to listen on; 0 for any that is free.
    #[arg(long, default_value_t = 8642, value_name = "N")]
    port: u16,
    /// The address to listen on. Another than the loopback's lets the network in: everybody who has the link can read and write
    /// under the roots, and nothing on the way is encrypted.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    bind: IpAddr,
    /// A folder whose files the page may read, and write to; may be given several times [default: the current directory].
    #[arg(long, value_name = "DIR")]
    root: Vec<PathBuf>,
    /// A name that the page may be asked for by, as a browser sees it: host, or host:port; may be given several times.
    #[arg(long, value_name = "NAME")]
    allow_name: Vec<String>,
    /// A host that models may be fetched from, besides the Hub: host, or host:port; may be given several times.
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// The path that the page is under, behind a proxy: /lab/.
    #[arg(long, default_value = "/", value_name = "PATH", value_parser = base_path)]
    base_path: String,
    /// The folder that jobs are kept in [default: where this system's programs keep their state].
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The folder of the page, as `cargo xtask web` makes it [default: the page that was built in].
    #[arg(long, value_name = "DIR")]
    page: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

/// Serves until it is stopped.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let here = || vec![PathBuf::from(".")];
    let settings = Settings {
        bind: arguments.bind,
        port: arguments.port,
        names: arguments.allow_name.clone(),
        base_path: arguments.base_path.clone(),
        roots: Some(arguments.root.clone()).filter(|roots| !roots.is_empty()).unwrap_or_else(here),
        hosts: arguments.allow_host.clone(),
        state: arguments
            .state
            .clone()
            .or_else(|| state_folder(|name| std::env::var_os(name)))
            .unwrap_or_else(|| misused("there is no home to keep jobs in; --state says where")),
        page: arguments.page.clone(),
        platform: arguments.machine.platform(),
    };
    let server = Server::new(settings)?;
    let mut end = Some(server.ending());
    // Where no handler can be set, Ctrl-C ends the process as it always does. Pressed again, it does so at once.
    let _ = ctrlc::set_handler(move || {
        let Some(end) = end.take() else { std::process::exit(INTERRUPTED.into()) };
        std::thread::spawn(move || {
            end();
            std::process::exit(INTERRUPTED.into());
        });
    });
    Destination::Standard.write(format!("{}\n", server.link()).as_bytes(), false)?;
    eprintln!(
        "Open this link in a browser on this machine; Ctrl-C stops the server, and jobs that run are told of when it is back."
    );
    Ok(server.run()?)
}

/// Reads a path such as `/lab/`.
fn base_path(text: &str) -> Result<String, String> {
    let inner = text.trim_matches('/');
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-~".contains(&byte))
    };
    match inner {
        "" => Ok("/".to_owned()),
        _ if inner.split('/').all(is_plain) => Ok(format!("/{inner}/")),
        _ => Err("a path such as /lab/ was expected, of letters, digits and -._~".to_owned()),
    }
}

/// Where jobs are kept; none where the environment names no home.
fn state_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || folder("HOME");
    let base = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_STATE_HOME").or_else(|| Some(home()?.join(".local/state")))
    };
    Some(base?.join("stethoscope").join("serve"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_begins_and_ends_with_a_slash() {
        for (given, read) in [("", "/"), ("/", "/"), ("lab", "/lab/"), ("/lab/a/", "/lab/a/")] {
            assert_eq!(base_path(given).as_deref(), Ok(read));
        }
        for wrong in ["/a//b", "/../", "/a b/", "/{id}/", "/a?b"] {
            assert!(base_path(wrong).is_err(), "{wrong}");
        }
    }
}
