//! How long the app takes to paint a frame, without a window: everything up to the triangles that a GPU is given.
//!
//! Prints JSON. `cargo xtask bench app` runs it in release. The report is the planted pair's, its layers repeated until it has as many
//! as are asked for; the pointer moves over the window, so that every frame is new.

use std::time::Instant;

use egui::{Context, DroppedFileHandle, Event, Pos2, RawInput, Rect, vec2};
use stethoscope_app::App;
use stethoscope_app::platform::{Answer, Job, Opening, Pick, Platform, Poll, Side};
use stethoscope_core::checkpoint::Checkpoint;
use stethoscope_core::compute::InlineCompute;
use stethoscope_core::delta::delta;
use stethoscope_core::kernels::InstructionSet;
use stethoscope_core::model::Model;
use stethoscope_core::report::{DeltaReport, RelativeDefinition};
use stethoscope_core::synthetic::{PLANTED_BASE, PLANTED_TUNED, planted};
use stethoscope_core::work::{DeltaRequest, Request};

/// Frames before the ones that count.
const WARM_UP: usize = 30;
const FRAMES: usize = 300;

fn main() {
    let layers: u32 = std::env::args().nth(1).and_then(|layers| layers.parse().ok()).unwrap_or(64);
    let report = stretched(planted_report(), layers);
    let rows = report.tensors.len();
    let context = Context::default();
    let mut app = App::new(&context, Box::new(Nowhere));
    app.state.open_all(None, vec![Opening::Report(Box::new(report))]);
    let size = vec2(1400.0, 900.0);
    let mut milliseconds: Vec<f64> = (0..WARM_UP + FRAMES)
        .map(|frame| {
            let step = frame as f32 * 7.0;
            let at = Pos2::new(step % size.x, (step * 0.61) % size.y);
            let input = RawInput {
                screen_rect: Some(Rect::from_min_size(Pos2::ZERO, size)),
                time: Some(frame as f64 / 60.0),
                events: vec![Event::PointerMoved(at)],
                ..RawInput::default()
            };
            let start = Instant::now();
            let mut output = context.run_ui(input, |ui| {
                app.logic(ui.ctx());
                app.ui(ui);
            });
            let triangles = context.tessellate(output.shapes, output.pixels_per_point);
            std::hint::black_box(&triangles);
            let elapsed = start.elapsed();
            // Nobody paints them.
            output.textures_delta.clear();
            elapsed.as_secs_f64() * 1e3
        })
        .skip(WARM_UP)
        .collect();
    milliseconds.sort_by(f64::total_cmp);
    let at = |share: f64| milliseconds[((milliseconds.len() - 1) as f64 * share) as usize];
    println!(
        "{}",
        serde_json::json!({
            "layers": layers, "rows": rows, "frames": FRAMES, "width": size.x, "height": size.y,
            "median_ms": at(0.5), "p95_ms": at(0.95), "slowest_ms": at(1.0),
        })
    );
}

/// What the planted pair's two sides differ in.
fn planted_report() -> DeltaReport {
    let model = |reference: &str| {
        let files = planted(reference).expect("the pair is built in");
        Model::new(pollster::block_on(Checkpoint::read(files)).expect("the pair can be read"), None)
    };
    let request = DeltaRequest {
        a: PLANTED_BASE.to_owned(),
        b: PLANTED_TUNED.to_owned(),
        select: "all".to_owned(),
        relative: RelativeDefinition::Script,
        norms_only: false,
        spectrum: false,
    };
    let set = InstructionSet::available().first().copied().unwrap_or(InstructionSet::Portable);
    let mut compute = InlineCompute::new(set);
    let (a, b) = (model(PLANTED_BASE), model(PLANTED_TUNED));
    pollster::block_on(delta(&a, &b, &request, &mut compute, &mut async |_| Ok(()))).expect("the pair can be measured")
}

/// The same report with the rows of its layers repeated.
fn stretched(mut report: DeltaReport, layers: u32) -> DeltaReport {
    let had = report.a.layers.max(1);
    let rows = std::mem::take(&mut report.tensors);
    for layer in 0..layers {
        for row in rows.iter().filter(|row| row.site.layer == Some(layer % had)) {
            let mut row = row.clone();
            row.site.layer = Some(layer);
            row.name = row.name.replace(&format!(".{}.", layer % had), &format!(".{layer}."));
            report.tensors.push(row);
        }
    }
    report.tensors.extend(rows.into_iter().filter(|row| row.site.layer.is_none()));
    (report.a.layers, report.b.layers) = (layers, layers);
    report
}

/// A place where nothing runs.
struct Nowhere;

struct Ended;

impl Job for Ended {
    fn poll(&mut self) -> Poll {
        Poll::Ended(Err("nothing runs here".to_owned()))
    }
}

impl Platform for Nowhere {
    fn run(&mut self, _request: Request) -> Box<dyn Job> {
        Box::new(Ended)
    }

    fn pick(&mut self, _side: Side, _what: Pick) {}

    fn dropped(&mut self, _side: Option<Side>, _files: &[DroppedFileHandle]) {}

    fn save(&mut self, _name: &str, _bytes: Vec<u8>) {}

    fn answers(&mut self) -> Vec<Answer> {
        Vec::new()
    }

    fn is_awaiting(&self) -> bool {
        false
    }

    fn remember(&mut self, _text: &str) {}

    fn remembered(&self) -> Option<String> {
        None
    }

    fn describe(&self) -> String {
        "nowhere".to_owned()
    }
}
