//! Every schedule and combinator of the crate, resumed after each step.

use super::{Make, STEPS, passes, problems, start};
use expnet::schedule::{
    self, Backtracking, BarzilaiBorwein, Certified, Constant, Cosine, Cyclic, DeltaBarDelta, ExponentialDecay,
    InverseTime, KernelStable, OneCycle, Polyak, Polynomial, ReduceOnPlateau, Schedule, StepDecay, StepState,
    StrongWolfe,
};
use expnet::{Dataset, Float, Initializer, Trainer, certificate, check};

/// Every schedule and combinator of the crate, with settings that put its memory to use within a few steps.
pub fn schedules<T: Float>() -> Vec<(&'static str, Make<T>)> {
    vec![
        ("number", || Box::new(1e-3)),
        ("stateless", || {
            Box::new(schedule::stateless(|state: &mut StepState<'_, T>| {
                T::lit(1e-3 / (1.0 + state.iteration() as f64))
            }))
        }),
        ("Constant", || Box::new(Constant::new(1e-3).unwrap())),
        ("InverseTime", || {
            Box::new(InverseTime::new(1e-3, 0.5).unwrap().steps(2).staircase(true))
        }),
        ("StepDecay", || Box::new(StepDecay::new(1e-3, 0.5, 3).unwrap())),
        ("ExponentialDecay", || {
            Box::new(ExponentialDecay::new(1e-3, 0.5, 4).unwrap().begin(2).end(4e-4))
        }),
        ("Polynomial", || {
            Box::new(Polynomial::new(1e-3, 1e-4, 6).unwrap().power(2.0))
        }),
        ("Cosine", || Box::new(Cosine::new(1e-3, 3).unwrap().restarts(2))),
        ("OneCycle", || Box::new(OneCycle::new(1e-3, 7).unwrap())),
        ("Cyclic", || Box::new(Cyclic::new(1e-4, 1e-3, 2).unwrap().decay(0.9))),
        ("Cyclic, halving", || {
            Box::new(Cyclic::new(1e-4, 1e-3, 2).unwrap().halving())
        }),
        ("ReduceOnPlateau", || {
            Box::new(
                ReduceOnPlateau::new(1e-3)
                    .unwrap()
                    .patience(1)
                    .threshold(0.5)
                    .cooldown(1),
            )
        }),
        ("KernelStable", || Box::new(KernelStable::default())),
        ("KernelStable, refreshed", || {
            Box::new(KernelStable::default().factor(0.7).refresh(3))
        }),
        ("Backtracking", || Box::new(Backtracking::default())),
        ("Backtracking, from afar", || {
            Box::new(Backtracking::default().initial(10.0).grow(3.0))
        }),
        ("StrongWolfe", || Box::new(StrongWolfe::default().curvature(0.3))),
        ("Polyak", || Box::new(Polyak::default().max(1e-2))),
        ("BarzilaiBorwein", || Box::new(BarzilaiBorwein::default())),
        ("BarzilaiBorwein, short", || {
            Box::new(BarzilaiBorwein::default().short(true).initial(1e-3))
        }),
        ("DeltaBarDelta", || Box::new(DeltaBarDelta::default().growth(0.8))),
        ("warmup", || Box::new(KernelStable::default().warmup(4))),
        ("clamp", || Box::new(Backtracking::default().clamp(1e-6, 2e-3))),
        ("then", || {
            Box::new(
                ReduceOnPlateau::new(1e-3)
                    .unwrap()
                    .patience(0)
                    .then(3, DeltaBarDelta::default()),
            )
        }),
        ("scale", || Box::new(BarzilaiBorwein::default().scale(0.9))),
        ("all of them", || {
            let boxed: Box<dyn Schedule<T>> = Box::new(KernelStable::default().warmup(2).scale(0.5));
            Box::new(boxed.then(4, Polyak::default()).clamp(0.0, 1e-2))
        }),
    ]
}

fn every_schedule<T: Float>() {
    for (data, _) in problems::<T>() {
        let net = start(data.dimension());
        for (name, make) in schedules::<T>() {
            for &pass in passes(&data) {
                let report = check::resume(|| Trainer::new(make()).pass(pass), &net, &data, STEPS).unwrap();
                assert!(
                    report.agrees(),
                    "{name}, {pass:?}, {}, d = {}: {report}",
                    T::NAME,
                    data.dimension()
                );
                assert_eq!((report.steps, report.compared), (STEPS, STEPS + 2), "{name}");
            }
        }
    }
}

#[test]
fn every_schedule_resumes_in_f64() {
    every_schedule::<f64>();
}

#[test]
fn every_schedule_resumes_in_f32() {
    every_schedule::<f32>();
}

/// A certificate's step size, on a problem where one holds.
#[test]
fn a_certified_run_resumes() {
    let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5]).unwrap();
    let net = Initializer::new(2, 512)
        .antisymmetric(true)
        .seed(3)
        .build::<f64>()
        .unwrap();
    let proved = certificate::certify(&net, &data).unwrap();
    let report = check::resume(|| Trainer::new(Certified::new(&proved).unwrap()), &net, &data, STEPS).unwrap();
    assert!(report.agrees() && report.steps == STEPS, "{report}");
}
