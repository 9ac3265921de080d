use proptest::prelude::*;

use super::*;

fn total(lengths: &[usize], block: &[usize]) -> usize {
    block.iter().map(|&example| lengths[example]).sum()
}

proptest! {
    #[test]
    fn every_example_is_in_one_block_and_no_block_is_too_long(
        lengths in prop::collection::vec(0_usize..=64, 0..80), block in 64_usize..200, seed: u64, epoch: u64,
    ) {
        let order = Order::new(&lengths, block, seed);
        let blocks = order.blocks(epoch);
        prop_assert!(blocks.iter().all(|one| !one.is_empty() && total(&lengths, one) <= block));
        let mut all = blocks.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        prop_assert_eq!(&blocks, &Order::new(&lengths, block, seed).blocks(epoch));
    }

    #[test]
    fn no_two_blocks_would_fit_into_one(lengths in prop::collection::vec(1_usize..=64, 1..80), seed: u64) {
        let blocks = Order::new(&lengths, 64, seed).blocks(0);
        let mut totals: Vec<usize> = blocks.iter().map(|block| total(&lengths, block)).collect();
        totals.sort_unstable();
        prop_assert!(totals.windows(2).take(1).all(|two| two[0] + two[1] > 64));
    }
}

#[test]
fn epochs_and_seeds_have_orders_of_their_own() {
    let lengths = vec![3; 50];
    let blocks = |seed, epoch| Order::new(&lengths, 10, seed).blocks(epoch);
    assert_ne!(blocks(1, 0), blocks(1, 1));
    assert_ne!(blocks(1, 0), blocks(2, 0));
    assert_eq!(blocks(1, 0).len(), 17);
}

/// Whoever goes on after an update of the program must find the same blocks. By `tests/goldens/training_order.py`.
#[test]
fn the_order_is_what_its_definition_says() {
    let order = Order::new(&[5, 3, 8, 2, 7, 4, 1, 6, 9, 2], 10, 42);
    let expected: [&[&[usize]]; 2] =
        [&[&[0, 5, 6], &[7, 1], &[4, 3], &[2, 9], &[8]], &[&[4, 1], &[3, 5, 6, 9], &[0], &[7], &[8], &[2]]];
    assert_eq!([order.blocks(0), order.blocks(1)], expected);
}

#[test]
fn a_long_example_has_a_block_to_itself() {
    let blocks = Order::new(&[99, 1, 1], 10, 1).blocks(0);
    assert!(blocks.contains(&vec![0]));
    assert_eq!(blocks.len(), 2);
    assert!(Order::new(&[], 10, 1).blocks(0).is_empty());
}

#[test]
fn a_hundred_thousand_examples_are_packed_well() {
    let lengths: Vec<usize> = (0..100_000).map(|at| 200 + at * 7919 % 3_801).collect();
    let blocks = Order::new(&lengths, 16_384, 7).blocks(3);
    let fewest = lengths.iter().sum::<usize>().div_ceil(16_384);
    assert!(blocks.len() <= fewest + fewest / 50, "{} of {fewest}", blocks.len());
}
