//! The page of a search for modules: the answer in words, and for the skill and for conversation the units taken and kept, their
//! effects, and doses against effects.

use stethoscope_exam::locate::{Axis, Contrast, Destroyed, Heard, LocateReport, Measure, RowAnswers, UnitRow};
use stethoscope_exam::report::Mean;
use stethoscope_exam::statistics::Interval;

use super::table::{Cell, Header, Sort, close, open, row};
use super::{PageError, document, figures, html};
use crate::exam::{percentage, shown};
use crate::figures::Figure;
use crate::locate::{interval_text, p_number, p_text, signed_text};
use crate::numbers::{bytes, duration, grouped, percent, plural, significant, significant_or_dash};

/// `report` as an HTML document.
///
/// # Errors
/// Those of drawing the figures, and of writing JSON; neither happens to a report that a search made.
pub fn locate(report: &LocateReport) -> Result<String, PageError> {
    let (a, b) = (html::text(&report.a.reference), html::text(&report.b.reference));
    let all = crate::figures::of_locate(report)?;
    let (skill, conversation): (Vec<Figure>, Vec<Figure>) =
        all.into_iter().partition(|figure| figure.file_name.starts_with("skill"));
    let mut page = String::with_capacity(1 << 17);
    head(&mut page, report);
    let name = format!("Skill: {}", html::text(&report.benchmark.name));
    axis(&mut page, "skill", &name, &report.skill, &skill, 1);
    if let Some(of) = &report.conversation {
        axis(&mut page, "conversation", "Conversation", of, &conversation, 1 + skill.len());
    }
    destroyed(&mut page, report);
    answers(&mut page, &report.answers);
    meanings(&mut page);
    reproduce(&mut page, report);
    let title = format!("{a} → {b}: which modules carry it");
    Ok(document::document(&title, &page, &serde_json::to_string(report)?))
}

fn head(page: &mut String, report: &LocateReport) {
    page.push_str("<header>\n<h1>Which modules carry what B can</h1>\n");
    document::sides(page, &report.a, &report.b);
    finding(page, "Skill", &report.skill);
    if let Some(conversation) = &report.conversation {
        finding(page, "Conversation", conversation);
    }
    page.push_str(&format!("<p>{}</p>\n", asked(report)));
    document::notes(page, &[&report.a.reference, &report.b.reference], &report.envelope);
    document::navigation(
        page,
        &[
            ("skill", "Skill", true),
            ("conversation", "Conversation", report.conversation.is_some()),
            ("destroyed", "Destroyed", !report.destroyed.is_empty()),
            ("answers", "Answers", !report.answers.is_empty()),
            ("meaning", "What the numbers mean", true),
            ("again", "How to get them again", true),
        ],
    );
    page.push_str("</header>\n");
}

/// The answer of an axis, in words.
fn finding(page: &mut String, name: &str, axis: &Axis) {
    // A percentage is not torn from its sign.
    let answer = html::text(&axis.answer).replace(" %", "&nbsp;%");
    page.push_str(&format!("<p class=\"finding\"><b>{name}.</b> {answer}</p>\n"));
}

/// What was asked, how, and of how many models.
fn asked(report: &LocateReport) -> String {
    let benchmark = &report.benchmark;
    let how = match report.skill.measure {
        Measure::ReferenceLikelihood => {
            "how likely a reference answer is, in nats of log likelihood; nothing was generated"
        }
        Measure::Accuracy => "the share of sampled answers that are right",
    };
    let count = |wanted: fn(&Heard) -> bool| report.plan.rows.iter().filter(|row| wanted(&row.heard)).count() as u64;
    let taken = count(|heard| matches!(heard, Heard::Taken { .. }));
    let kept = count(|heard| matches!(heard, Heard::Kept { .. }));
    let controls = count(|heard| matches!(heard, Heard::Control { .. }));
    let destroyed = count(|heard| matches!(heard, Heard::Destroyed { .. }));
    let broken =
        if destroyed > 0 { format!(" and {} with modules destroyed", grouped(destroyed)) } else { String::new() };
    format!(
        "Every model was asked the same {} question{} of <b>{}</b> with the same prompts. A score is {how}. There are {} models: A, B, A \
         with each of {} unit{} taken from B, B with each of {} kept from A, {} control{}{broken}.",
        grouped(benchmark.questions),
        plural(benchmark.questions),
        html::text(&benchmark.name),
        grouped(report.plan.rows.len() as u64),
        grouped(taken),
        plural(taken),
        grouped(kept),
        grouped(controls),
        plural(controls),
    )
}

