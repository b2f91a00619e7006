//! Random initial networks, with one random stream per neuron.

use crate::error::Error;
use crate::float::Float;
use crate::setting::{at_least_one, checked_serde, not_negative, require};
use nalgebra::{DMatrix, DVector};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Draws random networks: `w_r ~ N(0, sigma^2 I)`, and `a_r = +s` or `-s` with equal probability.
///
/// Neuron r depends only on the seed and on r: it is drawn from stream r of a `ChaCha8` generator. Hence a
/// wider network starts with the neurons of a narrower one, a network sharded over machines
/// ([`shard`](Self::shard)) has the same neurons as a whole one, and an `f32` network is the `f64` network
/// rounded. The values for each seed are stable across versions of the crate.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`std_dev`](Self::std_dev) | standard deviation sigma of the weights | sigma >= 0 | 1 |
/// | [`output_scale`](Self::output_scale) | absolute value s of the output weights | s > 0 | 1 |
/// | [`antisymmetric`](Self::antisymmetric) | whether neurons come in pairs that cancel | | `false` |
/// | [`seed`](Self::seed) | seed of the random generator | | 0 |
/// | [`first_neuron`](Self::first_neuron) | index r of the first neuron | | 0 |
/// | [`shard`](Self::shard) | build only one rank's share | rank < size | whole network |
///
/// [`build`](Self::build) checks the settings, draws d m normal numbers and allocates the network.
///
/// ```
/// use expnet::Initializer;
///
/// let narrow = Initializer::new(3, 64).std_dev(0.5).seed(7).build::<f64>()?;
/// let wide = Initializer::new(3, 128).std_dev(0.5).seed(7).build::<f64>()?;
/// assert_eq!(wide.weights().columns(0, 64), narrow.weights().columns(0, 64));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Initializer {
    dimension: usize,
    width: usize,
    #[serde(default = "one")]
    std_dev: f64,
    #[serde(default = "one")]
    output_scale: f64,
    #[serde(default)]
    antisymmetric: bool,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    first_neuron: usize,
    /// The rank whose share is built, and the number of ranks.
    #[serde(default = "whole")]
    shard: (usize, usize),
}

fn one() -> f64 {
    1.0
}

fn whole() -> (usize, usize) {
    (0, 1)
}

/// The neurons of `rank` when `size` ranks share `width` neurons.
///
/// Errors: [`Error::Setting`] unless rank < size and, with several ranks, width >= 2 size.
pub(crate) fn share_of_rank(width: usize, rank: usize, size: usize) -> Result<Range<usize>, Error> {
    require(
        rank < size,
        "`rank` of `Initializer::shard`",
        format_args!("{rank} of {size}"),
        "less than the number of ranks, which is at least 1",
    )?;
    require(
        size <= 1 || width / 2 >= size,
        "`width` of `Initializer::new`",
        format_args!("{width} on {size} ranks"),
        "at least 2 neurons per rank",
    )?;
    // Whole pairs, spread as evenly as possible. With an odd width, the last pair has one neuron.
    let pairs = width.div_ceil(2);
    let pairs_before = |rank: usize| pairs / size * rank + rank.min(pairs % size);
    let first = |rank: usize| pairs_before(rank).saturating_mul(2).min(width);
    Ok(first(rank)..first(rank + 1))
}

impl Initializer {
    /// Creates an initializer with default settings for networks with `width` m neurons on points of `dimension` d.
    pub fn new(dimension: usize, width: usize) -> Self {
        Self {
            dimension,
            width,
            std_dev: one(),
            output_scale: one(),
            antisymmetric: false,
            seed: 0,
            first_neuron: 0,
            shard: whole(),
        }
    }

    /// The standard deviation sigma of the weights, finite and at least 0. Defaults to 1.
    ///
    /// With 0, all neurons start at w = 0.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// Whether neurons 2p and 2p + 1 have the same weights, and output weights +s and -s. Defaults to `false`.
    ///
    /// F(W(0), x) is then exactly 0 for every x, and training starts from the residual -y. The width and
    /// `first_neuron` must be even. Pair p has the weights that neuron p has without this setting.
    pub fn antisymmetric(mut self, antisymmetric: bool) -> Self {
        self.antisymmetric = antisymmetric;
        self
    }

