//! Conversions to and from both versions of ndarray.

/// The tests for one version: its module in expnet, and its crate.
macro_rules! conversions {
    ($feature:literal, $name:ident, $version:ident) => {
        #[cfg(feature = $feature)]
        mod $name {
            use $version::{Array1, Array2, Axis};
            use expnet::Dataset;
            use expnet::$name::{array, columns, rows, vector};
            use nalgebra::dmatrix;

            fn points() -> Array2<f64> {
                Array2::from_shape_fn((4, 3), |(i, k)| 10.0 * i as f64 + k as f64)
            }

            #[test]
            fn rows_are_columns_in_every_layout() {
                let points = points();
                let expected = dmatrix![0.0, 10.0, 20.0, 30.0; 1.0, 11.0, 21.0, 31.0; 2.0, 12.0, 22.0, 32.0];
                assert_eq!(columns(&points), expected);
                assert_eq!(columns(&points.t().as_standard_layout().t()), expected);
                let mut reversed = points.view();
                reversed.invert_axis(Axis(0));
                assert_eq!(columns(&reversed).column(0), expected.column(3));
                assert_eq!(columns(&reversed).column(3), expected.column(0));
                assert_eq!(rows(expected), points);
            }

            #[test]
            fn results_are_not_copied() {
                let matrix = columns(&points());
                let place = matrix.as_ptr();
                assert_eq!(rows(matrix).as_ptr(), place);
                let numbers = vector(&points().row(2));
                let place = numbers.as_ptr();
                let back = array(numbers);
                assert_eq!((back.as_ptr(), back.to_vec()), (place, vec![20.0, 21.0, 22.0]));
            }

            #[test]
            fn data_go_both_ways() {
                let labels = Array1::from_vec(vec![1.0, 2.0, 3.0, 4.0]);
                let data = Dataset::try_from((points().view(), labels.view())).unwrap();
                assert_eq!((data.samples(), data.dimension()), (4, 3));
                let (back, same): (Array2<f64>, Array1<f64>) = data.into();
                assert_eq!((back, same), (points(), labels.clone()));
                let error = Dataset::try_from((points(), labels.slice_axis(Axis(0), (..3).into()))).unwrap_err();
                assert!(error.to_string().contains("expected 4, found 3"), "{error}");
            }
        }
    };
}

conversions!("ndarray", ndarray, ndarray_0_17);
conversions!("ndarray_0_16", ndarray_0_16, ndarray_0_16_crate);
