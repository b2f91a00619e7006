//! Argmin's optimisers on a small problem, and the parts that they call.

use argmin::core::{CostFunction, Executor, Gradient, Hessian, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::newton::NewtonCG;
use argmin::solver::quasinewton::LBFGS;
use argmin::solver::trustregion::{CauchyPoint, Steihaug, TrustRegion};
use argmin_math::ArgminDot;
use expnet::{Dataset, ExpNetwork, Initializer, nalgebra::DMatrix};
use expnet_argmin::Problem;

/// 12 points on the unit sphere of R^3, labels of order 1, and 32 neurons.
fn problem() -> (ExpNetwork<f64>, Dataset<f64>) {
    let points = DMatrix::from_fn(3, 12, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
    let points = DMatrix::from_columns(&points.column_iter().map(|x| x.normalize()).collect::<Vec<_>>());
    let labels: Vec<f64> = (0..12).map(|i| f64::from(i).cos()).collect();
    let data = Dataset::new(points, labels.into()).unwrap();
    let net = Initializer::new(3, 32).antisymmetric(true).seed(1).build().unwrap();
    (net, data)
}

/// What a solver reaches: the smallest cost, checked against the network with these weights.
macro_rules! reached {
    ($problem:expr, $solver:expr, $steps:expr) => {{
        let (mut net, data) = problem();
        let problem = $problem;
        let start = problem.start();
        let result = Executor::new(problem, $solver)
            .configure(|state| state.param(start).max_iters($steps).target_cost(1e-10))
            .run()
            .unwrap();
        let best = result.state().get_best_param().unwrap();
        net.set_weights(DMatrix::from_column_slice(3, 32, best)).unwrap();
        let loss = net.loss(&data).unwrap();
        assert!((loss - result.state().best_cost).abs() <= 1e-12 + 1e-9 * loss);
        loss
    }};
}

fn new() -> Problem<f64> {
    let (net, data) = problem();
    Problem::new(&net, &data).unwrap()
}

#[test]
fn cost_and_gradient_are_those_of_the_network() {
    let (net, data) = problem();
    let problem = new();
    let w = problem.start();
    assert_eq!(w, net.weights().as_slice());
    assert!((problem.cost(&w).unwrap() / net.loss(&data).unwrap() - 1.0).abs() < 1e-13);
    let gradient = DMatrix::from_vec(3, 32, problem.gradient(&w).unwrap());
    let expected = net.gradient(&data).unwrap();
    assert!((gradient - &expected).norm() < 1e-13 * expected.norm());
}

#[test]
fn the_hessian_is_the_derivative_of_the_gradient() {
    let problem = new();
    let w = problem.start();
    let u: Vec<f64> = (0..96).map(|i| f64::from(i).sin()).collect();
    let hessian = problem.hessian(&w).unwrap();
    let at = |h: f64| {
        let moved = w.iter().zip(&u).map(|(w, u)| w + h * u).collect();
        problem.gradient(&moved).unwrap()
    };
    let (ahead, behind) = (at(1e-5), at(-1e-5));
    // The objective has moved; the operator stands where it was made.
    let product: Vec<f64> = hessian.dot(&u);
    let largest = product.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    for ((product, ahead), behind) in product.iter().zip(ahead).zip(behind) {
        assert!((product - (ahead - behind) / 2e-5).abs() < 1e-6 * largest);
    }
    let approximate: Vec<f64> = new().gauss_newton().hessian(&w).unwrap().dot(&u);
    let curvature: f64 = approximate.iter().zip(&u).map(|(g, u)| g * u).sum();
    assert!(curvature > 0.0 && approximate != product);
}

#[test]
fn lbfgs_converges() {
    assert!(reached!(new(), LBFGS::new(MoreThuenteLineSearch::new(), 10), 500) <= 1e-10);
}

#[test]
fn trust_regions_converge() {
    let steihaug = || TrustRegion::new(Steihaug::new().with_max_iters(50));
    assert!(reached!(new(), steihaug(), 200) <= 1e-10);
    assert!(reached!(new().gauss_newton(), steihaug(), 200) <= 1e-10);
    let (net, data) = problem();
    assert!(reached!(new(), TrustRegion::new(CauchyPoint::new()), 50) < 0.5 * net.loss(&data).unwrap());
}

/// Argmin ends its conjugate gradients early, at half the norm of the gradient, so this is far from quadratic convergence.
#[test]
fn newton_with_conjugate_gradients_descends() {
    let (net, data) = problem();
    let start = net.loss(&data).unwrap();
    let newton = || NewtonCG::new(MoreThuenteLineSearch::new());
    assert!(reached!(new(), newton(), 300) < 1e-2 * start);
    assert!(reached!(new().gauss_newton(), newton(), 300) < 1e-2 * start);
}

#[test]
fn errors_are_errors() {
    let problem = new();
    assert!(
        problem
            .cost(&vec![0.0; 5])
            .unwrap_err()
            .to_string()
            .contains("expected 96, found 5")
    );
    assert!(
        problem
            .gradient(&vec![f64::NAN; 96])
            .unwrap_err()
            .to_string()
            .contains("neuron 0")
    );
    assert!(problem.cost(&vec![1e3; 96]).unwrap().is_infinite());
    let hessian = problem.hessian(&vec![1e3; 96]).unwrap();
    assert!(hessian.product(&vec![1.0; 96]).is_err());
    let product: Vec<f64> = hessian.dot(&vec![1.0; 96]);
    assert!(product.iter().all(|x| x.is_nan()));
}
