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

use crate::error::Error;
use crate::float::Float;
use crate::numbers::{check_finite, largest};
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
    let pairs = Pairs::new(labels, predictions)?;
    let count = labels.len() as f64;
    // From the first label, so that equal labels deviate by exactly 0.
    let shifted = |pair: &(f64, f64)| pair.0 - pairs.list[0].0;
    let mean: f64 = pairs.list.iter().map(|pair| shifted(pair) / count).sum();
    let deviations = || pairs.list.iter().map(|pair| shifted(pair) - mean);
    let unit = largest(deviations());
    if unit == 0.0 {
        return Err(Error::Column {
            column: "the label column".into(),
            problem: "is constant, so R² is undefined".into(),
            remedy: "score on data whose labels differ",
        });
    }
    let total: f64 = deviations().map(|deviation| (deviation / unit).powi(2)).sum();
    let residual: f64 = pairs.residuals().map(|e| (e / unit).powi(2)).sum();
    Ok(T::lit(1.0 - residual / total))
}

/// The root mean squared error, sqrt(sum_i (p_i - y_i)² / n), for labels y and predictions p. Infinite if it is out of
/// range for `T`.
///
/// Errors: those of [`r2`], except that labels may be equal.
pub fn rmse<T: Float>(labels: &DVector<T>, predictions: &DVector<T>) -> Result<T, Error> {
    Ok(Pairs::new(labels, predictions)?.mean(|e| e * e, f64::sqrt))
}

/// The mean absolute error, sum_i |p_i - y_i| / n, for labels y and predictions p. Infinite if it is out of range for
/// `T`.
///
/// Errors: those of [`r2`], except that labels may be equal.
pub fn mae<T: Float>(labels: &DVector<T>, predictions: &DVector<T>) -> Result<T, Error> {
    Ok(Pairs::new(labels, predictions)?.mean(f64::abs, |mean| mean))
}

/// Labels and predictions in f64, divided by `divisor`.
struct Pairs {
    list: Vec<(f64, f64)>,
    divisor: f64,
}

impl Pairs {
    fn new<T: Float>(labels: &DVector<T>, predictions: &DVector<T>) -> Result<Self, Error> {
        if labels.is_empty() {
            return Err(Error::Empty {
                what: "the list of labels",
                remedy: "give at least one label, with its prediction",
            });
        }
        if labels.len() != predictions.len() {
            return Err(Error::Shape {
                what: "the number of predictions".into(),
                expected: labels.len(),
                found: predictions.len(),
                remedy: "give one prediction per label",
            });
        }
        let remedy = "replace it with a finite number, or leave out the sample";
        let place = |i, _| format!("sample {i}");
        check_finite("a label", labels, remedy, place)?;
        check_finite("a prediction", predictions, remedy, place)?;
        let numbers = || labels.iter().chain(predictions.iter()).map(|x| x.as_f64());
        let divisor = if largest(numbers()) > LARGE { 4.0 } else { 1.0 };
        let list = labels.iter().zip(predictions.iter());
        let list = list.map(|(y, p)| (y.as_f64() / divisor, p.as_f64() / divisor));
        Ok(Self {
            list: list.collect(),
            divisor,
        })
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
        let sum: f64 = self.residuals().map(|e| of(e / unit)).sum();
        T::lit(root(sum / self.list.len() as f64) * unit * self.divisor)
    }
}
