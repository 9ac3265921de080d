//! The page of an exam: the score in words, what kinds of answers there were, and every question.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use stethoscope_exam::report::{ExamReport, QuestionRow};
use stethoscope_exam::statistics::Score;

use super::table::{Cell, Header, Sort, close, open, row};
use super::{PageError, document, figures, html};
use crate::exam::{interval_text, level_words, n, percentage, questions, sampling, shown};
use crate::figures::Figure;
use crate::numbers::{bytes, duration, grouped, plural, significant, significant_or_dash};
use crate::text::shorten;

/// The table of questions shows this many.
const QUESTIONS_AT_MOST: usize = 2000;
/// Different answers to one question that are shown, the most frequent first.
const ANSWERS_AT_MOST: usize = 5;
/// Columns that an answer or an id takes at most.
const ANSWER_COLUMNS: usize = 60;

/// `report` as an HTML document.
///
/// # Errors
/// Those of drawing the figure, and of writing JSON; neither happens to a report that an exam made.
pub fn exam(report: &ExamReport) -> Result<String, PageError> {
    let drawn = crate::figures::of_exam(report)?;
    let mut page = String::with_capacity(1 << 16);
    head(&mut page, report);
    answers(&mut page, report, &drawn);
    by_question(&mut page, report);
    meanings(&mut page);
    reproduce(&mut page, report);
    let title = format!("{}: {}", html::text(&report.model.reference), html::text(&report.benchmark.name));
    Ok(document::document(&title, &page, &serde_json::to_string(report)?))
}

fn head(page: &mut String, report: &ExamReport) {
    let (benchmark, protocol) = (&report.benchmark, &report.protocol);
    page.push_str(&format!("<header>\n<h1>An exam: {}</h1>\n", html::text(&benchmark.name)));
    page.push_str(&format!("<p class=\"finding\">{}</p>\n", finding(report).replace(" %", "&nbsp;%")));
    let mut facts = vec![
        ("model", format!("<b>{}</b>", html::text(&report.model.reference))),
        ("engine", html::text(&report.model.engine)),
        ("questions", grouped(benchmark.questions)),
        ("preset", protocol.preset.name().to_owned()),
        ("sampling", html::text(&sampling(&protocol.sampling))),
        ("samples", format!("{} each", protocol.samples)),
    ];
    facts.extend(benchmark.seed.map(|seed| ("question seed", seed.to_string())));
    document::facts(page, &facts);
    document::notes(page, &[&report.model.reference], &report.envelope);
    document::navigation(
        page,
        &[
            ("answers", "Answers", true),
            ("questions", "Questions", !report.questions.is_empty()),
            ("meaning", "What the numbers mean", true),
            ("again", "How to get them again", true),
        ],
    );
    page.push_str("</header>\n");
}

/// The score in a sentence.
fn finding(report: &ExamReport) -> String {
    match (&report.score, &report.truncated) {
        (Some(score), _) => format!(
            "<b>{} right</b>, 95 % interval {}, n = {} ({}).",
            percentage(score.mean),
            interval_text(score.interval),
            n(score),
            questions(score)
        ),
        (None, Some(_)) => {
            "Nothing here is right or wrong: the answers have levels and lengths, and no score.".to_owned()
        }
        (None, None) => "No answers were sampled.".to_owned(),
    }
}

fn answers(page: &mut String, report: &ExamReport, drawn: &[Figure]) {
    page.push_str("<section id=\"answers\">\n<h2>Answers</h2>\n");
    if report.truncated.is_some() {
        shares(page, report);
    }
    figures::write(page, drawn, 1);
    let mut facts = Vec::new();
    facts.extend(report.lengths.as_ref().map(|lengths| {
        let text = format!(
            "{} tokens on average, half of them at most {}, the longest {}; {} with prompts (n = {})",
            significant(lengths.mean),
            significant(lengths.median),
            grouped(lengths.longest),
            significant(lengths.mean_with_prompt),
            grouped(lengths.answers)
        );
        ("lengths", text)
    }));
    let likelihood = report.reference_likelihood.as_ref();
    facts.extend(likelihood.map(|mean| ("reference answers", format!("{} nats of log likelihood", shown(mean)))));
    let bits = report.held_out_bits.as_ref();
    facts.extend(bits.map(|mean| ("held-out text", format!("{} bits a byte", shown(mean)))));
    facts.extend(report.agreement.as_ref().map(|agreement| {
        let interval = interval_text(agreement.interval);
        let (alike, answers) = (agreement.alike, agreement.answers);
        ("a person’s levels", format!("the same as judged for {alike} of {answers} answers ({interval})"))
    }));
    if !facts.is_empty() {
        document::facts(page, &facts);
    }
    page.push_str("</section>\n");
}

