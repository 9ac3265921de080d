//! Made-up reports with plausible numbers: what the tests of this folder draw, and what a person looks at when a drawing changes.

pub(crate) mod compare;
pub(crate) mod exam;
pub(crate) mod locate;

use std::collections::BTreeMap;

use stethoscope_core::anatomy::{Part, Role, Site, Slice};
use stethoscope_core::report::{
    Bimodality, BothBimodalities, CheckpointSummary, ComputeInfo, DeltaNumbers, DeltaReport, Envelope, ModuleDelta,
    Presence, RelativeDefinition, RelativeHistogram, SettingDifference, TensorDelta, UlpCounts, Unpaired,
    UnpairedReason,
};

/// One kind of parameter, and how it changes.
struct Kind {
    role: &'static str,
    part: Part,
    shape: [u64; 2],
    /// RMS of the weights.
    weight_rms: f64,
    /// Relative change in a middle layer.
    change: f64,
    /// Whether most layers' distributions have two modes.
    bimodal: bool,
    /// How many experts each layer has; 0 for a module that is no expert.
    experts: u32,
}

const fn weight(role: &'static str, shape: [u64; 2], change: f64) -> Kind {
    Kind { role, part: Part::Weight, shape, weight_rms: 0.02, change, bimodal: false, experts: 0 }
}

const fn bias(role: &'static str, length: u64, change: f64) -> Kind {
    Kind { role, part: Part::Bias, shape: [1, length], weight_rms: 4.0, change, bimodal: false, experts: 0 }
}

const fn norm(role: &'static str, length: u64, change: f64) -> Kind {
    Kind { role, part: Part::Weight, shape: [1, length], weight_rms: 1.0, change, bimodal: false, experts: 0 }
}

/// A number in −1..1 that depends on the words alone.
fn jitter(words: &[&str], number: u64) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in words.iter().flat_map(|word| word.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 29;
    (hash.wrapping_mul(0x94d0_49bb_1331_11eb) >> 40) as f64 / f64::from(1 << 23) - 1.0
}

fn histogram(kind: &Kind, change: f64, bimodal: bool, seed: u64) -> RelativeHistogram {
    let elements = kind.shape[0] * kind.shape[1];
    let unchanged = elements / 20;
    let spread = (change * 1.5).clamp(0.012, 0.3);
    let density = |x: f64| {
        let bump = |center: f64, width: f64| (-((x - center) / width).powi(2) / 2.0).exp();
        match bimodal {
            true => bump(-0.9 * spread, 0.55 * spread) + 0.85 * bump(1.1 * spread, 0.6 * spread),
            false => bump(0.002, spread * 0.7) + 0.08 / (1.0 + (x / spread).powi(2)),
        }
    };
    let heights: Vec<f64> = (0..200_u32).map(|bin| density((f64::from(bin) - 99.5) / 100.0)).collect();
    let sum: f64 = heights.iter().sum();
    let noisy = |bin: usize, height: f64| height * (1.0 + 0.04 * jitter(&[kind.role], seed * 200 + bin as u64));
    let mut counts: Vec<u64> = heights
        .iter()
        .enumerate()
        .map(|(bin, &height)| (noisy(bin, height) / sum * (elements - unchanged) as f64) as u64)
        .collect();
    counts[100] += unchanged;
    RelativeHistogram {
        low: -1.0,
        high: 1.0,
        counts,
        below: elements / 300,
        above: elements / 280,
        undefined: 0,
        unchanged,
    }
}

fn verdict(bimodal: bool, change: f64, elements: u64) -> Bimodality {
    Bimodality {
        bimodal,
        modes: if bimodal { vec![-1.4 * change, 1.6 * change] } else { vec![0.0] },
        valley_depth: if bimodal { 0.62 } else { 0.0 },
        dip: Some(if bimodal { 0.041 } else { 0.002 }),
        null_valley_depth: 0.04,
        null_dip: Some(0.003),
        elements,
    }
}

