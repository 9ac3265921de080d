//! Some of a tensor's elements, as runs of consecutive ones.

use std::ops::Range;

use crate::anatomy::Slice;

/// A set of elements of a row-major tensor: the union of some boxes, each the intersection of slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    shape: Vec<u64>,
    boxes: Vec<Vec<Slice>>,
}

impl Region {
    /// The elements of a tensor of this shape that lie in every slice of any of `boxes`, which must not overlap. An
    /// empty box is the whole tensor.
    pub fn new(shape: &[u64], boxes: Vec<Vec<Slice>>) -> Self {
        Self { shape: shape.to_vec(), boxes }
    }

    /// All elements.
    pub fn whole(shape: &[u64]) -> Self {
        Self::new(shape, vec![Vec::new()])
    }

    /// Whether this is every element of the tensor.
    pub fn is_whole(&self) -> bool {
        self.boxes.iter().any(Vec::is_empty)
    }

    /// The boxes, each a list of slices to intersect.
    pub fn boxes(&self) -> &[Vec<Slice>] {
        &self.boxes
    }

    /// The runs of consecutive elements of this region that lie in `within`, in ascending order, touching ones joined.
    pub fn runs(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for slices in &self.boxes {
            let before = runs.len();
            box_runs(&self.shape, slices, &within, &mut runs);
            debug_assert!(runs[before..].is_sorted_by_key(|run| run.start));
        }
        if self.boxes.len() > 1 {
            runs.sort_by_key(|run| run.start);
            join_touching(&mut runs);
        }
        runs
    }

    /// From the first to the last element of this region in `within`, if there is any.
    pub fn span(&self, within: Range<u64>) -> Option<Range<u64>> {
        // In pieces, so that a region of single elements does not make a long list; and from both ends, so that what lies
        // between them is not looked at.
        const PIECE: u64 = 1 << 12;
        let bounds = self.bounds();
        let (start, end) = (within.start.max(bounds.start), within.end.min(bounds.end));
        let piece = |number: u64| {
            let from = start + number * PIECE;
            self.runs(from..end.min(from + PIECE))
        };
        let pieces = end.saturating_sub(start).div_ceil(PIECE);
        let first = (0..pieces).find_map(|number| piece(number).first().map(|run| run.start))?;
        let last = (0..pieces).rev().find_map(|number| piece(number).last().map(|run| run.end))?;
        Some(first..last)
    }

    /// Elements outside of which there are none of this region, told at once from the slices of axis 0 (which divide stacked
    /// experts, and most fused tensors).
    pub fn bounds(&self) -> Range<u64> {
        let Some((&rows, inner)) = self.shape.split_first() else { return 0..1 };
        let inner: u64 = inner.iter().product();
        let bounds = |slices: &Vec<Slice>| {
            let along_rows = slices.iter().filter(|slice| slice.axis == 0);
            // One that repeats may reach the end.
            let end = |slice: &Slice| {
                if slice.period >= rows { slice.start + slice.length * slice.stride } else { rows }
            };
            let narrowed =
                along_rows.fold(0..rows, |rows, slice| rows.start.max(slice.start)..rows.end.min(end(slice)));
            narrowed.start * inner..narrowed.end.max(narrowed.start) * inner
        };
        let all = self.boxes.iter().map(bounds);
        all.reduce(|one, other| one.start.min(other.start)..one.end.max(other.end)).unwrap_or(0..0)
    }

    /// How many elements.
    pub fn elements(&self) -> u64 {
        self.boxes.iter().map(|slices| box_shape(&self.shape, slices).iter().product::<u64>()).sum()
    }

    /// How many indices of each axis are in the first box: the shape of the tensor that this would be on its own.
    pub fn dimensions(&self) -> Vec<u64> {
        self.boxes.first().map_or_else(Vec::new, |slices| box_shape(&self.shape, slices))
    }
}

fn box_shape(shape: &[u64], slices: &[Slice]) -> Vec<u64> {
    let indices = |(axis, &dimension)| axis_runs(axis, dimension, slices, 0..dimension).iter().map(length).sum();
    shape.iter().enumerate().map(indices).collect()
}

fn length(run: &Range<u64>) -> u64 {
    run.end - run.start
}

/// Appends the runs of one box that lie in `within`.
fn box_runs(shape: &[u64], slices: &[Slice], within: &Range<u64>, runs: &mut Vec<Range<u64>>) {
    // The innermost sliced axis decides how long a run can be: everything behind it is contiguous.
    let Some(last) = slices.iter().map(|slice| slice.axis).max() else {
        let elements = shape.iter().product::<u64>();
        push_run(runs, within.start..within.end.min(elements));
        return;
    };
    descend(shape, slices, 0, last, 0, within, runs);
}

/// Visits the indices of `axis` that are in the slices and overlap `within`; `base` is the first element of this subtree.
fn descend(
    shape: &[u64],
    slices: &[Slice],
    axis: usize,
    last: usize,
    base: u64,
    within: &Range<u64>,
    runs: &mut Vec<Range<u64>>,
) {
    let inner: u64 = shape[axis + 1..].iter().product();
    if inner == 0 || within.end <= base {
        return;
    }
    let first = within.start.saturating_sub(base) / inner;
    let end = (within.end - base).div_ceil(inner).min(shape[axis]);
    for run in axis_runs(axis, shape[axis], slices, first..end) {
        if axis == last {
            let start = (base + run.start * inner).max(within.start);
            push_run(runs, start..(base + run.end * inner).min(within.end));
        } else {
            for index in run {
                descend(shape, slices, axis + 1, last, base + index * inner, within, runs);
            }
        }
    }
}

