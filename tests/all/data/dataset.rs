//! `Dataset`: what goes in comes out, whole or in parts.

use crate::support::on_both;
use expnet::{Dataset, Float};
use nalgebra::{DMatrix, DVector};

/// n points of 2 coordinates that tell their number.
fn numbered<T: Float>(n: u32) -> Dataset<T> {
    let rows: Vec<[T; 2]> = (0..n).map(|i| [f64::from(i), -f64::from(i)].map(T::lit)).collect();
    let labels: Vec<T> = (0..n).map(|i| T::lit(10.0 * f64::from(i))).collect();
    Dataset::from_rows(&rows, &labels).unwrap()
}

#[test]
fn rows_become_columns() {
    let rows = vec![vec![1.0_f32, 2.0, 3.0], vec![4.0, 5.0, 6.0]];
    let data = Dataset::from_rows(&rows, &[7.0, 8.0]).unwrap();
    let points = DMatrix::from_column_slice(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(data.points(), &points);
    assert_eq!(data.labels().as_slice(), [7.0, 8.0]);
    assert_eq!((data.samples(), data.dimension()), (2, 3));
    assert_eq!(data, Dataset::new(points, DVector::from_vec(vec![7.0, 8.0])).unwrap());
}

#[test]
fn rows_may_be_slices_arrays_or_vectors() {
    let a = Dataset::from_rows(&[[1.0, 2.0]], &[3.0]).unwrap();
    assert_eq!(a, Dataset::from_rows(&[vec![1.0, 2.0]], &[3.0]).unwrap());
    assert_eq!(a, Dataset::from_rows(&[&[1.0, 2.0][..]], &[3.0]).unwrap());
}

fn split_parts_the_points<T: Float>() {
    let data = numbered::<T>(101);
    let (first, second) = data.split(0.7, 5).unwrap();
    assert_eq!((first.samples(), second.samples()), (71, 30));
    let mut seen = Vec::new();
    for part in [&first, &second] {
        for (point, label) in part.points().column_iter().zip(part.labels().iter()) {
            assert_eq!(point[1], -point[0]);
            assert_eq!(*label, T::lit(10.0) * point[0]);
            seen.push(point[0].as_f64());
        }
    }
    assert!(!seen.is_sorted(), "the points are shuffled");
    seen.sort_by(f64::total_cmp);
    assert_eq!(seen, (0..101).map(f64::from).collect::<Vec<_>>());
    assert_eq!(data.split(0.7, 5).unwrap(), (first.clone(), second));
    assert_ne!(data.split(0.7, 6).unwrap().0, first);
}

#[test]
fn split_parts_the_points_f64() {
    split_parts_the_points::<f64>();
}

#[test]
fn split_parts_the_points_f32() {
    split_parts_the_points::<f32>();
}

/// Published results name a seed: its split must stay what it is.
#[test]
fn the_split_of_a_seed_is_pinned() {
    let (first, second) = numbered::<f64>(8).split(0.5, 1).unwrap();
    let labels = |part: &Dataset<f64>| part.labels().as_slice().to_vec();
    assert_eq!(labels(&first), [30.0, 40.0, 50.0, 20.0]);
    assert_eq!(labels(&second), [70.0, 10.0, 60.0, 0.0]);
}

/// Every sample is tested once, with its own label, by what was trained on all others.
fn folds_part_the_points<T: Float>() {
    for (n, k) in [(2, 2), (7, 2), (23, 5), (30, 5), (9, 9)] {
        let data = numbered::<T>(n);
        let folds = data.k_fold(k, 3).unwrap();
        assert_eq!(folds.len(), k);
        let labels = |part: &Dataset<T>| part.labels().iter().map(|y| y.as_f64()).collect::<Vec<_>>();
        let all = labels(&data);
        let mut tested = Vec::new();
        for (train, test) in &folds {
            assert!((n as usize / k..=(n as usize).div_ceil(k)).contains(&test.samples()));
            for (point, label) in train.iter().chain(test.iter()) {
                assert_eq!((point[1], label), (-point[0], T::lit(10.0) * point[0]));
            }
            let mut both = [labels(train), labels(test)].concat();
            both.sort_by(f64::total_cmp);
            assert_eq!(both, all);
            tested.extend(labels(test));
        }
        tested.sort_by(f64::total_cmp);
        assert_eq!(tested, all);
        assert_eq!(data.k_fold(k, 3).unwrap(), folds);
    }
    let data = numbered::<T>(23);
    assert_ne!(data.k_fold(5, 3).unwrap(), data.k_fold(5, 4).unwrap());
}

on_both!(folds_part_the_points);

/// As with `split`: the folds of a seed must stay what they are.
#[test]
fn the_folds_of_a_seed_are_pinned() {
    let folds = numbered::<f64>(8).k_fold(3, 1).unwrap();
    let tests: Vec<&[f64]> = folds.iter().map(|(_, test)| test.labels().as_slice()).collect();
    assert_eq!(tests, [&[30.0, 40.0, 50.0][..], &[20.0, 70.0, 10.0], &[60.0, 0.0]]);
    let train = folds[1].0.labels().as_slice();
    assert_eq!(train, [30.0, 40.0, 50.0, 60.0, 0.0]);
}

#[test]
fn samples_are_iterated_over_in_order() {
    let data = numbered::<f64>(5);
    assert_eq!(data.iter().len(), 5);
    for (i, (point, label)) in data.iter().enumerate() {
        assert_eq!((point, label), (data.points().column(i), data.labels()[i]));
    }
    assert_eq!(data.iter().next_back().unwrap().1, 40.0);
}

#[test]
fn names_follow_the_data() {
    let names = vec!["up".to_owned(), "down".to_owned()];
    let data = numbered::<f64>(6).with_names(names.clone()).unwrap();
    let (first, second) = data.split(0.5, 0).unwrap();
    let (train, test) = data.k_fold(3, 0).unwrap().pop().unwrap();
    for part in [first, second, train, test, data.select(&[3]).unwrap()] {
        assert_eq!(part.names(), Some(&names[..]));
    }
    assert_eq!(data.cast::<f32>().unwrap().names(), Some(&names[..]));
}

#[test]
fn cast_there_and_back() {
    let data = numbered::<f64>(9);
    assert_eq!(data.cast::<f32>().unwrap(), numbered::<f32>(9));
    assert_eq!(data.cast::<f32>().unwrap().cast::<f64>().unwrap(), data);
}

#[test]
fn a_data_set_comes_apart() {
    let names = || vec!["east".to_owned(), "north".to_owned()];
    let (points, labels, none) = numbered::<f64>(3).into_parts();
    assert_eq!(
        points,
        DMatrix::from_column_slice(2, 3, &[0.0, 0.0, 1.0, -1.0, 2.0, -2.0])
    );
    assert_eq!((labels.as_slice(), none), (&[0.0, 10.0, 20.0][..], None));
    let named = numbered::<f64>(3).with_names(names()).unwrap();
    assert_eq!(named.into_parts(), (points, labels, Some(names())));
}
