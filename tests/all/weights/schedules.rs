//! Every schedule takes the steps that it takes on copies.

use super::{problem, same_runs};
use crate::support::oracle::jacobian;
use crate::support::problems::small_step;
use expnet::schedule::{
    self, Backtracking, BarzilaiBorwein, Constant, Cosine, DeltaBarDelta, KernelStable, Polyak, ReduceOnPlateau,
    Schedule,
};
use expnet::{Float, Trainer};
use nalgebra::{DMatrix, DVector};

/// A size with which gradient descent is stable on both problems.
fn size() -> f64 {
    let sizes = [(3, 40), (24, 31)].map(|(d, m)| {
        let (_, copies, net) = problem::<f64>(d, m);
        small_step(&net, &copies, 0.7)
    });
    sizes[0].min(sizes[1])
}

fn the_same<T: Float>(name: &str, steps: usize, schedule: impl Fn() -> Box<dyn Schedule<T>> + 'static) {
    let trainer = || Trainer::<T>::new(schedule());
    same_runs(name, steps, [&trainer, &trainer]);
}

#[test]
fn sizes_by_formula() {
    the_same::<f64>("constant", 30, || Box::new(Constant::new(size()).unwrap()));
    the_same::<f64>("cosine", 30, || Box::new(Cosine::new(size(), 20).unwrap().warmup(5)));
    the_same::<f32>("constant in f32", 30, || Box::new(Constant::new(size()).unwrap()));
}

#[test]
fn line_searches_and_sizes_from_the_gradient() {
    the_same::<f64>("Backtracking", 12, || {
        Box::new(Backtracking::default().initial(64.0 * size()))
    });
    the_same::<f64>("BarzilaiBorwein", 5, || {
        Box::new(BarzilaiBorwein::default().initial(size()))
    });
    the_same::<f64>("Polyak", 5, || Box::new(Polyak::default()));
    the_same::<f64>("DeltaBarDelta", 12, || {
        Box::new(DeltaBarDelta::default().initial(size()))
    });
    the_same::<f64>("ReduceOnPlateau", 20, || {
        Box::new(ReduceOnPlateau::new(size()).unwrap().patience(0).threshold(0.3))
    });
}

/// lambda_max of S^1/2 G S^1/2, overestimated by at most 2%.
#[test]
fn the_largest_eigenvalue_is_that_of_the_weighted_kernel() {
    for (d, m) in [(3, 40), (24, 31)] {
        let (data, _, mut net) = problem::<f64>(d, m);
        let root = DMatrix::from_diagonal(&data.weights().unwrap().map(f64::sqrt));
        let j = root * jacobian(&net, data.points());
        let exact = (&j * j.transpose()).symmetric_eigenvalues().max();
        let mut found = 0.0;
        let look = schedule::from_fn(|state| {
            found = state.largest_kernel_eigenvalue();
            0.0
        });
        Trainer::new(look).max_steps(1).fit(&mut net, &data).unwrap();
        assert!(
            found >= exact * (1.0 - 1e-12) && found <= 1.02 * exact,
            "{found} {exact}"
        );
    }
}

#[test]
fn kernel_stable_reaches_the_labels_of_samples_that_count() {
    let (data, _, _) = problem::<f64>(3, 40);
    let mut net = expnet::Initializer::new(3, 600).antisymmetric(true).build().unwrap();
    let report = Trainer::new(KernelStable::default())
        .tolerance(1e-3)
        .max_steps(50_000)
        .fit(&mut net, &data)
        .unwrap();
    assert!(report.residual_norm() <= 1e-3, "{report}");
    let e = net.residual(&data).unwrap();
    let norm = e
        .iter()
        .zip(data.weights().unwrap())
        .map(|(e, s)| s * e * e)
        .sum::<f64>()
        .sqrt();
    assert!((norm - report.residual_norm()).abs() <= 1e-9 * norm);
    assert!(e[1].abs() > 1e-2, "sample 1 does not count: {e}");
}

/// A first batch whose samples have weight 0 gives no eigenvalue, and must not end all steps.
#[test]
fn a_batch_that_does_not_count_is_no_measurement() {
    use crate::support::Scripted;
    use expnet::method::DirectionKind;
    let (data, _, mut net) = problem::<f64>(3, 40);
    let mut batches = [vec![1, 6], vec![0, 2, 3], vec![4, 5]].into_iter().cycle();
    let method = Scripted::new().of_kind(DirectionKind::BatchGradient);
    let method = method.dealing(move |_, batch| batch.extend(batches.next().unwrap()));
    let report = Trainer::new(KernelStable::default().factor(0.2))
        .method(method)
        .max_steps(30)
        .fit(&mut net, &data);
    let report = report.unwrap();
    assert!(report.loss() < report.initial_loss(), "{report}");
}

#[test]
fn schedules_see_the_slope_of_the_weighted_loss() {
    let (data, _, net) = problem::<f64>(3, 40);
    let gradient = net.gradient(&data).unwrap();
    let mut seen = DVector::zeros(3);
    let look = schedule::from_fn(|state| {
        seen = DVector::from_vec(vec![state.loss(), state.gradient_norm_squared(), state.slope()]);
        0.0
    });
    Trainer::new(look).max_steps(1).fit(&mut net.clone(), &data).unwrap();
    let expected = DVector::from_vec(vec![
        net.loss(&data).unwrap(),
        gradient.norm_squared(),
        -gradient.norm_squared(),
    ]);
    assert!((seen - &expected).norm() <= 1e-12 * expected.norm());
}
