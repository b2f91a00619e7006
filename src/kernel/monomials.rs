//! The limit kernel of points of few coordinates is of low rank, up to rounding.
//!
//! ```text
//! Hcts(x, x') = h(x) h(x') sum_k sigma^{2k} <x, x'>^{k+1} / k!           h(x) = exp(sigma^2 ||x||^2 / 2)
//!             = sum_alpha phi_alpha(x) phi_alpha(x'),                    1 <= |alpha| <= p + 1
//!
//! phi_alpha(x) = h(x) sigma^{|alpha| - 1} sqrt(|alpha| / alpha!) x^alpha
//! ```
//!
//! So products with the kernel cost (n + k) N for N features, and ridge regression needs N x N matrices. Their entries are
//! moments of the points, of which there are only about 2^d N:
//!
//! ```text
//! (Phi R^2 Phi^T)_{alpha beta} = (factors) sum_i s_i h(x_i)^2 x_i^{alpha + beta}
//! ```

use super::fit::Fit;
use super::limit::Limit;
use super::roots::Roots;
use super::times_exp;
use crate::engine::{MOST_COORDINATES, PointSet, Polynomial, Powers, rank};
use crate::error::Error;
use crate::float::Float;
use crate::linalg::{Cholesky, norm_1};
use crate::memory;
use crate::numbers::power_of_two;
use nalgebra::{DMatrix, DVector, DVectorView};
use std::collections::HashMap;
use std::sync::Arc;

/// Below this many pairs of points, their kernel is computed pair by pair.
pub(super) const PAIRS: usize = 4 << 20;

/// Points whose features are computed at a time.
const BLOCK: usize = 256;

/// The largest k + 1 in the sum, beyond which factorials and powers lose meaning.
const HIGHEST_DEGREE: usize = 60;

/// The features of points of at most a given length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features {
    dimension: usize,
    /// The largest |alpha|.
    degree: usize,
    /// Points are multiplied by it: a power of two that brings their length to at most 1.
    scale: f64,
    std_dev: f64,
}

impl Features {
    /// For points of at most this `radius`; `None` if they have too many coordinates or are too long.
    pub fn new(dimension: usize, radius: f64, std_dev: f64) -> Option<Self> {
        if dimension > MOST_COORDINATES || radius <= 0.0 || !radius.is_finite() {
            return None;
        }
        // |<x, x'>| sigma^{2k} |<x, x'>|^k / k! for k = p + 1, relative to the entries of x and x' with themselves.
        let z = (std_dev * radius).powi(2);
        let mut term = 1.0;
        let first = (1..HIGHEST_DEGREE).find(|k| {
            term *= z / *k as f64;
            term <= f64::EPSILON / 4.0
        })?;
        Some(Self {
            dimension,
            degree: first + 1,
            scale: 0.5 / power_of_two(radius),
            std_dev,
        })
    }

    /// The number of features.
    pub fn count(&self) -> usize {
        rank(self.dimension, self.degree) - 1
    }

    /// sigma^{2 (|alpha| - 1)} |alpha| / alpha! in units of the scaled points: the factor of x^alpha x'^alpha.
    fn factor(&self, powers: Powers) -> f64 {
        let degree: usize = powers.iter().sum();
        if degree == 0 {
            return 0.0;
        }
        let unit = (self.std_dev / self.scale).powi(2);
        let mut factor = degree as f64 / self.scale.powi(2);
        let mut left = degree - 1;
        for power in powers {
            for k in 1..=power {
                factor /= k as f64;
                if left > 0 {
                    factor *= unit;
                    left -= 1;
                }
            }
        }
        factor
    }

