use candle_core::{Device, Tensor, Var};

use super::*;
use crate::ops::{assert_close, assert_same_with_gradients};

const SEQUENCES: usize = 2;
const POSITIONS: usize = 7;
const FEATURES: usize = 8;

fn numbers(count: usize, salt: usize) -> Vec<f32> {
    (0..count).map(|at| (((at * 37 + salt * 13) % 29) as f32 - 14.0) / 11.0).collect()
}

fn var(shape: &[usize], salt: usize) -> Var {
    let numbers = numbers(shape.iter().product(), salt);
    Var::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// Tokens of two sequences, some of them one after another.
fn places() -> Arc<[Place]> {
    [(0, 4), (0, 5), (1, 0), (1, 1), (1, 2), (0, 6)].map(|(sequence, position)| Place { sequence, position }).into()
}

fn kinds() -> [Attention; 3] {
    let plain = Attention { scale: 0.3, window: None, cap: None };
    [plain, Attention { window: Some(3), ..plain }, Attention { cap: Some(0.8), ..plain }]
}

#[test]
fn values_are_those_of_plain_operations() {
    for attention in kinds() {
        let queries = var(&[6, 4, FEATURES], 1);
        let keys = var(&[SEQUENCES, 2, POSITIONS, FEATURES], 2);
        let values = var(&[SEQUENCES, 2, POSITIONS, FEATURES], 3);
        let ours = attention.forward(&queries, &keys, &values, &places()).unwrap();
        let plain = attention.by_sequence(&queries, &keys, &values, &places()).unwrap();
        assert_close(&ours, &plain);
    }
}

#[test]
fn a_token_gets_the_same_bits_whatever_stands_beside_it() {
    let queries = var(&[6, 4, FEATURES], 1);
    let keys = var(&[SEQUENCES, 2, POSITIONS, FEATURES], 2);
    let values = var(&[SEQUENCES, 2, POSITIONS, FEATURES], 3);
    for attention in kinds() {
        let together = attention.forward(&queries, &keys, &values, &places()).unwrap();
        for (token, place) in places().iter().enumerate() {
            let query = queries.narrow(0, token, 1).unwrap();
            let alone = attention.forward(&query, &keys, &values, &[*place].into()).unwrap();
            let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(numbers(&alone), numbers(&together.get(token).unwrap()));
        }
    }
}

#[test]
fn places_outside_of_what_is_kept_are_refused() {
    let queries = var(&[1, 2, FEATURES], 1);
    let kept = var(&[1, 2, POSITIONS, FEATURES], 2);
    let [attention, ..] = kinds();
    for (sequence, position) in [(1, 0), (0, POSITIONS)] {
        assert!(attention.forward(&queries, &kept, &kept, &[Place { sequence, position }].into()).is_err());
    }
}

#[test]
fn values_and_gradients_of_packed_tokens_are_those_of_plain_operations_on_kept_keys_and_values() {
    packed_is_plain([3, 7]);
    // More than a tile, and all of its shapes.
    packed_is_plain([65, 130]);
}

fn packed_is_plain(lengths: [usize; 2]) {
    let longest = lengths[1];
    let places = lengths.iter().enumerate();
    let places = places.flat_map(|(sequence, &length)| (0..length).map(move |position| Place { sequence, position }));
    let places: Arc<[Place]> = places.collect();
    let tokens = places.len();
    for attention in kinds() {
        let queries = var(&[tokens, 4, FEATURES], 1);
        let [keys, values] = [2, 3].map(|salt| var(&[tokens, 2, FEATURES], salt));
        let kept = |new: &Var| {
            let padding = Tensor::zeros((longest - lengths[0], 2, FEATURES), new.dtype(), &Device::Cpu).unwrap();
            let [first, second] =
                [(0, lengths[0]), (lengths[0], lengths[1])].map(|(at, of)| new.narrow(0, at, of).unwrap());
            let first = Tensor::cat(&[first, padding], 0).unwrap();
            Tensor::stack(&[first, second], 0).unwrap().transpose(1, 2).unwrap().contiguous().unwrap()
        };
        let apart = attention.by_sequence(&queries, &kept(&keys), &kept(&values), &places).unwrap();
        let packed = attention.packed(&queries, &keys, &values, &Run::all(&places)).unwrap();
        assert_same_with_gradients(&packed, &apart, &[&queries, &keys, &values]);
    }
}
