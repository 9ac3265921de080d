//! The figures in the page, each on a white card: they are made for print and do not turn dark.

use super::html;
use crate::figures::Figure;

/// The section of a comparison's figures.
pub(super) fn section(page: &mut String, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    page.push_str("<section id=\"figures\">\n<h2>Figures</h2>\n");
    write(page, figures, 1);
    page.push_str("</section>\n");
}

/// Some figures, numbered from `first`.
pub(super) fn write(page: &mut String, figures: &[Figure], first: usize) {
    for (index, figure) in figures.iter().enumerate() {
        let title = html::text(&figure.title);
        page.push_str(&format!(
            "<figure>\n<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figure {number}: {title}\">\n{svg}</div>\n\
             <figcaption><b>Figure {number}.</b> {title}. {description}</figcaption>\n</figure>\n",
            number = first + index,
            svg = figure.svg,
            description = html::text(&figure.description),
        ));
    }
}
