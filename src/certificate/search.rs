//! Theorem G at the step size that suits it best.

use super::attempt::{Attempt, Inequality, Promise, Theorem};
use super::descent::Descent;
use super::drift::Drift;
use super::operators::Operators;
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
    let tried: Vec<f64> = match sizes {
        Sizes::Best => SIZES.iter().map(|size| size * unit).collect(),
        Sizes::Usual => vec![USUAL * unit],
        Sizes::Given(size) => vec![size],
    };
    let shares: &[f64] = if matches!(sizes, Sizes::Usual) { &[] } else { &FASTER };
    let form = |operators| Form {
        whitened,
        operators,
        shares,
    };
    let mut attempts = vec![form(None).attempt(&tried)?];
    if operators.is_some() {
        attempts.push(form(operators).attempt(&tried)?);
    }
    Ok(attempts)
}

/// One form of theorem G, and the shares of the gap that are tried beyond the easiest.
#[derive(Clone, Copy)]
struct Form<'a> {
    whitened: &'a Whitened<'a>,
    /// For the full form.
    operators: Option<&'a Operators>,
    shares: &'a [f64],
}

/// What one step size comes to.
enum Found {
    /// It is not below 2/lam_n.
    TooLarge,
    /// The theorem holds if e_0 is scaled by this factor or less, with this promise if that is at least 1.
    Spare(f64, Option<Promise>),
}

impl Form<'_> {
    fn at(&self, size: f64) -> Result<Found, Error> {
        let Some(mut easiest) = Descent::basic(self.whitened, size, EASIEST) else {
            return Ok(Found::TooLarge);
        };
        if let Some(operators) = self.operators {
            easiest = easiest.with_path(operators)?;
        }
        let spare = easiest.spare();
        let Some(slow) = promise(&easiest) else {
            return Ok(Found::Spare(spare.min(1.0 - 1e-12), None));
        };
        let at_share = |&share: &f64| easiest.with_share(share).as_ref().and_then(promise);
        let fastest = self.shares.iter().find_map(at_share);
        Ok(Found::Spare(spare, Some(fastest.unwrap_or(slow))))
    }

    /// The fastest promise of these step sizes.
    fn attempt(&self, sizes: &[f64]) -> Result<Attempt, Error> {
        let theorem = if self.operators.is_some() {
            Theorem::GFull
        } else {
            Theorem::GBasic
        };
        let residual = self.whitened.start.residual_norm;
        let cost = |promise: &Promise| promise.cost(residual);
        let (mut best, mut largest, mut closest): (Option<(Promise, f64)>, f64, Option<f64>) = (None, 0.0, None);
        for &size in sizes {
            match self.at(size)? {
                Found::TooLarge => {}
                Found::Spare(spare, None) => closest = Some(closest.unwrap_or(0.0).max(spare)),
                Found::Spare(spare, Some(promise)) => {
                    largest = largest.max(size);
                    if best.is_none_or(|(best, _)| cost(&promise) < cost(&best)) {
                        best = Some((promise, spare));
                    }
                }
            }
        }
        if let Some((promise, spare)) = best {
            let promise = Promise {
                max_step_size: largest,
                ..promise
            };
            return Ok(Attempt::new(theorem, vec![clock(residual, spare)], promise));
        }
        Ok(Attempt::failed(
            theorem,
            match closest {
                Some(spare) => clock(residual, spare),
                None => Inequality::new(
                    "eta < 2/lambda_max(G_0)",
                    sizes.iter().copied().fold(f64::INFINITY, f64::min),
                    2.0 / self.whitened.whitening.largest() * (1.0 - 1e-9),
                    0.0,
                ),
            },
        ))
    }
}

/// The condition of theorem G, in terms of ||e_0||, which may grow by the factor `spare`.
fn clock(residual: f64, spare: f64) -> Inequality {
    // Infinite only for e_0 = 0, which holds.
    let allowed = if spare.is_finite() {
        residual * spare
    } else {
        f64::INFINITY
    };
    let statement = "||e_0|| <= the largest with y_0 + Gamma f(y) <= y";
    Inequality::new(statement, residual, allowed, 0.0)
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
