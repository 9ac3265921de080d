//! The model card of a trained model.

use stethoscope_core::freezing::{FreezeReport, TrainingStep};
use stethoscope_core::recipe::{cell, fenced, shell};

/// The text of `README.md`: what was trained, on what and how, for people and for the Hub.
pub fn model_card(report: &FreezeReport, command: &[String]) -> String {
    let FreezeReport { a, plan, settings, steps, .. } = report;
    let mut card = String::from("---\nlibrary_name: transformers\ntags:\n- stethoscope\n---\n\n# Trained, in part\n\n");
    card.push_str(&format!(
        "Of {}, the modules `{}` were trained: {} of {} parameters. All others are as they were, bit for bit.\n",
        cell(&a.reference),
        cell(&report.train),
        plan.trained,
        plan.parameters
    ));
    card.push_str("\n## Trained\n\n| module | part | tensors | parameters |\n|---|---|---|---|\n");
    for row in &plan.roles {
        card.push_str(&format!("| {} | {} | {} | {} |\n", row.role.name(), row.part, row.tensors, row.parameters));
    }
    card.push_str("\n## Data\n\n");
    let template = plan.data.template.map_or_else(String::new, |template| format!(", template {}", template.name()));
    card.push_str(&format!(
        "- {} ({}{template}): {} examples, {} tokens, {} of them learnt; fingerprint `{}`\n",
        cell(&plan.data.file),
        cell(&plan.data.kind),
        plan.data.examples,
        plan.data.tokens,
        plan.data.targets,
        plan.data.fingerprint
    ));
    if !plan.data.too_long.is_empty() {
        card.push_str(&format!("- {} examples were longer than a block, and left out\n", plan.data.too_long.len()));
    }
    if let Some(eval) = &plan.eval {
        card.push_str(&format!(
            "- held out: {}, {} examples; fingerprint `{}`\n",
            cell(&eval.file),
            eval.examples,
            eval.fingerprint
        ));
    }
    let [first, second] = settings.decays;
    card.push_str(&format!(
        "\n## How\n\nAdamW (β {first}, {second}; weight decay {}), rate {} ({}, {} steps of warm-up), {} steps of {} blocks of at most \
         {} tokens, gradients clipped at {}, seed {}.\n",
        settings.weight_decay,
        settings.rate,
        settings.schedule.name(),
        plan.warm_up,
        plan.steps,
        settings.batch,
        settings.block,
        settings.clip.map_or_else(|| "no norm".to_owned(), |clip| format!("norm {clip}")),
        settings.seed
    ));
    card.push_str("\n## What came of it\n\n");
    let loss = |step: Option<&TrainingStep>| step.map_or_else(|| "none".to_owned(), |step| format!("{:.4}", step.loss));
    card.push_str(&format!(
        "- loss in the first step {}, in the last {} nats a token\n",
        loss(steps.first()),
        loss(steps.last())
    ));
    if let (Some(before), Some(after)) = (report.held_out_before, steps.iter().rev().find_map(|step| step.held_out)) {
        card.push_str(&format!("- held-out loss {before:.4} before, {after:.4} after\n"));
    }
    card.push_str(&format!("\nThe base's fingerprint is `{}`.\n\n## Command\n\n", a.fingerprint));
    card.push_str(&fenced(&shell(command)));
    card.push_str(&format!("\nMade with {}.\n", report.envelope.tool));
    card
}
