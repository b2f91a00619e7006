//! Damaged files: an error and no panic, and no more memory than the file's own size explains, whatever is in them.
//!
//! Of each kind of file a third of the inputs is anything at all, a third is a good file with damage anywhere, and a
//! third keeps a good header and is damaged behind it. The tests print how many inputs got how far, and each stage must
//! have been reached by many. `cargo test --test fuzz -- --nocapture` shows the figures.

#[path = "common/safetensors.rs"]
mod safetensors;

use allocation_counter::measure;
use expnet::method::{GaussNewton, GradientDescent, Method, Minibatch};
use expnet::{Dataset, Error, ExpNetwork, ExpRegressor, Float, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

/// Inputs of each kind of file: three kinds, 24,000 in all.
const INPUTS: u32 = 8000;

/// What reading may take beside a few times the size of the file: buffers, messages, a folder's listing.
const ALLOWANCE: u64 = 200_000;

/// How far an input got. Each stage includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Refused,
    Header,
    Shapes,
    Loaded,
}

/// How the good file is damaged.
#[derive(Clone, Debug)]
enum Damage {
    /// The file is this instead.
    Anything(Vec<u8>),
    /// From here on, to the end or to where the header ends: some bytes are others.
    Edits { behind_header: bool, edits: Vec<Edit> },
}

#[derive(Clone, Debug)]
enum Edit {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, u8),
    /// A number in the text is another.
    Digit(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let edit = prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        1 => at().prop_map(Edit::Cut),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => (at(), 1..20_u8).prop_map(|(at, count)| Edit::Remove(at, count)),
        4 => (at(), 0..10_u8).prop_map(|(at, digit)| Edit::Digit(at, digit)),
    ];
    let edits = || prop::collection::vec(edit.clone(), 1..4);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Damage::Anything),
        edits().prop_map(|edits| Damage::Edits {
            behind_header: false,
            edits
        }),
        edits().prop_map(|edits| Damage::Edits {
            behind_header: true,
            edits
        }),
    ]
}

impl Damage {
    fn keeps_header(&self) -> bool {
        matches!(
            self,
            Self::Edits {
                behind_header: true,
                ..
            }
        )
    }

    /// The good file, damaged. Its header ends at `header`.
    fn done_to(&self, good: &[u8], header: usize) -> Vec<u8> {
        match self {
            // Half of them begin as the good file does, which random bytes never do.
            Self::Anything(bytes) if bytes.len() % 2 == 0 => bytes.clone(),
            Self::Anything(bytes) => [&good[..8.min(good.len())], bytes].concat(),
            Self::Edits { behind_header, edits } => {
                let from = if *behind_header { header } else { 0 };
                let mut bytes = good.to_vec();
                for edit in edits {
                    edit.do_to(&mut bytes, from);
                }
                bytes
            }
        }
    }
}

impl Edit {
    fn do_to(&self, bytes: &mut Vec<u8>, from: usize) {
        let length = bytes.len() - from;
        let place = |at: &prop::sample::Index| from + at.index(length.max(1));
        if length == 0 {
            return;
        }
        match self {
            Self::Set(at, byte) => bytes[place(at)] = *byte,
            Self::Flip(at, bit) => bytes[place(at)] ^= 1 << bit,
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + usize::from(*count)));
            }
            Self::Digit(at, digit) => {
                let digits: Vec<usize> = (from..bytes.len()).filter(|&at| bytes[at].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    bytes[digits[at.index(digits.len())]] = b'0' + digit;
                }
            }
        }
    }
}

