//! The page of several fine-tunes: how large their task vectors are, what every two share, and the cosines as heat maps.

use stethoscope_core::task_vectors::{CompareReport, ComparedNumbers};

use super::table::{Cell, Header, Sort, close, open, row};
use super::{PageError, document, figures, html};
use crate::compare::{finding, name, pair_name, signed, unpaired};
use crate::modules::label;
use crate::numbers::{bytes, duration, grouped, percent, plural};

/// Rows of tensors that a page lists.
const ROWS_AT_MOST: usize = 3000;

/// `report` as an HTML document.
///
/// # Errors
/// Those of drawing the figures, and of writing JSON; neither happens to a report that a comparison made.
pub fn compare(report: &CompareReport) -> Result<String, PageError> {
    let mut page = String::with_capacity(1 << 17);
    head(&mut page, report);
    modules(&mut page, report);
    figures::section(&mut page, &crate::figures::of_compare(report)?);
    tensors(&mut page, report);
    meanings(&mut page);
    reproduce(&mut page, report);
    let title = format!("{}: {} fine-tunes compared", html::text(&report.a.reference), report.fine_tunes.len());
    Ok(document::document(&title, &page, &serde_json::to_string(report)?))
}

fn head(page: &mut String, report: &CompareReport) {
    page.push_str("<header>\n<h1>What fine-tunes of one base have in common</h1>\n");
    let letters = std::iter::once("A".to_owned()).chain((0..report.fine_tunes.len()).map(name));
    let models: Vec<_> = letters.zip(std::iter::once(&report.a).chain(&report.fine_tunes)).collect();
    document::models(page, models.iter().map(|(letter, model)| (letter.as_str(), *model)));
    if report.select != "all" {
        page.push_str(&format!("<p>Only these were compared: <code>{}</code>.</p>\n", html::text(&report.select)));
    }
    if let Some(finding) = finding(report) {
        page.push_str(&format!("<p class=\"finding\">{}</p>\n", html::text(&finding)));
    }
    let references: Vec<&str> = models.iter().map(|(_, model)| model.reference.as_str()).collect();
    document::notes(page, &references, &report.envelope);
    for note in unpaired(report) {
        page.push_str(&format!("<p class=\"note\" role=\"note\">{}</p>\n", html::text(&note)));
    }
    let sections = [
        ("modules", "Modules", true),
        ("figures", "Figures", !report.modules.is_empty()),
        ("tensors", "Tensors", !report.tensors.is_empty()),
        ("meaning", "What the numbers mean", true),
        ("again", "How to get them again", true),
    ];
    document::navigation(page, &sections);
    page.push_str("</header>\n");
}

const PAIR: Header = Header("pair", Sort::Text, "Which two fine-tunes");
const NUMBERS: [Header; 8] = [
    Header("‖d‖ / ‖A‖", Sort::Number, "Relative size of the first of the two"),
    Header("‖d′‖ / ‖A‖", Sort::Number, "Relative size of the second"),
    Header("cosine", Sort::Number, "Between the two task vectors"),
    Header("shared", Sort::Number, "Elements that both changed, of those that either changed"),
    Header("by chance", Sort::Number, "The same if each had changed as many elements at random"),
    Header("conflict", Sort::Number, "Of the elements that both changed, those moved in opposite directions"),
    Header("weighted", Sort::Number, "The same, every element counted by |d·d′|"),
    Header("against", Sort::Number, "Share of all movement against the elected sign, over all fine-tunes"),
];

/// The cells of [`NUMBERS`] for one pair.
fn cells(report: &CompareReport, numbers: &ComparedNumbers, index: usize) -> Vec<Cell> {
    let share = |value: Option<f64>| Cell::number(percent(value).replace(" %", "&nbsp;%"), value);
    let [one, other] = report.pairs.get(index).copied().unwrap_or_default();
    let size =
        |fine_tune: usize| share(numbers.fine_tunes.get(fine_tune).and_then(|vector| vector.as_ref()?.l2_relative));
    let pair = numbers.pairs.get(index).and_then(Option::as_ref);
    let cosine = pair.and_then(|pair| pair.cosine);
    vec![
        size(one),
        size(other),
        Cell::number(signed(cosine), cosine),
        share(pair.and_then(|pair| pair.jaccard)),
        share(pair.and_then(|pair| pair.jaccard_by_chance)),
        share(pair.and_then(|pair| pair.conflict)),
        share(pair.and_then(|pair| pair.conflict_weighted)),
        share(numbers.against_elected_sign),
    ]
}

