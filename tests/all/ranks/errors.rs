//! An error or a difference on one rank is an error on all.

use super::{DISAGREE, GONE, assert_all_begin, errors, ranks, recipe, three};
use crate::support::{Answers, problems};
use expnet::communicator::Communicator;
use expnet::method::{GradientDescent, Minibatch};
use expnet::observer::Progress;
use expnet::schedule::{self, Backtracking, Schedule};
use expnet::{Initializer, Trainer};
use nalgebra::DMatrix;
use std::ops::ControlFlow;

/// Sizes that differ on rank 1 from step `at` on.
fn on_rank_1(rank: usize, at: usize, size: f64) -> impl Schedule<f64> {
    schedule::from_fn(move |state| {
        if rank == 1 && state.iteration() >= at {
            size
        } else {
            1e-3
        }
    })
}

#[test]
fn an_error_on_one_rank_is_an_error_on_all() {
    for at in [0, 1, 19] {
        let texts = errors(three(move |rank, trainer| {
            drop(trainer);
            Trainer::new(on_rank_1(rank, at, -1.0))
        }));
        assert_eq!(texts[0], GONE);
        assert!(
            texts[1].starts_with(&format!("the step size of step {at} is -1")),
            "{}",
            texts[1]
        );
        assert_eq!(texts[2], GONE);
    }
}

#[test]
fn a_bad_setting_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        trainer.tolerance(if rank == 1 { -1.0 } else { 0.0 })
    }));
    assert_eq!([&texts[0], &texts[2]], [GONE, GONE]);
    assert!(texts[1].starts_with("`Trainer::tolerance` is -1"), "{}", texts[1]);
}

#[test]
fn another_setting_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| trainer.stall(5 + rank, 0.1)));
    assert_all_begin(&texts, DISAGREE);
}

#[test]
fn another_step_size_on_one_rank_is_an_error_on_all() {
    for at in [0, 19] {
        let texts = errors(three(move |rank, trainer| {
            drop(trainer);
            Trainer::new(on_rank_1(rank, at, 1.1e-3))
        }));
        assert_all_begin(&texts, "the step size of this rank is 1");
    }
}

#[test]
fn another_first_trial_on_one_rank_is_told_as_such() {
    let search = |rank| Backtracking::default().initial(if rank == 1 { 1e-5 } else { 1e-3 });
    let texts = errors(three(move |rank, trainer| {
        drop(trainer);
        Trainer::new(search(rank))
    }));
    assert_all_begin(&texts, "the step size of this rank is 1");
}

#[test]
fn another_momentum_on_one_rank_is_an_error_on_all() {
    let methods: [fn() -> GradientDescent; 3] = [
        || GradientDescent::default().momentum(0.9),
        || GradientDescent::default().nesterov(0.5),
        GradientDescent::default,
    ];
    for method in methods {
        let texts = errors(three(move |rank, trainer| {
            trainer.method(if rank == 1 {
                method()
            } else {
                GradientDescent::default().momentum(0.5)
            })
        }));
        assert_all_begin(&texts, DISAGREE);
    }
}

#[test]
fn another_direction_on_one_rank_is_an_error_on_all() {
    // The signs of the residual, or on rank 1 the opposite ones.
    let texts = errors(three(|rank, trainer| {
        let sign = if rank == 1 { -1.0 } else { 1.0 };
        trainer.method(Answers::changing(move |direction| {
            direction.dual.iter_mut().for_each(|v: &mut f64| *v = sign * v.signum());
        }))
    }));
    assert_all_begin(&texts, "the direction of this rank");
}

#[test]
fn other_points_on_one_rank_are_an_error_on_all() {
    for columns in [5, 7] {
        let answers = ranks(3, move |world| {
            let count = if world.rank() == 1 { columns } else { 5 };
            let points = DMatrix::from_fn(3, count, |k, i| (k + 2 * i + world.rank() / 2) as f64 / 10.0);
            let share = Initializer::new(3, 60).shard(world.rank(), 3).build::<f64>()?;
            share.forward_over(&world, &points)
        });
        for answer in answers {
            let text = answer.unwrap_err().to_string();
            assert!(text.starts_with("the ranks were given different points"), "{text}");
        }
    }
}

#[test]
fn another_batch_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        trainer.method(Minibatch::new(4).seed(rank as u64))
    }));
    assert_all_begin(&texts, DISAGREE);
}

#[test]
fn other_data_on_one_rank_is_an_error_on_all() {
    let answers = ranks(3, |world| {
        let data = problems::data(12, 3, world.rank() as u64);
        let mut share = recipe(&data, 70).shard(world.rank(), 3).build()?;
        Trainer::new(1e-3).communicator(world).fit(&mut share, &data)
    });
    let texts = errors(answers);
    assert_all_begin(&texts, DISAGREE);
}

#[test]
fn another_path_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        trainer.method(Answers::new(move |evaluation, direction| {
            if rank == 1 && evaluation.iteration() == 3 {
                // A method may swallow the error: the run must not go on.
                let _ = evaluation.tangent_product(&vec![1.0; direction.dual.len()]);
            }
            Ok(())
        }))
    }));
    assert_all_begin(&texts, DISAGREE);
}

#[test]
fn movement_on_one_rank_alone_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        trainer.observe(move |progress: &Progress<'_, f64>| {
            if rank == 1 {
                assert!(progress.movement().largest.is_nan());
            }
            ControlFlow::Continue(())
        })
    }));
    assert_all_begin(&texts, DISAGREE);
}

#[test]
fn outputs_over_ranks_fail_together() {
    let answers = ranks(2, |world| {
        let share = Initializer::new(2, 8).shard(world.rank(), 2).build::<f64>()?;
        let x = if world.rank() == 1 { f64::NAN } else { 0.5 };
        let outputs = share.forward_over(&world, &DMatrix::from_element(2, 3, x)).map(|_| ());
        // The line is still good.
        let data = problems::data(5, 2, 1);
        assert!(share.loss_over(&world, &data)? > 0.0);
        outputs
    });
    let texts = errors(answers);
    assert!(texts[0].starts_with("rank 1 of 2 has failed"), "{}", texts[0]);
    assert!(texts[1].starts_with("a coordinate is NaN"), "{}", texts[1]);
}
