//! Joining quantised values with the scales that are stored beside them.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::error::ScaleShapeError;
use super::{CheckpointError, Location, MXFP4_GROUP, MXFP4_GROUP_BYTES, Storage, Tensor};
use crate::dtype::Dtype;
use crate::quoted::Quoted;
use crate::shard_header::StoredTensor;

/// The block of FP8 releases whose config does not say.
const DEFAULT_BLOCK: [u64; 2] = [128, 128];

/// An array in one of the shards.
#[derive(Clone, Copy)]
pub(super) struct Stored<'h> {
    pub shard: usize,
    /// The shard's name.
    pub file: &'h str,
    pub tensor: &'h StoredTensor,
}

impl Stored<'_> {
    fn location(&self) -> Location {
        Location { shard: self.shard, bytes: self.tensor.bytes.clone() }
    }
}

/// Turns stored arrays, sorted by shard and offset, into logical tensors in the same order. `by_name` holds the same
/// arrays.
pub(super) fn join(
    stored: &[Stored<'_>],
    by_name: &HashMap<&str, Stored<'_>>,
    config: Option<&Value>,
    notes: &mut Vec<String>,
) -> Result<Vec<Tensor>, CheckpointError> {
    let mut joiner = Joiner { by_name, block: configured_block(config, notes), unscaled: Vec::new(), notes };
    // Under the name of its values: the tensor, and the name of its scales.
    let mut joined = BTreeMap::new();
    let mut used = HashSet::new();
    for values in stored {
        if let Some((tensor, scales)) = joiner.join(*values)? {
            joined.insert(values.tensor.name.as_str(), tensor);
            used.insert(scales);
        }
    }
    joiner.note_unscaled();
    note_other_quantisation(config, notes);
    let plain = |values: &Stored<'_>| Tensor {
        name: values.tensor.name.clone(),
        shape: values.tensor.shape.clone(),
        storage: Storage::Plain { dtype: values.tensor.dtype, at: values.location() },
    };
    Ok(stored
        .iter()
        .filter(|values| !used.contains(values.tensor.name.as_str()))
        .map(|values| joined.remove(values.tensor.name.as_str()).unwrap_or_else(|| plain(values)))
        .collect())
}

/// Rows and columns of a block, as `config.json` gives them.
fn configured_block(config: Option<&Value>, notes: &mut Vec<String>) -> [u64; 2] {
    let Some(size) = config.and_then(|config| config.pointer("/quantization_config/weight_block_size")) else {
        return DEFAULT_BLOCK;
    };
    match size.as_array().map(|sides| sides.iter().map(Value::as_u64).collect::<Vec<_>>()).as_deref() {
        Some(&[Some(rows @ 1..), Some(columns @ 1..)]) => [rows, columns],
        _ if size.is_null() => DEFAULT_BLOCK,
        _ => {
            notes.push(format!(
                "config.json: weight_block_size is {}; two whole numbers were expected, so {DEFAULT_BLOCK:?} is assumed",
                Quoted(&size.to_string())
            ));
            DEFAULT_BLOCK
        }
    }
}

/// Says so where the weights are quantised in a way that is not undone here.
fn note_other_quantisation(config: Option<&Value>, notes: &mut Vec<String>) {
    const UNDONE: [&str; 4] = ["fp8", "fbgemm_fp8", "mxfp4", "compressed-tensors"];
    let method = config.and_then(|config| config.pointer("/quantization_config/quant_method")).and_then(Value::as_str);
    if let Some(method) = method.filter(|method| !UNDONE.contains(method)) {
        notes.push(format!(
            "config.json says that the weights are quantised with {}, which is not undone: packed numbers are taken as \
             they are stored",
            Quoted(method)
        ));
    }
}

struct Joiner<'j, 'h> {
    by_name: &'j HashMap<&'h str, Stored<'h>>,
    block: [u64; 2],
    /// FP8 arrays that have no scales.
    unscaled: Vec<&'h str>,
    notes: &'j mut Vec<String>,
}

