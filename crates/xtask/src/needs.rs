//! What the tasks need on the machine, and how it gets there.

use anyhow::bail;

use crate::command::{command, run, succeeds};

/// Something to be installed, how to see that it is there, and what brings it.
pub struct Need {
    /// What it is called.
    name: &'static str,
    program: &'static str,
    probe: &'static [&'static str],
    source: Source,
}

/// Where a program comes from.
enum Source {
    /// A package of Debian and its kin.
    Apt(&'static str),
    /// A component of the Rust toolchain.
    Rustup(&'static str),
}

/// Compiling C, which build scripts of dependencies may do, and linking.
pub const C_COMPILER: Need =
    Need { name: "cc", program: "cc", probe: &["--version"], source: Source::Apt("build-essential") };
/// `cargo fmt`.
pub const RUSTFMT: Need =
    Need { name: "rustfmt", program: "rustfmt", probe: &["--version"], source: Source::Rustup("rustfmt") };
/// `cargo clippy`.
pub const CLIPPY: Need =
    Need { name: "cargo-clippy", program: "cargo-clippy", probe: &["--version"], source: Source::Rustup("clippy") };
/// Unpacking the distribution's `rust-src`.
pub const DPKG: Need =
    Need { name: "dpkg-deb", program: "dpkg-deb", probe: &["--version"], source: Source::Apt("dpkg") };
/// A display that nobody sees, to open windows on.
pub const VIRTUAL_DISPLAY: Need =
    Need { name: "xvfb-run", program: "xvfb-run", probe: &["--help"], source: Source::Apt("xvfb xauth") };
/// Mesa's lavapipe: a Vulkan driver that needs no GPU.
pub const LAVAPIPE: Need = Need {
    name: "lavapipe",
    program: "sh",
    probe: &["-c", "ls /usr/share/vulkan/icd.d/lvp_icd.*"],
    source: Source::Apt("mesa-vulkan-drivers"),
};
/// What finds Vulkan drivers.
pub const VULKAN_LOADER: Need = Need {
    name: "the Vulkan loader",
    program: "sh",
    probe: &["-c", "/sbin/ldconfig -p | grep libvulkan.so.1"],
    source: Source::Apt("libvulkan1"),
};
/// SwiftShader, another such driver, which comes with the browser that uses it.
pub const SWIFTSHADER: Need = Need {
    name: "SwiftShader",
    program: "sh",
    probe: &["-c", "ls /usr/lib/chromium/vk_swiftshader_icd.json"],
    source: Source::Apt("chromium"),
};
/// The browser that the page is tested in.
pub const CHROMIUM: Need =
    Need { name: "chromium", program: "chromium", probe: &["--version"], source: Source::Apt("chromium") };
/// What the tests of the page are written for.
pub const NODE: Need = Need { name: "node", program: "node", probe: &["--version"], source: Source::Apt("nodejs") };
/// What brings their library.
pub const NPM: Need = Need { name: "npm", program: "npm", probe: &["--version"], source: Source::Apt("npm") };
/// The programs that the benchmarks compare with.
pub const PYTHON: Need = Need {
    name: "python3",
    program: "python3",
    probe: &["-c", "import ensurepip, venv"],
    source: Source::Apt("python3-venv"),
};

impl Need {
    /// Makes sure that the program is there: installs it where that is possible, or says what to install.
    pub fn ensure(&self) -> anyhow::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let remedy = match self.source {
            Source::Apt(package) => {
                if is_root() && succeeds(&mut command("apt-get", ["--version"])) {
                    eprintln!("{} is missing; installing {package}", self.name);
                    install_package(package)?;
                }
                format!("apt-get install {package}")
            }
            Source::Rustup(component) => {
                if succeeds(&mut command("rustup", ["--version"])) {
                    eprintln!("{} is missing; installing it", self.name);
                    // Whether it worked shows below.
                    let _ = run(&mut command("rustup", ["component", "add", component]));
                }
                format!("rustup component add {component}")
            }
        };
        if !self.is_there() {
            bail!("{} is missing; install it, on Debian with `{remedy}`, then run this again", self.name);
        }
        Ok(())
    }

    fn is_there(&self) -> bool {
        succeeds(&mut command(self.program, self.probe))
    }
}

fn install_package(package: &str) -> anyhow::Result<()> {
    // A fresh machine has no package lists yet.
    run(&mut command("apt-get", ["update", "--quiet", "--quiet"]))?;
    let arguments = ["install", "--yes", "--quiet", "--quiet", "--no-install-recommends"];
    run(command("apt-get", arguments).args(package.split(' ')).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Whether packages can be installed without asking for a password.
fn is_root() -> bool {
    crate::command::output(&mut command("id", ["-u"])).is_ok_and(|id| id == "0")
}
