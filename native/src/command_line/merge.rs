//! `stethoscope merge` and `stethoscope destroy`: a model made out of others.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use stethoscope_core::recipe::{Align, Control, How, Recipe, SHARD_BYTES, Step, Steps};
use stethoscope_core::selection::Selection;
use stethoscope_core::work::{Event, MergeRequest, Request};
use stethoscope_show as show;

use super::computing::{Threads, misused};
use super::reporting::Reporting;
use super::{Failure, Reading, progress};

/// What `merge` is asked.
#[derive(clap::Args)]
pub struct MergeArguments {
    /// A recipe: one line such as `A; take o_proj from B`, or a .yaml file; with --take, the base.
    #[arg(value_name = "RECIPE|A")]
    recipe: String,
    /// With --take, the donor.
    #[arg(requires = "take")]
    donor: Option<String>,
    /// Take these modules of the donor, such as `o_proj + norm`, and everything else from the base.
    #[arg(long, value_name = "SELECTION", requires = "donor")]
    take: Option<String>,
    /// With --take: change as much as the donor would, to no purpose: shuffle, noise, sign or rotate its change, or gauge,
    /// another basis for the values of heads.
    #[arg(long, requires = "take", value_name = "CONTROL", value_parser = word(&Control::ALL.map(Control::name), Control::from_name))]
    control: Option<Control>,
    /// With --take: fit what is taken to the norms that it reads (fold), or to the size of what it replaces (scale).
    #[arg(long, requires = "take", value_name = "ALIGN", value_parser = word(&Align::ALL.map(Align::name), Align::from_name))]
    align: Option<Align>,
    /// Of the numbers that --control draws.
    #[arg(long, requires = "take", default_value_t = 0, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    writing: Writing,
}

/// What `destroy` is asked.
#[derive(clap::Args)]
pub struct DestroyArguments {
    /// The model.
    model: String,
    /// zero: all parameters become 0; reinit: they are drawn from N(0, 0.02²); remove: whole layers are left out.
    #[arg(long, value_enum)]
    how: HowWord,
    /// What to break, such as `v_proj & layers 5..30`.
    #[arg(long, value_name = "SELECTION")]
    select: String,
    /// Of the numbers that reinit draws.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Clone, Copy, ValueEnum)]
enum HowWord {
    Zero,
    Reinit,
    Remove,
}

/// Where the model goes.
#[derive(clap::Args)]
struct Writing {
    /// The folder to write.
    #[arg(short, long, value_name = "FOLDER", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Write nothing: say what would be written, tensor by tensor.
    #[arg(long, conflicts_with = "out")]
    dry_run: bool,
    /// Bytes of tensors in each file of weights, at most.
    #[arg(long, default_value_t = SHARD_BYTES, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    shard_size: u64,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    reporting: Reporting,
}

/// Reads one of some words, which are told where it is none.
pub fn word<T: Clone + Send + Sync + 'static>(
    known: &[&'static str],
    from_name: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(known.to_vec()).try_map(move |word| from_name(&word).ok_or("no such word"))
}

/// Makes a model after a recipe.
pub fn merge(arguments: &MergeArguments) -> Result<(), Failure> {
    let recipe = match (&arguments.donor, &arguments.take) {
        (Some(donor), Some(take)) => {
            let step = Step::Take {
                from: donor.clone(),
                select: selection(take),
                control: arguments.control,
                align: arguments.align,
                seed: arguments.seed,
            };
            Recipe::Steps(Steps { base: arguments.recipe.clone(), steps: vec![step] }).to_string()
        }
        _ => arguments.recipe.clone(),
    };
    run(recipe, &arguments.writing)
}

/// Breaks some modules of a model.
pub fn destroy(arguments: &DestroyArguments) -> Result<(), Failure> {
    let how = match arguments.how {
        HowWord::Zero => How::Zero,
        HowWord::Reinit => How::Reinit,
        HowWord::Remove => How::Remove,
    };
    let step = Step::Destroy { how, select: selection(&arguments.select), seed: arguments.seed };
    let recipe = Recipe::Steps(Steps { base: arguments.model.clone(), steps: vec![step] });
    run(recipe.to_string(), &arguments.writing)
}

/// Reads a selection. Ends the program where it is none.
fn selection(text: &str) -> Selection {
    Selection::parse(text).unwrap_or_else(|error| misused(&error.to_string()))
}

fn run(recipe: String, writing: &Writing) -> Result<(), Failure> {
    writing.reporting.check()?;
    let mut platform = writing.reading.platform();
    writing.threads.apply(&mut platform);
    let out = writing.out.as_ref().map(|out| match out.to_str() {
        Some(out) => out.to_owned(),
        None => misused("the name of the folder to write is not UTF-8"),
    });
    let is_writing = out.is_some();
    let request = MergeRequest { recipe, out, force: writing.reporting.force, shard_bytes: writing.shard_size };
    let report = progress::follow(platform.run(Request::Merge(request)), |event| match event {
        Event::Merge(report) => Some(report),
        _ => None,
    });
    let report = report.map_err(|failure| failure.with_record(is_writing))?;
    Ok(writing.reporting.show(&*report, show::merge::table)?)
}
