//! CSV files with text columns, missing values and other layouts; points to predict at.

use crate::support::problems::WINE;
use crate::support::{Folder, refused, says};
use expnet::{CsvColumns, CsvOptions, Dataset, Error, Missing, UnknownCategory};
use nalgebra::DVector;

const WINES: &str = "id,colour,sugar,quality\n1,white,1.5,5\n2,red,2.5,6\n3,white,3.5,7\n";

fn options() -> CsvOptions {
    CsvOptions::default()
}

fn read(options: &CsvOptions, text: &str) -> Result<(Dataset<f64>, CsvColumns), Error> {
    options.read(text.as_bytes(), "quality")
}

fn wines() -> (Dataset<f64>, CsvColumns) {
    read(&options().drop(&["id"]).one_hot(&["colour"]), WINES).unwrap()
}

#[test]
fn defaults_read_what_from_csv_reads() {
    let (data, columns) = options().read_path::<f64>(WINE, "quality").unwrap();
    assert_eq!(data, Dataset::from_csv_path(WINE, "quality").unwrap());
    assert_eq!(columns.names(), data.names().unwrap());
    assert_eq!((columns.dimension(), columns.label_column()), (11, "quality"));
    assert_eq!(columns.points_path::<f64>(WINE).unwrap(), *data.points());
    assert_eq!(columns.dataset_path::<f64>(WINE).unwrap(), data);
}

#[test]
fn one_coordinate_per_category() {
    let (data, columns) = wines();
    assert_eq!(data.names().unwrap(), ["colour=red", "colour=white", "sugar"]);
    assert_eq!(data.points().as_slice(), [0.0, 1.0, 1.5, 1.0, 0.0, 2.5, 0.0, 1.0, 3.5]);
    assert_eq!(data.labels().as_slice(), [5.0, 6.0, 7.0]);
    assert_eq!(columns.categories("colour").unwrap(), ["red", "white"]);
    assert!(columns.categories("sugar").is_none() && columns.mean("sugar").is_none());
}

#[test]
fn points_need_the_columns_by_name_only() {
    let (data, columns) = wines();
    for text in [
        WINES,
        "sugar,colour\n1.5,white\n2.5,red\n3.5,white\n",
        "new,sugar,quality,colour,new\nx,1.5,none,white,\n?,2.5,,red,\n,3.5,,white,\n",
    ] {
        assert_eq!(
            columns.points::<f64>(text.as_bytes()).unwrap(),
            *data.points(),
            "{text}"
        );
    }
    let single = columns.points::<f32>(WINES.as_bytes()).unwrap();
    assert_eq!(single, *data.cast::<f32>().unwrap().points());

    refused(
        columns.points::<f64>("colour\nred\n".as_bytes()),
        &["line 1", "no column \"sugar\"", "add it", "\"colour\""],
    );
    refused(
        columns.points::<f64>("colour,sugar,sugar\nred,1,2\n".as_bytes()),
        &["line 1", "columns 2 and 3", "\"sugar\"", "rename"],
    );
    refused(
        columns.points::<f64>("colour;sugar\nred;1\n".as_bytes()),
        &["no column", "CsvOptions::delimiter(b';')"],
    );
    refused(
        columns.dataset::<f64>("colour,sugar\nred,1\n".as_bytes()),
        &["line 1", "no column \"quality\""],
    );
}

#[test]
fn a_choice_of_columns() {
    let text = ",a,b,c,quality,a\n0,1,2,3,4,x\n";
    let names = |options: &CsvOptions| read(options, text).unwrap().1.names();
    assert_eq!(names(&options().keep(&["c", " b "])), ["b", "c"]);
    assert_eq!(names(&options().keep(&["b", "quality"])), ["b"]);
    assert_eq!(names(&options().drop(&["", "a"])), ["b", "c"]);
    assert_eq!(names(&options().keep(&["c"]).drop(&["b", "a"])), ["c"]);
    refused(read(&options().drop(&[""]), text), &["columns 2 and 6", "\"a\""]);
    refused(read(&options().drop(&["a"]), text), &["column 1 has no name"]);
}

