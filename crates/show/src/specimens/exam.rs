//! Exams, as a report says them.

use stethoscope_core::report::{ComputeInfo, Envelope};
use stethoscope_exam::benchmark::built_in;
use stethoscope_exam::level::{Finish, Measured};
use stethoscope_exam::preset::Preset;
use stethoscope_exam::report::{ExamReport, Likelihoods};
use stethoscope_exam::sample::{Configuration, Sample, SampleLog};

/// The demo's exam: every `right`-th question is answered rightly, every 16th cannot be read.
pub(crate) fn report(name: &str, right: usize, samples: u32) -> ExamReport {
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

/// Nothing sampled.
pub(crate) fn unanswered() -> ExamReport {
    let mut report = report("demo:base", 8, 1);
    (report.score, report.unparsable, report.truncated, report.lengths) = (None, None, None, None);
    report.levels.clear();
    report.questions.clear();
    report
}

/// Names and answers that would be markup if they were let.
pub(crate) fn hostile() -> ExamReport {
    let evil = "<script>alert(1)</script>\"' onload=x";
    let mut report = report(evil, 8, 2);
    report.model.engine = evil.to_owned();
    report.benchmark.name = evil.to_owned();
    report.envelope.command = vec![evil.to_owned()];
    report.envelope.warnings.push(format!("{evil} --> ]]>"));
    for question in &mut report.questions {
        question.id = evil.to_owned();
        question.gold = Some(evil.to_owned());
        question.extracted = vec![Some(evil.to_owned()), Some("</td></table>".to_owned())];
    }
    report
}

/// Every report above, by name.
pub(crate) fn all() -> Vec<(&'static str, ExamReport)> {
    vec![
        ("exam", report("demo:base", 8, 1)),
        ("exam_samples", report("A; take o_proj from B", 2, 4)),
        ("exam_unanswered", unanswered()),
        ("exam_hostile", hostile()),
    ]
}
