use stethoscope_core::report::{ComputeInfo, Envelope};
use stethoscope_exam::benchmark::built_in;
use stethoscope_exam::level::{Finish, Measured};
use stethoscope_exam::preset::Preset;
use stethoscope_exam::report::{Likelihoods, compare};
use stethoscope_exam::sample::{Configuration, Sample, SampleLog};

use super::*;
use crate::text::columns;

/// The demo's exam: every `right`-th question is answered rightly, every 16th cannot be read.
fn report(name: &str, right: usize, samples: u32) -> ExamReport {
    let demo = built_in("demo", 1).unwrap();
    let mut protocol = Preset::Plain.protocol(&demo);
    protocol.samples = samples;
    let mut log = SampleLog::begin(Configuration::new(name, "cpu, f32", &demo, protocol));
    for (at, question) in demo.questions.iter().enumerate() {
        for sample in 0..samples {
            let (is_right, is_lost) = (at % right == sample as usize % 2, at % 16 == 5);
            log.samples.push(Sample {
                question: question.id.clone(),
                sample,
                seed: 0,
                prompt: String::new(),
                text: "12".into(),
                tokens: 3 + at as u64,
                prompt_tokens: 6,
                finish: if is_lost { Finish::Length } else { Finish::End },
                log_probability: None,
                measured: Measured::default(),
                extracted: (!is_lost).then(|| "12".into()),
                correct: Some(is_right && !is_lost),
                why: String::new(),
                level: None,
            });
        }
    }
    let calibration = log.calibration(&[]);
    log.judge(&demo, &calibration);
    let compute = ComputeInfo { backend: "cpu".into(), adapter: "test".into(), threads: 1 };
    let envelope = Envelope::new("exam", compute, 0, vec!["a file\u{1b}[31m was odd".into()]);
    let likelihoods = Likelihoods {
        references: (0..64).map(|at| Some(-1.0 - f64::from(at) / 50.0)).collect(),
        held_out_bits: vec![1.0, 1.2, 1.4],
    };
    ExamReport::new(envelope, &log, &demo, &likelihoods)
}

#[test]
fn an_exam_at_eighty_columns() {
    insta::assert_snapshot!(table(&report("demo:base", 8, 1), 80, false));
}

#[test]
fn an_exam_of_several_samples_says_what_they_are_worth() {
    insta::assert_snapshot!(table(&report("demo:reasoner", 2, 4), 80, false));
}

#[test]
fn a_comparison_says_what_its_n_can_show() {
    let compute = ComputeInfo { backend: "cpu".into(), adapter: "test".into(), threads: 1 };
    let envelope = Envelope::new("compare", compute, 0, Vec::new());
    let found = compare(envelope, &report("demo:base", 8, 1), &report("demo:reasoner", 5, 1), 0).unwrap();
    insta::assert_snapshot!(comparison(&found, 80, false));
}

#[test]
fn no_line_is_wider_than_asked_and_no_control_character_is_left() {
    let odd = report(&format!("A; take {} from \u{1b}[2JB", "o_proj + ".repeat(30)), 3, 2);
    for width in [1, 10, 40, 60, 80, 120] {
        for line in table(&odd, width, false).lines() {
            assert!(columns(line) <= width, "at {width}: {line:?}");
            assert!(!line.chars().any(char::is_control));
        }
    }
}
