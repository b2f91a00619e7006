//! The observers of a run.

use crate::float::Float;
use crate::observer::{Observer, Progress};
use crate::report::FitReport;

/// All observers of a run, in the order in which they were given.
pub(super) struct Observers<'a, T: Float> {
    all: Vec<Box<dyn Observer<T> + 'a>>,
    /// Whether some rank has an observer or a time limit, which may stop the run.
    pub vote: bool,
    /// The step at which the run starts.
    first: usize,
}

/// What the observers are told of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Start,
    Step,
    /// The run is over: the last step, for those who have not seen it.
    End,
}

impl<'a, T: Float> Observers<'a, T> {
    pub fn new(all: Vec<Box<dyn Observer<T> + 'a>>, vote: bool) -> Self {
        Self { all, vote, first: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Calls the observers that are due; returns true if one of them wants the run to stop.
    pub fn notify(&mut self, event: Event, progress: &Progress<'_, T>) -> bool {
        let steps = progress.steps();
        if let Event::Start = event {
            self.first = steps;
        }
        let mut stop = false;
        for observer in &mut self.all {
            let every = observer.every();
            let due = every > 0 && steps.is_multiple_of(every);
            stop |= match event {
                Event::Start => observer.start(progress).is_break(),
                Event::Step if due => observer.step(progress).is_break(),
                Event::End if every > 0 && !due && steps > self.first => observer.step(progress).is_break(),
                _ => false,
            };
        }
        stop
    }

    /// Shows the report to the observers, and adds their problems to it.
    pub fn end(&mut self, report: &mut FitReport<T>) {
        for observer in &mut self.all {
            observer.end(report);
        }
        report.problems = self.all.iter().filter_map(Observer::problem).collect();
    }
}
