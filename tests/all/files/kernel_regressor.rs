//! Saved kernel regressors are loaded whole, and damaged ones are refused.

use super::{awkward, put, unchecked};
use crate::support::{Folder, cut_and_flipped, on_both, on_threads, refused};
use expnet::{Dataset, Error, ExpNetwork, ExpRegressor, Float, KernelRegressor, Scaling, kernel};
use nalgebra::{DMatrix, DVector};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Three columns, one of which is constant.
fn data<T: Float>(samples: usize) -> Dataset<T> {
    let points = DMatrix::from_fn(3, samples, |k, i| match k {
        2 => T::lit(7.0),
        _ => T::lit(50.0 + ((1 + i) as f64 * (0.7 + k as f64)).sin()),
    });
    let labels = DVector::from_fn(samples, |i, _| {
        T::lit((2.0 * points[(0, i)].as_f64()).sin() + 0.1 * ((i * i) as f64).cos())
    });
    let names = ["a \"quoted\" name", "Säure", ""].map(String::from).to_vec();
    Dataset::new(points, labels).unwrap().with_names(names).unwrap()
}

fn weighted<T: Float>(samples: usize) -> Dataset<T> {
    let weights = DVector::from_fn(samples, |i, _| T::lit((i % 4) as f64 / 3.0));
    data::<T>(samples).with_weights(weights).unwrap()
}

/// The same with three more columns, too many for monomials.
fn wide<T: Float>(samples: usize) -> Dataset<T> {
    let few = weighted::<T>(samples);
    let points = DMatrix::from_fn(6, samples, |k, i| match k {
        0..3 => few.points()[(k, i)],
        _ => T::lit(((3 + i) as f64 * (0.3 + k as f64)).cos()),
    });
    let names = ["a \"quoted\" name", "Säure", "", "d", "e", "f"]
        .map(String::from)
        .to_vec();
    let data = Dataset::new(points, few.labels().clone())
        .unwrap()
        .with_names(names)
        .unwrap();
    data.with_weights(few.weights().unwrap().clone()).unwrap()
}

/// The same model after a save and a load, bit for bit, and the same bytes after another save. `sample` has 50 points.
fn comes_back<T: Float>(model: &KernelRegressor<T>, sample: &Dataset<T>, path: &Path) {
    let new = Dataset::new(sample.points() * T::lit(1.003), DVector::zeros(50)).unwrap();
    model.save(path).unwrap();
    let first = fs::read(path).unwrap();
    let loaded = KernelRegressor::<T>::load(path).unwrap();
    assert_eq!(loaded.predict(&new).unwrap(), model.predict(&new).unwrap());
    let expected = model.predict_with_std(&new).unwrap();
    assert!(expected.1.min() > T::zero());
    assert_eq!(loaded.predict_with_std(&new).unwrap(), expected);
    let on_one = on_threads(1, || {
        KernelRegressor::<T>::load(path)
            .unwrap()
            .predict_with_std(&new)
            .unwrap()
    });
    assert_eq!(on_one, expected);
    assert_eq!(loaded.scaling(), model.scaling());
    assert_eq!(loaded.selection(), model.selection());
    assert_eq!(loaded.problems(), model.problems());
    assert_eq!(loaded.solution().coefficients(), model.solution().coefficients());
    loaded.save(path).unwrap();
    assert_eq!(fs::read(path).unwrap(), first, "the same bytes each time");
    let names = (0..sample.dimension()).map(|k| format!("column {k}"));
    let swapped = sample.clone().with_names(names.collect()).unwrap();
    refused(loaded.predict(&swapped), &["quoted", "is missing"]);
}

fn exact_regressors_come_back<T: Float>() {
    let folder = Folder::new(&format!("kernel-regressor-{}", T::NAME));
    let path = folder.join("model");
    comes_back(&KernelRegressor::fit(&data::<T>(60)).unwrap(), &data(50), &path);
    comes_back(&KernelRegressor::fit(&weighted::<T>(60)).unwrap(), &data(50), &path);
    let plain = Scaling::options().bias(false).unit_sphere(false).labels(false);
    let options = KernelRegressor::options().std_dev(0.3).lambda(0.2).scaling(plain);
    comes_back(&options.fit(&data::<T>(60)).unwrap(), &data(50), &path);
}

/// A fit of fixed length scales and beta.
fn quick<T: Float>(data: &Dataset<T>) -> KernelRegressor<T> {
    let options = KernelRegressor::options().length_scales(false);
    options.scaling(Scaling::options().beta(1.0)).fit(data).unwrap()
}

fn regressors_with_centres_come_back<T: Float>() {
    let folder = Folder::new(&format!("kernel-regressor-centres-{}", T::NAME));
    let model = quick(&wide::<T>(4200));
    assert_eq!(model.solution().coefficients().len(), 1024);
    comes_back(&model, &wide(50), &folder.join("model"));
}