fn shares(page: &mut String, report: &ExamReport) {
    const HEADERS: [Header; 5] = [
        Header("answers", Sort::Text, "Of what kind"),
        Header("share", Sort::Number, "Mean over questions of the share of their answers"),
        Header("95 % interval", Sort::Number, "Wilson’s, at the effective n"),
        Header("n", Sort::Number, "Independent answers that these are worth"),
        Header("of", Sort::Text, "What was counted"),
    ];
    open(page, "Shares of answers", &HEADERS);
    let mut share = |name: String, score: &Score| {
        row(
            page,
            &[
                Cell::text(&name),
                Cell::number(percentage(score.mean), Some(score.mean)),
                Cell::number(interval_text(score.interval), Some(score.interval.low)),
                Cell::number(n(score), Some(score.effective_n)),
                Cell::text(&questions(score)),
            ],
        );
    };
    for (name, score) in [("right", &report.score), ("unparsable", &report.unparsable), ("cut off", &report.truncated)]
    {
        score.iter().for_each(|score| share(name.to_owned(), score));
    }
    for level in &report.levels {
        share(format!("level {}: {}", level.level.name(), level_words(level.level)), &level.share);
    }
    close(page);
}

/// A row for every question.
fn by_question(page: &mut String, report: &ExamReport) {
    if report.questions.is_empty() {
        return;
    }
    const HEADERS: [Header; 7] = [
        Header("question", Sort::Text, "Its id"),
        Header("gold", Sort::Text, "The right answer"),
        Header("right", Sort::Number, "Right answers, of all"),
        Header("unparsable", Sort::Number, "Answers from which none can be read"),
        Header("tokens", Sort::Number, "Mean length of its answers"),
        Header("log likelihood", Sort::Number, "Of the reference answer, in nats"),
        Header("answered", Sort::Text, "What was read from the answers, the most frequent first"),
    ];
    let count = report.questions.len() as u64;
    page.push_str("<section id=\"questions\">\n<h2>Questions</h2>\n");
    let hidden = report.questions.len().saturating_sub(QUESTIONS_AT_MOST);
    if hidden > 0 {
        page.push_str(&format!(
            "<p>The first {}; {} more are in the data of this page and in --json.</p>\n",
            grouped(QUESTIONS_AT_MOST as u64),
            grouped(hidden as u64)
        ));
    }
    open(page, &format!("{} question{}, in the order of the benchmark", grouped(count), plural(count)), &HEADERS);
    for question in report.questions.iter().take(QUESTIONS_AT_MOST) {
        row(page, &question_cells(question));
    }
    close(page);
    page.push_str("</section>\n");
}

fn question_cells(question: &QuestionRow) -> [Cell; 7] {
    let right = question.tally.map_or_else(
        || Cell::number("–".into(), None),
        |tally| Cell::number(format!("{} of {}", tally.correct, tally.samples), tally.mean()),
    );
    [
        Cell::text(&shorten(&question.id, ANSWER_COLUMNS)),
        Cell::value(&question.gold.as_ref().map_or_else(|| "–".into(), |gold| shorten(gold, ANSWER_COLUMNS))),
        right,
        Cell::number(grouped(question.unparsable), Some(question.unparsable as f64)),
        Cell::number(significant_or_dash(question.tokens), question.tokens),
        Cell::number(significant_or_dash(question.reference_likelihood), question.reference_likelihood),
        Cell::value(&answered(&question.extracted)),
    ]
}

/// Different answers, the most frequent first: `12 (40 times), 13`.
fn answered(extracted: &[Option<String>]) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for answer in extracted.iter().flatten() {
        *counts.entry(answer).or_default() += 1;
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let mut words: Vec<String> = counts
        .iter()
        .take(ANSWERS_AT_MOST)
        .map(|(answer, count)| {
            let answer = shorten(answer, ANSWER_COLUMNS);
            if *count > 1 { format!("{answer} ({} times)", grouped(*count)) } else { answer }
        })
        .collect();
    let others = counts.len().saturating_sub(ANSWERS_AT_MOST) as u64;
    if others > 0 {
        words.push(format!("{} other{}", grouped(others), plural(others)));
    }
    if words.is_empty() { "–".to_owned() } else { words.join(", ") }
}

fn meanings(page: &mut String) {
    document::meanings(
        page,
        &[
            (
                "right",
                "The mean over questions of the share of their answers that are right. An answer that cannot be read is not right, and \
                 is counted as unparsable besides.",
            ),
            (
                "95&nbsp;% interval and n",
                "Wilson’s interval. Several answers to one question resemble each other, so n is how many independent answers they are \
                 worth: at least the number of questions, at most that of answers.",
            ),
            (
                "levels",
                "What kind of answer it is, judged by program and without regard to whether it is right. I: nonsense, or a loop. II: \
                 sentences that do not fit the question. III: fits the question and comes to no answer that can be read. IV: comes to an \
                 answer.",
            ),
            ("cut off", "The model had not ended at the most tokens that were allowed."),
        ],
    );
}

fn reproduce(page: &mut String, report: &ExamReport) {
    let envelope = &report.envelope;
    let mut facts = vec![
        ("read", bytes(envelope.bytes_read)),
        ("took", duration(envelope.seconds)),
        ("fingerprint of the questions", format!("<code>{}</code>", html::text(&report.benchmark.fingerprint))),
    ];
    facts.extend(envelope.seed.map(|seed| ("seed", seed.to_string())));
    let fingerprint = report.model.fingerprint.as_ref();
    facts.extend(fingerprint.map(|print| ("fingerprint of the model", format!("<code>{}</code>", html::text(print)))));
    facts.push(document::data_fact(envelope, ""));
    document::reproduce(page, envelope, &facts);
}
