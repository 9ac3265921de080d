//! Choosing, on whatever adapter this machine has; lavapipe will do.

use std::thread::sleep;
use std::time::Duration;

use stethoscope_core::compute::InlineCompute;
use stethoscope_core::conformance::{Case, check_cases};
use stethoscope_core::dtype::Dtype;
use stethoscope_core::kernels::InstructionSet;

use super::*;

/// Short enough for the cases below.
const SHORT: Lengths = Lengths { before_opening: 100_000, warm_up: 100_000, trial: 200_000 };

/// Two megabytes in a hundred steps.
fn cases() -> Vec<Case> {
    let case = |seed| Case::random(seed, Dtype::BF16, Dtype::BF16, 5000, &[2500]);
    (0..100).map(case).collect()
}

/// A GPU, real or not; none if the person who runs the tests goes without.
fn gpu() -> Option<Gpu> {
    match pollster::block_on(Gpu::open(None)) {
        Ok(gpu) => Some(gpu),
        Err(_) if std::env::var("STETHOSCOPE_SKIP_ENGINES").is_ok_and(|names| names.contains("lavapipe")) => None,
        Err(error) => panic!(
            "{error}; `apt-get install libvulkan1 mesa-vulkan-drivers` brings lavapipe (cargo xtask test does that), \\
             STETHOSCOPE_SKIP_ENGINES=lavapipe goes without"
        ),
    }
}

/// A CPU that takes its time for each task.
struct Slow {
    cpu: InlineCompute,
    pause: Duration,
}

impl Slow {
    fn by(pause: Duration) -> Box<Self> {
        Box::new(Self { cpu: InlineCompute::new(InstructionSet::Portable), pause })
    }
}

impl Compute for Slow {
    fn info(&self) -> ComputeInfo {
        self.cpu.info()
    }

    fn capacity(&self) -> usize {
        3
    }

    fn submit(&mut self, task: Task) {
        sleep(self.pause);
        self.cpu.submit(task);
    }

    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>> {
        self.cpu.next()
    }
}

/// Runs the cases, which must come out right; the engine as it is afterwards.
fn run(cpu: Box<Slow>, mut gpu: Option<Gpu>) -> AutoCompute {
    let mut asked = 0;
    let open = move || {
        asked += 1;
        if asked < 3 { Opening::Pending } else { Opening::Done(gpu.take().map(Box::new)) }
    };
    let mut engine = AutoCompute::with_lengths(cpu, open, SHORT);
    let result = pollster::block_on(check_cases(&mut engine, &cases(), 1e-5));
    result.unwrap_or_else(|mismatches| panic!("{}", mismatches[0]));
    engine
}

#[test]
fn a_cpu_that_is_slower_than_the_gpu_is_left() {
    let Some(gpu) = gpu() else { return };
    let name = gpu.name.clone();
    let mut engine = run(Slow::by(Duration::from_millis(60)), Some(gpu));
    assert_eq!((engine.phase, engine.info().adapter), (Phase::DecidedGpu, name));
    let warnings = engine.warnings();
    assert!(warnings.len() == 1 && warnings[0].starts_with("the GPU was taken: "), "{warnings:?}");
}

#[test]
fn without_a_gpu_nothing_is_said() {
    let mut engine = run(Slow::by(Duration::ZERO), None);
    assert_eq!((engine.phase, &*engine.info().backend, engine.warnings().len()), (Phase::DecidedCpu, "cpu", 0));
}

#[test]
fn a_gpu_that_is_lost_in_its_trial_is_not_taken() {
    let Some(gpu) = gpu() else { return };
    gpu.lose();
    let mut engine = run(Slow::by(Duration::ZERO), Some(gpu));
    assert_eq!((engine.phase, &*engine.info().backend), (Phase::DecidedCpu, "cpu"));
    assert!(engine.warnings()[0].contains("failed: "));
}

#[test]
fn a_short_run_never_asks_for_a_gpu() {
    let open = || panic!("nobody asked");
    let cpu = Box::new(InlineCompute::new(InstructionSet::Portable));
    let mut engine = AutoCompute::new(cpu, open);
    assert!(pollster::block_on(check_cases(&mut engine, &cases(), 1e-6)).is_ok());
    assert_eq!((engine.info().backend, engine.warnings()), ("cpu".into(), Vec::new()));
}
