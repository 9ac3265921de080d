//! How likely a model holds a given text to be: what exams measure where answers would be too few.

use crate::cache::Cache;
use crate::decoder::{Batch, Decoder};
use crate::draw::log_probability;
use crate::error::LmError;
use crate::ops::attention::Place;

/// Tokens that are computed at a time.
const TOKENS: usize = 512;

/// Logits that are held at a time.
const LOGITS: usize = 1 << 24;

/// Tokens of which the last ones are scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// All tokens.
    pub tokens: Vec<u32>,
    /// The first one that is scored; at least 1, since before it something must stand.
    pub first: usize,
}

/// A text in the making.
struct Walk<'t> {
    text: &'t Scored,
    computed: usize,
    found: Vec<Option<f32>>,
}

impl Decoder {
    /// For each text, the natural logarithm of the probability of each of its scored tokens, given those before it; none where
    /// the model's logits are not numbers. Where a sequence's length has a say in how it is computed, that is the whole text's. As
    /// many texts are computed together as the cache has sequences.
    pub fn log_likelihoods(&self, texts: &[Scored], cache: &Cache) -> Result<Vec<Vec<Option<f32>>>, LmError> {
        let vocabulary = self.config().vocabulary;
        for Scored { tokens, first } in texts {
            if *first == 0 || tokens.is_empty() {
                return Err(LmError::EmptyPrompt);
            }
            if tokens.len() > cache.positions() + 1 {
                return Err(LmError::PromptTooLong { tokens: tokens.len(), positions: cache.positions() });
            }
            if let Some(&id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
                return Err(LmError::UnknownToken { id, vocabulary });
            }
        }
        let mut all = Vec::with_capacity(texts.len());
        for group in texts.chunks(cache.sequences().max(1)) {
            let mut walks: Vec<Walk> = group.iter().map(|text| Walk { text, computed: 0, found: Vec::new() }).collect();
            while self.step(&mut walks, cache)? {}
            all.extend(walks.into_iter().map(|walk| walk.found));
        }
        Ok(all)
    }

    /// Computes some more tokens; tells whether there were any.
    fn step(&self, walks: &mut [Walk<'_>], cache: &Cache) -> Result<bool, LmError> {
        let mut room = TOKENS.min((LOGITS / self.config().vocabulary).max(1));
        let mut batch = Batch { tokens: Vec::new(), places: [].into(), lengths: Vec::new(), wanted: Vec::new() };
        let (mut places, mut asked) = (Vec::new(), Vec::new());
        for (sequence, walk) in walks.iter_mut().enumerate() {
            let Scored { tokens, first } = walk.text;
            // Nothing follows the last token.
            let count = (tokens.len() - 1 - walk.computed).min(room);
            room -= count;
            for position in walk.computed..walk.computed + count {
                if position + 1 >= *first {
                    batch.wanted.push(batch.tokens.len() as u32);
                    asked.push((sequence, tokens[position + 1]));
                }
                batch.tokens.push(tokens[position]);
                places.push(Place { sequence, position });
                batch.lengths.push(tokens.len() - 1);
            }
            walk.computed += count;
        }
        if batch.tokens.is_empty() {
            return Ok(false);
        }
        batch.places = places.into();
        if batch.wanted.is_empty() {
            // Something must be asked for.
            batch.wanted.push(0);
        }
        let logits = self.forward(&batch, cache)?.to_vec2::<f32>()?;
        for ((sequence, id), logits) in asked.into_iter().zip(logits) {
            walks[sequence].found.push(log_probability(&logits, id));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;

    #[test]
    fn a_texts_likelihood_is_that_of_its_tokens_one_by_one() {
        let golden = Golden::named("qwen3");
        let decoder = golden.decoder();
        let texts: Vec<Scored> = golden
            .answers
            .iter()
            .map(|answer| Scored { tokens: [&answer.prompt[..], &answer.greedy].concat(), first: answer.prompt.len() })
            .collect();
        let together = decoder.log_likelihoods(&texts, &decoder.cache(2, 64).unwrap()).unwrap();
        for ((text, answer), found) in texts.iter().zip(&golden.answers).zip(&together) {
            assert_eq!(found.len(), answer.greedy.len());
            // The first scored token, from the logits of transformers.
            let expected = log_probability(&answer.logits, text.tokens[text.first]).unwrap();
            assert!((found[0].unwrap() - expected).abs() < 1e-4);
            let alone = decoder.log_likelihoods(std::slice::from_ref(text), &decoder.cache(1, 64).unwrap()).unwrap();
            assert_eq!(alone[0], *found);
        }
    }

    #[test]
    fn texts_that_cannot_be_scored_are_refused() {
        let decoder = Golden::named("qwen3").decoder();
        let cache = decoder.cache(1, 4).unwrap();
        for (tokens, first) in [(vec![1, 2], 0), (vec![1; 6], 1), (vec![1, 96], 1)] {
            assert!(decoder.log_likelihoods(&[Scored { tokens, first }], &cache).is_err());
        }
        let nothing = decoder.log_likelihoods(&[Scored { tokens: vec![1; 5], first: 5 }], &cache).unwrap();
        assert_eq!(nothing, [vec![]]);
    }
}
