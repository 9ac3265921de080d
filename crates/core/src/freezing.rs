//! Training some modules of a model and freezing the others: what is asked, what it will cost, and what is seen while it goes on,
//! as data. Whoever runs models does it.

use serde::{Deserialize, Serialize};

use crate::anatomy::{Part, Role};
use crate::report::{CheckpointSummary, Envelope};

/// Train some modules of a model on a file of examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreezeRequest {
    /// The model, as a person names a checkpoint.
    pub a: String,
    /// Which modules are trained, in the selection language; all others are frozen.
    pub train: String,
    /// The file of examples.
    pub data: String,
    /// How an example becomes text; none for what its rows call for.
    pub template: Option<ExampleTemplate>,
    /// A file of examples that are not trained on, whose loss is taken.
    pub eval: Option<String>,
    /// The folder, or for a plug-in the file, to write; none to say only what it would cost.
    pub out: Option<String>,
    /// What is written.
    pub form: TrainedForm,
    /// Replace what is there.
    pub force: bool,
    /// How it is trained.
    pub settings: FreezeSettings,
}

/// How an example becomes text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExampleTemplate {
    /// The model's own chat template.
    Chat,
    /// That of s1: thinking, then the answer, in the form of `ChatML`.
    S1,
    /// The question and the answer, one after the other.
    Plain,
}

/// What is written of a trained model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainedForm {
    /// All of it, as a checkpoint.
    #[default]
    Model,
    /// The trained modules, as a plug-in for the model that was trained.
    PlugIn,
}

/// How a model is trained. The default is what s1 was trained with (arXiv 2501.19393, appendix D), but for the length of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FreezeSettings {
    /// Tokens of a block at most, each of which holds whole examples.
    pub block: u64,
    /// Blocks in a step.
    pub batch: u64,
    /// How often every example is seen, where no number of steps is given.
    pub epochs: u64,
    /// Steps after which it ends, however often examples were seen by then; none for `epochs`.
    pub max_steps: Option<u64>,
    /// The highest rate.
    pub rate: f64,
    /// How the rate falls.
    pub schedule: RateShape,
    /// Steps in which the rate rises; none for a twentieth of all.
    pub warm_up: Option<u64>,
    /// β₁ and β₂ of `AdamW`.
    pub decays: [f64; 2],
    /// What share of a parameter is taken off in each step, times the rate.
    pub weight_decay: f64,
    /// The norm that gradients are scaled down to where theirs is greater; none to leave them.
    pub clip: Option<f64>,
    /// Of the order of examples.
    pub seed: u64,
    /// Compute every layer again on the way back, rather than hold what it needs in memory.
    pub recompute: bool,
    /// Steps between two looks at the loss of the examples that are not trained on.
    pub eval_every: u64,
    /// Steps between two checkpoints; 0 for none but the last.
    pub save_every: u64,
    /// Checkpoints that are kept.
    pub keep: u64,
}

impl Default for FreezeSettings {
    fn default() -> Self {
        Self {
            block: 4096,
            batch: 16,
            epochs: 5,
            max_steps: None,
            rate: 1e-5,
            schedule: RateShape::Cosine,
            warm_up: None,
            decays: [0.9, 0.95],
            weight_decay: 1e-4,
            clip: Some(1.0),
            seed: 0,
            recompute: true,
            eval_every: 50,
            save_every: 50,
            keep: 2,
        }
    }
}

/// How a rate goes on behind the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateShape {
    /// It stays.
    Constant,
    /// It falls to 0 in a straight line.
    Linear,
    /// It falls to 0 along half a cosine.
    Cosine,
}

