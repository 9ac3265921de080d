use stethoscope_core::report::ComputeInfo;

use super::*;
use crate::benchmark::{Benchmark, Question};
use crate::level::{Finish, Judgement, Measured};
use crate::preset::Preset;
use crate::sample::{Configuration, Overruling, Sample, SampleLog};

fn benchmark(questions: usize) -> Benchmark {
    let question = |at: usize| Question {
        id: format!("q{at}"),
        problem: format!("What is {at} + 1?"),
        gold: Some((at + 1).to_string()),
        choices: Vec::new(),
        reference: None,
    };
    let questions = (0..questions).map(question).collect();
    Benchmark { name: "sums".into(), seed: None, questions, notes: vec!["a note".into()] }
}

/// `answers[question][sample]`: right, wrong, or none that can be read.
fn log(model: &str, benchmark: &Benchmark, answers: &[Vec<Option<bool>>]) -> SampleLog {
    let mut protocol = Preset::Plain.protocol(benchmark);
    protocol.samples = answers.first().map_or(1, Vec::len) as u32;
    let mut samples = Vec::new();
    for (at, answers) in answers.iter().enumerate() {
        for (number, answer) in answers.iter().enumerate() {
            samples.push(Sample {
                question: format!("q{at}"),
                sample: number as u32,
                seed: 0,
                prompt: String::new(),
                text: "text".into(),
                tokens: 10 * (at as u64 + 1),
                prompt_tokens: 5,
                finish: if answer.is_none() { Finish::Length } else { Finish::End },
                log_probability: None,
                measured: Measured { bits_per_byte: Some(0.5), context: Some(20.0) },
                extracted: answer.map(|right| if right { (at + 1).to_string() } else { "no".into() }),
                correct: Some(*answer == Some(true)),
                why: String::new(),
                level: Some(Judgement {
                    level: if answer.is_some() { Level::IV } else { Level::III },
                    reasons: vec!["because".into()],
                }),
            });
        }
    }
    let configuration = Configuration::new(model, "test", benchmark, protocol);
    SampleLog { configuration, samples, overrulings: Vec::new(), whole_bytes: 0, warnings: Vec::new() }
}

fn envelope() -> Envelope {
    let compute = ComputeInfo { backend: "cpu".into(), adapter: "test".into(), threads: 1 };
    Envelope::new("exam", compute, 0, Vec::new())
}

fn report(model: &str, answers: &[Vec<Option<bool>>]) -> ExamReport {
    let benchmark = benchmark(answers.len());
    ExamReport::new(envelope(), &log(model, &benchmark, answers), &benchmark, &Likelihoods::default())
}

/// One answer a question: the first are right, the last cannot be read, those between are wrong.
fn single(right: usize, wrong: usize, unreadable: usize) -> Vec<Vec<Option<bool>>> {
    let answers = [(Some(true), right), (Some(false), wrong), (None, unreadable)];
    answers.into_iter().flat_map(|(answer, count)| std::iter::repeat_n(vec![answer], count)).collect()
}

#[test]
fn a_tiny_model_scores_nought_with_an_interval() {
    let report = report("tiny", &single(0, 28, 2));
    let score = report.score.unwrap();
    assert_eq!((score.mean, score.questions, score.interval.low), (0.0, 30, 0.0));
    assert!(score.interval.high > 0.11);
    assert_eq!(report.unparsable.unwrap().mean, 2.0 / 30.0);
    assert_eq!(report.truncated.unwrap().mean, 2.0 / 30.0);
    assert_eq!(report.envelope.schema, "stethoscope.exam/1");
    assert_eq!(report.envelope.warnings, ["a note"]);
}

#[test]
fn correctness_level_and_length_are_columns_of_their_own() {
    let report = report("m", &single(1, 1, 2));
    let answers: Vec<_> = report.levels.iter().map(|share| share.answers).collect();
    assert_eq!(answers, [0, 0, 2, 2]);
    let lengths = report.lengths.unwrap();
    assert_eq!((lengths.mean, lengths.median, lengths.longest, lengths.mean_with_prompt), (25.0, 25.0, 40, 30.0));
    assert_eq!(report.questions[3].unparsable, 1);
    assert_eq!(report.questions[0].tally, Some(Tally { correct: 1, samples: 1 }));
}

