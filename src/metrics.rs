//! Metrics of regression: how well predictions match labels.
//!
//! The formulas are those of scikit-learn's `r2_score`, `root_mean_squared_error` and `mean_absolute_error`. All are
//! computed in f64, relative to the largest term, so that no square leaves the range of f64. They cost O(n).
//!
//! ```
//! use expnet::metrics::{mae, r2, rmse};
//! use nalgebra::dvector;
//!
//! let (labels, predictions) = (dvector![3.0, -0.5, 2.0, 7.0], dvector![2.5, 0.0, 2.0, 8.0]);
//! assert_eq!(mae(&labels, &predictions)?, 0.5);
//! assert!((rmse(&labels, &predictions)? - 0.612372_f64).abs() < 1e-6);
//! assert!((r2(&labels, &predictions)? - 0.948608_f64).abs() < 1e-6);
//! # Ok::<(), expnet::Error>(())
//! ```
//!
//! [`r2_weighted`], [`rmse_weighted`] and [`mae_weighted`] weigh the samples, as scikit-learn's `sample_weight` does.

use crate::error::{Error, check_size};
use crate::float::Float;
use crate::numbers::{check_finite, largest};
use crate::setting::sample_weights;
use nalgebra::DVector;

/// Numbers beyond this are quartered, so that their differences stay in the range of f64.
const LARGE: f64 = f64::MAX / 4.0;

/// The coefficient of determination: R² = 1 - sum_i (p_i - y_i)² / sum_i (y_i - mean)², for labels y and predictions p.
///
/// The best possible value is 1. Always predicting the mean of the labels gives 0, and R² can be negative; it is
/// -infinity if it is out of range for `T`.
///
/// Errors: [`Error::Empty`] without labels, [`Error::Shape`] if there are not as many predictions as labels,
/// [`Error::NotFinite`] for a NaN or an infinity, [`Error::Column`] if the labels are all equal, for which R² is
/// undefined (scikit-learn returns 1 or 0).
pub fn r2<T: Float>(labels: &DVector<T>, predictions: &DVector<T>) -> Result<T, Error> {
    r2_weighted(labels, predictions, None)
}

/// [`r2`] with sample weights s: R² = 1 - sum_i s_i (p_i - y_i)² / sum_i s_i (y_i - mean)², where the mean is weighted too.
/// `None` weighs all samples equally, so that [`Dataset::weights`](crate::Dataset::weights) can be passed as it is.
///
/// Errors: those of [`r2`], for the labels whose weight is not 0, and weights that
/// [`Dataset::with_weights`](crate::Dataset::with_weights) refuses.
///
/// ```
/// use expnet::metrics::{r2, r2_weighted};
/// use nalgebra::dvector;
///
/// let (labels, predictions) = (dvector![3.0, -0.5, 2.0, 7.0], dvector![2.5, 0.0, 2.0, 8.0]);
/// let weighted: f64 = r2_weighted(&labels, &predictions, Some(&dvector![1.0, 2.0, 1.0, 0.0]))?;
/// // The second sample twice, and the last left out.
/// let repeated = r2(&dvector![3.0, -0.5, -0.5, 2.0], &dvector![2.5, 0.0, 0.0, 2.0])?;
/// assert!((weighted - repeated).abs() < 1e-15_f64);
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn r2_weighted<T: Float>(
    labels: &DVector<T>,
    predictions: &DVector<T>,
    weights: Option<&DVector<T>>,
) -> Result<T, Error> {
    let pairs = Pairs::new(labels, predictions, weights)?;
    // From the first label, so that equal labels deviate by exactly 0.
    let shifted = |pair: &(f64, f64)| pair.0 - pairs.list[0].0;
    let mean: f64 = pairs
        .weighted(pairs.list.iter().map(|pair| shifted(pair) / pairs.total))
        .sum();
    let deviations = || pairs.list.iter().map(|pair| shifted(pair) - mean);
    let unit = largest(deviations());
    if unit == 0.0 {
        return Err(Error::Column {
            column: "the label column".into(),
            problem: "is constant, so R² is undefined".into(),
            remedy: "score on data whose labels differ",
        });
    }
    let squares = deviations().map(|deviation| (deviation / unit).powi(2));
    let total: f64 = pairs.weighted(squares).sum();
    let residual: f64 = pairs.weighted(pairs.residuals().map(|e| (e / unit).powi(2))).sum();
    Ok(T::lit(1.0 - residual / total))
}

/// The root mean squared error, sqrt(sum_i (p_i - y_i)² / n), for labels y and predictions p. Infinite if it is out of
/// range for `T`.
///
/// Errors: those of [`r2`], except that labels may be equal.
pub fn rmse<T: Float>(labels: &DVector<T>, predictions: &DVector<T>) -> Result<T, Error> {
    rmse_weighted(labels, predictions, None)
}