    /// The seed of the random generator. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The absolute value s of the output weights, finite and positive. Defaults to 1.
    ///
    /// 1/sqrt(m) makes the tangent kernel, and hence the stable step sizes, independent of the width.
    pub fn output_scale(mut self, scale: f64) -> Self {
        self.output_scale = scale;
        self
    }

    /// The index `k` of the first neuron. Defaults to 0. Builds neurons k, …, k + m - 1 of a wider network, for
    /// example one machine's share of it.
    ///
    /// ```
    /// # use expnet::Initializer;
    /// let whole = Initializer::new(2, 8).seed(1).build::<f64>()?;
    /// let share = Initializer::new(2, 4).seed(1).first_neuron(4).build::<f64>()?;
    /// assert_eq!(whole.weights().columns(4, 4), share.weights().columns(0, 4));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn first_neuron(mut self, k: usize) -> Self {
        self.first_neuron = k;
        self
    }

    /// Builds only the share of rank `rank` out of `size` ranks. `width` remains the width of the whole network.
    ///
    /// Shares are as equal as possible and start at even neurons, so that an antisymmetric start is exactly 0 on every
    /// rank. Concatenated in the order of the ranks, they form the whole network. [`build`](Self::build) returns an
    /// error unless `rank` < `size` and, with several ranks, the width is at least 2 `size`.
    ///
    /// ```
    /// # use expnet::Initializer;
    /// let recipe = Initializer::new(2, 9).seed(1);
    /// let widths: Vec<usize> =
    ///     (0..3).map(|rank| Ok(recipe.shard(rank, 3).build::<f64>()?.width())).collect::<Result<_, expnet::Error>>()?;
    /// assert_eq!(widths, [4, 4, 1]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn shard(mut self, rank: usize, size: usize) -> Self {
        self.shard = (rank, size);
        self
    }

    /// The initializer of this rank's share alone.
    fn share(&self) -> Result<Self, Error> {
        let (rank, size) = self.shard;
        let neurons = share_of_rank(self.width, rank, size)?;
        Ok(Self {
            width: neurons.len(),
            first_neuron: self.first_neuron.saturating_add(neurons.start),
            shard: whole(),
            ..*self
        })
    }

    /// The weights W (d x m) and output weights a (m).
    pub(crate) fn draw<T: Float>(&self) -> Result<(DMatrix<T>, DVector<T>), Error> {
        self.check_settings()?;
        self.share()?.draw_whole()
    }

    fn draw_whole<T: Float>(&self) -> Result<(DMatrix<T>, DVector<T>), Error> {
        let output_scale = self.output_scale_as::<T>()?;
        let mut weights = self.reserve(self.dimension, "a weight matrix")?;
        let mut output_weights = self.reserve(1, "a vector of output weights")?;

        let generator = ChaCha8Rng::seed_from_u64(self.seed);
        for neuron in self.first_neuron..self.first_neuron + self.width {
            if self.antisymmetric && neuron % 2 == 1 {
                // The other half of the pair.
                weights.extend_from_within(weights.len() - self.dimension..);
                output_weights.push(-output_scale);
                continue;
            }
            let stream = if self.antisymmetric { neuron / 2 } else { neuron };
            let mut rng = generator.clone();
            rng.set_stream(stream as u64);
            // Drawn in any case, so that pair p has the weights of neuron p.
            let positive = rng.random::<bool>() || self.antisymmetric;
            output_weights.push(if positive { output_scale } else { -output_scale });
            for _ in 0..self.dimension {
                // Scaled before rounding to T, so that an f32 network is the f64 network rounded.
                weights.push(self.weight(f64::standard_normal(&mut rng))?);
            }
        }
        let weights = DMatrix::from_vec(self.dimension, self.width, weights);
        Ok((weights, DVector::from_vec(output_weights)))
    }

    /// Draws everything from the caller's generator, neuron by neuron, weights before sign, with scales of 1.
    pub(crate) fn draw_from<T: Float, R: Rng + ?Sized>(&self, rng: &mut R) -> Result<(DMatrix<T>, DVector<T>), Error> {
        self.check_settings()?;
        let mut weights = self.reserve(self.dimension, "a weight matrix")?;
        let mut output_weights: Vec<T> = self.reserve(1, "a vector of output weights")?;
        for neuron in 0..self.width {
            if self.antisymmetric && neuron % 2 == 1 {
                weights.extend_from_within(weights.len() - self.dimension..);
                output_weights.push(-T::one());
                continue;
            }
            for _ in 0..self.dimension {
                weights.push(T::standard_normal(rng));
            }
            let positive = self.antisymmetric || rng.random();
            output_weights.push(if positive { T::one() } else { -T::one() });
        }
        let weights = DMatrix::from_vec(self.dimension, self.width, weights);
        Ok((weights, DVector::from_vec(output_weights)))
    }

    fn weight<T: Float>(&self, normal: f64) -> Result<T, Error> {
        let weight = T::lit(self.std_dev * normal);
        if weight.is_finite() {
            return Ok(weight);
        }
        Err(Error::Setting {
            setting: "`Initializer::std_dev`",
            value: format!("{:?}", self.std_dev),
            expected: "small enough that the weights are finite in their type; the default is 1",
        })
    }

    /// s in the type of the network, where it may round to 0 or infinity.
    fn output_scale_as<T: Float>(&self) -> Result<T, Error> {
        let scale = T::lit(self.output_scale);
        if scale.is_finite() && scale > T::zero() {
            return Ok(scale);
        }
        Err(Error::Setting {
            setting: "`Initializer::output_scale`",
            value: format!("{:?} in {}", self.output_scale, T::NAME),
            expected: "positive and finite; the default is 1",
        })
    }

    /// An empty vector with capacity for `rows` numbers per neuron, or [`Error::OutOfMemory`].
    fn reserve<T>(&self, rows: usize, what: &'static str) -> Result<Vec<T>, Error> {
        let mut numbers = Vec::new();
        let reserved = rows
            .checked_mul(self.width)
            .and_then(|length| numbers.try_reserve_exact(length).ok());
        match reserved {
            Some(()) => Ok(numbers),
            None => Err(Error::OutOfMemory {
                what,
                numbers: rows.saturating_mul(self.width),
                remedy: "choose a smaller width",
            }),
        }
    }

    fn check_settings(&self) -> Result<(), Error> {
        at_least_one("`dimension` of `Initializer::new`", self.dimension)?;
        let width = self.width;
        require(
            width > 0,
            "`width` of `Initializer::new`",
            width,
            "at least 1 (2 for an antisymmetric start)",
        )?;
        not_negative("`Initializer::std_dev`", self.std_dev)?;
        let (first, name) = (self.first_neuron, "`Initializer::first_neuron`");
        let fits = first.checked_add(width).is_some();
        require(
            fits,
            name,
            first,
            "small enough that first_neuron + width fits in a usize",
        )?;
        require(
            !self.antisymmetric || first.is_multiple_of(2),
            name,
            first,
            "even for an antisymmetric start, so as not to split a pair",
        )?;
        if self.antisymmetric && width % 2 == 1 {
            return Err(Error::Shape {
                what: "the width of an antisymmetric start".into(),
                expected: width.checked_add(1).unwrap_or(width - 1),
                found: width,
                remedy: "its neurons come in pairs; give an even width",
            });
        }
        Ok(())
    }
}

checked_serde!(Initializer);

#[cfg(test)]
mod tests {
    use super::*;

    /// W and a for a seed must never change: experiments are identified by it.
    #[test]
    fn values_of_a_seed_are_pinned() {
        let recipe = Initializer::new(2, 3).std_dev(0.5).seed(42);
        let (w, a) = recipe.draw::<f64>().unwrap();
        let pinned = [
            [-0.4158454035796036, 0.2860912034998585],
            [0.25607915059724223, -0.4095953763842705],
            [-0.27012905833765855, 0.19419128090656881],
        ];
        assert_eq!(w.as_slice(), pinned.as_flattened());
        assert_eq!(a.as_slice(), [-1.0, 1.0, -1.0]);
        let (w, a) = recipe.draw::<f32>().unwrap();
        let pinned = [
            [-0.4158454, 0.2860912],
            [0.25607914, -0.40959537],
            [-0.27012905, 0.19419128_f32],
        ];
        assert_eq!(w.as_slice(), pinned.as_flattened());
        assert_eq!(a.as_slice(), [-1.0, 1.0, -1.0_f32]);
    }
}
