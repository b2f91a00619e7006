//! Lossless numbers in JSON, which has no infinity (the loss of an `f32` network can be infinite).
//!
//! Use with `#[serde(with = "exact::number")]` and the like. Finite numbers become numbers, all others strings.

use crate::float::Float;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A number that survives JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Finite(f64),
    NotFinite(String),
}

impl Number {
    pub fn of<T: Float>(x: T) -> Self {
        if x.is_finite() {
            Self::Finite(x.as_f64())
        } else {
            Self::NotFinite(x.to_string())
        }
    }

    fn value<T: Float, E: Error>(&self) -> Result<T, E> {
        match self {
            Self::Finite(x) => Ok(T::lit(*x)),
            Self::NotFinite(text) => match text.parse() {
                Ok(x) => Ok(T::lit(x)),
                Err(_) => Err(E::custom(format!("{text:?} is not a number"))),
            },
        }
    }
}

pub(crate) mod number {
    use super::{Deserialize, Deserializer, Float, Number, Serialize, Serializer};

    pub fn serialize<T: Float, S: Serializer>(x: &T, serializer: S) -> Result<S::Ok, S::Error> {
        Number::of(*x).serialize(serializer)
    }

    pub fn deserialize<'de, T: Float, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Number::deserialize(deserializer)?.value()
    }
}

pub(crate) mod option {
    use super::{Deserialize, Deserializer, Float, Number, Serialize, Serializer};

    #[allow(clippy::ref_option)] // serde requires this signature
    pub fn serialize<T: Float, S: Serializer>(x: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        x.map(Number::of).serialize(serializer)
    }

    pub fn deserialize<'de, T: Float, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        let number = Option::<Number>::deserialize(deserializer)?;
        number.map(|number| number.value()).transpose()
    }
}

/// Of `Vec<T>`.
pub(crate) mod numbers {
    use super::{Deserialize, Deserializer, Float, Number, Serializer};

    pub fn serialize<T: Float, S: Serializer>(numbers: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(numbers.iter().map(|x| Number::of(*x)))
    }

    pub fn deserialize<'de, T: Float, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Vec::<Number>::deserialize(deserializer)?
            .iter()
            .map(Number::value)
            .collect()
    }
}

/// Of `Vec<Option<T>>`.
pub(crate) mod options {
    use super::{Deserialize, Deserializer, Float, Number, Serializer};

    pub fn serialize<T: Float, S: Serializer>(numbers: &[Option<T>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(numbers.iter().map(|x| x.map(Number::of)))
    }

    pub fn deserialize<'de, T: Float, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Option<T>>, D::Error> {
        let numbers = Vec::<Option<Number>>::deserialize(deserializer)?;
        numbers
            .into_iter()
            .map(|number| number.map(|x| x.value()).transpose())
            .collect()
    }
}

pub(crate) mod seconds {
    use super::{Deserialize, Deserializer, Error, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
