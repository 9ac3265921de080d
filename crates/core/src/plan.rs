//! In which order the bytes of two checkpoints are read, and how many at a time.

use std::ops::Range;

use crate::checkpoint::{Location, Tensor};
use crate::pairing::{Pair, PairPart, Pairing};

/// Elements of a step, where the storage lets us choose: 2 MiB of BF16 on each side. Small enough that a handful under
/// way fit in memory anywhere, large enough that handing one to another thread costs nothing beside it.
const STEP_ELEMENTS: u64 = 1 << 20;

/// The steps of a measurement, in the order in which they are read: by A's shard and offset.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPlan {
    /// The steps. Those of one pair follow each other.
    pub steps: Vec<Step>,
}

/// Some elements of one pair, and the stored bytes that each side needs for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Index into [`Pairing::pairs`].
    pub pair: usize,
    /// The elements, counted in the tensors' logical order.
    pub elements: Range<u64>,
    /// A's bytes, as [`Storage::byte_ranges`](crate::checkpoint::Storage::byte_ranges) orders them.
    pub a: Vec<Location>,
    /// B's bytes.
    pub b: Vec<Location>,
}

impl Step {
    /// Bytes read from both sides.
    pub fn bytes(&self) -> u64 {
        self.a.iter().chain(&self.b).map(|location| location.bytes.end - location.bytes.start).sum()
    }
}

impl ReadPlan {
    /// Cuts every pair into steps; stretches of a tensor with nothing selected in them are not read.
    pub fn new(pairing: &Pairing) -> Self {
        Self { steps: pairing.pairs.iter().enumerate().flat_map(|(index, pair)| steps(index, pair, None)).collect() }
    }

    /// The first rows of every pair alone: as many as have `most` elements, and one at least. A row is a run of the last axis.
    pub fn of_first_rows(pairs: &[Pair], most: u64) -> Self {
        Self { steps: pairs.iter().enumerate().flat_map(|(index, pair)| steps(index, pair, Some(most))).collect() }
    }

    /// Bytes read in all.
    pub fn bytes(&self) -> u64 {
        self.steps.iter().map(Step::bytes).sum()
    }
}

fn steps(index: usize, pair: &Pair, most: Option<u64>) -> Vec<Step> {
    let stretches = stretches(&[&pair.a, &pair.b], &pair.parts, most);
    stretches.into_iter().map(|elements| step(index, pair, elements)).collect()
}

/// The elements of every step over tensors of one shape that are read together: those with something selected in them, of no
/// more than the first rows that have `most` elements.
pub(crate) fn stretches(tensors: &[&Tensor], parts: &[PairPart], most: Option<u64>) -> Vec<Range<u64>> {
    let Some(first) = tensors.first() else { return Vec::new() };
    let row = first.shape.last().copied().unwrap_or(1).max(1);
    let all = first.elements();
    let elements = most.map_or(u64::MAX, |most| (most / row).max(1).saturating_mul(row)).min(all);
    let granules = tensors.iter().map(|tensor| tensor.storage.granule(&tensor.shape));
    let granule = granules.fold(1, common_multiple);
    let length = (STEP_ELEMENTS / granule).max(1) * granule;
    if elements == 0 {
        // A tensor of no elements still gets its row in the report.
        return std::iter::once(0..0).collect();
    }
    (0..elements.div_ceil(length))
        .map(|number| number * length..((number + 1) * length).min(elements))
        .filter_map(|range| selected_span(parts, range))
        .map(|range| range.start / granule * granule..(range.end.div_ceil(granule) * granule).min(all))
        .collect()
}

fn step(index: usize, pair: &Pair, elements: Range<u64>) -> Step {
    let ranges = |tensor: &Tensor| tensor.storage.byte_ranges(&tensor.shape, elements.clone());
    Step { pair: index, a: ranges(&pair.a), b: ranges(&pair.b), elements }
}

/// From the first to the last selected element in `range`.
fn selected_span(parts: &[PairPart], range: Range<u64>) -> Option<Range<u64>> {
    if parts.iter().any(|part| part.region.is_whole()) {
        return Some(range);
    }
    let spans = parts.iter().filter_map(|part| part.region.span(range.clone()));
    spans.reduce(|one, other| one.start.min(other.start)..one.end.max(other.end))
}

fn common_multiple(x: u64, y: u64) -> u64 {
    let (mut divisor, mut rest) = (x, y);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    x / divisor * y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::{Part, Role, Site, Slice};
    use crate::checkpoint::Storage;
    use crate::dtype::Dtype;
    use crate::region::Region;

    fn tensor(shape: &[u64], dtype: Dtype, start: u64) -> Tensor {
        let bytes = start..start + shape.iter().product::<u64>() * dtype.bytes();
        Tensor {
            name: "t".into(),
            shape: shape.to_vec(),
            storage: Storage::Plain { dtype, at: Location { shard: 0, bytes } },
        }
    }

    fn pairing(a: Tensor, b: Tensor, boxes: Vec<Vec<Slice>>) -> Pairing {
        let site = Site { layer: None, role: Role::OTHER, part: Part::Weight, expert: None, slice: Vec::new() };
        let region = Region::new(&a.shape, boxes);
        let pairs = vec![Pair { a, b, parts: vec![PairPart { site, region }] }];
        Pairing { pairs, unpaired: Vec::new(), notes: Vec::new() }
    }

    #[test]
    fn steps_cover_every_element_once_with_the_bytes_of_each_dtype() {
        let shape = [3000, 1001];
        let plan =
            ReadPlan::new(&pairing(tensor(&shape, Dtype::BF16, 8), tensor(&shape, Dtype::F32, 80), vec![vec![]]));
        let mut next = 0;
        for step in &plan.steps {
            assert_eq!(step.elements.start, next);
            next = step.elements.end;
            assert_eq!(step.a[0].bytes, 8 + 2 * step.elements.start..8 + 2 * next);
            assert_eq!(step.b[0].bytes, 80 + 4 * step.elements.start..80 + 4 * next);
        }
        assert_eq!(next, 3000 * 1001);
        assert_eq!(plan.bytes(), 6 * next);
    }

    #[test]
    fn of_the_first_rows_whole_ones_are_read_and_one_at_least() {
        let shape = [3000, 1001];
        let pairs = pairing(tensor(&shape, Dtype::BF16, 0), tensor(&shape, Dtype::BF16, 0), vec![vec![]]).pairs;
        for (most, rows) in [(1, 1), (2002, 2), (3002, 2), (2_000_000, 1998), (u64::MAX, 3000)] {
            let plan = ReadPlan::of_first_rows(&pairs, most);
            assert_eq!(plan.steps.last().map(|step| step.elements.end), Some(rows * 1001));
            assert_eq!(plan.bytes(), 2 * 2 * rows * 1001);
        }
    }

    #[test]
    fn rows_that_are_not_selected_are_not_read() {
        let shape = [4096, 4096];
        let rows = vec![vec![Slice::contiguous(0, 1000, 10, 4096)]];
        let plan = ReadPlan::new(&pairing(tensor(&shape, Dtype::BF16, 0), tensor(&shape, Dtype::BF16, 0), rows));
        assert_eq!(plan.bytes(), 2 * 2 * 10 * 4096);
    }

    #[test]
    fn a_tensor_without_elements_has_a_step() {
        let empty = tensor(&[0, 7], Dtype::BF16, 0);
        let plan = ReadPlan::new(&pairing(empty.clone(), empty, vec![vec![]]));
        assert_eq!((plan.steps.len(), plan.bytes()), (1, 0));
    }
}
