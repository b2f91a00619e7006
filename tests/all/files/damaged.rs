//! Damaged network files are refused with the reason.

use super::{awkward, parts, problem, put, unchecked};
use crate::support::Folder;
use serde_json::{Value, json};
use std::fs;

/// Each with one thing wrong.
#[test]
fn damaged_headers_are_refused_with_the_reason() {
    let folder = Folder::new("headers");
    let path = folder.join("model");
    awkward::<f64>().save(&path).unwrap();
    let (header, numbers) = unchecked(&path);
    let document = |text: &str| json!({ "expnet": text });
    let cases: &[(&str, Value, &str)] = &[
        (
            "/weights/shape",
            json!([3, 4]),
            "tensor \"output_weights\" has shape [4], not [3]",
        ),
        (
            "/weights/shape",
            json!([12]),
            "tensor \"weights\" has shape [12], which should have 2 dimensions",
        ),
        ("/weights/shape", json!([4, 2]), "its header is damaged"),
        ("/weights/shape", json!([1_u64 << 62, 8]), "its header is damaged"),
        ("/weights/data_offsets", json!([40, 128]), "its header is damaged"),
        ("/weights/dtype", json!("F63"), "its header is damaged"),
        (
            "/output_weights/shape",
            json!([2, 2]),
            "tensor \"output_weights\" has shape [2, 2], not [4]",
        ),
        ("/output_weights", Value::Null, "its header is damaged"),
        (
            "/__metadata__",
            Value::Null,
            "it is not an expnet file: its metadata has no key \"expnet\"",
        ),
        ("/__metadata__", json!({ "format": "pt" }), "it is not an expnet file"),
        ("/__metadata__", document("[1]"), "its metadata is damaged"),
        (
            "/__metadata__",
            document("{\"kind\":\"network\"}"),
            "its metadata is damaged: the format version is missing",
        ),
        (
            "/__metadata__",
            document("{\"version\":1}"),
            "the kind of file is missing",
        ),
        (
            "/__metadata__",
            document("{\"version\":7,\"kind\":\"network\"}"),
            "its format version is 7, but this version of expnet reads 1",
        ),
        (
            "/__metadata__",
            document("{\"version\":1,\"kind\":\"forest\"}"),
            "it holds a forest, not a network",
        ),
        (
            "/__metadata__",
            document("{\"version\":1,\"kind\":\"network\",\"bias\":true}"),
            "its metadata is damaged: unknown field `bias`",
        ),
    ];
    for (place, value, expected) in cases {
        let mut header = header.clone();
        *header.pointer_mut(place).unwrap() = value.clone();
        put(&path, &header, &numbers);
        let problem = problem::<f64>(&path);
        assert!(problem.contains(expected), "{place} = {value}: {problem}");
    }
    for name in ["weights", "output_weights"] {
        let mut header = header.clone();
        let tensor = header.as_object_mut().unwrap().remove(name).unwrap();
        header["another"] = tensor;
        put(&path, &header, &numbers);
        assert_eq!(
            problem::<f64>(&path),
            "it has a tensor \"another\", which a network does not have"
        );
    }
    let document = json!({ "expnet": "{\"version\":1,\"kind\":\"network\"}" });
    put(&path, &json!({ "__metadata__": document }), &[]);
    assert_eq!(problem::<f64>(&path), "it has no tensor \"weights\"");
    let empty = json!({ "dtype": "F64", "shape": [0, 3], "data_offsets": [0, 0] });
    let nothing = json!({ "dtype": "F64", "shape": [0], "data_offsets": [0, 0] });
    put(
        &path,
        &json!({ "__metadata__": document, "weights": empty, "output_weights": nothing }),
        &[],
    );
    assert!(problem::<f64>(&path).starts_with("its network is invalid: the weight matrix is empty"));
}

#[test]
fn sizes_whose_sum_overflows_are_refused() {
    let folder = Folder::new("overflow");
    let path = folder.join("model");
    let mut header = json!({ "__metadata__": { "expnet": "{\"version\":1,\"kind\":\"network\"}" } });
    let numbers = (1_u64 << 58) - 1;
    for i in 0..8 {
        let bytes = [i * numbers * 8, (i + 1) * numbers * 8];
        header[format!("t{i}")] = json!({ "dtype": "F64", "shape": [numbers], "data_offsets": bytes });
    }
    put(&path, &header, &[0; 16]);
    let problem = problem::<f64>(&path);
    assert!(
        problem.contains("cut short") || problem.contains("header is damaged"),
        "{problem}"
    );
}

#[test]
fn a_flipped_bit_in_the_numbers_is_found() {
    let folder = Folder::new("flipped");
    let path = folder.join("model");
    awkward::<f64>().save(&path).unwrap();
    let (header, numbers) = parts(&path);
    for at in (0..numbers.len()).step_by(7) {
        let mut numbers = numbers.clone();
        numbers[at] ^= 1 << (at % 8);
        put(&path, &header, &numbers);
        let problem = problem::<f64>(&path);
        assert!(
            problem.contains("is damaged: its checksum does not match"),
            "byte {at}: {problem}"
        );
    }
}

#[test]
fn files_of_the_wrong_length_are_refused() {
    let folder = Folder::new("length");
    let path = folder.join("model");
    awkward::<f32>().save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let problem = problem::<f32>(&path);
        assert!(
            problem.contains("cut short") || length < 8 && problem.contains("too short"),
            "{length}: {problem}"
        );
    }
    fs::write(&path, [&whole[..], b"!"].concat()).unwrap();
    assert_eq!(problem::<f32>(&path), "it is damaged: 1 extra bytes at its end");
    fs::write(&path, "these are the words of a long letter, and no numbers").unwrap();
    assert_eq!(
        problem::<f32>(&path),
        "it is not a safetensors file: it does not begin with the length of a header"
    );
    fs::write(&path, [&16_u64.to_le_bytes()[..], b"{ neither, nor }"].concat()).unwrap();
    assert!(problem::<f32>(&path).starts_with("its header is damaged"));
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let folder = Folder::new("finite");
    let path = folder.join("model");
    awkward::<f64>().save(&path).unwrap();
    let (header, numbers) = unchecked(&path);
    // Four output weights, then neuron 1, coordinate 2.
    for (at, expected) in [
        (4 + 3 + 2, "a weight is NaN at neuron 1, coordinate 2"),
        (3, "an output weight is NaN at neuron 3"),
    ] {
        let mut numbers = numbers.clone();
        numbers[8 * at..8 * at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
        put(&path, &header, &numbers);
        let problem = problem::<f64>(&path);
        assert!(
            problem.starts_with(&format!("its network is invalid: {expected}")),
            "{problem}"
        );
    }
}
