//! Settings at the ends of their ranges and beyond: every run ends, in a network with finite weights or in an error.

use super::{net, scaled};
use crate::support::cases;
use crate::support::problems::is_finite;
use expnet::certificate::{NarrowestSearch, sufficient_width};
use expnet::kernel::{ConjugateGradient, Predictor, Solver, limit_kernel};
use expnet::method::{GaussNewton, GradientDescent, Method, Minibatch};
use expnet::schedule::{
    Backtracking, BarzilaiBorwein, Constant, Cosine, Cyclic, DeltaBarDelta, ExponentialDecay, InverseTime,
    KernelStable, OneCycle, Polyak, Polynomial, ReduceOnPlateau, Schedule, StepDecay,
};
use expnet::{Dataset, Error, ExpRegressor, Float, Initializer, Memory, Trainer};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(-1.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(5e-324),
        Just(f64::MIN_POSITIVE),
        Just(1e-50),
        Just(0.5),
        Just(1.0),
        Just(2.0),
        Just(1e50),
        Just(1e308),
        Just(f64::MAX),
        1e-4..1.0_f64
    ]
}

fn count() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0_usize),
        Just(1),
        Just(2),
        Just(7),
        Just(usize::MAX / 2),
        Just(usize::MAX - 1),
        Just(usize::MAX)
    ]
}

type Boxed<T> = Box<dyn Schedule<T>>;

fn boxed<T: Float>(schedule: impl Schedule<T> + 'static) -> Boxed<T> {
    Box::new(schedule)
}

fn schedule<T: Float>(which: usize, [a, b, c]: [f64; 3], [k, l]: [usize; 2]) -> Result<Boxed<T>, Error> {
    Ok(match which {
        0 => boxed(a),
        1 => boxed(Constant::new(a)?),
        2 => boxed(InverseTime::new(a, b)?.steps(k)),
        3 => boxed(StepDecay::new(a, b, k)?),
        4 => boxed(ExponentialDecay::new(a, b, k)?.begin(l).end(c)),
        5 => boxed(Polynomial::new(a, b, k)?.power(c).begin(l)),
        6 => boxed(Cosine::new(a, k)?.alpha(b).exponent(c).restarts(l)),
        7 => boxed(OneCycle::new(a, k)?.start_share(b).div_factor(c).final_div_factor(a)),
        8 => boxed(Cyclic::new(a, b, k)?.down(l).decay(c)),
        9 => boxed(
            ReduceOnPlateau::new(a)?
                .factor(b)
                .threshold(c)
                .patience(k)
                .cooldown(l)
                .min_size(a),
        ),
        10 => boxed(KernelStable::default().factor(a).refresh(k)),
        11 => boxed(Backtracking::default().initial(a).armijo(b).shrink(c).grow(a)),
        12 => boxed(Backtracking::default().max(a)),
        13 => boxed(Polyak::default().scaling(a).max(b).minimum(c).eps(a)),
        14 => boxed(BarzilaiBorwein::default().initial(a).short(k > 1)),
        15 => boxed(DeltaBarDelta::default().initial(a).growth(b).shrink(c)),
        16 => boxed(Constant::new(a)?.warmup(k).warmup(l)),
        17 => boxed(Constant::new(a)?.then(k, b).clamp(b, c)),
        _ => boxed(Constant::new(a)?.scale(b).warmup(k).then(l, c)),
    })
}

fn method<T: Float>(which: usize, [a, b, c]: [f64; 3], [k, l]: [usize; 2]) -> Box<dyn Method<T>> {
    match which {
        0 => Box::new(GradientDescent::default()),
        1 => Box::new(GradientDescent::default().momentum(a).clip_norm(b)),
        2 => Box::new(GradientDescent::default().nesterov(a)),
        3 => Box::new(Minibatch::new(k).momentum(a).clip_norm(b)),
        4 => Box::new(GaussNewton::default().ridge(a).initial_damping(b)),
        5 => Box::new(GaussNewton::frozen().damping(a).ridge(b)),
        6 => Box::new(GaussNewton::matrix_free().accuracy(a).max_products(k.min(20)).ridge(b)),
        _ => Box::new(GaussNewton::matrix_free().damping(c).max_products(l)),
    }
}

