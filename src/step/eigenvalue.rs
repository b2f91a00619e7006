//! The largest eigenvalue of G = J J^T, by products with G.

use crate::engine::Engine;
use crate::error::Error;
use crate::float::Float;
use crate::linalg::leading;
use crate::numbers::{largest, power_of_two};
use nalgebra::{DMatrix, DVector, DVectorView};

/// How far, relatively, the result may exceed the eigenvalue.
const TOLERANCE: f64 = 0.02;

/// The relative accuracy of the eigenvalue of the Gaussian kernel behind the start vector: it costs next to nothing.
const GUESS_TOLERANCE: f64 = 0.005;

/// The share of a vector without any pattern in the start vector, which could otherwise be orthogonal to the
/// eigenvector.
const SCATTER: f64 = 0.1;

/// With more coordinates, k x k products cost more than they save.
const COORDINATES: usize = 1024;

/// With at most so many points per coordinate, forming an n x n matrix costs less than some eight products without it.
const FEW: usize = 8;

/// lambda_max(G) for the current samples and weights: see `StepState::largest_kernel_eigenvalue`.
///
/// Costs 2 m k^2 flops for k coordinates, and a few passes.
pub(super) fn largest_kernel_eigenvalue<T: Float>(engine: &mut Engine<T>) -> Result<f64, Error> {
    let start = start_vector(engine)?;
    // The iteration squares products, which must not leave the range of f64 with the scale of the rows.
    let unit = match engine.roots() {
        [] => None,
        roots => Some(power_of_two(largest(roots.iter().copied()).powi(2))),
    };
    let found = leading(start, TOLERANCE, |v| {
        let mut product = DVector::zeros(v.len());
        engine.tangent_product(v.as_slice(), product.as_mut_slice())?;
        if let Some(unit) = unit {
            product /= unit;
        }
        Ok(product)
    })?;
    let value = unit.map_or(found.value, |unit| found.value * unit);
    if !value.is_finite() {
        return Err(Error::KernelOverflow {
            what: "the largest eigenvalue of the tangent kernel",
            place: "the current samples".into(),
            value,
        });
    }
    Ok(value)
}

/// The start of the Lanczos iteration. It depends only on the data and on sums over all neurons: the same on every
/// rank.
fn start_vector<T: Float>(engine: &Engine<T>) -> Result<DVector<f64>, Error> {
    let points = engine.points();
    let (k, n) = points.shape();
    if k > COORDINATES {
        return Ok(fixed_vector(n));
    }
    let (mean, covariance) = engine.weight_moments()?;
    let mut kernel = GaussianKernel::new(points, &mean, &covariance);
    if let (roots @ [_, ..], batch) = (engine.roots(), engine.batch()) {
        let root = |i: usize| roots[batch.get(i).copied().unwrap_or(i)];
        kernel.scale.iter_mut().enumerate().for_each(|(i, s)| *s *= root(i));
    }
    let guess = kernel.leading_eigenvector();
    Ok((guess + SCATTER * scattered(n)).normalize())
}

/// What G would be, up to a factor, if the weights were normally distributed with their own mean mu and covariance C:
///
/// ```text
/// E <x, y> exp(<w, x + y>) = <x, y> exp(h(x) + h(y)) exp(x^T C y),        h(x) = <mu, x> + x^T C x / 2
/// ```
///
/// with 1 + x^T C y in place of the second exponential, so that products need no n x n matrix.
struct GaussianKernel {
    /// exp(h(x)), scaled so that the largest is 1, times the factor of the sample's row of J.
    scale: DVector<f64>,
    /// The rest: <x, y> (1 + x^T C y).
    matrix: Unscaled,
}

/// A matrix with the entries <x, y> (1 + x^T C y).
enum Unscaled {
    /// Where a few products without them would cost more.
    Entries(DMatrix<f64>),
    Factors {
        /// k x n.
        points: DMatrix<f64>,
        /// The points with a 1 below, (k + 1) x n.
        extended: DMatrix<f64>,
        /// C times the points, with a 1 below, transposed: n x (k + 1).
        spread: DMatrix<f64>,
    },
}

