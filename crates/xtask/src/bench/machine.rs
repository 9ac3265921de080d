//! What a number was measured on.

use std::fs;

use serde::Serialize;

use crate::command::{command, output};

/// A machine, as far as it explains a measurement.
#[derive(Serialize)]
pub struct Machine {
    cpu: String,
    /// The vector instructions that the kernels choose from.
    instructions: Vec<String>,
    cores: usize,
    memory_bytes: Option<u64>,
    kernel: String,
    rustc: String,
}

impl Machine {
    /// The one this runs on. What the system does not tell is `unknown`.
    pub fn this() -> anyhow::Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = field(&cpu, "flags").or_else(|| field(&cpu, "Features")).unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibibytes = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let interesting = |flag: &&str| ["avx2", "avx512f", "avx512bw", "asimd", "sve"].contains(flag);
        Ok(Self {
            cpu: field(&cpu, "model name").unwrap_or("unknown").into(),
            instructions: flags.split(' ').filter(interesting).map(str::to_owned).collect(),
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: kibibytes.map(|kibibytes| kibibytes * 1024),
            kernel: output(&mut command("uname", ["-sr"])).unwrap_or_else(|_| "unknown".into()),
            rustc: output(&mut command("rustc", ["--version"]))?,
        })
    }

    /// Its processor and cores in a form that suits a file name: `amd-epyc-2-cores`.
    pub fn short_name(&self) -> String {
        let words = self.cpu.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !["", "R", "TM", "CPU", "Processor"].contains(word));
        let name = words.take(4).map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
        format!("{name}-{}-cores", self.cores)
    }
}

/// The first `name : value` line.
fn field<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// The day in UTC, as 2026-01-31.
pub fn today() -> anyhow::Result<String> {
    output(&mut command("date", ["-u", "+%Y-%m-%d"]))
}

/// The commit that was measured; none outside a repository. A `+` says that the working tree differed from it.
pub fn commit() -> Option<String> {
    let commit = output(&mut command("git", ["rev-parse", "--short=12", "HEAD"])).ok()?;
    let changes = output(&mut command("git", ["status", "--porcelain"])).ok()?;
    Some(if changes.is_empty() { commit } else { commit + "+" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 17\nmodel name\t: AMD EPYC 9R14\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC 9R14"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn a_machine_s_short_name_suits_a_file_name() {
        let machine = Machine {
            cpu: "Intel(R) Xeon(R) CPU @ 2.20GHz".into(),
            instructions: Vec::new(),
            cores: 2,
            memory_bytes: None,
            kernel: String::new(),
            rustc: String::new(),
        };
        assert_eq!(machine.short_name(), "intel-xeon-2-20ghz-2-cores");
    }
}
