//! Sufficient widths, known before anything is drawn.

use super::WEIGHTS;
use super::a_priori::{Sufficient, TheoremB, TheoremsCAndD, saturating};
use super::attempt::{Theorem, steps};
use super::moments::Moments;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::exact;
use crate::float::Float;
use crate::setting::not_negative;
use serde::Serialize;
use std::fmt;

/// A width at which a random start converges with probability 1 - delta: the smallest that theorems B, C and D prove.
///
/// The start is [`antisymmetric`](crate::Initializer::antisymmetric), with weights of standard deviation `std_dev`
/// sigma, so that e_0 = -y.
///
/// - B needs m1 = 32 V / (lam^2 d1) neurons, from second moments of the kernel of one neuron, and m2 from theorem A;
///   its width is the smallest over all d1 + d2 = delta. The claim extends to all larger widths.
/// - C and D depend on ln(n / delta) instead of 1 / delta, by matrix Bernstein inequalities; C is based on theorem A
///   and D on A''. Their widths are the smallest found over S (the share of lam that may be lost), u (the relative
///   growth allowed to Lam) and the split of delta. The claim is for the returned width and not for all larger ones,
///   since the largest activation grows with the width.
///
/// For statements and proofs see [`theory`](super::theory). A priori widths are far larger than a given start needs:
/// [`NarrowestSearch`](super::NarrowestSearch) examines the start itself.
///
/// Costs O(n^3), or O(n^4) for up to 200 points (the relative second moment of theorem C).
///
/// Errors: a `delta` outside (0, 1); a `std_dev` that is negative or not finite; data with sample weights; a limit kernel
/// that overflows or is not proved to be positive definite (points that coincide or vanish are named).
///
/// ```
/// use expnet::{Dataset, certificate};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
/// let sufficient = certificate::sufficient_width(&data, 0.5, 0.1)?;
/// println!("{sufficient}");
/// assert!(sufficient.width() < 20_000 && sufficient.width() % 2 == 0);
/// let safer = certificate::sufficient_width(&data, 0.5, 1e-6)?;
/// assert!(safer.width() > sufficient.width());
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn sufficient_width<T: Float>(data: &Dataset<T>, std_dev: f64, delta: f64) -> Result<SufficientWidth, Error> {
    if !(delta > 0.0 && delta < 1.0) {
        return Err(Error::Setting {
            setting: "`delta` of `sufficient_width`",
            value: delta.to_string(),
            expected: "above 0 and below 1: it is the allowed probability of failure",
        });
    }
    not_negative("`std_dev` of `sufficient_width`", std_dev)?;
    data.refuse_weights("`certificate::sufficient_width`", WEIGHTS)?;
    let points = data.points().map(T::as_f64);
    let moments = Moments::new(&points, &data.labels().map(T::as_f64), std_dev)?;
    let matrix_bernstein = TheoremsCAndD {
        moments: &moments,
        delta,
    };
    let all = [
        TheoremB::new(&moments).smallest(delta),
        matrix_bernstein.smallest(Theorem::C).0,
        matrix_bernstein.smallest(Theorem::D).0,
    ];
    let proved = all.into_iter().filter(|one| one.width.is_finite());
    Ok(SufficientWidth {
        samples: data.samples(),
        dimension: data.dimension(),
        std_dev,
        delta,
        label_norm: moments.label_norm,
        smallest: proved.min_by(|one, other| one.width.total_cmp(&other.width)),
        all,
    })
}

/// The result of [`sufficient_width`]. `Display` prints a readable summary.
///
/// With probability 1 - delta, gradient descent from a random antisymmetric start of [`width`](Self::width) neurons,
/// with any constant step size eta up to [`max_step_size`](Self::max_step_size) eta_max, keeps
/// ||e_t|| <= (1 - rate eta / eta_max)^t ||y|| for all t.
///
/// Serialises with every number exact; a width is an integer, or `"inf"` if out of range.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct SufficientWidth {
    samples: usize,
    dimension: usize,
    #[serde(with = "exact::number")]
    std_dev: f64,
    #[serde(with = "exact::number")]
    delta: f64,
    #[serde(with = "exact::number")]
    label_norm: f64,
    /// `None` if no theorem gives a width in range.
    smallest: Option<Sufficient>,
    #[serde(rename = "theorems")]
    all: [Sufficient; 3],
}

impl SufficientWidth {
    /// The width m, which is even. `u64::MAX` if no theorem gives a width in the range of `u64`: nothing is then
    /// proved.
    pub fn width(&self) -> u64 {
        self.smallest.map_or(u64::MAX, |one| saturating(one.width))
    }

    /// The theorem that gives the smallest width; `None` if no theorem gives one in range.
    pub fn theorem(&self) -> Option<Theorem> {
        self.smallest.map(|one| one.theorem)
    }

    /// The width that each of theorems B, C and D needs, in that order; `u64::MAX` if out of range.
    pub fn widths(&self) -> [(Theorem, u64); 3] {
        self.all.map(|one| (one.theorem, saturating(one.width)))
    }

    /// The largest step size for which convergence is proved at this [`width`](Self::width); 0 if nothing is proved.
    pub fn max_step_size(&self) -> f64 {
        self.smallest.map_or(0.0, |one| one.max_step_size)
    }

    /// The share of ||e|| that each step of size [`max_step_size`](Self::max_step_size) is sure to remove; 0 if nothing
    /// is proved.
    pub fn rate(&self) -> f64 {
        self.smallest.map_or(0.0, |one| one.rate)
    }

    /// The number of steps of size [`max_step_size`](Self::max_step_size) after which ||e|| <= `tolerance` is
    /// guaranteed: `ceil(ln(||y|| / tolerance) / rate)`. `u64::MAX` if nothing is proved, if the tolerance is not
    /// positive, or if the number is out of range.
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        steps(self.label_norm, tolerance, self.rate())
    }
}

impl fmt::Display for SufficientWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d, sigma) = (self.samples, self.dimension, self.std_dev);
        let probability = 1.0 - self.delta;
        match self.theorem() {
            Some(theorem) => writeln!(
                f,
                "width {} suffices with probability {probability} by theorem {theorem} (n = {n}, d = {d}, sigma = {sigma})",
                self.width()
            )?,
            None => writeln!(
                f,
                "no width below 2^64 is proved to suffice with probability {probability} (n = {n}, d = {d}, sigma = {sigma})"
            )?,
        }
        if self.theorem().is_some() {
            writeln!(
                f,
                "  step sizes up to {:.4e}; the largest removes at least {:.4e} of ||e|| per step: {} steps to 1e-3",
                self.max_step_size(),
                self.rate(),
                self.steps_to(1e-3)
            )?;
        }
        write!(f, "  widths by theorem:")?;
        for one in &self.all {
            if one.width.is_finite() {
                write!(f, " {} {:.3e}", one.theorem, one.width)?;
            } else {
                write!(f, " {} above 2^64", one.theorem)?;
            }
        }
        Ok(())
    }
}
