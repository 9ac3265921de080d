//! The part of an axis that is in sight: scrolling zooms, dragging moves, a double click shows all again.

use egui::{Id, Rect, Response, Ui};

/// How much a point of scrolling zooms.
const ZOOM_A_POINT: f64 = 0.004;

/// From a low end to a high one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The low end.
    pub low: f64,
    /// The high end, above it.
    pub high: f64,
}

impl Span {
    /// From `low` to `high`.
    pub const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    /// How long it is.
    pub fn width(self) -> f64 {
        self.high - self.low
    }

    /// Where a value is: 0 at the low end, 1 at the high one.
    pub fn fraction(self, value: f64) -> f64 {
        (value - self.low) / self.width()
    }

    /// The value at a fraction.
    pub fn at(self, fraction: f64) -> f64 {
        self.low + fraction * self.width()
    }

    /// Whether a value is in it, its ends included.
    pub fn within_reach(self, value: f64) -> bool {
        (self.low - 1e-9..=self.high + 1e-9).contains(&value)
    }

    /// The same around a value that stays where it is, `factor` times as long, but no shorter than `least`.
    #[must_use]
    pub fn zoomed(self, factor: f64, around: f64, least: f64, limits: Self) -> Self {
        let width = (self.width() * factor).clamp(least.min(limits.width()), limits.width());
        let low = around - self.fraction(around) * width;
        Self::new(low, low + width).within(limits)
    }

    /// The same, further along by so much.
    #[must_use]
    pub fn moved(self, by: f64, limits: Self) -> Self {
        Self::new(self.low + by, self.high + by).within(limits)
    }

    /// The same moved, and cut if it must be, to lie within limits; these, where it is none at all.
    #[must_use]
    pub fn within(self, limits: Self) -> Self {
        let width = self.width().min(limits.width());
        let low = self.low.clamp(limits.low, (limits.high - width).max(limits.low));
        let is_span = low.is_finite() && width > 0.0;
        if is_span { Self::new(low, low + width) } else { limits }
    }
}

/// The span in sight, which is `first` until the person scrolls or drags over the area that shows it. Only what they chose is
/// kept, under `id`: where there is nothing of theirs, more values that come are in sight at once.
pub fn navigated(ui: &Ui, response: &Response, id: Id, area: Rect, first: Span, least: f64, limits: Span) -> Span {
    let before: Option<Span> = ui.data(|data| data.get_temp(id));
    let span = navigate(ui, response, area, before.unwrap_or(first), least, limits);
    let chosen = span.filter(|span| *span != first);
    ui.data_mut(|data| match chosen {
        Some(span) => drop(data.insert_temp(id, span)),
        None => data.remove::<Span>(id),
    });
    chosen.unwrap_or(first)
}

/// What a person makes of a span by scrolling and dragging over the area that shows it; none for all again.
fn navigate(ui: &Ui, response: &Response, area: Rect, span: Span, least: f64, limits: Span) -> Option<Span> {
    if response.double_clicked() {
        return None;
    }
    let mut span = span.within(limits);
    let width = f64::from(area.width().max(1.0));
    if response.dragged() {
        span = span.moved(-f64::from(response.drag_delta().x) / width * span.width(), limits);
    }
    if let Some(mouse) = response.hover_pos().filter(|mouse| area.contains(*mouse)) {
        let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta(), input.zoom_delta()));
        let factor = (-f64::from(scroll.y) * ZOOM_A_POINT).exp() / f64::from(pinch).max(0.01);
        let around = span.at(f64::from(mouse.x - area.left()) / width);
        if factor != 1.0 {
            span = span.zoomed(factor, around, least, limits);
        }
        if scroll.x != 0.0 {
            span = span.moved(-f64::from(scroll.x) / width * span.width(), limits);
        }
    }
    Some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Span = Span::new(0.0, 10.0);

    #[test]
    fn what_comes_later_is_in_sight_unless_the_person_chose_a_part() {
        let context = egui::Context::default();
        let frame = |last: f64, events: Vec<egui::Event>| {
            let mut seen = ALL;
            let input = egui::RawInput { events, ..egui::RawInput::default() };
            let mut output = context.run_ui(input, |ui| {
                let (area, response) = ui.allocate_exact_size(egui::vec2(100.0, 50.0), egui::Sense::click_and_drag());
                let all = Span::new(0.0, last);
                seen = navigated(ui, &response, response.id, area, all, 2.0, all);
            });
            // Nobody paints them.
            output.textures_delta.clear();
            seen
        };
        assert_eq!(frame(5.0, Vec::new()), Span::new(0.0, 5.0));
        assert_eq!(frame(23.0, Vec::new()), Span::new(0.0, 23.0));
        let at = egui::pos2(50.0, 25.0);
        frame(23.0, vec![egui::Event::PointerMoved(at)]);
        let near = frame(23.0, vec![egui::Event::Zoom(2.0)]);
        assert!(near.width() < 23.0, "{near:?}");
        assert_eq!(frame(40.0, vec![egui::Event::PointerGone]), near);
    }

    #[test]
    fn zooming_keeps_what_is_under_the_mouse_where_it_is() {
        let near = ALL.zoomed(0.5, 4.0, 1.0, ALL);
        assert_eq!((near, near.fraction(4.0)), (Span::new(2.0, 7.0), ALL.fraction(4.0)));
        assert_eq!(near.zoomed(100.0, 4.0, 1.0, ALL), ALL);
        assert_eq!(ALL.zoomed(1e-9, 10.0, 1.0, ALL), Span::new(9.0, 10.0));
    }

    #[test]
    fn moving_stops_at_the_ends() {
        let part = Span::new(2.0, 4.0);
        assert_eq!(part.moved(3.0, ALL), Span::new(5.0, 7.0));
        assert_eq!(part.moved(-9.0, ALL), Span::new(0.0, 2.0));
        assert_eq!(part.moved(99.0, ALL), Span::new(8.0, 10.0));
    }

    #[test]
    fn what_is_no_span_shows_all() {
        for broken in [Span::new(3.0, 3.0), Span::new(5.0, 1.0), Span::new(f64::NAN, 4.0)] {
            assert_eq!(broken.within(ALL), ALL);
        }
        let nothing = Span::new(7.0, 7.0);
        assert_eq!(Span::new(0.0, 10.0).within(nothing), nothing);
    }
}
