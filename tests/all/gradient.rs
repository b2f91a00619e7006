//! The analytic gradient against finite differences, over random shapes.

use crate::support::cases;
use crate::support::problems::{self, data, net, scale, shapes};
use expnet::{ExpNetwork, check};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(64))]

    /// Along a random direction D: <grad L, D> = (L(W + hD) - L(W - hD)) / 2h.
    #[test]
    fn gradient_is_the_slope_of_the_loss((n, d, m, seed) in shapes()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let direction = problems::net::<f64>(d, m, seed ^ 1).weights().normalize();
        let h = 1e-5;
        let loss = |h: f64| {
            let weights = net.weights() + &direction * h;
            ExpNetwork::from_parts(weights, net.output_weights().clone()).unwrap().loss(&data).unwrap()
        };
        let slope = (loss(h) - loss(-h)) / (2.0 * h);
        let gradient = net.gradient(&data).unwrap();
        let s = scale(&net, data.points());
        // Truncation ~ h^2 L''', rounding ~ EPSILON L / h; both far below any wrong factor.
        let size = gradient.norm() + s * s * n as f64;
        prop_assert!((gradient.dot(&direction) - slope).abs() <= 1e-8 * size, "{} {slope}", gradient.dot(&direction));
    }

    #[test]
    fn gradient_agrees_with_the_checker((n, d, m, seed) in shapes()) {
        let report = check::gradient(&net::<f64>(d, m, seed), &data(n, d, seed)).unwrap();
        prop_assert!(report.agrees() && report.compared == d * m, "{report}");
        prop_assert!(report.relative_error() < 1e-7, "{report}");
        let report = check::gradient(&net::<f32>(d, m, seed), &data(n, d, seed)).unwrap();
        prop_assert!(report.agrees(), "{report}");
    }
}

#[test]
fn checker_looks_at_an_even_spread_of_a_wide_network() {
    let (data, net) = (data::<f64>(3, 6, 1), net::<f64>(6, 3000, 1));
    let report = check::gradient(&net, &data).unwrap();
    assert!(report.agrees(), "{report}");
    assert!((2000..=4096).contains(&report.compared), "{report}");
    assert!(report.to_string().contains("at 4096 coordinates"), "{report}");
}
