//! Damaged networks, regressors of both kinds and checkpoints.

use super::{Stage, fuzz, stage_of};
use crate::support::problems::{is_finite, sines};
use crate::support::{Folder, safetensors};
use expnet::method::{GaussNewton, GradientDescent, Method, Minibatch};
use expnet::{Dataset, Error, ExpNetwork, ExpRegressor, Float, Initializer, KernelRegressor, Trainer};
use std::fs;
use std::path::{Path, PathBuf};

/// In memory where there is such a place: each input is written and read.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

/// A saved file, and where its header ends.
fn saved(path: &Path) -> (Vec<u8>, usize) {
    with_end(fs::read(path).unwrap())
}

fn with_end(file: Vec<u8>) -> (Vec<u8>, usize) {
    let end = safetensors::header_end(&file);
    (file, end)
}

/// What loads is a network that works: it can be saved and comes back.
fn check_network<T: Float>(net: &ExpNetwork<T>, path: &Path) {
    assert!(is_finite(net));
    net.save(path).unwrap();
    assert_eq!(ExpNetwork::<T>::load(path).unwrap(), *net);
}

fn read_network<T: Float>(path: &Path) -> Stage {
    match ExpNetwork::<T>::load(path) {
        Ok(net) => {
            check_network(&net, path);
            Stage::Loaded
        }
        Err(error) => stage_of_model(&error),
    }
}

fn stage_of_model(error: &Error) -> Stage {
    let header = ["header", "cut short", "too short", "not a safetensors", "extra bytes"];
    let shapes = [
        "shape",
        "no tensor",
        "has a tensor",
        " holds F",
        "metadata",
        "version",
        "not a network",
        "not a regressor",
        "not a kernel regressor",
    ];
    stage_of(error, &header, &shapes)
}

#[test]
fn damaged_models() {
    let folder = Folder::within(&memory(), "models");
    let path = folder.join("model");
    let narrow = Initializer::new(3, 12).seed(1).build::<f32>().unwrap();
    narrow.save(&path).unwrap();
    let (header, numbers) = safetensors::parts(&fs::read(&path).unwrap());
    let unchecked = safetensors::whole(&safetensors::without_checksums(header), &numbers);
    let mut files = vec![with_end(unchecked)];
    let wide = Initializer::new(4, 6).seed(2).build::<f64>().unwrap();
    wide.save(&path).unwrap();
    files.push(saved(&path));
    let rows: Vec<[f64; 2]> = (0..40).map(|i| [f64::from(i).sin(), f64::from(i).cos()]).collect();
    let labels: Vec<f64> = rows.iter().map(|[x, y]| x * y).collect();
    let data = Dataset::from_rows(&rows, &labels).unwrap();
    ExpRegressor::options()
        .width(8)
        .max_steps(3)
        .fit(&data)
        .unwrap()
        .save(&path)
        .unwrap();
    files.push(saved(&path));
    let kept = fuzz("models", &files, |which, bytes| {
        fs::write(&path, bytes).unwrap();
        Ok(match which {
            0 => read_network::<f32>(&path),
            1 => match ExpNetwork::<f64>::load(&path) {
                // Some edits of the header change nothing; what passes the checksums is what was saved.
                Ok(net) => {
                    assert!(net == wide);
                    check_network(&net, &path);
                    Stage::Loaded
                }
                Err(error) => stage_of_model(&error),
            },
            _ => match ExpRegressor::<f64>::load(&path) {
                Ok(model) => {
                    check_network(model.network(), &path);
                    Stage::Loaded
                }
                Err(error) => stage_of_model(&error),
            },
        })
    });
    assert!(kept[3] > kept[0] / 20, "{kept:?}");
}

/// What loads predicts finite numbers or says why not, and can be saved.
#[test]
fn damaged_kernel_regressors() {
    let folder = Folder::within(&memory(), "kernel-regressors");
    let path = folder.join("model");
    let rows: Vec<[f64; 2]> = (0..24).map(|i| [f64::from(i).sin(), f64::from(i).cos()]).collect();
    let labels: Vec<f64> = rows.iter().map(|[x, y]| x * y).collect();
    let data = Dataset::from_rows(&rows, &labels).unwrap();
    let weighted = data.clone().with_weights(data.labels().map(f64::abs)).unwrap();
    let mut files = Vec::new();
    for data in [&data, &weighted] {
        KernelRegressor::fit(data).unwrap().save(&path).unwrap();
        files.push(saved(&path));
        let (header, numbers) = safetensors::parts(&fs::read(&path).unwrap());
        files.push(with_end(safetensors::whole(
            &safetensors::without_checksums(header),
            &numbers,
        )));
    }
    let kept = fuzz("kernel regressors", &files, |_, bytes| {
        fs::write(&path, bytes).unwrap();
        Ok(match KernelRegressor::<f64>::load(&path) {
            Ok(model) => {
                if let Ok((mean, std_dev)) = model.predict_with_std_rows(&rows[..3]) {
                    assert!(mean.iter().chain(&std_dev).all(|number| number.is_finite()));
                }
                model.save(&path).unwrap();
                assert!(KernelRegressor::<f64>::load(&path).is_ok());
                Stage::Loaded
            }
            Err(error) => stage_of_model(&error),
        })
    });
    assert!(kept[3] > kept[0] / 20, "{kept:?}");
}

/// Checksums stand over all that is behind the header: what is damaged there is refused, after it was read.
#[test]
fn damaged_checkpoints() {
    let folder = Folder::within(&memory(), "checkpoints");
    let path = folder.join("run");
    let data = sines(9, 3);
    let start = Initializer::new(3, 12).antisymmetric(true).build::<f64>().unwrap();
    let methods = || -> [Box<dyn Method<f64>>; 3] {
        [
            Box::new(GradientDescent::default().momentum(0.5)),
            Box::new(Minibatch::new(4)),
            Box::new(GaussNewton::frozen()),
        ]
    };
    let trainer = |method| Trainer::new(0.01).method(method).max_steps(3);
    let files: Vec<_> = methods()
        .into_iter()
        .map(|method| {
            trainer(method)
                .checkpoint(&path, 2)
                .fit(&mut start.clone(), &data)
                .unwrap();
            saved(&path)
        })
        .collect();
    let ends = methods().map(|method| {
        let mut net = start.clone();
        trainer(method).fit(&mut net, &data).unwrap();
        net
    });
    let kept = fuzz("checkpoints", &files, |which, bytes| {
        fs::write(&path, bytes).unwrap();
        let [a, b, c] = methods();
        let method = [a, b, c].into_iter().nth(which).unwrap();
        let mut net = start.clone();
        match trainer(method).resume(&path).fit(&mut net, &data) {
            Ok(_) => {
                assert!(net == ends[which]);
                Ok(Stage::Loaded)
            }
            Err(error) if error.to_string().contains("its checksum is another") => Ok(Stage::Shapes),
            Err(error) => Ok(stage_of_model(&error)),
        }
    });
    assert!(kept[2] > kept[3], "{kept:?}");
}
