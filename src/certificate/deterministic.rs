//! Theorems A, A', A'' and A''(gamma, theta): whether a given start converges. For statements and proofs see
//! [`theory`](super::theory).
//!
//! All inequalities are easiest to satisfy at l = lambda_min(H_0), or as much of it as can be proved in the face of
//! rounding: m l R (A), 1/S and m l (A') grow with l. In A'', Pi falls as sqrt(l) beta rises, and d ln beta / d ln l >=
//! -c chi / 4 > -0.06 is outweighed by the 1/2 of sqrt(l). So the freedom to choose a smaller l is used for rounding
//! only. The freedom to choose a smaller R is used for the promised radius: it is the smallest R that satisfies the
//! hypothesis of A.

use super::attempt::{Attempt, Inequality, Promise, Theorem};
use super::lambert::smallest_root;
use super::start::Start;
use crate::error::Error;
use std::f64::consts::{E, FRAC_1_SQRT_2, LN_2};

/// c = 1 - 1/sqrt(2): the share of `sigma_min` that the Jacobian may lose, since (1 - c)^2 = 1/2.
pub(super) const C: f64 = 1.0 - FRAC_1_SQRT_2;

/// tau = ln 2 / (2 c), the integral of 1 / (1 - c x) over [0, 1].
pub(super) const TAU: f64 = LN_2 / (2.0 * C);

/// `Lam_R` = (sqrt(lambda_max) + c sqrt(l))^2, a bound on lambda_max(H) throughout the run.
pub(super) fn largest_eigenvalue(lambda_max: f64, l: f64) -> f64 {
    largest_within(C, lambda_max, l)
}

/// The same for Jacobians within gamma sqrt(m l) of the start.
fn largest_within(ball: f64, lambda_max: f64, l: f64) -> f64 {
    (lambda_max.sqrt() + ball * l.sqrt()).powi(2)
}

/// The balls gamma that A''(gamma, theta) is tried with.
const BALLS: [f64; 3] = [0.15, 0.3, 0.5];

/// The step sizes, theta / (m Lam), that it is tried with where the step size is free.
const THETAS: [f64; 2] = [1.0, 1.5];

/// Tries the theorems on a start whose lambda_min(H_0) is proved to be positive, at `step_size` or, without one, at the
/// largest that they allow.
pub(super) fn attempts(start: &Start<'_>, step_size: Option<f64>) -> Result<Vec<Attempt>, Error> {
    let rho = start.rho();
    let leverages = start.leverages()?;
    let shares = Shares {
        rho: &rho,
        leverages: leverages.as_deref(),
    };
    let half = Half::new(start, step_size);
    Ok(vec![
        half.attempt(Theorem::A, theorem_a(start)),
        half.attempt(Theorem::APrime, theorem_a_prime(start, &rho)),
        half.attempt(Theorem::ADoublePrime, theorem_a_double_prime(start, &shares)),
        theorem_in_a_ball(start, &shares, step_size),
    ])
}

/// The inequalities of a theorem, and the radius if they hold.
type Found = (Vec<Inequality>, f64);

/// What A, A' and A'' promise: any step size up to 1/(m `Lam_R`), rate 0.5 eta m l, half of the kernel.
struct Half {
    promise: Promise,
    /// sqrt(m): no neuron moves farther than the radius.
    root_width: f64,
    /// Whether the step size asked for is small enough.
    allowed: Option<Inequality>,
}

impl Half {
    fn new(start: &Start<'_>, step_size: Option<f64>) -> Self {
        let l = start.spectrum.lambda_min;
        let largest = largest_eigenvalue(start.spectrum.lambda_max, l) * (1.0 + start.guard);
        let max_step_size = 1.0 / (start.width() * largest);
        let eta = step_size.unwrap_or(max_step_size);
        Self {
            promise: Promise {
                step_size: eta,
                max_step_size,
                rate: 0.5 * l / largest * (eta / max_step_size),
                amplitude: start.residual_norm,
                radius: 0.0,
                distance: 0.0,
                kernel_share: 0.5,
            },
            root_width: start.width().sqrt(),
            allowed: step_size.map(|eta| Inequality::new("eta <= 1/(m Lam_R)", eta, max_step_size, 0.0)),
        }
    }

