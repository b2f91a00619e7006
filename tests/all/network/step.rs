//! One step of gradient descent, over random shapes.

use super::close;
use crate::support::cases;
use crate::support::problems::{data, net, scale, shapes, small_step};
use expnet::Trainer;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn small_step_descends((n, d, m, seed) in shapes()) {
        let (data, mut net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let size = small_step(&net, &data, 1e-3);
        let slope = net.gradient(&data).unwrap().norm_squared();
        let before = net.step(&data, size).unwrap();
        let after = net.loss(&data).unwrap();
        prop_assert!(after <= before - 0.9 * size * slope + 1e-13 * before, "{before:e} -> {after:e}");
    }

    #[test]
    fn step_is_one_step_of_fit((n, d, m, seed) in shapes()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let size = small_step(&net, &data, 0.5);
        let (mut stepped, mut fitted) = (net.clone(), net.clone());
        let before = stepped.step(&data, size).unwrap();
        let report = Trainer::new(size).max_steps(1).fit(&mut fitted, &data).unwrap();
        let s = (scale(&net, data.points()) + 1.0).powi(2) * n as f64;
        close(report.initial_loss(), before, s)?;
        close(report.loss(), stepped.loss(&data).unwrap(), s)?;
        for (v, w) in fitted.weights().iter().zip(stepped.weights()) {
            close(*v, *w, 2.0 + size * s)?;
        }
    }
}
