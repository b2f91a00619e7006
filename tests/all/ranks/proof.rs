//! Proofs along a run on several ranks.

use super::{ranks, recipe};
use crate::support::problems;
use expnet::Trainer;
use expnet::certificate::Proof;
use expnet::communicator::Communicator;
use expnet::schedule::KernelStable;

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
