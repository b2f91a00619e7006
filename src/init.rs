//! Random initial networks, one random stream per neuron.

use crate::error::Error;
use crate::float::Float;
use crate::setting::{at_least_one, checked_serde, not_negative, require};
use nalgebra::{DMatrix, DVector};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A recipe for a random network: `w_r ~ N(0, sigma^2 I)`, `a_r = +s` or `-s` with equal chances.
///
/// Neuron r depends on the seed and on r alone, as stream r of a `ChaCha8` generator. So a wider
/// network begins with the neurons of a narrower one, a network split over machines
/// ([`shard`](Self::shard)) has the same neurons as a whole one, and an `f32` network
/// is the rounded `f64` network. The values for a seed are part of the crate's promise.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`std_dev`](Self::std_dev) | sigma, of each weight | sigma >= 0 | 1 |
/// | [`output_scale`](Self::output_scale) | s, of each output weight | s > 0 | 1 |
/// | [`antisymmetric`](Self::antisymmetric) | neurons in pairs that cancel | | `false` |
/// | [`seed`](Self::seed) | which of the random networks | | 0 |
/// | [`first_neuron`](Self::first_neuron) | number r of the first neuron | | 0 |
/// | [`shard`](Self::shard) | one rank's share alone | rank < size | the whole |
///
/// Building costs d m normal draws and the memory of the network. Settings are checked there.
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

/// The neurons of a rank, where the ranks can share so many.
pub(crate) fn checked_share(width: usize, rank: usize, size: usize) -> Result<Range<usize>, Error> {
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
    Ok(share(width, rank, size))
}

/// The neurons of a rank: whole pairs, spread as evenly as can be; the last may be a pair's first half.
fn share(width: usize, rank: usize, size: usize) -> Range<usize> {
    let pairs = width.div_ceil(2);
    let first = |rank: usize| (2 * (pairs / size * rank + rank.min(pairs % size))).min(width);
    first(rank)..first(rank + 1)
}

impl Initializer {
    /// A network of `width` m neurons on points of `dimension` d, with the default settings.
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

    /// The standard deviation sigma of the weights: finite and at least 0, by default 1.
    ///
    /// 0 starts all neurons at w = 0.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// Whether neurons 2p and 2p + 1 share their weights and have output weights +s and -s.
    ///
    /// Then F(W(0), x) is exactly 0 for every x, and training starts from the residual -y. The width
    /// (and `first_neuron`) must be even. Pair p takes the weights of neuron p without this setting.
    pub fn antisymmetric(mut self, antisymmetric: bool) -> Self {
        self.antisymmetric = antisymmetric;
        self
    }

    /// Which random network to draw, by default that of seed 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The size s of the output weights: finite and more than 0, by default 1.
    ///
    /// 1/sqrt(m) makes the tangent kernel, and so the stable step sizes, independent of the width.
    pub fn output_scale(mut self, scale: f64) -> Self {
        self.output_scale = scale;
        self
    }

    /// The number `k` of the first neuron, by default 0: builds neurons k, …, k + m - 1 of a wider
    /// network, one machine's share of it.
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

    /// Builds only the share of rank `rank` of `size` ranks, `width` being that of the whole network.
    ///
    /// Shares are as equal as can be, and start at even neurons: an antisymmetric start is then exactly 0 on every rank.
    /// The ranks' shares one after the other are the whole network. [`build`](Self::build) refuses a rank that is not
    /// below the size, and a width below two neurons a rank.
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

    /// The recipe of this rank's share alone.
    fn share(&self) -> Result<Self, Error> {
        let (rank, size) = self.shard;
        let neurons = checked_share(self.width, rank, size)?;
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

        let family = ChaCha8Rng::seed_from_u64(self.seed);
        for neuron in self.first_neuron..self.first_neuron + self.width {
            if self.antisymmetric && neuron % 2 == 1 {
                // The twin of the neuron before it.
                weights.extend_from_within(weights.len() - self.dimension..);
                output_weights.push(-output_scale);
                continue;
            }
            let stream = if self.antisymmetric { neuron / 2 } else { neuron };
            let mut rng = family.clone();
            rng.set_stream(stream as u64);
            // Drawn in either case, so that pair p has the weights of neuron p.
            let positive = rng.random::<bool>() || self.antisymmetric;
            output_weights.push(if positive { output_scale } else { -output_scale });
            for _ in 0..self.dimension {
                // Scaled before it is rounded to T: an f32 network is the rounded f64 network.
                weights.push(self.weight(f64::standard_normal(&mut rng))?);
            }
        }
        let weights = DMatrix::from_vec(self.dimension, self.width, weights);
        Ok((weights, DVector::from_vec(output_weights)))
    }

    /// The same from one generator, neuron by neuron, weights before sign: for callers who bring their own.
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
            expected: "so small that the weights are finite numbers of their type; 1 is usual",
        })
    }

    /// s in the type of the network, where it may have become 0 or infinite.
    fn output_scale_as<T: Float>(&self) -> Result<T, Error> {
        let scale = T::lit(self.output_scale);
        if scale.is_finite() && scale > T::zero() {
            return Ok(scale);
        }
        Err(Error::Setting {
            setting: "`Initializer::output_scale`",
            value: format!("{:?} in {}", self.output_scale, T::NAME),
            expected: "a finite number more than 0; 1 is usual",
        })
    }

    /// An empty vector with room for `rows` numbers per neuron, or an error where memory is too small.
    fn reserve<T>(&self, rows: usize, what: &'static str) -> Result<Vec<T>, Error> {
        let mut numbers = Vec::new();
        let room = rows
            .checked_mul(self.width)
            .and_then(|length| numbers.try_reserve_exact(length).ok());
        match room {
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
        require(fits, name, first, "so small that first_neuron + width fits in a usize")?;
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
                remedy: "its neurons come in pairs, so give an even width",
            });
        }
        Ok(())
    }
}

checked_serde!(Initializer);

#[cfg(test)]
mod tests {
    use super::*;

    /// W and a must stay what they are for a seed: experiments are named by it.
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
