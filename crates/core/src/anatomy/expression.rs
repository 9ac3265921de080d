//! The small arithmetic of the family tables: sizes of `config.json` joined by `+ - * /`.

use crate::config::ModelConfig;

/// A length, a count or a repetition, as a family table gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Number(u64),
    /// `dimension`: the length of the axis that is split.
    Dimension,
    /// A size in `config.json`.
    Size(String),
    Binary(Box<Self>, Operator, Box<Self>),
    /// `a ?? b`: b where `config.json` does not tell a.
    OrElse(Box<Self>, Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Why an expression has no value here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoValue {
    /// `config.json` does not have this size (or there is none).
    Unknown(String),
    /// The arithmetic leaves the whole numbers: a remainder, a negative number, an overflow.
    NotWhole,
}

/// How deep parentheses may be nested, so that no text exhausts the stack.
const DEEPEST: usize = 32;

impl Expression {
    /// Reads an expression, or says what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim_start(), depth: 0 };
        let expression = reader.or_else()?;
        if reader.rest.is_empty() {
            Ok(expression)
        } else {
            Err(format!("expected `+ - * /`, `??` or the end before `{}`", reader.rest.trim_end()))
        }
    }

    /// Its value for an axis of `dimension` elements.
    pub(super) fn value(&self, dimension: u64, config: Option<&ModelConfig>) -> Result<u64, NoValue> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Dimension => Ok(dimension),
            Self::Size(name) => {
                config.and_then(|config| config.size(name)).ok_or_else(|| NoValue::Unknown(name.clone()))
            }
            Self::OrElse(first, second) => match first.value(dimension, config) {
                Err(NoValue::Unknown(_)) => second.value(dimension, config),
                known => known,
            },
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.value(dimension, config)?, right.value(dimension, config)?);
                match operator {
                    Operator::Add => left.checked_add(right),
                    Operator::Subtract => left.checked_sub(right),
                    Operator::Multiply => left.checked_mul(right),
                    Operator::Divide => (right != 0 && left.is_multiple_of(right)).then(|| left / right),
                }
                .ok_or(NoValue::NotWhole)
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn or_else(&mut self) -> Result<Expression, String> {
        let mut expression = self.sum()?;
        while self.take("??") {
            expression = Expression::OrElse(Box::new(expression), Box::new(self.sum()?));
        }
        Ok(expression)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.take("+") => Operator::Add,
                () if self.take("-") => Operator::Subtract,
                () => return Ok(left),
            };
            left = Expression::Binary(Box::new(left), operator, Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.operand()?;
        loop {
            let operator = match () {
                () if self.take("*") => Operator::Multiply,
                () if self.take("/") => Operator::Divide,
                () => return Ok(left),
            };
            left = Expression::Binary(Box::new(left), operator, Box::new(self.operand()?));
        }
    }

    fn operand(&mut self) -> Result<Expression, String> {
        if self.take("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(format!("parentheses are nested more than {DEEPEST} deep"));
            }
            let inner = self.or_else()?;
            self.depth -= 1;
            return if self.take(")") { Ok(inner) } else { Err("expected `)`".to_owned()) };
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse().map(Expression::Number).map_err(|_| format!("`{word}` is no whole number"));
        }
        match word {
            "" => Err("expected a number, `dimension`, or the name of a size in config.json".to_owned()),
            "dimension" => Ok(Expression::Dimension),
            name => Ok(Expression::Size(name.to_owned())),
        }
    }

    fn take(&mut self, symbol: &str) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<u64, NoValue> {
        let config = ModelConfig::parse("config.json", br#"{"num_attention_heads": 4, "own_size": 5}"#).unwrap();
        Expression::parse(text).unwrap().value(12, Some(&config))
    }

    #[test]
    fn products_bind_tighter_than_sums_and_parentheses_tighter_than_both() {
        assert_eq!(value("1 + num_attention_heads*own_size - 2"), Ok(19));
        assert_eq!(value("(1 + num_attention_heads) * own_size"), Ok(25));
        assert_eq!(value("dimension / 2 / 3"), Ok(2));
    }

    #[test]
    fn an_alternative_is_taken_only_where_a_size_is_unknown() {
        assert_eq!(value("missing ?? dimension / 3"), Ok(4));
        assert_eq!(value("own_size ?? dimension"), Ok(5));
        assert_eq!(value("own_size / 2 ?? dimension"), Err(NoValue::NotWhole));
        assert_eq!(value("missing"), Err(NoValue::Unknown("missing".to_owned())));
    }

    #[test]
    fn arithmetic_that_leaves_the_whole_numbers_has_no_value() {
        for text in ["own_size / 2", "1 - 2", "1 / 0", "18446744073709551615 + 1", "18446744073709551615 * 2"] {
            assert_eq!(value(text), Err(NoValue::NotWhole), "{text}");
        }
    }

    #[test]
    fn errors_say_what_was_expected() {
        assert!(Expression::parse("2 *").unwrap_err().contains("expected a number"));
        assert!(Expression::parse("(2").unwrap_err().contains("expected `)`"));
        assert!(Expression::parse("2 3").unwrap_err().contains("before `3`"));
        assert!(Expression::parse(&"(".repeat(1000)).unwrap_err().contains("nested"));
    }
}
