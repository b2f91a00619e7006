//! The state of a schedule or method, as values with names.

use crate::error::Error;
use std::collections::BTreeMap;
use std::fmt;

/// The state of a schedule or method, kept to be given back bit for bit: values with names, in the order of the names.
///
/// What [`Schedule::save`](crate::schedule::Schedule::save) and [`Method::save`](crate::method::Method::save) answer
/// with, and what goes into a checkpoint. Settings belong in it beside the memory: they are compared when the state is
/// restored ([`agree`](Self::agree)), so that a run is not continued by another schedule in silence.
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
/// let worn = Careful { factor: 0.5, size: 0.025, last: Some(f64::INFINITY) };
/// let record = worn.save().unwrap();
/// let mut fresh = Careful { factor: 0.5, size: 0.1, last: None };
/// fresh.restore(&record)?;
/// assert_eq!((fresh.size, fresh.last), (worn.size, worn.last));
///
/// let mut other = Careful { factor: 0.7, size: 0.1, last: None };
/// let error = other.restore(&record).unwrap_err().to_string();
/// assert!(error.contains("`factor` of `Careful` is 0.5 in the record, and 0.7 here"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    kind: String,
    values: BTreeMap<String, Value>,
}

impl Record {
    /// The record of something of this kind, empty so far. The kind is usually the name of the type.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            values: BTreeMap::new(),
        }
    }

    /// What it is the record of.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The same record with one value more (in the place of an older one of that name).
    pub fn with(mut self, name: impl Into<String>, value: impl Stored) -> Self {
        self.values.insert(name.into(), value.into_value());
        self
    }

    /// The value of this name.
    ///
    /// Errors: there is none, or one of another type.
    pub fn get<V: Stored>(&self, name: &str) -> Result<V, Error> {
        let value = self.values.get(name).ok_or_else(|| self.bad(name, "is missing"))?;
        V::from_value(value).ok_or_else(|| self.bad(name, &format!("is {value}, which is not {}", V::what())))
    }

    /// How many records lie within each other, this one included.
    pub(crate) fn depth(&self) -> usize {
        let depth = |value: &Value| match value {
            Value::Record(record) => record.depth(),
            _ => 0,
        };
        1 + self.values.values().map(depth).max().unwrap_or(0)
    }

    /// A number of steps, passes and the like: small enough to be counted on from.
    pub(crate) fn count(&self, name: &str) -> Result<usize, Error> {
        let count: usize = self.get(name)?;
        if count < usize::MAX / 2 {
            Ok(count)
        } else {
            Err(self.bad(name, &format!("is {count}, which nothing can reach")))
        }
    }

    /// That the record is of this kind.
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

    /// That the value of this name is `value`, to the last bit: for settings, which must be those of the run that was
    /// saved.
    ///
    /// Errors: [`Error::Mismatch`] naming the setting and both values.
    pub fn agree(&self, name: &str, value: impl Stored) -> Result<(), Error> {
        let given = value.into_value();
        let stored = self.values.get(name).ok_or_else(|| self.bad(name, "is missing"))?;
        if *stored == given {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: format!("`{name}` of `{}`", self.kind),
            stored: stored.to_string(),
            given: given.to_string(),
        })
    }

    /// That the record holds what `given` holds. Sizes come first: they say more than a fingerprint.
    pub(crate) fn agree_on_all(&self, given: &Self) -> Result<(), Error> {
        self.agree_on_kind(&given.kind)?;
        let is_size = |value: &Value| matches!(value, Value::Count(_));
        let (sizes, others): (Vec<_>, Vec<_>) = given.values.iter().partition(|(_, value)| is_size(value));
        let mut all = sizes.into_iter().chain(others);
        all.try_for_each(|(name, value)| self.agree(name, value.clone()))
    }

    pub(crate) fn from_parts(kind: String, values: BTreeMap<String, Value>) -> Self {
        Self { kind, values }
    }

    pub(crate) fn into_parts(self) -> (String, BTreeMap<String, Value>) {
        (self.kind, self.values)
    }

    /// A record that cannot be used as it is: `problem` follows "`name` of `kind`".
    pub(crate) fn bad(&self, name: &str, problem: &str) -> Error {
        Error::Record {
            what: format!("`{name}` of `{}`", self.kind),
            problem: format!("{problem}: the record is damaged, or was written by another version"),
        }
    }
}

