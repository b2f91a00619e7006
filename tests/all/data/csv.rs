//! Data sets from CSV files.

use crate::support::problems::WINE;
use expnet::Dataset;

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
