//! Sample weights: how much each sample counts in the loss.

use super::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::setting::{require, sample_weights};
use nalgebra::DVector;

const SETTING: &str = "weights of `Dataset::with_weights`";

impl<T: Float> Dataset<T> {
    /// Sets the sample weights s (n), which say how much each sample counts. The loss becomes
    ///
    /// ```text
    /// L = 1/2 sum_i s_i (F(x_i) - y_i)^2
    /// ```
    ///
    /// so that a whole number s_i has the effect of s_i copies of sample i, and 0 that of leaving it out (its output is
    /// still computed, and must not overflow). For measurements with standard deviations sigma_i, use
    /// s_i = 1 / sigma_i^2. Only the ratios matter to the minimum; multiplying all weights by c multiplies losses by c, and
    /// the step sizes that are stable by 1 / c. Keep the largest near 1: conjugate gradients square products with the kernel,
    /// which leave the range of f64 for weights beyond about 1e-150 and 1e150.
    ///
    /// All methods and schedules of [`Trainer`](crate::Trainer) minimise this loss, except
    /// [`Certified`](crate::schedule::Certified), and validation data have weights of their own.
    /// [`kernel::Predictor`](crate::kernel::Predictor) weighs samples in the same way, and so do
    /// [`ExpNetwork::loss`](crate::ExpNetwork::loss) and [`gradient`](crate::ExpNetwork::gradient). Data made from these
    /// (by [`split`](Self::split), [`k_fold`](Self::k_fold), [`select`](Self::select), [`cast`](Self::cast),
    /// [`Scaling::apply`](crate::Scaling::apply)) keep the weights. [`certificate`](crate::certificate) refuses data with
    /// weights. `Scaling::fit` ignores weights, like scikit-learn's `StandardScaler` unless told otherwise.
    ///
    /// Errors: [`Error::Shape`] if there are not n weights, [`Error::NotFinite`] for a NaN or an infinity,
    /// [`Error::Setting`] for a negative weight, or if all are 0. A weight of -0.0 is 0. Whether the loss stays in the range
    /// of `T` is checked when a run starts.
    ///
    /// ```
    /// use expnet::{Dataset, Initializer};
    /// use nalgebra::dvector;
    ///
    /// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    /// let weighted = data.clone().with_weights(dvector![3.0, 0.0])?;
    /// let net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?; // F = 0
    /// assert_eq!(net.loss(&data)?, 0.5 * (0.5 * 0.5 + 0.5 * 0.5));
    /// assert!((net.loss(&weighted)? - 0.5 * (3.0 * 0.5 * 0.5)).abs() < 1e-15);
    ///
    /// let error = data.with_weights(dvector![1.0, -2.0]).unwrap_err();
    /// assert!(error.to_string().contains("-2.0 at sample 1"));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn with_weights(mut self, mut weights: DVector<T>) -> Result<Self, Error> {
        sample_weights(SETTING, &weights, self.samples())?;
        // Adding 0 turns -0 into 0, so that equal weights have equal bits.
        weights.iter_mut().for_each(|s| *s += T::zero());
        self.weights = Some(weights);
        Ok(self)
    }

    /// Removes the sample weights: all samples count equally again.
    pub fn without_weights(mut self) -> Self {
        self.weights = None;
        self
    }

    /// The n sample weights s, if any were given.
    pub fn weights(&self) -> Option<&DVector<T>> {
        self.weights.as_ref()
    }

    pub(crate) fn with_optional_weights(self, weights: Option<DVector<T>>) -> Result<Self, Error> {
        match weights {
            Some(weights) => self.with_weights(weights),
            None => Ok(self),
        }
    }

    /// The weights in another type, some of which may be out of its range.
    pub(super) fn cast_weights<U: Float>(&self) -> Option<DVector<U>> {
        let weights = self.weights.as_ref();
        weights.map(|weights| weights.map(|s| U::lit(s.as_f64())))
    }

    /// The weights of these samples, of which one at least must count.
    pub(super) fn selected_weights(&self, indices: &[usize]) -> Result<Option<DVector<T>>, Error> {
        let Some(weights) = &self.weights else {
            return Ok(None);
        };
        let selected = weights.select_rows(indices);
        require(
            selected.iter().any(|s| *s > T::zero()),
            SETTING,
            format_args!("0 at all {} samples of a part of the data", indices.len()),
            "above 0 at one sample of each part at least; leave samples of weight 0 out before you split, or use another seed",
        )?;
        Ok(Some(selected))
    }

    /// sqrt(s_i) of each sample, if there are weights.
    pub(crate) fn roots(&self) -> Option<Vec<f64>> {
        let weights = self.weights.as_ref();
        weights.map(|weights| weights.iter().map(|s| s.as_f64().sqrt()).collect())
    }

    /// sqrt(s_i) e_i, whose squares the loss adds up, for one number e_i per sample; e itself without weights.
    pub(crate) fn weighted(&self, numbers: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
        let weights = self.weights.as_ref();
        let weighted = move |(i, e): (usize, f64)| weights.map_or(e, |weights| weights[i].as_f64().sqrt() * e);
        numbers.enumerate().map(weighted)
    }

    /// Refuses sample weights, for what is defined without them.
    pub(crate) fn refuse_weights(&self, what: &'static str, reason: &'static str) -> Result<(), Error> {
        let with = "sample weights";
        match self.weights {
            Some(_) => Err(Error::Incompatible { what, with, reason }),
            None => Ok(()),
        }
    }
}
