//! One prompt, and what A, B and the recipe's model say to it, as they say it; the colour behind a word is how much it surprises A.

use egui::text::{LayoutJob, TextFormat};
use egui::{
    Align, Button, Checkbox, Color32, DragValue, FontId, Label, Layout, ProgressBar, Rect, RichText, ScrollArea, Sense,
    TextEdit, TextStyle, Ui, WidgetInfo, pos2, vec2,
};
use stethoscope_core::built_in::is_planted;
use stethoscope_core::generation::FinishReason;
use stethoscope_show::{numbers, text};

use super::hint;
use crate::listening::{Column, MOST_TOKENS, Speaker, Token};
use crate::state::State;

/// Bits from which on a word's colour is the strongest: one in a thousand.
const MOST_BITS: f32 = 10.0;

/// Columns narrower than this, in points, lie below each other.
const NARROWEST: f32 = 190.0;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    if !state.platform.can_listen() {
        return hint(ui, "Models do not run here; in the desktop program and on its command line they do.");
    }
    let speakers = state.speakers();
    if speakers.is_empty() {
        return hint(ui, "Open a checkpoint to hear what it says.");
    }
    prompt_ui(state, ui, &speakers);
    if let Some(error) = &state.listening.error {
        let shown = text::printable(error).replace('\u{FFFD}', " ");
        ui.add(Label::new(RichText::new(shown).color(ui.visuals().error_fg_color)).wrap());
    }
    if speakers.iter().any(|(_, reference)| is_planted(reference)) {
        ui.weak("The planted pair's weights were drawn, not trained: what it says means nothing.");
    }
    ui.separator();
    if state.listening.columns().is_empty() {
        let names: Vec<&str> = speakers.iter().map(|(letter, _)| *letter).collect();
        return hint(ui, format!("Press Ask to hear what {} will say.", names.join(", ")));
    }
    columns_ui(state, ui);
}

/// The prompt, how it is asked, and the button.
fn prompt_ui(state: &mut State, ui: &mut Ui, speakers: &[Speaker]) {
    let field = TextEdit::multiline(&mut state.listening.prompt)
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .hint_text("What to say to the models");
    let response = ui.add(field);
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, "Prompt"));
    ui.horizontal_wrapped(|ui| {
        if state.listening.is_running() {
            if ui.button("Stop").clicked() {
                state.listening.stop();
            }
        } else {
            let button = ui.add_enabled(!state.listening.prompt.is_empty(), Button::new(RichText::new("Ask").strong()));
            if button.on_hover_text("Each model answers in turn").on_disabled_hover_text("Write a prompt first").clicked()
            {
                state.listen();
            }
        }
        let mut is_chat = state.listening.is_chat(speakers);
        let about = "Put the prompt into the model's own chat template, as a person's message. Without it, the model continues the \
                     text as it stands";
        if ui.add(Checkbox::new(&mut is_chat, "as a message")).on_hover_text(about).changed() {
            state.listening.is_chat = Some(is_chat);
        }
        let sampling = &mut state.listening.sampling;
        labelled(ui, "tokens", "The most that each model says", |ui| {
            ui.add(DragValue::new(&mut sampling.max_tokens).range(1..=MOST_TOKENS))
        });
        labelled(ui, "temperature", "0 takes the likeliest token each time; above it tokens are drawn", |ui| {
            ui.add(DragValue::new(&mut sampling.temperature).range(0.0..=2.0).speed(0.02))
        });
        if sampling.temperature > 0.0 {
            labelled(ui, "seed", "Of all draws: the same seed gives the same words", |ui| {
                ui.add(DragValue::new(&mut sampling.seed))
            });
        }
        legend_ui(ui);
    });
}

fn labelled(ui: &mut Ui, label: &str, about: &str, add: impl FnOnce(&mut Ui) -> egui::Response) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let id = ui.weak(label).id;
        add(ui).labelled_by(id).on_hover_text(about);
    });
}

/// What the colours mean.
fn legend_ui(ui: &mut Ui) {
    let about = "How unlikely A holds a word to be after those before it: 1 bit is one in two, 10 bits are one in a thousand. Of A's \
                 own words it is A's own surprise";
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.weak("surprise to A: 0").on_hover_text(about);
        let (area, response) = ui.allocate_exact_size(vec2(70.0, 10.0), Sense::hover());
        let steps = 35_u8;
        for step in 0..steps {
            let (left, width) = (f32::from(step) / f32::from(steps), 1.0 / f32::from(steps));
            let at = |share: f32| area.width().mul_add(share, area.left());
            let part = Rect::from_min_max(pos2(at(left), area.top()), pos2(at(left + width) + 0.5, area.bottom()));
            ui.painter().rect_filled(part, 0.0, color(ui, left * MOST_BITS));
        }
        response.on_hover_text(about);
        ui.weak(format!("{MOST_BITS} bits and more")).on_hover_text(about);
    });
}

/// The colour behind a word that surprises A by so many bits.
fn color(ui: &Ui, bits: f32) -> Color32 {
    let strength = (bits / MOST_BITS).clamp(0.0, 1.0);
    let [red, green, blue] = if ui.visuals().dark_mode { [214, 94, 0] } else { [240, 148, 40] };
    Color32::from_rgb(red, green, blue).gamma_multiply(strength * 0.85)
}

