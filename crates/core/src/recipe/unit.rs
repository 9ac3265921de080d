//! Some elements of a tensor as a tensor of their own: a module inside a fused one, or some heads of it.

use std::ops::Range;

use crate::anatomy::Slice;
use crate::region::{Region, axis_runs};

/// The elements of one box of a tensor, numbered in their order.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub region: Region,
    shape: Vec<u64>,
    /// The indices of every axis, as runs, each with how many come before it.
    axes: Vec<Vec<(u64, Range<u64>)>>,
    /// How many indices every axis has.
    pub dimensions: Vec<u64>,
}

impl Unit {
    /// The elements that lie in every one of `slices`.
    pub fn new(shape: &[u64], slices: &[Slice]) -> Self {
        let mut axes = Vec::with_capacity(shape.len());
        let mut dimensions = Vec::with_capacity(shape.len());
        for (axis, &dimension) in shape.iter().enumerate() {
            let mut before = 0;
            let runs = axis_runs(axis, dimension, slices, 0..dimension).into_iter().map(|run| {
                let counted = (before, run.clone());
                before += run.end - run.start;
                counted
            });
            axes.push(runs.collect());
            dimensions.push(before);
        }
        Self { region: Region::new(shape, vec![slices.to_vec()]), shape: shape.to_vec(), axes, dimensions }
    }

    /// How many elements.
    pub fn elements(&self) -> u64 {
        self.dimensions.iter().product()
    }

    /// The number, among the unit's, of an element of the tensor that is one of them.
    pub fn number(&self, element: u64) -> u64 {
        let (mut rest, mut number, mut step) = (element, 0, 1);
        for ((&dimension, runs), &own) in self.shape.iter().zip(&self.axes).zip(&self.dimensions).rev() {
            let index = rest % dimension.max(1);
            rest /= dimension.max(1);
            let run = runs.partition_point(|(_, run)| run.end <= index);
            number += step * runs.get(run).map_or(0, |(before, run)| before + index.saturating_sub(run.start));
            step *= own;
        }
        number
    }

    /// The element of the tensor that has a number among the unit's.
    fn element(&self, number: u64) -> u64 {
        let (mut rest, mut element, mut step) = (number, 0, 1);
        for ((&dimension, runs), &own) in self.shape.iter().zip(&self.axes).zip(&self.dimensions).rev() {
            let position = rest % own.max(1);
            rest /= own.max(1);
            let run = runs.partition_point(|(before, _)| *before <= position).saturating_sub(1);
            element += step * runs.get(run).map_or(0, |(before, run)| run.start + position - before);
            step *= dimension;
        }
        element
    }

    /// Where in the tensor some of the unit's elements are.
    pub fn runs(&self, numbers: Range<u64>) -> Vec<Range<u64>> {
        if numbers.start >= numbers.end {
            return Vec::new();
        }
        self.region.runs(self.element(numbers.start)..self.element(numbers.end - 1) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_a_part_are_numbered_in_their_order() {
        let column = |start, stride| Slice { axis: 2, start, length: 2, stride, period: 6 };
        for slices in [
            vec![],
            vec![Slice::contiguous(0, 1, 1, 2)],
            vec![Slice::contiguous(0, 1, 1, 2), column(1, 2)],
            vec![Slice::contiguous(1, 1, 2, 3), column(0, 1)],
        ] {
            let unit = Unit::new(&[2, 3, 6], &slices);
            let all: Vec<u64> = unit.region.runs(0..36).into_iter().flatten().collect();
            assert_eq!(unit.elements(), all.len() as u64);
            for (number, &element) in (0..).zip(&all) {
                assert_eq!((unit.number(element), unit.element(number)), (number, element));
            }
            let some: Vec<u64> = unit.runs(2..4).into_iter().flatten().collect();
            assert_eq!(some, all[2..4]);
        }
    }
}
