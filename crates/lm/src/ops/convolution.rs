//! A causal convolution of every channel on its own: what a token gets depends on itself and a few tokens before it.

use candle_core::{Result, Tensor};

use super::run::Run;

/// y\[t, c\] = Σ over taps of kernel\[c, 0, tap\] · x\[t − (taps − 1) + tap, c\] + bias\[c\].
#[derive(Clone, Debug)]
pub struct Convolution {
    /// \[channels, 1, taps\].
    pub kernel: Tensor,
    /// \[channels\].
    pub bias: Option<Tensor>,
}

impl Convolution {
    /// Of x \[tokens, channels\], as much; and the inputs that the tokens after them will need, in the shape of `before`: those
    /// that stood before each run, \[runs, taps − 1, channels\]. All inputs get gradients, and what a token gets does not depend
    /// on the tokens of other runs.
    pub fn forward(&self, x: &Tensor, before: &Tensor, runs: &[Run]) -> Result<(Tensor, Tensor)> {
        let (channels, _, taps) = self.kernel.dims3()?;
        let kept = taps.saturating_sub(1);
        if before.dims() != [runs.len(), kept, channels] {
            candle_core::bail!("a convolution of {taps} taps over {} runs was given {:?}", runs.len(), before.dims())
        }
        let all = Tensor::cat(&[&before.reshape((runs.len() * kept, channels))?, x], 0)?;
        // Where in `all` what stands at a place of a run is: the places before its first token are those that were kept.
        let row = |number: usize, run: &Run, place: usize| {
            let row =
                if place < kept { number * kept + place } else { runs.len() * kept + run.tokens.start + place - kept };
            row as u32
        };
        let select = |rows: Vec<u32>| all.index_select(&Tensor::from_slice(&rows, rows.len(), x.device())?, 0);
        let mut y: Option<Tensor> = None;
        for tap in 0..taps {
            let rows = runs.iter().enumerate();
            let rows = rows.flat_map(|(number, run)| (0..run.tokens.len()).map(move |at| row(number, run, at + tap)));
            let term =
                select(rows.collect())?.broadcast_mul(&self.kernel.narrow(2, tap, 1)?.reshape((1, channels))?)?;
            y = Some(match y {
                Some(y) => (y + term)?,
                None => term,
            });
        }
        let Some(mut y) = y else { candle_core::bail!("a convolution of no taps") };
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        let last = runs.iter().enumerate();
        let last = last.flat_map(|(number, run)| (0..kept).map(move |at| row(number, run, run.tokens.len() + at)));
        Ok((y, select(last.collect())?.reshape((runs.len(), kept, channels))?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::ops::assert_same_with_gradients;
    use crate::ops::attention::Place;

    const CHANNELS: usize = 3;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 29 % 23) as f32 - 11.0) / 8.0).collect()
    }

    fn convolution(taps: usize) -> Convolution {
        Convolution {
            kernel: Tensor::from_vec(numbers(taps * CHANNELS), (CHANNELS, 1, taps), &Device::Cpu).unwrap(),
            bias: Some(Tensor::from_vec(numbers(CHANNELS), CHANNELS, &Device::Cpu).unwrap()),
        }
    }

    fn runs(lengths: &[usize]) -> Vec<Run> {
        let places = lengths
            .iter()
            .enumerate()
            .flat_map(|(sequence, &length)| (0..length).map(move |position| Place { sequence, position }));
        Run::all(&places.collect::<Vec<_>>())
    }

    fn nothing(runs: usize, taps: usize) -> Tensor {
        Tensor::zeros((runs, taps - 1, CHANNELS), DType::F32, &Device::Cpu).unwrap()
    }

    #[test]
    fn values_and_gradients_are_those_of_candles_convolution() {
        let (convolution, length, taps) = (convolution(4), 6, 4);
        let x = Var::from_vec(numbers(length * CHANNELS), (length, CHANNELS), &Device::Cpu).unwrap();
        let (found, _) = convolution.forward(&x, &nothing(1, taps), &runs(&[length])).unwrap();
        let channels_first = x.t().unwrap().unsqueeze(0).unwrap().contiguous().unwrap();
        let plain = channels_first.conv1d(&convolution.kernel, taps - 1, 1, 1, CHANNELS).unwrap();
        let plain = plain.narrow(2, 0, length).unwrap().squeeze(0).unwrap().t().unwrap();
        let plain = plain.broadcast_add(convolution.bias.as_ref().unwrap()).unwrap();
        assert_same_with_gradients(&found, &plain.contiguous().unwrap(), &[&x]);
    }

    #[test]
    fn a_run_goes_on_where_it_was_left_whatever_stands_beside_it() {
        let (convolution, taps) = (convolution(4), 4);
        let x = Tensor::from_vec(numbers(9 * CHANNELS), (9, CHANNELS), &Device::Cpu).unwrap();
        let forward = |x: &Tensor, before: &Tensor, lengths: &[usize]| {
            let (y, after) = convolution.forward(x, before, &runs(lengths)).unwrap();
            (y.to_vec2::<f32>().unwrap(), after)
        };
        let (whole, end) = forward(&x, &nothing(1, taps), &[9]);
        let (mut parts, mut before) = (Vec::new(), nothing(1, taps));
        for (start, length) in [(0, 2), (2, 1), (3, 6)] {
            let part = x.narrow(0, start, length).unwrap();
            let (y, after) = forward(&part, &before, &[length]);
            let beside = Tensor::cat(&[&x.narrow(0, 4, 2).unwrap(), &part], 0).unwrap();
            let two = Tensor::cat(&[&nothing(1, taps), &before], 0).unwrap();
            assert_eq!(forward(&beside, &two, &[2, length]).0[2..], y);
            parts.extend(y);
            before = after;
        }
        assert_eq!(parts, whole);
        assert_eq!(before.to_vec3::<f32>().unwrap(), end.to_vec3::<f32>().unwrap());
    }
}
