//! The same training for a cluster's trainer.

use std::path::Path;

use stethoscope_core::export::{Data, DataKind, ExportSettings, Exported, Length, Trainer, export};
use stethoscope_core::folder::SideFiles;
use stethoscope_core::freezing::{ExampleTemplate, FreezeRequest};
use stethoscope_core::recipe;
use stethoscope_core::selection::Selection;
use stethoscope_lm::training::data::DataColumns;
use stethoscope_lm::training::run::warm_up;

use super::{FreezeError, Read, conversations, steps_of, text};
use crate::platform::{JobError, Platform};

/// What `trainer` has to be told to do what is asked, to be written to `file`.
pub async fn exported(
    platform: &Platform,
    request: &FreezeRequest,
    trainer: Trainer,
    file: &Path,
) -> Result<Exported, JobError> {
    let model = recipe::open(platform, &request.a, SideFiles::All).await?;
    let selection = Selection::parse(&request.train).map_err(stethoscope_lm::training::ChosenError::from);
    let selection = selection.map_err(FreezeError::from)?;
    let conversations = conversations(&request.data)?;
    let text = text(&model)?;
    let read = Read::new(&request.data, request, text.as_ref(), &super::config(&model)?)?;
    let kind = kind(conversations.columns(), read.summary.template)
        .ok_or_else(|| FreezeError::NotForOthers { file: request.data.clone(), kind: read.summary.kind.clone() })?;
    let settings = &request.settings;
    let steps = steps_of(&read, settings).1;
    let exported = export(
        &model,
        &selection,
        &ExportSettings {
            base: request.a.clone(),
            select: request.train.trim().to_owned(),
            out: file.with_extension("").display().to_string(),
            data: Data { path: request.data.clone(), kind },
            held_out: request.eval.clone(),
            block: settings.block,
            batch: settings.batch,
            rate: settings.rate,
            schedule: settings.schedule,
            warmup_steps: warm_up(settings, steps),
            length: settings.max_steps.map_or(Length::Epochs(settings.epochs as f64), Length::Steps),
            weight_decay: settings.weight_decay,
            betas: settings.decays,
            epsilon: 1e-8,
            clip: settings.clip,
            seed: settings.seed,
        },
        trainer,
    );
    Ok(exported.map_err(|error| FreezeError::Export(Box::new(error)))?)
}

/// What other trainers call data that they can read, too.
fn kind(columns: &DataColumns, template: Option<ExampleTemplate>) -> Option<DataKind> {
    match (columns, template) {
        (DataColumns::Messages(messages), Some(ExampleTemplate::Chat)) => {
            Some(DataKind::Chat { messages: messages.clone() })
        }
        (DataColumns::Answers { prompt, thinking: None, answer, system: None }, Some(template)) => {
            let [prompt] = prompt.as_slice() else { return None };
            let (prompt, answer) = (prompt.clone(), answer.clone());
            match template {
                ExampleTemplate::Chat => Some(DataKind::Turns { prompt, answer }),
                ExampleTemplate::Plain => Some(DataKind::Text { prompt, answer }),
                ExampleTemplate::S1 => None,
            }
        }
        _ => None,
    }
}
