//! Saved networks are loaded bit for bit.

use super::{awkward, bits, parts, problem, put};
use crate::support::Folder;
use expnet::{Error, ExpNetwork, Float, Initializer};
use serde_json::json;
use std::fs;

fn a_network_comes_back<T: Float>() {
    let folder = Folder::new(T::NAME);
    let path = folder.join("model");
    for net in [awkward::<T>(), Initializer::new(7, 9001).seed(1).build::<T>().unwrap()] {
        net.save(&path).unwrap();
        let first = fs::read(&path).unwrap();
        assert_eq!(bits(&ExpNetwork::<T>::load(&path).unwrap()), bits(&net));
        net.save(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first, "the same bytes each time");
        let (header, numbers) = parts(&path);
        assert_eq!((first.len() - numbers.len()) % 8, 0, "aligned");
        assert_eq!(header["weights"]["shape"], json!([net.width(), net.dimension()]));
        assert_eq!(header["weights"]["dtype"], T::NAME.to_uppercase());
    }
}

#[test]
fn a_network_comes_back_bit_for_bit() {
    a_network_comes_back::<f32>();
    a_network_comes_back::<f64>();
}

#[test]
fn memory_holds_no_second_copy() {
    let folder = Folder::new("memory");
    let path = folder.join("model");
    let net = Initializer::new(16, 100_000).build::<f64>().unwrap();
    let size = 17 * 100_000 * 8;
    let saving = allocation_counter::measure(|| net.save(&path).unwrap());
    assert!(saving.bytes_max < 300_000, "saving took {} bytes", saving.bytes_max);
    let loading = allocation_counter::measure(|| drop(ExpNetwork::<f64>::load(&path).unwrap()));
    assert!(loading.bytes_max >= size, "the counter counts");
    assert!(
        loading.bytes_max < size + 300_000,
        "loading took {} bytes",
        loading.bytes_max
    );
}

#[test]
fn another_scalar_type_is_refused_by_name() {
    let folder = Folder::new("type");
    let path = folder.join("model");
    awkward::<f64>().save(&path).unwrap();
    assert_eq!(
        problem::<f32>(&path),
        "tensor \"output_weights\" holds F64, not F32 (f32): load it as f64 and `cast` the network"
    );
    awkward::<f32>().save(&path).unwrap();
    assert_eq!(
        problem::<f64>(&path),
        "tensor \"output_weights\" holds F32, not F64 (f64): load it as f32 and `cast` the network"
    );
    let cast: ExpNetwork<f64> = ExpNetwork::<f32>::load(&path).unwrap().cast().unwrap();
    assert_eq!(cast, awkward::<f32>().cast().unwrap());
    let (mut header, numbers) = parts(&path);
    header["output_weights"]["dtype"] = json!("I32");
    put(&path, &header, &numbers);
    assert!(problem::<f64>(&path).contains("holds I32, not F64 (f64): save it as F32 or F64"));
}

#[test]
fn what_is_not_there_is_an_io_error_that_names_the_file() {
    let folder = Folder::new("missing");
    let path = folder.join("model");
    let error = ExpNetwork::<f64>::load(&path).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(
        error
            .to_string()
            .starts_with(&format!("reading the network {}: ", path.display())),
        "{error}"
    );
    let path = folder.join("no folder").join("model");
    let error = awkward::<f64>().save(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("writing the network {}: ", path.display())),
        "{error}"
    );
}
