//! Validation of settings, in code and when deserialised.

use crate::error::Error;
use crate::float::Float;
use nalgebra::DVector;
use std::fmt;

/// Returns an [`Error::Setting`] unless the setting `holds`: `setting` is `value` and must be `expected`.
///
/// Settings have the name the user typed: "`Trainer::tolerance`", "`steps` of `Cosine::new`".
pub(crate) fn require(
    holds: bool,
    setting: &'static str,
    value: impl fmt::Display,
    expected: &'static str,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        value: value.to_string(),
        expected,
    })
}

/// Prints a number without a trailing `.0`.
struct Readable(f64);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

pub(crate) fn positive(setting: &'static str, x: f64) -> Result<(), Error> {
    let holds = x.is_finite() && x > 0.0;
    require(holds, setting, Readable(x), "positive and finite")
}

pub(crate) fn not_negative(setting: &'static str, x: f64) -> Result<(), Error> {
    let holds = x.is_finite() && x >= 0.0;
    require(holds, setting, Readable(x), "finite and at least 0")
}

/// Not 0 or infinite once it is converted to T.
pub(crate) fn representable<T: Float>(setting: &'static str, x: f64) -> Result<(), Error> {
    let holds = x == 0.0 || (T::lit(x) != T::zero() && T::lit(x).is_finite());
    let expected = if size_of::<T>() == size_of::<f32>() {
        "within the range of f32, or the run in f64"
    } else {
        "within the range of f64"
    };
    require(holds, setting, Readable(x), expected)
}

/// Above 0 and below 1.
pub(crate) fn within_unit(setting: &'static str, x: f64) -> Result<(), Error> {
    let holds = x > 0.0 && x < 1.0;
    require(holds, setting, Readable(x), "above 0 and below 1")
}

/// At least 0 and below 1.
pub(crate) fn below_one(setting: &'static str, x: f64) -> Result<(), Error> {
    let holds = (0.0..1.0).contains(&x);
    require(holds, setting, Readable(x), "at least 0 and below 1")
}

pub(crate) fn at_least_one(setting: &'static str, x: usize) -> Result<(), Error> {
    require(x > 0, setting, x, "at least 1")
}

/// Checks sample weights: one per sample, each finite and at least 0, not all 0. `setting` is where they were given.
pub(crate) fn sample_weights<T: Float>(
    setting: &'static str,
    weights: &DVector<T>,
    samples: usize,
) -> Result<(), Error> {
    if weights.len() != samples {
        return Err(Error::Shape {
            what: format!("the number of {setting}"),
            expected: samples,
            found: weights.len(),
            remedy: "give one weight per sample",
        });
    }
    if let Some(i) = weights.iter().position(|w| !w.is_finite()) {
        return Err(Error::NotFinite {
            what: "a sample weight",
            value: weights[i].as_f64(),
            place: format!("sample {i}"),
            remedy: "give a finite weight, or 0 to leave the sample out",
        });
    }
    if let Some(i) = weights.iter().position(|w| *w < T::zero()) {
        let value = format!("{:?} at sample {i}", weights[i].as_f64());
        require(
            false,
            setting,
            value,
            "at least 0 everywhere: give 0 to leave a sample out",
        )?;
    }
    let counts = weights.iter().any(|w| *w > T::zero());
    let value = format_args!("0 at all {samples} samples");
    require(
        counts,
        setting,
        value,
        "above 0 at one sample at least, or no data count",
    )
}

/// Implements `Serialize` and `Deserialize` for settings that derive both with `#[serde(remote = "Self")]`.
/// Deserialised settings are validated by `check_settings`, as if they had been given in code.
macro_rules! checked_serde {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let settings = Self::deserialize(deserializer)?;
                settings.check_settings().map_err(serde::de::Error::custom)?;
                Ok(settings)
            }
        }
    )*};
}
pub(crate) use checked_serde;