/// [`rmse`] with sample weights s: sqrt(sum_i s_i (p_i - y_i)² / sum_i s_i). `None` weighs all samples equally.
///
/// Errors: those of [`r2_weighted`], except that labels may be equal.
pub fn rmse_weighted<T: Float>(
    labels: &DVector<T>,
    predictions: &DVector<T>,
    weights: Option<&DVector<T>>,
) -> Result<T, Error> {
    Ok(Pairs::new(labels, predictions, weights)?.mean(|e| e * e, f64::sqrt))
}

/// The mean absolute error, sum_i |p_i - y_i| / n, for labels y and predictions p. Infinite if it is out of range for
/// `T`.
///
/// Errors: those of [`r2`], except that labels may be equal.
pub fn mae<T: Float>(labels: &DVector<T>, predictions: &DVector<T>) -> Result<T, Error> {
    mae_weighted(labels, predictions, None)
}

/// [`mae`] with sample weights s: sum_i s_i |p_i - y_i| / sum_i s_i. `None` weighs all samples equally.
///
/// Errors: those of [`r2_weighted`], except that labels may be equal.
pub fn mae_weighted<T: Float>(
    labels: &DVector<T>,
    predictions: &DVector<T>,
    weights: Option<&DVector<T>>,
) -> Result<T, Error> {
    Ok(Pairs::new(labels, predictions, weights)?.mean(f64::abs, |mean| mean))
}

/// Labels and predictions in f64, divided by `divisor`.
struct Pairs {
    list: Vec<(f64, f64)>,
    divisor: f64,
    /// The weights that are not 0, relative to the largest; empty if all are equal.
    weights: Vec<f64>,
    /// The sum of the weights.
    total: f64,
}

impl Pairs {
    /// Leaves out samples of weight 0.
    fn new<T: Float>(
        labels: &DVector<T>,
        predictions: &DVector<T>,
        weights: Option<&DVector<T>>,
    ) -> Result<Self, Error> {
        if labels.is_empty() {
            return Err(Error::Empty {
                what: "the list of labels",
                remedy: "give at least one label, with its prediction",
            });
        }
        check_size(
            "the number of predictions",
            predictions.len(),
            labels.len(),
            "give one prediction per label",
        )?;
        let remedy = "replace it with a finite number, or leave out the sample";
        let place = |i, _| format!("sample {i}");
        check_finite("a label", labels, remedy, place)?;
        check_finite("a prediction", predictions, remedy, place)?;
        if let Some(weights) = weights {
            sample_weights("sample weights", weights, labels.len())?;
        }
        let numbers = || labels.iter().chain(predictions.iter()).map(|x| x.as_f64());
        let divisor = if largest(numbers()) > LARGE { 4.0 } else { 1.0 };
        let counts = |i: usize| weights.is_none_or(|weights| weights[i] > T::zero());
        let pair = |i: usize| (labels[i].as_f64() / divisor, predictions[i].as_f64() / divisor);
        let list: Vec<_> = (0..labels.len()).filter(|&i| counts(i)).map(pair).collect();
        let weights = weights.map_or(Vec::new(), relative);
        let total = if weights.is_empty() {
            list.len() as f64
        } else {
            weights.iter().sum()
        };
        Ok(Self {
            list,
            divisor,
            weights,
            total,
        })
    }

    /// Multiplies one number per pair by its weight.
    fn weighted(&self, numbers: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
        let weighted = |(i, x)| self.weights.get(i).map_or(x, |weight| weight * x);
        numbers.enumerate().map(weighted)
    }

    /// p_i - y_i.
    fn residuals(&self) -> impl Iterator<Item = f64> {
        self.list.iter().map(|(y, p)| p - y)
    }

    /// The mean of a homogeneous function of the residuals, whose degree `root` undoes.
    fn mean<T: Float>(&self, of: impl Fn(f64) -> f64, root: impl Fn(f64) -> f64) -> T {
        let unit = largest(self.residuals());
        if unit == 0.0 {
            return T::zero();
        }
        let sum: f64 = self.weighted(self.residuals().map(|e| of(e / unit))).sum();
        T::lit(root(sum / self.total) * unit * self.divisor)
    }
}

/// The weights that are not 0, divided by the largest, so that their sums stay in range.
fn relative<T: Float>(weights: &DVector<T>) -> Vec<f64> {
    let weights = || weights.iter().map(|s| s.as_f64());
    let largest = largest(weights());
    weights().filter(|&s| s > 0.0).map(|s| s / largest).collect()
}
