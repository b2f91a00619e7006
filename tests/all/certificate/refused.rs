//! What is not certified, and why.

use super::table_problem;
use crate::support::refused;
use expnet::certificate::{NarrowestSearch, certify, sufficient_width};
use expnet::schedule::Certified;
use expnet::{Dataset, Error, ExpNetwork, Initializer};
use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[test]
fn an_ill_conditioned_kernel_is_not_certified_by_rounding() {
    let mut rng = StdRng::seed_from_u64(3);
    let base = DMatrix::from_fn(3, 4, |_, _| rng.random_range(-1.0..1.0));
    for apart in [0.0, 1e-12, 1e-9, 1e-8] {
        // Points 0 and 4 nearly coincide; e_0 is so small that every theorem would hold if lambda_min were some noise above 0.
        let mut points = base.clone().insert_column(4, 0.0);
        let near = base.column(0) + base.column(1) * apart;
        points.set_column(4, &near);
        let net = Initializer::new(3, 200).seed(1).build::<f64>().unwrap();
        let labels = net.forward(&points).unwrap();
        let found = certify(&net, &Dataset::new(points.clone(), labels).unwrap()).unwrap();
        assert!(
            !found.holds() && found.attempts().iter().all(|attempt| !attempt.holds()),
            "{apart}: {found}"
        );
        assert!(found.lambda_min() <= 0.0);
        assert_eq!([found.radius(), found.rate(), found.max_step_size()], [0.0; 3]);
        assert_eq!(found.steps_to(1.0), u64::MAX);
        assert!(
            found
                .to_string()
                .contains("rounding of lambda_min(H_0) < lambda_min(H_0) fails"),
            "{found}"
        );
        refused(
            Certified::new(&found),
            &["not proved", "at width 200", "rounding of lambda_min", "KernelStable"],
        );
    }
    // More points than weights.
    let points = DMatrix::from_fn(2, 9, |k, i| ((1 + i * 2 + k) as f64).sin());
    let net = Initializer::new(2, 4).build::<f64>().unwrap();
    assert!(
        !certify(&net, &Dataset::new(points, DVector::zeros(9)).unwrap())
            .unwrap()
            .holds()
    );
    // The origin, and equal points, at any width: named.
    let points = DMatrix::from_column_slice(2, 3, &[1.0, 0.5, 0.0, 0.0, -1.0, 1.0]);
    let data = Dataset::new(points, DVector::from_element(3, 1.0)).unwrap();
    refused(
        sufficient_width(&data, 1.0, 0.1),
        &["not proved", "point 1 is 0 in every coordinate"],
    );
    refused(
        NarrowestSearch::default().seed(1).widest(50).search(&data),
        &["not proved", "point 1 is 0", "at every width"],
    );
    let data = data.select(&[0, 2, 0]).unwrap();
    refused(sufficient_width(&data, 1.0, 0.1), &["point 2 equals point 0"]);
    // Too near to each other for f64.
    let near = DMatrix::from_column_slice(1, 2, &[1.0, 1.0 + 1e-9]);
    let data = Dataset::new(near, DVector::from_element(2, 1.0)).unwrap();
    refused(
        sufficient_width(&data, 1.0, 0.1),
        &["lambda_min of the limit kernel", "rounding"],
    );
}

#[test]
fn bad_input_is_refused() -> Result<(), Error> {
    let data = table_problem(3, 4);
    let net = Initializer::new(3, 8).build::<f64>()?;
    refused(
        certify(&net, &data),
        &["the dimension of the points", "expected 3", "found 4"],
    );
    let large = ExpNetwork::from_parts(DMatrix::from_element(4, 2, 700.0), DVector::from_element(2, 1.0))?;
    refused(
        certify(&large, &data),
        &["the empirical kernel of points", "scale the points down"],
    );
    Ok(())
}
