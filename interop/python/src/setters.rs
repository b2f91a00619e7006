//! Optional settings.

/// Calls the setters of a builder whose argument was given: `with!(builder, setter(argument), ..)`.
macro_rules! with {
    ($builder:expr $(, $setter:ident($argument:ident))*) => {{
        #[allow(unused_mut, reason = "some builders have no further settings")]
        let mut builder = $builder;
        $(if let Some(value) = $argument { builder = builder.$setter(value); })*
        builder
    }};
}
pub(crate) use with;
