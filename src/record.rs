//! Named values that hold the state of a schedule or method.

use crate::error::Error;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The state of a schedule or method as named values, which can be restored bit for bit.
///
/// Returned by [`Schedule::save`](crate::schedule::Schedule::save) and [`Method::save`](crate::method::Method::save),
/// and stored in checkpoints. Include the settings as well as the state: `restore` compares them
/// ([`agree`](Self::agree)), so that a run never resumes with a different schedule by mistake.
///
/// ```
/// use expnet::schedule::{Schedule, StepState};
/// use expnet::{Error, Record};
///
/// /// Halves the step whenever the loss has risen.
/// struct Careful {
///     factor: f64, // a setting
///     size: f64,   // the memory
///     last: Option<f64>,
/// }
/// impl Schedule<f64> for Careful {
///     fn step_size(&mut self, state: &mut StepState<'_, f64>) -> f64 {
///         if self.last.is_some_and(|last| state.loss() > last) {
///             self.size *= self.factor;
///         }
///         self.last = Some(state.loss());
///         self.size
///     }
///
///     fn save(&self) -> Option<Record> {
///         Some(Record::new("Careful").with("factor", self.factor).with("size", self.size).with("last", self.last))
///     }
///
///     fn restore(&mut self, record: &Record) -> Result<(), Error> {
///         record.agree_on_kind("Careful")?;
///         record.agree("factor", self.factor)?;
///         self.size = record.get("size")?;
///         self.last = record.get("last")?;
///         Ok(())
///     }
/// }
/// let used = Careful { factor: 0.5, size: 0.025, last: Some(f64::INFINITY) };
/// let record = used.save().unwrap();
/// let mut fresh = Careful { factor: 0.5, size: 0.1, last: None };
/// fresh.restore(&record)?;
/// assert_eq!((fresh.size, fresh.last), (used.size, used.last));
///
/// let mut other = Careful { factor: 0.7, size: 0.1, last: None };
/// let error = other.restore(&record).unwrap_err().to_string();
/// assert!(error.contains("`factor` of `Careful` is 0.5 in the record and 0.7 here"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Record {
    kind: String,
    values: Map<String, Value>,
    /// Lists that may be long, which files store as tensors.
    lists: BTreeMap<String, Vec<f64>>,
    parts: BTreeMap<String, Record>,
}

impl Record {
    /// Creates an empty record. The kind is usually the name of the type.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// Creates a record of the fields of `settings`, a struct whose numbers are finite.
    pub(crate) fn of(kind: &str, settings: &impl Serialize) -> Self {
        Self {
            values: fields(settings),
            ..Self::new(kind)
        }
    }

    /// The kind given to [`new`](Self::new).
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Adds a value, replacing any earlier value of that name.
    pub fn with(mut self, name: impl Into<String>, value: impl Stored) -> Self {
        self.values.insert(name.into(), value.to_value());
        self
    }

    /// Adds a list that may be long, such as n^2 numbers. A checkpoint stores it as a tensor.
    pub fn with_list(mut self, name: impl Into<String>, list: Vec<f64>) -> Self {
        self.lists.insert(name.into(), list);
        self
    }

    /// Adds the record of a part, such as a wrapped schedule.
    pub fn with_part(mut self, name: impl Into<String>, part: Self) -> Self {
        self.parts.insert(name.into(), part);
        self
    }

    /// The value called `name`.
    ///
    /// Errors: the value is missing or has another type.
    pub fn get<V: Stored>(&self, name: &str) -> Result<V, Error> {
        let value = self.value(name)?;
        V::from_value(value).ok_or_else(|| {
            let found = readable(value.to_string());
            self.damaged(name, &format!("is {found}, which is not {}", V::what()))
        })
    }

    /// The list called `name`, if [`with_list`](Self::with_list) added one.
    pub fn list(&self, name: &str) -> Option<&[f64]> {
        self.lists.get(name).map(Vec::as_slice)
    }

    /// The record of the part called `name`.
    ///
    /// Errors: the part is missing.
    pub fn part(&self, name: &str) -> Result<&Self, Error> {
        self.parts.get(name).ok_or_else(|| self.damaged(name, "is missing"))
    }

    fn value(&self, name: &str) -> Result<&Value, Error> {
        self.values.get(name).ok_or_else(|| self.damaged(name, "is missing"))
    }

