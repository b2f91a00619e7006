//! The predicted reduction of the objective, and how the damping adapts to the actual one.

/// The objective along a step if the outputs were linear in the weights. For a step of size s along -delta, where
/// delta = J^T v + pull D and D = W - W_0:
///
/// ```text
/// Phi(s) = 1/2 ||e - s J delta||^2 + ridge / 2 ||D - s delta||^2
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Model {
    /// <e, J delta> and ||J delta||^2.
    pub along: f64,
    pub square: f64,
    /// v^T G v and <v, J D>.
    pub dual_square: f64,
    pub dual_moved: f64,
    pub pull: f64,
    pub ridge: f64,
}

impl Model {
    /// Phi(0) - Phi(s), with ||D||^2 = `movement`.
    pub fn reduction(&self, s: f64, movement: f64) -> f64 {
        let Self { pull, ridge, .. } = *self;
        let along = self.along + ridge * (self.dual_moved + pull * movement);
        let delta = self.dual_square + 2.0 * pull * self.dual_moved + pull * pull * movement;
        s * along - 0.5 * s * s * (self.square + ridge * delta)
    }
}

/// The damping mu, adapted after Nielsen: it falls smoothly with the gain ratio, by at most a factor of 10, and rises
/// faster with each consecutive rejection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Damping {
    pub mu: f64,
    /// The factor of mu at the next rejection.
    pub growth: f64,
    /// The lower bound of mu: a smaller one would be lost in the rounding of G.
    pub floor: f64,
}

/// The upper bound of mu: larger ones would overflow in products.
const MAX: f64 = 1e154;

/// The factor of mu at the first of consecutive rejections.
const GROWTH: f64 = 4.0;

impl Damping {
    /// Starts at `share` times the mean eigenvalue of G.
    pub fn new(share: f64, mean_eigenvalue: f64) -> Self {
        Self {
            mu: share * mean_eigenvalue,
            growth: GROWTH,
            floor: f64::EPSILON * mean_eigenvalue,
        }
    }

    /// The form in which a record stores it.
    pub fn to_array(self) -> [f64; 3] {
        [self.mu, self.growth, self.floor]
    }

    pub fn from_array([mu, growth, floor]: [f64; 3]) -> Self {
        Self { mu, growth, floor }
    }

    /// Adapts to an accepted step with this gain ratio.
    pub fn accepted(&mut self, gain: f64) {
        if gain.is_finite() {
            let factor = 1.0 - (2.0 * gain.min(1.0) - 1.0).powi(3);
            self.mu = (self.mu * factor.clamp(0.1, GROWTH)).max(self.floor);
        }
        self.growth = GROWTH;
    }

    /// Whether a rejection would make it larger: not if it has reached its bound, or is not a number.
    pub fn can_grow(&self) -> bool {
        self.mu < MAX && self.floor.is_finite()
    }

    /// Adapts to a rejected step.
    pub fn rejected(&mut self) {
        self.mu = (self.mu.max(self.floor) * self.growth).min(MAX);
        self.growth *= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn the_reduction_is_that_of_the_linear_model() {
        let (n, k) = (4, 7);
        let j = DMatrix::from_fn(n, k, |i, r| ((3 * i + 5 * r + 1) as f64).sin());
        let e = DVector::from_fn(n, |i, _| (i as f64).cos());
        let v = DVector::from_fn(n, |i, _| (2.0 * i as f64).sin());
        let d = DVector::from_fn(k, |r, _| 0.3 * (r as f64).cos());
        let (pull, ridge) = (0.7, 0.2);
        let delta = j.tr_mul(&v) + pull * &d;
        let model = Model {
            along: e.dot(&(&j * &delta)),
            square: (&j * &delta).norm_squared(),
            dual_square: j.tr_mul(&v).norm_squared(),
            dual_moved: v.dot(&(&j * &d)),
            pull,
            ridge,
        };
        let phi =
            |s: f64| 0.5 * (&e - s * (&j * &delta)).norm_squared() + 0.5 * ridge * (&d - s * &delta).norm_squared();
        for s in [0.0, 0.3, 1.0, 2.5] {
            let exact = phi(0.0) - phi(s);
            assert!((model.reduction(s, d.norm_squared()) - exact).abs() < 1e-12, "{s}");
        }
    }

    #[test]
    fn damping_falls_with_success_and_rises_ever_faster_with_rejections() {
        let mut damping = Damping::new(1e-2, 100.0);
        assert_eq!(damping.mu, 1.0);
        damping.accepted(1.0);
        assert!((damping.mu - 0.1).abs() < 1e-15);
        damping.accepted(0.5);
        assert!((damping.mu - 0.1).abs() < 1e-15);
        damping.accepted(0.1);
        assert!(damping.mu > 0.1);
        let mut last = damping.mu;
        let mut factors = Vec::new();
        for _ in 0..3 {
            damping.rejected();
            factors.push(damping.mu / last);
            last = damping.mu;
        }
        assert!(
            factors.iter().zip([4.0, 8.0, 16.0]).all(|(a, b)| (a - b).abs() < 1e-12),
            "{factors:?}"
        );
        for _ in 0..400 {
            damping.rejected();
        }
        assert!(damping.mu.is_finite());
        for _ in 0..400 {
            damping.accepted(1.0);
        }
        assert!(damping.mu >= f64::EPSILON * 100.0);
    }

    #[test]
    fn damping_grows_up_to_its_bound() {
        let mut damping = Damping::new(1e-2, 100.0);
        assert!(damping.can_grow());
        for _ in 0..400 {
            damping.rejected();
        }
        assert!(damping.mu == MAX && !damping.can_grow());
        assert!(!Damping::new(1e-2, f64::INFINITY).can_grow());
    }
}
