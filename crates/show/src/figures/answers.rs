//! Of what kind an exam's answers were: bars of their shares, with intervals and counts.

use stethoscope_exam::report::ExamReport;
use stethoscope_exam::statistics::Score;

use super::axis::ValueAxis;
use super::palette::{INK, SOFT_INK, category};
use super::paper::{At, CONTENT_TOP, Caption, Drawn, MARGIN, Paper, TEXT, WIDTH, figure};
use super::plot::{AXIS_HEIGHT, Plot};
use super::{Figure, FigureError};
use crate::exam::{facts, interval_text, percentage};
use crate::numbers::grouped;
use crate::text::{printable, shorten};

/// Height of a row.
const ROW: f64 = 28.0;
/// Room above the levels.
const GAP: f64 = 14.0;
/// Room left of the bars for their names.
const LABEL_WIDTH: f64 = 280.0;
/// Room right of them for their numbers.
const NUMBER_WIDTH: f64 = 200.0;

/// A bar.
struct Bar<'a> {
    name: String,
    score: &'a Score,
    /// Answers of this kind, where they are counted.
    answers: Option<u64>,
    is_level: bool,
}

/// The figure; none where no answer was sampled.
pub(super) fn draw(report: &ExamReport) -> Result<Option<Figure>, FigureError> {
    let bars = bars(report);
    if bars.is_empty() {
        return Ok(None);
    }
    let subtitle = format!("{}: {}", shorten(&printable(&report.model.reference), 60), facts(report));
    let height = CONTENT_TOP + bars_height(&bars) + AXIS_HEIGHT + 6.0;
    let caption = Caption {
        file_name: super::EXAM_FILE_NAMES[0],
        title: "How the answers were".to_owned(),
        subtitle: &shorten(&subtitle, 140),
        notes: vec![
            "Lines are 95 % intervals. Correctness and levels are told apart: a level says what kind of answer it is, not whether it is \
             right."
                .to_owned(),
        ],
        description: description(&bars),
    };
    figure(caption, height, |paper| draw_bars(paper, &bars)).map(Some)
}

fn bars(report: &ExamReport) -> Vec<Bar<'_>> {
    let counted = [("right", &report.score), ("unparsable", &report.unparsable), ("cut off", &report.truncated)];
    let counted = counted.into_iter().filter_map(|(name, score)| {
        Some(Bar { name: name.to_owned(), score: score.as_ref()?, answers: None, is_level: false })
    });
    let levels = report.levels.iter().map(|level| Bar {
        name: format!("level {}: {}", level.level.name(), crate::exam::level_words(level.level)),
        score: &level.share,
        answers: Some(level.answers),
        is_level: true,
    });
    counted.chain(levels).collect()
}

/// Where the top of a bar's row is, below the first one's.
fn row_top(bars: &[Bar<'_>], index: usize) -> f64 {
    let gap = if index > 0 && bars.get(index).is_some_and(|bar| bar.is_level) { GAP } else { 0.0 };
    index as f64 * ROW + gap
}

fn bars_height(bars: &[Bar<'_>]) -> f64 {
    row_top(bars, bars.len().saturating_sub(1)) + ROW
}

fn draw_bars(paper: &Paper<'_>, bars: &[Bar<'_>]) -> Drawn {
    // Shares are of 1, and all bars are seen on all of it.
    let scale = ValueAxis { is_log: false, low: 0.0, high: 100.0, ticks: vec![0.0, 25.0, 50.0, 75.0, 100.0] };
    let left = MARGIN + LABEL_WIDTH;
    let width = WIDTH - MARGIN - NUMBER_WIDTH - left;
    let plot = Plot { corner: (left, CONTENT_TOP), size: (width, bars_height(bars)), x: &scale };
    plot.draw_across(paper, "answers, in %")?;
    for (index, bar) in bars.iter().enumerate() {
        let y = CONTENT_TOP + row_top(bars, index) + ROW / 2.0;
        let across = |share: f64| plot.across(100.0 * share).unwrap_or(left);
        let end = across(bar.score.mean);
        paper.text(&bar.name, (left - 10.0, y), At::End, TEXT, INK)?;
        let color = category(if bar.is_level { 6 } else { 5 });
        if bar.score.mean > 0.0 {
            paper.rectangle((left, y - 8.0), ((end - left).max(1.0), 16.0), color)?;
        }
        let (low, high) = (across(bar.score.interval.low), across(bar.score.interval.high));
        paper.line(&[(low, y), (high, y)], 1.6, INK)?;
        for edge in [low, high] {
            paper.line(&[(edge, y - 4.0), (edge, y + 4.0)], 1.6, INK)?;
        }
        paper.text(&numbers(bar), (left + width + 12.0, y), At::Start, TEXT, SOFT_INK)?;
    }
    Ok(())
}

fn numbers(bar: &Bar<'_>) -> String {
    let share = percentage(bar.score.mean);
    match bar.answers {
        Some(answers) => {
            format!("{share}, {} of {} answers", grouped(answers), grouped(bar.score.samples))
        }
        None => format!("{share} of {} answers", grouped(bar.score.samples)),
    }
}

fn description(bars: &[Bar<'_>]) -> String {
    let each = bars.iter().map(|bar| {
        format!("{}: {} (95 % interval {})", bar.name, percentage(bar.score.mean), interval_text(bar.score.interval))
    });
    format!("Bars of the shares of answers. {}.", each.collect::<Vec<_>>().join("; "))
}
