//! Fitted models.

use crate::error::Result;
use crate::params::{ExpParams, KernelParams};
use expnet::Float;
use expnet::ndarray_0_16::{array, columns};
use linfa::traits::PredictInplace;
use ndarray::{Array1, ArrayBase, Data, Ix2};

/// Defines a fitted model.
macro_rules! model {
    ($(#[$doc:meta])* $model:ident, $params:ident, $inner:ty) => {
        $(#[$doc])*
        ///
        /// Linfa's `predict` cannot fail: where [`try_predict`](Self::try_predict) is an error, all predictions are NaN.
        #[derive(Clone, Debug)]
        pub struct $model<F: Float>(pub(crate) $inner);

        // On one concrete type, so that `params()` needs no type annotation.
        impl $model<f64> {
            /// The default parameters.
            pub fn params() -> $params {
                $params::default()
            }
        }

        impl<F: Float> $model<F> {
            /// The predicted targets of records of shape (k, d).
            ///
            /// Errors: another number of columns than in training; records that are not finite; a prediction that overflows.
            pub fn try_predict(&self, records: &ArrayBase<impl Data<Elem = F>, Ix2>) -> Result<Array1<F>> {
                Ok(array(self.0.predict(&columns(records))?))
            }

            /// The regressor of the crate: its scaling, what it chose, reports, files.
            pub fn inner(&self) -> &$inner {
                &self.0
            }
        }

        impl<F: Float, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<F>> for $model<F> {
            fn predict_inplace<'a>(&'a self, records: &'a ArrayBase<D, Ix2>, targets: &mut Array1<F>) {
                match self.try_predict(records) {
                    Ok(predicted) => *targets = predicted,
                    Err(_) => targets.fill(F::lit(f64::NAN)),
                }
            }

            fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<F> {
                Array1::from_elem(records.nrows(), F::zero())
            }
        }
    };
}

model! {
    /// Exponential network that scales the data and chooses its settings by itself: [`expnet::ExpRegressor`].
    ExpRegressor, ExpParams, expnet::ExpRegressor<F>
}

model! {
    /// The exponential network of infinite width, a Gaussian process: [`expnet::KernelRegressor`].
    KernelRegressor, KernelParams, expnet::KernelRegressor<F>
}

impl<F: Float> KernelRegressor<F> {
    /// The predicted targets of records, and the standard deviation of a target about each.
    ///
    /// Errors: those of [`try_predict`](Self::try_predict).
    pub fn predict_with_std(&self, records: &ArrayBase<impl Data<Elem = F>, Ix2>) -> Result<(Array1<F>, Array1<F>)> {
        let (mean, std_dev) = self.0.predict_with_std(&columns(records))?;
        Ok((array(mean), array(std_dev)))
    }
}