/// More than 4096 samples in few columns: monomials in place of centres.
fn regressors_with_monomials_come_back<T: Float>() {
    let folder = Folder::new(&format!("kernel-regressor-monomials-{}", T::NAME));
    let model = quick(&weighted::<T>(4200));
    assert_eq!(model.solution().coefficients().len(), 4200);
    let path = folder.join("model");
    comes_back(&model, &data(50), &path);
    assert!(fs::metadata(&path).unwrap().len() < 8 * 4200 * 4200 / 4);
}

on_both!(
    exact_regressors_come_back,
    regressors_with_centres_come_back,
    regressors_with_monomials_come_back
);

#[test]
fn any_scalar_type_loads_a_file() {
    let folder = Folder::new("kernel-regressor-types");
    let path = folder.join("model");
    let data = data::<f32>(60);
    let model = KernelRegressor::fit(&data).unwrap();
    model.save(&path).unwrap();
    let wide = KernelRegressor::<f64>::load(&path).unwrap();
    let predicted = wide.predict(&data.points().map(f64::from)).unwrap();
    let expected = model.predict(&data).unwrap();
    assert!((predicted.cast::<f32>() - &expected).amax() < 1e-4 * expected.amax());
}

/// Where the bytes of a tensor start.
fn start_of(header: &Value, name: &str) -> usize {
    serde_json::from_value(header[name]["data_offsets"][0].clone()).unwrap()
}

/// From the formulas in the documentation, by plain linear algebra from the file alone.
#[test]
fn the_file_holds_what_its_documentation_says() {
    let folder = Folder::new("kernel-regressor-content");
    let path = folder.join("model");
    let data = weighted::<f64>(30);
    let model = KernelRegressor::fit(&data).unwrap();
    model.save(&path).unwrap();
    let (header, numbers) = unchecked(&path);
    let document: Value = serde_json::from_str(header["__metadata__"]["expnet"].as_str().unwrap()).unwrap();
    // In C order: the rows of the tensor are the columns here.
    let tensor = |name: &str| -> DMatrix<f64> {
        let shape: Vec<usize> = serde_json::from_value(header[name]["shape"].clone()).unwrap();
        let start = start_of(&header, name);
        let number = |i: usize| f64::from_le_bytes(numbers[start + 8 * i..][..8].try_into().unwrap());
        let columns = shape.get(1).copied().unwrap_or(1);
        DMatrix::from_fn(shape[0], columns, |i, j| number(i * columns + j))
    };
    let new = data.points() * 1.01;
    let scaled = model.scaling().apply_points(&new).unwrap();
    let sigma = document["std_dev"].as_f64().unwrap();
    let (points, factor, roots) = (tensor("points"), tensor("factor"), tensor("weight_roots"));
    let k = kernel::limit_kernel(&points.transpose(), sigma).unwrap();
    let weighting = DMatrix::from_diagonal(&roots.column(0).into_owned());
    let lambda = model.selection().lambda();
    let mut system = &weighting * k * &weighting + DMatrix::identity(30, 30) * lambda;
    // A sample of weight 0 has a row of zeros, whose diagonal does not matter.
    for i in (0..30).filter(|&i| roots[i] == 0.0) {
        system[(i, i)] = factor.column(i).norm_squared();
    }
    assert!((factor.tr_mul(&factor) - &system).amax() < 1e-12 * system.amax());
    let cross = kernel::limit_cross_kernel(&points.transpose(), &scaled, sigma).unwrap();
    let half = factor.transpose().lu().solve(&(weighting * &cross)).unwrap();
    let scale = |key: &str| document["scaling"][key].as_f64().unwrap();
    let (mean, std_dev) = model.predict_with_std(&new).unwrap();
    for j in 0..30 {
        let prior = kernel::limit_kernel(&scaled.columns(j, 1).into_owned(), sigma).unwrap()[0];
        let variance = document["variance"].as_f64().unwrap() * (lambda + prior - half.column(j).norm_squared());
        let f = cross.column(j).dot(&tensor("coefficients").column(0));
        assert!((scale("label_mean") + scale("label_std_dev") * f - mean[j]).abs() < 1e-10);
        assert!((scale("label_std_dev") * variance.sqrt() / std_dev[j] - 1.0).abs() < 1e-8);
    }
}

/// The file of a model with its header and numbers changed, and without checksums. Tensors start at multiples of 8.
fn change(path: &Path, work: impl Fn(&mut Value, &mut Value, &mut [u8])) {
    KernelRegressor::fit(&weighted::<f64>(20)).unwrap().save(path).unwrap();
    let (mut header, mut numbers) = unchecked(path);
    let mut document: Value = serde_json::from_str(header["__metadata__"]["expnet"].as_str().unwrap()).unwrap();
    work(&mut header, &mut document, &mut numbers);
    header["__metadata__"]["expnet"] = document.to_string().into();
    put(path, &header, &numbers);
}