    fn attempt(&self, theorem: Theorem, (mut inequalities, radius): Found) -> Attempt {
        inequalities.extend(self.allowed.clone());
        Attempt::new(
            theorem,
            inequalities,
            Promise {
                radius,
                distance: radius * self.root_width,
                ..self.promise
            },
        )
    }
}

/// ||X|| E_0 exp(kappa R) ||e_0|| <= 0.5 m l R, R = ln(1 + c sqrt(l / T_0)) / kappa.
fn theorem_a(start: &Start<'_>) -> Found {
    let l = start.spectrum.lambda_min;
    let q = C * (l / start.trace).sqrt();
    // Times kappa: the largest radius, and the movement over the whole run if activations did not grow.
    let largest = q.ln_1p();
    let activation = start.largest_activation();
    let drift = start.kappa * start.points_norm * activation * start.residual_norm / (0.5 * start.width() * l);
    let radius = smallest_root(drift).map_or(0.0, |u| u.min(largest) / start.kappa);
    let inequality = Inequality::new(
        "||X|| E_0 exp(kappa R) ||e_0|| <= 0.5 m l R",
        drift * (1.0 + q),
        largest,
        start.guard,
    );
    (vec![inequality], radius)
}

/// u_r = kappa rho_r S exp(u_r), and the resulting change of J.
fn theorem_a_prime(start: &Start<'_>, rho: &[f64]) -> Found {
    let ml = start.width() * start.spectrum.lambda_min;
    let drift = |rho: f64| start.kappa * rho * start.residual_norm / (0.5 * ml);
    let largest = rho.iter().copied().map(drift).fold(0.0, f64::max);
    let bounded = Inequality::new("kappa rho_r S <= 1/e for every r", largest, 1.0 / E, start.guard);
    let Some(movements) = rho
        .iter()
        .map(|&rho| smallest_root(drift(rho)))
        .collect::<Option<Vec<_>>>()
    else {
        return (vec![bounded], 0.0);
    };
    let growth = |u: &f64| u.exp_m1().powi(2);
    let first = (start.weighted_trace(movements.iter().map(growth)) / ml).sqrt();
    let second = (start.weighted_trace(movements.iter().map(|u| growth(u) * (2.0 * u).exp())) / ml).sqrt();
    let inequalities = vec![
        bounded,
        Inequality::new("Q1 <= c", first, C, start.guard),
        Inequality::new("Q2 <= c (1 + c)", second, C * (1.0 + C), start.guard),
    ];
    (
        inequalities,
        movements.iter().copied().fold(0.0, f64::max) / start.kappa,
    )
}

/// What bounds the gradient of each neuron: `rho_r`, and its leverage, unless the kernel is too close to singular.
struct Shares<'a> {
    rho: &'a [f64],
    leverages: Option<&'a [f64]>,
}

/// y_r from each neuron's share of the kernel, its leverage.
fn theorem_a_double_prime(start: &Start<'_>, shares: &Shares<'_>) -> Found {
    let l = start.spectrum.lambda_min;
    let chi = (l / largest_eigenvalue(start.spectrum.lambda_max, l)).sqrt();
    let beta = (1.0 - C / 2.0) / (1.0 + C * chi / 2.0);
    let movement = Movement::new(start, shares, C, TAU, beta);
    // Fails also if a reach is infinite and its y NaN.
    let bounded = Inequality::new(
        "A_r g_r < 1 for every r",
        movement.reach,
        1.0 - f64::EPSILON,
        start.guard,
    );
    if !bounded.holds() {
        return (vec![bounded], 0.0);
    }
    let [first, second] = movement.norms(start);
    let inequalities = vec![
        bounded,
        Inequality::new("Q1 <= c", first, C, start.guard),
        Inequality::new("Q2 <= 2 c", second, 2.0 * C, start.guard),
    ];
    (inequalities, movement.radius(start))
}

