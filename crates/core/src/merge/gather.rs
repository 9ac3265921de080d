//! Accumulators, without the ceremony of trait objects.

use std::any::Any;

use super::{Look, MergeError, Piece, Reduction};

/// What a pass gathers, as a plain type.
pub(super) trait Gather: Send + Sized + 'static {
    /// What it must see.
    fn look(&self) -> Look {
        Look::Whole
    }
    /// Adds a piece.
    fn add(&mut self, piece: &Piece<'_>);
    /// Adds what another one gathered.
    fn join(&mut self, other: Self);
}

impl<G: Gather> Reduction for G {
    fn look(&self) -> Look {
        Gather::look(self)
    }

    fn add(&mut self, piece: &Piece<'_>) {
        Gather::add(self, piece);
    }

    fn join(&mut self, other: Box<dyn Reduction>) -> Result<(), MergeError> {
        Gather::join(self, *taken(other)?);
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// An accumulator as the type that it must be.
pub(super) fn taken<G: Gather>(reduction: Box<dyn Reduction>) -> Result<Box<G>, MergeError> {
    reduction.into_any().downcast().map_err(|_| MergeError::OtherPass)
}

/// Adds numbers to numbers, pair by pair.
pub(super) fn add_all<T: Copy + std::ops::AddAssign>(into: &mut [T], from: &[T]) {
    for (into, &from) in into.iter_mut().zip(from) {
        *into += from;
    }
}
