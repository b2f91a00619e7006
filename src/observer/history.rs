//! Recording a run in memory.

use super::{Movement, Observer, Progress};
use crate::error::Error;
use crate::exact;
use crate::float::Float;
use crate::setting::checked_serde;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Records a run, at its start, after every [`every`](Self::every)-th step and after the last: losses, step sizes,
/// times, and how far the weights have moved, which distinguishes lazy training (a little) from feature learning (a
/// lot).
///
/// Pass it to a trainer with `.observe(&mut history)`. Each run clears it first. Recording the movement costs O(d m)
/// per record; switch it off with [`movement(false)`](Self::movement) if that matters.
///
/// ```
/// # use expnet::{Dataset, Initializer, Trainer, observer::History};
/// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let mut history = History::default().every(10);
/// Trainer::new(1e-3).max_steps(50).observe(&mut history).fit(&mut net, &data)?;
/// assert_eq!(history.steps(), [0, 10, 20, 30, 40, 50]);
/// assert!(history.losses().is_sorted_by(|a, b| a > b));
/// assert_eq!(history.movements()[0].frobenius, 0.0);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct History {
    every: usize,
    watches_movement: bool,
    steps: Vec<usize>,
    #[serde(with = "exact::numbers")]
    losses: Vec<f64>,
    step_sizes: Vec<Option<f64>>,
    #[serde(with = "exact::options")]
    validation_losses: Vec<Option<f64>>,
    seconds: Vec<f64>,
    movements: Vec<Movement>,
}

impl Default for History {
    /// Records every step, including the movement.
    fn default() -> Self {
        Self {
            every: 1,
            watches_movement: true,
            steps: Vec::new(),
            losses: Vec::new(),
            step_sizes: Vec::new(),
            validation_losses: Vec::new(),
            seconds: Vec::new(),
            movements: Vec::new(),
        }
    }
}

impl History {
    /// The columns of a record, in the order of [`to_matrix`](Self::to_matrix) and of the CSV table.
    pub const COLUMNS: [&'static str; 7] = [
        "step",
        "loss",
        "step_size",
        "validation_loss",
        "seconds",
        "largest_movement",
        "frobenius_movement",
    ];

    /// Records the start, every `steps`-th step and the last one. Defaults to 1; 0 records only the start.
    pub fn every(mut self, steps: usize) -> Self {
        self.every = steps;
        self
    }

    /// Whether to record how far the weights have moved. Defaults to `true`.
    pub fn movement(mut self, on: bool) -> Self {
        self.watches_movement = on;
        self
    }

    /// The number of steps taken before each record; 0 at the start.
    pub fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// The losses (with minibatches, on the next batch).
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// The size of the last step before each record; `None` at the start.
    pub fn step_sizes(&self) -> &[Option<f64>] {
        &self.step_sizes
    }

    /// The validation losses; `None` if there is no validation data.
    pub fn validation_losses(&self) -> &[Option<f64>] {
        &self.validation_losses
    }

    /// The time since the start of the run, in seconds.
    pub fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// How far the weights have moved; empty if [`movement`](Self::movement) is off.
    pub fn movements(&self) -> &[Movement] {
        &self.movements
    }

    /// Writes a CSV table with a header and one row per record. Unknown values are left empty.
    ///
    /// Errors: [`Error::Io`] if writing fails.
    #[cfg(feature = "csv")]
    pub fn to_csv(&self, writer: impl std::io::Write) -> Result<(), Error> {
        let fail = |source| Error::Io {
            action: "writing the history".into(),
            source,
        };
        let mut table = csv::Writer::from_writer(writer);
        let optional = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:e}"));
        table.write_record(Self::COLUMNS).map_err(|error| fail(error.into()))?;
        for (i, step) in self.steps.iter().enumerate() {
            let movement = self.movements.get(i);
            let row = [
                step.to_string(),
                format!("{:e}", self.losses[i]),
                optional(self.step_sizes[i]),
                optional(self.validation_losses[i]),
                format!("{:.6}", self.seconds[i]),
                optional(movement.map(|movement| movement.largest)),
                optional(movement.map(|movement| movement.frobenius)),
            ];
            table.write_record(row).map_err(|error| fail(error.into()))?;
        }
        table.flush().map_err(fail)
    }

    /// A matrix with one record per row and the columns of [`COLUMNS`](Self::COLUMNS). Unknown values are NaN. Use it
    /// to pass the history to other tools, for example with `npy::save` (feature `npy`).
    pub fn to_matrix(&self) -> DMatrix<f64> {
        let number = |x: Option<f64>| x.unwrap_or(f64::NAN);
        DMatrix::from_fn(self.steps.len(), Self::COLUMNS.len(), |i, column| match column {
            0 => self.steps[i] as f64,
            1 => self.losses[i],
            2 => number(self.step_sizes[i]),
            3 => number(self.validation_losses[i]),
            4 => self.seconds[i],
            5 => number(self.movements.get(i).map(|movement| movement.largest)),
            _ => number(self.movements.get(i).map(|movement| movement.frobenius)),
        })
    }

    /// Checks that all lists have the same length.
    fn check_settings(&self) -> Result<(), Error> {
        let records = self.steps.len();
        let movements = if self.watches_movement { records } else { 0 };
        let lengths = [
            self.losses.len(),
            self.step_sizes.len(),
            self.validation_losses.len(),
            self.seconds.len(),
        ];
        let odd = lengths
            .into_iter()
            .find(|&found| found != records)
            .map(|found| (records, found));
        match odd.or((self.movements.len() != movements).then_some((movements, self.movements.len()))) {
            None => Ok(()),
            Some((expected, found)) => Err(Error::Shape {
                what: "the length of a list in a history".into(),
                expected,
                found,
                remedy: "give every list one entry per record",
            }),
        }
    }

    fn record<T: Float>(&mut self, progress: &Progress<'_, T>) {
        self.steps.push(progress.steps());
        self.losses.push(progress.loss().as_f64());
        self.step_sizes.push(progress.step_size().map(Float::as_f64));
        self.validation_losses
            .push(progress.validation_loss().map(Float::as_f64));
        self.seconds.push(progress.elapsed().as_secs_f64());
        if self.watches_movement {
            self.movements.push(progress.movement());
        }
    }
}

checked_serde!(History);

impl<T: Float> Observer<T> for History {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        *self = Self::default().every(self.every).movement(self.watches_movement);
        self.record(progress);
        ControlFlow::Continue(())
    }

    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.record(progress);
        ControlFlow::Continue(())
    }

    fn every(&self) -> usize {
        self.every
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_overflow_come_back_from_json() {
        let history = History {
            steps: vec![0, 1],
            losses: vec![f64::INFINITY, 1.5],
            step_sizes: vec![None, Some(0.1)],
            validation_losses: vec![None, Some(f64::INFINITY)],
            seconds: vec![0.0, 1.0],
            movements: vec![Movement::default(); 2],
            ..History::default()
        };
        let json = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history, "{json}");
    }
}
