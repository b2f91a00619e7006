//! The linear decay (I - eta Lambda)^t: sums over all steps t, from few of them.
//!
//! ```text
//! y0  = sum_{t>=0} rho^-t eta ||Lambda (I - eta Lambda)^t phi_0||
//! Gam >= sup_{||f||=1} rho^-1 sum_{t>=0} rho^-t eta ||Lambda (I - eta Lambda)^t f||
//! ```

use crate::certificate::whitened::{Signal, UP};
use crate::linalg::{UNIT, Whitening};
use nalgebra::{DMatrix, DVector};

/// Rounds of the search for the worst f.
const ROUNDS: usize = 41;

/// Steps T_j, with weights w_j such that sum_{t>=0} h(t) <= sum_j w_j h(T_j) for every h = (sum_k c_k mu_k^2t)^(1/2),
/// c_k >= 0: such an h is log-convex, hence below its chords, and its tail is below a geometric series.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    pub steps: Vec<f64>,
    pub weights: Vec<f64>,
}

impl Nodes {
    /// One node per step up to 64, then at intervals of a 32nd.
    pub fn sparse(largest: f64) -> Self {
        Self::with_stride(largest, |step| if step < 64.0 { 1.0 } else { (step / 32.0).floor() })
    }

    fn with_stride(largest: f64, stride: impl Fn(f64) -> f64) -> Self {
        let (mut steps, mut weights) = (vec![0.0], vec![1.0]);
        let rest = 1e-16 * (1.0 - largest);
        let mut step = 0.0;
        while largest.powf(step) >= rest {
            let length = stride(step);
            let last = weights.len() - 1;
            weights[last] += (length - 1.0) / 2.0;
            step += length;
            steps.push(step);
            weights.push(1.0 + (length - 1.0) / 2.0);
        }
        let last = weights.len() - 1;
        weights[last] += 1.0 / (1.0 - largest);
        Self { steps, weights }
    }

    /// sum_j w_j h(T_j), for the values of h at the nodes.
    fn sum(&self, values: &DVector<f64>) -> f64 {
        values
            .iter()
            .zip(&self.weights)
            .map(|(value, weight)| value * weight)
            .sum()
    }

    /// Every step, for tests.
    #[cfg(test)]
    pub fn every(largest: f64) -> Self {
        Self::with_stride(largest, |_| 1.0)
    }
}

/// The decay of one step size eta at one rate 1 - rho.
#[derive(Clone, Debug)]
pub(super) struct Decay {
    pub step_size: f64,
    pub rho: f64,
    /// 1 - max_k |1 - eta lam_k|.
    pub gap: f64,
    /// th = max(1, eta lam_n).
    pub overshoot: f64,
    pub nodes: Nodes,
    /// Gam.
    pub gain: f64,
    /// eta lam_k mu_k^T_j, squared: nodes x n.
    squares: DMatrix<f64>,
}

impl Decay {
    /// rho = 1 - `share` gap. `None` if eta is not below 2 / lam_n, or the gap is lost in rounding.
    pub fn new(whitening: &Whitening, step_size: f64, share: f64) -> Option<Self> {
        Self::with_nodes(whitening, step_size, share, Nodes::sparse)
    }

    pub fn with_nodes(whitening: &Whitening, step_size: f64, share: f64, nodes: impl Fn(f64) -> Nodes) -> Option<Self> {
        let exponents = whitening.eigenvalues.map(|eigenvalue| step_size * eigenvalue);
        let gap = exponents
            .iter()
            .map(|z| 1.0 - (1.0 - z).abs())
            .fold(f64::INFINITY, f64::min);
        let rho = 1.0 - share * gap;
        let factors = exponents.map(|z| ((1.0 - z).abs() + 4.0 * UNIT) / rho * (1.0 + 4.0 * UNIT));
        let largest = factors.max();
        if !(gap > 0.0 && rho < 1.0 && largest < 1.0 && step_size > 0.0) {
            return None;
        }
        let nodes = nodes(largest);
        let squares = DMatrix::from_fn(nodes.steps.len(), factors.len(), |j, k| {
            (exponents[k] * factors[k].powf(nodes.steps[j])).powi(2)
        });
        let direct = exponents
            .zip_map(&factors, |z, mu| (z / (rho * (1.0 - mu))).powi(2))
            .sum()
            .sqrt();
        let gain = gain(direct, rho, &nodes, &squares);
        Some(Self {
            step_size,
            rho,
            gap,
            overshoot: exponents.max().max(1.0) * UP,
            nodes,
            gain: gain * UP,
            squares,
        })
    }

    /// y0, with the error of the computed phi.
    pub fn path_length(&self, signal: &Signal) -> f64 {
        let sum = self
            .nodes
            .sum(&lengths(&self.squares, &signal.phi.map(|phi| phi * phi)));
        (sum * UP + self.rho * self.gain * signal.distance(self.gap)) * UP
    }
}

/// ||eta Lambda mu^T_j f|| at each node, from the squares of eta Lambda mu^T_j and of f.
fn lengths(squares: &DMatrix<f64>, of_f: &DVector<f64>) -> DVector<f64> {
    (squares * of_f).map(f64::sqrt)
}

/// Gam: the path is concave and homogeneous of degree 1/2 in g = f^2, so (path + max_k S_k)/2 with its gradient S/2 bounds
/// it for every g > 0. g moves to where the path is longest. `direct` is the bound by one geometric series per eigenvector.
fn gain(direct: f64, rho: f64, nodes: &Nodes, squares: &DMatrix<f64>) -> f64 {
    let n = squares.ncols();
    let mut best = direct;
    let mut g = DVector::from_element(n, 1.0 / n as f64);
    for _ in 0..ROUNDS {
        let lengths = lengths(squares, &g);
        let weighted = |length: f64, weight: f64| if length > 0.0 { weight / length } else { 0.0 };
        let inverse = DVector::from_iterator(
            lengths.len(),
            lengths
                .iter()
                .zip(&nodes.weights)
                .map(|(&length, &weight)| weighted(length, weight)),
        );
        let path = nodes.sum(&lengths);
        let slope = squares.tr_mul(&inverse);
        best = best.min((path + slope.max()) / (2.0 * rho));
        g.component_mul_assign(&slope);
        g.apply(|g| *g = g.max(1e-30));
        let sum = g.sum();
        g /= sum;
    }
    best
}
