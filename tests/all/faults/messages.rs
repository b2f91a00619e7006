//! Messages that name the cause and the remedy that helps.

use crate::support::problems::plane_at;
use crate::support::refused;
use expnet::{Dataset, ExpRegressor, Scaling};
use nalgebra::DMatrix;

#[test]
fn b01_a_regressor_never_blames_a_split_that_nobody_asked_for() {
    for n in [2, 3] {
        let model = ExpRegressor::options()
            .width(16)
            .max_steps(50)
            .fit(&plane_at::<f64>(n))
            .unwrap();
        assert_eq!(model.report().validation_loss(), None);
        assert!(model.report().loss() < model.report().initial_loss());
    }
    let words = ["`RegressorOptions::validation`", "0.99", "10 samples"];
    refused(
        ExpRegressor::options().validation(0.99).fit(&plane_at::<f64>(10)),
        &words,
    );
    let words = ["`RegressorOptions::validation`", "0.1", "2 samples"];
    refused(ExpRegressor::options().validation(0.1).fit(&plane_at::<f64>(2)), &words);
}

#[test]
fn b02_a_point_that_overflows_when_scaled_is_called_that() {
    let data = plane_at::<f64>(40);
    let options = ExpRegressor::options().width(16).scaling(Scaling::options().clip(None));
    let model = options.fit(&data).unwrap();
    let far = DMatrix::from_element(2, 1, f64::MAX);
    refused(
        model.predict(&far),
        &["after scaling", "point 0", "too far from the training data"],
    );
}

#[cfg(feature = "csv")]
fn csv(text: &str) -> Result<Dataset<f64>, expnet::Error> {
    Dataset::from_csv(text.as_bytes(), "y")
}

#[cfg(feature = "csv")]
#[test]
fn b03_thousands_separators() {
    for field in ["1,234", "-12,345,678", "1,234.5"] {
        refused(
            csv(&format!("x,y\n\"{field}\",1\n")),
            &["line 2", field, "separate thousands"],
        );
    }
    let one = csv("x,y\n\"1,5\",1\n").unwrap_err().to_string();
    assert!(one.contains("decimal point") && !one.contains("thousands"), "{one}");
}

#[cfg(feature = "csv")]
#[test]
fn b04_delimiters_at_the_end_of_lines() {
    refused(
        csv("x,y,\n1,2,\n3,4,\n"),
        &["line 1", "column 3", "ends in a delimiter"],
    );
    refused(csv("x,y\n1,2,\n3,4,\n"), &["line 2", "ends in a delimiter"]);
    refused(csv("x,y\n1,2,7\n"), &["line 2", "surplus fields"]);
}

#[cfg(feature = "csv")]
#[test]
fn b05_headers_that_are_none() {
    refused(csv("1,2,3\n4,5,6\n"), &["line 1", "numbers", "add a header line"]);
    let separated = Dataset::<f64>::from_csv_with("sep=;\nx;y\n1;2\n".as_bytes(), "y", b';');
    refused(separated, &["line 1", "sep=;", "remove it"]);
    refused(csv("sep=;\nx;y\n1;2\n"), &["line 1", "sep=;", "b';'"]);
    for text in ["\u{feff}x,y\n1,2\n"] {
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big] {
            refused(
                Dataset::<f64>::from_csv(&bytes[..], "y"),
                &["line 1", "UTF-16", "UTF-8"],
            );
        }
    }
}

#[cfg(feature = "csv")]
#[test]
fn b06_typographic_minus_signs() {
    for minus in ['\u{2212}', '\u{2013}'] {
        refused(csv(&format!("x,y\n{minus}1.5,1\n")), &["line 2", "column 1", "minus"]);
    }
}

#[test]
fn b07_columns_have_names_or_numbers_from_zero() {
    let data = Dataset::from_rows(&[[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], &[1.0, 2.0, 3.0]).unwrap();
    let problems = |data: &Dataset<f64>| {
        let model = ExpRegressor::options().width(16).max_steps(5).fit(data).unwrap();
        model.report().problems().to_vec()
    };
    assert_eq!(problems(&data), ["coordinate 1 (from 0) is constant and was left out"]);
    let named = data.with_names(vec!["a".into(), "b".into()]).unwrap();
    assert_eq!(problems(&named), ["column \"b\" is constant and was left out"]);
    let swapped = named.clone().with_names(vec!["b".into(), "a".into()]).unwrap();
    let scaling = Scaling::fit(&named).unwrap();
    refused(scaling.apply(&swapped), &["column \"b\" of the data", "\"a\""]);
}
