//! Networks and regressors in files: the same bits back, and an error that says what is wrong with any other file.

#[path = "common/safetensors.rs"]
mod safetensors;

use expnet::{Dataset, Error, ExpNetwork, ExpRegressor, Float, Initializer, Scaling};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("expnet-save-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Numbers at every edge of the type.
fn awkward<T: Float>() -> ExpNetwork<T> {
    let (tiny, huge) = if T::NAME == "f32" {
        (f64::from(f32::from_bits(1)), f64::from(f32::MAX))
    } else {
        (5e-324, f64::MAX)
    };
    let weights = dmatrix![0.1, -0.0, tiny, 1.0 / 3.0; -huge, 7.0, 1e-30, -2.5; 0.0, huge, -tiny, 1e30];
    ExpNetwork::from_parts(weights.map(T::lit), dvector![1.0, -1.0, 0.1, -tiny].map(T::lit)).unwrap()
}

fn bits<T: Float>(net: &ExpNetwork<T>) -> Vec<u64> {
    net.weights()
        .iter()
        .chain(net.output_weights())
        .map(|x| x.as_f64().to_bits())
        .collect()
}

/// The header of a file and what follows it.
/// Header and numbers.
fn parts(path: &Path) -> (Value, Vec<u8>) {
    safetensors::parts(&fs::read(path).unwrap())
}

/// The same of a file without checksums, as another program may write it.
fn unchecked(path: &Path) -> (Value, Vec<u8>) {
    let (header, numbers) = parts(path);
    (safetensors::without_checksums(header), numbers)
}

fn put(path: &Path, header: &Value, numbers: &[u8]) {
    fs::write(path, safetensors::whole(header, numbers)).unwrap();
}

/// What loading says of a file, which must name the file.
fn problem<T: Float>(path: &Path) -> String {
    match ExpNetwork::<T>::load(path) {
        Err(Error::Format { file, problem }) => {
            assert_eq!(file, path.display().to_string());
            problem
        }
        other => panic!("{other:?}"),
    }
}

fn a_network_comes_back<T: Float>() {
    let folder = Folder::new(T::NAME);
    for net in [awkward::<T>(), Initializer::new(7, 9001).seed(1).build::<T>().unwrap()] {
        net.save(folder.file()).unwrap();
        let first = fs::read(folder.file()).unwrap();
        assert_eq!(bits(&ExpNetwork::<T>::load(folder.file()).unwrap()), bits(&net));
        net.save(folder.file()).unwrap();
        assert_eq!(fs::read(folder.file()).unwrap(), first, "the same bytes each time");
        let (header, numbers) = parts(&folder.file());
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
    let net = Initializer::new(16, 100_000).build::<f64>().unwrap();
    let size = 17 * 100_000 * 8;
    let saving = allocation_counter::measure(|| net.save(folder.file()).unwrap());
    assert!(saving.bytes_max < 300_000, "saving took {} bytes", saving.bytes_max);
    let loading = allocation_counter::measure(|| drop(ExpNetwork::<f64>::load(folder.file()).unwrap()));
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
    awkward::<f64>().save(folder.file()).unwrap();
    assert_eq!(
        problem::<f32>(&folder.file()),
        "tensor \"output_weights\" holds F64 and not F32 (f32): load it as f64, and `cast` the network"
    );
    awkward::<f32>().save(folder.file()).unwrap();
    assert_eq!(
        problem::<f64>(&folder.file()),
        "tensor \"output_weights\" holds F32 and not F64 (f64): load it as f32, and `cast` the network"
    );
    let cast: ExpNetwork<f64> = ExpNetwork::<f32>::load(folder.file()).unwrap().cast().unwrap();
    assert_eq!(cast, awkward::<f32>().cast().unwrap());
    let (mut header, numbers) = parts(&folder.file());
    header["output_weights"]["dtype"] = json!("I32");
    put(&folder.file(), &header, &numbers);
    assert!(problem::<f64>(&folder.file()).contains("holds I32 and not F64 (f64): save it as F32 or F64"));
}

/// Each with one thing wrong.
#[test]
fn damaged_headers_are_refused_with_the_reason() {
    let folder = Folder::new("headers");
    let path = folder.file();
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
            "tensor \"weights\" has shape [12], which should have 2 numbers",
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
            "it was not written for expnet: its metadata has no key \"expnet\"",
        ),
        (
            "/__metadata__",
            json!({ "format": "pt" }),
            "it was not written for expnet",
        ),
        ("/__metadata__", document("[1]"), "its metadata is damaged"),
        (
            "/__metadata__",
            document("{\"kind\":\"network\"}"),
            "its metadata is damaged: there is no version of the format",
        ),
        (
            "/__metadata__",
            document("{\"version\":1}"),
            "it does not say what the file holds",
        ),
        (
            "/__metadata__",
            document("{\"version\":7,\"kind\":\"network\"}"),
            "its format has version 7, and this expnet reads version 1",
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
            "it has a tensor \"another\", which a network has not"
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
    assert!(problem::<f64>(&path).starts_with("it holds no network: the weight matrix is empty"));
}

#[test]
fn sizes_whose_sum_overflows_are_refused() {
    let folder = Folder::new("overflow");
    let path = folder.file();
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
    let path = folder.file();
    awkward::<f64>().save(&path).unwrap();
    let (header, numbers) = parts(&path);
    for at in (0..numbers.len()).step_by(7) {
        let mut numbers = numbers.clone();
        numbers[at] ^= 1 << (at % 8);
        put(&path, &header, &numbers);
        let problem = problem::<f64>(&path);
        assert!(
            problem.contains("is damaged: its checksum is another"),
            "byte {at}: {problem}"
        );
    }
}

#[test]
fn files_of_the_wrong_length_are_refused() {
    let folder = Folder::new("length");
    let path = folder.file();
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
    assert_eq!(problem::<f32>(&path), "it is damaged: 1 bytes follow its end");
    fs::write(&path, "these are the words of a long letter, and no numbers").unwrap();
    assert_eq!(
        problem::<f32>(&path),
        "it is no safetensors file: it begins with no length of a header"
    );
    fs::write(&path, [&16_u64.to_le_bytes()[..], b"{ neither, nor }"].concat()).unwrap();
    assert!(problem::<f32>(&path).starts_with("its header is damaged"));
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let folder = Folder::new("finite");
    let path = folder.file();
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
            problem.starts_with(&format!("it holds no network: {expected}")),
            "{problem}"
        );
    }
}

