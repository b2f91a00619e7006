//! Fits in files, whole and damaged.

use super::smooth;
use crate::support::safetensors::{parts, whole, without_checksums};
use crate::support::{Folder, cut_and_flipped, refused};
use expnet::kernel::{ConjugateGradient, Fit, Predictor, Solver, limit_kernel};
use expnet::{Error, ExpNetwork};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn fitted() -> Fit {
    let solver = Solver::ConjugateGradient(ConjugateGradient::default());
    Predictor::new(&smooth(9), 0.1 + 0.2)
        .unwrap()
        .solver(solver)
        .ridge(0.1)
        .unwrap()
}

fn given() -> Fit {
    let data = smooth(9);
    let kernel = limit_kernel(data.points(), 0.3).unwrap();
    Predictor::from_kernel(kernel, data.labels().clone())
        .unwrap()
        .ridge(0.1)
        .unwrap()
}

#[test]
fn a_fit_comes_back_bit_for_bit() {
    let folder = Folder::new("fit");
    let path = folder.join("fit");
    let others = smooth(30).points() * 0.7;
    let fit = fitted();
    fit.save(&path).unwrap();
    let first = fs::read(&path).unwrap();
    let loaded = Fit::load(&path).unwrap();
    assert_eq!(loaded.predict(&others).unwrap(), fit.predict(&others).unwrap());
    assert_eq!(
        (loaded.coefficients(), loaded.iterations()),
        (fit.coefficients(), fit.iterations())
    );
    assert!(fit.iterations() > 0);
    loaded.save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first, "the same bytes each time");
    let (header, _) = parts(&first);
    assert_eq!(
        (&header["points"]["shape"], &header["points"]["dtype"]),
        (&json!([9, 3]), &json!("F64"))
    );

    let fit = given();
    fit.save(&path).unwrap();
    let loaded = Fit::load(&path).unwrap();
    assert_eq!(loaded.coefficients(), fit.coefficients());
    refused(loaded.predict(&others), &["`Fit::predict_from`"]);
    assert!(parts(&fs::read(&path).unwrap()).0.get("points").is_none());
}

/// The file of a fit, with its header changed and without checksums.
fn put(path: &Path, change: impl Fn(&mut Value, &mut Value)) {
    fitted().save(path).unwrap();
    let (header, numbers) = parts(&fs::read(path).unwrap());
    let mut header = without_checksums(header);
    let mut document: Value = serde_json::from_str(header["__metadata__"]["expnet"].as_str().unwrap()).unwrap();
    change(&mut header, &mut document);
    header["__metadata__"]["expnet"] = document.to_string().into();
    fs::write(path, whole(&header, &numbers)).unwrap();
}

#[test]
fn damaged_files_are_refused() {
    let folder = Folder::new("damaged-fit");
    let path = folder.join("fit");
    let load = |words: &[&str]| {
        let error = Fit::load(&path);
        assert!(matches!(error, Err(Error::Format { .. })), "{error:?}");
        refused(error, words);
    };
    put(&path, |_, _| {});
    assert!(Fit::load(&path).is_ok(), "without checksums it is valid");
    put(&path, |_, document| document["std_dev"] = json!(-1.0));
    load(&["its kernel is invalid", "`std_dev`", "-1"]);
    put(&path, |_, document| document["std_dev"] = json!(100.0));
    load(&["its kernel is invalid", "inf", "points 0 and 0"]);
    put(&path, |_, document| document["std_dev"] = Value::Null);
    load(&["it has points, but no `std_dev`"]);
    put(&path, |_, document| document["extra"] = json!(1));
    load(&["metadata is damaged", "extra"]);
    put(&path, |header, _| header["points"]["shape"] = json!([3, 9]));
    load(&["\"points\" has shape [3, 9], not [9, 9]"]);
    put(&path, |header, _| header["points"]["shape"] = json!([27]));
    load(&["\"points\"", "2 dimensions"]);

    fitted().save(&path).unwrap();
    let file = fs::read(&path).unwrap();
    cut_and_flipped(&path, load);
    let (header, mut numbers) = parts(&file);
    numbers[..8].copy_from_slice(&f64::NAN.to_le_bytes());
    fs::write(&path, whole(&without_checksums(header), &numbers)).unwrap();
    load(&["its fit is invalid", "NaN", "point 0"]);
}

#[test]
fn other_kinds_of_files_are_refused() {
    let folder = Folder::new("kinds-fit");
    let path = folder.join("fit");
    fitted().save(&path).unwrap();
    refused(
        ExpNetwork::<f64>::load(&path),
        &["it holds a kernel fit, not a network: load it with `kernel::Fit::load`"],
    );
    crate::support::problems::net::<f64>(2, 3, 1).save(&path).unwrap();
    refused(Fit::load(&path), &["network"]);
    assert!(matches!(Fit::load(folder.join("missing")), Err(Error::Io { .. })));
}
