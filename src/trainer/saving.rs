//! The checkpoints of a run.

use super::Names;
use super::limits::Unfinished;
use super::proving::Prover;
use super::state::RunState;
use super::validation::Best;
use crate::checkpoint::{self, Identity, Records};
use crate::error::Error;
use crate::float::Float;
use crate::method::Method;
use crate::schedule::Schedule;
use crate::step::Position;
use nalgebra::DMatrix;
use std::path::PathBuf;

/// Records within each other that a checkpoint can hold: JSON is read to 128 levels, two for each record.
const DEEPEST: usize = 48;

/// Where and how often a run writes its checkpoint, and when it last did.
#[derive(Debug)]
pub(super) struct Keeper {
    /// The file, and the number of steps between two writes.
    checkpoint: Option<(PathBuf, usize)>,
    identity: Option<Identity>,
    names: Names,
    /// The step of the last checkpoint.
    saved: Option<usize>,
    /// Whether the network holds the current weights.
    pub written_back: bool,
}

impl Keeper {
    pub fn new(
        checkpoint: Option<(PathBuf, usize)>,
        identity: Option<Identity>,
        names: Names,
        written_back: bool,
    ) -> Self {
        Self {
            checkpoint,
            identity,
            names,
            saved: None,
            written_back,
        }
    }

    pub fn names(&self) -> Names {
        self.names
    }

    /// Whether a checkpoint is to be written after this step.
    pub fn is_due(&self, step: usize) -> bool {
        let every = self.checkpoint.as_ref().map(|(_, every)| *every);
        every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// Writes the checkpoint, if there is to be one and it does not hold this step yet.
    pub fn save<T: Float>(&mut self, run: &Run<'_, T>) -> Result<(), Error> {
        let step = run.position.at().iteration();
        let (Some((path, _)), Some(identity)) = (&self.checkpoint, &self.identity) else {
            return Ok(());
        };
        match run.state.ending.unfinished {
            None if self.saved == Some(step) => return Ok(()),
            // The previous checkpoint stays.
            Some(Unfinished::Failed) => return Ok(()),
            _ => {}
        }
        let lost = |with| refused(with, "its `save` returned a state before, and returns none now");
        let Names { schedule, method } = self.names;
        let records = Records {
            schedule: run.schedule.save().ok_or_else(|| lost(schedule))?,
            method: run.method.save().ok_or_else(|| lost(method))?,
            position: run.position.save(),
            run: match run.prover {
                Some(prover) => run.state.save(run.best).with_part("proof", prover.save()),
                None => run.state.save(run.best),
            },
        };
        checkpoint::write(path, identity, records, run.position.engine(), run.initial)?;
        self.saved = Some(step);
        Ok(())
    }
}

/// What a checkpoint holds of a run.
pub(super) struct Run<'r, T: Float> {
    pub schedule: &'r dyn Schedule<T>,
    pub method: &'r dyn Method<T>,
    pub position: &'r Position<T>,
    pub state: &'r RunState,
    pub best: Option<Best>,
    pub prover: Option<&'r Prover<T>>,
    /// The initial weights.
    pub initial: &'r DMatrix<T>,
}

/// Checks that schedule and method can save their states.
pub(super) fn check<T: Float>(schedule: &dyn Schedule<T>, method: &dyn Method<T>, names: Names) -> Result<(), Error> {
    let states = [
        (
            schedule.save(),
            names.schedule,
            "this schedule's `save` returns no state to resume from; implement `Schedule::save` and `restore`, \
             or wrap a function of the state alone in `schedule::stateless`",
        ),
        (
            method.save(),
            names.method,
            "this method's `save` returns no state to resume from; implement `Method::save` and `restore`",
        ),
    ];
    for (state, with, unknown) in states {
        match state {
            None => return Err(refused(with, unknown)),
            Some(record) if record.depth() > DEEPEST => {
                return Err(refused(
                    with,
                    "its state is nested more than 48 records deep, which a checkpoint cannot hold: write one custom \
                     schedule in place of so many combinators",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn refused(with: &'static str, reason: &'static str) -> Error {
    let what = "`Trainer::checkpoint`";
    Error::Incompatible { what, with, reason }
}
