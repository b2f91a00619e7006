//! `check::resume`, which tells users whether their own schedules and methods resume.

use super::start;
use crate::support::problems::sines;
use expnet::schedule::{Schedule, StepState};
use expnet::{Error, Record, Trainer, check};

/// A schedule with an error in its `restore`.
struct Forgetful {
    seen: f64,
}

impl Schedule<f64> for Forgetful {
    fn step_size(&mut self, _: &mut StepState<'_, f64>) -> f64 {
        self.seen += 1.0;
        1e-4 * self.seen
    }

    fn save(&self) -> Option<Record> {
        Some(Record::new("Forgetful"))
    }

    fn restore(&mut self, _: &Record) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn the_check_finds_what_is_forgotten() {
    let report = check::resume(|| Trainer::new(Forgetful { seen: 0.0 }), &start(3), &sines(12, 3), 4).unwrap();
    assert!(!report.agrees());
    // Resumed at 0 and at the end, nothing is forgotten yet, or no longer needed.
    let steps: Vec<usize> = report.differences.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [1, 2, 3, 4], "{report}");
    assert!(
        report
            .to_string()
            .contains("differs in 4 of 6 resumed runs: resumed at step 1, coordinate")
    );
}

#[test]
fn a_state_too_deep_for_a_file_is_refused_at_once() {
    let nested = |depth| {
        let mut schedule: Box<dyn Schedule<f64>> = Box::new(1e-3);
        for _ in 0..depth {
            schedule = Box::new(schedule.scale(1.0));
        }
        schedule
    };
    let report = check::resume(|| Trainer::new(nested(47)), &start(3), &sines(12, 3), 2).unwrap();
    assert!(report.agrees(), "{report}");
    let error = check::resume(|| Trainer::new(nested(48)), &start(3), &sines(12, 3), 2).unwrap_err();
    assert!(error.to_string().contains("nested more than 48"), "{error}");
}
