//! NumPy's arrays as nalgebra's matrices, and back.
//!
//! An array of shape (n, d) in C order, one point per row, is a d x n matrix in nalgebra's order, one point per column: the same
//! numbers in the same places. So points come in by one copy of memory, without a transposition, and results go out without any copy.

use crate::error::{exception, refused};
use expnet::Dataset;
use expnet::nalgebra::{DMatrix, DVector};
use numpy::ndarray::Array2;
use numpy::{AllowTypeChange, PyArray1, PyArray2, PyArrayLikeDyn, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// Numbers of any shape, from whatever NumPy makes an array of.
type Numbers<'py> = PyArrayLikeDyn<'py, f64, AllowTypeChange>;

/// Points that were given as an array of shape (n, d), as a d x n matrix.
pub struct Points(pub DMatrix<f64>);

/// Numbers that were given as an array of shape (n,).
pub struct Vector(pub DVector<f64>);

/// The numbers in C order.
fn in_order(array: &PyReadonlyArrayDyn<'_, f64>) -> Vec<f64> {
    match array.as_slice() {
        Ok(numbers) => numbers.to_vec(),
        Err(_) => array.as_array().iter().copied().collect(),
    }
}

impl<'py> FromPyObject<'_, 'py> for Points {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let array = object.extract::<Numbers<'py>>()?;
        let &[rows, columns] = array.shape() else {
            return Err(refused(format!(
                "an array of shape {:?} where a matrix is needed; give one row per point",
                array.shape()
            )));
        };
        Ok(Self(DMatrix::from_vec(columns, rows, in_order(&array))))
    }
}

impl<'py> FromPyObject<'_, 'py> for Vector {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let array = object.extract::<Numbers<'py>>()?;
        if array.ndim() != 1 {
            return Err(refused(format!(
                "an array of shape {:?} where a list of numbers is needed; give one dimension",
                array.shape()
            )));
        }
        Ok(Self(in_order(&array).into()))
    }
}

/// Points and labels, with or without weights.
pub fn dataset(points: Points, labels: Vector, weights: Option<Vector>) -> PyResult<Dataset<f64>> {
    let data = Dataset::new(points.0, labels.0).map_err(exception)?;
    match weights {
        Some(weights) => data.with_weights(weights.0).map_err(exception),
        None => Ok(data),
    }
}

/// The numbers, not copied.
pub fn vector(py: Python<'_>, numbers: DVector<f64>) -> Bound<'_, PyArray1<f64>> {
    PyArray1::from_vec(py, numbers.data.into())
}

/// The columns of a matrix as rows, not copied. A symmetric matrix is itself.
pub fn rows(py: Python<'_>, matrix: DMatrix<f64>) -> PyResult<Bound<'_, PyArray2<f64>>> {
    let (columns, rows) = matrix.shape();
    let array = Array2::from_shape_vec((rows, columns), matrix.data.into())
        .map_err(|error| refused(format!("a matrix of {rows} x {columns} numbers: {error}")))?;
    Ok(PyArray2::from_owned_array(py, array))
}
