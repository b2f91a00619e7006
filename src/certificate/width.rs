//! How wide is wide enough, before anything is drawn.

use super::a_priori::{Sufficient, TheoremB, TheoremsCAndD};
use super::moments::Moments;
use super::report::{Theorem, steps};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use std::fmt;

/// A width at which a random start converges with probability 1 - delta, by the least of theorems B, C and D.
///
/// The start is [`antisymmetric`](crate::Initializer::antisymmetric) with weights of standard deviation sigma: e_0 = -y.
///
/// - B needs m1 = 32 V / (lam^2 d1) neurons, from second moments of the kernel of one neuron, and m2 from theorem A; its width is
///   the least over d1 + d2 = delta. It is claimed for all larger widths too.
/// - C and D need ln(n / delta) for 1 / delta (matrix Bernstein inequalities); C rests on theorem A and D on A''. Their
///   widths are the least found over S (the share of lam that may be lost), u (by how much Lam may grow) and the split of delta. They
///   are claimed for the width that is returned, not for all larger ones, since the largest activation grows with it.
///
/// Statements and proofs: [`theory`](super::theory). A priori widths are far from what a given start needs:
/// [`narrowest_certified`](super::narrowest_certified) looks at the start itself.
///
/// Costs O(n^3), and O(n^4) up to n = 200 (the relative second moment of theorem C).
///
/// Errors: delta not within (0, 1); points or sigma of which the limit kernel overflows or is not proved to be definite (points
/// that coincide or vanish are named).
///
/// ```
/// use expnet::{Dataset, certificate};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
/// let sufficient = certificate::sufficient_width(&data, 0.5, 0.1)?;
/// println!("{sufficient}");
/// assert!(sufficient.width() < 20_000 && sufficient.width() % 2 == 0);
/// let surer = certificate::sufficient_width(&data, 0.5, 1e-6)?;
/// assert!(surer.width() > sufficient.width());
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn sufficient_width<T: Float>(data: &Dataset<T>, std_dev: f64, delta: f64) -> Result<SufficientWidth, Error> {
    if !(delta > 0.0 && delta < 1.0) {
        return Err(Error::Setting {
            setting: "`delta` of `sufficient_width`",
            value: delta.to_string(),
            expected: "above 0 and below 1: the probability that the start is one of the bad ones",
        });
    }
    let points = data.points().map(T::as_f64);
    let moments = Moments::new(&points, &data.labels().map(T::as_f64), std_dev)?;
    let by_matrices = TheoremsCAndD {
        moments: &moments,
        delta,
    };
    let all = [
        TheoremB::new(&moments).least(delta),
        by_matrices.least(Theorem::C).0,
        by_matrices.least(Theorem::D).0,
    ];
    let mut least = all[0];
    for other in all {
        if other.width < least.width {
            least = other;
        }
    }
    Ok(SufficientWidth {
        least,
        all,
        shape: (data.samples(), data.dimension()),
        std_dev,
        delta,
        label_norm: moments.label_norm,
    })
}

/// What [`sufficient_width`] found. `Display` tells it in words.
///
/// A random antisymmetric start of [`width`](Self::width) neurons, trained by gradient descent with any constant step size up to
/// [`max_step_size`](Self::max_step_size), has ||e_t|| <= (1 - rate eta / eta_max)^t ||y|| for all t, with probability 1 - delta.
#[derive(Clone, Debug, PartialEq)]
pub struct SufficientWidth {
    least: Sufficient,
    all: [Sufficient; 3],
    shape: (usize, usize),
    std_dev: f64,
    delta: f64,
    label_norm: f64,
}

impl SufficientWidth {
    /// The width m, even. `u64::MAX` where no theorem gives a width within the range of `u64`: nothing is then proved.
    pub fn width(&self) -> u64 {
        saturating(self.least.width)
    }

    /// The theorem that gives the least width; `None` where none gives one within the range.
    pub fn theorem(&self) -> Option<Theorem> {
        self.least.width.is_finite().then_some(self.least.theorem)
    }

    /// The width each theorem asks for, B, C and D in turn; `u64::MAX` beyond the range.
    pub fn widths(&self) -> [(Theorem, u64); 3] {
        self.all.map(|one| (one.theorem, saturating(one.width)))
    }

    /// The largest step size for which convergence is proved at this [`width`](Self::width); 0 where nothing is.
    pub fn max_step_size(&self) -> f64 {
        self.least.max_step_size
    }

    /// The share of ||e|| that each step removes at least, at [`max_step_size`](Self::max_step_size); 0 where nothing is proved.
    pub fn rate(&self) -> f64 {
        self.least.rate
    }

    /// Steps of [`max_step_size`](Self::max_step_size) after which ||e|| <= `tolerance`, at most: `ceil(ln(||y|| / tolerance) / rate)`.
    /// `u64::MAX` where nothing is proved, for a tolerance that is not positive, and beyond the range.
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        steps(self.label_norm, tolerance, self.least.rate)
    }
}

impl fmt::Display for SufficientWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((n, d), sigma) = (self.shape, self.std_dev);
        let sure = 1.0 - self.delta;
        match self.theorem() {
            Some(theorem) => writeln!(
                f,
                "width {} is enough with probability {sure} by theorem {theorem} (n = {n}, d = {d}, sigma = {sigma})",
                self.width()
            )?,
            None => writeln!(
                f,
                "no width below 2^64 is proved to be enough with probability {sure} (n = {n}, d = {d}, sigma = {sigma})"
            )?,
        }
        if self.theorem().is_some() {
            writeln!(
                f,
                "  step sizes up to {:.4e}; there each step removes at least {:.4e} of ||e||: {} steps to 1e-3",
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
                write!(f, " {} beyond 2^64", one.theorem)?;
            }
        }
        Ok(())
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn saturating(width: f64) -> u64 {
    width as u64
}
