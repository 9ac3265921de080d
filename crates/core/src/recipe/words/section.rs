//! The `tokenizer` of a recipe of mergekit: whose tokens the result has, and where their rows come from.

use super::super::RecipeError;
use super::super::mergekit::model;
use super::super::yaml::{At, Fields};
use crate::quoted::Quoted;

/// `tokenizer`, or `tokenizer_source`, which is the same without `tokens`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::recipe) struct TokenizerSection {
    pub line: usize,
    pub source: TokenizerSource,
    pub tokens: Vec<TokenRule>,
    /// The rows of the embedding become a multiple of this.
    pub pad_to_multiple_of: u32,
}

/// Which tokens there are.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::recipe) enum TokenizerSource {
    /// Those of the base, or where there is none, of the first model; then what the others have beyond that.
    Union,
    /// Those of the base, or where there is none, of the first model.
    Base,
    /// Those of this model, which need not be merged.
    Model(String),
}

/// What a recipe says of one token; there is one if no model has it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::recipe) struct TokenRule {
    pub line: usize,
    pub token: String,
    /// The row of models that do not have it; none for what is usual.
    pub source: Option<RowSource>,
    /// Whether `source` is the row of those that have it, too.
    pub force: bool,
}

/// A row of the embedding and of the head.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::recipe) enum RowSource {
    /// Zeros.
    Zero,
    /// That of a token of a model; none for the same token.
    Token { model: String, token: Option<String> },
    /// That of this number of a model.
    Id { model: String, id: u32 },
}

/// Largest multiple that rows are filled up to; hardware asks for 64 or 128.
const LARGEST_MULTIPLE: u64 = 1 << 16;

/// Reads `tokenizer` or `tokenizer_source`; none if neither is there.
pub(in crate::recipe) fn tokenizer(fields: &mut Fields<'_>) -> Result<Option<TokenizerSection>, RecipeError> {
    let (at, map) = match (fields.get("tokenizer_source"), fields.get("tokenizer")) {
        (Some(_), Some(tokenizer)) => {
            return Err(tokenizer.error("`tokenizer` and `tokenizer_source` exclude each other; keep one of them"));
        }
        (Some(source), None) => {
            let (line, source) = (source.node.line, tokenizer_source(source)?);
            return Ok(Some(TokenizerSection { line, source, tokens: Vec::new(), pad_to_multiple_of: 1 }));
        }
        (None, Some(tokenizer)) => {
            (tokenizer, tokenizer.map("a map with `source`, `tokens` and `pad_to_multiple_of`")?)
        }
        (None, None) => return Ok(None),
    };
    let mut fields = map;
    let source = fields.get("source").map_or(Ok(TokenizerSource::Union), tokenizer_source)?;
    let tokens = match fields.get("tokens") {
        None => Vec::new(),
        Some(tokens) => {
            tokens.map("a map of tokens")?.rest().map(|(token, at)| rule(token, at)).collect::<Result<_, _>>()?
        }
    };
    let pad_to_multiple_of = fields.get("pad_to_multiple_of").map_or(Ok(1), multiple)?;
    fields.finish()?;
    Ok(Some(TokenizerSection { line: at.node.line, source, tokens, pad_to_multiple_of }))
}

fn tokenizer_source(at: At<'_>) -> Result<TokenizerSource, RecipeError> {
    Ok(match at.text("`union`, `base` or the name of a model")? {
        "union" => TokenizerSource::Union,
        "base" => TokenizerSource::Base,
        _ => TokenizerSource::Model(model(at)?),
    })
}

fn multiple(at: At<'_>) -> Result<u32, RecipeError> {
    const EXPECTED: &str = "a whole number from 1 to 65536";
    let number = at.whole_number(EXPECTED)?;
    let number = u32::try_from(number).ok().filter(|number| (1..=LARGEST_MULTIPLE).contains(&u64::from(*number)));
    number.ok_or_else(|| at.error(format!("found a number outside of what was expected, {EXPECTED}")))
}

fn rule(token: &str, at: At<'_>) -> Result<TokenRule, RecipeError> {
    let mut fields = at.map("a map with `source`, and `force` if you like")?;
    let source = fields.get("source").map(row_source).transpose()?;
    let force = match fields.get("force") {
        None => false,
        Some(force) => force.flag().ok_or_else(|| force.error("`force` is either `true` or `false`"))?,
    };
    fields.finish()?;
    if force && source.is_none() {
        return Err(at.error(format!("the token {} has `force` but no `source` to force on the models", Quoted(token))));
    }
    Ok(TokenRule { line: at.node.line, token: token.to_owned(), source, force })
}

fn row_source(at: At<'_>) -> Result<RowSource, RecipeError> {
    const KINDS: &str = "`zero` or `model_token`";
    if at.text("").is_ok() {
        return Ok(RowSource::Token { model: model(at)?, token: None });
    }
    let mut fields = at.map("the name of a model, or a map with `kind`")?;
    let kind = fields.need("kind")?;
    let source = match kind.text(KINDS)? {
        "zero" => RowSource::Zero,
        "model_token" => model_token(&mut fields)?,
        other => {
            return Err(kind.error(format!("there is no kind {} of row; {KINDS} was expected", Quoted(other))));
        }
    };
    fields.finish()?;
    Ok(source)
}

fn model_token(fields: &mut Fields<'_>) -> Result<RowSource, RecipeError> {
    let model = model(fields.need("model")?)?;
    let at = fields.at;
    match (fields.get("token"), fields.get("token_id")) {
        (Some(token), None) => Ok(RowSource::Token { model, token: Some(token.text("a token")?.to_owned()) }),
        (None, Some(id)) => {
            const EXPECTED: &str = "the number of a row";
            let number = u32::try_from(id.whole_number(EXPECTED)?);
            Ok(RowSource::Id { model, id: number.map_err(|_| id.error("no model has that many rows"))? })
        }
        _ => Err(at.error("either `token` or `token_id` was expected here, and not both")),
    }
}