impl FreezeRequest {
    /// The words of a command line that asks the same.
    pub fn command_line(&self) -> Vec<String> {
        let mut words: Vec<String> =
            ["stethoscope", "freeze", &self.a, "--train", self.train.trim(), "--data", &self.data]
                .map(str::to_owned)
                .into();
        let mut add = |word: &str, value: String| words.extend([word.to_owned(), value]);
        if let Some(template) = self.template {
            add("--template", template.name().to_owned());
        }
        if let Some(eval) = &self.eval {
            add("--eval", eval.clone());
        }
        let (settings, usual) = (&self.settings, FreezeSettings::default());
        let mut add_unusual = |word: &str, is_unusual: bool, value: String| {
            if is_unusual {
                add(word, value);
            }
        };
        add_unusual("--block", settings.block != usual.block, settings.block.to_string());
        add_unusual("--batch", settings.batch != usual.batch, settings.batch.to_string());
        add_unusual("--epochs", settings.epochs != usual.epochs, settings.epochs.to_string());
        add_unusual("--lr", settings.rate != usual.rate, settings.rate.to_string());
        add_unusual("--schedule", settings.schedule != usual.schedule, settings.schedule.name().to_owned());
        let [first, second] = settings.decays;
        add_unusual("--betas", settings.decays != usual.decays, format!("{first},{second}"));
        add_unusual("--weight-decay", settings.weight_decay != usual.weight_decay, settings.weight_decay.to_string());
        add_unusual("--clip", settings.clip != usual.clip, settings.clip.unwrap_or_default().to_string());
        add_unusual("--seed", settings.seed != usual.seed, settings.seed.to_string());
        add_unusual("--eval-every", settings.eval_every != usual.eval_every, settings.eval_every.to_string());
        add_unusual("--save-every", settings.save_every != usual.save_every, settings.save_every.to_string());
        add_unusual("--keep", settings.keep != usual.keep, settings.keep.to_string());
        let mut add_given = |word: &str, value: Option<u64>| {
            words.extend(value.map(|value| [word.to_owned(), value.to_string()]).into_iter().flatten());
        };
        add_given("--max-steps", settings.max_steps);
        add_given("--warm-up", settings.warm_up);
        words.extend((!settings.recompute).then(|| "--no-recompute".to_owned()));
        words.extend((self.form == TrainedForm::PlugIn).then(|| "--as=plugin".to_owned()));
        match &self.out {
            Some(out) => words.extend(["-o".to_owned(), out.clone()]),
            None => words.push("--plan".to_owned()),
        }
        words
    }
}

impl ExampleTemplate {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chat, Self::S1, Self::Plain];

    /// What a command line calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::S1 => "s1",
            Self::Plain => "plain",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }
}

impl RateShape {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Constant, Self::Linear, Self::Cosine];

    /// What a command line calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Cosine => "cosine",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }
}

/// What training would do, and what it would cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreezePlan {
    /// What trains, role by role.
    pub roles: Vec<TrainedRole>,
    /// Parameters that train.
    pub trained: u64,
    /// All of the model's.
    pub parameters: u64,
    /// The examples.
    pub data: DataSummary,
    /// The held-out examples, if there are any.
    pub eval: Option<DataSummary>,
    /// Steps.
    pub steps: u64,
    /// Steps in which the rate rises.
    pub warm_up: u64,
    /// Memory, part by part.
    pub memory: TrainingMemory,
    /// Bytes that the device has for all of that; none where it is not known.
    pub available: Option<u64>,
    /// Floating-point operations of a step with full blocks, and of the same step if everything were trained.
    pub operations: [f64; 2],
    /// How long it will take, in seconds; none before anything was timed.
    pub seconds: Option<f64>,
    /// What to change where it does not fit, nearest first.
    pub advice: Vec<String>,
}

/// What trains of a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedRole {
    /// The role.
    pub role: Role,
    /// The part.
    pub part: Part,
    /// Tensors, or parts of fused ones.
    pub tensors: u64,
    /// Their parameters.
    pub parameters: u64,
}

/// Examples as they are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// The file.
    pub file: String,
    /// What its rows were recognised as.
    pub kind: String,
    /// SHA-256, in hexadecimal, over the rows as they were read.
    pub fingerprint: String,
    /// The template that made text of them.
    pub template: Option<ExampleTemplate>,
    /// Examples.
    pub examples: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Those of them that are learnt.
    pub targets: u64,
    /// Examples that are longer than a block, and so left out.
    pub too_long: Vec<LongExample>,
}

