//! Theorem G at the step size that suits it best.

use super::descent::Descent;
use super::drift::Drift;
use super::operators::Operators;
use super::report::{Attempt, Inequality, Promise, Theorem};
use super::start::Start;
use super::whitened::Whitened;
use crate::error::Error;

/// Step sizes that are tried where they are free, times 1/lam_n, largest first.
const SIZES: [f64; 4] = [1.9, 1.5, 1.0, 0.5];

/// The step size at which G is tried where any will do.
const USUAL: f64 = 1.0;

/// rho = 1 - x gap: the share that is easiest to prove, and faster ones.
const EASIEST: f64 = 0.1;
const FASTER: [f64; 4] = [0.9, 0.7, 0.5, 0.3];

/// Which step sizes to look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sizes {
    /// The one that proves the fastest convergence.
    Best,
    /// The usual one only: enough to know whether a start is certified.
    Usual,
    /// The one of a run.
    Given(f64),
}

/// Tries theorem G in its basic form and, with operator norms, in its full form.
///
/// Errors: an eigenvalue iteration that does not converge.
pub(super) fn attempts(
    whitened: &Whitened<'_>,
    operators: Option<&Operators>,
    sizes: Sizes,
) -> Result<Vec<Attempt>, Error> {
    let unit = 1.0 / whitened.whitening.largest();
    let sizes: Vec<f64> = match sizes {
        Sizes::Best => SIZES.iter().map(|size| size * unit).collect(),
        Sizes::Usual => vec![USUAL * unit],
        Sizes::Given(size) => vec![size],
    };
    let mut attempts = vec![form(whitened, None, &sizes)?];
    if operators.is_some() {
        attempts.push(form(whitened, operators, &sizes)?);
    }
    Ok(attempts)
}

/// The fastest promise of one form.
fn form(whitened: &Whitened<'_>, operators: Option<&Operators>, sizes: &[f64]) -> Result<Attempt, Error> {
    let theorem = if operators.is_some() {
        Theorem::GFull
    } else {
        Theorem::GBasic
    };
    let at = |size: f64, share: f64| -> Result<Option<Descent<'_>>, Error> {
        match (Descent::basic(whitened, size, share), operators) {
            (Some(descent), Some(operators)) => descent.with_path(operators).map(Some),
            (descent, _) => Ok(descent),
        }
    };
    let mut best: Option<(Promise, f64)> = None;
    let mut largest = 0.0_f64;
    let mut closest = 0.0_f64;
    for &size in sizes {
        let Some(easiest) = at(size, EASIEST)? else { continue };
        let Some(mut promise) = promise(&easiest) else {
            closest = closest.max(easiest.spare());
            continue;
        };
        largest = largest.max(size);
        let mut spare = easiest.spare();
        for share in FASTER {
            let Some(descent) = at(size, share)? else { continue };
            if let Some(faster) = self::promise(&descent) {
                (promise, spare) = (faster, descent.spare());
                break;
            }
        }
        let cost = |promise: &Promise| promise.cost(whitened.start.residual_norm);
        if best.is_none_or(|(best, _)| cost(&promise) < cost(&best)) {
            best = Some((promise, spare));
        }
    }
    let residual = whitened.start.residual_norm;
    let spare = best.map_or(closest, |(_, spare)| spare);
    // Infinite only for e_0 = 0, which holds.
    let allowed = if spare.is_finite() {
        residual * spare
    } else {
        f64::INFINITY
    };
    let clock = Inequality::new(
        "||e_0|| <= the largest with y_0 + Gamma f(y) <= y",
        residual,
        allowed,
        0.0,
    );
    Ok(match best {
        Some((promise, _)) => Attempt::new(
            theorem,
            vec![clock],
            Promise {
                max_step_size: largest,
                ..promise
            },
        ),
        None => Attempt::failed(theorem, clock),
    })
}

/// Theorem H(b): whether G holds for all weights within `drift`.
///
/// Errors: an eigenvalue iteration that does not converge.
pub(super) fn holds_despite(
    whitened: &Whitened<'_>,
    operators: Option<&Operators>,
    step_size: f64,
    drift: Drift,
) -> Result<bool, Error> {
    let Some(descent) = Descent::basic(whitened, step_size, EASIEST) else {
        return Ok(false);
    };
    if descent.prove(drift.distance).is_some() {
        return Ok(true);
    }
    let Some(operators) = operators else {
        return Ok(false);
    };
    Ok(descent.with_path(operators)?.prove(drift.distance).is_some())
}

fn promise(descent: &Descent<'_>) -> Option<Promise> {
    let proved = descent.prove(0.0)?;
    Some(Promise {
        step_size: proved.step_size,
        max_step_size: proved.step_size,
        rate: (1.0 - proved.factor) * (1.0 - 1e-12),
        amplitude: proved.amplitude,
        radius: proved.radius,
        distance: proved.distance,
        kernel_share: (1.0 - proved.nu).max(0.0).powi(2),
    })
}

/// What all theorems in whitened coordinates need: that G_0 is proved to be positive definite.
pub(super) fn not_definite(start: &Start<'_>) -> Inequality {
    Inequality::new(
        "rounding of lambda_min(H_0) < lambda_min(H_0)",
        start.spectrum.slack.max(start.spectrum.estimate),
        start.spectrum.estimate * (1.0 - 1e-6),
        0.0,
    )
}
