//! Errors of the crate as exceptions of Python.

use pyo3::PyErr;
use pyo3::exceptions::{PyMemoryError, PyOSError, PyValueError};

mod exception {
    #![allow(missing_docs)]
    use super::PyValueError;

    pyo3::create_exception!(
        expnet,
        ExpnetError,
        PyValueError,
        "An input, a setting or a computation that expnet refuses; the message says which, and what to do."
    );
}
pub use exception::ExpnetError;

/// The exception for an error, with its message. Files and memory have exceptions of Python's own.
pub fn exception(error: expnet::Error) -> PyErr {
    let message = error.to_string();
    match error {
        expnet::Error::Io { source, .. } => match source.raw_os_error() {
            // With a number, Python chooses the subclass: `FileNotFoundError` and so on.
            Some(number) => PyOSError::new_err((number, message)),
            None => PyOSError::new_err(message),
        },
        expnet::Error::OutOfMemory { .. } => PyMemoryError::new_err(message),
        _ => ExpnetError::new_err(message),
    }
}

/// An error of these bindings.
pub fn refused(message: impl Into<String>) -> PyErr {
    ExpnetError::new_err(message.into())
}
