//! The one error type of the crate.

use std::fmt;

/// What can go wrong, in words that name the value, the place and the remedy.
///
/// Every public function either works or returns one of these; nothing panics.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two sizes that must agree do not.
    #[error("{what}: expected {expected}, found {found}; {remedy}")]
    Shape {
        /// The size in question.
        what: String,
        /// What it must be.
        expected: usize,
        /// What it is.
        found: usize,
        /// How to put it right.
        remedy: &'static str,
    },

    /// There is nothing to work with.
    #[error("{what} is empty; {remedy}")]
    Empty {
        /// What is empty.
        what: &'static str,
        /// How to put it right.
        remedy: &'static str,
    },

    /// A NaN or an infinity in the input.
    #[error("{what} is {value:?} at {place}; {remedy}")]
    NotFinite {
        /// Which quantity.
        what: &'static str,
        /// The offending value.
        value: f64,
        /// Where it stands.
        place: String,
        /// How to put it right.
        remedy: &'static str,
    },

    /// A setting outside its range.
    #[error("{setting} is {value}; it must be {expected}")]
    Setting {
        /// The setting, as it is called in code.
        setting: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },

    /// Two settings, each fine alone, that make no sense together.
    #[error("{what} does not go with {with}: {reason}")]
    Incompatible {
        /// The first of the two.
        what: &'static str,
        /// The second.
        with: &'static str,
        /// Why, and what to use instead.
        reason: &'static str,
    },

    /// A schedule or a caller gave a step size that is no step size.
    #[error("the step size of step {step} is {value}; {remedy}")]
    StepSize {
        /// The step, 0 for the first.
        step: usize,
        /// The size.
        value: f64,
        /// How to put it right.
        remedy: &'static str,
    },

    /// Memory that cannot be had.
    #[error("{what} of {numbers} numbers does not fit in memory; {remedy}")]
    OutOfMemory {
        /// What was to be stored.
        what: &'static str,
        /// How many numbers it has.
        numbers: usize,
        /// How to put it right.
        remedy: &'static str,
    },

    /// F(W, x) is not a finite number: an activation exp(<w, x>) left the range of the type.
    #[error(
        "the network's output at {place} is {value}: an activation exp(<w, x>) leaves the range of \
         {dtype}; scale the points down (see `Scaling`), use smaller initial weights, or f64"
    )]
    Overflow {
        /// Which point, or which sum over the points.
        place: String,
        /// The output.
        value: f64,
        /// The scalar type.
        dtype: &'static str,
    },

    /// An entry of a tangent kernel beyond the range of `f64`.
    #[error(
        "{what} of {place} is {value}, beyond the range of f64; scale the points down (see `Scaling`), or use smaller \
         initial weights (`std_dev`)"
    )]
    KernelOverflow {
        /// Which kernel.
        what: &'static str,
        /// The pair of points.
        place: String,
        /// The entry.
        value: f64,
    },

    /// A matrix whose least eigenvalue cannot be told from 0.
    #[error("{what} is singular to working precision (condition {condition:.0e}): {cause}; {remedy}")]
    Singular {
        /// Which matrix.
        what: &'static str,
        /// The estimated condition; infinite where a factor does not exist.
        condition: f64,
        /// What makes it so.
        cause: String,
        /// How to put it right.
        remedy: String,
    },

    /// An iteration that did not reach its tolerance.
    #[error("{what} did not converge in {iterations} iterations; {remedy}")]
    NotConverged {
        /// Which iteration.
        what: &'static str,
        /// How long it went on.
        iterations: usize,
        /// How to put it right.
        remedy: &'static str,
    },

    /// Convergence could not be proved.
    #[error("convergence is not proved: {reason}; {remedy}")]
    NotProved {
        /// What stands in the way.
        reason: String,
        /// How to put it right.
        remedy: &'static str,
    },

    /// Training left the range of finite numbers.
    #[error(
        "training diverged: step {step} of size {step_size:e} made the loss or a weight overflow \
         (last finite loss {last_loss:.6e}); use smaller steps, for example \
         `schedule::KernelStable` or `schedule::Backtracking`"
    )]
    Diverged {
        /// The step, 0 for the first.
        step: usize,
        /// Its size.
        step_size: f64,
        /// The loss before it. The network holds the weights of that loss.
        last_loss: f64,
    },

    /// A column of the data cannot be used.
    #[error("{column} {problem}; {remedy}")]
    Column {
        /// The column, by name or by number (from 0).
        column: String,
        /// What is wrong with it.
        problem: &'static str,
        /// How to put it right.
        remedy: &'static str,
    },

    /// A CSV file that cannot be read as numbers.
    #[error("line {line} of the CSV data: {problem}")]
    Csv {
        /// The line, 1 for the first.
        line: u64,
        /// What was found there, in which column, and the remedy.
        problem: String,
    },

    /// A state that was saved belongs to something else.
    #[error("{what} is {stored} in the record and {given} here; resume with what the run was started with")]
    Mismatch {
        /// The setting or size in question.
        what: String,
        /// What it was when the state was saved.
        stored: String,
        /// What it is now.
        given: String,
    },

    /// A record of a state cannot be used.
    #[error("{what} {problem}")]
    Record {
        /// The value in question.
        what: String,
        /// What is wrong with it, and the remedy where there is one.
        problem: String,
    },

    /// The ranks of a distributed run cannot go on together.
    #[error("{problem}; {remedy}")]
    Ranks {
        /// What happened, on which rank.
        problem: String,
        /// Where to look, or what to do.
        remedy: &'static str,
    },

    /// An error of a schedule, method or communicator of your own: any error goes in by `?` or [`Error::custom`].
    #[error(transparent)]
    Custom(Box<dyn std::error::Error + Send + Sync>),

    /// Reading or writing failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done, and to which file.
        action: String,
        /// The system's reason.
        source: std::io::Error,
    },

    /// A file that is not what it should be: of another kind, another type or shape, cut short, damaged.
    #[error("{file}: {problem}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong with it, and the remedy where there is one.
        problem: String,
    },
}

