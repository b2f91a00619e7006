//! The network as a function: its random start, its invariances, and one step of gradient descent.

mod initializer;
mod step;
mod symmetries;

use proptest::prelude::{TestCaseError, prop_assert};

/// Rounding that may be expected of outputs of this scale.
fn close(found: f64, expected: f64, scale: f64) -> Result<(), TestCaseError> {
    prop_assert!(
        (found - expected).abs() <= 1e-12 * scale,
        "{found:e}, not {expected:e} (scale {scale:e})"
    );
    Ok(())
}
