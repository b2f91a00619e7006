//! The choice of a regressor's settings: bias, length scales and ridge, by closed-form leave-one-out.
//!
//! | file | purpose |
//! |---|---|
//! | `mod` | the table of what was tried |
//! | `shape` | the search over bias and length scales |
//! | `sensitivity` | how much a fit changes with each column |

mod sensitivity;
mod shape;

pub(crate) use shape::{Choice, Problem};

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a regressor tried before it settled on its bias coordinate, its length scales and its ridge, and how each did.
///
/// Displays as a table:
///
/// ```
/// use expnet::{Dataset, ExpRegressor};
///
/// let rows: Vec<[f64; 2]> = (0..40).map(|i| [f64::from(i) / 10.0, f64::from(i % 7)]).collect();
/// let labels: Vec<f64> = rows.iter().map(|[x, _]| x.sin()).collect();
/// let model = ExpRegressor::fit(&Dataset::from_rows(&rows, &labels)?)?;
/// let selection = model.selection();
/// println!("{selection}");
/// assert!(selection.candidates().len() >= 4);
/// assert!(selection.chosen().unwrap().mean_square() <= selection.candidates()[0].mean_square());
/// // The second column does not matter, which the fit found out: its length scale is long.
/// assert!(model.scaling().lengths()[1] > 2.0 * model.scaling().lengths()[0]);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Selection {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) chosen: usize,
    pub(crate) samples: usize,
    pub(crate) part: usize,
    pub(crate) validated: bool,
    pub(crate) lambda: f64,
}

/// One candidate of a [`Selection`]: a kernel, with the ridge that suits it best, or the one that was given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Candidate {
    pub(crate) beta: f64,
    pub(crate) round: usize,
    pub(crate) lambda: f64,
    pub(crate) mean_square: f64,
}

impl Selection {
    /// No choice: settings were given, or come from elsewhere.
    pub(crate) fn given(samples: usize) -> Self {
        Self {
            candidates: Vec::new(),
            chosen: 0,
            samples,
            part: 0,
            validated: false,
            lambda: 0.0,
        }
    }

    /// The candidates, in the order in which they were tried. Those before [`chosen`](Self::chosen) whose error fell were the
    /// starting points of those after them.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The candidate with the smallest error; `None` if settings were given and nothing was chosen.
    #[must_use]
    pub fn chosen(&self) -> Option<Candidate> {
        self.candidates.get(self.chosen).copied()
    }

    /// The ridge lambda of the final fit: the one given; or else chosen once more on all of up to 4096 samples, and otherwise that of
    /// [`chosen`](Self::chosen), since lambda does not grow with n (as the variance of the noise relative to that of the signal does
    /// not; measured on 20 data sets, the median slope of ln lambda over ln n is 0).
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// The number of samples on which candidates were compared: all, or a random part of many.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.part
    }
}

impl Candidate {
    /// The bias coordinate is beta sqrt(d), as in [`ScalingOptions::beta`](crate::ScalingOptions::beta).
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// How often the length scales were learnt from a fit; 0 for equal lengths.
    #[must_use]
    pub fn round(&self) -> usize {
        self.round
    }

    /// The ridge with the smallest error, unless it was given: f minimises sum_i s_i (f(x_i) - y_i)^2 + lambda ||f||^2, in scaled units.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// The mean squared error of samples that were left out of the fit, in scaled units: relative to the variance of the
    /// labels.
    #[must_use]
    pub fn mean_square(&self) -> f64 {
        self.mean_square
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.candidates.is_empty() {
            return write!(f, "no settings were chosen: they were given");
        }
        let errors = if self.validated {
            "validation errors"
        } else {
            "leave-one-out errors"
        };
        writeln!(
            f,
            "{errors} of kernel ridge regression on {} of {} samples",
            self.part, self.samples
        )?;
        writeln!(
            f,
            "  {:>5}  {:13}  {:>9}  {:>8}  {:>7}",
            "beta", "length scales", "lambda", "RMSE/std", "R²"
        )?;
        for (i, candidate) in self.candidates.iter().enumerate() {
            let mark = if i == self.chosen { '*' } else { ' ' };
            let lengths = match candidate.round {
                0 => "equal".to_owned(),
                round => format!("round {round}"),
            };
            let error = candidate.mean_square;
            writeln!(
                f,
                "{mark} {:>5}  {lengths:13}  {:>9.2e}  {:>8.4}  {:>7.4}",
                candidate.beta,
                candidate.lambda,
                error.sqrt(),
                1.0 - error
            )?;
        }
        write!(f, "final fit with lambda {:.2e}", self.lambda)
    }
}
