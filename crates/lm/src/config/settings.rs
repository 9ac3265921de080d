//! Settings by name, with the kind that is expected.

use serde_json::{Map, Value};

use super::ConfigError;

/// An object of settings; what is null is as if it were not there, except where that means "none".
#[derive(Clone, Copy)]
pub(super) struct Settings<'a>(&'a Map<String, Value>);

impl<'a> Settings<'a> {
    pub fn new(json: &'a Value) -> Result<Self, ConfigError> {
        json.as_object().map(Self).ok_or(ConfigError::NotAnObject)
    }

    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// Settings inside one.
    pub fn nested(&self, key: &str) -> Result<Option<Self>, ConfigError> {
        let object = |value: &'a Value| value.as_object().map(Self).ok_or_else(|| wrong(key, value, "an object"));
        self.get(key).map(object).transpose()
    }

    pub fn optional_number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let finite = |value: &Value| value.as_f64().filter(|number| number.is_finite());
        self.get(key).map(|value| finite(value).ok_or_else(|| wrong(key, value, "a number"))).transpose()
    }

    pub fn number_or(&self, key: &str, default: f64) -> Result<f64, ConfigError> {
        Ok(self.optional_number(key)?.unwrap_or(default))
    }

    /// Null says that there is none; where the setting is absent, the default holds.
    pub fn optional_number_or(&self, key: &str, default: f64) -> Result<Option<f64>, ConfigError> {
        if self.0.contains_key(key) { self.optional_number(key) } else { Ok(Some(default)) }
    }

    pub fn number(&self, key: &'static str) -> Result<f64, ConfigError> {
        self.optional_number(key)?.ok_or(ConfigError::Missing { key })
    }

    /// Sizes are at least 1, and below 2^24, far above any model's, so that neither products of a few overflow nor does a list
    /// of so many fill the memory.
    pub fn optional_size(&self, key: &str) -> Result<Option<usize>, ConfigError> {
        let size = |value: &Value| {
            let size = value.as_u64().filter(|size| (1..1 << 24).contains(size));
            size.map(|size| size as usize).ok_or_else(|| wrong(key, value, "a whole number from 1 to 2^24 - 1"))
        };
        self.get(key).map(size).transpose()
    }

    pub fn size_or(&self, key: &str, default: usize) -> Result<usize, ConfigError> {
        Ok(self.optional_size(key)?.unwrap_or(default))
    }

    /// As [`optional_number_or`](Self::optional_number_or).
    pub fn optional_size_or(&self, key: &str, default: usize) -> Result<Option<usize>, ConfigError> {
        if self.0.contains_key(key) { self.optional_size(key) } else { Ok(Some(default)) }
    }

    pub fn size(&self, key: &'static str) -> Result<usize, ConfigError> {
        self.optional_size(key)?.ok_or(ConfigError::Missing { key })
    }

    pub fn flag_or(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        let flag = |value: &Value| value.as_bool().ok_or_else(|| wrong(key, value, "true or false"));
        Ok(self.get(key).map(flag).transpose()?.unwrap_or(default))
    }

    pub fn text(&self, key: &str) -> Result<Option<&'a str>, ConfigError> {
        self.get(key).map(|value| value.as_str().ok_or_else(|| wrong(key, value, "text"))).transpose()
    }

    pub fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let texts = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        texts.map(Some).ok_or_else(|| wrong(key, value, "a list of texts"))
    }

    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let finite = |item: &Value| item.as_f64().filter(|number| number.is_finite());
        let numbers = value.as_array().and_then(|items| items.iter().map(finite).collect());
        numbers.map(Some).ok_or_else(|| wrong(key, value, "a list of numbers"))
    }

    /// A list of layers, by number; none where there is no list.
    pub fn numbers_of_layers(&self, key: &str) -> Result<Vec<usize>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let number = |item: &Value| item.as_u64().and_then(|number| usize::try_from(number).ok());
        let numbers = value.as_array().and_then(|items| items.iter().map(number).collect());
        numbers.ok_or_else(|| wrong(key, value, "a list of layers' numbers"))
    }

    /// One id or a list of them.
    pub fn token_ids(&self, key: &str) -> Result<Vec<u32>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let id = |item: &Value| item.as_u64().and_then(|id| u32::try_from(id).ok());
        items.iter().map(id).collect::<Option<_>>().ok_or_else(|| wrong(key, value, "a token's id or a list of them"))
    }
}

fn wrong(key: &str, value: &Value, expected: &'static str) -> ConfigError {
    let found: String = value.to_string().chars().take(60).collect();
    ConfigError::WrongKind { key: key.to_owned(), found, expected }
}