/// One axis: the scores of both models, the tables and the figures.
fn axis(page: &mut String, id: &str, name: &str, axis: &Axis, drawn: &[Figure], first: usize) {
    page.push_str(&format!("<section id=\"{id}\">\n<h2>{name}</h2>\n"));
    let unit = axis.measure.unit();
    let score = |mean: Option<&Mean>| {
        mean.map_or_else(|| "not heard yet".to_owned(), |mean| format!("{} {unit}", html::text(&shown(mean))))
    };
    let difference = axis.difference.map_or_else(
        || "–".to_owned(),
        |found| {
            format!(
                "{} (95&nbsp;% interval {}, {}, n = {})",
                signed_text(found.mean),
                interval_text(found.interval),
                html::text(&p_text(found.p)),
                grouped(found.n)
            )
        },
    );
    document::facts(page, &[("A", score(axis.a.as_ref())), ("B", score(axis.b.as_ref())), ("B − A", difference)]);
    taken(page, axis);
    kept(page, axis);
    figures::write(page, drawn, first);
    page.push_str("</section>\n");
}

const UNIT: Header = Header("unit", Sort::Text, "The modules that were moved together");
const SHARE: Header = Header("share", Sort::Number, "Share of the parameters");
const DOSE: Header = Header("‖Δ‖", Sort::Number, "Norm of the change, and below it the relative change ‖Δ‖ / ‖W‖");
const QUESTIONS: Header = Header("n", Sort::Number, "Questions");
const SCORE: Header = Header("score", Sort::Number, "Mean over the questions, with its 95 % interval");
const P: Header = Header("p", Sort::Number, "Sign-flip test of the effect, not corrected");
const HOLM: Header = Header("Holm’s p", Sort::Number, "p after Holm’s correction over all units");
const RANK: Header =
    Header("rank", Sort::Number, "Place by effect with the questions drawn anew, and how often it is first");

/// Units taken alone from B.
fn taken(page: &mut String, axis: &Axis) {
    const HEADERS: [Header; 11] = [
        UNIT,
        SHARE,
        DOSE,
        QUESTIONS,
        SCORE,
        Header("controls", Sort::Number, "Mean score of the controls, and the worst and the best of them"),
        Header("gain", Sort::Number, "Score less A’s, with its 95 % interval"),
        Header("effect", Sort::Number, "Score less the controls’ mean, with its 95 % interval"),
        P,
        HOLM,
        RANK,
    ];
    open(page, "Each unit taken alone from B into A, the largest effect first", &HEADERS);
    for unit in &axis.taken {
        let controls = unit.controls.map_or_else(
            || Cell::number("–".into(), None),
            |controls| {
                let range = Interval { low: controls.lowest, high: controls.highest };
                with_range(significant(controls.mean), Some(range), controls.mean)
            },
        );
        let [name, share, dose, n, score] = beginning(unit);
        let [effect, p, holm, rank] = ending(unit);
        row(page, &[name, share, dose, n, score, controls, difference(unit.gain.as_ref()), effect, p, holm, rank]);
    }
    close(page);
}

/// Units kept alone from A.
fn kept(page: &mut String, axis: &Axis) {
    const HEADERS: [Header; 9] = [
        UNIT,
        SHARE,
        DOSE,
        QUESTIONS,
        SCORE,
        Header("lost", Sort::Number, "B’s score less what is left without the unit, with its 95 % interval"),
        P,
        HOLM,
        RANK,
    ];
    open(page, "Each unit kept alone from A in B, the largest loss first", &HEADERS);
    for unit in &axis.kept {
        let [name, share, dose, n, score] = beginning(unit);
        let [lost, p, holm, rank] = ending(unit);
        row(page, &[name, share, dose, n, score, lost, p, holm, rank]);
    }
    close(page);
}