#[test]
fn what_is_not_there_is_an_io_error_that_names_the_file() {
    let folder = Folder::new("missing");
    let path = folder.file();
    let error = ExpNetwork::<f64>::load(&path).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(
        error
            .to_string()
            .starts_with(&format!("reading the network {}: ", path.display())),
        "{error}"
    );
    let path = folder.0.join("no folder").join("model");
    let error = awkward::<f64>().save(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("writing the network {}: ", path.display())),
        "{error}"
    );
}

fn fitted<T: Float>(scaling: expnet::ScalingOptions, names: bool) -> (ExpRegressor<T>, Dataset<T>) {
    let points = DMatrix::from_fn(3, 60, |k, i| {
        T::lit(50.0 + (1 + k) as f64 * ((1 + i) as f64 * (0.7 + k as f64)).sin())
    });
    let labels = DVector::from_fn(60, |i, _| {
        T::lit(0.1 + 0.003 * points[(0, i)].as_f64() * (i as f64).cos())
    });
    let mut data = Dataset::new(points, labels).unwrap();
    if names {
        data = data
            .with_names(["a \"quoted\" name", "Säure", ""].map(String::from).to_vec())
            .unwrap();
    }
    let options = ExpRegressor::options()
        .width(64)
        .std_dev(0.02)
        .max_steps(30)
        .scaling(scaling);
    (options.fit(&data).unwrap(), data)
}

fn a_regressor_comes_back<T: Float>() {
    let folder = Folder::new(&format!("regressor-{}", T::NAME));
    let path = folder.file();
    let all = Scaling::options();
    for (options, names) in [
        (all, true),
        (all.bias(false), false),
        (all.labels(false).unit_sphere(false), true),
    ] {
        let (model, data) = fitted::<T>(options, names);
        model.save(&path).unwrap();
        let loaded = ExpRegressor::<T>::load(&path).unwrap();
        assert_eq!(loaded.network(), model.network());
        assert_eq!(loaded.scaling(), model.scaling());
        assert_eq!(loaded.report(), model.report());
        assert_eq!(
            loaded.predict(data.points()).unwrap(),
            model.predict(data.points()).unwrap()
        );
        let first = fs::read(&path).unwrap();
        model.save(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first, "the same bytes each time");
    }
}

