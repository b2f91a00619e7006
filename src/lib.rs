//! Train the over-parameterised exponential network.

mod dataset;
mod engine;
mod error;
mod float;
mod init;
pub mod method;
mod network;
pub mod observer;
mod report;
mod scaling;
pub mod schedule;
mod step;
mod trainer;

pub use dataset::Dataset;
pub use engine::Memory;
#[doc(hidden)]
pub use engine::roofline;
pub use error::Error;
pub use float::Float;
pub use init::Initializer;
pub use network::ExpNetwork;
pub use report::{FitReport, Termination};
pub use scaling::{Scaling, ScalingOptions};
pub use trainer::{Session, Trainer};