/// The cells that every unit has first.
fn beginning(unit: &UnitRow) -> [Cell; 5] {
    let dose = &unit.unit.dose;
    let n = unit.effect.map(|effect| effect.n).or_else(|| Some(unit.score?.n));
    [
        Cell::text(&unit.unit.name),
        Cell::number(percent(Some(dose.share)), Some(dose.share)),
        Cell::number(over(significant(dose.l2_delta), &percent(dose.l2_relative)), Some(dose.l2_delta)),
        Cell::number(n.map_or_else(|| "–".into(), grouped), n.map(|n| n as f64)),
        unit.score.map_or_else(
            || Cell::number("–".into(), None),
            |score| with_range(significant(score.mean), score.interval, score.mean),
        ),
    ]
}

/// The cells that every unit has last: its effect, and how sure that is.
fn ending(unit: &UnitRow) -> [Cell; 4] {
    let effect = unit.effect.as_ref();
    let p = |p: Option<f64>| Cell::number(html::text(&p.map_or_else(|| "–".into(), p_number)), p);
    let rank = unit.rank.map_or_else(
        || Cell::number("–".into(), None),
        |rank| {
            let places = format!("{}–{}", rank.interval.low, rank.interval.high);
            Cell::number(over(places, &format!("first in {:.0}&nbsp;%", 100.0 * rank.first)), Some(rank.rank))
        },
    );
    [difference(effect), p(effect.map(|effect| effect.p)), p(effect.map(|effect| effect.p_holm)), rank]
}

/// A difference over its interval.
fn difference(contrast: Option<&Contrast>) -> Cell {
    contrast.map_or_else(
        || Cell::number("–".into(), None),
        |contrast| with_range(signed_text(contrast.mean), contrast.interval, contrast.mean),
    )
}

/// A number over its interval.
fn with_range(text: String, range: Option<Interval>, value: f64) -> Cell {
    let html = if range.is_some() { over(text, &interval_text(range)) } else { text };
    Cell::number(html, Some(value))
}

/// One thing over another that is smaller, both HTML already.
fn over(above: String, below: &str) -> String {
    above + &format!("<br><span class=\"small\">{below}</span>")
}

/// What is left when modules are destroyed.
fn destroyed(page: &mut String, report: &LocateReport) {
    if report.destroyed.is_empty() {
        return;
    }
    const HEADERS: [Header; 5] = [
        Header("modules", Sort::Text, "What was destroyed"),
        Header("how", Sort::Text, "Set to 0, drawn anew, or left out"),
        Header("skill", Sort::Number, "Score of what is left, with its 95 % interval"),
        Header("conversation", Sort::Number, "The same of conversation"),
        Header("model", Sort::Text, "What was heard, as a recipe"),
    ];
    page.push_str("<section id=\"destroyed\">\n<h2>Destroyed</h2>\n");
    open(page, "What is left when modules are destroyed", &HEADERS);
    for broken in &report.destroyed {
        row(
            page,
            &[
                Cell::text(broken.unit.as_deref().unwrap_or("layers")),
                Cell::text(&broken.how.to_string()),
                mean(broken.skill.as_ref()),
                mean(broken.conversation.as_ref()),
                Cell::value(recipe(report, broken)),
            ],
        );
    }
    close(page);
    page.push_str("</section>\n");
}

/// A mean over its interval and n.
fn mean(mean: Option<&Mean>) -> Cell {
    mean.map_or_else(
        || Cell::number("–".into(), None),
        |mean| {
            let range = mean.interval.map_or_else(String::new, |range| format!("{}, ", interval_text(Some(range))));
            let below = format!("{range}n = {}", grouped(mean.n));
            Cell::number(over(significant(mean.mean), &below), Some(mean.mean))
        },
    )
}

