//! What every method must keep to.

mod goldens;

use super::*;
use crate::random::Stream;

/// Runs all passes over a tensor cut into pieces of about so many elements, and gives its merged values.
fn merged(mut merger: Box<dyn Merger>, base: Option<&[f32]>, inputs: &[&[f32]], about: usize) -> Vec<f32> {
    let length = inputs.first().map_or(0, |input| input.len());
    let step = about.next_multiple_of(merger.grain() as usize);
    let with = |start: usize, run: &mut dyn FnMut(&Piece<'_>)| {
        let range = start..length.min(start + step);
        let inputs: Vec<&[f32]> = inputs.iter().map(|input| &input[range.clone()]).collect();
        run(&Piece { first: start as u64, base: base.map(|base| &base[range.clone()]), inputs: &inputs });
    };
    while let Some(mut whole) = merger.reduction() {
        // From the last piece on, since the order must not matter.
        for start in (0..length).step_by(step).rev() {
            let mut part = merger.reduction().unwrap();
            with(start, &mut |piece| part.add(piece));
            whole.join(part).unwrap();
        }
        merger.settle(whole).unwrap();
    }
    let mut out = vec![f32::NAN; length];
    for start in (0..length).step_by(step) {
        with(start, &mut |piece| merger.map(piece, &mut out[start..start + piece.elements()]));
    }
    out
}

/// As many models as a method takes, at least two of them if it takes several.
fn count(method: Method) -> usize {
    (*method.models().start()).max(3).min(*method.models().end())
}

/// Something that every method takes: whatever has no default, and densities that leave something out.
fn parameters(method: Method) -> (Parameters, Vec<Parameters>) {
    let value = |scope: Scope| {
        let given = method.parameters().iter().filter(|parameter| parameter.scope == scope);
        let given = given.filter_map(|parameter| match (parameter.name, parameter.default) {
            ("density" | "select_topk", _) => Some((parameter.name.to_owned(), Value::Number(0.4))),
            (_, None) => Some((parameter.name.to_owned(), Value::Number(0.5))),
            _ => None,
        });
        Parameters(given.collect())
    };
    (value(Scope::Merge), vec![value(Scope::Model); count(method)])
}

fn noise(name: &str, elements: usize) -> Vec<f32> {
    let mut values = vec![0.0; elements];
    Stream::new(9, name, 0).fill_gaussian(0, &mut values);
    values
}

fn matrix(method: Method) -> TensorContext<'static> {
    TensorContext { name: "w", shape: &[20, 30], has_base: method.base() == Base::Required, seed: 3 }
}

#[test]
fn every_name_is_parsed_and_others_are_answered_with_the_list() {
    for &method in Method::ALL {
        assert_eq!(Method::parse(method.name()), Ok(method));
    }
    let message = Method::parse("LERP").unwrap_err().to_string();
    assert!(message.starts_with("there is no merge method \"LERP\"; there are linear, slerp, nuslerp"), "{message}");
}

#[test]
fn no_method_depends_on_how_a_tensor_is_cut() {
    let base = noise("base", 600);
    let models: Vec<Vec<f32>> = (0..3)
        .map(|model| base.iter().zip(noise(&model.to_string(), 600)).map(|(base, noise)| base + 0.1 * noise).collect())
        .collect();
    for &method in Method::ALL {
        let inputs: Vec<&[f32]> = models.iter().take(count(method)).map(Vec::as_slice).collect();
        let (merge, each) = parameters(method);
        let results = [7, 50, 600].map(|about| {
            let merger = method.merger(&matrix(method), &merge, &each).unwrap();
            merged(merger, Some(&base), &inputs, about)
        });
        for result in &results[1..] {
            for (x, y) in result.iter().zip(&results[0]) {
                assert!((x - y).abs() <= 1e-6 * y.abs().max(1e-3), "{method}: {x} is not {y}");
            }
        }
    }
}

#[test]
fn a_model_merged_with_itself_is_itself() {
    let model = noise("base", 600);
    for &method in Method::ALL {
        let (merge, each) = parameters(method);
        let inputs = vec![model.as_slice(); count(method)];
        let merger = method.merger(&matrix(method), &merge, &each).unwrap();
        let result = merged(merger, Some(&model), &inputs, 100);
        for (x, y) in result.iter().zip(&model) {
            assert!((x - y).abs() <= 1e-6 * y.abs(), "{method}: {x} is not {y}");
        }
    }
}

#[test]
fn random_masks_belong_to_the_seed_and_the_tensor() {
    let (base, model) = (vec![0.0; 600], noise("a", 600));
    for &method in Method::ALL.iter().filter(|method| method.is_random()) {
        let (merge, mut each) = parameters(method);
        each.truncate(1);
        let with = |tensor: TensorContext<'_>| {
            merged(method.merger(&tensor, &merge, &each).unwrap(), Some(&base), &[&model], 100)
        };
        let here = with(matrix(method));
        assert_eq!(here, with(matrix(method)));
        assert_ne!(here, with(TensorContext { seed: 4, ..matrix(method) }));
        assert_ne!(here, with(TensorContext { name: "v", ..matrix(method) }));
    }
}

