//! Validation: the best weights are put back.

use super::problem;
use crate::support::refused;
use expnet::method::Minibatch;
use expnet::observer::History;
use expnet::{Dataset, ExpNetwork, Termination, Trainer};
use nalgebra::{dmatrix, dvector};

#[test]
fn best_weights_are_put_back_when_validation_only_rises() {
    let (data, start, size) = problem();
    // What the start gives already: every step away from it is worse.
    let validation = Dataset::new(data.points().clone(), start.forward(data.points()).unwrap()).unwrap();
    let mut net = start.clone();
    let trainer = Trainer::new(size).validation(&validation, 4);
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::NoImprovement, 4));
    assert_eq!((report.best_step(), report.validation_loss()), (Some(0), Some(0.0)));
    assert_eq!(net, start);
    assert_eq!(report.loss(), start.loss(&data).unwrap());
}

/// Labels halfway between the start's outputs and the data's: passed by on the way.
fn halfway(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> Dataset<f64> {
    let labels = (net.forward(data.points()).unwrap() + data.labels()) / 2.0;
    Dataset::new(data.points().clone(), labels).unwrap()
}

#[test]
fn best_weights_are_put_back_whatever_ends_the_run() {
    let (data, start, size) = problem();
    let validation = halfway(&start, &data);
    for (patience, reason) in [(5, Termination::NoImprovement), (100_000, Termination::MaxSteps)] {
        let mut net = start.clone();
        let mut history = History::default();
        let trainer = Trainer::new(size)
            .validation(&validation, patience)
            .observe(&mut history);
        let report = trainer.max_steps(3000).fit(&mut net, &data).unwrap();
        assert_eq!(report.termination(), reason);
        let best = report.best_step().unwrap();
        assert!(best > 0 && best < report.steps());
        let least = history
            .validation_losses()
            .iter()
            .flatten()
            .copied()
            .fold(f64::INFINITY, f64::min);
        assert_eq!(report.validation_loss(), Some(least));
        assert_eq!(history.validation_losses()[best], Some(least));
        if reason == Termination::NoImprovement {
            assert_eq!(report.steps(), best + patience);
        }
        let of_net = net.loss(&validation).unwrap();
        assert!((of_net - least).abs() <= 1e-12 * least.max(1.0), "{of_net} {least}");
        assert!((report.loss() - net.loss(&data).unwrap()).abs() <= 1e-12 * report.loss());
        // The same weights as a run that ends there.
        let mut short = start.clone();
        Trainer::new(size).max_steps(best).fit(&mut short, &data).unwrap();
        assert_eq!(net, short);
    }
}

#[test]
fn minibatches_are_validated_from_the_start() {
    let (data, start, size) = problem();
    let validation = halfway(&start, &data);
    let mut history = History::default();
    let trainer = Trainer::new(size)
        .method(Minibatch::new(4))
        .validation(&validation, 100);
    let trainer = trainer.observe(&mut history).max_steps(3);
    trainer.fit(&mut start.clone(), &data).unwrap();
    let (found, expected) = (
        history.validation_losses()[0].unwrap(),
        start.loss(&validation).unwrap(),
    );
    assert!((found - expected).abs() <= 1e-12 * expected, "{found} {expected}");
}

#[test]
fn a_validation_loss_out_of_range_is_refused_at_the_start() {
    // F = 0 there, and the square of the label is no f32.
    let data = Dataset::new(dmatrix![1.0_f32], dvector![1.0]).unwrap();
    let far = Dataset::new(dmatrix![1.0_f32], dvector![1e20]).unwrap();
    let mut net = ExpNetwork::from_parts(dmatrix![0.0_f32, 0.0], dvector![1.0, -1.0]).unwrap();
    let result = Trainer::new(0.1).validation(&far, 3).max_steps(0).fit(&mut net, &data);
    refused(result, &["the sum over all validation points", "f32"]);
}
