//! CSV files.

use crate::support::refused;
use expnet::{Dataset, Error};

fn read(text: &str) -> Result<Dataset<f64>, Error> {
    Dataset::from_csv(text.as_bytes(), "y")
}

#[test]
fn an_empty_file() {
    refused(read(""), &["CSV data is empty", "header"]);
    refused(read("\n  \r\n"), &["CSV data is empty", "header"]);
}

#[test]
fn no_rows() {
    refused(read("a,y\n"), &["below its header", "empty", "at least one row"]);
}

#[test]
fn a_missing_label_column() {
    refused(read("a, b\n1,2\n"), &["line 1", "no column \"y\"", "\"a\", \"b\""]);
}

#[test]
fn a_hundred_columns_are_not_all_listed() {
    let header: Vec<String> = (0..100).map(|k| format!("c{k}")).collect();
    refused(read(&header.join(",")), &["\"c39\" and 60 more"]);
}

#[test]
fn another_delimiter() {
    refused(read("\"a\";\"y\"\n1;2\n"), &["';'", "from_csv_with", "b';'"]);
    refused(read("a\ty\n1\t2\n"), &["from_csv_with", "b'\\t'"]);
}

#[test]
fn a_label_column_twice() {
    refused(
        read("y,a,y\n1,2,3\n"),
        &["line 1", "columns 1 and 3", "\"y\"", "rename"],
    );
}

#[test]
fn nothing_but_labels() {
    refused(read("y\n1\n"), &["line 1", "\"y\" is the only column", "add"]);
}

#[test]
fn text_in_a_numbers_place() {
    refused(
        read("a,b,y\n1,2,3\n4,red,6\n"),
        &["line 3", "column 2 (\"b\")", "\"red\"", "number"],
    );
    refused(read("a,b,y\n1,2,bad\n"), &["line 2", "column 3 (\"y\")", "\"bad\""]);
}

#[test]
fn an_empty_field() {
    refused(
        read("a,y\n1,2\n ,3\n"),
        &["line 3", "column 1 (\"a\") is empty", "fill"],
    );
}

#[test]
fn commas_in_numbers() {
    for (field, words) in [
        ("1,234", "remove the commas"),
        ("-12,345,678.5", "remove the commas"),
        ("1234,567", "decimal point instead of a comma"),
        ("x,567", "not a number"),
        ("1,234,5", "not a number"),
    ] {
        let result = read(&format!("a,y\n\"{field}\",2\n"));
        let is_text = field.starts_with('x');
        assert_eq!(
            result.as_ref().unwrap_err().to_string().contains("one_hot"),
            is_text,
            "{field}"
        );
        refused(result, &["line 2", field, words]);
    }
}

#[test]
fn a_decimal_comma() {
    let result = Dataset::<f64>::from_csv_with("a;y\n7,4;5\n".as_bytes(), "y", b';');
    refused(result, &["line 2", "\"7,4\"", "decimal point instead of a comma"]);
}

#[test]
fn numbers_that_are_not_finite() {
    for text in ["NaN", "inf", "-infinity"] {
        refused(
            read(&format!("a,y\n{text},1\n")),
            &["line 2", "column 1 (\"a\")", text, "not a finite number"],
        );
    }
}

#[test]
fn a_number_out_of_range() {
    refused(read("a,y\n1e999,1\n"), &["line 2", "\"1e999\"", "range for f64"]);
    let result = Dataset::<f32>::from_csv("a,y\n1e39,1\n".as_bytes(), "y");
    refused(result, &["line 2", "\"1e39\"", "range for f32", "scale"]);
}

#[test]
fn a_short_row() {
    refused(
        read("a,b,y\n1,2,3\n4,5\n"),
        &["line 3", "2 fields", "header of 3", "column 3 (\"y\")"],
    );
}

#[test]
fn a_long_row() {
    refused(read("a,y\n1,2,3\n"), &["line 2", "3 fields", "header of 2", "surplus"]);
}

#[test]
fn an_unclosed_quote() {
    let rest = "3,4\n".repeat(100);
    refused(read(&format!("a,b,y\n\"1,2,3\n{rest}")), &["line 2", "1 fields"]);
    refused(
        read(&format!("a,y\n1,\"2\n{rest}")),
        &["line 2", "column 2 (\"y\")", "…"],
    );
}

/// Quoted line ends, blank lines and CRLF count as an editor counts them.
#[test]
fn lines_are_counted_as_in_the_file() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["", "\"a", "b\",y", "1,2", "", "\"3", "\",4", "", "x,5"].join(end);
        refused(read(&text), &["line 9 ", "\"x\""]);
    }
    refused(read("\u{feff}a,y\nx,1\n"), &["line 2 ", "\"x\""]);
}

#[test]
fn text_that_is_not_utf_8() {
    let read = |bytes: &[u8]| Dataset::<f64>::from_csv(bytes, "y");
    refused(read(b"a,y\n1,2\n\xe9,3\n"), &["line 3", "column 1 (\"a\")", "UTF-8"]);
    refused(read(b"a,caf\xe9,y\n1,2,3\n"), &["line 1", "name of column 2", "UTF-8"]);
}

#[test]
fn a_delimiter_that_is_none() {
    for (delimiter, word) in [
        (b'"', "\\\""),
        (b'\n', "\\n"),
        (b'.', "b'.'"),
        (b'7', "b'7'"),
        (200, "\\xc8"),
    ] {
        let result = Dataset::<f64>::from_csv_with("a,y\n1,2\n".as_bytes(), "y", delimiter);
        refused(result, &["delimiter", word, "b';'"]);
    }
}

#[test]
fn a_file_that_is_not_there() {
    let result = Dataset::<f64>::from_csv_path("no/such/file.csv", "y");
    assert!(matches!(result, Err(Error::Io { .. })));
    refused(result, &["opening", "no/such/file.csv"]);
}

#[test]
fn a_file_without_the_label() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/winequality-red.csv");
    let result = Dataset::<f64>::from_csv_path(path, "colour");
    refused(result, &["line 1", "\"colour\"", "\"alcohol\"", "winequality-red.csv"]);
}

#[test]
fn a_reader_that_fails() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable is out"))
        }
    }
    refused(
        Dataset::<f64>::from_csv(Broken, "y"),
        &["reading the CSV data", "the cable is out"],
    );
}