/// How far each neuron can move: y_r and y'_r, and the largest A_r g_r.
struct Movement {
    first: Vec<f64>,
    second: Vec<f64>,
    reach: f64,
}

impl Movement {
    fn new(start: &Start<'_>, shares: &Shares<'_>, ball: f64, tau: f64, beta: f64) -> Self {
        let ml = start.width() * start.spectrum.lambda_min;
        let drift = start.kappa * start.residual_norm / (beta * ml.sqrt());
        let mut movement = Self {
            first: Vec::with_capacity(shares.rho.len()),
            second: Vec::with_capacity(shares.rho.len()),
            reach: 0.0,
        };
        for (r, rho) in shares.rho.iter().enumerate() {
            let b = rho / ml.sqrt();
            let ell = shares.leverages.map_or(b, |leverages| leverages[r].sqrt().min(b));
            let (a, b) = (drift * ell, drift * b);
            let excess = b - a;
            let growth = if excess > 0.0 {
                (excess * tau).exp_m1() / excess
            } else {
                tau
            };
            let reach = a * growth;
            movement.reach = movement.reach.max(reach);
            let y = reach / (1.0 - reach);
            movement.first.push(y);
            movement.second.push((1.0 + y) * (a + b * y) / (1.0 - ball));
        }
        movement
    }

    /// Q1 and Q2. Costs 4 n^2 m flops.
    fn norms(&self, start: &Start<'_>) -> [f64; 2] {
        let ml = start.width() * start.spectrum.lambda_min;
        start
            .weighted_norms([&self.first, &self.second])
            .map(|norm| (norm / ml).sqrt())
    }

    fn radius(&self, start: &Start<'_>) -> f64 {
        self.first.iter().copied().fold(0.0, f64::max).ln_1p() / start.kappa
    }
}

/// A''(gamma, theta) at the best of some gamma and theta: the fastest that holds or, if none does, the closest.
fn theorem_in_a_ball(start: &Start<'_>, shares: &Shares<'_>, step_size: Option<f64>) -> Attempt {
    let spectrum = &start.spectrum;
    let mut tried = Vec::new();
    for ball in BALLS {
        let m_largest = start.width() * largest_within(ball, spectrum.lambda_max, spectrum.lambda_min);
        let m_largest = m_largest * (1.0 + start.guard);
        match step_size {
            Some(eta) => {
                let ball = Ball::new(start, ball, eta * m_largest);
                // Not theta over the divisor again, which may round to another number.
                tried.push(Ball { step_size: eta, ..ball }.attempt(start, shares));
            }
            None => tried.extend(THETAS.map(|theta| Ball::new(start, ball, theta).attempt(start, shares))),
        }
    }
    let largest = |attempt: &Attempt| attempt.promise().map_or(0.0, |promise| promise.step_size);
    let max_step_size = tried.iter().map(largest).fold(0.0, f64::max);
    let rate = |attempt: &Attempt| attempt.promise().map_or(0.0, |promise| promise.rate);
    let factor = |attempt: &Attempt| attempt.tightest().factor();
    let better = |one: &Attempt, other: &Attempt| {
        rate(one)
            .total_cmp(&rate(other))
            .then(factor(other).total_cmp(&factor(one)))
    };
    let mut best = tried.remove(0);
    for attempt in tried {
        if better(&attempt, &best).is_gt() {
            best = attempt;
        }
    }
    best.allow(max_step_size);
    best
}

/// Theorem A''(gamma, theta): A'' with Jacobians within gamma sqrt(m l) of the start, and eta = theta/(m Lam).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ball {
    gamma: f64,
    theta: f64,
    step_size: f64,
    pub chi: f64,
    pub beta: f64,
}

impl Ball {
    pub fn new(start: &Start<'_>, gamma: f64, theta: f64) -> Self {
        let l = start.spectrum.lambda_min;
        let largest = largest_within(gamma, start.spectrum.lambda_max, l) * (1.0 + start.guard);
        let chi = (l / largest).sqrt();
        let w = overshoot_share(theta, chi);
        Self {
            gamma,
            theta,
            step_size: theta / (start.width() * largest),
            chi,
            beta: w * (1.0 - gamma / 2.0) / (1.0 + gamma * theta * chi / 2.0),
        }
    }

