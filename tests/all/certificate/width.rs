//! Widths that suffice with a given probability.

use super::table_problem;
use crate::support::refused;
use expnet::certificate::{Theorem, sufficient_width};

#[test]
fn sufficient_widths_are_in_order() {
    let data = table_problem(8, 4);
    let found = sufficient_width(&data, 1.0, 0.1).unwrap();
    assert_eq!(found.theorem(), Some(Theorem::D));
    let [(b, by_b), (c, by_c), (d, by_d)] = found.widths();
    assert_eq!([b, c, d], [Theorem::B, Theorem::C, Theorem::D]);
    assert!(by_d <= by_c && by_c <= by_b && found.width() == by_d && by_d % 2 == 0);
    // Not wider than on THEORY's grids.
    assert!(by_d <= 128_500 && by_c <= 2_155_000, "{by_d} {by_c}");
    assert!((found.rate() / found.max_step_size() / found.width() as f64) > 0.0);
    assert_eq!(found.steps_to(10.0), 0);
    assert!(found.steps_to(1e-3) > found.steps_to(1e-2));
    // As f32, the same to rounding.
    let single = sufficient_width(&data.cast::<f32>().unwrap(), 1.0, 0.1).unwrap();
    assert!((single.width() as f64 / found.width() as f64 - 1.0).abs() < 1e-3);
}

#[test]
fn sufficient_width_saturates() {
    // e^{8 sigma^2} of second moments, e^{sigma kappa sqrt(...)} of activations: nothing below 2^64 will do.
    let data = table_problem(3, 4);
    let found = sufficient_width(&data, 8.0, 0.1).unwrap();
    assert_eq!((found.width(), found.theorem()), (u64::MAX, None));
    assert_eq!(
        (found.rate(), found.max_step_size(), found.steps_to(0.1)),
        (0.0, 0.0, u64::MAX)
    );
    assert!(found.to_string().contains("no width below 2^64"), "{found}");
    refused(
        sufficient_width(&data, 30.0, 0.1),
        &["the limit kernel", "range of f64"],
    );
    for delta in [0.0, 1.0, -0.1, f64::NAN] {
        refused(sufficient_width(&data, 1.0, delta), &["`delta`", "above 0 and below 1"]);
    }
    refused(
        sufficient_width(&data, f64::NAN, 0.1),
        &["`std_dev` of `sufficient_width` is NaN"],
    );
    // sigma = 0 and independent points: nothing is random.
    let sure = sufficient_width(&data, 0.0, 1e-9).unwrap();
    assert!(sure.width() < 2_000, "{sure}");
}
