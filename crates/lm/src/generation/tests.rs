use std::collections::BTreeMap;

use super::*;
use crate::golden::Golden;

/// The answers of some prompts, generated in so many slots.
fn answers(decoder: &Decoder, prompts: &[Vec<u32>], slots: usize, sampling: &Sampling) -> Vec<(Vec<u32>, Vec<f32>)> {
    let cache = decoder.cache(slots, 320).unwrap();
    let mut generation = Generation::new(decoder, cache, sampling.clone(), None).unwrap();
    for (number, tokens) in prompts.iter().enumerate() {
        generation.push(Prompt { question: number.to_string(), sample: 0, tokens: tokens.clone() }).unwrap();
    }
    let mut answers = BTreeMap::<usize, (Vec<u32>, Vec<f32>)>::new();
    while !generation.is_finished() {
        for event in generation.step().unwrap() {
            if let Event::Token { prompt, id, log_probability, .. } = event {
                let (ids, probabilities) = answers.entry(prompt).or_default();
                ids.push(id);
                probabilities.extend(log_probability);
            }
        }
    }
    answers.into_values().collect()
}

fn greedy() -> Sampling {
    Sampling { max_tokens: 32, ignore_eos: true, ..Sampling::default() }
}

#[test]
fn greedy_answers_are_those_of_transformers_alone_and_in_a_batch() {
    for (name, golden) in Golden::all() {
        let decoder = golden.decoder();
        let prompts: Vec<_> = golden.answers.iter().map(|answer| answer.prompt.clone()).collect();
        for slots in [1, 2, 3] {
            let answers = answers(&decoder, &prompts, slots, &greedy());
            for (answer, (ids, _)) in golden.answers.iter().zip(answers) {
                assert_eq!(ids, answer.greedy, "{name} in {slots} slots");
            }
        }
    }
}

#[test]
fn an_answer_is_the_same_bit_for_bit_in_any_batch() {
    for name in ["mamba", "phi3_longrope", "qwen3", "qwen3_moe"] {
        answers_are_the_same_in_any_batch(&Golden::named(name).decoder());
    }
}

fn answers_are_the_same_in_any_batch(decoder: &Decoder) {
    // More than is computed in one step, and the more so the more stands beside it.
    let long: Vec<u32> = (0..300).map(|at| at * 7 % 96).collect();
    let prompts = [vec![3], vec![5, 8, 2], long, vec![90, 4], vec![1, 2, 3, 4, 5, 6]];
    let sampling = Sampling { temperature: 1.5, seed: 7, max_tokens: 12, ignore_eos: true, ..Sampling::default() };
    let alone = answers(decoder, &prompts, 1, &sampling);
    for slots in [2, 5] {
        assert_eq!(answers(decoder, &prompts, slots, &sampling), alone, "{slots}");
    }
    let other = answers(decoder, &prompts, 5, &Sampling { seed: 8, ..sampling });
    assert_ne!(other, alone);
}

#[test]
fn an_answer_ends_at_the_models_end_unless_that_is_ignored() {
    let decoder = Golden::named("llama_linear").decoder();
    let golden = Golden::named("llama_linear");
    let answer = &golden.answers[0];
    let end = answer.greedy.iter().position(|&id| id == 1).expect("an end in the golden answer");
    let sampling = Sampling { max_tokens: 32, ..Sampling::default() };
    let (ids, _) = answers(&decoder, std::slice::from_ref(&answer.prompt), 1, &sampling).remove(0);
    assert_eq!(ids, answer.greedy[..=end]);
}

#[test]
fn an_answer_ends_where_the_positions_do() {
    let decoder = Golden::named("llama3").decoder();
    let cache = decoder.cache(1, 8).unwrap();
    let sampling = Sampling { max_tokens: 100, ignore_eos: true, ..Sampling::default() };
    let mut generation = Generation::new(&decoder, cache, sampling, None).unwrap();
    generation.push(Prompt { question: String::new(), sample: 0, tokens: vec![5; 5] }).unwrap();
    let mut events = Vec::new();
    while !generation.is_finished() {
        events.extend(generation.step().unwrap());
    }
    assert_eq!(events.len(), 4);
    assert!(matches!(events[3], Event::Finished { finish: FinishReason::Positions, .. }));
}

#[test]
fn prompts_that_cannot_be_continued_are_refused() {
    let decoder = Golden::named("llama3").decoder();
    let cache = decoder.cache(1, 4).unwrap();
    let mut generation = Generation::new(&decoder, cache, greedy(), None).unwrap();
    for (tokens, message) in [(vec![], "empty"), (vec![1; 4], "do not fit"), (vec![96], "vocabulary of 96")] {
        let error = generation.push(Prompt { question: String::new(), sample: 0, tokens }).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let stopping = Sampling { stop: vec!["\n".into()], ..greedy() };
    assert!(Generation::new(&decoder, decoder.cache(1, 4).unwrap(), stopping, None).is_err());
}

/// Knows one word, or none.
struct Words(Vec<u32>);

impl Detokenizer for Words {
    fn text(&self, ids: &[u32]) -> String {
        ids.iter().map(|id| format!(" {id}")).collect()
    }

    fn tokens(&self, _text: &str) -> Vec<u32> {
        self.0.clone()
    }
}

fn waiting(wait: Vec<u32>, waits: u32) -> (Vec<(u32, bool)>, String) {
    let golden = Golden::named("llama_linear");
    let (decoder, words) = (golden.decoder(), Words(wait));
    let sampling = Sampling { max_tokens: 40, waits, ..Sampling::default() };
    let cache = decoder.cache(1, 64).unwrap();
    let mut generation = Generation::new(&decoder, cache, sampling, Some(&words)).unwrap();
    let tokens = golden.answers[0].prompt.clone();
    generation.push(Prompt { question: String::new(), sample: 0, tokens }).unwrap();
    let (mut told, mut text) = (Vec::new(), String::new());
    while !generation.is_finished() {
        for event in generation.step().unwrap() {
            match event {
                Event::Token { id, log_probability, text: more, .. } => {
                    told.push((id, log_probability.is_some()));
                    text.push_str(&more);
                }
                Event::Finished { text: more, .. } => text.push_str(&more),
            }
        }
    }
    (told, text)
}

#[test]
fn an_end_that_comes_too_early_is_replaced_so_many_times() {
    let (once, _) = waiting(vec![80, 81], 0);
    let (longer, text) = waiting(vec![80, 81], 1);
    let end = once.len() - 1;
    assert_eq!(once[end], (1, true));
    assert_eq!(longer[..end], once[..end]);
    assert_eq!(longer[end..end + 2], [(80, false), (81, false)]);
    assert!(longer.len() > end + 2 && text.contains(" 80 81"));
}

#[test]
fn where_nothing_can_be_put_for_an_end_it_is_the_end() {
    assert_eq!(waiting(Vec::new(), 3), waiting(Vec::new(), 0));
}