    fn attempt(&self, start: &Start<'_>, shares: &Shares<'_>) -> Attempt {
        let Self { gamma, theta, chi, .. } = *self;
        let stable = Inequality::new("theta < 2", theta, 2.0 - 1e-12, start.guard);
        let convex = Inequality::new(
            "theta chi (1 - gamma) <= 1",
            theta * chi * (1.0 - gamma),
            1.0,
            start.guard,
        );
        let rate = 1.0 - self.factor();
        let contracts = Inequality::new("the factor per step < 1", 1.0 - rate, 1.0 - f64::EPSILON, 1e-14);
        let mut inequalities = vec![stable, convex, contracts];
        let mut radius = 0.0;
        if inequalities.iter().all(Inequality::holds) {
            let tau = -(-gamma).ln_1p() / gamma;
            let movement = Movement::new(start, shares, gamma, tau, self.beta);
            inequalities.push(Inequality::new(
                "A_r g_r < 1 for every r",
                movement.reach,
                1.0 - f64::EPSILON,
                start.guard,
            ));
            if movement.reach < 1.0 {
                let [first, second] = movement.norms(start);
                inequalities.push(Inequality::new("Q1 <= gamma", first, gamma, start.guard));
                inequalities.push(Inequality::new("Q2 <= 2 gamma", second, 2.0 * gamma, start.guard));
                radius = movement.radius(start);
            }
        }
        let promise = Promise {
            step_size: self.step_size,
            max_step_size: self.step_size,
            rate: rate * (1.0 - 1e-12),
            amplitude: start.residual_norm,
            radius,
            distance: radius * start.width().sqrt(),
            kernel_share: (1.0 - gamma).powi(2),
        };
        Attempt::new(Theorem::Ball, inequalities, promise)
    }

    /// The attempt with `rho_r` = ||X^T D_r||, as in the reference values.
    #[cfg(test)]
    pub fn try_exactly(&self, start: &Start<'_>) -> Attempt {
        let mut rho = Vec::new();
        start.neurons.for_each_block(&mut |_, block| {
            for column in block.column_iter() {
                let mut scaled = start.points.clone();
                for (mut x, e) in scaled.column_iter_mut().zip(&column) {
                    x *= *e;
                }
                rho.push(scaled.singular_values().max());
            }
        });
        let leverages = start.leverages().unwrap();
        self.attempt(
            start,
            &Shares {
                rho: &rho,
                leverages: leverages.as_deref(),
            },
        )
    }

    /// The largest ||e_{t+1}||/||e_t||, over x in [0, 1]:
    /// max(1 - eta m l (1 - gamma x)^2, theta - 1 if theta > 1) + eta m l gamma beta theta (1 - x).
    pub fn factor(&self) -> f64 {
        let Self {
            gamma,
            theta,
            beta,
            chi,
            ..
        } = *self;
        let share = theta * chi * chi;
        let floor = if theta > 1.0 { theta - 1.0 } else { f64::NEG_INFINITY };
        let at = |x: f64| {
            let contraction = 1.0 - share * (1.0 - gamma * x).powi(2);
            contraction.max(floor) + share * gamma * beta * theta * (1.0 - x)
        };
        let middle = ((1.0 - beta * theta / 2.0) / gamma).clamp(0.0, 1.0);
        at(0.0).max(at(1.0)).max(at(middle))
    }
}

/// w: ||(I - eta G) e|| <= ||e|| - w eta s ||J^T e||.
fn overshoot_share(theta: f64, chi: f64) -> f64 {
    if theta <= 1.0 {
        return 1.0;
    }
    let plain = 1.0 - theta / 2.0;
    let radicand = 2.0 - theta - theta * chi * chi;
    if radicand <= 0.0 {
        // The other form of w is false here, even where its own radicand is positive.
        return plain;
    }
    plain.max((theta * radicand / (1.0 - (theta * chi).powi(2))).sqrt())
}
