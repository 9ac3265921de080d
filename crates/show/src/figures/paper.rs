//! A sheet to draw on: pixels with fractions, text in generic fonts, and the words for those who cannot see it.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontFamily, FontStyle, IntoFont as _, RGBColor, ShapeStyle, TextStyle};

use super::palette::{INK, SOFT_INK, WHITE};
use super::{Figure, FigureError};
use crate::text::columns;

/// Drawing units in a pixel. The backend's coordinates are whole numbers; tenths of a pixel keep lines smooth.
const UNITS: f64 = 10.0;
/// The backend divides a font's size by this before it writes it.
const FONT_FACTOR: f64 = 1.24;
/// Natural width of every figure, in pixels.
pub(super) const WIDTH: f64 = 960.0;
/// Room at the left and right edge of a figure, in pixels.
pub(super) const MARGIN: f64 = 16.0;
/// Where a figure's content starts below its title, in pixels.
pub(super) const CONTENT_TOP: f64 = 66.0;
/// Size of ordinary text, in pixels.
pub(super) const TEXT: f64 = 12.0;
/// Size of the smallest text, in pixels.
pub(super) const SMALL: f64 = 11.0;

/// What drawing gives when it fails.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Pixels as drawing units.
pub(super) fn units(pixels: f64) -> i32 {
    // Saturates far outside of any sheet.
    (pixels * UNITS).round() as i32
}

/// How wide `text` will be, in pixels, about: sans-serif letters are a bit more than half as wide as high.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    columns(text) as f64 * size * 0.6
}

/// A style for text of `size` pixels.
pub(super) fn font(size: f64, color: RGBColor) -> TextStyle<'static> {
    let style = TextStyle::from((FontFamily::SansSerif, size * FONT_FACTOR * UNITS).into_font());
    TextStyle { color: color.to_backend_color(), ..style }
}

/// Where text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Right of it.
    Start,
    /// Centred on it.
    Middle,
    /// Left of it.
    End,
}

/// Ink on paper. Coordinates are pixels from the upper left corner.
pub(super) struct Paper<'a> {
    /// For plotters' charts, which count in drawing units.
    pub area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl Paper<'_> {
    /// Text, vertically centred on `y`.
    pub(super) fn text(&self, text: &str, (x, y): (f64, f64), at: At, size: f64, color: RGBColor) -> Drawn {
        self.styled_text(text, (x, y), at, &font(size, color))
    }

    /// Bold text, vertically centred on `y`.
    pub(super) fn bold(&self, text: &str, (x, y): (f64, f64), at: At, size: f64) -> Drawn {
        let family = (FontFamily::SansSerif, size * FONT_FACTOR * UNITS, FontStyle::Bold);
        let style = TextStyle { color: INK.to_backend_color(), ..TextStyle::from(family.into_font()) };
        self.styled_text(text, (x, y), at, &style)
    }

    fn styled_text(&self, text: &str, (x, y): (f64, f64), at: At, style: &TextStyle<'_>) -> Drawn {
        let horizontal = match at {
            At::Start => HPos::Left,
            At::Middle => HPos::Center,
            At::End => HPos::Right,
        };
        let style = style.pos(Pos::new(horizontal, VPos::Center));
        self.area.draw_text(text, &style, (units(x), units(y)))
    }

    /// A line through `points`.
    pub(super) fn line(&self, points: &[(f64, f64)], width: f64, color: RGBColor) -> Drawn {
        self.area.draw(&PathElement::new(in_units(points), stroke(width, color)))
    }

    /// A filled polygon.
    pub(super) fn polygon(&self, points: &[(f64, f64)], color: RGBColor) -> Drawn {
        self.area.draw(&Polygon::new(in_units(points), color.filled()))
    }

    /// A filled rectangle.
    pub(super) fn rectangle(&self, (x, y): (f64, f64), (width, height): (f64, f64), color: RGBColor) -> Drawn {
        self.area.draw(&Rectangle::new([(units(x), units(y)), (units(x + width), units(y + height))], color.filled()))
    }

    /// The outline of a rectangle.
    pub(super) fn frame(&self, (x, y): (f64, f64), (width, height): (f64, f64), color: RGBColor) -> Drawn {
        self.line(&[(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)], 1.0, color)
    }

    /// A filled circle.
    pub(super) fn disc(&self, (x, y): (f64, f64), radius: f64, color: RGBColor) -> Drawn {
        self.area.draw(&Circle::new((units(x), units(y)), units(radius), color.filled()))
    }
}

