//! What every method must keep to.

use super::*;

/// Runs all passes over a tensor cut into pieces, and gives its merged values.
fn merged(mut merger: Box<dyn Merger>, base: Option<&[f32]>, inputs: &[&[f32]], elements: usize) -> Vec<f32> {
    let length = inputs.first().map_or(0, |input| input.len());
    let grain = merger.grain() as usize;
    let cuts: Vec<_> = (0..length).step_by(elements.next_multiple_of(grain)).collect();
    let with = |from: usize, run: &mut dyn FnMut(&Piece<'_>)| {
        let range = from..length.min(from + elements.next_multiple_of(grain));
        let inputs: Vec<&[f32]> = inputs.iter().map(|input| &input[range.clone()]).collect();
        run(&Piece { first: from as u64, base: base.map(|base| &base[range.clone()]), inputs: &inputs });
    };
    while let Some(mut whole) = merger.reduction() {
        for &from in &cuts {
            let mut part = merger.reduction().unwrap();
            with(from, &mut |piece| part.add(piece));
            whole.join(part).unwrap();
        }
        merger.settle(whole).unwrap();
    }
    let mut out = vec![f32::NAN; length];
    for &from in &cuts {
        with(from, &mut |piece| {
            let out = &mut out[from..from + piece.inputs[0].len()];
            merger.map(piece, out);
        });
    }
    out
}

#[test]
fn every_name_is_parsed_and_others_are_answered_with_the_list() {
    for &method in Method::ALL {
        assert_eq!(Method::parse(method.name()), Ok(method));
    }
    let message = Method::parse("LERP").unwrap_err().to_string();
    assert!(message.starts_with("there is no merge method \"LERP\"; there are linear"), "{message}");
}

#[test]
fn linear_is_the_weighted_mean_however_the_tensor_is_cut() {
    let tensor = TensorContext { name: "w", shape: &[5], has_base: false, seed: 0 };
    let weights = [1.0, 3.0].map(|weight| Parameters::from([("weight", weight)]));
    let inputs: [&[f32]; 2] = [&[0.0, 4.0, 8.0, 0.0, 1.0], &[4.0, 8.0, 0.0, 0.0, -1.0]];
    for elements in [1, 2, 5] {
        let merger = Method::Linear.merger(&tensor, &Parameters::default(), &weights).unwrap();
        assert_eq!(merged(merger, None, &inputs, elements), [3.0, 7.0, 2.0, 0.0, -0.5]);
    }
}

#[test]
fn weights_that_sum_to_zero_are_refused_when_they_are_normalised() {
    let tensor = TensorContext { name: "w", shape: &[1], has_base: false, seed: 0 };
    let weights = [1.0, -1.0].map(|weight| Parameters::from([("weight", weight)]));
    let refusal = Method::Linear.merger(&tensor, &Parameters::default(), &weights).err().unwrap();
    assert_eq!(refusal, MergeError::ZeroWeights { method: Method::Linear, sum: 0.0 });
    let sums = Parameters::from([("normalize", false)]);
    assert!(Method::Linear.merger(&tensor, &sums, &weights).is_ok());
}
