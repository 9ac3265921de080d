//! What trains and what that costs, and what came of it, in a terminal.

use stethoscope_core::export::Exported;
use stethoscope_core::freezing::{DataSummary, FreezePlan, FreezeReport, TrainedForm, TrainingMemory, TrainingStep};

use super::modules::label;
use super::numbers::{bytes, counted_parameters, duration, grouped, percent, plural, significant};
use super::rows::{self, Column};
use super::text::{Sheet, Style, printable, shorten};

/// Examples that are too long and told one by one.
const TOO_LONG_SHOWN: usize = 5;

/// A report as text of at most `width` columns a line, with ANSI colours if `color`.
pub fn table(report: &FreezeReport, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    let reference = shorten(&printable(&report.a.reference), sheet.width());
    sheet.line(&[(Style::Strong, &reference)]);
    let FreezePlan { trained, parameters, .. } = report.plan;
    let share = percent(Some(trained as f64 / parameters.max(1) as f64));
    let what = format!(
        "{} of {} train ({share}): {}",
        grouped(trained),
        counted_parameters(parameters),
        printable(&report.train)
    );
    sheet.paragraph(Style::Plain, &what, 0, 2);
    sheet.gap();
    roles(&report.plan, &mut sheet);
    sheet.gap();
    data("Data", &report.plan.data, &mut sheet);
    if let Some(eval) = &report.plan.eval {
        data("Held out", eval, &mut sheet);
    }
    sheet.gap();
    memory(&report.plan, &mut sheet);
    steps(report, &mut sheet);
    if !report.steps.is_empty() {
        sheet.gap();
        outcome(report, &mut sheet);
    }
    sheet.notices(&[], &report.envelope.warnings);
    if let Some(out) = &report.out {
        sheet.gap();
        ending(report, out, &mut sheet);
    }
    sheet.finish()
}

/// What was written for another trainer to `out`, as text like that of [`table`].
pub fn exported(exported: &Exported, out: &str, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    let trained = &exported.trained;
    let count = trained.names.len() as u64;
    let text = format!(
        "{} tensor{} train, {}; these expressions pick them and no others:",
        grouped(count),
        plural(count),
        counted_parameters(trained.parameters)
    );
    sheet.paragraph(Style::Strong, &text, 0, 2);
    trained.expressions.iter().for_each(|expression| sheet.paragraph(Style::Plain, &printable(expression), 2, 4));
    sheet.notices(&trained.notes, &[]);
    sheet.gap();
    sheet.paragraph(Style::Faint, &format!("Written to {}.", printable(out)), 0, 2);
    sheet.finish()
}

fn roles(plan: &FreezePlan, sheet: &mut Sheet) {
    const ROLES: [Column; 4] = [
        Column::names("trains"),
        Column::numbers("tensors", 2),
        Column::numbers("parameters", 0),
        Column::numbers("of all", 1),
    ];
    let share = |part: u64| percent(Some(part as f64 / plan.parameters.max(1) as f64));
    let row = |row: &stethoscope_core::freezing::TrainedRole| {
        vec![label(&row.role, &row.part), grouped(row.tensors), grouped(row.parameters), share(row.parameters)]
    };
    rows::write(sheet, &ROLES, &plan.roles.iter().map(row).collect::<Vec<_>>());
}

fn data(what: &str, data: &DataSummary, sheet: &mut Sheet) {
    let template = data.template.map_or_else(String::new, |template| format!(", template {}", template.name()));
    let text = format!(
        "{what}: {} ({}{template}), {} example{} of {} tokens, {} of them learnt",
        printable(&data.file),
        printable(&data.kind),
        grouped(data.examples),
        plural(data.examples),
        grouped(data.tokens),
        grouped(data.targets)
    );
    sheet.paragraph(Style::Plain, &text, 0, 2);
    for long in data.too_long.iter().take(TOO_LONG_SHOWN) {
        let text =
            format!("line {} has {} tokens, more than a block, and is left out", long.line, grouped(long.tokens));
        sheet.paragraph(Style::Warning, &text, 2, 4);
    }
    let more = data.too_long.len().saturating_sub(TOO_LONG_SHOWN) as u64;
    if more > 0 {
        sheet.paragraph(Style::Faint, &format!("and {} more (all of them: --json)", grouped(more)), 2, 4);
    }
}