/// The runs of indices of one axis that lie in `within` and in every slice of that axis.
pub(crate) fn axis_runs(axis: usize, dimension: u64, slices: &[Slice], within: Range<u64>) -> Vec<Range<u64>> {
    let mut runs = Vec::new();
    push_run(&mut runs, within.start..within.end.min(dimension));
    for slice in slices.iter().filter(|slice| slice.axis == axis) {
        let mut narrowed = Vec::new();
        for run in &runs {
            slice_runs(slice, run, &mut narrowed);
        }
        runs = narrowed;
    }
    runs
}

/// Appends the runs of one slice's indices that lie in `within`.
fn slice_runs(slice: &Slice, within: &Range<u64>, runs: &mut Vec<Range<u64>>) {
    if slice.length == 0 {
        return;
    }
    let period = slice.period.max(1);
    // A whole period, from its first index to past its last.
    let span = (slice.length - 1) * slice.stride + 1;
    let mut start = slice.start + within.start.saturating_sub(slice.start + span - 1).div_ceil(period) * period;
    while start < within.end {
        if slice.stride == 1 {
            push_run(runs, start.max(within.start)..(start + slice.length).min(within.end));
        } else {
            for j in 0..slice.length {
                let index = start + j * slice.stride;
                if within.contains(&index) {
                    push_run(runs, index..index + 1);
                }
            }
        }
        start += period;
    }
}

/// Appends a run, joined with the one before if they touch.
fn push_run(runs: &mut Vec<Range<u64>>, run: Range<u64>) {
    if run.start >= run.end {
        return;
    }
    match runs.last_mut() {
        Some(before) if before.end == run.start => before.end = run.end,
        _ => runs.push(run),
    }
}

fn join_touching(runs: &mut Vec<Range<u64>>) {
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(runs.len());
    for run in runs.drain(..) {
        push_run(&mut joined, run);
    }
    *runs = joined;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, element by element.
    fn contains(slice: &Slice, index: u64) -> bool {
        index.checked_sub(slice.start).is_some_and(|offset| {
            let within_period = offset % slice.period;
            within_period.is_multiple_of(slice.stride) && within_period / slice.stride < slice.length
        })
    }

    fn slice(axis: usize, dimension: u64) -> impl Strategy<Value = Slice> {
        (0..dimension, 1..=dimension, 1_u64..4).prop_flat_map(move |(start, length, stride)| {
            let span = (length - 1) * stride + 1;
            (span..=span + dimension).prop_map(move |period| Slice { axis, start, length, stride, period })
        })
    }

    proptest! {
        #[test]
        fn runs_are_the_elements_that_every_slice_contains(
            (shape, slices) in (1_u64..7, 1_u64..9, 1_u64..5).prop_flat_map(|(x, y, z)| {
                (Just(vec![x, y, z]), (slice(0, x), slice(1, y), slice(2, z)))
            }),
            keep in prop::collection::vec(any::<bool>(), 3),
            (from, to) in (0_u64..300, 0_u64..300),
        ) {
            let slices: Vec<Slice> =
                [slices.0, slices.1, slices.2].into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(s, _)| s).collect();
            let region = Region::new(&shape, vec![slices.clone()]);
            let elements = shape.iter().product::<u64>();
            let expected: Vec<u64> = (from..to.min(elements))
                .filter(|&element| {
                    let index = [element / (shape[1] * shape[2]), element / shape[2] % shape[1], element % shape[2]];
                    slices.iter().all(|slice| contains(slice, index[slice.axis]))
                })
                .collect();
            let bounds = region.bounds();
            prop_assert!(region.runs(0..elements).into_iter().flatten().all(|element| bounds.contains(&element)));
            let runs = region.runs(from..to.max(from));
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            let span = expected.first().zip(expected.last()).map(|(first, last)| *first..last + 1);
            prop_assert_eq!(region.span(from..to.max(from)), span);
            prop_assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), expected);
            prop_assert_eq!(region.elements(), region.runs(0..elements).iter().map(length).sum::<u64>());
        }
    }

    #[test]
    fn bounds_are_those_of_the_rows_that_are_sliced() {
        let rows = |start, length, period| vec![Slice { axis: 0, start, length, stride: 1, period }];
        assert_eq!(Region::new(&[8, 3], vec![rows(2, 1, 8), rows(5, 2, 8)]).bounds(), 6..21);
        assert_eq!(Region::new(&[8, 3], vec![rows(1, 1, 4)]).bounds(), 3..24);
        assert_eq!(Region::whole(&[8, 3]).bounds(), 0..24);
        assert_eq!(Region::whole(&[]).bounds(), 0..1);
    }

    #[test]
    fn touching_runs_of_two_boxes_are_joined() {
        let head = |h: u64| vec![Slice::contiguous(0, h * 2, 2, 8)];
        let region = Region::new(&[8, 3], vec![head(2), head(1)]);
        assert_eq!(region.runs(0..24), vec![6..18]);
    }
}
