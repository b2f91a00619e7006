//! Serde for settings (feature `serde`).

/// Serialises the settings of a type by name, and deserialises them through an expression that makes the type from
/// them: a bad setting is refused there, or by `fit` before the first step, as if it had been set in code. What a run
/// has learnt is no setting and is left out.
#[cfg(feature = "serde")]
macro_rules! serialised {
    ($name:ident { $($field:ident: $type:ty),* $(,)? } => $build:expr) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let fields = [$(stringify!($field)),*].len();
                let mut settings = serializer.serialize_struct(stringify!($name), fields)?;
                $(settings.serialize_field(stringify!($field), &self.$field)?;)*
                settings.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Fields {
                    $($field: $type),*
                }
                let Fields { $($field),* } = Fields::deserialize(deserializer)?;
                let built: Result<Self, crate::error::Error> = $build;
                built.map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Without the feature: nothing.
#[cfg(not(feature = "serde"))]
macro_rules! serialised {
    ($name:ident { $($field:ident: $type:ty),* $(,)? } => $build:expr) => {};
}

pub(crate) use serialised;
