//! Draw, certify, and widen until the certificate holds.

use super::WEIGHTS;
use super::certifier::{Certifier, Effort};
use super::neurons::Pairs;
use super::report::Certificate;
use super::search::Sizes;
use super::start::Start;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::network::ExpNetwork;
use crate::setting::{at_least_one, checked_serde, not_negative, require};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

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
/// | [`effort`](Self::effort) | which theorems are tried | | what takes below a second |
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
    effort: Effort,
}

impl Default for NarrowestSearch {
    fn default() -> Self {
        Self {
            std_dev: 1.0,
            seed: 0,
            widest: None,
            effort: Effort::Auto,
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

    /// The largest width to try: at least 2. By default 2^22, or the width at which activations (n m / 2 numbers for each
    /// seed) take 1 GiB if that is smaller.
    pub fn widest(mut self, width: usize) -> Self {
        self.widest = Some(width);
        self
    }

    /// How much work a certificate may cost: [`Effort::Auto`] by default.
    pub fn effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        not_negative("`NarrowestSearch::std_dev`", self.std_dev)?;
        let widest = self.widest.unwrap_or(WIDEST);
        let name = "`NarrowestSearch::widest`";
        require(widest >= 2, name, widest, "at least 2: neurons come in pairs")
    }

    /// The network and its certificate. Tries about 10 to 20 widths; each costs O(n^2 m + n^3), and for small problems O(n^3 m +
    /// n^4) (see [`Effort`]).
    ///
    /// Errors: [`Error::NotProved`], with the largest width tried and what failed there; data with sample weights; a kernel
    /// that overflows; a setting out of range.
    pub fn search<T: Float>(&self, data: &Dataset<T>) -> Result<(ExpNetwork<T>, Certificate), Error> {
        self.check_settings()?;
        data.refuse_weights("`NarrowestSearch`", WEIGHTS)?;
        let mut search = Search::new(data, self);
        let (failed, held) = search.bracket(self.max_width(data, 1) / 2)?;
        let (pairs, ()) = narrow(failed, (held, ()), |pairs| {
            Ok(search.certify(pairs)?.holds().then_some(()))
        })?;
        let certificate = search.certify_with(pairs, Sizes::Best)?;
        Ok((search.start(2 * pairs).build()?, certificate))
    }

    /// The smallest width at which at least the fraction `fraction` of the seeds `seed`, …, `seed` + `seeds` - 1 is
    /// certified, found as in [`search`](Self::search): the bracket is closed to 1%, and the answer is the width itself, a
    /// fact about these seeds. Costs as many searches as there are seeds.
    ///
    /// ```
    /// use expnet::Dataset;
    /// use expnet::certificate::NarrowestSearch;
    ///
    /// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
    /// let found = NarrowestSearch::default().search_seeds(&data, 10, 0.9)?;
    /// println!("{found}");
    /// assert!(found.certified() >= 9 && found.width() < 200);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: those of [`search`](Self::search); no seeds, or more than a list in memory can hold; a fraction that is not above 0
    /// and at most 1.
    pub fn search_seeds<T: Float>(&self, data: &Dataset<T>, seeds: usize, fraction: f64) -> Result<SeedsWidth, Error> {
        self.check_settings()?;
        at_least_one("`seeds` of `NarrowestSearch::search_seeds`", seeds)?;
        let name = "`fraction` of `NarrowestSearch::search_seeds`";
        require(
            fraction > 0.0 && fraction <= 1.0,
            name,
            fraction,
            "above 0 and at most 1",
        )?;
        data.refuse_weights("`NarrowestSearch`", WEIGHTS)?;
        let with_seed = |k: u64| self.seed(self.seed.wrapping_add(k));
        let mut searches = Vec::new();
        searches.try_reserve_exact(seeds).map_err(|_| Error::OutOfMemory {
            what: "a search for each seed",
            numbers: seeds,
            remedy: "try fewer seeds",
        })?;
        searches.extend((0..seeds as u64).map(|k| Search::new(data, &with_seed(k))));
        let max_pairs = self.max_width(data, seeds) / 2;
        let enough = |certified: usize| certified as f64 >= fraction * seeds as f64 * (1.0 - 1e-12);
        let mut count = |pairs: usize| -> Result<usize, Error> {
            let mut certified = 0;
            for search in &mut searches {
                certified += usize::from(search.certify(pairs)?.holds());
            }
            Ok(certified)
        };
        let (mut failed, mut next) = (0, data.samples().div_ceil(data.dimension()).min(max_pairs));
        let held = loop {
            let certified = count(next)?;
            if enough(certified) {
                break (next, certified);
            }
            if next == max_pairs {
                return Err(Error::NotProved {
                    reason: format!(
                        "at width {}, the widest allowed, {certified} of {seeds} seeds are certified",
                        2 * next
                    ),
                    remedy: "allow wider networks (`NarrowestSearch::widest`) or a smaller fraction",
                });
            }
            (failed, next) = (next, (next + next.div_ceil(3)).min(max_pairs));
        };
        let (pairs, certified) = narrow(failed, held, |pairs| {
            Ok(Some(count(pairs)?).filter(|&count| enough(count)))
        })?;
        Ok(SeedsWidth {
            width: 2 * pairs,
            certified,
            seeds,
        })
    }

    /// The largest width to try, for so many seeds at the same time.
    fn max_width<T: Float>(&self, data: &Dataset<T>, seeds: usize) -> usize {
        let activations = ACTIVATIONS / data.samples().saturating_mul(seeds);
        self.widest.unwrap_or_else(|| WIDEST.min(2 * activations.max(1)))
    }
}

checked_serde!(NarrowestSearch);

/// The result of [`NarrowestSearch::search_seeds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct SeedsWidth {
    width: usize,
    certified: usize,
    seeds: usize,
}

