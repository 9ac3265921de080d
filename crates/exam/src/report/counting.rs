//! From samples to shares.

use std::collections::BTreeMap;

use stethoscope_core::report::Envelope;

use super::{BenchmarkSummary, ExamReport, Examined, Lengths, LevelShare, Mean, QuestionRow};
use crate::benchmark::{Benchmark, Question};
use crate::level::{Finish, Level, agreement};
use crate::sample::{Sample, SampleLog};
use crate::statistics::{Score, Tally, score, sign_flip};

/// What is known besides sampled answers: likelihoods of given texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Likelihoods {
    /// Of every question's reference answer, in nats, in the benchmark's order; none where it could not be taken.
    pub references: Vec<Option<f64>>,
    /// Bits per byte of every held-out text.
    pub held_out_bits: Vec<f64>,
}

impl ExamReport {
    /// Counts the samples of a log, judged by what is usual for the model itself. The envelope says who computed; notes of the benchmark, warnings of the log, the preset's caution
    /// and what is missing are added to its warnings.
    pub fn new(mut envelope: Envelope, log: &SampleLog, benchmark: &Benchmark, likelihoods: &Likelihoods) -> Self {
        let configuration = &log.configuration;
        let answers = by_question(log, benchmark);
        envelope.seed.get_or_insert(configuration.protocol.sampling.seed);
        envelope.warnings.extend(benchmark.notes.iter().chain(&log.warnings).cloned());
        envelope.warnings.extend(configuration.protocol.preset.caution().map(str::to_owned));
        envelope.warnings.extend(missing(log, benchmark));
        envelope.warnings.extend(unmeasured(log));
        let asks = |question: &Question| question.gold.is_some();
        let share = |counts: &dyn Fn(&Question) -> bool, holds: &dyn Fn(&Sample) -> bool| {
            score(&tallies(&answers, counts, |_| true, holds))
        };
        Self {
            envelope,
            model: Examined::from(configuration),
            benchmark: BenchmarkSummary {
                name: benchmark.name.clone(),
                fingerprint: benchmark.fingerprint(),
                questions: benchmark.questions.len() as u64,
                seed: benchmark.seed,
            },
            protocol: configuration.protocol.clone(),
            score: share(&asks, &|sample| sample.correct == Some(true)),
            unparsable: share(&asks, &|sample| sample.extracted.is_none()),
            truncated: share(&|_| true, &|sample| sample.finish == Finish::Length),
            lengths: lengths(&log.samples),
            levels: levels(&answers),
            base: None,
            agreement: agreement(&log.levels_of_both()),
            reference_likelihood: mean(likelihoods.references.iter().copied().flatten()),
            held_out_bits: mean(likelihoods.held_out_bits.iter().copied()),
            questions: rows(&answers, likelihoods),
        }
    }
}

/// Every question with its samples, in their order.
type Answers<'log> = Vec<(&'log Question, Vec<&'log Sample>)>;

fn by_question<'log>(log: &'log SampleLog, benchmark: &'log Benchmark) -> Answers<'log> {
    let mut samples: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    log.samples.iter().for_each(|sample| samples.entry(&sample.question).or_default().push(sample));
    samples.values_mut().for_each(|samples| samples.sort_by_key(|sample| sample.sample));
    let of = |question: &'log Question| (question, samples.remove(question.id.as_str()).unwrap_or_default());
    benchmark.questions.iter().map(of).collect()
}

/// For every question of a kind, how many of the samples of a kind have some property.
fn tallies(
    answers: &Answers<'_>,
    of_question: impl Fn(&Question) -> bool,
    of_sample: impl Fn(&Sample) -> bool,
    holds: impl Fn(&Sample) -> bool,
) -> Vec<Tally> {
    let questions = answers.iter().filter(|(question, _)| of_question(question));
    questions
        .map(|(_, samples)| {
            let samples = || samples.iter().filter(|sample| of_sample(sample));
            Tally {
                correct: samples().filter(|sample| holds(sample)).count() as u64,
                samples: samples().count() as u64,
            }
        })
        .collect()
}

fn levels(answers: &Answers<'_>) -> Vec<LevelShare> {
    let of = |level: Level| {
        let tallies = tallies(
            answers,
            |_| true,
            |sample| sample.level.is_some(),
            |sample| sample.level.as_ref().is_some_and(|judgement| judgement.level == level),
        );
        let share: Score = score(&tallies)?;
        Some(LevelShare { level, answers: tallies.iter().map(|tally| tally.correct).sum(), share })
    };
    Level::ALL.into_iter().filter_map(of).collect()
}

fn lengths(samples: &[Sample]) -> Option<Lengths> {
    let mut tokens: Vec<u64> = samples.iter().map(|sample| sample.tokens).collect();
    tokens.sort_unstable();
    let middle = |at: usize| tokens.get(at).copied().unwrap_or_default() as f64;
    let mean = |sum: f64| sum / tokens.len() as f64;
    let prompts = samples.iter().map(|sample| sample.prompt_tokens as f64).sum::<f64>();
    let answers = tokens.iter().map(|&tokens| tokens as f64).sum::<f64>();
    Some(Lengths {
        answers: tokens.len() as u64,
        mean: mean(answers),
        median: 0.5 * (middle(tokens.len().saturating_sub(1) / 2) + middle(tokens.len() / 2)),
        longest: *tokens.last()?,
        mean_with_prompt: mean(answers + prompts),
    })
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<Mean> {
    let numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
    // The test against 0 is not wanted, its interval is.
    let found = sign_flip(&numbers, 0)?;
    Some(Mean { n: found.questions, mean: found.mean, interval: found.interval })
}

fn rows(answers: &Answers<'_>, likelihoods: &Likelihoods) -> Vec<QuestionRow> {
    let row = |(at, (question, samples)): (usize, &(&Question, Vec<&Sample>))| {
        let correct = samples.iter().filter(|sample| sample.correct == Some(true)).count() as u64;
        let tokens = samples.iter().map(|sample| sample.tokens as f64).sum::<f64>() / samples.len() as f64;
        let asks = question.gold.is_some();
        QuestionRow {
            id: question.id.clone(),
            gold: question.gold.clone(),
            tally: asks.then_some(Tally { correct, samples: samples.len() as u64 }),
            unparsable: samples.iter().filter(|sample| asks && sample.extracted.is_none()).count() as u64,
            tokens: Some(tokens).filter(|tokens| tokens.is_finite()),
            extracted: samples.iter().map(|sample| sample.extracted.clone()).collect(),
            reference_likelihood: likelihoods.references.get(at).copied().flatten(),
        }
    };
    answers.iter().enumerate().map(row).collect()
}

/// What was not answered.
fn missing(log: &SampleLog, benchmark: &Benchmark) -> Option<String> {
    let wanted = log.configuration.protocol.samples;
    let missing = log.missing(benchmark, wanted).len();
    let all = benchmark.questions.len() as u64 * u64::from(wanted);
    (missing > 0).then(|| format!("{missing} of {all} samples are still missing; the same command makes them"))
}

/// How many levels rest on the text alone.
fn unmeasured(log: &SampleLog) -> Option<String> {
    let judged = log.samples.iter().filter(|sample| sample.level.is_some());
    let blind =
        judged.filter(|sample| sample.measured.bits_per_byte.is_none() || sample.measured.context.is_none()).count();
    (blind > 0).then(|| {
        format!("A was not asked about {blind} answers, so that word soup and other subjects are not told from sense in them")
    })
}
