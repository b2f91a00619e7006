//! Train the over-parameterised exponential network.

mod error;
mod float;

pub use error::Error;
pub use float::Float;
