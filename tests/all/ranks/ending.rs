//! All ranks end together, even when one of them stops taking part.

use super::{errors, ranks, recipe, three};
use crate::support::problems;
use expnet::communicator::Communicator;
use expnet::observer::Progress;
use expnet::{Dataset, Error, Termination, Trainer, schedule};
use std::ops::ControlFlow;
use std::time::Duration;

#[test]
fn a_panic_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        drop(trainer);
        Trainer::new(schedule::from_fn(move |state| {
            assert!(rank != 1 || state.iteration() < 5, "no step {}", state.iteration());
            1e-3
        }))
    }));
    let gone = "rank 1 has panicked; see that rank's own error";
    assert_eq!([&texts[0], &texts[2]], [gone, gone]);
    assert!(texts[1].starts_with("rank 1 has panicked: no step 5"), "{}", texts[1]);
}

#[test]
fn divergence_is_the_same_error_on_all() {
    for answer in three(|_, trainer| {
        drop(trainer);
        Trainer::new(1e3)
    }) {
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::Diverged { step: 0 | 1, .. }), "{error}");
    }
}

#[test]
fn one_rank_may_watch_and_stop_the_run() {
    for answer in three(|rank, trainer| {
        if rank != 2 {
            return trainer;
        }
        trainer.observe(|progress: &Progress<'_, f64>| match progress.steps() {
            7 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    }) {
        let report = answer.unwrap();
        assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 7));
    }
}

#[test]
fn where_all_ranks_watch_one_may_stop_the_run() {
    for answer in three(|rank, trainer| {
        trainer.observe(move |progress: &Progress<'_, f64>| match progress.steps() {
            7 if rank == 2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    }) {
        let report = answer.unwrap();
        assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 7));
    }
}

#[test]
fn one_clock_ends_the_run() {
    for answer in three(|rank, trainer| {
        if rank == 1 {
            trainer.max_time(Duration::ZERO)
        } else {
            trainer
        }
    }) {
        let report = answer.unwrap();
        assert_eq!((report.termination(), report.steps()), (Termination::MaxTime, 0));
    }
}

#[test]
fn a_session_dropped_on_one_rank_is_an_error_on_all_others() {
    for steps in [0, 4, 20] {
        let answers = ranks(3, move |world| {
            let data = problems::data::<f64>(12, 3, 3);
            let rank = world.rank();
            let mut share = recipe(&data, 70).shard(rank, 3).build()?;
            let mut session = Trainer::new(1e-3)
                .max_steps(20)
                .communicator(world.clone())
                .start(&mut share, &data)?;
            for _ in 0..steps {
                session.step()?;
            }
            if rank == 1 {
                drop(session);
                // It may meet the others again.
                world.all_reduce_sum(&mut [1.0])?;
                return Ok(true);
            }
            while session.step().is_ok_and(|over| over.is_none()) {}
            let ended = session.finish().is_err();
            world.all_reduce_sum(&mut [1.0])?;
            Ok(ended)
        });
        assert!(answers.into_iter().all(Result::unwrap), "after {steps} steps");
    }
}

#[test]
fn a_rank_that_never_trains_is_an_error_on_all_others() {
    let answers = ranks(3, |world| {
        if world.rank() == 1 {
            return Dataset::from_rows::<[f64; 1]>(&[], &[]).map(|_| ());
        }
        let data = problems::data::<f64>(12, 3, 3);
        let mut share = recipe(&data, 70).shard(world.rank(), 3).build()?;
        Trainer::new(1e-3)
            .communicator(world)
            .fit(&mut share, &data)
            .map(|_| ())
    });
    let texts = errors(answers);
    let gone = "rank 1 has left the job; see that rank's own error";
    assert_eq!([&texts[0], &texts[2]], [gone, gone]);
    assert!(texts[1].contains("is empty"), "{}", texts[1]);
}
