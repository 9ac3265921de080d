//! The JSON of a header, read with serde so that keys are compared as decoded and nothing is stored twice.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{HeaderProblem, StoredTensor};
use crate::dtype::Dtype;
use crate::quoted::shortened;

/// dtypes of the format that [`Dtype`] leaves out.
const UNSUPPORTED: [&str; 6] = ["F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"];

/// Numbers in a shape beyond which it is not even counted: a hundred megabytes of them would take four times as much
/// memory.
const LONGEST_ARRAY: usize = 64;

/// The entries of a header, in the order in which they are written, their offsets as written.
pub(super) struct Entries {
    pub tensors: Vec<StoredTensor>,
    pub metadata: BTreeMap<String, String>,
}

/// Reads the JSON; what the entries say is checked no further than their types.
pub(super) fn parse(text: &str) -> Result<Entries, HeaderProblem> {
    let context = Context::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let entries = EntriesVisitor(&context)
        .deserialize(&mut deserializer)
        .and_then(|entries| deserializer.end().map(|()| entries));
    entries.map_err(|error| context.explain(&error))
}

/// What the visitors know that serde's errors do not: which entry was being read, and what exactly was wrong.
#[derive(Default)]
struct Context {
    /// The key of the entry being read.
    entry: RefCell<Option<String>>,
    problem: RefCell<Option<HeaderProblem>>,
}

impl Context {
    /// Records a problem and makes the error that carries it out of serde.
    fn fail<E: Error>(&self, problem: HeaderProblem) -> E {
        self.problem.replace(Some(problem));
        E::custom("see the problem")
    }

    fn entry(&self) -> String {
        self.entry.borrow().clone().unwrap_or_default()
    }

    /// The problem behind an error of serde's.
    fn explain(&self, error: &serde_json::Error) -> HeaderProblem {
        if let Some(problem) = self.problem.take() {
            return problem;
        }
        let message = shortened(&error.to_string());
        match self.entry.take() {
            Some(_) if !error.is_data() => HeaderProblem::NotJson { message },
            Some(key) if key == "__metadata__" => HeaderProblem::Metadata { message },
            Some(tensor) => HeaderProblem::Entry { tensor, message },
            None => HeaderProblem::NotJson { message },
        }
    }
}

/// A whole header.
struct EntriesVisitor<'c>(&'c Context);

impl<'de> DeserializeSeed<'de> for EntriesVisitor<'_> {
    type Value = Entries;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntriesVisitor<'_> {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let context = self.0;
        let mut tensors = Vec::new();
        let mut metadata = None;
        while let Some(name) = map.next_key::<String>()? {
            let is_metadata = name == "__metadata__";
            context.entry.replace(Some(name));
            if is_metadata {
                if metadata.replace(map.next_value_seed(MetadataVisitor(context))?).is_some() {
                    return Err(context.fail(HeaderProblem::DuplicateTensor { tensor: context.entry() }));
                }
            } else {
                let (dtype, shape, bytes) = map.next_value_seed(EntryVisitor(context))?;
                let name = context.entry.take().unwrap_or_default();
                tensors.push(StoredTensor { name, dtype, shape, bytes });
            }
            context.entry.take();
        }
        Ok(Entries { tensors, metadata: metadata.unwrap_or_default() })
    }
}

/// The value of `__metadata__`.
struct MetadataVisitor<'c>(&'c Context);

impl<'de> DeserializeSeed<'de> for MetadataVisitor<'_> {
    type Value = BTreeMap<String, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MetadataVisitor<'_> {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut metadata = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if metadata.contains_key(&key) {
                return Err(self.0.fail(HeaderProblem::DuplicateMetadata { key }));
            }
            metadata.insert(key, value);
        }
        Ok(metadata)
    }
}

/// The entry of one tensor: its dtype, shape and data offsets.
struct EntryVisitor<'c>(&'c Context);

type Entry = (Dtype, Vec<u64>, Range<u64>);

impl<'de> DeserializeSeed<'de> for EntryVisitor<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntryVisitor<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `dtype`, `shape` and `data_offsets`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let context = self.0;
        let twice = |key| Err(context.fail(HeaderProblem::DuplicateKey { tensor: context.entry(), key }));
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "dtype" => {
                    let Text(name) = map.next_value()?;
                    if dtype.replace(self.dtype(&name)?).is_some() {
                        return twice("dtype");
                    }
                }
                "shape" => {
                    if shape
                        .replace(map.next_value_seed(SizesVisitor("a shape (an array of whole numbers)"))?)
                        .is_some()
                    {
                        return twice("shape");
                    }
                }
                "data_offsets" => {
                    let pair = map.next_value_seed(SizesVisitor("data_offsets (an array of two whole numbers)"))?;
                    if offsets.replace(pair).is_some() {
                        return twice("data_offsets");
                    }
                }
                _ => {
                    let (tensor, key) = (context.entry(), key.into_owned());
                    return Err(context.fail(HeaderProblem::UnknownKey { tensor, key }));
                }
            }
        }
        let dtype = dtype.ok_or_else(|| Error::missing_field("dtype"))?;
        let shape = shape.ok_or_else(|| Error::missing_field("shape"))?;
        let offsets: Vec<u64> = offsets.ok_or_else(|| Error::missing_field("data_offsets"))?;
        let [start, end] = offsets[..] else {
            return Err(Error::custom(format_args!("data_offsets has {} numbers, expected 2", offsets.len())));
        };
        Ok((dtype, shape, start..end))
    }
}

impl EntryVisitor<'_> {
    fn dtype<E: Error>(&self, name: &str) -> Result<Dtype, E> {
        Dtype::from_name(name).ok_or_else(|| {
            self.0.fail(HeaderProblem::UnknownDtype {
                tensor: self.0.entry(),
                dtype: name.to_owned(),
                known_to_format: UNSUPPORTED.contains(&name),
            })
        })
    }
}

/// An array of whole numbers; the text says what they are.
struct SizesVisitor(&'static str);

impl<'de> DeserializeSeed<'de> for SizesVisitor {
    type Value = Vec<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u64>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SizesVisitor {
    type Value = Vec<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<u64>, A::Error> {
        let mut sizes = Vec::new();
        while let Some(Size(size)) = sequence.next_element()? {
            if sizes.len() == LONGEST_ARRAY {
                return Err(Error::custom(format_args!("{} has more than {LONGEST_ARRAY} numbers", self.0)));
            }
            sizes.push(size);
        }
        Ok(sizes)
    }
}

/// A whole number from 0 to 2^64 − 1, with a message that says so.
struct Size(u64);

impl<'de> serde::Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl Visitor<'_> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 to 2^64 - 1")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Size, E> {
                Ok(Size(value))
            }
        }
        deserializer.deserialize_u64(SizeVisitor)
    }
}

/// A string, borrowed from the header where it has no escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(value)))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}
