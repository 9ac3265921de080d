use candle_core::{Device, Var};

use super::*;
use crate::ops::assert_same_with_gradients;
use crate::ops::attention::Place;

/// More than a band, and not a whole number of them.
const CHANNELS: usize = 37;
const STATES: usize = 4;

fn numbers(count: usize, salt: usize) -> Vec<f32> {
    (0..count).map(|at| (((at + salt) * 29 % 47) as f32 - 23.0) / 20.0).collect()
}

fn var(rows: usize, columns: usize, salt: usize) -> Var {
    Var::from_vec(numbers(rows * columns, salt), (rows, columns), &Device::Cpu).unwrap()
}

struct Inputs {
    x: Var,
    steps: Var,
    written: Var,
    read: Var,
    /// Below 0, as that of every model is.
    decay: Var,
}

impl Inputs {
    fn new(tokens: usize) -> Self {
        let decay = var(CHANNELS, STATES, 9).as_tensor().affine(0.5, -1.0).unwrap();
        Self {
            x: var(tokens, CHANNELS, 1),
            steps: var(tokens, CHANNELS, 2),
            written: var(tokens, STATES, 3),
            read: var(tokens, STATES, 4),
            decay: Var::from_tensor(&decay).unwrap(),
        }
    }

    fn drive(&self) -> Drive {
        let Self { x, steps, written, read, decay } = self;
        let [x, steps, written, read, decay] = [x, steps, written, read, decay].map(|var| var.as_tensor().clone());
        Drive { x, steps, written, read, decay }
    }

    /// Those of some tokens.
    fn part(&self, tokens: std::ops::Range<usize>) -> Drive {
        let part = |var: &Var| var.narrow(0, tokens.start, tokens.len()).unwrap();
        let Self { x, steps, written, read, decay } = self;
        let decay = decay.as_tensor().clone();
        Drive { x: part(x), steps: part(steps), written: part(written), read: part(read), decay }
    }
}

fn runs(lengths: &[usize]) -> Vec<Run> {
    let places = lengths
        .iter()
        .enumerate()
        .flat_map(|(sequence, &length)| (0..length).map(move |position| Place { sequence, position }));
    Run::all(&places.collect::<Vec<_>>())
}

fn before(runs: usize) -> Tensor {
    Tensor::from_vec(numbers(runs * CHANNELS * STATES, 5), (runs, CHANNELS, STATES), &Device::Cpu).unwrap()
}

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    tensor.to_vec2().unwrap()
}

#[test]
fn values_and_gradients_are_those_of_plain_operations() {
    let (inputs, runs) = (Inputs::new(8), runs(&[3, 1, 3, 1]));
    let drive = inputs.drive();
    let (y, after) = drive.scan(&before(4), &runs).unwrap();
    let (plain_y, plain_after) = drive.plain(&before(4), &runs).unwrap();
    let Inputs { x, steps, written, read, decay } = &inputs;
    // What every channel adds to is allowed a little more.
    let flat = |y: &Tensor, after: &Tensor| {
        (Tensor::cat(&[y.flatten_all().unwrap(), after.flatten_all().unwrap()], 0).unwrap() / 8.0).unwrap()
    };
    assert_same_with_gradients(&flat(&y, &after), &flat(&plain_y, &plain_after), &[x, steps, written, read, decay]);
}

#[test]
fn a_sequence_gets_the_same_bits_in_any_parts_and_beside_any_other() {
    let inputs = Inputs::new(9);
    let start = before(1);
    let (whole, end) = inputs.drive().scan(&start, &runs(&[9])).unwrap();
    let (mut state, mut parts) = (start.clone(), Vec::new());
    for tokens in [0..4, 4..5, 5..9] {
        let part = inputs.part(tokens.clone());
        let (y, after) = part.scan(&state, &runs(&[tokens.len()])).unwrap();
        let beside = |of: &Tensor, other: &Var| Tensor::cat(&[&other.narrow(0, 6, 3).unwrap(), of], 0).unwrap();
        let two = Drive {
            x: beside(&part.x, &inputs.x),
            steps: beside(&part.steps, &inputs.steps),
            written: beside(&part.written, &inputs.written),
            read: beside(&part.read, &inputs.read),
            decay: part.decay.clone(),
        };
        let states = Tensor::cat(&[&start, &state], 0).unwrap();
        let (both, _) = two.scan(&states, &runs(&[3, tokens.len()])).unwrap();
        assert_eq!(rows(&both)[3..], rows(&y));
        parts.extend(rows(&y));
        state = after;
    }
    assert_eq!(parts, rows(&whole));
    assert_eq!(rows(&state.squeeze(0).unwrap()), rows(&end.squeeze(0).unwrap()));
}

#[test]
fn steps_far_from_zero_are_numbers() {
    let mut inputs = Inputs::new(2);
    inputs.steps =
        Var::from_vec([vec![-120.0_f32; CHANNELS], vec![200.0; CHANNELS]].concat(), (2, CHANNELS), &Device::Cpu)
            .unwrap();
    let (y, _) = inputs.drive().scan(&before(1), &runs(&[2])).unwrap();
    let (plain, _) = inputs.drive().plain(&before(1), &runs(&[2])).unwrap();
    let difference = (y - plain).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let inputs = Inputs::new(3);
    assert!(inputs.drive().scan(&before(2), &runs(&[3])).is_err());
    assert!(inputs.drive().scan(&before(1), &runs(&[2])).is_err());
    let short = Drive { read: inputs.part(0..2).read, ..inputs.drive() };
    assert!(short.scan(&before(1), &runs(&[3])).is_err());
}
