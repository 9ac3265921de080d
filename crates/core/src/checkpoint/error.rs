//! Why shards do not make a checkpoint.

use crate::quoted::Quoted;
use crate::shard_header::ShardHeaderError;
use crate::shard_index::ShardIndexError;

/// The shards of a checkpoint could not be put together.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum CheckpointError {
    /// A shard's header could not be read.
    #[error(transparent)]
    Header(#[from] ShardHeaderError),
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] ShardIndexError),
    #[error("{reference}: there are no shards; at least one .safetensors file was expected")]
    NoShards { reference: String },
    #[error(
        "{index} puts tensor {} in {}, but that file is missing; fetch it, or the whole checkpoint again",
        Quoted(tensor),
        Quoted(shard)
    )]
    MissingShard { index: String, tensor: String, shard: String },
    #[error(
        "{index} puts tensor {} in {shard}, but that file does not have it; index and shards are not of one release, \
         so fetch them again",
        Quoted(tensor)
    )]
    MissingTensor { index: String, tensor: String, shard: String },
    #[error(
        "{index} puts tensor {} in {listed}, but it is in {found}; index and shards are not of one release, so fetch \
         them again",
        Quoted(tensor)
    )]
    OtherShard { index: String, tensor: String, listed: String, found: String },
    #[error(
        "tensor {} is in {first} and in {second}; each name was expected once, so keep the files of one checkpoint only",
        Quoted(tensor)
    )]
    Duplicate { tensor: String, first: String, second: String },
    /// The scales of block-scaled values are more or fewer than the blocks.
    #[error(transparent)]
    ScaleShape(Box<ScaleShapeError>),
    #[error(
        "{file}: tensor {} holds the scales of {}, but is {found}; F32, BF16, F16 or F8_E8M0 was expected",
        Quoted(scales),
        Quoted(tensor)
    )]
    ScaleDtype { file: String, scales: String, tensor: String, found: &'static str },
    #[error(
        "{file}: tensor {} holds the scales of the MXFP4 blocks {}, but is {found}; U8 {expected:?} was expected, one \
         scale for 32 values",
        Quoted(scales),
        Quoted(blocks)
    )]
    Mxfp4Scales { file: String, scales: String, blocks: String, found: String, expected: Vec<u64> },
    #[error(
        "{file}: the MXFP4 blocks {} would become tensor {}, but there is a tensor of that name already",
        Quoted(blocks),
        Quoted(tensor)
    )]
    Mxfp4Name { file: String, blocks: String, tensor: String },
    #[error("{file}: the MXFP4 blocks {} have the shape {shape:?}, whose elements overflow", Quoted(blocks))]
    Mxfp4Overflow { file: String, blocks: String, shape: Vec<u64> },
}

/// Scales that do not fit the blocks of their values.
#[derive(Debug, thiserror::Error)]
#[error(
    "{file}: tensor {} holds the scales of {} ({values:?} in blocks of {block:?}), but has the shape {found:?}; \
     {expected:?} was expected, so check `weight_block_size` in config.json",
    Quoted(scales),
    Quoted(tensor)
)]
#[expect(missing_docs, reason = "the message says it, field by field")]
pub struct ScaleShapeError {
    pub file: String,
    pub scales: String,
    pub tensor: String,
    pub values: Vec<u64>,
    pub block: [u64; 2],
    pub found: Vec<u64>,
    pub expected: [u64; 2],
}