#[test]
fn the_json_reads_back() {
    let mut original = report("m", &single(3, 2, 1));
    original.reference_likelihood = Some(Mean { n: 3, mean: -2.5, interval: None });
    let text = serde_json::to_string(&original).unwrap();
    assert!(text.starts_with("{\"schema\":\"stethoscope.exam/1\""), "{text}");
    assert_eq!(serde_json::from_str::<ExamReport>(&text).unwrap(), original);
}

#[test]
fn what_was_not_answered_is_not_wrong_but_missing() {
    let benchmark = benchmark(3);
    let mut log = log("m", &benchmark, &single(2, 1, 0));
    log.samples.pop();
    let report = ExamReport::new(envelope(), &log, &benchmark, &Likelihoods::default());
    assert_eq!(report.score.unwrap().mean, 1.0);
    assert!(
        report.envelope.warnings[1].starts_with("1 of 3 samples are still missing"),
        "{:?}",
        report.envelope.warnings
    );
    log.samples.clear();
    let empty = ExamReport::new(envelope(), &log, &benchmark, &Likelihoods::default());
    assert_eq!((empty.score, empty.lengths, empty.levels.len()), (None, None, 0));
}

#[test]
fn levels_that_rest_on_the_text_alone_are_said_to() {
    let benchmark = benchmark(1);
    let mut log = log("m", &benchmark, &single(1, 0, 0));
    log.samples[0].measured.context = None;
    let report = ExamReport::new(envelope(), &log, &benchmark, &Likelihoods::default());
    assert!(
        report.envelope.warnings[1].starts_with("A was not asked about 1 answers"),
        "{:?}",
        report.envelope.warnings
    );
}

#[test]
fn likelihoods_have_a_mean_with_its_interval() {
    let benchmark = benchmark(3);
    let log = log("m", &benchmark, &single(2, 1, 0));
    let likelihoods = Likelihoods { references: vec![Some(-1.0), None, Some(-3.0)], held_out_bits: vec![1.0] };
    let report = ExamReport::new(envelope(), &log, &benchmark, &likelihoods);
    let mean = report.reference_likelihood.unwrap();
    assert_eq!((mean.n, mean.mean), (2, -2.0));
    assert!(mean.interval.is_some());
    assert_eq!(report.held_out_bits.unwrap().interval, None);
    assert_eq!(report.questions[2].reference_likelihood, Some(-3.0));
}

#[test]
fn a_persons_judgements_give_an_agreement() {
    let benchmark = benchmark(2);
    let mut log = log("m", &benchmark, &single(2, 0, 0));
    log.overrulings.push(Overruling { question: "q0".into(), sample: 0, level: Level::II });
    let report = ExamReport::new(envelope(), &log, &benchmark, &Likelihoods::default());
    assert_eq!(report.agreement.unwrap().alike, 0);
}

fn compare(a: &ExamReport, b: &ExamReport) -> Result<Comparison, CompareError> {
    super::compare(envelope(), a, b, 0)
}

#[test]
fn the_papers_difference_is_not_told_apart_at_thirty() {
    let comparison = compare(&report("a", &single(2, 28, 0)), &report("b", &single(6, 24, 0))).unwrap();
    assert_eq!(comparison.mcnemar.unwrap().p, 0.125);
    assert_eq!(
        comparison.verdict,
        "They are not told apart (B − A = +0.133, 95 % interval -0.019 to +0.269, p = 0.125; 0 questions only A answers \
         rightly, 4 only B). 30 questions can show a difference of 0.200 at best, and find one of 0.267 with a power of 85 %."
    );
}

#[test]
fn a_clear_difference_is_called_one() {
    let comparison = compare(&report("a", &single(5, 35, 0)), &report("b", &single(30, 10, 0))).unwrap();
    assert!(comparison.verdict.starts_with("B is better"), "{}", comparison.verdict);
    assert!(comparison.envelope.warnings.is_empty());
}

