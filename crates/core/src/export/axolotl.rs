//! A configuration for Axolotl.
//!
//! Every key is one of its [configuration reference](https://docs.axolotl.ai/docs/config-reference.html) and its pages on
//! [conversations](https://docs.axolotl.ai/docs/dataset-formats/conversation.html) and
//! [instruction tuning](https://docs.axolotl.ai/docs/dataset-formats/inst_tune.html).

use std::fmt::Write as _;

use super::{Base, Data, DataKind, ExportError, ExportSettings, Length, Trained, number, quoted};
use crate::report::Envelope;

/// The configuration, in YAML.
pub(super) fn configuration(
    base: &Base<'_>,
    trained: &Trained,
    settings: &ExportSettings,
) -> Result<String, ExportError> {
    let mut text = opening(trained, settings);
    let mut put = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    put(&format!("base_model: {}", quoted(base.name)));
    if let Some(revision) = base.revision {
        put(&format!("revision_of_model: {}", quoted(revision)));
    }
    put(&format!("output_dir: {}", quoted(&settings.out)));
    put(
        "\n# Everything is frozen but what one of these matches; periods stand in brackets because Axolotl escapes bare ones.",
    );
    put("unfrozen_parameters:");
    trained.expressions.iter().for_each(|expression| put(&format!("  - {}", quoted(expression))));
    put("\ndatasets:");
    put(&dataset(&settings.data.path, &settings.data.kind)?);
    if let Some(path) = &settings.held_out {
        put("test_datasets:");
        put(&dataset(path, &settings.data.kind)?);
    }
    if matches!(settings.data.kind, DataKind::Chat { .. }) {
        put("chat_template: tokenizer_default");
    }
    put("train_on_inputs: false");
    put(&hyper_parameters(settings));
    Ok(text)
}

/// What a reader should know first.
fn opening(trained: &Trained, settings: &ExportSettings) -> String {
    let mut text = String::new();
    let mut put = |line: &str| {
        // What a person wrote may have lines of its own.
        line.lines().for_each(|line| {
            // Writing to memory cannot fail.
            let _ = writeln!(text, "# {line}");
        });
    };
    put(&format!("Written by {}: axolotl train THIS_FILE", Envelope::tool_name()));
    put(&format!("Trains {}", settings.select.trim()));
    put(&format!("{} tensors, {} parameters", trained.names.len(), trained.parameters));
    trained.notes.iter().for_each(|note| put(&format!("Note: {note}")));
    text.push('\n');
    text
}

fn dataset(path: &str, kind: &DataKind) -> Result<String, ExportError> {
    let mut text = format!("  - path: {}\n    ds_type: {}\n    split: train\n", quoted(path), Data::format(path)?);
    text.push_str(&match kind {
        DataKind::Chat { messages } => format!(
            "    type: chat_template\n    field_messages: {}\n    roles_to_train: [\"assistant\"]\n    train_on_eos: turn",
            quoted(messages)
        ),
        DataKind::Text { prompt, answer } => format!(
            "    type:\n      field_instruction: {}\n      field_output: {}\n      format: \"{{instruction}}\"\n      \
             no_input_format: \"{{instruction}}\"",
            quoted(prompt),
            quoted(answer)
        ),
        DataKind::Turns { prompt, answer } => {
            return Err(ExportError::ColumnsInTemplate { prompt: prompt.clone(), answer: answer.clone() });
        }
    });
    Ok(text)
}

fn hyper_parameters(settings: &ExportSettings) -> String {
    let [beta1, beta2] = settings.betas.map(number);
    let length = match settings.length {
        Length::Steps(steps) => format!("max_steps: {steps}"),
        Length::Epochs(epochs) => format!("num_epochs: {}", number(epochs)),
    };
    // A clip of 0 leaves gradients as they are.
    let clip = number(settings.clip.unwrap_or(0.0));
    format!(
        "
sequence_len: {block}
excess_length_strategy: drop
sample_packing: true
pad_to_sequence_len: true
flash_attention: true  # keeps examples that share a block apart

# On several GPUs, divide the accumulation by their number: a step has {batch} blocks in all.
micro_batch_size: 1
gradient_accumulation_steps: {batch}
{length}

learning_rate: {rate}
lr_scheduler: {schedule}
warmup_steps: {warmup}
# Axolotl updates BF16 weights as they are; optimi_adamw makes up for updates that BF16 would round away.
optimizer: adamw_torch
weight_decay: {decay}
adam_beta1: {beta1}
adam_beta2: {beta2}
adam_epsilon: {epsilon}
max_grad_norm: {clip}
seed: {seed}
bf16: true
gradient_checkpointing: true",
        block = settings.block,
        batch = settings.batch,
        rate = number(settings.rate),
        schedule = super::scheduler(settings.schedule),
        warmup = settings.warmup_steps,
        decay = number(settings.weight_decay),
        epsilon = number(settings.epsilon),
        seed = settings.seed,
    )
}
