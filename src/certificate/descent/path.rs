//! Suprema over the path of linear theory, cbar_t = (I - (I - eta Lambda)^t) phi_0, for the full form of theorem G.
//!
//! ```text
//! dl_r >= ||U_r^T cbar_t||    Q1 >= ||N'(W_0)[U^T cbar_t]||    B1 >= ||B(cbar_t, .)||        for all t
//! ```
//!
//! Each step up to the first gap between nodes is looked at by itself; later steps lie in boxes, whose centres are looked
//! at and whose half-widths h count with `ell_r` ||h||, L1 ||h|| and b2 ||h||.

use super::decay::Decay;
use crate::certificate::operators::{Operators, largest_eigenvalue};
use crate::certificate::whitened::{Signal, UP, Whitened, h2};
use crate::error::Error;
use nalgebra::DVector;

/// Suprema over all steps of the linear path, for e_0 as it is.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// dl_r, by distinct neuron.
    pub movements: Vec<f64>,
    /// Q1.
    pub first_order: f64,
    /// B1.
    pub curvature: f64,
}

impl Path {
    /// Costs n^2 m + n^3 per node.
    ///
    /// Errors: an eigenvalue iteration that does not converge.
    pub fn new(whitened: &Whitened<'_>, operators: &Operators, decay: &Decay, signal: &Signal) -> Result<Self, Error> {
        let mut path = Self {
            movements: vec![0.0; operators.ell.len()],
            first_order: 0.0,
            curvature: 0.0,
        };
        let steps = &decay.nodes.steps;
        let whole = |t: f64| position(whitened, decay, signal, t);
        for pair in steps.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            if to - from <= 1.0 {
                path.visit(whitened, operators, &whole(to), 0.0)?;
            } else {
                let (centre, half) = boxed(whitened, decay, signal, from, Some(to));
                path.visit(whitened, operators, &centre, half)?;
            }
        }
        let last = steps.last().copied().unwrap_or(0.0);
        let (centre, half) = boxed(whitened, decay, signal, last, None);
        path.visit(whitened, operators, &centre, half)?;
        path.count_rounding(whitened, operators, decay, signal);
        Ok(path)
    }

    /// Takes in all c within `half` of `centre`.
    fn visit(
        &mut self,
        whitened: &Whitened<'_>,
        operators: &Operators,
        centre: &DVector<f64>,
        half: f64,
    ) -> Result<(), Error> {
        let start = whitened.start;
        let matrix = &whitened.whitening.matrix;
        // Column r of the gradients is sgn(a_r) U_r^T c.
        let dual = matrix.tr_mul(centre);
        let mut weighted = operators.activations.clone();
        for mut column in weighted.column_iter_mut() {
            column.component_mul_assign(&dual);
        }
        let gradients = start.points * weighted;
        for ((movement, gradient), ell) in self
            .movements
            .iter_mut()
            .zip(gradients.column_iter())
            .zip(&operators.ell)
        {
            *movement = movement.max(gradient.norm() + ell * half);
        }
        let along = start.points.tr_mul(&gradients).component_mul(&operators.activations);
        let squares = &along * along.transpose() * start.neurons.copies() as f64;
        let kernel = matrix * start.products.component_mul(&squares) * matrix.transpose();
        // Formed as a square, it has the errors of a square.
        let sized = start
            .norms
            .zip_map(&squares.diagonal(), |norm, square| norm * square.sqrt());
        let rounding = 1.01 * operators.relative * (matrix.abs() * sized).norm_squared();
        let known = (self.first_order - operators.l1 * half).max(0.0);
        // The Frobenius norm bounds the eigenvalue, and is cheaper.
        let is_smaller = kernel.norm() + rounding <= known * known;
        if !is_smaller {
            let norm = (largest_eigenvalue(&kernel)? + rounding).sqrt();
            self.first_order = self.first_order.max(norm + operators.l1 * half);
        }
        if let Some(tensor) = &operators.tensor {
            let norm = tensor.norm_along(centre)?;
            self.curvature = self.curvature.max(norm + operators.curvature * half);
        }
        Ok(())
    }

    fn count_rounding(&mut self, whitened: &Whitened<'_>, operators: &Operators, decay: &Decay, signal: &Signal) {
        let (stretch, computed) = (whitened.whitening.stretch(), signal.computed());
        let (reach, distance) = (decay.overshoot * computed, decay.overshoot * signal.distance(decay.gap));
        for ((movement, da), ell) in self.movements.iter_mut().zip(&operators.errors).zip(&operators.ell) {
            *movement = (*movement + da * reach + 2.2 * ell * distance) * UP;
        }
        let error = operators.first_order_error(whitened);
        self.first_order = (stretch * (self.first_order + reach * error) + 2.2 * operators.l1 * distance) * UP;
        if let Some(tensor) = &operators.tensor {
            let curvature = self.curvature + reach * tensor.error;
            self.curvature = (stretch.powi(2) * curvature + 2.2 * operators.l1 * distance) * UP;
        }
    }

    /// The suprema for `factor` e_0.
    pub fn times(&self, factor: f64) -> Self {
        Self {
            movements: self.movements.iter().map(|movement| movement * factor).collect(),
            first_order: self.first_order * factor,
            curvature: self.curvature * factor,
        }
    }
}