#[test]
fn several_samples_are_compared_by_their_means() {
    let of = |right: usize| -> Vec<Vec<Option<bool>>> {
        (0..12).map(|at| (0..4).map(|sample| Some((sample + at) % 5 < right)).collect()).collect()
    };
    let comparison = compare(&report("a", &of(1)), &report("b", &of(4))).unwrap();
    assert!(comparison.mcnemar.is_none());
    let flip = comparison.sign_flip.unwrap();
    assert!(flip.exact && flip.p < 0.001, "{flip:?}");
}

#[test]
fn other_questions_and_other_exams_do_not_compare_and_other_engines_warn() {
    let (a, mut b) = (report("a", &single(2, 1, 0)), report("b", &single(2, 2, 0)));
    let refused = |b: &ExamReport| compare(&a, b).unwrap_err().to_string();
    assert!(refused(&b).contains("other questions (\"sums\" of 3 questions"), "{}", refused(&b));
    b = report("b", &single(1, 2, 0));
    (b.protocol.preset, b.protocol.sampling.max_tokens) = (Preset::R1, 7);
    let words = "preset is \"plain\" for the one and \"r1\" for the other; sampling.max_tokens is \"256\"";
    assert!(refused(&b).contains(words), "{}", refused(&b));
    b.protocol = a.protocol.clone();
    (b.protocol.samples, b.protocol.sampling.seed) = (2, 9);
    b.model.engine = "another".into();
    assert_eq!(compare(&a, &b).unwrap().envelope.warnings, ["other engines answered: test and another"]);
    b.questions.clear();
    assert!(matches!(compare(&a, &b), Err(CompareError::NothingShared { .. })));
}

#[test]
fn three_questions_can_show_nothing_and_it_is_said() {
    let comparison = compare(&report("a", &single(0, 3, 0)), &report("b", &single(3, 0, 0))).unwrap();
    assert!(comparison.verdict.ends_with("3 questions are too few to show any difference."), "{}", comparison.verdict);
}

#[test]
fn every_model_is_compared_with_the_base_in_every_exam_and_p_is_that_of_as_many_tests() {
    let of = |right: [usize; 3]| -> Vec<ExamReport> {
        let models = ["base", "f1", "f2"].into_iter().zip(right);
        models.map(|(name, right)| report(name, &single(right, 40 - right, 0))).collect()
    };
    let matrix = ExamMatrix::new(envelope(), &[of([5, 30, 5]), of([10, 12, 36])], 0).unwrap();
    assert_eq!(matrix.models.iter().map(|model| model.reference.as_str()).collect::<Vec<_>>(), ["base", "f1", "f2"]);
    let beside = |exam: usize, model: usize| matrix.exams[exam].models[model].beside_base;
    assert_eq!((beside(0, 0), beside(1, 0)), (None, None));
    let [learnt, same, few, other] = [(0, 1), (0, 2), (1, 1), (1, 2)].map(|(exam, model)| beside(exam, model).unwrap());
    assert!((learnt.difference - 0.625).abs() < 1e-12 && (other.difference - 0.65).abs() < 1e-12);
    // Two of forty, and twenty-six of forty: a fair coin, by hand.
    assert_eq!((few.p, few.p_of_all), (0.5, 1.0));
    assert_eq!((same.p, same.p_of_all), (1.0, 1.0));
    assert!((other.p - 0.5_f64.powi(25)).abs() < 1e-15 && (other.p_of_all / other.p - 4.0).abs() < 1e-9);
    assert!((learnt.p - 0.5_f64.powi(24)).abs() < 1e-15 && (learnt.p_of_all / learnt.p - 3.0).abs() < 1e-9);
}

#[test]
fn models_that_were_not_asked_the_same_make_no_matrix() {
    let reports = vec![report("a", &single(1, 2, 0)), report("b", &single(1, 3, 0))];
    assert!(matches!(ExamMatrix::new(envelope(), &[reports], 0), Err(CompareError::OtherQuestions { .. })));
}
