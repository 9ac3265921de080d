//! One tensor of the result, and what can be done to it.

use std::sync::Arc;

use super::super::RecipeError;
use super::super::encode::can_encode;
use super::super::explain::What;
use super::super::layers::renumbered;
use super::super::tensor::{Layer, MadeTensor, Origin};
use crate::anatomy::Site;
use crate::checkpoint::{Storage, Tensor};
use crate::dtype::Dtype;
use crate::model::Model;
use crate::random::Stream;
use crate::region::Region;

/// The standard deviation of [`How::Reinit`](crate::recipe::How::Reinit), as the paper has it and as transformers are initialised.
const DEVIATION: f32 = 0.02;

/// What the draws of [`How::Reinit`](crate::recipe::How::Reinit) are for, among all draws of one seed and tensor.
const REINITIALISED: u32 = 0;

/// One logical tensor.
pub struct DraftTensor {
    pub name: String,
    pub shape: Vec<u64>,
    pub sites: Vec<Site>,
    /// The model and the tensor in it that say how it is stored.
    form: (usize, usize),
    /// The array of its values, and where it is stored with scales, that of these.
    pub arrays: Vec<MadeTensor>,
    /// What was done to it, in order.
    pub deeds: Vec<Deed>,
}

/// Something that was done to some elements of a tensor.
pub struct Deed {
    pub what: What,
    /// Where they come from.
    pub from: Option<usize>,
    pub elements: u64,
}

impl DraftTensor {
    /// A model's tensor as it is.
    pub fn of(number: usize, index: usize, model: &Model) -> Self {
        let tensor = &model.checkpoint.tensors[index];
        Self {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            sites: model.sites[index].clone(),
            form: (number, index),
            arrays: arrays(number, model, tensor),
            deeds: Vec::new(),
        }
    }

    /// Moves it to another layer.
    pub fn renumber(&mut self, old: u32, new: u32) {
        self.name = renumbered(&self.name, old, new);
        for array in &mut self.arrays {
            array.name = renumbered(&array.name, old, new);
        }
        for site in self.sites.iter_mut().filter(|site| site.layer == Some(old)) {
            site.layer = Some(new);
        }
    }