/// A short run, which ends and leaves finite weights.
fn run<T: Float>(made: Result<Boxed<T>, Error>, method: Box<dyn Method<T>>, [a, b, _]: [f64; 3], [k, l]: [usize; 2]) {
    let Ok(schedule) = made else { return };
    let data = scaled::<T>(8);
    let mut net = net::<T>(data.dimension(), 6);
    let trainer = Trainer::new(schedule).method(method).tolerance(a).stall(k, b);
    let trainer = trainer.validation(&data, l).memory(Memory::Budget(k)).max_steps(6);
    if let Ok(report) = trainer.fit(&mut net, &data) {
        assert!(report.steps() <= 6 && report.loss().is_finite(), "{report}");
    }
    assert!(is_finite(&net));
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn every_schedule_with_every_setting(
        which in 0..19_usize, numbers in [number(), number(), number()], counts in [count(), count()]
    ) {
        let calm = ([0.0, 0.0, 0.0], [3, 3]);
        run(schedule::<f64>(which, numbers, counts), method(0, calm.0, calm.1), calm.0, calm.1);
        run(schedule::<f32>(which, numbers, counts), method(0, calm.0, calm.1), calm.0, calm.1);
    }

    #[test]
    fn every_method_with_every_setting(
        which in 0..8_usize, numbers in [number(), number(), number()], counts in [count(), count()]
    ) {
        let calm = ([0.0, 0.0, 0.0], [3, 3]);
        run(Ok(boxed::<f64>(1e-3)), method(which, numbers, counts), calm.0, calm.1);
        run(Ok(boxed::<f32>(1.0)), method(which, numbers, counts), calm.0, calm.1);
    }

    #[test]
    fn trainers_with_every_setting(numbers in [number(), number(), number()], counts in [count(), count()]) {
        run(Ok(boxed::<f64>(1e-3)), method(0, numbers, counts), numbers, counts);
        run(Ok(boxed::<f32>(1e-3)), method(3, [0.5, 1.0, 0.0], [3, 3]), numbers, counts);
    }

    #[test]
    fn starts_kernels_and_certificates(numbers in [number(), number(), number()], counts in [count(), count()]) {
        let ([a, b, c], [k, l]) = (numbers, counts);
        let data = scaled::<f64>(6);
        let d = data.dimension();
        for start in [
            Initializer::new(d, 4).std_dev(a).output_scale(b),
            Initializer::new(k, l).std_dev(a),
            Initializer::new(d, 4).first_neuron(k),
            Initializer::new(d, 4).shard(k, l),
        ] {
            // Widths beyond all memory are errors as well.
            if let Ok(net) = start.build::<f64>() {
                assert!(is_finite(&net));
                let _ = net.forward(data.points());
                let _ = expnet::certificate::certify(&net, &data);
            }
        }
        let _ = limit_kernel(data.points(), a);
        let solver = ConjugateGradient::default().tolerance(b).max_iterations(k.min(100)).rank(l);
        for solver in [Solver::Cholesky, Solver::ConjugateGradient(solver)] {
            if let Ok(predictor) = Predictor::new(&data, a).map(|predictor| predictor.solver(solver))
                && let Ok(fit) = predictor.ridge(c)
            {
                let _ = fit.predict(data.points());
            }
        }
        let _ = sufficient_width(&data, a, b);
        let _ = NarrowestSearch::default().std_dev(a).widest(k.min(64)).search(&data);
    }

    #[test]
    fn regressors_on_hostile_numbers(
        entries in prop::collection::vec(number(), 12), labels in prop::collection::vec(number(), 6),
        numbers in [number(), number(), number()], k in count()
    ) {
        let Ok(data) = Dataset::new(DMatrix::from_vec(2, 6, entries), DVector::from_vec(labels)) else {
            return Ok(());
        };
        let options = ExpRegressor::options().width(8).max_steps(5);
        for options in [options, options.std_dev(numbers[0]), options.validation(numbers[1]), options.patience(k)] {
            if let Ok(model) = options.fit(&data) {
                assert!(is_finite(model.network()));
                if let Ok(predicted) = model.predict(data.points()) {
                    assert!(predicted.iter().all(|p| p.is_finite()));
                }
                let _ = model.score(&data);
            }
        }
    }
}