/// A value in a [`Record`].
#[derive(Clone, Debug)]
pub enum Value {
    Nothing,
    Flag(bool),
    Count(u64),
    Number(f64),
    Text(String),
    Numbers(Vec<f64>),
    Counts(Vec<u64>),
    Record(Record),
}

impl PartialEq for Value {
    /// Numbers by their bits.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => true,
            (Self::Flag(a), Self::Flag(b)) => a == b,
            (Self::Count(a), Self::Count(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Numbers(a), Self::Numbers(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
            (Self::Counts(a), Self::Counts(b)) => a == b,
            (Self::Record(a), Self::Record(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("not set"),
            Self::Flag(x) => write!(f, "{x}"),
            Self::Count(x) => write!(f, "{x}"),
            Self::Number(x) => write!(f, "{x:?}"),
            Self::Text(x) => write!(f, "{x:?}"),
            Self::Numbers(x) => write!(f, "a list of {} numbers", x.len()),
            Self::Counts(x) => write!(f, "a list of {} whole numbers", x.len()),
            Self::Record(x) => write!(f, "the record of `{}`", x.kind),
        }
    }
}

/// What a [`Record`] can hold: `f64`, `u64`, `usize`, `bool`, [`String`], pairs of `f64`, lists of `f64`, `u64` or
/// `usize`, another record, and an [`Option`] of any of these. Numbers keep their bits, NaN and infinities included.
///
/// An `f32` goes in as [`Float::as_f64`](crate::Float::as_f64) and comes out through [`Float::lit`](crate::Float::lit),
/// exactly. The trait is sealed.
pub trait Stored: Sized {
    #[doc(hidden)]
    fn into_value(self) -> Value;

    #[doc(hidden)]
    fn from_value(value: &Value) -> Option<Self>;

    #[doc(hidden)]
    fn what() -> String;
}

macro_rules! stored {
    ($($t:ty, $variant:ident, $what:literal;)*) => {$(
        impl Stored for $t {
            fn into_value(self) -> Value {
                Value::$variant(self)
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(x) => Some(x.clone()),
                    _ => None,
                }
            }

            fn what() -> String {
                $what.into()
            }
        }
    )*};
}
stored! {
    bool, Flag, "true or false";
    u64, Count, "a whole number";
    f64, Number, "a number";
    String, Text, "a text";
    Vec<f64>, Numbers, "a list of numbers";
    Vec<u64>, Counts, "a list of whole numbers";
    Record, Record, "a record";
}

impl Stored for Value {
    fn into_value(self) -> Value {
        self
    }

    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }

    fn what() -> String {
        "a value".into()
    }
}

impl Stored for usize {
    fn into_value(self) -> Value {
        Value::Count(self as u64)
    }

    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value)?.try_into().ok()
    }

    fn what() -> String {
        "a size of this machine".into()
    }
}

impl Stored for Vec<usize> {
    fn into_value(self) -> Value {
        Value::Counts(self.into_iter().map(|x| x as u64).collect())
    }

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Counts(counts) = value else { return None };
        counts.iter().map(|&x| x.try_into().ok()).collect()
    }

    fn what() -> String {
        "a list of sizes of this machine".into()
    }
}

impl Stored for (f64, f64) {
    fn into_value(self) -> Value {
        Value::Numbers(vec![self.0, self.1])
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Numbers(x) => Some((*x.first()?, *x.get(1)?)).filter(|_| x.len() == 2),
            _ => None,
        }
    }

    fn what() -> String {
        "a pair of numbers".into()
    }
}

impl<V: Stored> Stored for Option<V> {
    fn into_value(self) -> Value {
        self.map_or(Value::Nothing, V::into_value)
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Nothing => Some(None),
            value => V::from_value(value).map(Some),
        }
    }

    fn what() -> String {
        format!("{}, or nothing", V::what())
    }
}

