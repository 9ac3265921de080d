//! Which elements of a stored tensor belong to which module, expert and head.

use super::expression::NoValue;
use super::site::{Part, Role, Site, Slice};
use super::{Entry, Layout, Modules, Piece, Side};
use crate::config::ModelConfig;

/// More experts than any stack is believed to hold; a longer axis 0 is taken for something else.
const MOST_EXPERTS: u64 = 4096;

/// A module's elements along the axis that is split.
pub(super) struct Share<'a> {
    pub(super) role: &'a Role,
    /// None where the module has the whole axis.
    pub(super) slice: Option<Slice>,
}

/// The place of the tensor in the network, found from its name.
pub(super) struct Place {
    pub(super) layer: Option<u32>,
    pub(super) expert: Option<u32>,
    pub(super) part: Part,
}

impl Entry {
    /// The sites of a tensor of this shape, or why the shape contradicts the table.
    pub(super) fn sites(
        &self,
        place: &Place,
        shape: &[u64],
        config: Option<&ModelConfig>,
    ) -> Result<Vec<Site>, String> {
        let shares = self.shares(place, shape, config)?;
        let site = |share: &Share<'_>, expert, stack: Option<Slice>| Site {
            layer: place.layer,
            role: share.role.clone(),
            part: place.part.clone(),
            expert,
            slice: stack.into_iter().chain(share.slice).collect(),
        };
        if !self.stacked {
            return Ok(shares.iter().map(|share| site(share, place.expert, None)).collect());
        }
        let count = shape.first().copied().unwrap_or(0);
        // A stack of nothing costs no bytes in a file, however many entries it claims.
        if shape.is_empty() || shape.contains(&0) {
            return Err("a stack of experts should not be empty".to_owned());
        }
        if count > MOST_EXPERTS {
            return Err(format!("axis 0 has {count} entries, more than the {MOST_EXPERTS} experts that are believed"));
        }
        Ok((0..count)
            .zip(0_u32..)
            .flat_map(|(index, expert)| {
                let stack = Slice::contiguous(0, index, 1, count);
                shares.iter().map(move |share| site(share, Some(expert), Some(stack)))
            })
            .collect())
    }

    /// How the modules that share the tensor divide its out side.
    fn shares(&self, place: &Place, shape: &[u64], config: Option<&ModelConfig>) -> Result<Vec<Share<'_>>, String> {
        let (pieces, repeated) = match &self.modules {
            Modules::One(role) => return Ok(vec![Share { role, slice: None }]),
            Modules::Split { pieces, repeated } => (pieces, repeated),
        };
        let axis = self.axis(Side::Out, &place.part, shape.len()).ok_or_else(|| {
            let rank = shape.len();
            format!(
                "a {} that several modules share should not have {rank} {}",
                place.part,
                if rank == 1 { "axis" } else { "axes" }
            )
        })?;
        let dimension = shape.get(axis).copied().unwrap_or(0);
        let lengths = lengths(pieces, dimension, config)?;
        let period = lengths.iter().try_fold(0_u64, |sum, length| sum.checked_add(*length)).unwrap_or(0);
        let times = match repeated {
            None => 1,
            Some(times) => times.value(dimension, config).map_err(explain)?,
        };
        if period == 0 || period.checked_mul(times) != Some(dimension) {
            let times = if repeated.is_some() { format!("{times} × ") } else { String::new() };
            let sizes: Vec<String> =
                pieces.iter().zip(&lengths).map(|(piece, length)| format!("{} {length}", piece.role)).collect();
            return Err(format!(
                "axis {axis} has {dimension} entries, where {times}({}) were expected",
                sizes.join(" + ")
            ));
        }
        let mut start = 0;
        let mut shares = Vec::with_capacity(pieces.len());
        for (piece, length) in pieces.iter().zip(lengths) {
            if length > 0 {
                shares.push(Share { role: &piece.role, slice: Some(Slice { axis, start, length, stride: 1, period }) });
            }
            start += length;
        }
        Ok(shares)
    }

    /// The axis of a side of the module's parameter; none where a tensor of this rank has no such axis.
    pub(super) fn axis(&self, side: Side, part: &Part, rank: usize) -> Option<usize> {
        let first = usize::from(self.stacked);
        let own_rank = rank.checked_sub(first)?;
        match (part, side, own_rank) {
            (Part::Bias, Side::Out, 1) => Some(first),
            (Part::Bias, ..) => None,
            // A lone vector (a sink per head) has nothing but its out side.
            (Part::Weight, Side::Out, 1) => Some(first),
            (Part::Weight, Side::In, 0 | 1) | (Part::Weight, Side::Out, 0) => None,
            (Part::Weight, side, _) => {
                let out_first = self.layout == Layout::OutIn;
                Some(if (side == Side::Out) == out_first { first } else { rank - 1 })
            }
        }
    }
}

