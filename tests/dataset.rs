//! `Dataset`: what goes in comes out, whole or in parts.

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

#[test]
fn names_follow_the_data() {
    let names = vec!["up".to_owned(), "down".to_owned()];
    let data = numbered::<f64>(6).with_names(names.clone()).unwrap();
    let (first, second) = data.split(0.5, 0).unwrap();
    for part in [first, second, data.select(&[3]).unwrap()] {
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

#[cfg(feature = "csv")]
mod csv {
    use super::*;

    const WINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/winequality-red.csv");

    fn read(text: &str) -> Dataset<f64> {
        Dataset::from_csv(text.as_bytes(), "y").unwrap()
    }

    #[test]
    fn reads_the_red_wines() {
        let wine = Dataset::<f64>::from_csv_path(WINE, "quality").unwrap();
        assert_eq!((wine.samples(), wine.dimension()), (1599, 11));
        let names = wine.names().unwrap();
        assert_eq!(
            (&*names[0], &*names[5], &*names[10]),
            ("fixed acidity", "free sulfur dioxide", "alcohol")
        );
        assert_eq!(
            (wine.points()[(0, 0)], wine.points()[(10, 1)], wine.labels()[0]),
            (7.4, 9.8, 5.0)
        );
        let single = Dataset::<f32>::from_csv_path(WINE, "quality").unwrap();
        assert_eq!(single, wine.cast().unwrap());
    }

    #[test]
    fn the_label_may_be_any_column() {
        for text in ["y,a,b\n1,2,3\n", "a,y,b\n2,1,3\n", "a,b,y\n2,3,1\n"] {
            let data = read(text);
            assert_eq!((data.points().as_slice(), data.labels()[0]), (&[2.0, 3.0][..], 1.0));
            assert_eq!(data.names().unwrap(), ["a", "b"]);
        }
    }

    #[test]
    fn layout_does_not_matter() {
        let plain = read("a,b,y\n1,2,3\n4,5,6\n");
        for text in [
            "a,b,y\r\n1,2,3\r\n4,5,6\r\n",
            "a,b,y\r1,2,3\r4,5,6",
            "\u{feff}a,b,y\n1,2,3\n4,5,6",
            "\u{feff}\"a\",\"b\",\"y\"\n\"1\",\"2\",3\n4,5,6",
            "\n  a , b ,\ty \n\n 1, 2 ,3 \n   \n +4,5.0,6e0\n\n",
            "\" a\",b,y\n\"1 \",2,3\n4,.5e1,0.6E+1\n",
        ] {
            assert_eq!(read(text), plain, "{text:?}");
        }
        let tabs = Dataset::from_csv_with("a\tb\ty\n1\t2\t3\n4\t5\t6\n".as_bytes(), "y", b'\t');
        assert_eq!(tabs.unwrap(), plain);
    }

    #[test]
    fn quoted_names_may_hold_anything() {
        let data = read("\"a, or \"\"b\"\"\",\"two\nlines\",y\n1,2,3\n");
        assert_eq!(data.names().unwrap(), ["a, or \"b\"", "two\nlines"]);
    }
}
