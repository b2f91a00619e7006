//! Long computations, away from the interpreter.
//!
//! A computation runs on a thread of its own, and the thread that called it lets go of the interpreter and listens: to the run,
//! which may ask a callable of Python's for a step size, and to the keyboard. All Python code thus runs on the thread of the caller.

use crate::error::{exception, refused};
use crate::state::{Link, Query, StepState};
use expnet::schedule::{self, Schedule};
use expnet::{Error, observer};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often the keyboard is looked at.
const TICK: Duration = Duration::from_millis(50);

/// A callable of Python's, which any thread may hold.
pub type Callable = Arc<Py<PyAny>>;

/// A callable is asked for the size of a step.
struct Question {
    callable: Callable,
    snapshot: StepState,
}

/// What the thread of the caller answers.
pub enum Reply {
    /// The callable wants to know something first.
    Query(Query),
    /// The size of the step.
    Size(f64),
    /// The callable has failed.
    Failed,
}

/// The run's end of the line.
pub struct Line<'a> {
    questions: Sender<Question>,
    replies: Receiver<Reply>,
    results: Sender<Option<f64>>,
    link: Link,
    stop: &'a AtomicBool,
}

impl Line<'_> {
    /// An observer that stops the run when the user has asked for it.
    pub fn observer(&self) -> impl observer::Observer<f64> + '_ {
        observer::from_fn(|_| {
            if self.stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// A schedule that asks a callable.
    pub fn schedule(&self, callable: Callable) -> impl Schedule<f64> + '_ {
        schedule::from_fn(move |state| self.ask(&callable, state))
    }

    fn ask(&self, callable: &Callable, state: &mut schedule::StepState<'_, f64>) -> f64 {
        let question = Question {
            callable: callable.clone(),
            snapshot: StepState::new(state, self.link.clone()),
        };
        match self.questions.send(question) {
            Ok(()) => self.serve(state),
            Err(_) => None,
        }
        .unwrap_or_else(|| state.stall("the schedule has failed"))
    }

    /// Answers what the callable wants to know, until it returns a size or fails.
    fn serve(&self, state: &mut schedule::StepState<'_, f64>) -> Option<f64> {
        loop {
            match self.replies.recv() {
                Ok(Reply::Query(query)) => self.results.send(query.answer(state)).ok()?,
                Ok(Reply::Size(size)) => return Some(size),
                Ok(Reply::Failed) | Err(_) => return None,
            }
        }
    }
}

/// Runs `work` without the interpreter.
///
/// Errors: that of `work`; the exception of a callable, or of the keyboard, which end a run at its next step.
pub fn supervised<R: Send>(py: Python<'_>, work: impl FnOnce(&Line<'_>) -> Result<R, Error> + Send) -> PyResult<R> {
    let stop = AtomicBool::new(false);
    let (questions, inbox) = channel();
    let (answers, replies) = channel();
    let (results, received) = channel();
    let line = Line {
        questions,
        replies,
        results,
        link: Link::new(answers.clone(), Arc::new(Mutex::new(received))),
        stop: &stop,
    };
    let listener = Listener {
        inbox,
        answers,
        stop: &stop,
    };
    py.detach(move || {
        thread::scope(|scope| {
            let worker = scope.spawn(move || work(&line));
            let failure = listener.listen();
            match (failure, worker.join()) {
                (Some(failure), _) => Err(failure),
                (None, Ok(outcome)) => outcome.map_err(exception),
                (None, Err(_)) => Err(PyRuntimeError::new_err(
                    "expnet has failed; please report this as a bug",
                )),
            }
        })
    })
}

/// The caller's end of the line.
struct Listener<'a> {
    inbox: Receiver<Question>,
    answers: Sender<Reply>,
    stop: &'a AtomicBool,
}

impl Listener<'_> {
    /// Serves the run until it ends, and returns the first exception.
    fn listen(self) -> Option<PyErr> {
        let mut failure = None;
        loop {
            let outcome = match self.inbox.recv_timeout(TICK) {
                Ok(question) if failure.is_none() => self.serve(question),
                Ok(_) => self.answer(Reply::Failed),
                Err(RecvTimeoutError::Timeout) if failure.is_none() => interrupted(),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return failure,
            };
            if let Err(error) = outcome {
                self.stop.store(true, Ordering::Relaxed);
                failure = failure.or(Some(error));
            }
        }
    }

    fn serve(&self, question: Question) -> PyResult<()> {
        let size = Python::attach(|py| {
            let state = Bound::new(py, question.snapshot)?;
            let result = question.callable.bind(py).call1((&state,));
            state.get().close();
            result?.extract::<f64>()
        });
        match size {
            Ok(size) => self.answer(Reply::Size(size)),
            Err(error) => {
                self.answer(Reply::Failed)?;
                Err(error)
            }
        }
    }

    fn answer(&self, reply: Reply) -> PyResult<()> {
        self.answers.send(reply).map_err(|_| refused("the run has ended"))
    }
}

/// The exception of the keyboard, if there is one.
#[allow(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough"
)]
fn interrupted() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}
