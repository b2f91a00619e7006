//! Parameters, which linfa checks before a fit.

use crate::data::dataset;
use crate::error::{Error, Result};
use crate::models::{ExpRegressor, KernelRegressor};
use expnet::{Float, KernelOptions, RegressorOptions, ScalingOptions, Training};
use linfa::dataset::AsSingleTargets;
use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use ndarray::{ArrayBase, Data, Ix2};
use std::time::Duration;

/// Defines the parameters of a regressor from the options of the crate: unchecked with setters, and checked with `Fit`.
macro_rules! params {
    (
        $(#[$doc:meta])* $params:ident, $valid:ident, $options:ident => $model:ident;
        $($(#[$setter_doc:meta])* $setter:ident: $type:ty,)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $params($valid);

        /// Parameters that have been checked.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $valid($options);

        impl $params {
            $($(#[$setter_doc])*
            pub fn $setter(self, $setter: $type) -> Self {
                self.0.0.$setter($setter).into()
            })*
        }

        impl From<$options> for $params {
            fn from(options: $options) -> Self {
                Self($valid(options))
            }
        }

        impl $valid {
            /// The options of the crate.
            pub fn options(&self) -> $options {
                self.0
            }
        }

        impl ParamGuard for $params {
            type Checked = $valid;
            type Error = Error;

            fn check_ref(&self) -> Result<&$valid> {
                self.0.0.check_settings()?;
                Ok(&self.0)
            }

            fn check(self) -> Result<$valid> {
                self.check_ref().copied()
            }
        }

        impl<F, D, T> Fit<ArrayBase<D, Ix2>, T, Error> for $valid
        where
            F: Float,
            D: Data<Elem = F>,
            T: AsSingleTargets<Elem = F>,
        {
            type Object = $model<F>;

            fn fit(&self, data: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<$model<F>> {
                Ok($model(self.0.fit(&dataset(data)?)?))
            }
        }
    };
}

params! {
    /// The parameters of an [`ExpRegressor`]: those of [`expnet::RegressorOptions`], which documents ranges and defaults.
    ExpParams, ExpValidParams, RegressorOptions => ExpRegressor;
    /// The number of neurons, even.
    width: usize,
    /// The standard deviation of the initial weights.
    std_dev: f64,
    /// The seed of the initial weights.
    seed: u64,
    /// Ridge or early stopping.
    training: Training,
    /// The ridge; chosen by default.
    lambda: f64,
    /// Whether to learn a length scale for each column.
    length_scales: bool,
    /// The fraction of the data set aside.
    validation: f64,
    /// Early stopping: how many steps without improvement.
    patience: usize,
    /// The maximum number of steps.
    max_steps: usize,
    /// The maximum time of training.
    max_time: Duration,
    /// Which scaling steps to apply.
    scaling: ScalingOptions,
}

params! {
    /// The parameters of a [`KernelRegressor`]: those of [`expnet::KernelOptions`], which documents ranges and defaults.
    KernelParams, KernelValidParams, KernelOptions => KernelRegressor;
    /// The standard deviation of the kernel.
    std_dev: f64,
    /// The ridge; chosen by default.
    lambda: f64,
    /// Whether to learn a length scale for each column.
    length_scales: bool,
    /// The seed of the centres for more than 4096 samples.
    seed: u64,
    /// Which scaling steps to apply.
    scaling: ScalingOptions,
}
