//! The principal branch of Lambert's W on [-1/e, 0].

use std::f64::consts::E;

/// The smallest root u of u = x e^u, that is -W_0(-x), with 0 <= u <= 1 for 0 <= x <= 1/e; `None` for any other x.
///
/// Halley's iteration, started from a series. Accurate to a few units in the last place, except near x = 1/e, where the
/// root is ill-conditioned: there it is the exact root for an x' within a few units of x.
pub(super) fn smallest_root(x: f64) -> Option<f64> {
    if !(0.0..=1.0 / E).contains(&x) {
        return None;
    }
    // About x = 1/e: u = 1 - p + p^2 / 3 - 11 p^3 / 72 + …, p = sqrt(2 (1 - e x)). About 0: u = x + x^2 + ….
    let p = (2.0 * (1.0 - E * x)).max(0.0).sqrt();
    let mut u = if x < 0.1 {
        x * (1.0 + x * (1.0 + 1.5 * x))
    } else {
        1.0 - p * (1.0 - p * (1.0 / 3.0 - p * 11.0 / 72.0))
    };
    for _ in 0..20 {
        let value = u - x * u.exp();
        let slope = 1.0 - x * u.exp();
        if slope < 1e-7 {
            // Within 1e-7 of the double root the series is exact up to rounding.
            break;
        }
        let step = value / (slope + value * (slope - 1.0).abs() / (2.0 * slope));
        u -= step;
        if step.abs() <= 1e-16 * u {
            break;
        }
    }
    Some(u.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_its_equation() {
        for k in 0..=10_000 {
            let u = f64::from(k) / 10_000.0;
            let found = smallest_root(u * (-u).exp()).unwrap();
            // x was rounded, and the root moves by 1 / (1 - u) times as much.
            let allowed = 4.0 * f64::EPSILON * u / (1.0 - u).max(1e-8);
            assert!((found - u).abs() <= allowed, "{found:e} for {u:e}");
        }
        for u in [1e-300, 1e-20, 1e-8_f64] {
            let found = smallest_root(u * (-u).exp()).unwrap();
            assert!((found - u).abs() <= 2.0 * f64::EPSILON * u, "{found:e} for {u:e}");
        }
    }

    #[test]
    fn has_no_root_beyond() {
        for x in [0.368, f64::INFINITY, -1e-9, f64::NAN] {
            assert_eq!(smallest_root(x), None);
        }
    }
}
