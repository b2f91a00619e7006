//! What the engine promises to those who call it from outside.

use approx::assert_relative_eq;
use expnet::method::{Direction, Evaluation, Method, Minibatch};
use expnet::observer::History;
use expnet::schedule;
use expnet::{Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Memory, Trainer};
use nalgebra::{DMatrix, DVector};

fn data() -> Dataset<f64> {
    let points = DMatrix::from_fn(4, 15, |k, i| ((2 * k + 3 * i + k * i + 1) as f64).sin() / 2.0);
    Dataset::new(points, DVector::from_fn(15, |i, _| (i as f64).cos())).unwrap()
}

fn net() -> ExpNetwork<f64> {
    Initializer::new(4, 90).antisymmetric(true).seed(3).build().unwrap()
}

fn fit(trainer: Trainer<'_, f64>) -> (ExpNetwork<f64>, FitReport<f64>) {
    let mut net = net();
    let report = trainer.fit(&mut net, &data()).unwrap();
    (net, report)
}

#[test]
fn observers_change_no_bit() {
    let mut history = History::default();
    let (watched, _) = fit(Trainer::default().max_steps(30).observe(&mut history));
    let (alone, _) = fit(Trainer::default().max_steps(30));
    assert_eq!(watched, alone);
    let moved = (watched.weights() - net().weights()).norm();
    assert_relative_eq!(history.movements()[30].frobenius, moved, max_relative = 1e-10);
    let largest = (watched.weights() - net().weights())
        .column_iter()
        .map(|c| c.norm())
        .fold(0.0, f64::max);
    assert_relative_eq!(history.movements()[30].largest, largest, max_relative = 1e-10);
}

#[test]
fn memory_changes_no_bit() {
    let run = |memory| fit(Trainer::default().memory(memory).max_steps(30)).0;
    let auto = run(Memory::Auto);
    for memory in [
        Memory::Store,
        Memory::Recompute,
        Memory::Budget(1000),
        Memory::Budget(usize::MAX),
    ] {
        assert_eq!(run(memory), auto, "{memory:?}");
    }
}

#[test]
fn a_trial_is_a_pass_that_the_step_reuses() {
    let twice = schedule::from_fn(|state| {
        let _ = state.loss_at(3e-4);
        let trial = state.loss_at(1e-4);
        assert!(trial < state.loss());
        1e-4
    });
    let (with_trials, report) = fit(Trainer::new(twice).max_steps(4));
    let (plain, _) = fit(Trainer::new(1e-4).max_steps(4));
    assert_eq!(with_trials, plain, "the same bits");
    assert_eq!((report.passes(), report.trial_steps()), (1 + 2 * 4, 4));
}

/// G = J J^T from the Jacobian written out.
fn jacobian_gram(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> DMatrix<f64> {
    let (d, m) = net.weights().shape();
    let jacobian = DMatrix::from_fn(data.samples(), d * m, |i, column| {
        let (k, r) = (column % d, column / d);
        let x = data.points().column(i);
        net.output_weights()[r] * net.weights().column(r).dot(&x).exp() * x[k]
    });
    &jacobian * jacobian.transpose()
}

#[test]
fn a_method_sees_the_tangent_kernel() {
    struct Probe;
    impl Method<f64> for Probe {
        fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
            let gram = evaluation.tangent_gram()?;
            let expected = jacobian_gram(&net(), &data());
            assert_relative_eq!(gram, expected, max_relative = 1e-11, epsilon = 1e-11 * expected.amax());
            let ones = vec![1.0; 15];
            let product = DVector::from_vec(evaluation.tangent_product(&ones)?);
            assert_relative_eq!(product, expected * DVector::from_vec(ones), max_relative = 1e-10);
            assert!(evaluation.tangent_product(&[1.0]).is_err());
            Ok(())
        }
    }
    fit(Trainer::new(1e-6).method(Probe).max_steps(1));
}

fn runs<T: Float>() -> Vec<u64> {
    let points = DMatrix::from_fn(6, 40, |k, i| T::lit(((2 * k + 3 * i + k * i) as f64).sin()));
    let data = Dataset::new(points, DVector::from_fn(40, |i, _| T::lit((i as f64).cos()))).unwrap();
    let mut net = Initializer::new(6, 30_000).antisymmetric(true).build::<T>().unwrap();
    let report = Trainer::default()
        .method(Minibatch::new(16).momentum(0.5))
        .max_steps(6)
        .fit(&mut net, &data)
        .unwrap();
    let report = report.loss().as_f64()
        + Trainer::default()
            .max_steps(5)
            .fit(&mut net, &data)
            .unwrap()
            .loss()
            .as_f64();
    net.weights()
        .iter()
        .map(|w| w.as_f64().to_bits())
        .chain([report.to_bits()])
        .collect()
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (runs::<f64>(), runs::<f32>()))
    };
    let one = on(1);
    assert!(on(2) == one && on(3) == one);
}