#[test]
fn choices_that_cannot_be() {
    let none: [&str; 0] = [];
    for (options, words) in [
        (
            options().keep(&["wine"]),
            ["no column \"wine\"", "CsvOptions::keep", "\"id\", \"colour\""],
        ),
        (
            options().drop(&["wine"]),
            ["no column \"wine\"", "CsvOptions::drop", "\"id\", \"colour\""],
        ),
        (
            options().one_hot(&["wine"]),
            ["no column \"wine\"", "CsvOptions::one_hot", "choose from"],
        ),
        (
            options().keep(&["id", "id"]),
            ["CsvOptions::keep", "\"id\" twice", "list it once"],
        ),
        (
            options().drop(&["id", "id"]),
            ["CsvOptions::drop", "\"id\" twice", "list it once"],
        ),
        (
            options().drop(&["quality"]),
            ["\"quality\"", "holds the labels", "remove it"],
        ),
        (
            options().one_hot(&["quality"]),
            ["\"quality\"", "holds the labels", "remove it"],
        ),
        (options().keep(&["id"]).drop(&["id"]), ["\"id\"", "keep", "remove it"]),
        (
            options().keep(&["id"]).one_hot(&["colour"]),
            ["\"colour\"", "is not read", "add it"],
        ),
        (
            options().keep(&none),
            [
                "\"quality\" is the only column left",
                "keep at least one",
                "CsvOptions::drop",
            ],
        ),
        (
            options().keep(&["colour"]),
            ["line 2", "\"white\"", "CsvOptions::one_hot"],
        ),
    ] {
        refused(read(&options, WINES), &words);
        let error = read(&options, WINES).unwrap_err().to_string();
        assert!(error.starts_with("line "), "{error}");
    }
    let twice = "colour,colour=red,quality\nred,1,2\n";
    refused(
        read(&options().one_hot(&["colour"]), twice),
        &["line 1", "\"colour=red\"", "rename"],
    );
}

#[test]
fn missing_values() {
    let text = "a,b,quality\n1,na,1\n?,20,2\n3, ,3\n5,NaN,4\n0,40,NA\n";
    for (field, line) in [("NaN", 2), ("?", 3), ("", 4), ("nA", 5)] {
        let rows = "1,2\n".repeat(line - 2);
        refused(
            read(&options(), &format!("a,quality\n{rows}{field},2\n")),
            &[
                &format!("line {line} "),
                "column 1 (\"a\")",
                field,
                "CsvOptions::missing",
            ],
        );
    }
    let (data, columns) = read(&options().missing(Missing::DropRow).keep(&["a"]), text).unwrap();
    assert_eq!(data.points().as_slice(), [1.0, 3.0, 5.0]);
    assert_eq!(data.labels().as_slice(), [1.0, 3.0, 4.0]);
    assert_eq!(
        columns
            .dataset::<f64>("a,quality\n,1\n7,2\n".as_bytes())
            .unwrap()
            .samples(),
        1
    );
    refused(
        columns.points::<f64>("a\n1\nNA\n".as_bytes()),
        &["line 3", "column 1 (\"a\") is \"NA\"", "not dropped", "fill in"],
    );

    let mean = options().missing(Missing::Mean);
    refused(
        read(&mean, text),
        &["line 6", "column 3 (\"quality\") is \"NA\"", "label", "DropRow"],
    );
    let (data, columns) = read(&mean, &text.replace("40,NA", "40,5")).unwrap();
    assert_eq!(
        data.points().row(0),
        DVector::from_vec(vec![1.0, 2.25, 3.0, 5.0, 0.0]).transpose()
    );
    assert_eq!(
        data.points().row(1),
        DVector::from_vec(vec![30.0, 20.0, 30.0, 30.0, 40.0]).transpose()
    );
    assert_eq!(
        (columns.mean("a"), columns.mean("b"), columns.mean("c")),
        (Some(2.25), Some(30.0), None)
    );
    let new = columns.points::<f64>("b,a\n,\n1,?\n".as_bytes()).unwrap();
    assert_eq!(
        new.as_slice(),
        [2.25, 30.0, 2.25, 1.0],
        "the means are those of the training data"
    );
}

#[test]
fn means_that_are_none() {
    let mean = options().missing(Missing::Mean);
    refused(
        read(&mean, "a,b,quality\n1,,1\n2,?,2\n"),
        &[
            "line 2",
            "column 2 (\"b\") is empty",
            "no row has a number",
            "leave the column out",
        ],
    );
    let (_, columns) = read(&mean, "a,quality\n1e300,1\n3e300,1\n").unwrap();
    assert_eq!(columns.mean("a"), Some(2e300));
    refused(
        columns.points::<f32>("a\n?\n".as_bytes()),
        &["line 2", "2e300", "out of range for f32", "f64"],
    );
    let (_, columns) = read(&mean, "a,quality\n1.5e308,1\n1.7e308,1\n1.3e308,1\n").unwrap();
    assert!((columns.mean("a").unwrap() / 1.5e308 - 1.0).abs() < 1e-15);
}

