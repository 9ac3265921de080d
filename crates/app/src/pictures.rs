//! Pictures of panels, as PNG: the window is photographed and the panel cut out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use egui::{Color32, ColorImage, Context, PointerState, Rect};

use crate::panels::Panel;

/// Frames between the click and the photograph: the menu closes, and what the mouse pointed at is no longer marked.
const FRAMES: u32 = 3;

/// Pictures that were asked for.
pub struct Pictures {
    wanted: Option<Wanted>,
    /// Where every panel was painted last, in points.
    areas: BTreeMap<&'static str, Rect>,
    sender: Sender<Taken>,
    receiver: Receiver<Taken>,
    /// Photographs that were asked for and have not come.
    awaited: u32,
}

/// A picture that will be taken.
struct Wanted {
    panel: Panel,
    frames: u32,
}

/// A photograph of the window, and what to cut out of it.
struct Taken {
    panel: Panel,
    area: Rect,
    pixels_per_point: f32,
    window: Arc<ColorImage>,
}

impl Default for Pictures {
    fn default() -> Self {
        let (sender, receiver) = channel();
        Self { wanted: None, areas: BTreeMap::new(), sender, receiver, awaited: 0 }
    }
}

impl Pictures {
    /// Asks for a picture of a panel.
    pub fn want(&mut self, panel: Panel) {
        self.wanted = Some(Wanted { panel, frames: FRAMES });
    }

    /// Whether a picture is on its way.
    pub const fn is_awaiting(&self) -> bool {
        self.wanted.is_some() || self.awaited > 0
    }

    /// Whether this panel is about to be photographed, and should say what a picture without its window has to say.
    pub fn is_wanted(&self, panel: Panel) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.panel == panel)
    }

    /// Whether a panel can be seen, and so photographed.
    pub fn is_in_sight(&self, panel: Panel) -> bool {
        self.areas.contains_key(panel.title())
    }

    /// Notes that the panels are about to be painted.
    pub fn begin_panels(&mut self) {
        self.areas.clear();
    }

    /// Notes where a panel is painted.
    pub fn painted(&mut self, panel: Panel, area: Rect) {
        self.areas.insert(panel.title(), area);
    }

    /// After every frame: asks for the photograph when it is time.
    pub fn end_frame(&mut self, context: &Context) {
        let Some(wanted) = &mut self.wanted else { return };
        // Nothing should be marked because the mouse happens to be there.
        context.input_mut(|input| input.pointer = PointerState::default());
        context.request_repaint();
        wanted.frames = wanted.frames.saturating_sub(1);
        if wanted.frames > 0 {
            return;
        }
        let panel = wanted.panel;
        self.wanted = None;
        let Some(area) = self.areas.get(panel.title()).copied() else { return };
        self.awaited += 1;
        let (sender, context_then) = (self.sender.clone(), context.clone());
        let pixels_per_point = context.pixels_per_point();
        context.request_screenshot(move |window| {
            // An app that is gone needs no picture.
            let _ = sender.send(Taken { panel, area, pixels_per_point, window });
            context_then.request_repaint();
        });
    }

    /// The pictures that have come, each with the name of its file.
    ///
    /// # Errors
    /// A sentence for a person, if one could not be made.
    pub fn take(&mut self) -> Vec<Result<(String, Vec<u8>), String>> {
        let taken: Vec<Taken> = self.receiver.try_iter().collect();
        self.awaited = self.awaited.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        let picture = |taken: Taken| {
            let name = taken.panel.picture_name();
            let cut = cut_out(&taken.window, taken.area, taken.pixels_per_point)
                .ok_or_else(|| format!("{name} could not be made: the panel is outside the window; make it larger"))?;
            let png = encode(&cut).map_err(|error| format!("{name} could not be made: {error}"))?;
            Ok((name, png))
        };
        taken.into_iter().map(picture).collect()
    }
}

/// The pixels of an area given in points, as far as it is in the picture; none if it is not, or has none.
pub fn cut_out(picture: &ColorImage, area: Rect, pixels_per_point: f32) -> Option<ColorImage> {
    let [width, height] = picture.size;
    // A cast from a float saturates, and makes 0 of what is not a number.
    let pixel = |points: f32, most: usize| ((points * pixels_per_point).round() as usize).min(most);
    let (left, right) = (pixel(area.left(), width), pixel(area.right(), width));
    let (top, bottom) = (pixel(area.top(), height), pixel(area.bottom(), height));
    if left >= right || top >= bottom {
        return None;
    }
    let rows = picture.pixels.chunks_exact(width).take(bottom).skip(top);
    let pixels: Vec<Color32> = rows.filter_map(|row| row.get(left..right)).flatten().copied().collect();
    Some(ColorImage::new([right - left, bottom - top], pixels))
}

/// A PNG file of three channels of 8 bits.
///
/// # Errors
/// What the encoder says, of a picture with no pixels or more than a PNG holds.
pub fn encode(picture: &ColorImage) -> Result<Vec<u8>, png::EncodingError> {
    let [width, height] = picture.size.map(|side| u32::try_from(side).unwrap_or(0));
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Areas of one colour: filters make them larger.
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    // A window is opaque.
    let pixels: Vec<u8> = picture.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use egui::{pos2, vec2};

    use super::*;

    /// Every pixel says where it is.
    fn picture(width: u8, height: u8) -> ColorImage {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| Color32::from_rgb(x, y, 7))).collect();
        ColorImage::new([width.into(), height.into()], pixels)
    }

    #[test]
    fn an_area_in_points_is_cut_out_in_pixels() {
        let window = picture(60, 40);
        for (scale, size) in [(1.0, [10, 5]), (1.5, [15, 8]), (2.0, [20, 10])] {
            let cut = cut_out(&window, Rect::from_min_size(pos2(4.0, 8.0), vec2(10.0, 5.0)), scale).unwrap();
            assert_eq!(cut.size, size);
            let corner = |points: f32| (points * scale) as u8;
            assert_eq!(cut.pixels[0], Color32::from_rgb(corner(4.0), corner(8.0), 7));
        }
    }

    #[test]
    fn what_lies_outside_the_window_is_left_out() {
        let window = picture(60, 40);
        let cut = |left, top, right, bottom| {
            cut_out(&window, Rect::from_min_max(pos2(left, top), pos2(right, bottom)), 1.0).map(|cut| cut.size)
        };
        assert_eq!(cut(-10.0, -10.0, 5.0, 5.0), Some([5, 5]));
        assert_eq!(cut(50.0, 30.0, 500.0, f32::INFINITY), Some([10, 10]));
        assert_eq!(cut(70.0, 0.0, 90.0, 10.0), None);
        assert_eq!(cut(20.0, 10.0, 10.0, 20.0), None);
        assert_eq!(cut(f32::NAN, 0.0, f32::NAN, 10.0), None);
    }

    #[test]
    fn a_picture_is_read_back_as_it_was() {
        let window = picture(33, 9);
        let read = image::load_from_memory(&encode(&window).unwrap()).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (33, 9));
        let pixels: Vec<[u8; 3]> = window.pixels.iter().map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
        assert_eq!(read.pixels().map(|pixel| pixel.0).collect::<Vec<_>>(), pixels);
        assert!(encode(&ColorImage::new([0, 0], Vec::new())).is_err());
    }
}
