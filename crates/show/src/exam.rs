//! What an exam says, in a terminal: right answers, levels and lengths, each with its n and interval; and two models compared.

mod matrix;

use stethoscope_core::sampling::Sampling;
use stethoscope_exam::level::Level;
use stethoscope_exam::preset::Protocol;
use stethoscope_exam::report::{BenchmarkSummary, Comparison, ExamReport, Mean};
use stethoscope_exam::statistics::{Interval, Score};

use super::numbers::{grouped, plural, significant};
use super::rows::{self, Column};
use super::text::{Align, Sheet, Style, printable, shorten};

pub use matrix::matrix;

/// A report as text of at most `width` columns a line, with ANSI colours if `color`.
pub fn table(report: &ExamReport, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    sheet.line(&[(Style::Strong, &shorten(&printable(&report.model.reference), sheet.width()))]);
    sheet.paragraph(Style::Plain, &facts(report), 0, 0);
    sheet.gap();
    if report.truncated.is_some() {
        shares(report, &mut sheet);
    } else {
        sheet.paragraph(Style::Warning, "No answers were sampled.", 0, 0);
    }
    means(report, &mut sheet);
    if !report.levels.is_empty() {
        sheet.paragraph(Style::Plain, &judged_by(report), 0, 2);
    }
    if let Some(agreement) = &report.agreement {
        let text = format!(
            "A person gave {} of {} answers the level that was judged ({}).",
            agreement.alike,
            agreement.answers,
            interval_text(agreement.interval)
        );
        sheet.paragraph(Style::Plain, &text, 0, 2);
    }
    for warning in &report.envelope.warnings {
        sheet.paragraph(Style::Warning, &format!("warning: {}", printable(warning)), 0, 2);
    }
    sheet.finish()
}

/// Two models compared, in words.
pub fn comparison(comparison: &Comparison, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    for (letter, name) in [("A", &comparison.a), ("B", &comparison.b)] {
        let name = shorten(&printable(name), sheet.width().saturating_sub(3));
        sheet.line(&[(Style::Strong, letter), (Style::Plain, "  "), (Style::Strong, &name)]);
    }
    sheet.paragraph(Style::Plain, &comparison.verdict, 0, 0);
    for warning in &comparison.envelope.warnings {
        sheet.paragraph(Style::Warning, &format!("warning: {}", printable(warning)), 0, 2);
    }
    sheet.finish()
}

/// By whom levels were judged.
fn judged_by(report: &ExamReport) -> String {
    match &report.base {
        Some(base) => format!("Levels are judged by what is usual for {}.", printable(&base.reference)),
        None => "Levels are judged by what is usual for the model itself; --base names another to judge by.".to_owned(),
    }
}

/// The line that says what was asked, and how.
pub(crate) fn facts(report: &ExamReport) -> String {
    format!("{} · {}", asked(&report.benchmark, &report.protocol), printable(&report.model.engine))
}

/// What was asked, and how.
fn asked(benchmark: &BenchmarkSummary, protocol: &Protocol) -> String {
    format!(
        "{} · {} question{} · preset {} · {} · {} sample{} each",
        printable(&benchmark.name),
        grouped(benchmark.questions),
        plural(benchmark.questions),
        protocol.preset.name(),
        sampling(&protocol.sampling),
        protocol.samples,
        plural(protocol.samples.into()),
    )
}

/// How answers were drawn.
pub(crate) fn sampling(sampling: &Sampling) -> String {
    let mut parts = if sampling.temperature == 0.0 {
        vec!["greedy".to_owned()]
    } else {
        let mut parts = vec![format!("temperature {}", sampling.temperature)];
        parts.extend(sampling.top_k.map(|k| format!("top-k {k}")));
        parts.extend((sampling.top_p < 1.0).then(|| format!("top-p {}", sampling.top_p)));
        parts.extend((sampling.min_p > 0.0).then(|| format!("min-p {}", sampling.min_p)));
        parts.push(format!("seed {}", sampling.seed));
        parts
    };
    parts.extend((sampling.waits > 0).then(|| format!("\"Wait\" {} times", sampling.waits)));
    parts.push(format!("at most {} tokens", grouped(sampling.max_tokens.into())));
    parts.join(", ")
}

const SHARES: [Column; 5] = [
    Column::names("answers"),
    Column::numbers("share", 0),
    Column::numbers("95 % interval", 0),
    Column::numbers("n", 0),
    Column { heading: "of", align: Align::Left, gives_way: 1 },
];

fn shares(report: &ExamReport, sheet: &mut Sheet) {
    let row = |name: String, score: &Score| {
        vec![name, percentage(score.mean), interval_text(score.interval), n(score), questions(score)]
    };
    let mut rows = Vec::new();
    rows.extend(report.score.as_ref().map(|score| row("right".into(), score)));
    rows.extend(report.unparsable.as_ref().map(|score| row("unparsable".into(), score)));
    rows.extend(report.truncated.as_ref().map(|score| row("cut off".into(), score)));
    rows.extend(report.levels.iter().map(|level| row(format!("level {}", level.level.name()), &level.share)));
    rows::write(sheet, &SHARES, &rows);
}

fn means(report: &ExamReport, sheet: &mut Sheet) {
    if let Some(lengths) = &report.lengths {
        let text = format!(
            "Lengths: {} tokens on average, half of them at most {}, the longest {}; {} with prompts.",
            significant(lengths.mean),
            significant(lengths.median),
            grouped(lengths.longest),
            significant(lengths.mean_with_prompt)
        );
        sheet.gap();
        sheet.paragraph(Style::Plain, &text, 0, 2);
    }
    if let Some(mean) = &report.reference_likelihood {
        sheet.paragraph(Style::Plain, &format!("Log likelihood of reference answers: {} nats.", shown(mean)), 0, 2);
    }
    if let Some(mean) = &report.held_out_bits {
        sheet.paragraph(Style::Plain, &format!("Held-out text: {} bits a byte.", shown(mean)), 0, 2);
    }
}

/// `-2.50 (-3.10 to -1.90, n = 64)`.
pub(crate) fn shown(mean: &Mean) -> String {
    let range = mean.interval.map_or_else(String::new, |interval| {
        format!("{} to {}, ", significant(interval.low), significant(interval.high))
    });
    format!("{} ({range}n = {})", significant(mean.mean), mean.n)
}

/// A share of answers: a tenth of a per cent is finer than any exam.
pub(crate) fn percentage(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `40.9 to 53.0 %`.
pub(crate) fn interval_text(interval: Interval) -> String {
    format!("{:.1} to {:.1} %", 100.0 * interval.low, 100.0 * interval.high)
}

/// How many independent answers there are: less than samples where those of one question resemble each other.
pub(crate) fn n(score: &Score) -> String {
    if score.samples == score.questions { grouped(score.samples) } else { format!("{:.0}", score.effective_n) }
}

/// What was counted: `256 samples of 64 questions`.
pub(crate) fn questions(score: &Score) -> String {
    let questions = format!("{} question{}", grouped(score.questions), plural(score.questions));
    if score.samples == score.questions {
        questions
    } else {
        format!("{} samples of {questions}", grouped(score.samples))
    }
}

/// A level in a few words.
pub(crate) const fn level_words(level: Level) -> &'static str {
    match level {
        Level::I => "nonsense",
        Level::II => "sense, but off the subject",
        Level::III => "on the subject, no answer to read",
        Level::IV => "reasons to an answer",
    }
}

#[cfg(test)]
mod tests;