fn modules(page: &mut String, report: &CompareReport) {
    page.push_str("<section id=\"modules\">\n<h2>Modules</h2>\n");
    let names = [Header("module", Sort::Text, "What it does"), PAIR];
    let headers: Vec<Header> = names.into_iter().chain(NUMBERS).collect();
    open(page, "Modules over all layers, the largest relative change first", &headers);
    for module in &report.modules {
        for (index, pair) in report.pairs.iter().enumerate() {
            let names = [Cell::text(&label(&module.role, &module.part)), Cell::text(&pair_name(*pair))];
            row(page, &names.into_iter().chain(cells(report, &module.numbers, index)).collect::<Vec<_>>());
        }
    }
    close(page);
    page.push_str("</section>\n");
}

fn tensors(page: &mut String, report: &CompareReport) {
    if report.tensors.is_empty() {
        return;
    }
    let count = report.tensors.len() as u64;
    page.push_str(&format!(
        "<section id=\"tensors\">\n<h2>Tensors</h2>\n<details>\n<summary>{} tensor{}, as they lie in A</summary>\n",
        grouped(count),
        plural(count)
    ));
    let rows = report.tensors.len().saturating_mul(report.pairs.len());
    let hidden = rows.saturating_sub(ROWS_AT_MOST);
    if hidden > 0 {
        page.push_str(&format!(
            "<p>The first {} rows; {} more are in the data of this page, in --json and in --csv.</p>\n",
            grouped(ROWS_AT_MOST as u64),
            grouped(hidden as u64)
        ));
    }
    let names = [
        Header("tensor", Sort::Text, "Its name in A"),
        Header("layer", Sort::Number, "The block, counted from 0"),
        Header("module", Sort::Text, "What it does there"),
        Header("expert", Sort::Number, "Which expert of a mixture"),
        PAIR,
    ];
    open(page, "Tensors, in the order of A’s bytes", &names.into_iter().chain(NUMBERS).collect::<Vec<_>>());
    let rows = report.tensors.iter().flat_map(|tensor| (0..report.pairs.len()).map(move |index| (tensor, index)));
    for (tensor, index) in rows.take(ROWS_AT_MOST) {
        let pair = report.pairs.get(index).copied().unwrap_or_default();
        let names = [
            Cell::value(&tensor.name),
            Cell::count(tensor.site.layer),
            Cell::text(&label(&tensor.site.role, &tensor.site.part)),
            Cell::count(tensor.site.expert),
            Cell::text(&pair_name(pair)),
        ];
        row(page, &names.into_iter().chain(cells(report, &tensor.numbers, index)).collect::<Vec<_>>());
    }
    close(page);
    page.push_str("</details>\n</section>\n");
}

fn meanings(page: &mut String) {
    document::meanings(
        page,
        &[
            (
                "task vector",
                "d = F − A, what a fine-tune adds to the base (Ilharco et al., arXiv 2212.04089). An element that is infinite or not a \
                 number in A or in any fine-tune is left out of every number, so that all speak of the same elements.",
            ),
            (
                "cosine",
                "d·d′ / (‖d‖ ‖d′‖): 1 where both point the same way, 0 where they have nothing to do with each other, −1 where one undoes \
                 the other. Two random directions in n dimensions have a cosine of about ±1/√n.",
            ),
            (
                "shared, by chance",
                "Elements whose value both changed, of those that either changed (the Jaccard index); and what it would be on average if \
                 each had changed as many elements at random. Dense fine-tuning changes nearly everything, so both are often near 1. Which \
                 elements are among the largest few per cent is not measured: it would take a second pass.",
            ),
            (
                "conflict, weighted",
                "Of the elements that both changed, the share that they moved in opposite directions: ½ by chance. Weighted, every element \
                 counts by |d·d′|, so that small movements count little.",
            ),
            (
                "against",
                "Of all movement Σ|d| of all fine-tunes, the share that goes against the sign that most of the movement of its element has. \
                 TIES-Merging elects that sign and drops the rest (Yadav et al., arXiv 2306.01708).",
            ),
        ],
    );
}

fn reproduce(page: &mut String, report: &CompareReport) {
    let envelope = &report.envelope;
    let mut facts = vec![("read", bytes(envelope.bytes_read)), ("took", duration(envelope.seconds))];
    let code = |text: &str| format!("<code>{}</code>", html::text(text));
    facts.push(("fingerprint of A", code(&report.a.fingerprint)));
    let fine_tunes = report.fine_tunes.iter().map(|model| code(&model.fingerprint)).collect::<Vec<_>>();
    facts.push(("fingerprints of F1, F2, …", fine_tunes.join("<br>")));
    facts.push(document::data_fact(envelope, ""));
    document::reproduce(page, envelope, &facts);
}
