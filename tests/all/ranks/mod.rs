//! A run on several ranks is the run on one; and whatever happens on one rank, no other waits for ever.

mod ending;
mod errors;
mod proof;
mod resume;
mod same_run;
mod shares;
mod sums;

use crate::support::problems::data;
use expnet::communicator::{Communicator, Threads};
use expnet::{Dataset, Error, FitReport, Initializer, Trainer};
use std::fmt::Debug;
use std::sync::mpsc;
use std::time::Duration;

/// What the other ranks of a run say when rank 1 has met an error.
const GONE: &str = "rank 1 of 3 has failed; see the error on that rank";

/// The same of a file that they write together, through rank 0.
const ANOTHER_GONE: &str = "rank 0 of 3 has failed; see the error on that rank";

/// What all ranks say when they have taken different paths.
const DISAGREE: &str = "the 3 ranks disagree at exchange";

/// The results of the ranks, in their order.
type Answers<R> = Vec<Result<R, Error>>;

/// Runs the ranks, and fails when they hang.
fn ranks<R: Send + 'static>(
    size: usize,
    work: impl Fn(Threads) -> Result<R, Error> + Send + Sync + 'static,
) -> Answers<R> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(Threads::run(size, work)));
    receive.recv_timeout(Duration::from_secs(60)).expect("the ranks hang")
}

fn recipe(data: &Dataset<f64>, width: usize) -> Initializer {
    Initializer::new(data.dimension(), width).std_dev(0.7).seed(5)
}

/// Three ranks that train; `tune` sets up the trainer of a rank.
fn three(
    tune: impl Fn(usize, Trainer<'static, f64>) -> Trainer<'static, f64> + Send + Sync + 'static,
) -> Answers<FitReport<f64>> {
    let answers = ranks(3, move |world| {
        let data = data(12, 3, 3);
        let mut share = recipe(&data, 70).shard(world.rank(), world.size()).build()?;
        let trainer = tune(world.rank(), Trainer::new(1e-3)).max_steps(20).communicator(world);
        trainer.fit(&mut share, &data)
    });
    assert_eq!(answers.len(), 3);
    answers
}

/// The messages of the ranks' errors, in their order.
fn errors<R: Debug>(answers: Answers<R>) -> Vec<String> {
    let texts = answers.into_iter().map(|answer| answer.unwrap_err().to_string());
    texts.collect()
}

#[track_caller]
fn assert_all_begin(texts: &[String], words: &str) {
    assert!(texts.iter().all(|text| text.starts_with(words)), "{texts:?}");
}