/// Sums over neurons that the march needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathGrowth {
    /// Q1, Q2, K1, K1', K2 and B1.
    pub q1: f64,
    pub q2: f64,
    pub k1: f64,
    pub k1_rest: f64,
    pub k2: f64,
    pub b1: f64,
    /// b2.
    pub b2: f64,
}

impl PathGrowth {
    pub fn new(path: &Path, whitened: &Whitened<'_>, operators: &Operators) -> Self {
        let kappa = whitened.growth.kappa;
        let (mut q2, mut k1, mut k1_rest, mut k2) = (0.0, 0.0_f64, 0.0_f64, 0.0_f64);
        for ((movement, lip), plus) in path.movements.iter().zip(&operators.lip).zip(&whitened.lip_plus) {
            let z = kappa * movement;
            q2 += (plus * h2(z) / kappa).powi(2);
            k1 = k1.max(lip + plus * z.exp_m1());
            k1_rest = k1_rest.max(plus * z.exp_m1());
            k2 = k2.max(plus * z.exp());
        }
        Self {
            q1: path.first_order,
            q2: (q2 * whitened.start.neurons.copies() as f64).sqrt() * UP,
            k1: k1 * UP,
            k1_rest: k1_rest * UP,
            k2: k2 * UP,
            b1: path.curvature,
            b2: operators.curvature,
        }
    }
}

/// cbar_t.
fn position(whitened: &Whitened<'_>, decay: &Decay, signal: &Signal, t: f64) -> DVector<f64> {
    signal.phi.zip_map(&whitened.whitening.eigenvalues, |phi, eigenvalue| {
        let factor = 1.0 - decay.step_size * eigenvalue;
        let sign = if factor < 0.0 && t % 2.0 == 1.0 { -1.0 } else { 1.0 };
        (1.0 - sign * factor.abs().powf(t)) * phi
    })
}

/// The centre and the half-diagonal of a box around all cbar_t with `from` <= t <= `to`; `None` is infinity.
fn boxed(whitened: &Whitened<'_>, decay: &Decay, signal: &Signal, from: f64, to: Option<f64>) -> (DVector<f64>, f64) {
    let mut half = 0.0;
    let centre = signal.phi.zip_map(&whitened.whitening.eigenvalues, |phi, eigenvalue| {
        let factor = 1.0 - decay.step_size * eigenvalue;
        let first = factor.abs().powf(from);
        let (centre, width) = if factor < 0.0 {
            (1.0, first)
        } else {
            let last = to.map_or(0.0, |to| factor.powf(to));
            (1.0 - f64::midpoint(first, last), (first - last) / 2.0)
        };
        half += (width * phi).powi(2);
        centre * phi
    });
    (centre, half.sqrt() * UP)
}
