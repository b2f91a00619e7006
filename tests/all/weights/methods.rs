//! Every method takes the steps that it takes on copies.

use super::{COPIES, places, problem, same_runs};
use crate::support::oracle::jacobian;
use crate::support::problems::small_step;
use crate::support::{Answers, Scripted};
use expnet::method::{DirectionKind, GaussNewton, GradientDescent, Method, Minibatch};
use expnet::schedule::{self, Backtracking};
use expnet::{Float, Trainer};
use nalgebra::{DMatrix, DVector};

/// A size with which gradient descent is stable on both problems.
fn size<T: Float>(part: f64) -> T {
    let sizes = [(3, 40), (24, 31)].map(|(d, m)| {
        let (_, copies, net) = problem::<f64>(d, m);
        small_step(&net, &copies, part)
    });
    T::lit(sizes[0].min(sizes[1]))
}

fn the_same<M: Method<f64> + 'static>(name: &str, steps: usize, size: f64, method: impl Fn() -> M) {
    let trainer = || Trainer::<f64>::new(size).method(method());
    same_runs(name, steps, [&trainer, &trainer]);
}

#[test]
fn momentum_and_clipping() {
    let size = size(0.2);
    the_same("heavy ball", 30, size, || GradientDescent::default().momentum(0.8));
    the_same("nesterov", 30, size, || GradientDescent::default().nesterov(0.8));
    the_same("clipped", 30, size, || GradientDescent::default().clip_norm(1.0));
}

#[test]
fn batches() {
    let batches: [&[usize]; 3] = [&[0, 3, 1], &[2, 4, 7], &[8, 5, 6]];
    let method = |copies: bool| {
        let mut next = batches.into_iter().cycle();
        let method = Scripted::new().of_kind(DirectionKind::BatchGradient);
        method.dealing(move |_, batch| {
            let chosen = next.next().unwrap();
            batch.extend(if copies { places(chosen) } else { chosen.to_vec() });
        })
    };
    let trainer = |copies| move || Trainer::<f64>::new(size::<f64>(0.3)).method(method(copies));
    same_runs("batches", 30, [&trainer(false), &trainer(true)]);
}

/// A batch of all samples is no batch.
#[test]
fn minibatches_of_all_samples() {
    let trainer = || {
        Trainer::<f64>::new(size::<f64>(0.5))
            .method(Minibatch::new(100).seed(1))
            .tolerance(1e-9)
    };
    same_runs("minibatches", 20, [&trainer, &trainer]);
}

#[test]
fn damped_gauss_newton() {
    let mu = 20.0;
    the_same("dense", 8, 1.0, || GaussNewton::default().damping(mu));
    the_same("frozen", 8, 1.0, || GaussNewton::frozen().damping(mu));
    the_same("matrix-free", 8, 1.0, || {
        GaussNewton::matrix_free().damping(mu).accuracy(1e-8)
    });
    the_same("ridge", 8, 1.0, || GaussNewton::default().damping(mu).ridge(3.0));
    the_same("matrix-free ridge", 8, 1.0, || {
        GaussNewton::matrix_free().damping(mu).ridge(3.0).accuracy(1e-12)
    });
    let search =
        || Trainer::<f64>::new(Backtracking::default().initial(1.0)).method(GaussNewton::default().damping(mu));
    same_runs("with a line search", 8, [&search, &search]);
}

/// A few steps, before the loss is one of rounding alone. The first damping is a share of trace(G) / n, and n is larger with
/// copies.
#[test]
fn adaptive_gauss_newton() {
    let (n, all) = (COPIES.len() as f64, COPIES.iter().sum::<usize>() as f64);
    for (name, method) in [
        ("dense", GaussNewton::default as fn() -> _),
        ("frozen", GaussNewton::frozen),
    ] {
        let trainer = |share| move || Trainer::<f64>::new(1.0).method(method().initial_damping(share));
        same_runs(name, 2, [&trainer(10.0 * n / all), &trainer(10.0)]);
    }
    let free = || Trainer::<f64>::new(1.0).method(GaussNewton::matrix_free().initial_damping(10.0).accuracy(1e-10));
    same_runs("matrix-free", 2, [&free, &free]);
}

/// Everything a method can ask for, against formulas.
#[test]
fn what_a_method_sees_is_the_weighted_problem() {
    for batch in [vec![], vec![7, 0, 1, 5]] {
        let (data, _, net) = problem::<f64>(3, 40);
        let chosen = if batch.is_empty() {
            (0..9).collect()
        } else {
            batch.clone()
        };
        let part = data.select(&chosen).unwrap();
        let roots = part.weights().unwrap().map(f64::sqrt);
        let j = DMatrix::from_diagonal(&roots) * jacobian(&net, part.points());
        let (e, gram) = (net.residual(&part).unwrap().component_mul(&roots), &j * j.transpose());
        let v = DVector::from_fn(chosen.len(), |i, _| (i as f64).cos());
        let close = |found: &DMatrix<f64>, expected: &DMatrix<f64>| {
            assert!(
                (found - expected).norm() <= 1e-12 * expected.norm(),
                "{found} {expected}"
            );
        };
        let column = |v: &[f64]| DMatrix::from_column_slice(v.len(), 1, v);
        let method = Answers::new(|evaluation, direction| {
            close(&column(evaluation.residual()), &column(e.as_slice()));
            close(&column(&direction.dual), &column(e.as_slice()));
            close(
                &column(&evaluation.tangent_product(v.as_slice())?),
                &column((&gram * &v).as_slice()),
            );
            let found = evaluation.tangent_gram()?;
            close(&found, &gram);
            assert_eq!(found, found.transpose());
            let norm = evaluation.gradient_norm_squared();
            assert!((norm - j.tr_mul(&e).norm_squared()).abs() <= 1e-12 * norm);
            assert!((evaluation.loss() - 0.5 * e.norm_squared()).abs() <= 1e-12);
            Ok(())
        });
        let method = Dealt { method, batch };
        Trainer::<f64>::new(schedule::from_fn(|_| 0.0))
            .method(method)
            .max_steps(1)
            .fit(&mut net.clone(), &data)
            .unwrap();
    }
}

/// A method on one batch.
struct Dealt<M> {
    method: M,
    batch: Vec<usize>,
}

impl<M: Method<f64>> Method<f64> for Dealt<M> {
    fn direction(
        &mut self,
        evaluation: &mut expnet::method::Evaluation<'_, f64>,
        direction: &mut expnet::method::Direction<f64>,
    ) -> Result<(), expnet::Error> {
        self.method.direction(evaluation, direction)
    }

    fn batch(&mut self, _: usize, batch: &mut Vec<usize>) {
        batch.extend_from_slice(&self.batch);
    }
}