impl Error {
    /// The error of a schedule, method, observer or communicator of your own.
    ///
    /// ```
    /// use expnet::Error;
    ///
    /// let error = Error::custom("the licence server is down; start it");
    /// assert_eq!(error.to_string(), "the licence server is down; start it");
    /// let parsed = "x".parse::<f64>().map_err(Error::custom);
    /// assert!(matches!(parsed, Err(Error::Custom(_))));
    /// ```
    pub fn custom(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Custom(error.into())
    }
}

/// So that a communicator's error can pass through code that writes.
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// What `Display` prints, which says what to do, then the variant and its fields: a `main` that returns an `Error` prints this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        macro_rules! fields {
            ($($name:ident { $($field:ident),* },)*) => {
                match self {
                    $(Self::$name { $($field),* } => {
                        f.debug_struct(stringify!($name))$(.field(stringify!($field), $field))*.finish()
                    })*
                    Self::Custom(error) => f.debug_tuple("Custom").field(error).finish(),
                }
            };
        }
        write!(f, "{self}\n  ")?;
        fields! {
            Shape { what, expected, found, remedy },
            Empty { what, remedy },
            NotFinite { what, value, place, remedy },
            Setting { setting, value, expected },
            Incompatible { what, with, reason },
            StepSize { step, value, remedy },
            OutOfMemory { what, numbers, remedy },
            Overflow { place, value, dtype },
            KernelOverflow { what, place, value },
            Singular { what, condition, cause, remedy },
            NotConverged { what, iterations, remedy },
            NotProved { reason, remedy },
            Diverged { step, step_size, last_loss },
            Column { column, problem, remedy },
            Csv { line, problem },
            Mismatch { what, stored, given },
            Record { what, problem },
            Ranks { problem, remedy },
            Io { action, source },
            Format { file, problem },
        }
    }
}