fn lengths(pieces: &[Piece], dimension: u64, config: Option<&ModelConfig>) -> Result<Vec<u64>, String> {
    pieces.iter().map(|piece| piece.length.value(dimension, config)).collect::<Result<_, _>>().map_err(explain)
}

pub(super) fn explain(no_value: NoValue) -> String {
    match no_value {
        NoValue::Unknown(name) => format!("config.json does not give {name}, which says where the modules in it begin"),
        NoValue::NotWhole => "the sizes in config.json do not divide it into modules".to_owned(),
    }
}

/// How an attention module's heads lie in one site of a tensor.
///
/// For queries and outputs these are query heads; for keys and values, their own, of which grouped-query attention has
/// fewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// How many heads.
    pub count: u64,
    axis: usize,
    dimension: u64,
    features: u64,
    slice: Option<Slice>,
}

impl Heads {
    /// `count` heads in `slice` (or all) of an axis; none where they do not divide it evenly.
    pub(super) fn new(count: u64, axis: usize, dimension: u64, slice: Option<Slice>) -> Option<Self> {
        let elements = match slice {
            None => dimension,
            Some(slice) => slice.length.checked_mul(dimension.checked_div(slice.period)?)?,
        };
        let even = count > 0 && elements > 0 && elements.is_multiple_of(count);
        even.then(|| Self { count, axis, dimension, features: elements / count, slice })
    }

    /// The axis of the tensor along which they lie.
    pub const fn axis(&self) -> usize {
        self.axis
    }

    /// Indices of that axis, among the site's own, that one head has. The site's first `features` are head 0.
    pub const fn features(&self) -> u64 {
        self.features
    }

    /// A slice whose intersection with the site's own is the heads `first..end`; none if there are none of those.
    pub fn window(&self, first: u64, end: u64) -> Option<Slice> {
        let end = end.min(self.count);
        if first >= end {
            return None;
        }
        let start = self.index(first * self.features);
        let length = self.index(end * self.features - 1) + 1 - start;
        Some(Slice::contiguous(self.axis, start, length, self.dimension))
    }

    /// The index along the axis of the site's element number `position`.
    fn index(&self, position: u64) -> u64 {
        match self.slice {
            None => position,
            Some(slice) => {
                slice.start + position / slice.length * slice.period + position % slice.length * slice.stride
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Region;

    fn rows(slice: Option<Slice>, window: Slice) -> Vec<u64> {
        let region = Region::new(&[24], vec![slice.into_iter().chain([window]).collect()]);
        region.runs(0..24).into_iter().flatten().collect()
    }

    #[test]
    fn heads_of_a_whole_axis_lie_one_after_another() {
        let heads = Heads::new(4, 0, 24, None).unwrap();
        assert_eq!(rows(None, heads.window(1, 3).unwrap()), (6..18).collect::<Vec<_>>());
        assert_eq!((heads.window(4, 9), heads.window(2, 2)), (None, None));
    }

    #[test]
    fn heads_of_an_interleaved_slice_are_its_periods() {
        let keys = Slice { axis: 0, start: 4, length: 4, stride: 1, period: 12 };
        let heads = Heads::new(2, 0, 24, Some(keys)).unwrap();
        assert_eq!(rows(Some(keys), heads.window(1, 2).unwrap()), [16, 17, 18, 19]);
        assert_eq!(rows(Some(keys), heads.window(0, 9).unwrap()), [4, 5, 6, 7, 16, 17, 18, 19]);
    }

    #[test]
    fn heads_that_do_not_divide_the_axis_are_refused() {
        assert_eq!(Heads::new(5, 0, 24, None), None);
        assert_eq!(Heads::new(0, 0, 24, None), None);
    }
}
