//! Conversions to and from ndarray, the same for each of its versions.

/// Defines a module of conversions for a version of ndarray.
macro_rules! conversions {
    ($(#[$attribute:meta])* $name:ident, $version:ident) => {
        $(#[$attribute])*
        ///
        /// An array of shape (n, d) in standard layout, one point per row, is a d x n matrix of nalgebra's, one point per column: the
        /// same numbers in the same places. So nothing is transposed; views are copied once, and owned values are moved, unless an array has
        /// another layout.
        ///
        /// | from | to | by |
        /// |---|---|---|
        /// | points and labels, each an array or a view | [`Dataset`](crate::Dataset) | `TryFrom` |
        /// | [`Dataset`](crate::Dataset) | `(Array2, Array1)` | `From`, not copied |
        /// | points, shape (n, d) | `DMatrix`, d x n | [`columns`]($name::columns) |
        /// | `DMatrix`, d x n | shape (n, d) | [`rows`]($name::rows), not copied |
        /// | shape (n,) | `DVector` | [`vector`]($name::vector) |
        /// | `DVector` | shape (n,) | [`array`]($name::array), not copied |
        pub mod $name {
            use crate::dataset::Dataset;
            use crate::error::Error;
            use crate::float::Float;
            use nalgebra::{DMatrix, DVector};
            use $version::{Array1, Array2, ArrayBase, Data, Ix1, Ix2};

            /// The rows of an array of shape (n, d) as the columns of a d x n matrix. Copies n d numbers.
            pub fn columns<T: Float, S: Data<Elem = T>>(array: &ArrayBase<S, Ix2>) -> DMatrix<T> {
                let (n, d) = array.dim();
                match array.as_slice() {
                    Some(numbers) => DMatrix::from_column_slice(d, n, numbers),
                    None => DMatrix::from_iterator(d, n, array.iter().copied()),
                }
            }

            /// The columns of a d x n matrix as the rows of an array of shape (n, d). The numbers stay where they are.
            pub fn rows<T: Float>(matrix: DMatrix<T>) -> Array2<T> {
                let (d, n) = matrix.shape();
                let numbers: Vec<T> = matrix.data.into();
                Array1::from_vec(numbers)
                    .into_shape_with_order((n, d))
                    .unwrap_or_else(|_| Array2::from_elem((0, 0), T::zero())) // not reached: a matrix has d n numbers
            }

            /// A vector with the numbers of an array. Copies them.
            pub fn vector<T: Float, S: Data<Elem = T>>(array: &ArrayBase<S, Ix1>) -> DVector<T> {
                DVector::from_iterator(array.len(), array.iter().copied())
            }

            /// An array with the numbers of a vector, which stay where they are.
            pub fn array<T: Float>(vector: DVector<T>) -> Array1<T> {
                Array1::from_vec(vector.data.into())
            }

            /// Points of shape (n, d), one per row, and n labels. Errors: those of [`Dataset::new`].
            impl<T, S, L> TryFrom<(ArrayBase<S, Ix2>, ArrayBase<L, Ix1>)> for Dataset<T>
            where
                T: Float,
                S: Data<Elem = T>,
                L: Data<Elem = T>,
            {
                type Error = Error;

                fn try_from((points, labels): (ArrayBase<S, Ix2>, ArrayBase<L, Ix1>)) -> Result<Self, Error> {
                    Self::new(columns(&points), vector(&labels))
                }
            }

            /// Points of shape (n, d), one per row, and n labels; names and sample weights are left behind.
            impl<T: Float> From<Dataset<T>> for (Array2<T>, Array1<T>) {
                fn from(data: Dataset<T>) -> Self {
                    let (points, labels, _) = data.into_parts();
                    (rows(points), array(labels))
                }
            }
        }
    };
}

#[cfg(feature = "ndarray")]
conversions! {
    /// Conversions to and from ndarray 0.17, which must be a dependency of yours.
    #[cfg_attr(docsrs, doc(cfg(feature = "ndarray")))]
    ndarray, ndarray_0_17
}

#[cfg(feature = "ndarray_0_16")]
conversions! {
    /// Conversions to and from ndarray 0.16, that of linfa 0.8, which must be a dependency of yours.
    #[cfg_attr(docsrs, doc(cfg(feature = "ndarray_0_16")))]
    ndarray_0_16, ndarray_0_16_crate
}
