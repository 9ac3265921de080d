//! A table that can be sorted: headers, rows, and cells with the numbers behind them.

use super::html;

/// A header: what it says, how its column is sorted, and what it means.
pub(super) struct Header(pub &'static str, pub Sort, pub &'static str);

/// How a column is sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// By what its cells say.
    Text,
    /// By the numbers behind them.
    Number,
}

/// A cell: what it shows, and the number it is sorted by, if it is one.
pub(super) struct Cell {
    /// What it shows.
    pub html: String,
    value: Option<f64>,
    /// Of the style sheet: none, `number` or `value`.
    class: &'static str,
}

impl Cell {
    /// Words, which may be anybody's.
    pub(super) fn text(text: &str) -> Self {
        Self { html: html::text(text), value: None, class: "" }
    }

    /// Words that may be long, which are broken anywhere.
    pub(super) fn value(text: &str) -> Self {
        Self { class: "value", ..Self::text(text) }
    }

    /// A number; `text` is HTML already.
    pub(super) fn number(text: String, value: Option<f64>) -> Self {
        Self { html: text, value: value.filter(|value| value.is_finite()), class: "number" }
    }

    /// A count, or a dash.
    pub(super) fn count(count: Option<u32>) -> Self {
        Self::number(count.map_or_else(|| "–".to_owned(), |count| count.to_string()), count.map(f64::from))
    }
}

/// Starts a table that can be sorted. The caption and the headers are HTML already.
pub(super) fn open(page: &mut String, caption: &str, headers: &[Header]) {
    page.push_str(&format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
         <table class=\"sortable\">\n<caption>{caption}</caption>\n<thead>\n<tr>"
    ));
    for Header(name, sort, meaning) in headers {
        let class = if *sort == Sort::Number { " class=\"number\"" } else { "" };
        page.push_str(&format!("<th scope=\"col\"{class} title=\"{meaning}\">{name}</th>"));
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
}

/// A row; its first cell is its header.
pub(super) fn row(page: &mut String, cells: &[Cell]) {
    page.push_str("<tr>");
    for (index, cell) in cells.iter().enumerate() {
        let class = if cell.class.is_empty() { String::new() } else { format!(" class=\"{}\"", cell.class) };
        let value = cell.value.map_or_else(String::new, |value| format!(" data-value=\"{value:?}\""));
        let (start, end) = if index == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
        page.push_str(&format!("<{start}{class}{value}>{}</{end}>", cell.html));
    }
    page.push_str("</tr>\n");
}

/// Ends a table.
pub(super) fn close(page: &mut String) {
    page.push_str("</tbody>\n</table>\n</div>\n");
}
