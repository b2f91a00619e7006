//! What waits for an improvement waits in looks: a step of a full batch, an epoch of minibatches.

use super::{net, scaled};
use expnet::method::Minibatch;
use expnet::schedule::ReduceOnPlateau;
use expnet::{Dataset, Termination, Trainer};

#[test]
fn a03_validation_waits_in_epochs() {
    let data = scaled::<f64>(1000);
    let (train, validation) = data.split(0.8, 1).unwrap();
    let mut net = net(data.dimension(), 64);
    let report = Trainer::new(1e-4)
        .method(Minibatch::new(32).seed(1))
        .validation(&validation, 20)
        .max_steps(100)
        .fit(&mut net, &train)
        .unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::MaxSteps, 100));
    assert!(report.best_step().unwrap() > 0);
}

#[test]
fn a03_validation_stops_after_patience_epochs_without_improvement() {
    let data = scaled::<f64>(40);
    let mut net = net(data.dimension(), 64);
    // Each step towards the labels is one away from their opposites: the validation loss is smallest at the start.
    let opposite = Dataset::new(data.points().clone(), -data.labels()).unwrap();
    let report = Trainer::new(1e-4)
        .method(Minibatch::new(10).seed(1))
        .validation(&opposite, 3)
        .max_steps(400)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::NoImprovement, 12));
    assert_eq!(report.best_step(), Some(0));
}

#[test]
fn a03_stall_waits_in_epochs() {
    let data = scaled::<f64>(100);
    let mut net = net(data.dimension(), 64);
    let report = Trainer::new(1e-4)
        .method(Minibatch::new(10).seed(1))
        .stall(5, 0.0)
        .max_steps(200)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::MaxSteps, 200));
    assert!(report.loss() < report.initial_loss());
}

#[test]
fn a03_a_step_of_size_zero_is_no_look() {
    let data = scaled::<f64>(30);
    let (train, validation) = data.split(0.8, 1).unwrap();
    let warm = || expnet::schedule::from_fn(|state| if state.iteration() < 10 { 0.0 } else { 1e-3 });
    let mut one = net(data.dimension(), 64);
    let report = Trainer::new(warm())
        .stall(1, 0.0)
        .max_steps(30)
        .fit(&mut one, &train)
        .unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::MaxSteps, 30));
    let mut other = net(data.dimension(), 64);
    let run = Trainer::new(warm()).validation(&validation, 1).max_steps(12);
    let report = run.fit(&mut other, &train).unwrap();
    assert!(report.steps() > 10, "{report}");
    assert!(report.best_step().unwrap() > 10, "{report}");
}

#[test]
fn a04_reduce_on_plateau_compares_epochs() {
    let data = scaled::<f64>(33);
    let mut net = net(data.dimension(), 64);
    let mut last = None;
    let report = Trainer::new(ReduceOnPlateau::new(1e-4).unwrap().patience(2).threshold(0.0))
        .method(Minibatch::new(16).seed(2))
        .max_steps(300)
        .observe(|progress: &expnet::observer::Progress<'_, f64>| {
            last = progress.step_size();
            std::ops::ControlFlow::Continue(())
        })
        .fit(&mut net, &data)
        .unwrap();
    assert!(report.loss() < 0.5 * report.initial_loss(), "{report}");
    assert_eq!(last, Some(1e-4));
}

#[test]
fn a04_reduce_on_plateau_reduces_once_per_patience_epochs() {
    // The size never counts as an improvement with this threshold, after the first epoch.
    let data = scaled::<f64>(32);
    let mut net = net(data.dimension(), 64);
    let mut sizes = Vec::new();
    Trainer::new(
        ReduceOnPlateau::new(1e-7)
            .unwrap()
            .patience(1)
            .factor(0.5)
            .threshold(0.9),
    )
    .method(Minibatch::new(16).seed(2))
    .max_steps(12)
    .observe(|progress: &expnet::observer::Progress<'_, f64>| {
        sizes.push(progress.step_size().unwrap());
        std::ops::ControlFlow::Continue(())
    })
    .fit(&mut net, &data)
    .unwrap();
    let reductions = sizes.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert_eq!(reductions, 2, "{sizes:?}");
}
