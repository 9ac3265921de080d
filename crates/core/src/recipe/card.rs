//! The model card of a result.

use super::{MergeReport, What};
use crate::quoted::Quoted;

/// The text of `README.md`: what the model is, what it was made from and how, for people and for the Hub.
pub fn model_card(report: &MergeReport, command: &[String]) -> String {
    let mut card =
        String::from("---\nlibrary_name: transformers\ntags:\n- merge\n- stethoscope\n---\n\n# Made by a recipe\n\n");
    card.push_str("This model was made of the weights of others; nothing was trained.\n\n## Recipe\n\n");
    card.push_str(&fenced(&report.recipe));
    card.push_str(
        "\n## Made of\n\n| checkpoint | family | layers | parameters | fingerprint |\n|---|---|---|---|---|\n",
    );
    for source in &report.sources {
        card.push_str(&format!(
            "| {} | {} | {} | {} | `{}` |\n",
            cell(&source.reference),
            cell(&source.family),
            source.layers,
            source.parameters,
            source.fingerprint
        ));
    }
    card.push_str(
        "\nA fingerprint is the SHA-256 of all headers and of both ends of every tensor.\n\n## What was done\n\n",
    );
    for (what, word) in [
        (What::Kept, "kept"),
        (What::Taken, "taken"),
        (What::Aligned, "taken and aligned"),
        (What::Refolded, "kept, with another norm folded in"),
        (What::Controlled, "changed as a control"),
        (What::Zeroed, "set to 0"),
        (What::Reinitialised, "drawn anew"),
        (What::Merged, "merged"),
    ] {
        let of_kind = report.tensors.iter().flat_map(|tensor| &tensor.parts).filter(|part| part.what == what);
        let elements = of_kind.fold(0_u64, |sum, part| sum.saturating_add(part.elements));
        if elements > 0 {
            card.push_str(&format!("- {elements} parameters {word}\n"));
        }
    }
    if let Some(seed) = report.envelope.seed {
        card.push_str(&format!("- random numbers from seed {seed}\n"));
    }
    for finding in &report.findings {
        card.push_str(&format!("- {}\n", cell(finding)));
    }
    for unmatched in &report.unmatched {
        card.push_str(&format!("- {}: {}\n", cell(&Quoted(&unmatched.tensor).to_string()), cell(&unmatched.why)));
    }
    card.push_str("\n## Command\n\n");
    card.push_str(&fenced(&shell(command)));
    card.push_str(&format!("\nMade with {}.\n", report.envelope.tool));
    card
}

/// Text in a fence longer than any row of backquotes in it.
pub fn fenced(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}\n", text.trim_end())
}

/// Text in a line of a list or a cell of a table.
pub fn cell(text: &str) -> String {
    let plain: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    plain.replace('|', "\\|").replace('<', "&lt;")
}

/// Words as a shell takes them.
pub fn shell(words: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    let word = |word: &String| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}
