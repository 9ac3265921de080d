//! Sets of heads.

use std::ops::Range;

/// Some of the units of a site, which are its heads, or one for the whole site: disjoint ranges, ascending, not touching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Units(Vec<Range<u64>>);

impl Units {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// The units of `range`.
    pub(super) fn range(range: Range<u64>) -> Self {
        if range.is_empty() { Self::none() } else { Self(vec![range]) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are all of `count` units.
    pub(super) fn is_all(&self, count: u64) -> bool {
        matches!(self.0.as_slice(), [range] if *range == (0..count))
    }

    pub(super) fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }

    /// Those of `count` units that are not among these.
    pub(super) fn complement(&self, count: u64) -> Self {
        let starts = [0].into_iter().chain(self.0.iter().map(|range| range.end));
        let ends = self.0.iter().map(|range| range.start).chain([count]);
        Self(starts.zip(ends).map(|(start, end)| start..end).filter(|range| !range.is_empty()).collect())
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|a| other.0.iter().map(move |b| a.start.max(b.start)..a.end.min(b.end)));
        Self(pairs.filter(|range| !range.is_empty()).collect())
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let mut ranges: Vec<Range<u64>> = self.0.iter().chain(&other.0).cloned().collect();
        ranges.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Self(joined)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members(units: &Units) -> Vec<u64> {
        units.0.iter().cloned().flatten().collect()
    }

    fn of(members: &[bool]) -> Units {
        (0..)
            .zip(members)
            .filter(|(_, member)| **member)
            .fold(Units::none(), |units, (index, _)| units.union(&Units::range(index..index + 1)))
    }

    proptest! {
        #[test]
        fn sets_of_units_are_sets(a in prop::collection::vec(any::<bool>(), 9), b in prop::collection::vec(any::<bool>(), 9)) {
            let expected = |keep: fn(bool, bool) -> bool| -> Vec<u64> {
                (0..9).filter(|&i| keep(a[i as usize], b[i as usize])).collect()
            };
            prop_assert_eq!(members(&of(&a).union(&of(&b))), expected(|a, b| a || b));
            prop_assert_eq!(members(&of(&a).intersection(&of(&b))), expected(|a, b| a && b));
            prop_assert_eq!(members(&of(&a).complement(9)), expected(|a, _| !a));
            prop_assert_eq!(of(&a).is_all(9), a.iter().all(|member| *member));
            prop_assert_eq!(of(&a).is_empty(), !a.contains(&true));
        }
    }
}
