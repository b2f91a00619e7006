//! Theorems A, A' and A'': whether a given start converges. For statements and proofs see [`theory`](super::theory).
//!
//! All inequalities are easiest to satisfy at l = lambda_min(H_0), or as much of it as can be proved in the face of
//! rounding: m l R (A), 1/S and m l (A') grow with l. In A'', Pi falls as sqrt(l) beta rises, and d ln beta / d ln l >=
//! -c chi / 4 > -0.06 is outweighed by the 1/2 of sqrt(l). So the freedom to choose a smaller l is used for rounding
//! only. The freedom to choose a smaller R is used for the promised radius: it is the smallest R that satisfies the
//! hypothesis of A.

use super::lambert::smallest_root;
use super::report::{Attempt, Inequality, Theorem};
use super::start::Start;
use crate::error::Error;
use std::f64::consts::{E, FRAC_1_SQRT_2, LN_2};

/// c = 1 - 1/sqrt(2): the share of `sigma_min` that the Jacobian may lose, since (1 - c)^2 = 1/2.
pub(super) const C: f64 = 1.0 - FRAC_1_SQRT_2;

/// tau = ln 2 / (2 c), the integral of 1 / (1 - c x) over [0, 1].
pub(super) const TAU: f64 = LN_2 / (2.0 * C);

/// `Lam_R` = (sqrt(lambda_max) + c sqrt(l))^2, a bound on lambda_max(H) throughout the run.
pub(super) fn largest_eigenvalue(lambda_max: f64, l: f64) -> f64 {
    (lambda_max.sqrt() + C * l.sqrt()).powi(2)
}

/// Tries the three theorems on a start whose lambda_min(H_0) is proved to be positive.
pub(super) fn attempts(start: &Start<'_>) -> Result<[Attempt; 3], Error> {
    let rho = start.rho();
    Ok([
        theorem_a(start),
        theorem_a_prime(start, &rho),
        theorem_a_double_prime(start, &rho)?,
    ])
}

/// ||X|| E_0 exp(kappa R) ||e_0|| <= 0.5 m l R, R = ln(1 + c sqrt(l / T_0)) / kappa.
fn theorem_a(start: &Start<'_>) -> Attempt {
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
    Attempt::new(Theorem::A, vec![inequality], radius)
}

/// u_r = kappa rho_r S exp(u_r), and the resulting change of J.
fn theorem_a_prime(start: &Start<'_>, rho: &[f64]) -> Attempt {
    let ml = start.width() * start.spectrum.lambda_min;
    let drift = |rho: f64| start.kappa * rho * start.residual_norm / (0.5 * ml);
    let largest = rho.iter().copied().map(drift).fold(0.0, f64::max);
    let bounded = Inequality::new("kappa rho_r S <= 1/e for every r", largest, 1.0 / E, start.guard);
    let Some(movements) = rho
        .iter()
        .map(|&rho| smallest_root(drift(rho)))
        .collect::<Option<Vec<_>>>()
    else {
        return Attempt::new(Theorem::APrime, vec![bounded], 0.0);
    };
    let growth = |u: &f64| u.exp_m1().powi(2);
    let first = (start.weighted_trace(movements.iter().map(growth)) / ml).sqrt();
    let second = (start.weighted_trace(movements.iter().map(|u| growth(u) * (2.0 * u).exp())) / ml).sqrt();
    let inequalities = vec![
        bounded,
        Inequality::new("Q1 <= c", first, C, start.guard),
        Inequality::new("Q2 <= c (1 + c)", second, C * (1.0 + C), start.guard),
    ];
    let radius = movements.iter().copied().fold(0.0, f64::max) / start.kappa;
    Attempt::new(Theorem::APrime, inequalities, radius)
}

/// y_r from each neuron's share of the kernel, its leverage.
fn theorem_a_double_prime(start: &Start<'_>, rho: &[f64]) -> Result<Attempt, Error> {
    let l = start.spectrum.lambda_min;
    let ml = start.width() * l;
    let chi = (l / largest_eigenvalue(start.spectrum.lambda_max, l)).sqrt();
    let beta = (1.0 - C / 2.0) / (1.0 + C * chi / 2.0);
    let drift = start.kappa * start.residual_norm / (beta * ml.sqrt());
    let leverages = start.leverages()?;

    let mut largest = 0.0_f64;
    let (mut first, mut second) = (Vec::with_capacity(rho.len()), Vec::with_capacity(rho.len()));
    for (r, rho) in rho.iter().enumerate() {
        let b = rho / ml.sqrt();
        let ell = leverages.as_ref().map_or(b, |leverages| leverages[r].sqrt().min(b));
        let (a, b) = (drift * ell, drift * b);
        let excess = b - a;
        let reach = a * if excess > 0.0 {
            (excess * TAU).exp_m1() / excess
        } else {
            TAU
        };
        largest = largest.max(reach);
        let y = reach / (1.0 - reach);
        first.push(y);
        second.push((1.0 + y) * (a + b * y) / (1.0 - C));
    }
    // Fails also if a reach is infinite and its y NaN.
    let bounded = Inequality::new("A_r g_r < 1 for every r", largest, 1.0 - f64::EPSILON, start.guard);
    if !bounded.holds() {
        return Ok(Attempt::new(Theorem::ADoublePrime, vec![bounded], 0.0));
    }
    let radius = first.iter().copied().fold(0.0, f64::max).ln_1p() / start.kappa;
    let [first, second] = start.weighted_norms([&first, &second]).map(|norm| (norm / ml).sqrt());
    let inequalities = vec![
        bounded,
        Inequality::new("Q1 <= c", first, C, start.guard),
        Inequality::new("Q2 <= 2 c", second, 2.0 * C, start.guard),
    ];
    Ok(Attempt::new(Theorem::ADoublePrime, inequalities, radius))
}