fn memory(plan: &FreezePlan, sheet: &mut Sheet) {
    let TrainingMemory { weights, gradients, optimiser, activations } = plan.memory;
    let parts = format!(
        "Memory: {} = weights {} + gradients {} + optimiser {} + activations {}",
        bytes(plan.memory.total()),
        bytes(weights),
        bytes(gradients),
        bytes(optimiser),
        bytes(activations)
    );
    sheet.paragraph(Style::Plain, &parts, 0, 2);
    let Some(available) = plan.available else { return };
    if plan.memory.total() <= available {
        sheet.paragraph(Style::Plain, &format!("It fits into the {} that there are.", bytes(available)), 0, 2);
    } else {
        let text = format!("It does not fit into the {} that there are.", bytes(available));
        sheet.paragraph(Style::Warning, &text, 0, 2);
        plan.advice
            .iter()
            .for_each(|advice| sheet.paragraph(Style::Warning, &format!("Try: {}", printable(advice)), 2, 4));
    }
}

fn steps(report: &FreezeReport, sheet: &mut Sheet) {
    let (plan, settings) = (&report.plan, &report.settings);
    let [some, all] = plan.operations;
    let text = format!(
        "{} step{} of {} block{} of up to {} tokens, {} to warm up; a full step is {} floating-point operations, {} of those of \
         training everything",
        grouped(plan.steps),
        plural(plan.steps),
        grouped(settings.batch),
        plural(settings.batch),
        grouped(settings.block),
        grouped(plan.warm_up),
        operations(some),
        percent(Some(some / all))
    );
    sheet.paragraph(Style::Plain, &text, 0, 2);
    if let Some(seconds) = plan.seconds {
        sheet.paragraph(
            Style::Plain,
            &format!("It takes about {} (estimated from a timed block).", duration(seconds)),
            0,
            2,
        );
    }
}

fn operations(count: f64) -> String {
    let (scaled, unit) = match count {
        count if count >= 1e15 => (count / 1e15, "P"),
        count if count >= 1e12 => (count / 1e12, "T"),
        count => (count / 1e9, "G"),
    };
    format!("{} {unit}", significant(scaled))
}

fn outcome(report: &FreezeReport, sheet: &mut Sheet) {
    let loss = |step: Option<&TrainingStep>| step.map_or_else(|| "—".to_owned(), |step| format!("{:.4}", step.loss));
    let text =
        format!("Loss: {} in the first step, {} in the last", loss(report.steps.first()), loss(report.steps.last()));
    sheet.paragraph(Style::Strong, &text, 0, 2);
    let after = report.steps.iter().rev().find_map(|step| step.held_out);
    if let (Some(before), Some(after)) = (report.held_out_before, after) {
        sheet.paragraph(Style::Strong, &format!("Held-out loss: {before:.4} before, {after:.4} after"), 0, 2);
    }
    if let Some(step) = report.resumed_at {
        sheet.paragraph(Style::Plain, &format!("Went on behind step {}.", grouped(step)), 0, 2);
    }
    let (tokens, seconds) = report
        .steps
        .iter()
        .fold((0_u64, 0.0), |(tokens, seconds), step| (tokens.saturating_add(step.tokens), seconds + step.seconds));
    if seconds > 0.0 {
        let peak = report.steps.iter().filter_map(|step| step.peak_bytes).max();
        let peak = peak.map_or_else(String::new, |peak| format!("; at most {} of memory", bytes(peak)));
        let speed = significant(tokens as f64 / seconds);
        sheet.paragraph(Style::Plain, &format!("{speed} tokens a second{peak}"), 0, 2);
    }
}

fn ending(report: &FreezeReport, out: &str, sheet: &mut Sheet) {
    let (out, base) = (printable(out), printable(&report.a.reference));
    let time = duration(report.envelope.seconds);
    let next = match report.form {
        TrainedForm::Model => format!("What changed: stethoscope delta {base} {out}"),
        TrainedForm::PlugIn => format!("With it: stethoscope generate '{base}; take all from {out}'"),
    };
    sheet.paragraph(Style::Faint, &format!("Written to {out} in {time}. ({})", report.envelope.tool), 0, 2);
    sheet.paragraph(Style::Faint, &next, 0, 2);
}