impl<'h> Joiner<'_, 'h> {
    /// The logical tensor of these values and the name of its scales, if these are values that have scales.
    fn join(&mut self, values: Stored<'h>) -> Result<Option<(Tensor, &'h str)>, CheckpointError> {
        match (values.tensor.dtype, values.tensor.name.strip_suffix("_blocks")) {
            (Dtype::F8_E4M3 | Dtype::F8_E5M2, _) => self.join_fp8(values),
            (Dtype::U8, Some(name)) if !name.is_empty() => self.join_mxfp4(values, name),
            _ => Ok(None),
        }
    }

    fn join_fp8(&mut self, values: Stored<'h>) -> Result<Option<(Tensor, &'h str)>, CheckpointError> {
        let name = &values.tensor.name;
        let scales = ["_scale_inv", "_scale"]
            .into_iter()
            .find_map(|suffix| self.by_name.get(format!("{name}{suffix}").as_str()).copied());
        let Some(scales) = scales else {
            self.unscaled.push(name);
            return Ok(None);
        };
        let &[rows, columns] = values.tensor.shape.as_slice() else {
            self.note_ignored(scales, "its values are not a matrix");
            return Ok(None);
        };
        if !matches!(scales.tensor.dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16 | Dtype::F8_E8M0) {
            return Err(CheckpointError::ScaleDtype {
                file: scales.file.to_owned(),
                scales: scales.tensor.name.clone(),
                tensor: name.clone(),
                found: scales.tensor.dtype.name(),
            });
        }
        let Some(block) = self.block_of(scales, rows, columns) else {
            if scales.tensor.name.ends_with("_scale") {
                self.note_ignored(scales, "its shape is neither one scale, one a row, nor one a block");
                return Ok(None);
            }
            return Err(CheckpointError::ScaleShape(Box::new(ScaleShapeError {
                file: scales.file.to_owned(),
                scales: scales.tensor.name.clone(),
                tensor: name.clone(),
                values: values.tensor.shape.clone(),
                block: self.block,
                found: scales.tensor.shape.clone(),
                expected: self.blocks(rows, columns),
            })));
        };
        let storage = Storage::BlockScaled {
            dtype: values.tensor.dtype,
            at: values.location(),
            scale_dtype: scales.tensor.dtype,
            scales: scales.location(),
            block,
        };
        let tensor = Tensor { name: name.clone(), shape: values.tensor.shape.clone(), storage };
        Ok(Some((tensor, &scales.tensor.name)))
    }

    /// The block that these scales are for: the configured one, a row, or the whole matrix.
    fn block_of(&self, scales: Stored<'_>, rows: u64, columns: u64) -> Option<[u64; 2]> {
        match *scales.tensor.shape {
            [down, across] if [down, across] == self.blocks(rows, columns) => Some(self.block),
            [] | [1] | [1, 1] => Some([rows.max(1), columns.max(1)]),
            [each] | [each, 1] if each == rows => Some([1, columns.max(1)]),
            _ => None,
        }
    }

    /// How many of the configured blocks a matrix has, down and across.
    fn blocks(&self, rows: u64, columns: u64) -> [u64; 2] {
        [rows.div_ceil(self.block[0]), columns.div_ceil(self.block[1])]
    }

    fn join_mxfp4(&mut self, values: Stored<'h>, name: &str) -> Result<Option<(Tensor, &'h str)>, CheckpointError> {
        let &[experts, outputs, groups, MXFP4_GROUP_BYTES] = values.tensor.shape.as_slice() else {
            return Ok(None);
        };
        let (file, blocks) = (|| values.file.to_owned(), || values.tensor.name.clone());
        let Some(&scales) = self.by_name.get(format!("{name}_scales").as_str()) else {
            self.notes.push(format!(
                "{}: {} looks like MXFP4, but there is no {}; its bytes are taken as integers",
                values.file,
                Quoted(&values.tensor.name),
                Quoted(&format!("{name}_scales"))
            ));
            return Ok(None);
        };
        let expected = [experts, outputs, groups];
        if scales.tensor.dtype != Dtype::U8 || scales.tensor.shape != expected {
            return Err(CheckpointError::Mxfp4Scales {
                file: scales.file.to_owned(),
                scales: scales.tensor.name.clone(),
                blocks: blocks(),
                found: format!("{} {:?}", scales.tensor.dtype, scales.tensor.shape),
                expected: expected.to_vec(),
            });
        }
        if self.by_name.contains_key(name) {
            return Err(CheckpointError::Mxfp4Name { file: file(), blocks: blocks(), tensor: name.to_owned() });
        }
        let shape = groups.checked_mul(MXFP4_GROUP).map(|inputs| vec![experts, inputs, outputs]);
        let shape = shape.filter(|shape| {
            shape
                .iter()
                .filter(|&&size| size != 0)
                .try_fold(1_u64, |product, &size| product.checked_mul(size))
                .is_some()
        });
        let Some(shape) = shape else {
            let shape = values.tensor.shape.clone();
            return Err(CheckpointError::Mxfp4Overflow { file: file(), blocks: blocks(), shape });
        };
        let storage = Storage::Mxfp4 { at: values.location(), scales: scales.location() };
        Ok(Some((Tensor { name: name.to_owned(), shape, storage }, &scales.tensor.name)))
    }

    fn note_ignored(&mut self, scales: Stored<'_>, why: &str) {
        self.notes.push(format!(
            "{}: {} {:?} is left aside and its values are taken unscaled, because {why}",
            scales.file,
            Quoted(&scales.tensor.name),
            scales.tensor.shape
        ));
    }

    fn note_unscaled(&mut self) {
        if let Some(first) = self.unscaled.first() {
            let count = self.unscaled.len();
            self.notes.push(format!(
                "FP8 without scales, taken as stored: {count} {} ({}{})",
                if count == 1 { "tensor" } else { "tensors" },
                Quoted(first),
                if count == 1 { "" } else { ", …" }
            ));
        }
    }
}
