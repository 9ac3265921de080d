//! How fast merge methods give values: `cargo run --release -p stethoscope-core --example merge_speed [METHOD]…`.
//!
//! Two models and a base of 4 Mi elements, in pieces of 64 Ki, on one thread. Bytes are those of the values read and written, in
//! f32; passes that look at the tensor first are counted in.

use std::time::Instant;

use stethoscope_core::merge::{Base, MergeError, Method, Parameters, Piece, Scope, TensorContext, Value};
use stethoscope_core::random::Stream;

const ELEMENTS: usize = 1 << 22;
const PIECE: usize = 1 << 16;

fn main() -> Result<(), MergeError> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let noise = |name: &str| {
        let mut values = vec![0.0_f32; ELEMENTS];
        Stream::new(0, name, 0).fill_uniform(0, &mut values);
        values
    };
    let (base, models) = (noise("base"), [noise("a"), noise("b"), noise("c")]);
    for &method in
        Method::ALL.iter().filter(|method| asked.is_empty() || asked.iter().any(|name| name == method.name()))
    {
        let count = 2.max(*method.models().start()).min(*method.models().end());
        let inputs: Vec<&[f32]> = models.iter().take(count).map(Vec::as_slice).collect();
        let (seconds, passes) = time(method, &base, &inputs)?;
        let read = (count + usize::from(method.base() == Base::Required)) * (passes + 1);
        let gigabytes = (4 * ELEMENTS * (read + 1)) as f64 / 1e9;
        println!("{method:>18}: {passes} passes, {:.2} GB/s, {:.0} M values/s", gigabytes / seconds, 4.2 / seconds);
    }
    Ok(())
}

/// The least seconds of three runs, and how many passes came before the values.
fn time(method: Method, base: &[f32], inputs: &[&[f32]]) -> Result<(f64, usize), MergeError> {
    let given = |scope| {
        let wanted = method.parameters().iter().filter(|parameter| parameter.scope == scope);
        let wanted = wanted.filter(|parameter| parameter.default.is_none() || parameter.name == "density");
        Parameters(wanted.map(|parameter| (parameter.name.to_owned(), Value::Number(0.5))).collect())
    };
    let tensor =
        TensorContext { name: "w", shape: &[1 << 11, 1 << 11], has_base: method.base() == Base::Required, seed: 0 };
    let mut out = vec![0.0; ELEMENTS];
    let mut best = (f64::INFINITY, 0);
    for _ in 0..3 {
        let start = Instant::now();
        let mut merger = method.merger(&tensor, &given(Scope::Merge), &vec![given(Scope::Model); inputs.len()])?;
        let each = |run: &mut dyn FnMut(usize, &Piece<'_>)| {
            for first in (0..ELEMENTS).step_by(PIECE) {
                let range = first..first + PIECE;
                let inputs: Vec<&[f32]> = inputs.iter().map(|input| &input[range.clone()]).collect();
                run(first, &Piece { first: first as u64, base: Some(&base[range]), inputs: &inputs });
            }
        };
        let mut passes = 0;
        while let Some(mut reduction) = merger.reduction() {
            each(&mut |_, piece| reduction.add(piece));
            merger.settle(reduction)?;
            passes += 1;
        }
        each(&mut |first, piece| merger.map(piece, &mut out[first..first + PIECE]));
        let seconds = start.elapsed().as_secs_f64();
        if seconds < best.0 {
            best = (seconds, passes);
        }
    }
    Ok(best)
}
