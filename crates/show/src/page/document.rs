//! What every page has: its head, the two sides, warnings, how to get the numbers again, and the report as data.

use stethoscope_core::report::{CheckpointSummary, Envelope};

use super::html::{self, shell_line};
use crate::modules::remark;
use crate::numbers::{parameters, plural};

/// How the page looks, in light, in the dark and on paper.
const STYLE: &str = include_str!("style.css");
/// What a reader with scripts gets besides.
const SCRIPTS: [&str; 2] = [include_str!("sorting.js"), include_str!("page.js")];

/// A whole document around `body`, with the report inside it as data. The title and the body are HTML already.
pub(super) fn document(title: &str, body: &str, json: &str) -> String {
    let head = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    let data = html::json(json);
    let scripts = SCRIPTS.concat();
    format!(
        "{head}{body}</main>\n<script type=\"application/json\" id=\"report\">{data}</script>\n<script>\n{scripts}</script>\n\
         </body>\n</html>\n"
    )
}

/// The two models.
pub(super) fn sides(page: &mut String, a: &CheckpointSummary, b: &CheckpointSummary) {
    models(page, [("A", a), ("B", b)].into_iter());
}

/// Some models under their letters.
pub(super) fn models<'m>(page: &mut String, models: impl Iterator<Item = (&'m str, &'m CheckpointSummary)>) {
    page.push_str("<dl class=\"sides\">\n");
    for (letter, side) in models {
        let layers = u64::from(side.layers);
        page.push_str(&format!(
            "<div><dt>{letter}</dt><dd><b>{}</b><br>{}, {layers} layer{}, {} parameters</dd></div>\n",
            html::text(&side.reference),
            html::text(&side.family),
            plural(layers),
            parameters(side.parameters)
        ));
    }
    page.push_str("</dl>\n");
}

/// What a person should know before anything else of a report on these models.
pub(super) fn notes(page: &mut String, references: &[&str], envelope: &Envelope) {
    if let Some(remark) = remark(references) {
        page.push_str(&format!("<p class=\"note\" role=\"note\">{}</p>\n", html::text(remark)));
    }
    for warning in &envelope.warnings {
        page.push_str(&format!("<p class=\"note\" role=\"note\"><b>Warning:</b> {}</p>\n", html::text(warning)));
    }
}

/// Links to the sections that exist: their ids and names.
pub(super) fn navigation(page: &mut String, sections: &[(&str, &str, bool)]) {
    page.push_str("<nav aria-label=\"Sections\"><ul>\n");
    for (id, name, _) in sections.iter().filter(|(_, _, exists)| *exists) {
        page.push_str(&format!("<li><a href=\"#{id}\">{name}</a></li>\n"));
    }
    page.push_str("</ul></nav>\n");
}

/// A list of facts: their names, and what they are as HTML.
pub(super) fn facts(page: &mut String, facts: &[(&str, String)]) {
    page.push_str("<dl class=\"facts\">\n");
    for (name, value) in facts {
        page.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    }
    page.push_str("</dl>\n");
}

/// Sentences on what the numbers mean: terms and what is said of them, both HTML already.
pub(super) fn meanings(page: &mut String, meanings: &[(&str, &str)]) {
    page.push_str("<section id=\"meaning\">\n<h2>What the numbers mean</h2>\n<dl class=\"meaning\">\n");
    for (term, meaning) in meanings {
        page.push_str(&format!("<dt>{term}</dt>\n<dd>{meaning}</dd>\n"));
    }
    page.push_str("</dl>\n</section>\n");
}

/// The fingerprints of both models, as facts.
pub(super) fn fingerprints(a: &CheckpointSummary, b: &CheckpointSummary) -> [(&'static str, String); 2] {
    let code = |side: &CheckpointSummary| format!("<code>{}</code>", html::text(&side.fingerprint));
    [("fingerprint of A", code(a)), ("fingerprint of B", code(b))]
}

/// The fact that the report is in the page, `without` what was left out of it.
pub(super) fn data_fact(envelope: &Envelope, without: &str) -> (&'static str, String) {
    ("data", format!("the report is inside this page as JSON, schema {}{without}", html::text(&envelope.schema)))
}

/// What was run, by which engine, and further facts.
pub(super) fn reproduce(page: &mut String, envelope: &Envelope, further: &[(&str, String)]) {
    page.push_str(&format!(
        "<section id=\"again\">\n<h2>How to get them again</h2>\n<pre class=\"scroll\" tabindex=\"0\"><code>{}</code></pre>\n",
        html::text(&shell_line(&envelope.command)),
    ));
    let threads = envelope.compute.threads as u64;
    let engine = format!("{} {}", html::text(&envelope.compute.backend), html::text(&envelope.compute.adapter));
    let mut all = vec![
        ("program", html::text(&envelope.tool)),
        ("engine", format!("{engine}, {threads} thread{}", plural(threads))),
    ];
    all.extend(further.iter().map(|(name, value)| (*name, value.clone())));
    facts(page, &all);
    page.push_str(
        "<p class=\"small\">The fingerprint of a model is the SHA-256 over all shard headers and the first and last 4 KiB of every tensor.</p>\n\
         </section>\n",
    );
}