fn columns_ui(state: &State, ui: &mut Ui) {
    let columns = state.listening.columns();
    let speaking = state.listening.speaking();
    let column_ui = |ui: &mut Ui, (number, column): (usize, &Column)| {
        // A column stretches what is in it, which is not for text.
        ui.with_layout(Layout::top_down(Align::LEFT), |ui| {
            heading_ui(ui, column);
            if speaking == Some(number) && column.tokens.is_empty() {
                waiting_ui(state, ui);
            }
            said_ui(ui, column);
            if column.answer.is_some() && column.heard().is_none() && state.listening.is_hearing() {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.weak("asking A what it makes of it…");
                });
            }
            facts_ui(ui, column);
        });
    };
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        if ui.available_width() < NARROWEST * columns.len() as f32 {
            for numbered in columns.iter().enumerate() {
                column_ui(ui, numbered);
                ui.separator();
            }
        } else {
            ui.columns(columns.len(), |uis| {
                for (ui, numbered) in uis.iter_mut().zip(columns.iter().enumerate()) {
                    column_ui(ui, numbered);
                }
            });
        }
    });
}

fn heading_ui(ui: &mut Ui, column: &Column) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(column.letter).strong());
        let name = text::printable(&column.reference);
        ui.add(Label::new(RichText::new(&name).weak()).truncate()).on_hover_text(name);
    });
}

fn waiting_ui(state: &State, ui: &mut Ui) {
    match state.listening.loading() {
        Some(part) if part < 1.0 => {
            ui.add(ProgressBar::new(part).text(RichText::new("reading the weights").small()));
        }
        _ => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.weak("thinking…");
            });
        }
    }
}

/// The words, each on its colour.
fn said_ui(ui: &mut Ui, column: &Column) {
    if column.tokens.is_empty() {
        return;
    }
    let ink = ui.visuals().text_color();
    let font_id = TextStyle::Body.resolve(ui.style());
    let mut job = LayoutJob::default();
    job.wrap.max_width = ui.available_width();
    // Where each token begins in the text that is shown.
    let mut starts = Vec::with_capacity(column.tokens.len());
    let mut characters = 0;
    for token in &column.tokens {
        let shown = shown(ui, &font_id, token);
        starts.push(characters);
        characters += shown.chars().count();
        let background = token.to_a.map_or(Color32::TRANSPARENT, |bits| color(ui, bits));
        let font_id = font_id.clone();
        job.append(&shown, 0.0, TextFormat { font_id, color: ink, background, ..TextFormat::default() });
    }
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
    let (area, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    let said = column.text();
    response.widget_info(|| {
        WidgetInfo::labeled(egui::accesskit::Role::Label, true, format!("{} says: {said}", column.letter))
    });
    ui.painter().galley(area.min, galley.clone(), ink);
    let Some(at) = response.hover_pos() else { return };
    let index = usize::from(galley.cursor_from_pos(at - area.min).index);
    let number = starts.partition_point(|start| *start <= index).saturating_sub(1);
    if let Some(token) = column.tokens.get(number) {
        response.on_hover_text_at_pointer(about(token, column.letter));
    }
}

/// A token as it stands in the text: lines stay lines, what no font here can show is a box, and what has no text of its own a dot.
fn shown(ui: &Ui, font_id: &FontId, token: &Token) -> String {
    if token.text.is_empty() {
        return "·".to_owned();
    }
    let has = |character| ui.fonts_mut(|fonts| fonts.has_glyph(font_id, character));
    let shown = |character| if character == '\n' || has(character) { character } else { '□' };
    text::printable_lines(&token.text).chars().map(shown).collect()
}

fn about(token: &Token, letter: &str) -> String {
    let Some(id) = token.id else { return "The end of the text, which was held back".to_owned() };
    let bits = |bits: Option<f32>| {
        bits.map_or_else(|| "not known".to_owned(), |bits| format!("{bits:.2} bits (p = {:.3})", (-bits).exp2()))
    };
    let mut lines = vec![format!("token {id}: {:?}", token.text), format!("surprise to {letter}: {}", bits(token.own))];
    if letter != "A" {
        lines.push(format!("surprise to A: {}", bits(token.to_a)));
    }
    lines.join("\n")
}

/// Level, length and time of an answer that has ended.
fn facts_ui(ui: &mut Ui, column: &Column) {
    let Some(answer) = &column.answer else { return };
    ui.add_space(4.0);
    if let Some(heard) = column.heard() {
        if let Some(level) = &heard.level {
            let level = ui.label(RichText::new(format!("Level {level}")).strong());
            level.on_hover_text(
                "I: nonsense · II: sentences out of context · III: fits, without reasoning to an answer · IV: reasons to an answer",
            );
        }
        ui.add(Label::new(RichText::new(text::printable(&heard.reasons.join("; "))).weak().small()).wrap());
        if let Some(bits) = heard.mean_surprise() {
            ui.label(RichText::new(format!("{bits:.2} bits a token to A")).small());
        }
    }
    let tokens = answer.logprobs.len();
    let mut facts = vec![format!("{tokens} token{}, {}", numbers::plural(tokens as u64), ending(&answer.finish))];
    if let Some(times) = column.times.as_ref().filter(|times| times.seconds > 0.0) {
        facts.push(format!("{:.1} s, {:.0} tokens a second", times.seconds, times.tokens as f64 / times.seconds));
        if times.loading_seconds >= 0.05 {
            facts.push(format!("read in {:.1} s", times.loading_seconds));
        }
    }
    ui.add(Label::new(RichText::new(facts.join(" · ")).weak().small()).wrap());
}

fn ending(finish: &FinishReason) -> &'static str {
    match finish {
        FinishReason::End(_) => "ended by itself",
        FinishReason::Stop(_) => "stopped at a text",
        FinishReason::Length => "cut at the most tokens",
        FinishReason::Positions => "cut where its positions end",
        FinishReason::NotANumber => "broke off: its logits are not numbers",
    }
}
