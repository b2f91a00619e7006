//! Regressors that take raw data: scaling, the choice of settings, training and prediction behind `fit` and `predict`.
//!
//! | file | purpose |
//! |---|---|
//! | `exp` | [`ExpRegressor`]: a network |
//! | `options` | its settings |
//! | `run` | the way from settings and data to a fitted network |
//! | `kernel` | [`KernelRegressor`]: the network of infinite width |
//! | `file`, `kernel_file` | saving and loading |

mod exp;
mod file;
mod kernel;
mod kernel_file;
mod options;
mod run;

pub use exp::ExpRegressor;
pub use kernel::{KernelOptions, KernelRegressor};
pub use options::{RegressorOptions, Training};
pub use run::RegressorRun;
