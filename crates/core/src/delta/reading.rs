//! Reading the bytes of steps: ahead of their use, and neighbours together where every read costs time of its own.

use std::ops::Range;
use std::sync::Arc;

use futures_util::future::try_join;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use crate::checkpoint::{Checkpoint, Location};
use crate::compute::{Measurement, Task};
use crate::plan::Step;
use crate::source::{Block, ReadError};

/// Groups of steps whose bytes are asked for before they are needed, for sources that take their time.
pub(crate) const READ_AHEAD: usize = 4;

/// Reads under way for one side of one group.
const READS_AT_ONCE: usize = 16;

/// Bytes that nobody wants are read too where they are fewer than this and lie between some that are wanted: another
/// read would take longer.
const GAP: u64 = 16 << 10;

/// The tasks of a measurement, in the order of its steps.
pub fn tasks<'c>(
    a: &'c Checkpoint,
    b: &'c Checkpoint,
    measurement: &'c Arc<Measurement>,
) -> impl Stream<Item = Result<Task, ReadError>> + use<'c> {
    let groups = groups(measurement.steps.iter().map(Step::bytes), read_size(a) + read_size(b));
    stream::iter(groups)
        .map(move |group| async move {
            let steps = &measurement.steps[group.clone()];
            let locations = |side: fn(&Step) -> &[Location]| steps.iter().map(side).collect::<Vec<_>>();
            let (blocks_a, blocks_b) =
                try_join(read(a, locations(|step| &step.a)), read(b, locations(|step| &step.b))).await?;
            let tasks = group.zip(blocks_a).zip(blocks_b);
            let tasks = tasks.map(|((step, a), b)| Ok(Task { measurement: measurement.clone(), step, a, b }));
            Ok(stream::iter(tasks))
        })
        .buffered(READ_AHEAD)
        .try_flatten()
}

/// Bytes that are best read at once.
pub(crate) fn read_size(checkpoint: &Checkpoint) -> u64 {
    checkpoint.sources.iter().map(|source| source.read_size()).max().unwrap_or(0)
}

/// Cuts steps of these sizes into groups of at most so many bytes, or one step.
pub(crate) fn groups(steps: impl Iterator<Item = u64>, most_bytes: u64) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, step) in steps.enumerate() {
        match groups.last_mut() {
            Some(group) if bytes + step <= most_bytes => {
                group.end = index + 1;
                bytes += step;
            }
            _ => {
                groups.push(index..index + 1);
                bytes = step;
            }
        }
    }
    groups
}

/// The blocks of each step of a group.
pub(crate) async fn read(checkpoint: &Checkpoint, steps: Vec<&[Location]>) -> Result<Vec<Vec<Block>>, ReadError> {
    let stretches = if steps.len() == 1 { steps[0].to_vec() } else { merged(steps.concat()) };
    let reads = stretches.iter().map(|at| checkpoint.sources[at.shard].read(at.bytes.clone()));
    let blocks: Vec<Block> = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
    if steps.len() == 1 {
        return Ok(vec![blocks]);
    }
    let block = |wanted: &Location| {
        // They are sorted: it is in the last stretch that does not start behind it.
        let key = (wanted.shard, wanted.bytes.start);
        let index = stretches.partition_point(|stretch| (stretch.shard, stretch.bytes.start) <= key) - 1;
        let from = (wanted.bytes.start - stretches[index].bytes.start) as usize;
        blocks[index].slice(from..from + (wanted.bytes.end - wanted.bytes.start) as usize)
    };
    Ok(steps.iter().map(|locations| locations.iter().map(block).collect()).collect())
}

/// Puts what lies side by side together: sorted stretches that hold all the locations.
fn merged(mut locations: Vec<Location>) -> Vec<Location> {
    locations.sort_by_key(|location| (location.shard, location.bytes.start, location.bytes.end));
    let mut stretches: Vec<Location> = Vec::new();
    for location in locations {
        match stretches.last_mut() {
            Some(last)
                if last.shard == location.shard && location.bytes.start <= last.bytes.end.saturating_add(GAP) =>
            {
                last.bytes.end = last.bytes.end.max(location.bytes.end);
            }
            _ => stretches.push(location),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(shard: usize, bytes: Range<u64>) -> Location {
        Location { shard, bytes }
    }

    #[test]
    fn groups_hold_as_many_steps_as_fit_and_at_least_one() {
        let steps = [10, 10, 70, 5, 25];
        assert_eq!(groups(steps.into_iter(), 30), [0..2, 2..3, 3..5]);
        assert_eq!(groups(steps.into_iter(), 0), [0..1, 1..2, 2..3, 3..4, 4..5]);
        assert!(groups([].into_iter(), 30).is_empty());
    }

    #[test]
    fn what_lies_side_by_side_is_one_stretch() {
        let far = 30 + GAP + 1;
        let scattered = vec![at(1, 0..5), at(0, far..far + 2), at(0, 20..30), at(0, 0..10), at(0, 5..8)];
        assert_eq!(merged(scattered), [at(0, 0..30), at(0, far..far + 2), at(1, 0..5)]);
    }
}
