//! A checkpoint's tensors by what they do in the network, whatever they are called and however they are packed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor, Var};
use half::bf16;
use half::vec::HalfBitsVecExt;
use stethoscope_core::anatomy::{Part, Site, Slice};
use stethoscope_core::checkpoint::{Storage, Tensor as Stored};
use stethoscope_core::dequantise::Encoded;
use stethoscope_core::dtype::Dtype;
use stethoscope_core::model::Model;
use stethoscope_core::region::Region;
use stethoscope_core::source::ReadError;

use crate::error::LmError;
use crate::gradient_sum::GradientSum;
use crate::linear::Products;

/// Elements that are dequantised at a time.
const ELEMENTS_AT_A_TIME: u64 = 1 << 22;

/// One parameter of the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parameter {
    /// The block, if it is in one.
    pub layer: Option<u32>,
    /// The role, in core's words.
    pub role: Cow<'static, str>,
    /// The part.
    pub part: Part,
    /// The expert, if it is one's.
    pub expert: Option<u32>,
}

impl Parameter {
    /// The one that stands at a site, whichever tensor that is a part of.
    pub fn at(site: &Site) -> Self {
        let role = Cow::Owned(site.role.name().to_owned());
        Self { layer: site.layer, role, part: site.part.clone(), expert: site.expert }
    }
}

impl std::fmt::Display for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { layer, role, part, expert } = self;
        write!(f, "{role} {part}")?;
        if let Some(expert) = expert {
            write!(f, " of expert {expert}")?;
        }
        if let Some(layer) = layer {
            write!(f, " in layer {layer}")?;
        }
        Ok(())
    }
}

/// A stored tensor, and which elements of it.
type Place<'m> = (&'m Stored, &'m [Slice]);

/// Tensors in memory that several models may share: those that lie in the same place of a file. So a model and what a recipe makes
/// of it are in memory together as one, with two sets of the modules that differ; what is made anew is nobody else's.
#[derive(Clone, Default)]
pub struct SharedTensors(RefCell<HashMap<StoredAt, Tensor>>);

/// A file, the place in it, and the shape that the tensor was given.
type StoredAt = (PathBuf, u64, Vec<usize>);

impl SharedTensors {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A parameter that is trained.
#[derive(Debug)]
pub(crate) struct Trainable {
    /// Its numbers, F32.
    pub variable: Var,
    /// Where what multiplies by it, or looks its rows up, adds up the gradient.
    pub sum: GradientSum,
}

/// The parameters of one model, to be read.
pub struct Weights<'m> {
    model: &'m Model,
    device: &'m Device,
    shared: &'m SharedTensors,
    places: HashMap<Parameter, Place<'m>>,
    trained: Option<&'m BTreeSet<Parameter>>,
    variables: RefCell<BTreeMap<Parameter, Trainable>>,
}

impl<'m> Weights<'m> {
    /// Those of `model`, to be put on `device`, unless they are among the `shared`, to which they are added.
    pub fn new(model: &'m Model, device: &'m Device, shared: &'m SharedTensors) -> Self {
        let mut places = HashMap::new();
        for (tensor, sites) in model.checkpoint.tensors.iter().zip(&model.sites) {
            for site in sites {
                places.entry(Parameter::at(site)).or_insert((tensor, &*site.slice));
            }
        }
        Self { model, device, shared, places, trained: None, variables: RefCell::default() }
    }

    /// The same, but these parameters are read as F32 variables of their own, to be trained.
    pub fn training(self, trained: &'m BTreeSet<Parameter>) -> Self {
        Self { trained: Some(trained), ..self }
    }

    /// The variables that were read.
    pub(crate) fn into_variables(self) -> BTreeMap<Parameter, Trainable> {
        self.variables.into_inner()
    }

    /// How a parameter that was read is multiplied by.
    pub(crate) fn products(&self, parameter: &Parameter) -> Products {
        match self.trained {
            Some(_) => {
                Products::Fast { sum: self.variables.borrow().get(parameter).map(|trained| trained.sum.clone()) }
            }
            None => Products::Alike,
        }
    }

