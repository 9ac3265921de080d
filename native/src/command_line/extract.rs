//! `stethoscope extract A B`.

use std::path::PathBuf;

use clap::ValueEnum;
use stethoscope_core::plugin::Form;
use stethoscope_core::work::{Event, ExtractRequest, Request};
use stethoscope_show as show;

use super::computing::{Threads, misused};
use super::reporting::Reporting;
use super::{Failure, Reading, progress, words};

/// What `extract` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The base.
    a: String,
    /// The model that the modules are of.
    b: String,
    /// Which modules, such as `o_proj & layers 5..30`.
    #[arg(long, value_name = "SELECTION")]
    select: String,
    /// modules: as they are in B; delta: what is to be added to those of A, B - A; lora: the same as a LoRA adapter for PEFT.
    #[arg(long = "as", value_enum, default_value_t, value_name = "FORM")]
    form: FormWord,
    /// With --as lora, the adapter's rank.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..=1 << 16), required_if_eq("form", "lora"))]
    rank: Option<u64>,
    /// The file to write; with --as lora, the folder.
    #[arg(short, long, value_name = "FILE|FOLDER")]
    out: PathBuf,
    /// Find the singular values of each matrix's change, too (with --as lora they come anyway).
    #[arg(long)]
    spectrum: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    reporting: Reporting,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum FormWord {
    #[default]
    Modules,
    Delta,
    Lora,
}

/// Takes modules out of B.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.reporting.check()?;
    let form = match (arguments.form, arguments.rank) {
        (FormWord::Lora, Some(rank)) => Form::Lora { rank },
        (_, Some(_)) => misused("--rank is that of an adapter: it goes with --as lora"),
        (FormWord::Delta, None) => Form::Delta,
        (_, None) => Form::Modules,
    };
    let Some(out) = arguments.out.to_str() else { misused("the name of the file to write is not UTF-8") };
    let mut platform = arguments.reading.platform();
    arguments.threads.apply(&mut platform);
    let request = ExtractRequest {
        a: arguments.a.clone(),
        b: arguments.b.clone(),
        select: arguments.select.clone(),
        form,
        out: out.to_owned(),
        force: arguments.reporting.force,
        spectrum: arguments.spectrum,
    };
    let report = progress::follow(platform.run(Request::Extract(request)), |event| match event {
        Event::Extract(report) => Some(report),
        _ => None,
    });
    // Of a file, nothing is left; of a folder, what was written is.
    let mut report = report.map_err(|failure| failure.with_record(arguments.form == FormWord::Lora))?;
    report.envelope.command = words();
    Ok(arguments.reporting.show(&*report, show::extract::table)?)
}
