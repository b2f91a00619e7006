//! No allocation per step after set-up, on one thread.
//!
//! With more threads rayon's queue takes a block of memory every 63 sweeps, whatever the size of the problem.

use allocation_counter::measure;
use expnet::method::{GradientDescent, Method, Minibatch};
use expnet::observer::{CsvLog, JsonLog};
use expnet::schedule::{Backtracking, KernelStable, Schedule};
use expnet::{Dataset, Float, Initializer, Memory, Objective, Pass, Trainer};
use nalgebra::{DMatrix, DVector};

/// Allocations of twenty steps, after twelve that may take what they need.
fn allocations<T: Float>(schedule: Box<dyn Schedule<T>>, method: Box<dyn Method<T>>, memory: Memory) -> u64 {
    let points = DMatrix::from_fn(6, 40, |k, i| T::lit(((2 * k + 3 * i + k * i) as f64).sin() / 3.0));
    let data = Dataset::new(points, DVector::from_fn(40, |i, _| T::lit((i as f64).cos()))).unwrap();
    let validation = data.clone();
    let mut net = Initializer::new(6, 2000).antisymmetric(true).build::<T>().unwrap();
    let trainer = Trainer::new(schedule)
        .method(method)
        .memory(memory)
        .observe(CsvLog::new(std::io::sink()))
        .observe(JsonLog::new(std::io::sink()))
        .validation(&validation, 1000)
        // Asked for, and not due yet: it costs nothing.
        .checkpoint("never-written.checkpoint", 1000);
    let mut session = trainer.start(&mut net, &data).unwrap();
    for _ in 0..12 {
        session.step().unwrap();
    }
    let info = measure(|| {
        for _ in 0..20 {
            session.step().unwrap();
        }
    });
    info.count_total
}

fn check<T: Float>() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for memory in [Memory::Store, Memory::Recompute] {
            let plain = || Box::new(GradientDescent::default());
            assert_eq!(
                allocations::<T>(Box::new(1e-5), plain(), memory),
                0,
                "constant, {memory:?}"
            );
            assert_eq!(
                allocations::<T>(Box::new(KernelStable::default()), plain(), memory),
                0,
                "{memory:?}"
            );
            let search = Backtracking::default().initial(1e-5);
            assert_eq!(
                allocations::<T>(Box::new(search), plain(), memory),
                0,
                "line search, {memory:?}"
            );
            let momentum = GradientDescent::default().momentum(0.5);
            assert_eq!(
                allocations::<T>(Box::new(1e-5), Box::new(momentum), memory),
                0,
                "momentum, {memory:?}"
            );
        }
    });
}

#[test]
fn a_step_allocates_nothing() {
    check::<f64>();
    check::<f32>();
}

#[test]
fn a_step_by_expansion_allocates_nothing() {
    let points = DMatrix::from_fn(3, 300, |k, i| ((2 * k + 3 * i + k * i) as f64).sin() / 2.0);
    let data = Dataset::new(points, DVector::from_fn(300, |i, _| (i as f64).cos())).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let mut net = Initializer::new(3, 2000).std_dev(0.5).build::<f64>().unwrap();
        let trainer = Trainer::new(1e-9)
            .method(GradientDescent::default().momentum(0.5))
            .pass(Pass::Expansion);
        let mut session = trainer.start(&mut net, &data).unwrap();
        for _ in 0..3 {
            session.step().unwrap();
        }
        let info = measure(|| {
            for _ in 0..20 {
                session.step().unwrap();
            }
        });
        session.stop();
        let report = session.finish().unwrap();
        assert_eq!((info.count_total, report.expanded_passes()), (0, 24));
    });
}

/// Allocations of everything that an optimiser asks for, from the first call on.
fn allocations_of_an_objective<T: Float>(n: usize, d: usize) -> u64 {
    let points = DMatrix::from_fn(d, n, |k, i| T::lit(((2 * k + 3 * i + k * i) as f64).sin() / 3.0));
    let data = Dataset::new(points, DVector::from_fn(n, |i, _| T::lit((i as f64).cos()))).unwrap();
    let data = data
        .with_weights(DVector::from_fn(n, |i, _| T::lit(1.0 + (i % 3) as f64)))
        .unwrap();
    let net = Initializer::new(d, 2000).std_dev(0.5).build::<T>().unwrap();
    let mut objective = Objective::new(&net, &data).unwrap();
    let mut w = net.weights().as_slice().to_vec();
    let (mut gradient, mut product, mut images) = (w.clone(), w.clone(), vec![T::zero(); n]);
    let direct = d > 4;
    let info = measure(|| {
        for _ in 0..5 {
            w.iter_mut().for_each(|w| *w *= T::lit(0.99));
            objective.value(&w).unwrap();
            objective.value_and_gradient(&w, &mut gradient).unwrap();
            objective.jacobian_product(&gradient, &mut images).unwrap();
            objective.transpose_product(&images, &mut product).unwrap();
            objective.gauss_newton_product(&gradient, &mut product).unwrap();
            if direct {
                objective.hessian_product(&gradient, &mut product).unwrap();
            }
        }
    });
    info.count_total
}

#[test]
fn an_objective_allocates_nothing() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for (n, d) in [(40, 6), (300, 70)] {
            assert_eq!(allocations_of_an_objective::<f64>(n, d), 0, "({n}, {d})");
            assert_eq!(allocations_of_an_objective::<f32>(n, d), 0, "({n}, {d})");
        }
    });
}

#[test]
fn the_counter_counts() {
    assert!(measure(|| drop(std::hint::black_box(vec![1.0; 100]))).count_total >= 1);
    let batches = Box::new(Minibatch::new(9));
    // A batch is packed anew each step, into memory that is kept but for the list of its columns.
    assert!(allocations::<f64>(Box::new(1e-6), batches, Memory::Store) <= 5 * 20);
}