    /// Whether a parameter's numbers are stored as BF16.
    pub fn is_narrow(&self, parameter: &Parameter) -> bool {
        self.place(parameter).is_some_and(|(stored, _)| is_bf16(stored))
    }

    /// Whether there is one.
    pub fn has(&self, parameter: &Parameter) -> bool {
        self.place(parameter).is_some()
    }

    fn place(&self, parameter: &Parameter) -> Option<&Place<'m>> {
        self.places.get(parameter)
    }

    /// One parameter of this shape. A matrix stays BF16 if it is stored so; everything else becomes F32. On other devices than
    /// the CPU, all is of the dtype that most matrices have there: BF16. What is trained is an F32 variable anywhere.
    pub async fn read(&self, parameter: &Parameter, shape: &[usize]) -> Result<Tensor, LmError> {
        let Some(&(stored, slices)) = self.place(parameter) else {
            return Err(LmError::MissingTensor {
                reference: self.model.checkpoint.reference.clone(),
                what: parameter.to_string(),
                family: self.model.family().to_owned(),
            });
        };
        let runs = Region::new(&stored.shape, vec![slices.to_vec()]).runs(0..stored.elements());
        let elements: u64 = runs.iter().map(|run| run.end - run.start).sum();
        // Of a packed tensor, some of the rows; of stacked ones, those of one expert.
        let stack = usize::from(parameter.expert.is_some() && stored.shape.len() > shape.len());
        let is_as_wide = stack + shape.len() == stored.shape.len()
            && shape.iter().zip(&stored.shape[stack..]).skip(1).all(|(&one, &other)| one as u64 == other);
        if !is_as_wide || elements != shape.iter().map(|&side| side as u64).product::<u64>() {
            return Err(LmError::Shape {
                reference: self.model.checkpoint.reference.clone(),
                name: stored.name.clone(),
                found: stored.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        if self.trained.is_some_and(|trained| trained.contains(parameter)) {
            let mut numbers = Vec::with_capacity(elements as usize);
            for run in runs {
                self.numbers(stored, run, &mut numbers).await?;
            }
            let variable = Var::from_vec(numbers, shape, self.device)?;
            let tensor = variable.as_tensor().clone();
            let trainable = Trainable { variable, sum: GradientSum::default() };
            self.variables.borrow_mut().insert(parameter.clone(), trainable);
            return Ok(tensor);
        }
        let at = self.stored_at(stored, &runs, shape);
        if let Some(tensor) = at.as_ref().and_then(|at| self.shared.0.borrow().get(at).cloned()) {
            return Ok(tensor);
        }
        let tensor = if is_bf16(stored) && shape.len() == 2 {
            let mut bits = Vec::with_capacity(elements as usize);
            for run in runs {
                self.bits(stored, run, &mut bits).await?;
            }
            Tensor::from_vec(bits.reinterpret_into::<bf16>(), shape, self.device)?
        } else {
            let mut numbers = Vec::with_capacity(elements as usize);
            for run in runs {
                self.numbers(stored, run, &mut numbers).await?;
            }
            Tensor::from_vec(numbers, shape, self.device)?
        };
        let tensor = if self.device.is_cpu() { tensor } else { tensor.to_dtype(DType::BF16)? };
        if let Some(at) = at {
            self.shared.0.borrow_mut().insert(at, tensor.clone());
        }
        Ok(tensor)
    }

    /// Where a parameter of one run lies in a file, if it does: by that it is known again in another model. Values that are joined
    /// with scales, or are not one run, are not.
    fn stored_at(&self, stored: &Stored, runs: &[Range<u64>], shape: &[usize]) -> Option<StoredAt> {
        let ([run], Storage::Plain { .. }) = (runs, &stored.storage) else { return None };
        let location = stored.storage.byte_ranges(&stored.shape, run.clone()).into_iter().next()?;
        let (path, start) = self.model.checkpoint.sources[location.shard].stored_at(location.bytes)?;
        Some((path.to_owned(), start, shape.to_vec()))
    }

    /// The bits of two-byte elements.
    async fn bits(&self, stored: &Stored, run: Range<u64>, out: &mut Vec<u16>) -> Result<(), LmError> {
        for location in stored.storage.byte_ranges(&stored.shape, run) {
            let source = &self.model.checkpoint.sources[location.shard];
            let block = source.read(location.bytes).await.map_err(|source| failed(stored, source))?;
            out.extend(block.bytes().as_chunks::<2>().0.iter().map(|&bytes| u16::from_le_bytes(bytes)));
        }
        Ok(())
    }

    /// Elements as F32.
    async fn numbers(&self, stored: &Stored, run: Range<u64>, out: &mut Vec<f32>) -> Result<(), LmError> {
        Self::stored_numbers(self.model, stored, run, out).await.map_err(|source| failed(stored, source))
    }

    /// Adds elements of a tensor of `model` to `out`, as F32.
    pub(crate) async fn stored_numbers(
        model: &Model,
        stored: &Stored,
        run: Range<u64>,
        out: &mut Vec<f32>,
    ) -> Result<(), ReadError> {
        let granule = stored.storage.granule(&stored.shape);
        let piece = (ELEMENTS_AT_A_TIME / granule).max(1) * granule;
        let mut at = run.start;
        while at < run.end {
            let first = at / granule * granule;
            let end = run.end.min(first + piece);
            let whole = first..end.next_multiple_of(granule).min(stored.elements());
            let mut blocks = Vec::new();
            for location in stored.storage.byte_ranges(&stored.shape, whole.clone()) {
                blocks.push(model.checkpoint.sources[location.shard].read(location.bytes).await?);
            }
            let bytes: Vec<_> = blocks.iter().map(|block| block.bytes()).collect();
            let start = out.len();
            out.resize(start + (end - at) as usize, 0.0);
            Encoded::new(stored, whole, &bytes).decode(at..end, &mut out[start..]);
            at = end;
        }
        Ok(())
    }
}

const fn is_bf16(stored: &Stored) -> bool {
    matches!(stored.storage, Storage::Plain { dtype: Dtype::BF16, .. })
}

fn failed(stored: &Stored, source: ReadError) -> LmError {
    LmError::Read { name: stored.name.clone(), source }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use stethoscope_core::source::{Block, ByteSource, MemorySource, ReadFuture};

    use super::*;
    use crate::decoder::Decoder;
    use crate::golden::Golden;

    /// Bytes that say that they are a file's.
    struct File {
        bytes: MemorySource,
        path: PathBuf,
    }

    impl ByteSource for File {
        fn name(&self) -> &str {
            self.bytes.name()
        }

        fn length(&self) -> u64 {
            self.bytes.length()
        }

        fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
            self.bytes.read(range)
        }

        fn path(&self) -> Option<&Path> {
            Some(&self.path)
        }
    }

    fn stored_in(path: &str) -> Model {
        let golden = Golden::named("qwen3");
        let mut model = golden.model(&golden.config);
        let source = &model.checkpoint.sources[0];
        let block: Block = pollster::block_on(source.read(0..source.length())).unwrap();
        let bytes = MemorySource::new(path, block.bytes().into_owned());
        model.checkpoint.sources[0] = Arc::new(File { bytes, path: path.into() });
        model
    }

    #[test]
    fn what_lies_in_the_same_place_of_a_file_is_read_once() {
        let shared = SharedTensors::default();
        let load = |model: &Model| {
            let observe = async |_, _| Ok(());
            pollster::block_on(Decoder::load(model, &Device::Cpu, &shared, observe)).unwrap();
            shared.len()
        };
        let tensors = load(&stored_in("one"));
        assert_eq!(tensors, stored_in("one").checkpoint.tensors.len());
        assert_eq!(load(&stored_in("one")), tensors);
        assert_eq!(load(&stored_in("other")), 2 * tensors);
    }

    #[test]
    fn what_is_no_file_is_nobody_elses() {
        let (shared, golden) = (SharedTensors::default(), Golden::named("qwen3"));
        let observe = async |_, _| Ok(());
        let model = golden.model(&golden.config);
        pollster::block_on(Decoder::load(&model, &Device::Cpu, &shared, observe)).unwrap();
        assert!(shared.is_empty());
    }
}