/// Sets one number of a tensor.
fn set(header: &Value, numbers: &mut [u8], name: &str, at: usize, value: f64) {
    let start = start_of(header, name) + 8 * at;
    numbers[start..start + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn damaged_files_are_refused() {
    let folder = Folder::new("damaged-kernel-regressor");
    let path = folder.join("model");
    let load = |words: &[&str]| {
        let error = KernelRegressor::<f64>::load(&path);
        assert!(matches!(error, Err(Error::Format { .. })), "{error:?}");
        refused(error, words);
    };
    change(&path, |_, _, _| {});
    assert!(
        KernelRegressor::<f64>::load(&path).is_ok(),
        "without checksums it is valid"
    );
    for (place, value, words) in [
        ("/std_dev", json!(0.0), ["its `std_dev` is 0.0", "positive"]),
        ("/std_dev", json!(100.0), ["its kernel is invalid", "inf"]),
        ("/variance", json!(-1.0), ["its `variance` is -1.0", "positive"]),
        ("/selection/lambda", json!(-0.1), ["its `lambda` is -0.1", "positive"]),
        ("/solution", json!("guess"), ["metadata is damaged", "guess"]),
        ("/solution", json!("low_rank"), ["no tensor", "\"whitening\""]),
        ("/solution", json!("monomials"), ["\"factor\" has shape", "20"]),
        (
            "/scaling/label_std_dev",
            json!(0.0),
            ["its scaling is invalid", "0.0 for the labels"],
        ),
        (
            "/scaling/options/bias",
            json!(false),
            ["points of dimension 2", "have dimension 3"],
        ),
        ("/selection", json!({}), ["metadata is damaged", "missing field"]),
    ] {
        change(&path, |_, document, _| {
            *document.pointer_mut(place).unwrap() = value.clone();
        });
        load(&words);
    }
    for (name, at, value, words) in [
        ("factor", 21, -1.0, ["\"factor\" is invalid", "(1, 1) is -1.0"]),
        ("factor", 22, f64::NAN, ["\"factor\" is invalid", "(1, 2) is NaN"]),
        (
            "factor",
            20,
            1.0,
            ["\"factor\" is invalid", "row 1 is not that of an upper triangular"],
        ),
        (
            "weight_roots",
            3,
            -1.0,
            ["\"weight_roots\" is invalid", "-1.0 at sample 3"],
        ),
        ("coefficients", 4, f64::INFINITY, ["its fit is invalid", "point 4"]),
        ("points", 0, f64::NAN, ["its kernel is invalid", "NaN"]),
        ("scaling.lengths", 0, 0.0, ["its scaling is invalid", "column 0"]),
    ] {
        change(&path, |header, _, numbers| set(header, numbers, name, at, value));
        load(&words);
    }
    change(&path, |header, _, _| header["factor"]["shape"] = json!([10, 40]));
    load(&["\"factor\" has shape [10, 40], not [20, 20]"]);
    change(&path, |_, document, _| document["solution"] = json!("exact"));
    assert!(KernelRegressor::<f64>::load(&path).is_ok());

    KernelRegressor::fit(&data::<f64>(20)).unwrap().save(&path).unwrap();
    cut_and_flipped(&path, load);
}

#[test]
fn other_kinds_of_files_are_refused() {
    let folder = Folder::new("kinds-kernel-regressor");
    let path = folder.join("model");
    KernelRegressor::fit(&data::<f64>(20)).unwrap().save(&path).unwrap();
    let refusal = "it holds a kernel regressor, not a regressor: load it with `KernelRegressor::load`";
    refused(ExpRegressor::<f64>::load(&path), &[refusal]);
    refused(
        ExpNetwork::<f64>::load(&path),
        &["load it with `KernelRegressor::load`"],
    );
    refused(kernel::Fit::load(&path), &["load it with `KernelRegressor::load`"]);
    let load = || KernelRegressor::<f64>::load(&path);
    awkward::<f64>().save(&path).unwrap();
    refused(
        load(),
        &["it holds a network, not a kernel regressor: load it with `ExpNetwork::load`"],
    );
    ExpRegressor::options()
        .width(8)
        .fit(&data::<f64>(20))
        .unwrap()
        .save(&path)
        .unwrap();
    refused(
        load(),
        &["it holds a regressor, not a kernel regressor: load it with `ExpRegressor::load`"],
    );
    KernelRegressor::fit(&data::<f64>(20))
        .unwrap()
        .solution()
        .save(&path)
        .unwrap();
    refused(
        load(),
        &["it holds a kernel fit, not a kernel regressor: load it with `kernel::Fit::load`"],
    );
    let missing = KernelRegressor::<f64>::load(folder.join("missing"));
    assert!(matches!(missing, Err(Error::Io { .. })));
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let folder = Folder::new("atomic-kernel-regressor");
    let model = KernelRegressor::fit(&data::<f64>(20)).unwrap();
    assert!(matches!(
        model.save(folder.join("no/such/folder")),
        Err(Error::Io { .. })
    ));
    fs::create_dir(folder.join("model")).unwrap();
    assert!(matches!(model.save(folder.join("model")), Err(Error::Io { .. })));
    assert!(folder.join("model").is_dir());
}
