//! A report in a file.

use super::{FitReport, Termination};
use crate::float::Float;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A report as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    termination: String,
    steps: usize,
    passes: usize,
    trial_steps: usize,
    undone_steps: usize,
    initial_loss: Number,
    loss: Number,
    residual_norm: Number,
    last_step_size: Option<Number>,
    validation_loss: Option<Number>,
    best_step: Option<usize>,
    seconds: f64,
    problems: Vec<String>,
}

/// JSON has no infinity, which the loss of an `f32` network can be: then it is text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Other(String),
}

impl Number {
    fn of<T: Float>(x: T) -> Self {
        if x.is_finite() {
            Self::Finite(x.as_f64())
        } else {
            Self::Other(x.to_string())
        }
    }

    fn value<T: Float>(&self) -> Result<T, String> {
        match self {
            Self::Finite(x) => Ok(T::lit(*x)),
            Self::Other(text) => text
                .parse()
                .map(T::lit)
                .map_err(|_| format!("{text:?} is not a number")),
        }
    }
}

impl<T: Float> FitReport<T> {
    pub(crate) fn document(&self) -> Document {
        Document {
            termination: name(self.termination).into(),
            steps: self.steps,
            passes: self.passes,
            trial_steps: self.trial_steps,
            undone_steps: self.undone_steps,
            initial_loss: Number::of(self.initial_loss),
            loss: Number::of(self.loss),
            residual_norm: Number::of(self.residual_norm),
            last_step_size: self.last_step_size.map(Number::of),
            validation_loss: self.validation.map(|(loss, _)| Number::of(loss)),
            best_step: self.validation.map(|(_, step)| step),
            seconds: self.elapsed.as_secs_f64(),
            problems: self.problems.clone(),
        }
    }

    /// Errors: what is wrong with the document.
    pub(crate) fn read(document: &Document) -> Result<Self, String> {
        let optional = |number: &Option<Number>| number.as_ref().map(Number::value).transpose();
        Ok(Self {
            termination: *TERMINATIONS
                .iter()
                .find(|termination| name(**termination) == document.termination)
                .ok_or_else(|| format!("{:?} is no end of a run", document.termination))?,
            steps: document.steps,
            passes: document.passes,
            trial_steps: document.trial_steps,
            undone_steps: document.undone_steps,
            initial_loss: document.initial_loss.value()?,
            loss: document.loss.value()?,
            residual_norm: document.residual_norm.value()?,
            last_step_size: optional(&document.last_step_size)?,
            validation: match (optional(&document.validation_loss)?, document.best_step) {
                (Some(loss), Some(step)) => Some((loss, step)),
                (None, None) => None,
                _ => return Err("a validation loss and its step go together".into()),
            },
            elapsed: Duration::try_from_secs_f64(document.seconds).map_err(|error| error.to_string())?,
            problems: document.problems.clone(),
        })
    }
}

const TERMINATIONS: [Termination; 7] = [
    Termination::Converged,
    Termination::MaxSteps,
    Termination::NoImprovement,
    Termination::Stopped,
    Termination::Stationary,
    Termination::MaxTime,
    Termination::Stalled,
];

fn name(termination: Termination) -> &'static str {
    match termination {
        Termination::Converged => "converged",
        Termination::MaxSteps => "max_steps",
        Termination::NoImprovement => "no_improvement",
        Termination::Stopped => "stopped",
        Termination::Stationary => "stationary",
        Termination::MaxTime => "max_time",
        Termination::Stalled => "stalled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_whole() {
        for termination in TERMINATIONS {
            let report = FitReport {
                termination,
                steps: 70,
                passes: 81,
                trial_steps: 9,
                undone_steps: 1,
                initial_loss: f32::INFINITY,
                loss: 0.1,
                residual_norm: f32::MIN_POSITIVE / 4.0,
                last_step_size: Some(1e-7),
                validation: Some((1.0 / 3.0, 64)),
                elapsed: Duration::from_nanos(1_234_567_891),
                problems: vec!["the log ends".into()],
            };
            let text = serde_json::to_string(&report.document()).unwrap();
            let document: Document = serde_json::from_str(&text).unwrap();
            assert_eq!(FitReport::read(&document).unwrap(), report, "{text}");
        }
    }
}
