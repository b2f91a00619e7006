//! Python reads saved networks and regressors, and writes a network.

use super::{awkward, bits, fitted};
use crate::support::{Folder, python};
use expnet::{Dataset, ExpNetwork, ExpRegressor, Float, Scaling};
use nalgebra::{DMatrix, DVector};
use serde_json::json;
use std::process::Command;

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
    net.save(folder.join("model")).unwrap();
    let back = folder.join("back.safetensors");
    let output = Command::new(python)
        .args(["-c", &format!("{BY_HAND}{READER}")])
        .arg(folder.join("model"))
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
assert about["kind"] == "regressor" and all(scaling["options"][s] for s in ("standardise", "bias", "unit_sphere", "labels"))
means, std_devs, lengths = map(tensor, ("scaling.means", "scaling.std_devs", "scaling.lengths"))
a, W = map(tensor, ("output_weights", "weights"))
d = len(W) // len(a)
for point in json.loads(sys.argv[2]):
    limit = scaling["options"]["clip"]
    x = [max(-limit, min(limit, (raw - mean) / std_dev)) / length
         for raw, mean, std_dev, length in zip(point, means, std_devs, lengths) if std_dev > 0]
    x += [(scaling["options"]["beta"] or 1.0) * math.sqrt(max(len(x), 1))]
    norm = math.sqrt(sum(z * z for z in x))
    x = [z / norm for z in x]
    outputs = (b * math.exp(sum(w * z for w, z in zip(W[r * d:], x))) for r, b in enumerate(a))
    print(scaling["label_mean"] + scaling["label_std_dev"] * sum(outputs))
"#;

#[test]
fn python_predicts_as_documented() {
    let Some(python) = python("") else { return };
    let (model, data) = fitted::<f64>(Scaling::options(), true);
    python_predicts(&python, &model, data.points());
    let points = data.points().clone().insert_row(1, 7.0);
    let constant = Dataset::new(points, data.labels().clone()).unwrap();
    let model = ExpRegressor::options().width(64).max_steps(20).fit(&constant).unwrap();
    assert_eq!(model.scaling().dropped(), [1]);
    python_predicts(&python, &model, constant.points());
}

fn python_predicts(python: &str, model: &ExpRegressor<f64>, points: &DMatrix<f64>) {
    let folder = Folder::new("predicts");
    model.save(folder.join("model")).unwrap();
    let rows: Vec<Vec<f64>> = points.column_iter().map(|x| x.iter().copied().collect()).collect();
    let output = Command::new(python)
        .args(["-c", &format!("{BY_HAND}{PREDICTOR}")])
        .arg(folder.join("model"))
        .arg(json!(rows).to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let found = DVector::from_iterator(rows.len(), text.lines().map(|line| line.parse::<f64>().unwrap()));
    let expected = model.predict(points).unwrap();
    assert!((found - &expected).amax() <= 1e-11 * expected.amax());
}

#[test]
fn python_reads_a_network_and_writes_one() {
    let Some(python) = python("") else { return };
    let (wide, narrow) = (python_reads::<f64>(&python), python_reads::<f32>(&python));
    assert_eq!(wide, narrow);
    println!("{python} read f64 and f32 with `{wide}`");
}