    /// A count of steps, passes and the like, small enough that counting on from it cannot overflow.
    pub(crate) fn count(&self, name: &str) -> Result<usize, Error> {
        let count: usize = self.get(name)?;
        if count < usize::MAX / 2 {
            Ok(count)
        } else {
            Err(self.damaged(name, &format!("is {count}, which is out of range")))
        }
    }

    /// Checks that the record is of this kind.
    ///
    /// Errors: [`Error::Mismatch`] naming both kinds.
    pub fn agree_on_kind(&self, kind: &str) -> Result<(), Error> {
        if self.kind == kind {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: "the kind".into(),
            stored: format!("`{}`", self.kind),
            given: format!("`{kind}`"),
        })
    }

    /// Checks that the value called `name` is `value`, bit for bit. Use it for settings, which must be those of the
    /// saved run.
    ///
    /// Errors: [`Error::Mismatch`] naming the setting and both values.
    pub fn agree(&self, name: &str, value: impl Stored) -> Result<(), Error> {
        self.agree_on_value(name, &value.to_value())
    }

    /// Checks that the record is of this kind and has these settings, as given to [`Record::of`].
    pub(crate) fn agree_on(&self, kind: &str, settings: &impl Serialize) -> Result<(), Error> {
        self.agree_on_kind(kind)?;
        fields(settings)
            .iter()
            .try_for_each(|(name, given)| self.agree_on_value(name, given))
    }

    /// Checks that the record has the kind and values of `given`. Compares whole numbers first: a size says more in an
    /// error message than a fingerprint.
    pub(crate) fn agree_on_all(&self, given: &Self) -> Result<(), Error> {
        self.agree_on_kind(&given.kind)?;
        let (sizes, others): (Vec<_>, Vec<_>) = given.values.iter().partition(|(_, value)| value.is_u64());
        let mut all = sizes.into_iter().chain(others);
        all.try_for_each(|(name, value)| self.agree_on_value(name, value))
    }

    fn agree_on_value(&self, name: &str, given: &Value) -> Result<(), Error> {
        let (stored, given) = (self.value(name)?.to_string(), given.to_string());
        // As text, which distinguishes 0 from -0.
        if stored == given {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: format!("`{name}` of `{}`", self.kind),
            stored: readable(stored),
            given: readable(given),
        })
    }

    /// The depth of nesting, 1 for a record without parts.
    pub(crate) fn depth(&self) -> usize {
        1 + self.parts.values().map(Self::depth).max().unwrap_or(0)
    }

    /// Converts the record to JSON. Moves its lists to the end of `lists` and stores their positions.
    pub(crate) fn into_json(self, lists: &mut Vec<f64>) -> Value {
        let mut places = Map::new();
        for (name, list) in self.lists {
            places.insert(name, json!([lists.len(), list.len()]));
            lists.extend(list);
        }
        let parts = self.parts.into_iter();
        let parts: Map<_, _> = parts.map(|(name, part)| (name, part.into_json(lists))).collect();
        json!({ "kind": self.kind, "values": self.values, "lists": places, "parts": parts })
    }

    /// The inverse of [`into_json`](Self::into_json). `None` if `json` is not a record.
    pub(crate) fn from_json(mut json: Value, lists: &[f64]) -> Option<Self> {
        let mut take = |name| json.get_mut(name).map(Value::take);
        let (kind, values, places, parts) = (take("kind")?, take("values")?, take("lists")?, take("parts")?);
        let (Value::String(kind), Value::Object(values), Value::Object(parts)) = (kind, values, parts) else {
            return None;
        };
        let list = |(name, place): (&String, &Value)| {
            let [from, length] = <[usize; 2]>::from_value(place)?;
            Some((name.clone(), lists.get(from..)?.get(..length)?.to_vec()))
        };
        let part = |(name, part)| Some((name, Self::from_json(part, lists)?));
        Some(Self {
            kind,
            values,
            lists: places.as_object()?.iter().map(list).collect::<Option<_>>()?,
            parts: parts.into_iter().map(part).collect::<Option<_>>()?,
        })
    }

    /// The list called `name`, which must be there.
    pub(crate) fn required_list(&self, name: &str) -> Result<&[f64], Error> {
        self.list(name).ok_or_else(|| self.damaged(name, "is missing"))
    }

    /// The error of a value that cannot be used. In the message, `problem` follows "`name` of `kind`".
    pub(crate) fn damaged(&self, name: &str, problem: &str) -> Error {
        Error::Record {
            what: format!("`{name}` of `{}`", self.kind),
            problem: format!(
                "{problem}: the record is damaged or was written by another version; resume from another checkpoint, or start \
                 the run again"
            ),
        }
    }

    /// The error of a `restore` that is not implemented.
    pub(crate) fn not_restored(&self) -> Error {
        Error::Record {
            what: format!("the record of `{}`", self.kind),
            problem:
                "cannot be restored: `restore` is not implemented; implement it beside `save`, as in the example of \
                      `Record`"
                    .into(),
        }
    }
}