/// Runs `read` on damaged versions of the good files, each with the length of its header, and counts how far they got:
/// of all inputs, and of those with a good header. Returns the latter.
fn fuzz(kind: &str, files: &[(Vec<u8>, usize)], read: impl Fn(usize, &[u8]) -> Result<Stage, Error>) -> [u32; 4] {
    let counts = [const { Cell::new([0_u32; 4]) }; 2];
    let peak = Cell::new(0);
    let mut runner = TestRunner::new_with_rng(
        Config {
            cases: INPUTS,
            failure_persistence: None,
            ..Config::default()
        },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let input = (0..files.len(), damage());
    let outcome = runner.run(&input, |(which, damage)| {
        let (good, header) = &files[which];
        let bytes = damage.done_to(good, *header);
        let mut result = None;
        let memory = measure(|| result = Some(read(which, &bytes))).bytes_max;
        peak.set(peak.get().max(memory));
        prop_assert!(
            memory < ALLOWANCE + 20 * bytes.len() as u64,
            "{memory} bytes for {}",
            bytes.len()
        );
        let stage = match result.unwrap() {
            Ok(stage) => stage,
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                Stage::Refused
            }
        };
        for (counts, counted) in counts.iter().zip([true, damage.keeps_header()]) {
            let mut numbers = counts.get();
            for number in &mut numbers[..=stage as usize] {
                *number += u32::from(counted);
            }
            counts.set(numbers);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
    let [all, kept] = counts.map(|counts| counts.get());
    for (of, [inputs, header, shapes, loaded]) in [("all", all), ("good headers", kept)] {
        println!("{kind}, {of}: {inputs} inputs, {header} past the header, {shapes} past the shapes, {loaded} loaded");
    }
    println!("{kind}: {} bytes at most", peak.get());
    assert_eq!(all[0], INPUTS);
    assert!(kept[0] > INPUTS / 4, "a third keeps its header: {kept:?}");
    assert!(all[0] - all[1] > INPUTS / 5, "many are refused at the header: {all:?}");
    assert!(kept[1] > kept[0] / 3 && kept[2] > kept[0] / 5, "{kept:?}");
    assert!(kept[3] < kept[0] * 9 / 10, "and not all load: {kept:?}");
    kept
}

/// What an error says of how far the file got.
fn stage_of(error: &Error, header: &[&str], shapes: &[&str]) -> Stage {
    let text = error.to_string();
    if header.iter().any(|word| text.contains(word)) {
        Stage::Refused
    } else if shapes.iter().any(|word| text.contains(word)) {
        Stage::Header
    } else {
        Stage::Shapes
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        // In memory where there is such a place: each input is written and read.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let path = base.join(format!("expnet-fuzz-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
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
    assert!(
        net.weights()
            .iter()
            .chain(net.output_weights())
            .all(nalgebra::ComplexField::is_finite)
    );
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
    let header = ["header", "cut short", "too short", "no safetensors", "follow its end"];
    let shapes = [
        "shape",
        "no tensor",
        "has a tensor",
        " holds F",
        "metadata",
        "version",
        "not a network",
        "not a regressor",
    ];
    stage_of(error, &header, &shapes)
}

#[test]
fn damaged_models() {
    let folder = Folder::new("models");
    let path = folder.0.join("model");
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

/// Checksums stand over all that is behind the header: what is damaged there is refused, after it was read.
#[test]
fn damaged_checkpoints() {
    let folder = Folder::new("checkpoints");
    let path = folder.0.join("run");
    let points = DMatrix::from_fn(3, 9, |k, i| ((1 + 2 * k + 3 * i + k * i) as f64).sin());
    let data = Dataset::new(points, DVector::from_fn(9, |i, _| (i as f64).cos())).unwrap();
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

#[test]
fn damaged_csv() {
    let good: &[&str] = &[
        "alcohol,pH,quality\n9.4,3.51,5\n9.8,3.2,5\n11.2,3.16,6\n",
        "\"acid, fixed\",quality,\"sugar \"\"raw\"\"\"\r\n7.4,5,-1.9e-3\r\n\r\n 7.8 ,6,+2.6\r\n\"11\",7,.5\r\n",
        "\u{feff}quality,x\n1,2\n3,4\n5,6\n7,8\n9,10\n11,12\n13,14\n15,16\n17,18\n",
    ];
    let files: Vec<_> = good
        .iter()
        .map(|text| (text.as_bytes().to_vec(), text.find('\n').unwrap() + 1))
        .collect();
    let longest = RefCell::new(0);
    let kept = fuzz("CSV", &files, |_, bytes| {
        match Dataset::<f64>::from_csv(bytes, "quality") {
            Ok(data) => {
                assert!(data.points().iter().chain(data.labels()).all(|x| x.is_finite()));
                assert!(data.samples() > 0 && data.names().unwrap().len() == data.dimension());
                let mut longest = longest.borrow_mut();
                *longest = data.samples().max(*longest);
                Ok(Stage::Loaded)
            }
            // A field that is no number stands in a row of the right length.
            Err(Error::Csv { problem, .. }) if problem.starts_with("column ") => Ok(Stage::Shapes),
            Err(Error::Csv { problem, .. }) if problem.contains("fields under a header of") => Ok(Stage::Header),
            Err(Error::Empty { what, .. }) if what.contains("below its header") => Ok(Stage::Header),
            Err(error) => Err(error),
        }
    });
    assert!(kept[3] > kept[0] / 20, "{kept:?}");
    assert!(*longest.borrow() >= 9);
}