/// The model that a row of destruction is about.
fn recipe<'a>(report: &'a LocateReport, broken: &Destroyed) -> &'a str {
    let is_it =
        |heard: &Heard| matches!(heard, Heard::Destroyed { how, unit } if *how == broken.how && *unit == broken.unit);
    report.plan.rows.iter().find(|row| is_it(&row.heard)).map_or("", |row| row.recipe.as_str())
}

/// Of what kind sampled answers were.
fn answers(page: &mut String, answers: &[RowAnswers]) {
    if answers.is_empty() {
        return;
    }
    const HEADERS: [Header; 5] = [
        Header("model", Sort::Text, "Which model answered"),
        Header("levels", Sort::Text, "Share of answers at each level, lowest first"),
        Header("answers", Sort::Number, "Answers"),
        Header("mean length", Sort::Number, "Tokens of an answer"),
        Header("longest", Sort::Number, "Tokens of the longest answer"),
    ];
    page.push_str("<section id=\"answers\">\n<h2>Answers</h2>\n");
    open(page, "Levels and lengths of sampled answers", &HEADERS);
    for of in answers {
        let levels = of.levels.iter().map(|level| format!("{} {}", level.level.name(), percentage(level.share.mean)));
        let lengths = of.lengths.as_ref();
        let count = lengths.map(|lengths| lengths.answers);
        let longest = lengths.map(|lengths| lengths.longest);
        let whole = |count: Option<u64>| {
            Cell::number(count.map_or_else(|| "–".into(), grouped), count.map(|count| count as f64))
        };
        let length = lengths.map(|lengths| lengths.mean);
        row(
            page,
            &[
                Cell::text(&of.key),
                Cell::text(&levels.collect::<Vec<_>>().join(" · ")),
                whole(count),
                Cell::number(significant_or_dash(length), length),
                whole(longest),
            ],
        );
    }
    close(page);
    page.push_str("</section>\n");
}

fn meanings(page: &mut String) {
    document::meanings(
        page,
        &[
            (
                "taken and kept",
                "A unit taken is A with these modules from B and nothing else; a unit kept is B with these modules from A and nothing \
                 else. What a unit carries alone shows when it is taken, what only it carries shows when it is kept.",
            ),
            (
                "controls",
                "Changes of the same modules of A, as large as B’s, that mean nothing: B’s change turned at random (which keeps its \
                 singular values), and B’s change shuffled, with several seeds. Any change of this size moves a score; only what goes \
                 beyond the controls is the content of the change.",
            ),
            (
                "gain, effect, lost",
                "Gain is the unit’s score less A’s. Effect is its score less the mean of its controls. Lost is B’s score less that of B \
                 without the unit. All are means over the same questions, paired by question.",
            ),
            (
                "95&nbsp;% interval, p, Holm’s p",
                "Intervals are for one unit. p is of a sign-flip test: how often differences of random signs have a mean as far from 0. \
                 With many units some p are small by chance; Holm’s correction accounts for that. A unit is said to carry the skill if \
                 both its gain and its effect are there after it, and no control reaches its score.",
            ),
            (
                "rank",
                "The place of the unit by effect, from the 2.5th to the 97.5th percentile over questions drawn anew (a bootstrap). A wide \
                 range says that the order could be another with other questions.",
            ),
            (
                "‖Δ‖ and the rank correlation",
                "‖Δ‖ is the norm of B − A over the unit’s parameters. Spearman’s correlation says whether the units that changed more \
                 have the larger effects; it is taken over parts that do not overlap.",
            ),
        ],
    );
}

fn reproduce(page: &mut String, report: &LocateReport) {
    let envelope = &report.envelope;
    let mut facts = vec![
        ("read", bytes(envelope.bytes_read)),
        ("took", duration(envelope.seconds)),
        ("fingerprint of the questions", format!("<code>{}</code>", html::text(&report.benchmark.fingerprint))),
    ];
    facts.extend(report.benchmark.seed.map(|seed| ("question seed", seed.to_string())));
    facts.extend(envelope.seed.map(|seed| ("seed", seed.to_string())));
    facts.extend(document::fingerprints(&report.a, &report.b));
    facts.push(document::data_fact(envelope, ""));
    document::reproduce(page, envelope, &facts);
}
