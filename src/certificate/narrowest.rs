//! Draw, certify, and widen until the certificate holds.

use super::neurons::Pairs;
use super::report::Certificate;
use super::{WEIGHTS, certify_start};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::network::ExpNetwork;
use crate::setting::{checked_serde, not_negative, require};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The default of `widest`.
const WIDEST: usize = 1 << 22;

/// Activations stored by default, one column per pair: 1 GiB.
const ACTIVATIONS: usize = 1 << 27;

/// A search for a narrow random network whose convergence on given data is proved.
///
/// Starts are antisymmetric and drawn by the [`Initializer`], which gives pair p the same weights at every width:
/// widening keeps the existing neurons and their activations. The width grows by the factor by which the certificate
/// fails, until it holds, and is then narrowed down until the certificate holds at m and fails at some width at most 1%
/// smaller (2 smaller for small m). The certificate may also hold at still smaller widths, since it does not depend
/// monotonically on m.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`std_dev`](Self::std_dev) | sigma of the initial weights | sigma >= 0 | 1 |
/// | [`seed`](Self::seed) | seed of the initial weights | | 0 |
/// | [`widest`](Self::widest) | the largest width to try | at least 2 | 2^22, or 1 GiB of activations |
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
    /// The standard deviation sigma of the initial weights: finite and at least 0, 1 by default.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// The seed of the initial weights, 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The largest width to try: at least 2. By default 2^22, or the width at which activations (n m / 2 numbers) take
    /// 1 GiB if that is smaller.
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

    /// The network and its certificate. Costs O(n^2 m + n^3) per width, and tries about 10 to 20 widths.
    ///
    /// Errors: [`Error::NotProved`], with the largest width tried and what failed there; data with sample weights; a kernel
    /// that overflows; a setting out of range.
    pub fn search<T: Float>(&self, data: &Dataset<T>) -> Result<(ExpNetwork<T>, Certificate), Error> {
        self.check_settings()?;
        data.refuse_weights("`NarrowestSearch`", WEIGHTS)?;
        let default = || WIDEST.min(2 * (ACTIVATIONS / data.samples()));
        let widest = self.widest.unwrap_or_else(default);
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

    /// Widens until the certificate holds. Returns a number of pairs at which it fails (or 0), and the certificate and
    /// number of pairs at which it holds.
    fn bracket(&mut self, max_pairs: usize) -> Result<(usize, (Certificate, usize)), Error> {
        let mut failed = 0;
        // With fewer pairs the kernel cannot have full rank.
        let mut next = self.data.samples().div_ceil(self.data.dimension()).min(max_pairs);
        loop {
            let certificate = self.certify(next)?;
            if certificate.holds() {
                return Ok((failed, (certificate, next)));
            }
            if next == max_pairs {
                return Err(self.gave_up(&certificate));
            }
            failed = next;
            next = widened(next, certificate.decisive().factor()).min(max_pairs);
        }
    }

    /// Draws the missing pairs and certifies the first `pairs`.
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
            Some(degeneracy) => format!("{degeneracy}, which makes the kernel singular at every width"),
            None => format!("at width {}, the widest allowed, {}", last.width(), last.decisive()),
        };
        Error::NotProved {
            reason,
            remedy: "allow wider networks (`NarrowestSearch::widest`), or make the points more distinct or the labels smaller",
        }
    }
}

/// The next number of pairs after the certificate failed by `factor`: left-hand sides fall roughly as 1 / m.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn widened(pairs: usize, factor: f64) -> usize {
    // An infinite factor says nothing about the width needed.
    let factor = if factor.is_finite() {
        factor.clamp(1.05, 3.0)
    } else {
        2.0
    };
    (pairs as f64 * factor).ceil() as usize + 1
}