    /// h at each point of a list.
    fn envelopes(halves: &[f64]) -> impl Iterator<Item = f64> + '_ {
        halves.iter().map(|half| half.exp())
    }

    /// Hcts between `others` and the `points`, times a vector.
    pub fn product(
        &self,
        points: (&DMatrix<f64>, &[f64]),
        vector: &DVector<f64>,
        others: (&DMatrix<f64>, &[f64]),
    ) -> Result<Vec<f64>, Error> {
        let moments = self.moments(points, vector)?;
        let image = Polynomial::new(self.dimension, self.degree, |powers| {
            self.factor(powers) * moments.of(powers)
        });
        self.values(&image, others)
    }

    /// sum_i h(x_i) v_i x_i^alpha, given the points and their halves.
    fn moments(&self, (points, halves): (&DMatrix<f64>, &[f64]), vector: &DVector<f64>) -> Result<Polynomial, Error> {
        let weights: Vec<f64> = Self::envelopes(halves).zip(vector).map(|(h, v)| h * v).collect();
        PointSet::new(points, self.scale)?.moments(self.degree, &weights)
    }

    /// h times a polynomial at each point, given the points and their halves.
    fn values(&self, polynomial: &Polynomial, (points, halves): (&DMatrix<f64>, &[f64])) -> Result<Vec<f64>, Error> {
        let mut values = PointSet::new(points, self.scale)?.values(polynomial)?;
        let envelopes = Self::envelopes(halves);
        values.iter_mut().zip(envelopes).for_each(|(value, h)| *value *= h);
        Ok(values)
    }

    /// The powers of all features.
    fn powers(&self) -> Vec<Powers> {
        let mut all = Vec::with_capacity(self.count());
        let mut powers = [0; MOST_COORDINATES];
        // Counts up like a number whose digits have a limited sum.
        loop {
            let Some(k) = (0..self.dimension).find(|&k| {
                let higher: usize = powers[k + 1..].iter().sum();
                powers[k] + higher < self.degree
            }) else {
                return all;
            };
            powers[k] += 1;
            powers[..k].fill(0);
            all.push(powers);
        }
    }

    /// phi at each of these points, N x k.
    pub fn at(&self, points: &DMatrix<f64>) -> DMatrix<f64> {
        let terms = self.terms();
        let of = |x: DVectorView<'_, f64>| {
            let half = x.iter().map(|x| (self.std_dev * x).powi(2)).sum::<f64>() / 2.0;
            let mut table = vec![[1.0; MOST_COORDINATES]; self.degree + 1];
            for p in 1..=self.degree {
                for (k, x) in x.iter().enumerate() {
                    table[p][k] = table[p - 1][k] * (x * self.scale);
                }
            }
            let envelope = half.exp();
            let feature = |(powers, root): &(Powers, f64)| {
                let monomial = powers.iter().enumerate().map(|(k, &p)| table[p][k]);
                envelope * root * monomial.product::<f64>()
            };
            DVector::from_iterator(terms.len(), terms.iter().map(feature))
        };
        DMatrix::from_columns(&points.column_iter().map(of).collect::<Vec<_>>())
    }

    /// The powers of all features, and the square roots of their factors.
    fn terms(&self) -> Vec<(Powers, f64)> {
        let root = |powers| (powers, self.factor(powers).sqrt());
        self.powers().into_iter().map(root).collect()
    }

    /// Phi times a vector of n numbers: N numbers.
    fn of_vector(&self, limit: &Limit, vector: &DVector<f64>) -> Result<DVector<f64>, Error> {
        let moments = self.moments((limit.points(), limit.halves()), vector)?;
        let of = |(powers, root): (Powers, f64)| root * moments.of(powers);
        Ok(DVector::from_vec(self.terms().into_iter().map(of).collect()))
    }

    /// Phi^T times a vector of N numbers: n numbers.
    fn combine(&self, limit: &Limit, coefficients: &DVector<f64>) -> Result<Vec<f64>, Error> {
        let of = |((powers, root), c): ((Powers, f64), &f64)| (powers, root * c);
        let by_powers: HashMap<Powers, f64> = self.terms().into_iter().zip(coefficients).map(of).collect();
        let polynomial = Polynomial::new(self.dimension, self.degree, |powers| {
            by_powers.get(&powers).copied().unwrap_or(0.0)
        });
        self.values(&polynomial, (limit.points(), limit.halves()))
    }

    /// Phi R^2 Phi^T, the lower triangle.
    fn gram(&self, limit: &Limit, weight: impl Fn(usize) -> f64) -> Result<DMatrix<f64>, Error> {
        let weights = Self::envelopes(limit.halves()).enumerate();
        let weights: Vec<f64> = weights.map(|(i, h)| h * h * weight(i)).collect();
        let moments = PointSet::new(limit.points(), self.scale)?.moments(2 * self.degree, &weights)?;
        let terms = self.terms();
        let mut gram = memory::square("the normal equations", terms.len())?;
        for (j, (b, right)) in terms.iter().enumerate() {
            for (i, (a, left)) in terms.iter().enumerate().skip(j) {
                let sum = std::array::from_fn(|k| a[k] + b[k]);
                gram[(i, j)] = left * right * moments.of(sum);
            }
        }
        Ok(gram)
    }
}

/// Whether sums over this many pairs of points are faster with this many features.
pub(super) fn pays(features: &Features, points: usize, others: usize) -> bool {
    let pairs = points.saturating_mul(others);
    pairs >= PAIRS && pairs > (points + others).saturating_mul(features.count())
}

/// Kernel ridge regression with the features of a limit kernel.
#[derive(Clone, Debug)]
pub(crate) struct MonomialRidge {
    pub(super) features: Features,
    /// Of Phi R^2 Phi^T + lambda I.
    pub(super) factor: Cholesky,
    pub(super) lambda: f64,
}