/// What a `restore` that was not written answers.
pub(crate) fn not_restored(record: &Record) -> Error {
    Error::Record {
        what: format!("the record of `{}`", record.kind),
        problem: "has no taker: `restore` is not implemented".into(),
    }
}

/// The methods `save` and `restore` of a schedule or method, from its fields: settings, which must agree; memory, which
/// is restored; parts that have these methods themselves.
macro_rules! kept {
    (
        $kind:literal
        $(; settings: $($setting:ident),+)?
        $(; memory: $($memory:ident),+)?
        $(; parts of $trait:path: $($part:ident),+)?
    ) => {
        fn save(&self) -> Option<crate::record::Record> {
            let record = crate::record::Record::new($kind);
            $($(let record = record.with(stringify!($setting), self.$setting.clone());)+)?
            $($(let record = record.with(stringify!($memory), self.$memory.clone());)+)?
            $($(let record = record.with(stringify!($part), <_ as $trait>::save(&self.$part)?);)+)?
            Some(record)
        }

        fn restore(&mut self, record: &crate::record::Record) -> Result<(), crate::error::Error> {
            record.agree_on_kind($kind)?;
            $($(record.agree(stringify!($setting), self.$setting.clone())?;)+)?
            $($(<_ as $trait>::restore(&mut self.$part, &record.get(stringify!($part))?)?;)+)?
            $($(self.$memory = record.get(stringify!($memory))?;)+)?
            Ok(())
        }
    };
}
pub(crate) use kept;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_to_the_bit() {
        let odd = f64::from_bits(0x7ff8_0000_dead_beef);
        let record = Record::new("all")
            .with("flag", true)
            .with("count", u64::MAX)
            .with("size", 7_usize)
            .with("number", odd)
            .with("text", "x\"y".to_string())
            .with("numbers", vec![f64::NEG_INFINITY, -0.0, odd])
            .with("counts", vec![3_usize, 1])
            .with("record", Record::new("inner").with("x", 1.0))
            .with("some", Some(2.5))
            .with("none", None::<f64>);
        assert!(record.get::<bool>("flag").unwrap());
        assert_eq!(record.get::<u64>("count").unwrap(), u64::MAX);
        assert_eq!(record.get::<usize>("size").unwrap(), 7);
        assert_eq!(record.get::<f64>("number").unwrap().to_bits(), odd.to_bits());
        assert_eq!(record.get::<String>("text").unwrap(), "x\"y");
        assert!(record.agree("numbers", vec![f64::NEG_INFINITY, -0.0, odd]).is_ok());
        assert!(
            record.agree("numbers", vec![f64::NEG_INFINITY, 0.0, odd]).is_err(),
            "0 is not -0"
        );
        assert_eq!(record.get::<Vec<usize>>("counts").unwrap(), [3, 1]);
        assert_eq!(record.get::<Record>("record").unwrap().get::<f64>("x").unwrap(), 1.0);
        assert_eq!(record.get::<Option<f64>>("some").unwrap(), Some(2.5));
        assert_eq!(record.get::<Option<f64>>("none").unwrap(), None);
        assert_eq!(record, record.clone());
    }

    #[test]
    fn errors_name_the_value() {
        let record = Record::new("Careful").with("size", 0.5).with("last", None::<f64>);
        let says = |error: Error, text: &str| assert_eq!(error.to_string(), text);
        says(
            record.get::<f64>("siez").unwrap_err(),
            "`siez` of `Careful` is missing: the record is damaged, or was written by another version",
        );
        says(
            record.get::<usize>("size").unwrap_err(),
            "`size` of `Careful` is 0.5, which is not a size of this machine: \
             the record is damaged, or was written by another version",
        );
        says(
            record.get::<f64>("last").unwrap_err(),
            "`last` of `Careful` is not set, which is not a number: \
             the record is damaged, or was written by another version",
        );
        says(
            record.agree("size", 0.25).unwrap_err(),
            "`size` of `Careful` is 0.5 in the record, and 0.25 here; resume with what the run was begun with",
        );
        says(
            record.agree_on_kind("Careless").unwrap_err(),
            "the kind is `Careful` in the record, and `Careless` here; resume with what the run was begun with",
        );
    }
}