#[track_caller]
fn assert_refused(method: Method, tensor: TensorContext<'_>, merge: &Parameters, models: &[Parameters], says: &str) {
    let message = method.merger(&tensor, merge, models).err().unwrap().to_string();
    assert_eq!(message, says);
}

#[test]
fn wrong_numbers_of_models_and_missing_bases_are_refused() {
    let (merge, one) = (Parameters::from([("t", 0.5)]), vec![Parameters::default()]);
    let tensor = matrix(Method::Slerp);
    let two = [one.clone(), one.clone()].concat();
    assert_refused(Method::Slerp, tensor, &merge, &two, "slerp merges 1 model beside the base, but 2 were given");
    assert_refused(
        Method::ModelStock,
        tensor,
        &Parameters::default(),
        &one,
        "model_stock merges 2 or more models beside the base, but 1 were given",
    );
    let bare = TensorContext { has_base: false, ..tensor };
    assert_refused(Method::Slerp, bare, &merge, &one, "slerp needs a base_model, and none was given");
    assert_refused(
        Method::Linear,
        tensor,
        &Parameters::default(),
        &one,
        "linear knows no base_model; list it among the models, or leave it out",
    );
}

#[test]
fn parameters_out_of_range_are_refused() {
    let weights = |weights: [f64; 2]| weights.map(|weight| Parameters::from([("weight", weight)]));
    let nothing = Parameters::default();
    let bare = TensorContext { has_base: false, ..matrix(Method::Linear) };
    assert_refused(
        Method::Linear,
        bare,
        &nothing,
        &weights([1.0, -1.0]),
        "linear: the weights sum to 0, so nothing can be divided by them; give weights that do not cancel",
    );
    assert!(Method::Linear.merger(&bare, &Parameters::from([("normalize", false)]), &weights([1.0, -1.0])).is_ok());
    assert_refused(
        Method::Linear,
        bare,
        &nothing,
        std::slice::from_ref(&nothing),
        "linear needs the parameter weight of model 1",
    );
    let based = matrix(Method::Ties);
    assert_refused(
        Method::Ties,
        based,
        &nothing,
        &[Parameters::from([("weight", 1.0), ("density", 1.5)])],
        "ties: density of model 1 is 1.5; a number from 0 to 1 was expected",
    );
    assert_refused(
        Method::Slerp,
        based,
        &Parameters::from([("t", -0.1)]),
        std::slice::from_ref(&nothing),
        "slerp: t is -0.1; a number from 0 to 1 was expected",
    );
    assert_refused(
        Method::Della,
        based,
        &nothing,
        &[Parameters::from([("weight", 1.0), ("density", 0.9)])],
        "della: epsilon of model 1 is 0.15, but its density 0.9 ± epsilon must lie between 0 and 1",
    );
    assert_refused(
        Method::Nearswap,
        based,
        &Parameters::from([("t", 0.1), ("weight", 1.0)]),
        std::slice::from_ref(&nothing),
        "nearswap takes no parameter \"weight\" for the merge; there is t",
    );
}

#[test]
fn della_refuses_what_has_no_rows() {
    let tensor = TensorContext { shape: &[2, 3, 4], ..matrix(Method::Della) };
    let model = Parameters::from([("weight", 1.0), ("density", 0.5)]);
    let refusal = Method::Della.merger(&tensor, &Parameters::default(), &[model]).err();
    assert_eq!(refusal, Some(MergeError::Shape { method: Method::Della, axes: 3 }));
}

#[test]
fn models_that_point_away_from_each_other_have_no_mean_direction() {
    let tensor = TensorContext { shape: &[2], has_base: false, ..matrix(Method::MultiSlerp) };
    let weights = vec![Parameters::from([("weight", 1.0)]); 2];
    let mut merger = Method::MultiSlerp.merger(&tensor, &Parameters::default(), &weights).unwrap();
    let mut reduction = merger.reduction().unwrap();
    reduction.add(&Piece { first: 0, base: None, inputs: &[&[1.0, 2.0], &[-1.0, -2.0]] });
    assert_eq!(merger.settle(reduction), Err(MergeError::Opposed { method: Method::MultiSlerp }));
}

#[test]
fn accumulators_of_another_pass_are_refused() {
    let tensor = matrix(Method::Ties);
    let model = Parameters::from([("weight", 1.0), ("density", 0.5)]);
    let mut ties = Method::Ties.merger(&tensor, &Parameters::default(), &[model]).unwrap();
    let slerp = Method::Slerp.merger(&tensor, &Parameters::from([("t", 0.5)]), &[Parameters::default()]).unwrap();
    assert_eq!(ties.settle(slerp.reduction().unwrap()), Err(MergeError::OtherPass));
    assert_eq!(ties.reduction().unwrap().join(slerp.reduction().unwrap()), Err(MergeError::OtherPass));
}
