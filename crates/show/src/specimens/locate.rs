//! Searches for modules, as a report says them.

use std::collections::BTreeMap;

use stethoscope_core::anatomy::Role;
use stethoscope_core::report::{CheckpointSummary, ComputeInfo, Envelope};
use stethoscope_exam::locate::{
    DestroyOptions, Destroyed, Dose, Heard, LocateReport, Measure, RowAnswers, Side, Unit, plan, rank,
};
use stethoscope_exam::report::{BenchmarkSummary, Mean};

fn unit(name: &str, select: &str, share: f64, l2_delta: f64) -> Unit {
    let roles = select.split(" + ").map(|role| Role::new(role.to_owned())).collect::<Vec<_>>();
    let is_part = roles.len() == 1 || name == "embed + head";
    let dose = Dose { parameters: 1000, share, l2_delta, l2_relative: None };
    Unit { name: name.into(), select: select.into(), roles, is_part, dose }
}

fn side(reference: &str) -> CheckpointSummary {
    CheckpointSummary {
        reference: reference.into(),
        fingerprint: "f".into(),
        family: "qwen2".into(),
        layers: 12,
        parameters: 1_000_000,
    }
}

/// Of so many questions, with `o_proj` bringing most of what B has.
pub(crate) fn report(questions: u32) -> LocateReport {
    let units = vec![
        unit("q_proj", "q_proj", 0.06, 0.31),
        unit("o_proj", "o_proj", 0.061, 3.02),
        unit("gate_proj", "gate_proj", 0.2, 4.1),
        unit("v + o", "v_proj + o_proj", 0.07, 3.03),
        unit("embed + head", "embed + head", 0.4, 0.012),
    ];
    let destroy = DestroyOptions::like_the_paper(12);
    let plan = plan("demo:base", "demo:reasoner", units, &[0, 1], Some(&destroy)).unwrap();
    let score = |heard: &Heard, question: u32, row: usize| {
        let noise = f64::from((question * 37 + row as u32 * 13) % 29) / 40.0;
        let holds = |unit: &str| ["o_proj", "v + o"].contains(&unit);
        let shift = match heard {
            Heard::Model { side: Side::A } => 0.0,
            Heard::Model { side: Side::B } => 3.0,
            Heard::Taken { unit } => {
                if holds(unit) {
                    2.1
                } else {
                    0.02
                }
            }
            Heard::Kept { unit } => {
                if holds(unit) {
                    1.0
                } else {
                    2.9
                }
            }
            Heard::Control { .. } => -0.4,
            Heard::Destroyed { .. } => -9.0,
        };
        Some(noise + shift - 7.0)
    };
    let rows = plan.rows.iter().enumerate();
    let scores: BTreeMap<_, _> = rows
        .map(|(at, row)| (row.key.clone(), (0..questions).map(|question| score(&row.heard, question, at)).collect()))
        .collect();
    let compute = ComputeInfo { backend: "cpu".into(), adapter: "test".into(), threads: 1 };
    let skill = rank(&plan, Measure::ReferenceLikelihood, &scores, 1);
    let left = Some(Mean { n: questions.into(), mean: -16.0, interval: None });
    let destroyed = plan.rows.iter().filter_map(|row| match &row.heard {
        Heard::Destroyed { how, unit } => {
            Some(Destroyed { how: *how, unit: unit.clone(), skill: left, conversation: None })
        }
        _ => None,
    });
    LocateReport {
        envelope: Envelope::new("locate", compute, 0, vec!["the same in A and B: up_proj".into()]),
        a: side("demo:base"),
        b: side("demo:reasoner\u{1b}[31m"),
        benchmark: BenchmarkSummary {
            name: "demo".into(),
            fingerprint: "f".into(),
            questions: questions.into(),
            seed: Some(1),
        },
        destroyed: destroyed.collect(),
        plan,
        skill,
        conversation: None,
        answers: Vec::new(),
    }
}

/// The same, with conversation asked for too.
pub(crate) fn with_conversation(questions: u32) -> LocateReport {
    let mut report = report(questions);
    report.conversation = Some(report.skill.clone());
    report
}

/// Nothing heard yet.
pub(crate) fn empty() -> LocateReport {
    let mut report = report(4);
    report.skill = rank(&report.plan, Measure::Accuracy, &BTreeMap::new(), 1);
    report
}

/// Names that would be markup if they were let.
pub(crate) fn hostile() -> LocateReport {
    let evil = "<script>alert(1)</script>\"' onload=x";
    let mut report = with_conversation(8);
    report.a.reference = evil.to_owned();
    report.b.family = evil.to_owned();
    report.benchmark.name = evil.to_owned();
    report.envelope.warnings.push(format!("{evil} --> ]]>"));
    report.envelope.command = vec![evil.to_owned()];
    let conversation = report.conversation.as_mut();
    for axis in [&mut report.skill].into_iter().chain(conversation) {
        axis.answer = evil.to_owned();
        for row in axis.taken.iter_mut().chain(&mut axis.kept).filter(|row| row.unit.name == "q_proj") {
            row.unit.name = evil.to_owned();
        }
    }
    report.plan.units.iter_mut().for_each(|unit| unit.name = evil.to_owned());
    for broken in &mut report.destroyed {
        broken.unit = Some(evil.to_owned());
    }
    for row in &mut report.plan.rows {
        row.recipe = evil.to_owned();
        if let Heard::Destroyed { unit, .. } = &mut row.heard {
            *unit = Some(evil.to_owned());
        }
    }
    report.answers = vec![RowAnswers { key: evil.to_owned(), levels: Vec::new(), lengths: None }];
    report
}

/// Every report above, by name.
pub(crate) fn all() -> Vec<(&'static str, LocateReport)> {
    vec![
        ("locate", report(40)),
        ("locate_conversation", with_conversation(12)),
        ("locate_empty", empty()),
        ("locate_hostile", hostile()),
    ]
}