/// The regression with (R K R + lambda I)^-1 R y, unless it is singular.
pub(super) type Solved = Result<(MonomialRidge, DVector<f64>), Singular>;

/// A system that is singular to working precision.
pub(super) struct Singular {
    pub condition: f64,
    /// Half of a ridge that is safe.
    pub smallest: f64,
}

impl MonomialRidge {
    /// The regression, and (R K R + lambda I)^-1 R y. `None` if there are not far fewer features than points. Costs about n 2^d N flops and N^3 / 3.
    pub fn new(limit: &Limit, roots: &Roots, lambda: f64, targets: &DVector<f64>) -> Result<Option<Solved>, Error> {
        let n = limit.samples();
        let features = limit.features().filter(|features| 2 * features.count() <= n);
        let Some(features) = features.filter(|features| features.count() <= super::MAX_DIRECT) else {
            return Ok(None);
        };
        let weight = |i: usize| roots.0.as_ref().map_or(1.0, |roots| roots[i] * roots[i]);
        let mut gram = features.gram(limit, weight)?;
        let count = gram.nrows() as f64;
        for i in 0..gram.nrows() {
            gram[(i, i)] += lambda;
        }
        let norm = norm_1(&gram);
        let smallest = count * count.sqrt() * f64::EPSILON * norm;
        let factor = Cholesky::new(gram)?;
        let condition = |factor: &Cholesky| norm * factor.inverse_norm_1();
        let condition = factor.as_ref().map_or(f64::INFINITY, condition);
        let factor = match factor {
            Some(factor) if lambda > 0.0 && condition * count * f64::EPSILON < 1.0 => factor,
            _ => return Ok(Some(Err(Singular { condition, smallest }))),
        };
        let weighted = DVector::from_fn(n, |i, _| weight(i) * targets[i]);
        let right = features.of_vector(limit, &weighted)?;
        let fitted = features.combine(limit, &factor.solve(&right))?;
        // c = R^2 (y - f) / lambda.
        let solution = fitted.iter().zip(targets).map(|(f, y)| (y - f) / lambda);
        let solution = roots.scale(DVector::from_iterator(n, solution));
        let ridge = Self {
            features,
            factor,
            lambda,
        };
        Ok(Some(Ok((ridge, solution))))
    }
}

/// A fit with monomials for features, and its variances.
#[derive(Clone, Debug)]
pub(crate) struct MonomialFit {
    pub(super) mean: Fit,
    pub(super) limit: Arc<Limit>,
    pub(super) ridge: MonomialRidge,
}

impl MonomialFit {
    /// f.
    pub fn mean(&self) -> &Fit {
        &self.mean
    }

