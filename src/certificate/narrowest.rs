//! Draw, certify, widen until it holds.

use super::certify_start;
use super::neurons::Pairs;
use super::report::Certificate;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::network::ExpNetwork;
use nalgebra::{DMatrix, DVector};

/// Neurons beyond which [`narrowest_certified`] gives up.
const WIDEST: usize = 1 << 22;

/// Activations it keeps at most: 1 GiB of them, one column a pair.
const ACTIVATIONS: usize = 1 << 27;

/// A narrow random network whose convergence on `data` is proved, and the certificate.
///
/// The start is antisymmetric with weights of standard deviation `std_dev`, by the [`Initializer`] with this `seed`: pair p has the
/// weights it has at any width, so widening keeps the neurons that are there, and their activations. The width grows by
/// the factor by which the certificate fails, until it holds, and is then narrowed down until the certificate holds at m and
/// fails at some width no more than 1% below (2 below for small m). It may hold at narrower widths still: whether it does
/// is not monotone in m.
///
/// Gives up beyond 2^22 neurons or 1 GiB of activations (n m / 2 numbers); see [`narrowest_certified_up_to`]. Costs O(n^2 m + n^3) a
/// width, for some 10 to 20 widths.
///
/// Errors: [`Error::NotProved`] saying how far it went and what failed there; a kernel that overflows; a standard deviation out
/// of range.
///
/// ```
/// use expnet::schedule::Certified;
/// use expnet::{Dataset, Trainer, certificate};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
/// let (mut net, proved) = certificate::narrowest_certified(&data, 1.0, 7)?;
/// assert!(proved.holds() && net.width() < 200);
/// let steps = proved.steps_to(1e-3) as usize;
/// let report = Trainer::new(Certified::new(&proved)?).max_steps(steps).tolerance(1e-3).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-3);
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn narrowest_certified<T: Float>(
    data: &Dataset<T>,
    std_dev: f64,
    seed: u64,
) -> Result<(ExpNetwork<T>, Certificate), Error> {
    narrowest_certified_up_to(data, std_dev, seed, WIDEST.min(2 * (ACTIVATIONS / data.samples())))
}

/// [`narrowest_certified`] with a limit of one's own: `widest` neurons at most, which keeps n `widest` / 2 activations.
pub fn narrowest_certified_up_to<T: Float>(
    data: &Dataset<T>,
    std_dev: f64,
    seed: u64,
    widest: usize,
) -> Result<(ExpNetwork<T>, Certificate), Error> {
    if widest < 2 {
        return Err(Error::Setting {
            setting: "`widest` of `narrowest_certified_up_to`",
            value: widest.to_string(),
            expected: "at least 2: neurons come in pairs",
        });
    }
    let mut search = Search::new(data, std_dev, seed);
    let (mut failed, mut held) = search.bracket(widest / 2)?;
    while held.1 - failed > (held.1 / 100).max(1) {
        let middle = failed.midpoint(held.1);
        let certificate = search.certify(middle)?;
        if certificate.holds() {
            held = (certificate, middle);
        } else {
            failed = middle;
        }
    }
    Ok((search.start(2 * held.1).build()?, held.0))
}

struct Search<'a, T: Float> {
    data: &'a Dataset<T>,
    points: DMatrix<f64>,
    labels: DVector<f64>,
    std_dev: f64,
    seed: u64,
    pairs: Pairs,
}

impl<'a, T: Float> Search<'a, T> {
    fn new(data: &'a Dataset<T>, std_dev: f64, seed: u64) -> Self {
        Self {
            data,
            points: data.points().map(T::as_f64),
            labels: data.labels().map(T::as_f64),
            std_dev,
            seed,
            pairs: Pairs::new(data.samples()),
        }
    }

    fn start(&self, width: usize) -> Initializer {
        let start = Initializer::new(self.data.dimension(), width);
        start.std_dev(self.std_dev).antisymmetric(true).seed(self.seed)
    }

    /// Widens until the certificate holds: pairs at which it fails (or 0), the certificate and the pairs at which it holds.
    fn bracket(&mut self, most: usize) -> Result<(usize, (Certificate, usize)), Error> {
        let mut failed = 0;
        // Fewer cannot make a kernel of full rank.
        let mut next = self.data.samples().div_ceil(self.data.dimension()).min(most);
        loop {
            let certificate = self.certify(next)?;
            if certificate.holds() {
                return Ok((failed, (certificate, next)));
            }
            if next == most {
                return Err(self.gave_up(&certificate));
            }
            failed = next;
            next = widened(next, certificate.decisive().factor()).min(most);
        }
    }

    /// Draws what is missing and certifies the first `pairs`.
    fn certify(&mut self, pairs: usize) -> Result<Certificate, Error> {
        let drawn = self.pairs.len();
        if pairs > drawn {
            let missing = self.start(2 * (pairs - drawn)).first_neuron(2 * drawn);
            let (weights, _) = missing.draw::<T>()?;
            let one_of_each: Vec<usize> = (0..pairs - drawn).map(|p| 2 * p).collect();
            self.pairs.extend(&self.points, &weights.select_columns(&one_of_each));
        }
        certify_start(&self.pairs.first(pairs), &self.points, &self.labels)
    }

    fn gave_up(&self, last: &Certificate) -> Error {
        let reason = match crate::kernel::degenerate_points(self.data.points()).first() {
            Some(degeneracy) => format!("{degeneracy}, so that the kernel is singular at every width"),
            None => format!("at width {}, the widest allowed, {}", last.width(), last.decisive()),
        };
        Error::NotProved {
            reason,
            remedy: "allow wider networks (`narrowest_certified_up_to`), or make the points more distinct or the labels smaller",
        }
    }
}

/// The next number of pairs where the certificate failed by `factor`: left sides fall about as 1 / m.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn widened(pairs: usize, factor: f64) -> usize {
    // An infinite factor says nothing about the width.
    let factor = if factor.is_finite() {
        factor.clamp(1.05, 3.0)
    } else {
        2.0
    };
    (pairs as f64 * factor).ceil() as usize + 1
}
