//! What a model is trained on: an example's tokens, and which of them it learns.

use super::text::printable_lines;

/// Foregrounds of tokens that are learnt, and of those that are only read. Two each, by turns, so that it can be seen where one ends;
/// of the sixteen colours that every terminal lets its user choose.
const LEARNT: [&str; 2] = ["1;32", "1;36"];
const READ: [&str; 2] = ["2", "90"];

/// An example's tokens as text, each with whether it is learnt. In colour, learnt tokens are green and cyan by turns, and the others
/// faint; without, `[[` and `]]` stand around what is learnt.
pub fn tokens(tokens: &[(String, bool)], color: bool) -> String {
    let shown = tokens.iter().map(|(text, is_learnt)| (printable_lines(text), *is_learnt));
    // What is in the middle of a character shows nothing, and so takes no turn.
    let shown: Vec<(String, bool)> = shown.filter(|(text, _)| !text.is_empty()).collect();
    if color { colored(&shown) } else { bracketed(&shown) }
}

fn colored(tokens: &[(String, bool)]) -> String {
    let colored = |(turn, (text, is_learnt)): (usize, &(String, bool))| {
        let codes = if *is_learnt { LEARNT } else { READ };
        let code = codes[turn % codes.len()];
        // A pager shows every line by itself.
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| if line.is_empty() { String::new() } else { format!("\x1b[{code}m{line}\x1b[0m") })
            .collect();
        lines.join("\n")
    };
    tokens.iter().enumerate().map(colored).collect()
}

fn bracketed(tokens: &[(String, bool)]) -> String {
    let runs = tokens.chunk_by(|(_, before), (_, behind)| before == behind);
    let run = |run: &[(String, bool)]| {
        let text: String = run.iter().map(|(text, _)| text.as_str()).collect();
        if run.iter().any(|(_, is_learnt)| *is_learnt) { format!("[[{text}]]") } else { text }
    };
    runs.map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<(String, bool)> {
        let read = ["<|im_start|>", "user", "\n", "Say", " it", "\u{1b}[2J", "<|im_end|>", "\n"];
        let learnt = ["It", "", " 🦊", ".\n\n", "So", "<|im_end|>"];
        let all = |texts: &[&str], is_learnt| -> Vec<_> {
            texts.iter().map(|text| ((*text).to_owned(), is_learnt)).collect()
        };
        [all(&read, false), all(&learnt, true), all(&["\n"], false)].concat()
    }

    #[test]
    fn what_is_learnt_stands_in_brackets() {
        insta::assert_snapshot!(tokens(&example(), false));
    }

    #[test]
    fn what_is_learnt_is_coloured() {
        insta::assert_snapshot!(tokens(&example(), true).replace('\x1b', "␛"));
    }

    #[test]
    fn nothing_is_shown_of_nothing() {
        assert_eq!(tokens(&[], true), "");
        assert_eq!(tokens(&[], false), "");
    }
}
