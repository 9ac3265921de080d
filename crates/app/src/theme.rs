//! The look: one quiet grey, one accent, and colours for numbers that the colour-blind can tell apart.

use egui::{
    Color32, Context, CornerRadius, FontDefinitions, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Ui, Vec2,
    Visuals,
};
use stethoscope_show::colors;

/// Everything drawn here comes in one of these two.
const fn rgb([red, green, blue]: [u8; 3]) -> Color32 {
    Color32::from_rgb(red, green, blue)
}

/// Sets the look of a window.
pub fn install(context: &Context) {
    context.set_fonts(fonts());
    for theme in [Theme::Dark, Theme::Light] {
        context.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            style.text_styles = [
                (TextStyle::Small, FontId::proportional(11.0)),
                (TextStyle::Body, FontId::proportional(13.0)),
                (TextStyle::Button, FontId::proportional(13.0)),
                (TextStyle::Heading, FontId::proportional(17.0)),
                (TextStyle::Monospace, FontId::monospace(12.0)),
            ]
            .into();
            style.spacing.item_spacing = Vec2::new(8.0, 5.0);
            style.spacing.button_padding = Vec2::new(8.0, 3.0);
            style.spacing.interact_size = Vec2::new(28.0, 22.0);
            style.spacing.menu_margin = Margin::same(6);
            style.spacing.tooltip_width = 420.0;
            style.spacing.scroll.bar_width = 7.0;
            style.animation_time = 0.08;
        });
    }
}

/// egui's fonts; what the first lacks, such as ‖, comes from the monospaced one.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let monospace = fonts.families.get(&FontFamily::Monospace).cloned().unwrap_or_default();
    let proportional = fonts.families.entry(FontFamily::Proportional).or_default();
    proportional.extend(monospace.into_iter().filter(|font| font.starts_with("Hack")));
    fonts
}

fn visuals(theme: Theme) -> Visuals {
    let is_dark = theme == Theme::Dark;
    let mut visuals = if is_dark { Visuals::dark() } else { Visuals::light() };
    let shade = |dark: u8, light: u8| Color32::from_gray(if is_dark { dark } else { light });
    visuals.panel_fill = shade(24, 250);
    visuals.window_fill = shade(30, 255);
    visuals.extreme_bg_color = shade(16, 255);
    visuals.text_edit_bg_color = Some(shade(16, 255));
    visuals.faint_bg_color = shade(28, 246);
    visuals.window_stroke = Stroke::new(1.0, shade(56, 206));
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, shade(44, 222));
    visuals.widgets.noninteractive.fg_stroke.color = shade(208, 40);
    visuals.widgets.inactive.fg_stroke.color = shade(218, 30);
    visuals.widgets.inactive.weak_bg_fill = shade(42, 236);
    visuals.widgets.inactive.bg_fill = shade(42, 228);
    visuals.widgets.hovered.weak_bg_fill = shade(54, 226);
    visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, shade(92, 170));
    visuals.weak_text_color = Some(shade(150, 98));
    visuals.selection.bg_fill = if is_dark { Color32::from_rgb(24, 74, 114) } else { Color32::from_rgb(200, 226, 246) };
    visuals.selection.stroke =
        Stroke::new(1.0, if is_dark { Color32::from_rgb(214, 236, 252) } else { Color32::from_rgb(0, 62, 104) });
    visuals.hyperlink_color = accent(is_dark);
    visuals.warn_fg_color = if is_dark { Color32::from_rgb(240, 186, 76) } else { Color32::from_rgb(140, 84, 0) };
    visuals.error_fg_color = if is_dark { Color32::from_rgb(250, 124, 104) } else { Color32::from_rgb(176, 34, 20) };
    let corner = CornerRadius::same(4);
    for widget in [
        &mut visuals.widgets.noninteractive,
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = corner;
    }
    visuals.menu_corner_radius = corner;
    visuals.window_corner_radius = CornerRadius::same(6);
    visuals
}

/// The one colour that says: this is what to press, this is chosen.
pub const fn accent(is_dark: bool) -> Color32 {
    if is_dark { Color32::from_rgb(86, 180, 233) } else { Color32::from_rgb(0, 98, 160) }
}

/// What is selected on a grid: the accent, quieter, because there is much of it.
pub const fn painted(is_dark: bool) -> Color32 {
    if is_dark { Color32::from_rgb(52, 118, 164) } else { Color32::from_rgb(58, 134, 186) }
}

/// Lines of a grid.
pub fn grid(ui: &Ui) -> Color32 {
    Color32::from_gray(if ui.visuals().dark_mode { 42 } else { 228 })
}

/// The colour of a module's style.
pub fn category(ui: &Ui, style: usize) -> Color32 {
    let [red, green, blue] = colors::category(style);
    if !ui.visuals().dark_mode {
        return Color32::from_rgb(red, green, blue);
    }
    // Lighter on the dark: half-way to white for what is dark, a little for what is bright.
    let luminance = (u32::from(red) * 2 + u32::from(green) * 5 + u32::from(blue)) / 8;
    let toward_white = if luminance < 40 {
        200
    } else if luminance < 110 {
        90
    } else {
        40
    };
    let lighter = |channel: u8| {
        let channel = u32::from(channel);
        u8::try_from(channel + (255 - channel) * toward_white / 255).unwrap_or(u8::MAX)
    };
    Color32::from_rgb(lighter(red), lighter(green), lighter(blue))
}

/// The colour of an amount from 0 to 1: nothing is near the background, much is far from it.
pub fn amount(is_dark: bool, fraction: f64) -> Color32 {
    rgb(colors::amount(if is_dark { 1.0 - fraction } else { fraction }))
}

/// Black or white, whichever is read more easily on a colour.
pub fn ink_on(color: Color32) -> Color32 {
    let luminance = (u32::from(color.r()) * 2 + u32::from(color.g()) * 5 + u32::from(color.b())) / 8;
    if luminance > 120 { Color32::BLACK } else { Color32::WHITE }
}
