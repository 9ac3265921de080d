//! The same scan of candle's own operations, for other devices than the CPU.

use candle_core::{D, DType, Result, Tensor};

use super::Drive;
use crate::ops::run::Run;

impl Drive {
    /// As [`scan`](Self::scan). Runs of the same length are computed together, token by token.
    pub(super) fn plain(&self, before: &Tensor, runs: &[Run]) -> Result<(Tensor, Tensor)> {
        let mut order: Vec<usize> = (0..runs.len()).collect();
        order.sort_by_key(|&run| runs[run].tokens.len());
        let (mut outs, mut tokens, mut after) = (Vec::new(), Vec::new(), Vec::new());
        let steps = softplus(&self.steps)?;
        for group in order.chunk_by(|&one, &other| runs[one].tokens.len() == runs[other].tokens.len()) {
            let mut state = before.index_select(&indices(group.iter().copied(), before)?, 0)?;
            for place in 0..runs[group[0]].tokens.len() {
                let at: Vec<usize> = group.iter().map(|&run| runs[run].tokens.start + place).collect();
                let which = indices(at.iter().copied(), before)?;
                let select = |of: &Tensor, axis: usize| of.index_select(&which, 0)?.unsqueeze(axis);
                let (x, step) = (select(&self.x, 2)?, select(&steps, 2)?);
                let (written, read) = (select(&self.written, 1)?, select(&self.read, 1)?);
                let kept = (state * step.broadcast_mul(&self.decay.unsqueeze(0)?)?.exp()?)?;
                state = (kept + (step * x)?.broadcast_mul(&written)?)?;
                outs.push(state.broadcast_mul(&read)?.sum(D::Minus1)?);
                tokens.extend(at);
            }
            after.push(state);
        }
        let y = Tensor::cat(&outs, 0)?.index_select(&indices(inverse(&tokens), before)?, 0)?;
        let after = Tensor::cat(&after, 0)?.index_select(&indices(inverse(&order), before)?, 0)?;
        Ok((y, after))
    }
}

/// ln(1 + eˣ), which in F32 would lose what is small, and overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F64)?;
    (wide.relu()? + (wide.abs()?.neg()?.exp()? + 1.0)?.log()?)?.to_dtype(DType::F32)
}

fn indices(numbers: impl Iterator<Item = usize>, like: &Tensor) -> Result<Tensor> {
    let numbers: Vec<u32> = numbers.map(|number| number as u32).collect();
    Tensor::from_slice(&numbers, numbers.len(), like.device())
}

/// Where each number stands in an order.
fn inverse(order: &[usize]) -> impl Iterator<Item = usize> {
    let mut places = vec![0; order.len()];
    for (place, &number) in order.iter().enumerate() {
        places[number] = place;
    }
    places.into_iter()
}