impl DataSummary {
    /// What a person should know of it, if anything was left out.
    pub fn warning(&self) -> Option<String> {
        let longest = self.too_long.iter().map(|long| long.tokens).max()?;
        Some(format!(
            "{}: {} of {} examples are longer than a block and are left out; the longest has {longest} tokens",
            self.file,
            self.too_long.len(),
            self.examples.saturating_add(self.too_long.len() as u64)
        ))
    }
}

/// An example that is longer than a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongExample {
    /// Its line, or its number in a table, from 1.
    pub line: u64,
    /// Its tokens.
    pub tokens: u64,
}

/// Bytes that training needs, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingMemory {
    /// All parameters; those that train in F32.
    pub weights: u64,
    /// The gradients of those that train.
    pub gradients: u64,
    /// The optimiser's two moments of each of them.
    pub optimiser: u64,
    /// What is held of a full block for the way back.
    pub activations: u64,
}

impl TrainingMemory {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.weights.saturating_add(self.gradients).saturating_add(self.optimiser).saturating_add(self.activations)
    }
}

/// One step, as it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingStep {
    /// Its number, from 1.
    pub step: u64,
    /// All of them.
    pub of: u64,
    /// How often the examples have been seen by now.
    pub epoch: f64,
    /// The mean cross-entropy in nats of what was to be learnt, before the step.
    pub loss: f64,
    /// Tokens that were learnt.
    pub targets: u64,
    /// Tokens that were computed.
    pub tokens: u64,
    /// The Euclidean norm of all gradients, before clipping.
    pub gradient_norm: f64,
    /// That of each role's.
    pub gradient_norms: Vec<(Role, f64)>,
    /// The rate.
    pub rate: f64,
    /// The mean cross-entropy of the examples that are not trained on, behind the step; none where it was not taken.
    pub held_out: Option<f64>,
    /// Seconds that the step took, without looking at those.
    pub seconds: f64,
    /// The most bytes of memory that the program has held so far; none where it is not known.
    pub peak_bytes: Option<u64>,
}

/// `stethoscope.freeze/1`: a model that was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreezeReport {
    /// Schema, tool, engine, time, warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// What was trained.
    pub a: CheckpointSummary,
    /// Which modules, in the selection language.
    pub train: String,
    /// How.
    pub settings: FreezeSettings,
    /// What it was to do and to cost.
    pub plan: FreezePlan,
    /// The loss of the examples that are not trained on before the first step; none where there are none.
    pub held_out_before: Option<f64>,
    /// All steps, those of earlier runs that this one went on from included; none of a plan.
    pub steps: Vec<TrainingStep>,
    /// The step that this run went on from, if an earlier one was stopped.
    pub resumed_at: Option<u64>,
    /// What was written; none of a plan.
    pub out: Option<String>,
    /// What is in it.
    pub form: TrainedForm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_says_what_is_unusual_and_nothing_else() {
        let mut request = FreezeRequest {
            a: "demo:base".into(),
            train: "o_proj + norm".into(),
            data: "data.jsonl".into(),
            template: None,
            eval: None,
            out: Some("out".into()),
            form: TrainedForm::Model,
            force: false,
            settings: FreezeSettings::default(),
        };
        let words = |request: &FreezeRequest| request.command_line().join(" ");
        assert_eq!(words(&request), "stethoscope freeze demo:base --train o_proj + norm --data data.jsonl -o out");
        request.template = Some(ExampleTemplate::S1);
        request.eval = Some("held.jsonl".into());
        request.settings = FreezeSettings { rate: 0.001, max_steps: Some(7), recompute: false, ..request.settings };
        (request.form, request.out) = (TrainedForm::PlugIn, None);
        assert_eq!(
            words(&request),
            "stethoscope freeze demo:base --train o_proj + norm --data data.jsonl --template s1 --eval held.jsonl \
             --lr 0.001 --max-steps 7 --no-recompute --as=plugin --plan"
        );
    }

    #[test]
    fn names_are_read_back() {
        assert!(ExampleTemplate::ALL.into_iter().all(|one| ExampleTemplate::from_name(one.name()) == Some(one)));
        assert!(RateShape::ALL.into_iter().all(|one| RateShape::from_name(one.name()) == Some(one)));
    }
}