fn tensor(kind: &Kind, layer: Option<u32>, layers: u32, expert: Option<u32>) -> TensorDelta {
    let depth = f64::from(layer.unwrap_or(0)) / f64::from(layers.max(2) - 1);
    let number = u64::from(layer.unwrap_or(999)) * 1000 + u64::from(expert.unwrap_or(0));
    let noise = jitter(&[kind.role], number);
    let change = kind.change * (0.65 + 0.9 * (std::f64::consts::PI * depth).sin().powi(2)) * (1.0 + 0.12 * noise);
    let elements = kind.shape[0] * kind.shape[1];
    let l2_a = kind.weight_rms * (elements as f64).sqrt() * (1.0 + 0.3 * depth);
    let l2_delta = l2_a * change;
    let bimodal = kind.bimodal && (0.08..0.93).contains(&depth);
    let place = layer.map_or_else(|| "model".to_owned(), |layer| format!("model.layers.{layer}"));
    let inner = expert.map_or_else(String::new, |expert| format!(".experts.{expert}"));
    TensorDelta {
        name: format!("{place}{inner}.{}.{}", kind.role, kind.part),
        site: Site { layer, role: Role::new(kind.role), part: kind.part.clone(), expert, slice: Vec::new() },
        dtype_a: "BF16".to_owned(),
        dtype_b: "BF16".to_owned(),
        shape: kind.shape.to_vec(),
        numbers: DeltaNumbers {
            elements,
            l2_delta,
            l2_a,
            l2_b: l2_a.hypot(l2_delta),
            l2_relative: Some(change),
            cosine: Some(1.0 / (1.0 + change * change).sqrt()),
            dot_a_delta: 0.001 * l2_a * l2_delta,
            l1_delta: 0.8 * l2_delta * (elements as f64).sqrt(),
            max_abs_delta: 6.0 * l2_delta / (elements as f64).sqrt(),
            rms_delta: Some(l2_delta / (elements as f64).sqrt()),
            rms_a: Some(l2_a / (elements as f64).sqrt()),
            changed: elements - elements / 20,
            rounding_floor: 0.0,
            non_finite_a: 0,
            non_finite_b: 0,
        },
        ulps: Some(UlpCounts { one: elements / 5, two_to_four: elements / 4, more: elements / 2, largest: 16_411 }),
        relative: Some(histogram(kind, change, bimodal, number)),
        bimodality: Some(BothBimodalities {
            script: verdict(bimodal, change, elements - elements / 20),
            formula: verdict(bimodal, change, elements - elements / 20),
        }),
        spectrum: None,
    }
}

fn tensors_of(kinds: &[Kind], layers: u32, outside: &[Kind]) -> Vec<TensorDelta> {
    let mut tensors: Vec<TensorDelta> = outside.iter().map(|kind| tensor(kind, None, layers, None)).collect();
    for layer in 0..layers {
        for kind in kinds {
            if kind.experts == 0 {
                tensors.push(tensor(kind, Some(layer), layers, None));
            }
            tensors.extend((0..kind.experts).map(|expert| tensor(kind, Some(layer), layers, Some(expert))));
        }
    }
    tensors
}

fn add(sum: &mut DeltaNumbers, more: &DeltaNumbers) {
    sum.elements += more.elements;
    sum.l2_delta = sum.l2_delta.hypot(more.l2_delta);
    sum.l2_a = sum.l2_a.hypot(more.l2_a);
    sum.l2_b = sum.l2_b.hypot(more.l2_b);
    sum.dot_a_delta += more.dot_a_delta;
    sum.l1_delta += more.l1_delta;
    sum.max_abs_delta = sum.max_abs_delta.max(more.max_abs_delta);
    sum.changed += more.changed;
    sum.rounding_floor = sum.rounding_floor.hypot(more.rounding_floor);
    sum.non_finite_a += more.non_finite_a;
    sum.non_finite_b += more.non_finite_b;
    sum.l2_relative = (sum.l2_a > 0.0).then_some(sum.l2_delta / sum.l2_a);
    sum.rms_delta = Some(sum.l2_delta / (sum.elements as f64).sqrt());
    sum.rms_a = Some(sum.l2_a / (sum.elements as f64).sqrt());
}

/// The modules of `tensors`, as the measuring part would sum them up.
fn modules_of(tensors: &[TensorDelta]) -> Vec<ModuleDelta> {
    let mut groups: BTreeMap<(Role, Part), Vec<&TensorDelta>> = BTreeMap::new();
    for tensor in tensors {
        groups.entry((tensor.site.role.clone(), tensor.site.part.clone())).or_default().push(tensor);
    }
    let mut modules: Vec<ModuleDelta> = groups
        .into_iter()
        .map(|((role, part), tensors)| {
            let mut numbers = tensors[0].numbers.clone();
            tensors[1..].iter().for_each(|tensor| add(&mut numbers, &tensor.numbers));
            let peak = tensors
                .iter()
                .filter(|tensor| tensor.site.layer.is_some() && tensor.numbers.l2_delta > 0.0)
                .max_by(|left, right| left.numbers.l2_relative.partial_cmp(&right.numbers.l2_relative).unwrap());
            let layers: BTreeMap<_, bool> = tensors
                .iter()
                .map(|tensor| (tensor.site.layer, tensor.bimodality.as_ref().is_some_and(|both| both.script.bimodal)))
                .collect();
            ModuleDelta {
                role,
                part,
                tensors: tensors.len() as u64,
                peak_layer: peak.and_then(|tensor| tensor.site.layer),
                peak_l2_relative: peak.and_then(|tensor| tensor.numbers.l2_relative),
                bimodal_layers: tensors[0]
                    .bimodality
                    .as_ref()
                    .map(|_| layers.values().filter(|&&is| is).count() as u64),
                layers: layers.len() as u64,
                numbers,
            }
        })
        .collect();
    modules.sort_by(|left, right| right.numbers.l2_relative.partial_cmp(&left.numbers.l2_relative).unwrap());
    modules
}

