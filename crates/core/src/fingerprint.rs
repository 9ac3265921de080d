//! A short name for the weights of a checkpoint, that can be had without reading them all.
//!
//! The fingerprint is the SHA-256, in hexadecimal, of
//!
//! 1. the text `stethoscope.fingerprint/1` and a newline;
//! 2. the number of shards, as eight bytes, little-endian;
//! 3. the digests of all shards, 32 bytes each, in ascending order.
//!
//! A shard's digest is the SHA-256 of the start of its file up to its first tensor (the length of the header and the
//! header), and of a sample of each tensor, in the order of their positions: its first and its last 4 KiB, or all of it
//! if it has 8 KiB or less. The header gives every length, so nothing else has to. File names and folders do not matter,
//! while the same tensors cut into other shards are another checkpoint.

use std::ops::Range;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use crate::checkpoint::Checkpoint;
use crate::shard_header::ShardHeader;
use crate::source::{ByteSource, ReadError};

/// What is read at each end of a tensor.
const SAMPLE: u64 = 4096;

/// Longest read: where thousands of small tensors lie side by side, all of them are sampled whole.
const LONGEST_READ: u64 = 1 << 20;

/// Shards, and reads in each, that are under way at the same time where the source takes its time.
const SHARDS_AT_ONCE: usize = 4;
const READS_AT_ONCE: usize = 8;

/// The fingerprint of a checkpoint, 64 hexadecimal digits.
pub async fn fingerprint(checkpoint: &Checkpoint) -> Result<String, ReadError> {
    let mut shards: Vec<[u8; 32]> = stream::iter(checkpoint.sources.iter().zip(&checkpoint.headers))
        .map(|(source, header)| shard_digest(&**source, header))
        .buffer_unordered(SHARDS_AT_ONCE)
        .try_collect()
        .await?;
    shards.sort_unstable();
    let mut hasher = Sha256::new();
    hasher.update(b"stethoscope.fingerprint/1\n");
    hasher.update((shards.len() as u64).to_le_bytes());
    for digest in shards {
        hasher.update(digest);
    }
    Ok(hexadecimal(&hasher.finalize()))
}

async fn shard_digest(source: &dyn ByteSource, header: &ShardHeader) -> Result<[u8; 32], ReadError> {
    let samples = header.tensors.iter().flat_map(|tensor| samples(&tensor.bytes));
    let ranges = std::iter::once(0..header.header_bytes).chain(samples);
    let mut blocks = stream::iter(joined(ranges)).map(|range| source.read(range)).buffered(READS_AT_ONCE);
    let mut hasher = Sha256::new();
    while let Some(block) = blocks.try_next().await? {
        hasher.update(block.bytes());
    }
    Ok(hasher.finalize().into())
}

/// Both ends of a tensor, or all of a small one.
fn samples(bytes: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let Range { start, end } = *bytes;
    let (first, last) =
        if end - start <= 2 * SAMPLE { (start..end, None) } else { (start..start + SAMPLE, Some(end - SAMPLE..end)) };
    std::iter::once(first).chain(last)
}

/// The same bytes in the same order, in fewer ranges: the end of one tensor and the start of the next are one read.
fn joined(ranges: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end == range.start && range.end - last.start <= LONGEST_READ => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::checkpoint::CheckpointFiles;
    use crate::source::MemorySource;

    /// The files that tests/goldens/fingerprint.py makes too.
    fn files() -> Vec<Vec<u8>> {
        let file = |header: &str, length: u64| {
            let mut file = (header.len() as u64).to_le_bytes().to_vec();
            file.extend_from_slice(header.as_bytes());
            file.extend((0..length).map(|index| (index * 7 % 251) as u8));
            file
        };
        vec![
            file(
                r#"{"a":{"dtype":"U8","shape":[20000],"data_offsets":[0,20000]},"b":{"dtype":"BF16","shape":[4096],"data_offsets":[20000,28192]}}"#,
                28_192,
            ),
            file(r#"{"c":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#, 0),
        ]
    }

    fn of(names: [&str; 2], files: Vec<Vec<u8>>) -> String {
        let source = |(name, file): (&str, Vec<u8>)| Arc::new(MemorySource::new(name, file)) as Arc<dyn ByteSource>;
        let files = CheckpointFiles {
            reference: "x".to_owned(),
            shards: names.into_iter().zip(files).map(source).collect(),
            index: None,
            side_files: BTreeMap::new(),
            notes: Vec::new(),
        };
        pollster::block_on(async { fingerprint(&Checkpoint::read(files).await.unwrap()).await.unwrap() })
    }

    #[test]
    fn a_fingerprint_is_what_its_definition_says() {
        assert_eq!(of(["1", "2"], files()), "40ccb2305a3ab9201be6245e81b6f201847fbbb649e0e87613a39bf86c631b93");
    }

    #[test]
    fn samples_that_touch_are_one_read_unless_it_grows_too_long() {
        let ends = samples(&(100..20_100)).chain(samples(&(20_100..28_292)));
        let ranges = joined(std::iter::once(0..100).chain(ends));
        assert_eq!(ranges, [0..4_196, 16_004..28_292]);
        let small = (0..1_000).map(|index| index * 8_192..(index + 1) * 8_192);
        let ranges = joined(small);
        assert!(ranges.len() == 8 && ranges.iter().all(|range| range.end - range.start <= LONGEST_READ), "{ranges:?}");
    }

    #[test]
    fn file_names_do_not_matter() {
        let mut swapped = files();
        swapped.reverse();
        assert_eq!(of(["x/1", "x/2"], files()), of(["y/b", "y/a"], swapped));
    }

    #[test]
    fn both_ends_of_a_tensor_and_the_header_matter_and_its_middle_does_not() {
        let start = files()[0].len() - 28_192;
        let changed = |place: usize| {
            let mut files = files();
            files[0][place] ^= 1;
            of(["1", "2"], files)
        };
        let original = of(["1", "2"], files());
        for place in [start, start + 4_095, start + 15_904, start + 19_999, start + 24_096, 10] {
            assert_ne!(changed(place), original, "{place}");
        }
        for place in [start + 4_096, start + 15_903] {
            assert_eq!(changed(place), original, "{place}");
        }
    }
}