/// The fields of a struct as JSON.
fn fields(settings: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// A value as error messages show it.
fn readable(text: String) -> String {
    const MAX_SHOWN: usize = 80;
    match text.char_indices().nth(MAX_SHOWN) {
        _ if text == "null" => "not set".into(),
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A type that a [`Record`] can hold: `f64`, `u64`, `usize`, `bool`, [`String`], and options, pairs, arrays and `Vec`s
/// of these. Numbers keep their bits, including NaN and infinities.
///
/// Store an `f32` with [`Float::as_f64`](crate::Float::as_f64) and read it back with [`Float::lit`](crate::Float::lit);
/// the round trip is exact. The trait is not meant to be implemented outside this crate.
pub trait Stored: Sized {
    #[doc(hidden)]
    fn to_value(self) -> Value;

    #[doc(hidden)]
    fn from_value(value: &Value) -> Option<Self>;

    #[doc(hidden)]
    fn what() -> String;
}

macro_rules! stored {
    ($($t:ty, $what:literal, |$x:ident| $to:expr, |$value:ident| $from:expr;)*) => {$(
        impl Stored for $t {
            fn to_value(self) -> Value {
                let $x = self;
                $to
            }

            fn from_value($value: &Value) -> Option<Self> {
                $from
            }

            fn what() -> String {
                $what.into()
            }
        }
    )*};
}
stored! {
    bool, "true or false", |x| x.into(), |value| value.as_bool();
    u64, "a whole number", |x| x.into(), |value| value.as_u64();
    usize, "a `usize`", |x| x.into(), |value| value.as_u64()?.try_into().ok();
    String, "a string", |x| x.into(), |value| value.as_str().map(Into::into);
    // JSON has no NaN or infinities.
    f64, "a number",
        |x| if x.is_finite() { x.into() } else { json!({ "bits": x.to_bits() }) },
        |value| if value.is_f64() { value.as_f64() } else { Some(f64::from_bits(value.get("bits")?.as_u64()?)) };
}

impl<V: Stored> Stored for Vec<V> {
    fn to_value(self) -> Value {
        self.into_iter().map(V::to_value).collect()
    }

    fn from_value(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(V::from_value).collect()
    }

    fn what() -> String {
        format!("a list with each entry {}", V::what())
    }
}

impl<V: Stored, const N: usize> Stored for [V; N] {
    fn to_value(self) -> Value {
        self.into_iter().map(V::to_value).collect()
    }

    fn from_value(value: &Value) -> Option<Self> {
        Vec::from_value(value)?.try_into().ok()
    }

    fn what() -> String {
        format!("a list of {N} entries, each {}", V::what())
    }
}

impl<V: Stored, W: Stored> Stored for (V, W) {
    fn to_value(self) -> Value {
        json!([self.0.to_value(), self.1.to_value()])
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value.as_array()?.as_slice() {
            [first, second] => Some((V::from_value(first)?, W::from_value(second)?)),
            _ => None,
        }
    }

    fn what() -> String {
        format!("a pair of {} and {}", V::what(), W::what())
    }
}

impl<V: Stored> Stored for Option<V> {
    fn to_value(self) -> Value {
        self.map_or(Value::Null, V::to_value)
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => V::from_value(value).map(Some),
        }
    }

    fn what() -> String {
        format!("{} or not set", V::what())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through text, as in a file.
    fn round_trip(record: &Record) -> Record {
        let mut lists = Vec::new();
        let text = record.clone().into_json(&mut lists).to_string();
        Record::from_json(serde_json::from_str(&text).unwrap(), &lists).unwrap()
    }

    #[test]
    fn values_round_trip_bit_for_bit() {
        let odd = f64::from_bits(0x7ff8_0000_dead_beef);
        let many: Vec<f64> = (0..1000).map(|i| f64::from(i).sin()).collect();
        let inner = Record::new("inner")
            .with("kind", "x".to_string())
            .with_list("many", many[3..90].to_vec());
        let record = Record::new("all \"kinds\"")
            .with("flag", true)
            .with("count", u64::MAX)
            .with("size", 7_usize)
            .with("number", odd)
            .with("sum", 0.1 + 0.2)
            .with("whole", 3.0)
            .with("minus", -0.0)
            .with("smallest", f64::from_bits(1))
            .with("text", "\u{1f600}\n x\"y".to_string())
            .with("few", vec![f64::NEG_INFINITY, -0.0, odd])
            .with("none_of_them", Vec::<f64>::new())
            .with("counts", vec![3_usize, 1])
            .with("pair", (2.0, 3_u64))
            .with("array", [1.0, f64::INFINITY, 3.0])
            .with("some", Some(2.5))
            .with("none", None::<f64>)
            .with_list("many", many.clone())
            .with_part("inner", inner);
        let back = round_trip(&record);
        assert_eq!(back, record);
        assert!(back.get::<bool>("flag").unwrap());
        assert_eq!(back.get::<u64>("count").unwrap(), u64::MAX);
        assert_eq!(back.get::<usize>("size").unwrap(), 7);
        assert_eq!(back.get::<f64>("number").unwrap().to_bits(), odd.to_bits());
        assert_eq!(back.get::<f64>("sum").unwrap(), 0.1 + 0.2);
        assert_eq!(back.get::<f64>("whole").unwrap(), 3.0);
        assert_eq!(back.get::<f64>("minus").unwrap().to_bits(), (-0.0_f64).to_bits());
        assert_eq!(back.get::<String>("text").unwrap(), "\u{1f600}\n x\"y");
        assert!(back.agree("few", vec![f64::NEG_INFINITY, -0.0, odd]).is_ok());
        assert!(
            back.agree("few", vec![f64::NEG_INFINITY, 0.0, odd]).is_err(),
            "0 is not -0"
        );
        assert_eq!(back.get::<Vec<usize>>("counts").unwrap(), [3, 1]);
        assert_eq!(back.get::<(f64, u64)>("pair").unwrap(), (2.0, 3));
        assert_eq!(back.get::<[f64; 3]>("array").unwrap(), [1.0, f64::INFINITY, 3.0]);
        assert_eq!(back.get::<Option<f64>>("some").unwrap(), Some(2.5));
        assert_eq!(back.get::<Option<f64>>("none").unwrap(), None);
        assert_eq!(back.list("many").unwrap(), many);
        assert_eq!(back.part("inner").unwrap().list("many").unwrap(), &many[3..90]);
        assert_eq!(back.depth(), 2);
    }

    #[test]
    fn numbers_of_all_sizes_round_trip() {
        let mut bits = 1_u64;
        for _ in 0..10_000 {
            bits = bits
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(1442695040888963407);
            let back = round_trip(&Record::new("x").with("x", f64::from_bits(bits)));
            assert_eq!(back.get::<f64>("x").unwrap().to_bits(), bits);
        }
    }

    #[test]
    fn json_that_is_not_a_record_is_none() {
        for json in [
            json!(null),
            json!({"kind": 1, "values": {}, "lists": {}, "parts": {}}),
            json!({"kind": "x", "values": {}, "lists": {"a": [0, 2]}, "parts": {}}),
            json!({"kind": "x", "values": {}, "lists": {"a": [0]}, "parts": {}}),
            json!({"kind": "x", "values": {}, "lists": {}, "parts": {"a": 1}}),
        ] {
            assert_eq!(Record::from_json(json, &[1.0]), None);
        }
    }

    #[test]
    fn errors_name_the_value() {
        let record = Record::new("Careful").with("size", 0.5).with("last", None::<f64>);
        let says = |error: Error, text: &str| assert_eq!(error.to_string(), text);
        says(
            record.get::<f64>("siez").unwrap_err(),
            "`siez` of `Careful` is missing: \
             the record is damaged or was written by another version; resume from another checkpoint, or start the run again",
        );
        says(
            record.get::<usize>("size").unwrap_err(),
            "`size` of `Careful` is 0.5, which is not a `usize`: \
             the record is damaged or was written by another version; resume from another checkpoint, or start the run again",
        );
        says(
            record.get::<f64>("last").unwrap_err(),
            "`last` of `Careful` is not set, which is not a number: \
             the record is damaged or was written by another version; resume from another checkpoint, or start the run again",
        );
        says(
            record.agree("size", 0.25).unwrap_err(),
            "`size` of `Careful` is 0.5 in the record and 0.25 here; resume with what the run was started with",
        );
        says(
            record.agree_on_kind("Careless").unwrap_err(),
            "the kind is `Careful` in the record and `Careless` here; resume with what the run was started with",
        );
    }
}
