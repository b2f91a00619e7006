//! The error type of the crate.

use std::fmt;

/// Everything that can go wrong. Messages name the value, the place and the remedy.
///
/// Public functions never panic: they either succeed or return one of these errors.
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
        /// How to fix it.
        remedy: &'static str,
    },

    /// An input is empty.
    #[error("{what} is empty; {remedy}")]
    Empty {
        /// What is empty.
        what: &'static str,
        /// How to fix it.
        remedy: &'static str,
    },

    /// A NaN or an infinity in the input.
    #[error("{what} is {value:?} at {place}; {remedy}")]
    NotFinite {
        /// Which quantity.
        what: &'static str,
        /// The offending value.
        value: f64,
        /// Where it is.
        place: String,
        /// How to fix it.
        remedy: &'static str,
    },

    /// A setting is out of range.
    #[error("{setting} is {value}; it must be {expected}")]
    Setting {
        /// The setting, as it is called in code.
        setting: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },

    /// Two settings that are valid on their own cannot be combined.
    #[error("{what} cannot be combined with {with}: {reason}")]
    Incompatible {
        /// The first of the two.
        what: &'static str,
        /// The second.
        with: &'static str,
        /// Why, and what to use instead.
        reason: &'static str,
    },

    /// A schedule or a caller gave an invalid step size.
    #[error("the step size of step {step} is {value}; {remedy}")]
    StepSize {
        /// The step, 0 for the first.
        step: usize,
        /// The size.
        value: f64,
        /// How to fix it.
        remedy: &'static str,
    },

    /// There is not enough memory.
    #[error("{what} of {numbers} numbers does not fit in memory; {remedy}")]
    OutOfMemory {
        /// What was to be stored.
        what: &'static str,
        /// The number of numbers in it.
        numbers: usize,
        /// How to fix it.
        remedy: &'static str,
    },

    /// F(W, x) is not finite: an activation exp(<w, x>) is out of range for the scalar type.
    #[error(
        "the network's output at {place} is {value}: an activation exp(<w, x>) is out of range for \
         {dtype}; scale the points down (see `Scaling`), use smaller initial weights, or use f64"
    )]
    Overflow {
        /// Which point, or which sum over the points.
        place: String,
        /// The output.
        value: f64,
        /// The scalar type.
        dtype: &'static str,
    },

    /// The points are too long for weights of this size: steps cannot bring the outputs closer to the labels.
    #[error(
        "the activations reach exp({exponent:.0}) at sample {sample}, {problem}; the points are too long for weights of this \
         size: scale the points down (see `Scaling`), or use smaller initial weights (`Initializer::std_dev`)"
    )]
    LargeActivations {
        /// The largest <w_r, x_i>.
        exponent: f64,
        /// The sample i, from 0.
        sample: usize,
        /// Why this is too large.
        problem: String,
    },

    /// The squares of the labels are out of range for the scalar type.
    #[error("the labels reach {largest:.3e}, {problem} in {dtype}; scale the labels (see `Scaling`)")]
    Labels {
        /// The largest absolute value of a label.
        largest: f64,
        /// What goes wrong.
        problem: &'static str,
        /// The scalar type.
        dtype: &'static str,
    },

    /// An entry of a tangent kernel is out of range for `f64`.
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

    /// The smallest eigenvalue of a matrix cannot be distinguished from 0.
    #[error("{what} is singular to working precision (condition {condition:.0e}): {cause}; {remedy}")]
    Singular {
        /// Which matrix.
        what: &'static str,
        /// The estimated condition number; infinite if the factorization does not exist.
        condition: f64,
        /// Why it is singular.
        cause: String,
        /// How to fix it.
        remedy: String,
    },

    /// An iterative algorithm did not reach its tolerance.
    #[error("{what} did not converge in {iterations} iterations; {remedy}")]
    NotConverged {
        /// Which algorithm.
        what: &'static str,
        /// The number of iterations.
        iterations: usize,
        /// How to fix it.
        remedy: &'static str,
    },

    /// Convergence could not be proved.
    #[error("convergence is not proved: {reason}; {remedy}")]
    NotProved {
        /// Why not.
        reason: String,
        /// How to fix it.
        remedy: &'static str,
    },

    /// Training diverged: the loss or a weight overflowed.
    #[error(
        "training diverged: step {step} of size {step_size:e} made the loss or a weight overflow \
         (last finite loss {last_loss:.6e}); {remedy}"
    )]
    Diverged {
        /// The step, 0 for the first.
        step: usize,
        /// The step size.
        step_size: f64,
        /// The loss before that step. The network holds the weights of that loss.
        last_loss: f64,
        /// How to fix it.
        remedy: String,
    },

    /// A column of the data cannot be used.
    #[error("{column} {problem}; {remedy}")]
    Column {
        /// The column, by name, or by the number of the coordinate (from 0).
        column: String,
        /// What is wrong with it.
        problem: String,
        /// How to fix it.
        remedy: &'static str,
    },

    /// CSV data cannot be parsed.
    #[error("line {line} of the CSV data: {problem}")]
    Csv {
        /// The line, 1 for the first.
        line: u64,
        /// What is wrong, in which column, and how to fix it.
        problem: String,
    },

    /// A saved state belongs to another setting, network or data set.
    #[error("{what} is {stored} in the record and {given} here; resume with what the run was started with")]
    Mismatch {
        /// The setting or size in question.
        what: String,
        /// What it was when the state was saved.
        stored: String,
        /// What it is now.
        given: String,
    },

    /// A record of saved state cannot be used.
    #[error("{what} {problem}")]
    Record {
        /// The value in question.
        what: String,
        /// What is wrong with it, and how to fix it if possible.
        problem: String,
    },

    /// A rank of a distributed run has failed, or the ranks disagree.
    #[error("{problem}; {remedy}")]
    Ranks {
        /// What happened, on which rank.
        problem: String,
        /// Where to look, or how to fix it.
        remedy: &'static str,
    },

    /// An error of a custom schedule, method, observer or communicator; see [`Error::custom`].
    #[error(transparent)]
    Custom(Box<dyn std::error::Error + Send + Sync>),

    /// Reading or writing failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done, and to which file.
        action: String,
        /// The underlying error.
        source: std::io::Error,
    },

    /// A file has another kind, type or shape than expected, or is cut short or damaged.
    #[error("{file}: {problem}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong with it, and how to fix it if possible.
        problem: String,
    },
}

impl Error {
    /// Wraps the error of a custom schedule, method, observer or communicator.
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

/// Checks that a size is what it must be; `what` names it in the error.
pub(crate) fn check_size(what: &str, found: usize, expected: usize, remedy: &'static str) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        what: what.into(),
        expected,
        found,
        remedy,
    })
}

/// Lets the error of a communicator pass through code that writes.
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// Prints the `Display` message first, which says what to do, then the variant and its fields: this is what the user
/// sees when `main` returns an `Error`.
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
            LargeActivations { exponent, sample, problem },
            Labels { largest, problem, dtype },
            KernelOverflow { what, place, value },
            Singular { what, condition, cause, remedy },
            NotConverged { what, iterations, remedy },
            NotProved { reason, remedy },
            Diverged { step, step_size, last_loss, remedy },
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
