//! The words around a comparison's tables and figures.

use stethoscope_core::report::{DeltaReport, RelativeDefinition};

use super::{document, has_histograms, html};
use crate::modules::{bytes_per_second, formula_text, setting_value, unpaired_groups};
use crate::numbers::{bytes, duration, grouped, plural};

/// Names of unpaired tensors that are listed for each reason.
const UNPAIRED_AT_MOST: usize = 500;

/// The title, the two sides, the main finding, warnings, and where to find the rest.
pub(super) fn head(page: &mut String, report: &DeltaReport, is_document: bool) {
    let title = if is_document { "h1" } else { "h2" };
    page.push_str(&format!("<header>\n<{title}>How B differs from A</{title}>\n"));
    document::sides(page, &report.a, &report.b);
    if report.select != "all" {
        page.push_str(&format!("<p>Only these were measured: <code>{}</code>.</p>\n", html::text(&report.select)));
    }
    page.push_str(&format!("<p class=\"finding\">{}</p>\n", finding(report)));
    document::notes(page, &[&report.a.reference, &report.b.reference], &report.envelope);
    let sections = [
        ("modules", "Modules", true),
        ("figures", "Figures", !report.modules.is_empty()),
        ("tensors", "Tensors", !report.tensors.is_empty()),
        ("unpaired", "Not compared", !report.unpaired.is_empty()),
        ("settings", "Settings", !report.settings.is_empty()),
        ("meaning", "What the numbers mean", true),
        ("again", "How to get them again", true),
    ];
    document::navigation(page, &sections);
    page.push_str("</header>\n");
}

/// Which module changed most, in a sentence.
fn finding(report: &DeltaReport) -> String {
    let pieces = crate::finding::finding(report, ["A", "B"]).into_iter().map(|piece| match piece.is_name {
        true => format!("<b>{}</b>", html::text(&piece.text)),
        false => html::text(&piece.text),
    });
    // A percentage is not torn from its sign.
    pieces.collect::<String>().replace(" %", "&nbsp;%")
}

/// What could not be compared, by reason.
pub(super) fn unpaired(page: &mut String, report: &DeltaReport) {
    if report.unpaired.is_empty() {
        return;
    }
    page.push_str("<section id=\"unpaired\">\n<h2>Not compared</h2>\n");
    for group in unpaired_groups(&report.unpaired) {
        let count = group.tensors.len() as u64;
        let open = if count <= 12 { " open" } else { "" };
        page.push_str(&format!(
            "<details{open}>\n<summary>{} tensor{} {}</summary>\n<ul class=\"names\">\n",
            grouped(count),
            plural(count),
            group.what
        ));
        for tensor in group.tensors.iter().take(UNPAIRED_AT_MOST) {
            let detail =
                if tensor.detail.is_empty() { String::new() } else { format!(" ({})", html::text(&tensor.detail)) };
            page.push_str(&format!("<li><code>{}</code>{detail}</li>\n", html::text(&tensor.name)));
        }
        let hidden = group.tensors.len().saturating_sub(UNPAIRED_AT_MOST);
        if hidden > 0 {
            page.push_str(&format!("<li>and {} more, in the data of this page</li>\n", grouped(hidden as u64)));
        }
        page.push_str("</ul>\n</details>\n");
    }
    page.push_str("</section>\n");
}

/// Where configuration, tokenizer and generation settings differ.
pub(super) fn settings(page: &mut String, report: &DeltaReport) {
    if report.settings.is_empty() {
        return;
    }
    page.push_str(
        "<section id=\"settings\">\n<h2>Settings that differ</h2>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Settings that differ\">\n<table>\n\
         <thead><tr><th scope=\"col\">file</th><th scope=\"col\">setting</th><th scope=\"col\">A</th><th scope=\"col\">B</th></tr></thead>\n<tbody>\n",
    );
    for setting in &report.settings {
        let key = if setting.key.is_empty() {
            "the file as a whole".to_owned()
        } else {
            format!("<code>{}</code>", html::text(&setting.key))
        };
        let values = match (&setting.a, &setting.b) {
            (None, None) => "<td colspan=\"2\">not the same bytes</td>".to_owned(),
            (a, b) => [a, b]
                .map(|value| format!("<td class=\"value\">{}</td>", html::text(&setting_value(value.as_ref()))))
                .concat(),
        };
        page.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td>{key}</td>{values}</tr>\n",
            html::text(&setting.file)
        ));
    }
    page.push_str("</tbody>\n</table>\n</div>\n</section>\n");
}

/// What the numbers mean, in sentences.
pub(super) fn definitions(page: &mut String, report: &DeltaReport) {
    let formula = formula_text(report.relative_definition);
    let origin = match report.relative_definition {
        RelativeDefinition::Script => "the one that made the published figures",
        RelativeDefinition::Formula => "the formula of the paper",
    };
    page.push_str(&format!(
        "<section id=\"meaning\">\n<h2>What the numbers mean</h2>\n<dl class=\"meaning\">\n\
         <dt>‖ΔW‖ and ‖ΔW‖ / ‖W‖</dt>\n<dd>A module’s parameters in A are a long list of numbers, and so they are in B. ‖ΔW‖ is the \
         length of the difference (the root of the sum of squares), and ‖ΔW‖ / ‖W‖ is that length divided by the length of A’s list. \
         Weights and biases are never added up. Elements that are infinite or not a number on either side are counted and left out.</dd>\n\
         <dt>RMS Δ</dt>\n<dd>The root of the mean square of the change, per element. Unlike ‖ΔW‖ it does not grow with the size of the \
         matrix.</dd>\n\
         <dt>rounding</dt>\n<dd>How much would change if nothing were learned and the same values were stored in these two formats. \
         It is 0 where both sides are stored alike. A change of no more than 1.5 times this is marked “≈ rounding” and should not be \
         read as learning.</dd>\n\
         <dt>1 − cosine</dt>\n<dd>How far the list of numbers turned, whatever its length did: 0 is the same direction, 1 a right angle.</dd>\n\
         <dt>relative change of single weights</dt>\n<dd>{formula} for every element a of A and b of B, {origin}. Elements that did not \
         change are left out of the distributions: they would all stand in one bin.</dd>\n\
         <dt>bimodal</dt>\n<dd>Whether the smoothed distribution of relative changes has two modes with a valley between them. It is judged \
         layer by layer, never on a pooled histogram, and against a null: the same weights, scaled by the slope that fits the change \
         best, with Gaussian noise as large as what that leaves, rounded to B’s format. A layer counts as bimodal only if its valley is \
         deeper than the null’s. There is no p-value, since with millions of elements it would always be 0.</dd>\n\
         </dl>\n</section>\n"
    ));
}

/// What was run, on what, by which engine.
pub(super) fn reproduce(page: &mut String, report: &DeltaReport, is_document: bool) {
    let speed = bytes_per_second(report).map_or_else(String::new, |rate| format!(", {} per second", bytes(rate)));
    let envelope = &report.envelope;
    let mut facts = vec![
        ("read", format!("{} in {}{speed}", bytes(envelope.bytes_read), duration(envelope.seconds))),
        ("selection", format!("<code>{}</code>", html::text(&report.select))),
        ("relative change", formula_text(report.relative_definition).to_owned()),
    ];
    facts.extend(envelope.seed.map(|seed| ("seed", seed.to_string())));
    facts.extend(document::fingerprints(&report.a, &report.b));
    if is_document {
        let without = if has_histograms(report) { "" } else { ", without the histograms (they are in --json)" };
        facts.push(document::data_fact(envelope, without));
    }
    document::reproduce(page, envelope, &facts);
}
