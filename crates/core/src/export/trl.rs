//! A script for TRL's [`SFTTrainer`](https://huggingface.co/docs/trl/sft_trainer).

use super::{Base, Data, DataKind, ExportSettings, Length, Trained, number, quoted};
use crate::report::Envelope;

/// What the script does with what is said before it.
const BODY: &str = include_str!("trl.py");

/// The script: what this run is, as constants, and then the same code for all.
pub(super) fn script(base: &Base<'_>, trained: &Trained, settings: &ExportSettings) -> String {
    let text = |text: Option<&str>| text.map_or_else(|| "None".to_owned(), quoted);
    let format = |path: &str| quoted(Data::format(path).unwrap_or_default());
    let (kind, columns) = match &settings.data.kind {
        DataKind::Chat { messages } => ("chat", vec![messages]),
        DataKind::Turns { prompt, answer } => ("turns", vec![prompt, answer]),
        DataKind::Text { prompt, answer } => ("text", vec![prompt, answer]),
    };
    let columns: Vec<String> = columns.into_iter().map(|column| quoted(column)).collect();
    let (steps, epochs) = match settings.length {
        Length::Steps(steps) => (steps.to_string(), number(1.0)),
        Length::Epochs(epochs) => ("-1".to_owned(), number(epochs)),
    };
    let [beta1, beta2] = settings.betas.map(number);
    let held_out = settings.held_out.as_deref();
    let lists = |items: Vec<String>| items.iter().map(|item| format!("    {item},\n")).collect::<String>();
    format!(
        "\
# Written by {tool}: accelerate launch THIS_FILE (needs trl and flash-attn)

SELECTION = {select}
# A parameter is trained if one of these matches its whole name.
TRAINED = [
{expressions}]
TRAINED_PARAMETERS = {parameters}
NOTES = [
{notes}]

BASE, REVISION = {base}, {revision}
OUT = {out}
DATA, FORMAT = {data}, {data_format}
HELD_OUT, HELD_OUT_FORMAT = {held_out}, {held_out_format}
KIND, COLUMNS = {kind}, [{columns}]

BLOCK = {block}  # tokens
BLOCKS_PER_STEP = {batch}  # over all devices
STEPS, EPOCHS = {steps}, {epochs}  # steps count, unless they are -1
RATE, SCHEDULE, WARMUP_STEPS = {rate}, {schedule}, {warmup}
WEIGHT_DECAY, BETA_1, BETA_2, EPSILON = {decay}, {beta1}, {beta2}, {epsilon}
CLIP = {clip}  # 0 leaves gradients as they are
SEED = {seed}

{BODY}",
        tool = Envelope::tool_name(),
        select = quoted(settings.select.trim()),
        expressions = lists(trained.expressions.iter().map(|expression| quoted(expression)).collect()),
        parameters = trained.parameters,
        notes = lists(trained.notes.iter().map(|note| quoted(note)).collect()),
        base = quoted(base.name),
        revision = text(base.revision),
        out = quoted(&settings.out),
        data = quoted(&settings.data.path),
        data_format = format(&settings.data.path),
        held_out = text(held_out),
        held_out_format = held_out.map_or_else(|| "None".to_owned(), format),
        kind = quoted(kind),
        columns = columns.join(", "),
        block = settings.block,
        batch = settings.batch,
        rate = number(settings.rate),
        schedule = quoted(super::scheduler(settings.schedule)),
        warmup = settings.warmup_steps,
        decay = number(settings.weight_decay),
        epsilon = number(settings.epsilon),
        clip = number(settings.clip.unwrap_or(0.0)),
        seed = settings.seed,
    )
}