    /// The standard deviation of f at each column of `points` (d x k): k numbers,
    ///
    /// ```text
    /// sqrt(lambda phi^T (Phi R^2 Phi^T + lambda I)^-1 phi + K(x, x) - phi^T phi)
    /// ```
    ///
    /// The last two terms cancel except at points farther out than the training points, where these features are too few.
    ///
    /// Costs N^2 flops per point for N features.
    ///
    /// Errors: points of the wrong dimension or not finite; an entry that overflows.
    pub fn std_dev<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        let points = points.map(Float::as_f64);
        self.limit.check(&points)?;
        let MonomialRidge {
            features,
            factor,
            lambda,
        } = &self.ridge;
        let mut deviations = Vec::with_capacity(points.ncols());
        for first in (0..points.ncols()).step_by(BLOCK) {
            let block = points.columns(first, BLOCK.min(points.ncols() - first)).into_owned();
            let features = features.at(&block);
            let beyond = block.column_iter().zip(features.column_iter()).map(|(x, features)| {
                let square = x.norm_squared();
                let prior = times_exp(square, 2.0 * self.limit.std_dev().powi(2) * square);
                (prior - features.norm_squared()).max(0.0)
            });
            let beyond: Vec<f64> = beyond.collect();
            let half = factor.half_solve(features);
            let within = half.column_iter().map(|column| lambda * column.norm_squared());
            deviations.extend(within.zip(beyond).map(|(within, beyond)| (within + beyond).sqrt()));
        }
        match deviations.iter().position(|deviation| !deviation.is_finite()) {
            None => Ok(DVector::from_vec(deviations)),
            Some(i) => Err(Error::KernelOverflow {
                what: "the limit kernel",
                place: format!("points {i} and {i}"),
                value: deviations[i],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;
    use crate::kernel::{Predictor, Solver, limit_cross_kernel, limit_kernel};

    fn points(d: usize, n: usize, radius: f64) -> DMatrix<f64> {
        let points = DMatrix::from_fn(d, n, |k, i| {
            ((1 + i) as f64 * (0.7 + k as f64) + 0.37 * (i * k) as f64).sin()
        });
        let longest = points.column_iter().map(|x| x.norm()).fold(0.0, f64::max);
        points * (radius / longest)
    }

    fn data(d: usize, n: usize, weighted: bool) -> Dataset<f64> {
        let labels = DVector::from_fn(n, |i, _| (1.3 * i as f64).cos());
        let data = Dataset::new(points(d, n, 1.0), labels).unwrap();
        if weighted {
            data.with_weights(DVector::from_fn(n, |i, _| (i % 3) as f64)).unwrap()
        } else {
            data
        }
    }

    #[test]
    fn features_reproduce_the_kernel() {
        for d in 1..=4 {
            for (radius, std_dev) in [(1.0, 1.0), (0.3, 2.0), (2.5, 0.7), (1.0, 0.0)] {
                let points = points(d, 25, radius);
                let features = Features::new(d, radius, std_dev).unwrap();
                let at = features.at(&points);
                assert_eq!(at.nrows(), features.count());
                let kernel = limit_kernel(&points, std_dev).unwrap();
                let error = (at.tr_mul(&at) - &kernel).amax();
                assert!(error < 1e-14 * kernel.amax(), "{d} {radius} {std_dev}: {error:e}");
            }
        }
        assert!(Features::new(5, 1.0, 1.0).is_none() && Features::new(2, 40.0, 1.0).is_none());
        assert!(Features::new(2, 0.0, 1.0).is_none());
    }

    #[test]
    fn products_are_those_of_the_kernel() {
        for d in 1..=4 {
            let (own, others) = (points(d, 70, 1.0), points(d, 33, 0.8));
            let limit = Limit::new(&own, 0.9).unwrap();
            let halves = Limit::new(&others, 0.9).unwrap().halves().to_vec();
            let vector = DVector::from_fn(70, |i, _| (2.1 * i as f64).sin());
            let features = limit.features().unwrap();
            let found = features
                .product((&own, limit.halves()), &vector, (&others, &halves))
                .unwrap();
            let expected = limit_cross_kernel(&own, &others, 0.9).unwrap().tr_mul(&vector);
            assert!((DVector::from_vec(found) - &expected).amax() < 1e-12 * expected.amax());
        }
    }

    #[test]
    fn the_ridge_is_that_of_the_kernel() {
        for (d, n, weighted) in [(1, 90, false), (2, 700, true), (2, 500, false), (3, 3500, false)] {
            let data = data(d, n, weighted);
            for lambda in [1e-4, 0.1, 10.0] {
                let predictor = Predictor::new(&data, 0.8).unwrap();
                let fit = predictor.monomial_fit(lambda).unwrap().expect("few features");
                let exact = predictor.clone().solver(Solver::Cholesky).ridge(lambda).unwrap();
                let others = points(d, 40, 0.9);
                let (a, b) = (fit.mean().predict(&others).unwrap(), exact.predict(&others).unwrap());
                // Both solutions have the rounding of n K / lambda.
                let bound = 10.0 * f64::EPSILON * (1.0 + n as f64 * 2.0 / lambda);
                assert!((&a - &b).amax() < bound, "{d} {n} {lambda}: {:e}", (&a - &b).amax());
                if n < 1000 {
                    let posterior = predictor.posterior(lambda).unwrap();
                    let (a, b) = (fit.std_dev(&others).unwrap(), posterior.std_dev(&others).unwrap());
                    assert!((&a - &b).amax() < 1e-6, "{d} {n} {lambda}");
                    // Farther out than the training points, where their features do not suffice.
                    let others = points(d, 40, 4.0);
                    let (a, b) = (fit.std_dev(&others).unwrap(), posterior.std_dev(&others).unwrap());
                    assert!((&a - &b).amax() < 1e-6 * b.amax(), "{d} {n} {lambda}");
                }
            }
        }
    }

    #[test]
    fn a_ridge_below_rounding_is_refused_with_one_that_is_safe() {
        let predictor = Predictor::new(&data(2, 6000, false), 0.8).unwrap();
        for lambda in [0.0, 1e-13] {
            let error = predictor.ridge(lambda).unwrap_err().to_string();
            assert!(error.contains("use a larger lambda"), "{error}");
        }
        let fit = predictor.ridge(1e-3).unwrap();
        assert_eq!(fit.iterations(), 0);
    }

    #[test]
    fn points_in_many_coordinates_have_no_features() {
        let predictor = Predictor::new(&data(5, 50, false), 0.8).unwrap();
        assert!(predictor.monomial_fit(0.1).unwrap().is_none());
        // More features than half of the points.
        let predictor = Predictor::new(&data(3, 50, false), 0.8).unwrap();
        assert!(predictor.monomial_fit(0.1).unwrap().is_none());
    }
}