#[test]
fn a_regressor_comes_back_whole() {
    a_regressor_comes_back::<f32>();
    a_regressor_comes_back::<f64>();
}

#[test]
fn networks_and_regressors_are_not_mistaken_for_each_other() {
    let folder = Folder::new("kinds");
    let path = folder.file();
    awkward::<f64>().save(&path).unwrap();
    let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
    assert!(error.ends_with("it holds a network, not a regressor"), "{error}");
    fitted::<f64>(Scaling::options(), false).0.save(&path).unwrap();
    assert_eq!(problem::<f64>(&path), "it holds a regressor, not a network");
}

#[test]
fn a_damaged_scaling_or_report_is_refused() {
    let folder = Folder::new("scaling");
    let path = folder.file();
    fitted::<f64>(Scaling::options(), true).0.save(&path).unwrap();
    let (header, numbers) = unchecked(&path);
    let text = header["__metadata__"]["expnet"].as_str().unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let cases: &[(&str, Value, &str)] = &[
        (
            "/scaling/label_std_dev",
            json!(0.0),
            "its scaling cannot be used: the mean of the labels is",
        ),
        ("/scaling/label_mean", Value::Null, "its metadata is damaged"),
        (
            "/scaling/columns",
            json!(["one"]),
            "its scaling cannot be used: 1 names of 3 columns",
        ),
        (
            "/scaling/standardise",
            json!(false),
            "its scaling cannot be used: a column should be left alone",
        ),
        (
            "/scaling/bias",
            json!(false),
            "its scaling makes points of dimension 3, its network has 4",
        ),
        ("/scaling/unit_sphere", json!("yes"), "its metadata is damaged"),
        (
            "/report/termination",
            json!("bored"),
            "its report is damaged: \"bored\" is no end of a run",
        ),
        (
            "/report/loss",
            json!("much"),
            "its report is damaged: \"much\" is not a number",
        ),
        ("/report/seconds", json!(-1.0), "its report is damaged"),
        (
            "/report/best_step",
            Value::Null,
            "its report is damaged: a validation loss and its step go together",
        ),
        ("/report/steps", json!(-1), "its metadata is damaged"),
        ("/report", json!({}), "its metadata is damaged: missing field"),
    ];
    for (place, value, expected) in cases {
        let (mut header, mut document) = (header.clone(), document.clone());
        *document.pointer_mut(place).unwrap() = value.clone();
        header["__metadata__"]["expnet"] = json!(document.to_string());
        put(&path, &header, &numbers);
        let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{place} = {value}: {error}");
    }
    let mut numbers = numbers;
    numbers[..8].copy_from_slice(&f64::INFINITY.to_le_bytes());
    put(&path, &header, &numbers);
    let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("its scaling cannot be used: the mean of a column is inf"),
        "{error}"
    );
}

/// Reads a file by hand, with the standard library alone.
const BY_HAND: &str = r#"
import json, math, struct, sys
with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(*struct.unpack("<Q", file.read(8))))
    numbers = file.read()
about = json.loads(header["__metadata__"]["expnet"])
def tensor(name):
    (start, end), kind = header[name]["data_offsets"], {"F32": "f", "F64": "d"}[header[name]["dtype"]]
    return struct.unpack(f"<{(end - start) // struct.calcsize(kind)}{kind}", numbers[start:end])
"#;

/// Reads with the `safetensors` package where Python has it, else by hand with the standard library; prints the shape of
/// `weights` and all numbers as hexadecimal floats, and writes a network back.
const READER: &str = r#"
source, target = sys.argv[1:]
try:
    from safetensors import safe_open
    from safetensors.numpy import save_file
    with safe_open(source, "numpy") as file:
        about = json.loads(file.metadata()["expnet"])
        assert (about["version"], about["kind"]) == (1, "network")
        W, a = file.get_tensor("weights"), file.get_tensor("output_weights")
    save_file({"weights": -W, "output_weights": -a}, target, {"expnet": '{"version": 1, "kind": "network"}'})
    print("safetensors")
    shape, W, a = W.shape, W.flatten().tolist(), a.tolist()
