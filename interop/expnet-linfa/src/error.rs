//! The error type.

/// What can go wrong: in expnet, or in linfa.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting, data or a computation that expnet refuses.
    #[error(transparent)]
    Expnet(#[from] expnet::Error),
    /// An error of linfa's.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}

/// Linfa's result.
pub(crate) type Result<T> = std::result::Result<T, Error>;
