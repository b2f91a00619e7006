//! Proofs along a run on several ranks.

use super::{ranks, recipe};
use crate::support::problems;
use expnet::certificate::Proof;
use expnet::communicator::Communicator;
use expnet::schedule::KernelStable;
use expnet::{Dataset, Pass, Trainer};
use nalgebra::{DMatrix, DVector};
use std::f64::consts::PI;

/// Each rank chooses its way by its own neurons, and all of them know if one has taken that of expansion.
#[test]
fn ranks_that_go_different_ways_agree_on_the_rounding() {
    let found = ranks(2, |world| {
        let points = DMatrix::from_fn(2, 8, |k, i| (i as f64 + 0.5 * PI * k as f64).sin());
        let data = Dataset::new(points, DVector::from_fn(8, |i, _| (i as f64).cos()))?;
        let recipe = recipe(&data, 8).antisymmetric(true);
        let mut share = recipe.shard(world.rank(), world.size()).build()?;
        let length = [0.5, 8.0][world.rank()];
        let weights = DMatrix::from_columns(
            &share
                .weights()
                .column_iter()
                .map(|w| w.normalize() * length)
                .collect::<Vec<_>>(),
        );
        share.set_weights(weights)?;
        let trainer = Trainer::new(1e-9).pass(Pass::Expansion).max_steps(3).certify(25);
        let report = trainer.communicator(world).fit(&mut share, &data)?;
        Ok((report.expanded_passes(), report.proof().cloned()))
    });
    let found: Vec<_> = found.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(found[0].0 > 0 && found[1].0 == 0, "{found:?}");
    assert_eq!(found[0].1, found[1].1);
    assert!(
        found
            .iter()
            .all(|(_, proof)| proof.as_ref().is_none_or(|proof| !proof.from_start()))
    );
}

#[test]
fn every_rank_finds_the_proof_of_the_whole_network() {
    let data = problems::data(9, 4, 3);
    let trainer = || {
        Trainer::new(KernelStable::default())
            .max_steps(2000)
            .certify(10)
            .stop_when_proved(true)
    };
    let mut whole = recipe(&data, 40).build().unwrap();
    let solo = trainer().fit(&mut whole, &data).unwrap().proof().unwrap().clone();
    for size in [1, 2, 3] {
        let found = ranks(size, move |world| {
            let data = problems::data(9, 4, 3);
            let mut share = recipe(&data, 40).shard(world.rank(), world.size()).build()?;
            let report = trainer().communicator(world).fit(&mut share, &data)?;
            Ok(report.proof().cloned())
        });
        let found: Vec<Option<Proof>> = found.into_iter().collect::<Result<_, _>>().unwrap();
        for proof in &found {
            let proof = proof.as_ref().unwrap();
            assert_eq!(Some(proof), found[0].as_ref(), "every rank has the same bits");
            assert_eq!((proof.step(), proof.from_start()), (solo.step(), solo.from_start()));
            assert!((proof.certificate().radius() / solo.certificate().radius() - 1.0).abs() < 1e-6);
            assert!(
                (proof.drift() / solo.drift() - 1.0).abs() < 1e-3,
                "{size} {:e} {:e}",
                proof.drift(),
                solo.drift()
            );
        }
    }
}