fn in_units(points: &[(f64, f64)]) -> Vec<(i32, i32)> {
    points.iter().map(|&(x, y)| (units(x), units(y))).collect()
}

/// A line's style, `width` in pixels.
pub(super) fn stroke(width: f64, color: RGBColor) -> ShapeStyle {
    color.stroke_width(units(width).unsigned_abs())
}

/// What goes around a drawing.
pub(super) struct Caption<'a> {
    /// Name of the figure's file.
    pub file_name: &'static str,
    /// What it shows, in a line.
    pub title: String,
    /// Which pair it shows it of.
    pub subtitle: &'a str,
    /// Sentences below the drawing.
    pub notes: Vec<String>,
    /// What can be read off it.
    pub description: String,
}

/// Height of a line of notes.
const NOTE_HEIGHT: f64 = 16.0;

/// A figure `height` pixels high (without its notes) that `draw` draws.
pub(super) fn figure(
    caption: Caption<'_>,
    height: f64,
    draw: impl FnOnce(&Paper<'_>) -> Drawn,
) -> Result<Figure, FigureError> {
    // How many characters of a note fit: notes are prose, so an average width will do.
    let note_columns = ((WIDTH - 2.0 * MARGIN) / (SMALL * 0.51)) as usize;
    let notes: Vec<String> = caption.notes.iter().flat_map(|note| crate::text::wrap(note, note_columns)).collect();
    let whole_height = height + notes.len() as f64 * NOTE_HEIGHT + MARGIN;
    let size = (units(WIDTH).unsigned_abs(), units(whole_height).unsigned_abs());
    let mut body = String::new();
    sheet(&mut body, size, &caption, &notes, height, draw)
        .map_err(|error| FigureError { figure: caption.file_name, reason: error.to_string() })?;
    Ok(Figure {
        svg: finish(&caption, &body, size),
        file_name: caption.file_name,
        title: caption.title,
        description: caption.description,
    })
}

fn sheet(
    body: &mut String,
    size: (u32, u32),
    caption: &Caption<'_>,
    notes: &[String],
    height: f64,
    draw: impl FnOnce(&Paper<'_>) -> Drawn,
) -> Drawn {
    let paper = Paper { area: SVGBackend::with_string(body, size).into_drawing_area() };
    paper.area.fill(&WHITE)?;
    paper.bold(&caption.title, (MARGIN, 22.0), At::Start, 16.0)?;
    paper.text(caption.subtitle, (MARGIN, 43.0), At::Start, TEXT, SOFT_INK)?;
    draw(&paper)?;
    for (index, note) in notes.iter().enumerate() {
        let y = height + (index as f64 + 0.5) * NOTE_HEIGHT;
        paper.text(note, (MARGIN, y), At::Start, SMALL, SOFT_INK)?;
    }
    paper.area.present()
}

/// Gives the backend's SVG a size in pixels, a role, and the words.
fn finish(caption: &Caption<'_>, body: &str, (width, height): (u32, u32)) -> String {
    let inner = body.split_once('>').map_or(body, |(_, inner)| inner);
    let id = caption.file_name.trim_end_matches(".svg");
    let (title, description) = (escape(&caption.title), escape(&caption.description));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-description\">\n<title id=\"{id}-title\">{title}</title>\n\
         <desc id=\"{id}-description\">{description}</desc>{inner}",
        f64::from(width) / UNITS,
        f64::from(height) / UNITS,
    )
}

/// `text` as the content of an XML element. It has no control characters: every name went through `printable`.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