impl SeedsWidth {
    /// The width m.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of seeds certified at this width.
    pub fn certified(&self) -> usize {
        self.certified
    }

    /// The number of seeds that were tried.
    pub fn seeds(&self) -> usize {
        self.seeds
    }
}

impl fmt::Display for SeedsWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            width,
            certified,
            seeds,
        } = self;
        write!(f, "at width {width}, {certified} of {seeds} seeds are certified")
    }
}

struct Search<'a, T: Float> {
    data: &'a Dataset<T>,
    points: DMatrix<f64>,
    labels: DVector<f64>,
    settings: NarrowestSearch,
    pairs: Pairs,
}

impl<'a, T: Float> Search<'a, T> {
    fn new(data: &'a Dataset<T>, settings: &NarrowestSearch) -> Self {
        Self {
            data,
            points: data.points().map(T::as_f64),
            labels: data.labels().map(T::as_f64),
            settings: *settings,
            pairs: Pairs::new(data.samples()),
        }
    }

    fn start(&self, width: usize) -> Initializer {
        let start = Initializer::new(self.data.dimension(), width);
        start
            .std_dev(self.settings.std_dev)
            .antisymmetric(true)
            .seed(self.settings.seed)
    }

    /// Widens until the certificate holds. Returns a number of pairs at which it fails (or 0), and one at which it holds.
    fn bracket(&mut self, max_pairs: usize) -> Result<(usize, usize), Error> {
        let mut failed = 0;
        // With fewer pairs the kernel cannot have full rank.
        let mut next = self.data.samples().div_ceil(self.data.dimension()).min(max_pairs);
        loop {
            let certificate = self.certify(next)?;
            if certificate.holds() {
                return Ok((failed, next));
            }
            if next == max_pairs {
                return Err(self.gave_up(&certificate));
            }
            failed = next;
            next = widened(next, certificate.decisive().factor()).min(max_pairs);
        }
    }

    /// Draws the missing pairs and looks whether the first `pairs` are certified.
    fn certify(&mut self, pairs: usize) -> Result<Certificate, Error> {
        self.certify_with(pairs, Sizes::Usual)
    }

    fn certify_with(&mut self, pairs: usize, sizes: Sizes) -> Result<Certificate, Error> {
        let drawn = self.pairs.len();
        if pairs > drawn {
            let missing = self.start(2 * (pairs - drawn)).first_neuron(2 * drawn);
            let (weights, _) = missing.draw::<T>()?;
            let one_of_each: Vec<usize> = (0..pairs - drawn).map(|p| 2 * p).collect();
            self.pairs.extend(&self.points, &weights.select_columns(&one_of_each));
        }
        let neurons = self.pairs.first(pairs);
        let start = Start::new(&neurons, &self.points, &self.labels)?;
        Certifier::new(self.settings.effort).certify_start(&start, sizes)
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

/// Bisects between a number of pairs that failed and one that `held`, until they are within 1% or next to each other. `at`
/// returns what holds at a number of pairs, if anything does.
fn narrow<H>(
    mut failed: usize,
    mut held: (usize, H),
    mut at: impl FnMut(usize) -> Result<Option<H>, Error>,
) -> Result<(usize, H), Error> {
    while held.0 - failed > (held.0 / 100).max(1) {
        let middle = failed.midpoint(held.0);
        match at(middle)? {
            Some(found) => held = (middle, found),
            None => failed = middle,
        }
    }
    Ok(held)
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