#[test]
fn categories_that_are_missing() {
    let text = "colour,quality\nred,1\n,2\nwhite,3\n";
    let one_hot = options().one_hot(&["colour"]);
    let words = ["line 3", "column 1 (\"colour\") is empty", "fill in a category"];
    refused(read(&one_hot, text), &[&words[..], &["CsvOptions::missing"]].concat());
    let mean = one_hot.clone().missing(Missing::Mean);
    refused(
        read(&mean, text),
        &[&words[..], &["no mean", "Missing::DropRow"]].concat(),
    );
    let drop = one_hot.missing(Missing::DropRow);
    assert_eq!(read(&drop, text).unwrap().0.points().as_slice(), [1.0, 0.0, 0.0, 1.0]);
    // Categories that occur only in dropped rows do not count.
    let (_, columns) = read(&drop, "colour,quality\nred,1\nwhite,\n").unwrap();
    assert_eq!(columns.names(), ["colour=red"]);
}

#[test]
fn categories_that_are_unknown() {
    let new = "sugar,colour\n1.5,red\n2.5,Red\n";
    let (_, columns) = wines();
    refused(
        columns.points::<f64>(new.as_bytes()),
        &[
            "line 3",
            "column 2 (\"colour\") is \"Red\"",
            "\"red\", \"white\"",
            "CsvOptions::unknown_category",
        ],
    );
    let zero = options()
        .drop(&["id"])
        .one_hot(&["colour"])
        .unknown_category(UnknownCategory::Zero);
    let (_, columns) = read(&zero, WINES).unwrap();
    let points = columns.points::<f64>(new.as_bytes()).unwrap();
    assert_eq!(points.as_slice(), [1.0, 0.0, 1.5, 0.0, 0.0, 2.5]);
}

#[test]
fn files_without_a_header() {
    let bare = options().header(false);
    let text = "5,red,1\n6,blue,2\n";
    let (data, columns) = bare
        .clone()
        .one_hot(&["column 2"])
        .read::<f64>(text.as_bytes(), "column 1")
        .unwrap();
    assert_eq!(data.names().unwrap(), ["column 2=blue", "column 2=red", "column 3"]);
    assert_eq!(data.points().as_slice(), [0.0, 1.0, 1.0, 1.0, 0.0, 2.0]);
    assert_eq!(columns.points::<f64>(text.as_bytes()).unwrap(), *data.points());
    assert_eq!(
        columns.points::<f64>("red,1\nblue,2\n".as_bytes()).unwrap(),
        *data.points()
    );
    refused(
        columns.points::<f64>("red\n".as_bytes()),
        &["line 1", "1 columns", "has 3", "give"],
    );
    refused(
        columns.dataset::<f64>("red,1\n".as_bytes()),
        &["line 1", "2 columns", "has 3", "give"],
    );
    refused(
        columns.points::<f64>("red,1\n2\n".as_bytes()),
        &["line 2", "1 fields", "first row has 2", "complete"],
    );
    refused(read(&bare, text), &["line 1", "no column \"quality\"", "\"column 3\""]);
    refused(
        read(&options(), "1,2\n3,4\n"),
        &["line 1", "add a header line", "CsvOptions::header(false)"],
    );
}