fn side(reference: &str, family: &str, layers: u32, parameters: u64) -> CheckpointSummary {
    let fingerprint =
        format!("{:016x}", parameters.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ reference.len() as u64).repeat(4);
    CheckpointSummary { reference: reference.to_owned(), fingerprint, family: family.to_owned(), layers, parameters }
}

fn report(a: CheckpointSummary, b: CheckpointSummary, tensors: Vec<TensorDelta>) -> DeltaReport {
    DeltaReport {
        envelope: Envelope {
            schema: "stethoscope.delta/1".to_owned(),
            tool: "stethoscope 0.1.0".to_owned(),
            command: ["stethoscope", "delta", &a.reference, &b.reference].map(str::to_owned).to_vec(),
            compute: ComputeInfo { backend: "cpu".to_owned(), adapter: "AVX-512".to_owned(), threads: 2 },
            seed: None,
            seconds: 1.93,
            bytes_read: 6_174_857_216,
            warnings: Vec::new(),
        },
        a,
        b,
        select: "all".to_owned(),
        relative_definition: RelativeDefinition::Script,
        modules: modules_of(&tensors),
        tensors,
        unpaired: Vec::new(),
        settings: Vec::new(),
    }
}

fn qwen2_kinds() -> Vec<Kind> {
    vec![
        Kind { bimodal: true, ..weight("o_proj", [1536, 1536], 0.123) },
        weight("q_proj", [1536, 1536], 0.061),
        weight("k_proj", [256, 1536], 0.055),
        weight("v_proj", [256, 1536], 0.071),
        weight("up_proj", [8960, 1536], 0.058),
        weight("gate_proj", [8960, 1536], 0.052),
        weight("down_proj", [1536, 8960], 0.06),
        bias("q_proj", 1536, 0.0031),
        bias("k_proj", 256, 0.0012),
        bias("v_proj", 256, 0.02),
        norm("input_norm", 1536, 0.004),
        norm("post_norm", 1536, 0.003),
    ]
}

fn qwen2_outside() -> [Kind; 3] {
    [weight("embed", [151_936, 1536], 0.021), weight("head", [151_936, 1536], 0.033), norm("final_norm", 1536, 0.0008)]
}