except ModuleNotFoundError:
    assert (about["version"], about["kind"]) == (1, "network")
    header["__metadata__"]["expnet"] = '{"version": 1, "kind": "network"}'
    shape, W, a = header["weights"]["shape"], tensor("weights"), tensor("output_weights")
    kind = {"F32": "f", "F64": "d"}[header["weights"]["dtype"]]
    with open(target, "wb") as file:
        text = json.dumps(header).encode()
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(header.keys() - {"__metadata__"}, key=lambda name: header[name]["data_offsets"]):
            file.write(struct.pack(f"<{len(tensor(name))}{kind}", *(-x for x in tensor(name))))
    print("struct")
print(*shape)
print(*(x.hex() for x in W))
print(*(x.hex() for x in a))
"#;

/// A finite number as Python's `float.hex` prints it.
fn from_hex(text: &str) -> f64 {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let (mantissa, exponent) = text.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap();
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap();
    let exponent = exponent.parse::<i32>().unwrap() - 4 * i32::try_from(fraction.len()).unwrap();
    // In two steps, so that a subnormal number's power of two is one of the type.
    sign * digits as f64 * 2.0_f64.powi(exponent / 2) * 2.0_f64.powi(exponent - exponent / 2)
}

fn python_reads<T: Float>(python: &str) -> String {
    let folder = Folder::new(&format!("python-{}", T::NAME));
    let net = awkward::<T>();
    net.save(folder.file()).unwrap();
    let back = folder.0.join("back.safetensors");
    let output = Command::new(python)
        .args(["-c", &format!("{BY_HAND}{READER}")])
        .arg(folder.file())
        .arg(&back)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[1], "4 3", "m x d");
    let numbers: Vec<u64> = lines[2..4]
        .iter()
        .flat_map(|line| line.split(' '))
        .map(|x| from_hex(x).to_bits())
        .collect();
    assert_eq!(numbers, bits(&net));
    let negated = ExpNetwork::from_parts(-net.weights(), -net.output_weights()).unwrap();
    assert_eq!(bits(&ExpNetwork::<T>::load(back).unwrap()), bits(&negated));
    lines[0].to_string()
}

/// The prediction as the docs of `ExpRegressor::save` give it, for the raw points in the arguments.
const PREDICTOR: &str = r#"
scaling = about["scaling"]
assert about["kind"] == "regressor" and all(scaling[s] for s in ("standardise", "bias", "unit_sphere", "labels"))
means, std_devs, a, W = map(tensor, ("scaling.means", "scaling.std_devs", "output_weights", "weights"))
d = len(W) // len(a)
for point in json.loads(sys.argv[2]):
    x = [(raw - mean) / std_dev for raw, mean, std_dev in zip(point, means, std_devs)] + [1.0]
    norm = math.sqrt(sum(z * z for z in x))
    x = [z / norm for z in x]
    outputs = (b * math.exp(sum(w * z for w, z in zip(W[r * d:], x))) for r, b in enumerate(a))
    print(scaling["label_mean"] + scaling["label_std_dev"] * sum(outputs))
"#;

/// The interpreter, where there is one. `EXPNET_PYTHON` names another than `python3`.
fn python() -> Option<String> {
    let python = std::env::var("EXPNET_PYTHON").unwrap_or("python3".into());
    let version = Command::new(&python).arg("--version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("skipped: there is no {python} here");
    None
}

#[test]
fn python_predicts_as_documented() {
    let Some(python) = python() else { return };
    let folder = Folder::new("predicts");
    let (model, data) = fitted::<f64>(Scaling::options(), true);
    model.save(folder.file()).unwrap();
    let points: Vec<Vec<f64>> = data
        .points()
        .column_iter()
        .map(|x| x.iter().copied().collect())
        .collect();
    let output = Command::new(&python)
        .args(["-c", &format!("{BY_HAND}{PREDICTOR}")])
        .arg(folder.file())
        .arg(json!(points).to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let found = DVector::from_iterator(data.samples(), text.lines().map(|line| line.parse::<f64>().unwrap()));
    let expected = model.predict(data.points()).unwrap();
    assert!((found - &expected).amax() <= 1e-11 * expected.amax());
}

#[test]
fn python_reads_a_network_and_writes_one() {
    let Some(python) = python() else { return };
    let (wide, narrow) = (python_reads::<f64>(&python), python_reads::<f32>(&python));
    assert_eq!(wide, narrow);
    println!("{python} read f64 and f32 with `{wide}`");
}