impl GaussianKernel {
    fn new(points: DMatrix<f64>, mean: &DVector<f64>, covariance: &DMatrix<f64>) -> Self {
        let (k, n) = points.shape();
        let transposed = points.transpose();
        let spread = &transposed * covariance;
        let exponent = |(i, x): (usize, DVectorView<'_, f64>)| mean.dot(&x) + 0.5 * spread.row(i).tr_dot(&x);
        let exponents = points.column_iter().enumerate().map(exponent);
        let exponents = DVector::from_iterator(n, exponents);
        let largest = exponents.max();
        let spread = spread.resize_horizontally(k + 1, 1.0);
        let extended = points.clone().resize_vertically(k + 1, 1.0);
        Self {
            scale: exponents.map(|h| (h - largest).exp()),
            matrix: if n <= FEW * k {
                Unscaled::Entries((transposed * points).component_mul(&(spread * extended)))
            } else {
                Unscaled::Factors {
                    points,
                    extended,
                    spread,
                }
            },
        }
    }

    /// 4 n k (k + 1) flops without entries: x_i^T x_j (1 + x_i^T C x_j) is x_j^T M (x_j, 1) for a sum M over x_i (C x_i, 1)^T.
    fn product(&self, vector: &DVector<f64>) -> DVector<f64> {
        let weights = vector.component_mul(&self.scale);
        let mut product = match &self.matrix {
            Unscaled::Entries(entries) => entries * weights,
            Unscaled::Factors {
                points,
                extended,
                spread,
            } => {
                let mut weighted = points.clone();
                for (mut x, v) in weighted.column_iter_mut().zip(&weights) {
                    x *= *v;
                }
                let images = (weighted * spread) * extended;
                let entries = points.column_iter().zip(images.column_iter());
                DVector::from_iterator(weights.len(), entries.map(|(x, image)| x.dot(&image)))
            }
        };
        product.component_mul_assign(&self.scale);
        product
    }

    /// The leading eigenvector. As in G, it is large where points are long and close to many others.
    fn leading_eigenvector(&self) -> DVector<f64> {
        let fixed = fixed_vector(self.scale.len());
        match leading(fixed.clone(), GUESS_TOLERANCE, |v| Ok(self.product(v))) {
            Ok(found) if found.value > 0.0 && found.vector.iter().all(|x| x.is_finite()) => found.vector,
            _ => fixed,
        }
    }
}

/// A positive unit vector without symmetries.
fn fixed_vector(n: usize) -> DVector<f64> {
    DVector::from_fn(n, |i, _| 1.0 + 0.3 * (1.0 + i as f64 * 0.618_033_988_749_895).sin()).normalize()
}

/// A unit vector whose signs have no pattern.
fn scattered(n: usize) -> DVector<f64> {
    DVector::from_fn(n, |i, _| ((i * i + 1) as f64 * 0.618_033_988_749_895).sin()).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Memory;
    use crate::init::Initializer;
    use crate::network::ExpNetwork;
    use nalgebra::SymmetricEigen;

    fn points(k: usize, n: usize) -> DMatrix<f64> {
        DMatrix::from_fn(k, n, |c, i| {
            ((3 * c + 5 * i + 7 * c * i + 1) as f64).sin() / (k as f64).sqrt()
        })
    }

    #[test]
    fn the_kernel_of_normal_weights_follows_its_formula() {
        for (k, n) in [(3, 7), (3, 50)] {
            follows_its_formula(k, n);
        }
    }

    fn follows_its_formula(k: usize, n: usize) {
        let root = DMatrix::from_fn(k, k, |i, j| (1.0 + i as f64 + 2.0 * j as f64).cos());
        let (mean, covariance) = (DVector::from_vec(vec![0.3, -0.2, 0.1]), &root * root.transpose());
        let points = points(k, n);
        let kernel = GaussianKernel::new(points.clone(), &mean, &covariance);
        let vector = fixed_vector(n);
        let h = |i: usize| mean.dot(&points.column(i)) + 0.5 * points.column(i).dot(&(&covariance * points.column(i)));
        let largest = (0..n).map(h).fold(f64::NEG_INFINITY, f64::max);
        let entry = |i: usize, j: usize| {
            let (x, y) = (points.column(i), points.column(j));
            x.dot(&y) * (h(i) + h(j) - 2.0 * largest).exp() * (1.0 + x.dot(&(&covariance * y)))
        };
        let expected = DMatrix::from_fn(n, n, entry) * &vector;
        approx::assert_relative_eq!(kernel.product(&vector), expected, epsilon = 1e-13);
    }

    fn engine(net: &ExpNetwork<f64>, points: &DMatrix<f64>) -> Engine<f64> {
        let mut engine = Engine::direct(net.weights(), net.output_weights(), points, Memory::Auto).unwrap();
        engine.forward().unwrap();
        engine
    }

    #[test]
    fn normal_weights_take_half_of_the_products_of_a_fixed_start() {
        let (mut guessed, mut fixed) = (0, 0);
        for (n, d, m) in [(40, 3, 2000), (60, 8, 4096), (200, 5, 3000), (30, 20, 2000)] {
            let net = Initializer::new(d, m).seed(5).build::<f64>().unwrap();
            let mut engine = engine(&net, &points(d, n));
            let gram = engine.tangent_gram().unwrap();
            let exact = SymmetricEigen::new(gram.clone()).eigenvalues.max();
            let before = engine.passes().all;
            let found = largest_kernel_eigenvalue(&mut engine).unwrap();
            guessed += engine.passes().all - before;
            assert!(
                found >= exact && found <= 1.02 * exact,
                "({n}, {d}, {m}): {found} {exact}"
            );
            leading(fixed_vector(n), TOLERANCE, |v| {
                fixed += 1;
                Ok(&gram * v)
            })
            .unwrap();
        }
        assert!(2 * guessed <= fixed, "{guessed} products, {fixed} from a fixed start");
    }

    #[test]
    fn weights_without_any_spread_are_handled() {
        let net = ExpNetwork::from_parts(DMatrix::zeros(3, 8), DVector::from_element(8, 1.0)).unwrap();
        let points = points(3, 20);
        let exact = 8.0 * SymmetricEigen::new(points.tr_mul(&points)).eigenvalues.max();
        let found = largest_kernel_eigenvalue(&mut engine(&net, &points)).unwrap();
        assert!(
            found >= exact * (1.0 - 1e-12) && found <= 1.02 * exact,
            "{found} {exact}"
        );
        let nothing = DMatrix::zeros(3, 4);
        assert_eq!(largest_kernel_eigenvalue(&mut engine(&net, &nothing)).unwrap(), 0.0);
    }
}