#[test]
fn fields_between_blanks() {
    let aligned = options().blank_aligned(true);
    let (data, columns) = read(
        &aligned,
        "\u{feff}\n  \"fixed \"\"acid\"\"\" \t quality\r\n\t7.4 5  \r\n \r\n   \"7.8\"\t\t6",
    )
    .unwrap();
    assert_eq!(data.names().unwrap(), ["fixed \"acid\""]);
    assert_eq!(
        (data.points().as_slice(), data.labels().as_slice()),
        (&[7.4, 7.8][..], &[5.0, 6.0][..])
    );
    assert_eq!(
        columns.points::<f64>("\"fixed \"\"acid\"\"\"\r1\r".as_bytes()).unwrap()[0],
        1.0
    );
    for end in ["\n", "\r\n", "\r"] {
        let text = ["", "  \"a", "b\" quality", "1 2", " ", "\"3", "\"   4", "", "  x 5"].join(end);
        refused(read(&aligned, &text), &["line 9 ", "column 1 (\"a", "\"x\""]);
    }
    refused(
        read(&aligned, "a quality\n1 2\n3\n"),
        &["line 3", "1 fields", "header of 2", "complete"],
    );
    refused(read(&aligned, "a quality\n1 \"2\n3 4\n"), &["line 2", "column 2"]);
    refused(
        read(&options(), "a  quality\n1  2\n"),
        &["line 1", "contains ' '", "blank_aligned"],
    );
    let one_column = read(&options(), "grade\n1\n").unwrap_err().to_string();
    assert!(!one_column.contains("delimiter"), "{one_column}");
    refused(
        read(&aligned.clone().delimiter(b';'), "a quality\n1 2\n"),
        &["blank_aligned", "delimiter", "leave one of them out"],
    );
    refused(
        read(&options().delimiter(b'.'), "a,quality\n"),
        &["`CsvOptions::delimiter`", "b'.'", "b';'"],
    );
    let tabs = options().delimiter(b'\t');
    assert_eq!(read(&tabs, "a b\tquality\n1\t2\n").unwrap().0.names().unwrap(), ["a b"]);
}

#[test]
fn files_without_data() {
    for options in [options(), options().blank_aligned(true), options().header(false)] {
        for text in ["", "\u{feff}", " \r\n\n"] {
            refused(read(&options, text), &["CSV data is empty", "at least one row"]);
        }
    }
    refused(
        read(&options(), "a,quality\n"),
        &["below its header is empty", "give at least one row"],
    );
    let drop = options().missing(Missing::DropRow);
    refused(
        read(&drop, "a,quality\n,1\n"),
        &["without the rows that have missing values", "empty", "give"],
    );
    let (_, columns) = wines();
    refused(columns.points::<f64>("".as_bytes()), &["CSV data is empty"]);
    refused(
        columns.points::<f64>("colour,sugar\n".as_bytes()),
        &["below its header is empty"],
    );
    refused(columns.points_path::<f64>("no/such.csv"), &["opening", "no/such.csv"]);
}

#[test]
fn errors_name_the_file() {
    let folder = Folder::new("csv-options");
    let path = folder.join("wines.csv");
    std::fs::write(&path, WINES).unwrap();
    refused(
        options().read_path::<f64>(&path, "quality"),
        &["line 2", "\"white\"", "wines.csv"],
    );
    let (_, columns) = wines();
    std::fs::write(&path, "colour,sugar\npink,1\n").unwrap();
    refused(columns.points_path::<f64>(&path), &["line 2", "\"pink\"", "wines.csv"]);
    refused(
        columns.dataset_path::<f64>(&path),
        &["line 1", "\"quality\"", "wines.csv"],
    );
}

#[test]
fn columns_in_json() {
    let text = "colour,sugar,quality\nred,0.1,1\nwhite,0.2,2\nred,0.7,3\n";
    let options = options().one_hot(&["colour"]).missing(Missing::Mean).delimiter(b',');
    let (_, columns) = read(&options, text).unwrap();
    let json = serde_json::to_string(&columns).unwrap();
    assert_eq!(serde_json::from_str::<CsvColumns>(&json).unwrap(), columns);
    assert_eq!(columns.options(), &options);
    let (begin, end) = (json.find("\"columns\":[").unwrap(), json.rfind(']').unwrap());
    let listed = &json[begin..=end];
    for (old, new, words) in [
        ("[\"red\",\"white\"]", "[\"white\",\"red\"]", "sorted categories"),
        ("[\"red\",\"white\"]", "[]", "sorted categories"),
        ("\"in_file\":3", "\"in_file\":2", "fewer than the columns of the file"),
        (listed, "\"columns\":[]", "at least one"),
        ("\"name\":\"sugar\"", "\"name\":\"quality\"", "not that of the labels"),
        ("\"name\":\"sugar\"", "\"name\":\"colour=red\"", "different names"),
        ("\"delimiter\":44", "\"delimiter\":46", "CsvOptions::delimiter"),
        ("\"missing\":\"mean\"", "\"missing\":\"error\"", "absent otherwise"),
    ] {
        let damaged = json.replace(old, new);
        assert_ne!(damaged, json, "{old}");
        says(&serde_json::from_str::<CsvColumns>(&damaged).unwrap_err(), &[words]);
    }
}