    fn storage<'m>(&self, models: &'m [Arc<Model>]) -> &'m Storage {
        &models[self.form.0].checkpoint.tensors[self.form.1].storage
    }

    pub fn take(
        &mut self,
        text: &str,
        models: &[Arc<Model>],
        model: usize,
        tensor: usize,
        region: Region,
    ) -> Result<(), RecipeError> {
        let other = &models[model].checkpoint.tensors[tensor];
        let own = self.storage(models);
        let refused = |why| RecipeError::Format {
            text: text.to_owned(),
            tensor: self.name.clone(),
            base: own.format_name().to_owned(),
            donor: other.storage.format_name().to_owned(),
            why,
        };
        let elements = region.elements();
        match (own, &other.storage) {
            (Storage::Plain { dtype, .. }, Storage::Plain { dtype: theirs, at }) if dtype == theirs => {
                self.arrays[0].cover(Layer { region, origin: Origin::Stored { model, at: at.clone() } });
            }
            (Storage::Plain { dtype, .. }, theirs) => {
                if !can_encode(*dtype) || !theirs.dtype().is_none_or(Dtype::is_float) {
                    return Err(refused("only floating-point numbers are brought from one format to another"));
                }
                self.arrays[0].cover(Layer { region, origin: Origin::Values { model, tensor } });
            }
            (own, theirs) if is_alike(own, theirs) && region.is_whole() => {
                let (name, stored) = (self.arrays[0].name.clone(), arrays(model, &models[model], other));
                self.form = (model, tensor);
                for (array, stored) in self.arrays.iter_mut().zip(stored) {
                    *array = MadeTensor { name: std::mem::take(&mut array.name), ..stored };
                }
                debug_assert_eq!(name, self.arrays[0].name);
            }
            (own, theirs) if is_alike(own, theirs) => {
                return Err(refused("values would be mixed under one scale, so select all of it"));
            }
            _ => return Err(refused("values are not quantised here, so take the other model as the base")),
        }
        self.note(Deed { what: What::Taken, from: Some(model), elements }, elements);
        Ok(())
    }

    pub fn zero(&mut self, text: &str, models: &[Arc<Model>], region: Region) -> Result<(), RecipeError> {
        let storage = self.storage(models);
        let elements = region.elements();
        let refused = |why| RecipeError::Undestroyable {
            text: text.to_owned(),
            tensor: self.name.clone(),
            format: storage.format_name().to_owned(),
            why,
        };
        let region = match storage {
            Storage::Plain { dtype: Dtype::F8_E8M0, .. } => {
                return Err(refused("which has no zero"));
            }
            Storage::Mxfp4 { .. } if !region.is_whole() => {
                return Err(refused("two values share a byte, so select all of it"));
            }
            Storage::Mxfp4 { .. } => Region::whole(&self.arrays[0].shape),
            _ => region,
        };
        self.arrays[0].cover(Layer { region, origin: Origin::Zero });
        self.note(Deed { what: What::Zeroed, from: None, elements }, elements);
        Ok(())
    }

    pub fn reinitialise(
        &mut self,
        text: &str,
        models: &[Arc<Model>],
        region: Region,
        seed: u64,
    ) -> Result<(), RecipeError> {
        let storage = self.storage(models);
        let elements = region.elements();
        if !matches!(storage, Storage::Plain { dtype, .. } if can_encode(*dtype)) {
            return Err(RecipeError::Undestroyable {
                text: text.to_owned(),
                tensor: self.name.clone(),
                format: storage.format_name().to_owned(),
                why: "random numbers are written as F16, BF16, F32 or F64, so use a model that is stored so, or `zero`",
            });
        }
        let stream = Stream::new(seed, &self.name, REINITIALISED);
        self.arrays[0].cover(Layer { region, origin: Origin::Random { stream, deviation: DEVIATION } });
        self.note(Deed { what: What::Reinitialised, from: None, elements }, elements);
        Ok(())
    }

    /// Refuses to make values of a tensor that cannot be written as plain numbers.
    pub fn check_values(&self, text: &str, models: &[Arc<Model>]) -> Result<(), RecipeError> {
        match self.storage(models) {
            Storage::Plain { dtype, .. } if can_encode(*dtype) => Ok(()),
            other => Err(RecipeError::Values {
                text: text.to_owned(),
                tensor: self.name.clone(),
                format: other.format_name().to_owned(),
            }),
        }
    }

    /// Refuses a donor's tensor that holds no floating-point numbers.
    pub fn check_donor(
        &self,
        text: &str,
        models: &[Arc<Model>],
        (model, tensor): (usize, usize),
    ) -> Result<(), RecipeError> {
        let other = &models[model].checkpoint.tensors[tensor];
        if other.storage.dtype().is_none_or(Dtype::is_float) {
            return Ok(());
        }
        let format = other.storage.format_name().to_owned();
        Err(RecipeError::Values { text: text.to_owned(), tensor: other.name.clone(), format })
    }

    pub fn note(&mut self, deed: Deed, elements: u64) {
        if elements == self.shape.iter().product::<u64>() {
            self.deeds.clear();
        }
        self.deeds.push(deed);
    }
}

/// Whether two tensors are quantised in the same way, so that one can stand for the other with its scales.
fn is_alike(a: &Storage, b: &Storage) -> bool {
    match (a, b) {
        (Storage::Mxfp4 { .. }, Storage::Mxfp4 { .. }) => true,
        (
            Storage::BlockScaled { dtype, scale_dtype, block, .. },
            Storage::BlockScaled { dtype: values, scale_dtype: scales, block: blocks, .. },
        ) => (dtype, scale_dtype, block) == (values, scales, blocks),
        _ => false,
    }
}

/// The stored arrays of a model's tensor, as they are: its values, and its scales if it has some.
fn arrays(model: usize, of: &Model, tensor: &Tensor) -> Vec<MadeTensor> {
    let locations = [Some(tensor.storage.values()), tensor.storage.scales()];
    let arrays = locations.into_iter().flatten().filter_map(|at| {
        let stored = &of.checkpoint.headers[at.shard].tensors;
        // Several arrays without elements may lie at one place; the name tells them apart.
        let mut here = stored.iter().filter(|array| array.bytes == at.bytes);
        let array = here.clone().find(|array| array.name == tensor.name).or_else(|| {
            here.find(|array| array.name.strip_prefix(&tensor.name).is_some_and(|rest| rest.starts_with('_')))
        })?;
        let layer = Layer { region: Region::whole(&array.shape), origin: Origin::Stored { model, at: at.clone() } };
        Some(MadeTensor {
            name: array.name.clone(),
            dtype: array.dtype,
            shape: array.shape.clone(),
            layers: vec![layer],
        })
    });
    arrays.collect()
}
