//! Draw, certify, widen until it holds.

use super::certify_start;
use super::neurons::Pairs;
use super::report::Certificate;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::network::ExpNetwork;
use crate::setting::{checked_serde, not_negative, require};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The widest network that is tried unless told otherwise.
const WIDEST: usize = 1 << 22;

/// Activations that are kept unless told otherwise: 1 GiB of them, one column per pair.
const ACTIVATIONS: usize = 1 << 27;

/// A search for a narrow random network whose convergence on given data is proved.
///
/// The start is antisymmetric, by the [`Initializer`]: pair p has the weights it has at any width, so widening keeps the neurons
/// that are there, and their activations. The width grows by
/// the factor by which the certificate fails, until it holds, and is then narrowed down until the certificate holds at m and
/// fails at some width no more than 1% below (2 below for small m). It may hold at narrower widths still: whether it does
/// is not monotone in m.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`std_dev`](Self::std_dev) | sigma of the initial weights | sigma >= 0 | 1 |
/// | [`seed`](Self::seed) | which of the random networks | | 0 |
/// | [`widest`](Self::widest) | the widest network to try | at least 2 | 2^22, or 1 GiB of activations |
///
/// ```
/// use expnet::certificate::NarrowestSearch;
/// use expnet::schedule::Certified;
/// use expnet::{Dataset, Trainer};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
/// let (mut net, proved) = NarrowestSearch::default().seed(7).search(&data)?;
/// assert!(proved.holds() && net.width() < 200);
/// let steps = proved.steps_to(1e-3) as usize;
/// let report = Trainer::new(Certified::new(&proved)?).max_steps(steps).tolerance(1e-3).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-3);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct NarrowestSearch {
    std_dev: f64,
    seed: u64,
    widest: Option<usize>,
}

impl Default for NarrowestSearch {
    fn default() -> Self {
        Self {
            std_dev: 1.0,
            seed: 0,
            widest: None,
        }
    }
}

impl NarrowestSearch {
    /// The standard deviation sigma of the initial weights: finite and at least 0, by default 1.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// Which random networks to draw, by default those of seed 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The widest network to try: at least 2, by default 2^22, or as many neurons as have 1 GiB of activations (n m / 2 numbers).
    pub fn widest(mut self, width: usize) -> Self {
        self.widest = Some(width);
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        not_negative("`NarrowestSearch::std_dev`", self.std_dev)?;
        let widest = self.widest.unwrap_or(WIDEST);
        let name = "`NarrowestSearch::widest`";
        require(widest >= 2, name, widest, "at least 2: neurons come in pairs")
    }

    /// The network, and its certificate. Costs O(n^2 m + n^3) per width, for some 10 to 20 widths.
    ///
    /// Errors: [`Error::NotProved`] saying how far it went and what failed there; a kernel that overflows; a setting out of
    /// range.
    pub fn search<T: Float>(&self, data: &Dataset<T>) -> Result<(ExpNetwork<T>, Certificate), Error> {
        self.check_settings()?;
        let by_default = || WIDEST.min(2 * (ACTIVATIONS / data.samples()));
        let widest = self.widest.unwrap_or_else(by_default);
        let mut search = Search::new(data, self.std_dev, self.seed);
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
}

checked_serde!(NarrowestSearch);

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
            remedy: "allow wider networks (`NarrowestSearch::widest`), or make the points more distinct or the labels smaller",
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