/// 28 layers shaped like Qwen2-1.5B, `o_proj` planted to change most and in two modes; some of everything a report can hold.
pub(crate) fn qwen2_like() -> DeltaReport {
    let a = side("Qwen/Qwen2.5-Math-1.5B", "qwen2", 28, 1_543_714_304);
    let b = side("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "qwen2", 28, 1_777_088_000);
    let mut report = report(a, b, tensors_of(&qwen2_kinds(), 28, &qwen2_outside()));
    report.unpaired = vec![
        Unpaired {
            name: "lm_head.weight".to_owned(),
            present_in: Presence::B,
            reason: UnpairedReason::Missing,
            detail: String::new(),
        },
        Unpaired {
            name: "model.vision.patch_embed.weight".to_owned(),
            present_in: Presence::Both,
            reason: UnpairedReason::Shape,
            detail: "[1152, 588] in A, [1152, 1176] in B".to_owned(),
        },
    ];
    let setting = |file: &str, key: &str, a: Option<serde_json::Value>, b: Option<serde_json::Value>| {
        SettingDifference { file: file.to_owned(), key: key.to_owned(), a, b }
    };
    report.settings = vec![
        setting("config.json", "bos_token_id", Some(151_643.into()), Some(151_646.into())),
        setting("config.json", "max_position_embeddings", Some(4096.into()), Some(131_072.into())),
        setting("config.json", "tie_word_embeddings", Some(true.into()), Some(false.into())),
        setting("generation_config.json", "temperature", None, Some(0.6.into())),
        setting("tokenizer.json", "", None, None),
    ];
    report
}

/// 64 layers, more than a heat map has room to write numbers for.
pub(crate) fn deep() -> DeltaReport {
    let a = side("Qwen/Qwen2.5-32B", "qwen2", 64, 32_763_876_352);
    let b = side("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "qwen2", 64, 32_763_876_352);
    report(a, b, tensors_of(&qwen2_kinds(), 64, &qwen2_outside()))
}

/// A mixture of experts with latent attention: more than twenty modules, some of them in some layers only.
pub(crate) fn mixture() -> DeltaReport {
    let experts = |role, shape, change| Kind { experts: 4, ..weight(role, shape, change) };
    let kinds = vec![
        weight("q_a_proj", [1536, 7168], 0.031),
        weight("q_b_proj", [24_576, 1536], 0.028),
        weight("kv_a_proj_with_mqa", [576, 7168], 0.044),
        weight("kv_b_proj", [32_768, 512], 0.037),
        Kind { bimodal: true, ..weight("o_proj", [7168, 16_384], 0.082) },
        norm("input_norm", 7168, 0.002),
        norm("post_norm", 7168, 0.0021),
        norm("q_a_norm", 1536, 0.0007),
        norm("kv_a_norm", 512, 0.0009),
        weight("router", [256, 7168], 0.012),
        bias("router", 256, 0.0004),
        experts("gate_proj", [2048, 7168], 0.024),
        experts("up_proj", [2048, 7168], 0.026),
        experts("down_proj", [7168, 2048], 0.029),
        weight("shared_gate_proj", [2048, 7168], 0.041),
        weight("shared_up_proj", [2048, 7168], 0.04),
        weight("shared_down_proj", [7168, 2048], 0.039),
    ];
    let mut tensors = tensors_of(&kinds, 27, &qwen2_outside());
    let in_mixture_only = |role: &str| role.starts_with("shared") || role == "router";
    tensors
        .retain(|tensor| tensor.site.layer.is_none_or(|layer| layer >= 3) || !in_mixture_only(tensor.site.role.name()));
    tensors.retain(|tensor| {
        tensor.site.layer.is_none_or(|layer| layer >= 3) || tensor.site.expert.is_none_or(|expert| expert == 0)
    });
    for kind in [
        weight("mtp_projection", [7168, 14_336], 0.05),
        norm("mtp_embed_norm", 7168, 0.001),
        norm("mtp_hidden_norm", 7168, 0.001),
    ] {
        tensors.push(tensor(&kind, Some(27), 28, None));
    }
    let a = side("deepseek-ai/DeepSeek-V3-Base", "deepseek_v3", 28, 671_026_419_200);
    let b =
        side("/mnt/checkpoints/2026-11/distillation/run-0042/step-00012000-merged", "deepseek_v3", 28, 671_026_419_200);
    report(a, b, tensors)
}

/// One layer: every axis is a point.
pub(crate) fn single_layer() -> DeltaReport {
    let kinds = [
        Kind { bimodal: true, ..weight("o_proj", [64, 64], 0.1) },
        weight("q_proj", [64, 64], 0.02),
        bias("q_proj", 64, 0.001),
    ];
    let a = side("planted:base", "qwen2", 1, 8256);
    let b = side("planted:tuned", "qwen2", 1, 8256);
    report(a, b, tensors_of(&kinds, 1, &[]))
}

/// 200 layers with nothing outside them.
pub(crate) fn two_hundred_layers() -> DeltaReport {
    let side = side("deep", "llama", 200, 1_000_000_000);
    let kinds = [weight("o_proj", [64, 64], 0.1), weight("up_proj", [64, 256], 0.05), norm("input_norm", 64, 0.01)];
    report(side.clone(), side, tensors_of(&kinds, 200, &[]))
}

/// A compared with itself.
pub(crate) fn identical() -> DeltaReport {
    let mut report = qwen2_like();
    report.b = report.a.clone();
    report.unpaired.clear();
    report.settings.clear();
    report.envelope.warnings =
        vec!["A and B hold the same values everywhere: is one of them a copy of the other?".to_owned()];
    for tensor in &mut report.tensors {
        let numbers = &mut tensor.numbers;
        (numbers.l2_delta, numbers.l1_delta, numbers.max_abs_delta, numbers.dot_a_delta) = (0.0, 0.0, 0.0, 0.0);
        (numbers.changed, numbers.l2_b) = (0, numbers.l2_a);
        (numbers.l2_relative, numbers.rms_delta, numbers.cosine) = (Some(0.0), Some(0.0), Some(1.0));
        tensor.ulps = Some(UlpCounts::default());
        let mut counts = vec![0; 200];
        counts[100] = numbers.elements;
        let unchanged = numbers.elements;
        tensor.relative =
            Some(RelativeHistogram { low: -1.0, high: 1.0, counts, below: 0, above: 0, undefined: 0, unchanged });
        let nothing = Bimodality { modes: Vec::new(), dip: None, null_dip: None, ..verdict(false, 0.0, 0) };
        tensor.bimodality = Some(BothBimodalities { script: nothing.clone(), formula: nothing });
    }
    report.modules = modules_of(&report.tensors);
    report
}

/// What `--norms-only` leaves.
pub(crate) fn norms_only() -> DeltaReport {
    let mut report = qwen2_like();
    for tensor in &mut report.tensors {
        (tensor.ulps, tensor.relative, tensor.bimodality) = (None, None, None);
    }
    report.modules = modules_of(&report.tensors);
    report
}

/// A pair that differs by a hair, as after reinforcement learning.
pub(crate) fn by_a_hair() -> DeltaReport {
    let mut report = qwen2_like();
    for tensor in &mut report.tensors {
        let changed = tensor.numbers.elements * 31 / 1000;
        tensor.numbers.changed = changed;
        tensor.numbers.l2_delta /= 500.0;
        tensor.numbers.rms_delta = tensor.numbers.rms_delta.map(|rms| rms / 500.0);
        tensor.numbers.l2_relative = tensor.numbers.l2_relative.map(|change| change / 500.0);
        tensor.ulps = Some(UlpCounts {
            one: changed * 94 / 100,
            two_to_four: changed * 5 / 100,
            more: changed / 100,
            largest: 12,
        });
    }
    report.modules = modules_of(&report.tensors);
    report
}

/// An FP8 release against its BF16 original: some modules differ by rounding alone; and some values are not numbers.
pub(crate) fn rounded() -> DeltaReport {
    let mut report = qwen2_like();
    for tensor in &mut report.tensors {
        tensor.dtype_b = "F8_E4M3".to_owned();
        tensor.numbers.rounding_floor = 0.05 * tensor.numbers.l2_a;
        if tensor.site.layer == Some(3) && tensor.site.role.name() == "o_proj" {
            tensor.numbers.non_finite_b = 12;
            report.envelope.warnings.push(format!(
                "one tensor holds values that are infinite or not a number (0 in A, 12 in B; the first in \"{}\"): they \
                 are left out of every sum",
                tensor.name
            ));
        }
    }
    report.modules = modules_of(&report.tensors);
    report
}

/// Names made to break out of whatever they are put into.
pub(crate) fn hostile() -> DeltaReport {
    let evil = "<script>alert(1)</script>";
    let mut report = single_layer();
    report.a.reference = format!("{evil}\x1b[31m");
    report.a.family = evil.to_owned();
    report.b.reference = "\"onload=\"alert(1)\" ]]> & \u{202E}x".to_owned();
    report.select = evil.to_owned();
    report.envelope.command.push(format!("'{evil}'\n$(reboot)"));
    report.envelope.warnings.push(format!("about {evil}"));
    report.envelope.compute.adapter = evil.to_owned();
    report.tensors[0].name = evil.to_owned();
    report.tensors[1].name = "=cmd|' /C calc'!A0,\"quoted\"\r\nnext\0\u{FFFF}".to_owned();
    report.tensors[0].site.role = Role::new(evil);
    report.tensors[1].site.role = Role::new("a_role_whose_name_is_far_longer_than_any_column_could_ever_be_界界界");
    report.tensors[1].site.slice =
        vec![Slice::contiguous(0, 0, 32, 64), Slice { axis: 1, start: 1, length: 1, stride: 1, period: 2 }];
    report.unpaired.push(Unpaired {
        name: format!("{evil}\x07"),
        present_in: Presence::Both,
        reason: UnpairedReason::Dtype,
        detail: format!("{evil}-->"),
    });
    report.settings.push(SettingDifference {
        file: evil.to_owned(),
        key: evil.to_owned(),
        a: Some(serde_json::Value::String("</script><script>alert(2)</script><!--".to_owned())),
        b: None,
    });
    report.modules = modules_of(&report.tensors);
    report
}

/// Every report above, by name.
pub(crate) fn all() -> Vec<(&'static str, DeltaReport)> {
    vec![
        ("qwen2_like", qwen2_like()),
        ("deep", deep()),
        ("mixture", mixture()),
        ("single_layer", single_layer()),
        ("two_hundred_layers", two_hundred_layers()),
        ("identical", identical()),
        ("norms_only", norms_only()),
        ("by_a_hair", by_a_hair()),
        ("rounded", rounded()),
        ("hostile", hostile()),
    ]
}
