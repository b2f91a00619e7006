//! Matrices in NumPy's format.

use crate::support::{Folder, python};
use expnet::observer::History;
use expnet::{Dataset, Error, Float, Initializer, Trainer, npy};
use nalgebra::DMatrix;
use std::fs;
use std::path::Path;
use std::process::Command;

/// By hand, as the format's description has it.
fn put(path: &Path, header: &str, numbers: &[u8]) {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    fs::write(path, [&bytes, header.as_bytes(), numbers].concat()).unwrap();
}

fn problem<T: Float>(path: &Path) -> String {
    match npy::load::<T>(path) {
        Err(Error::Format { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

fn comes_back<T: Float>() {
    let folder = Folder::new(T::NAME);
    let path = folder.join("matrix.npy");
    let mut matrix = DMatrix::from_fn(3, 5, |i, j| T::lit((i as f64 + 0.1).powi(3) * (j as f64 - 1.7)));
    matrix[(1, 1)] = T::lit(f64::INFINITY);
    for matrix in [
        matrix,
        DMatrix::from_element(1, 1, T::lit(-0.0)),
        DMatrix::zeros(0, 4),
        DMatrix::zeros(0, 1000),
    ] {
        npy::save(&path, &matrix).unwrap();
        let loaded = npy::load::<T>(&path).unwrap();
        assert_eq!(loaded.shape(), matrix.shape());
        assert!(
            loaded
                .iter()
                .zip(&matrix)
                .all(|(a, b)| a.as_f64().to_bits() == b.as_f64().to_bits())
        );
    }
}

#[test]
fn matrices_come_back_bit_for_bit() {
    comes_back::<f64>();
    comes_back::<f32>();
}

#[test]
fn both_orders_and_columns_are_read() {
    let folder = Folder::new("orders");
    let path = folder.join("matrix.npy");
    let numbers: Vec<u8> = (0..6).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    put(
        &path,
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n",
        &numbers,
    );
    assert_eq!(
        npy::load::<f64>(&path).unwrap(),
        DMatrix::from_row_slice(2, 3, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    );
    put(
        &path,
        "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }\n",
        &numbers,
    );
    assert_eq!(
        npy::load::<f64>(&path).unwrap(),
        DMatrix::from_vec(2, 3, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    );
    put(
        &path,
        "{'descr': '<f8', 'fortran_order': False, 'shape': (6,), }\n",
        &numbers,
    );
    assert_eq!(
        npy::load::<f64>(&path).unwrap(),
        DMatrix::from_vec(6, 1, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    );
}

#[test]
fn what_is_no_matrix_of_the_type_is_refused_with_the_reason() {
    let folder = Folder::new("refused");
    let path = folder.join("matrix.npy");
    let numbers = [0; 48];
    let nested = format!("{}{}", "(".repeat(500), ")".repeat(500));
    for (header, expected) in [
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }",
            "it holds f32 numbers, not f64: load it as f32",
        ),
        (
            "{'descr': '>f8', 'fortran_order': False, 'shape': (2, 3), }",
            "it holds numbers of type >f8",
        ),
        (
            "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }",
            "it holds numbers of type <i8",
        ),
        (
            "{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (6,), }",
            "it holds records",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 3), }",
            "it holds an array of 3 dimensions, not a matrix",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (), }",
            "it holds an array of 0 dimensions, not a matrix",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }",
            "it is cut short or damaged",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
            "announces more than it holds",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999, 2), }",
            "announces more than it holds",
        ),
        (
            "{'descr': '<f8', 'fortran_order': 'no', 'shape': (2, 3), }",
            "its header is damaged",
        ),
        ("{'descr': '<f8', 'shape': (2, 3), }", "its header is damaged"),
        ("hello", "its header is damaged"),
        (nested.as_str(), "announces more than it holds"),
    ] {
        put(&path, header, &numbers);
        let problem = problem::<f64>(&path);
        assert!(problem.contains(expected), "{header}: {problem}");
    }
    for bytes in [
        &b"\x93NUMPY\x01\x00\xff\x00{"[..],
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"PK",
        b"",
    ] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(problem::<f64>(&path), "it is not a NumPy `.npy` file");
    }
}

#[test]
fn numpy_reads_weights_and_histories() {
    let Some(python) = python("import numpy") else { return };
    let folder = Folder::new("numpy");
    let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5]).unwrap();
    let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>().unwrap();
    let mut history = History::default();
    Trainer::new(1e-3)
        .max_steps(5)
        .observe(&mut history)
        .fit(&mut net, &data)
        .unwrap();
    npy::save(folder.join("w.npy"), net.weights()).unwrap();
    npy::save(folder.join("h.npy"), &history.to_matrix()).unwrap();
    npy::save(folder.join("f.npy"), &net.cast::<f32>().unwrap().weights().clone()).unwrap();
    let script = "import numpy as np; w, h, f = (np.load(x + '.npy') for x in 'whf'); \
                  assert (w.shape, h.shape, f.dtype) == ((2, 64), (6, 7), np.float32); \
                  assert np.isnan(h[0, 2]) and (f == w.astype(np.float32)).all(); \
                  np.save('back.npy', np.ascontiguousarray(2 * w)); print(h[5, 1].hex(), w[1, 3].hex())";
    let output = Command::new(&python)
        .args(["-c", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(npy::load::<f64>(folder.join("back.npy")).unwrap(), net.weights() * 2.0);
    println!("{python} read weights and a history with numpy");
}
