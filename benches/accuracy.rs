//! Accuracy on held-out data of the two regressors with default settings, against tuned peers of scikit-learn on the same splits:
//! `EXPNET_SPLITS=folder cargo bench --bench accuracy`.
//!
//! The folder holds `SET_K_train.csv` and `SET_K_test.csv` for sets and splits K = 0, 1, .., with the label in column `target`.
//! Without the variable, five random splits of the wine data are used. `EXPNET_SEEDS` is the number of seeds for the spread of
//! the network (default 1), and `EXPNET_PYTHON` the Python in which scikit-learn is installed, if it is.

mod common;

use common::{PEERS, is_tiny, python};
use expnet::{Dataset, ExpRegressor, KernelRegressor};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A normal variable is within this many standard deviations in 90% of all cases.
const NINETY_PERCENT: f64 = 1.645;
/// The peers of `peers/accuracy.py`, in its order.
const PEER_NAMES: [&str; 5] = ["ridge", "KRR", "GP", "MLP", "forest"];

/// What was measured on one set, summed over its splits.
#[derive(Clone, Default)]
struct Row {
    splits: usize,
    samples: usize,
    dimension: usize,
    network: f64,
    network_seconds: f64,
    spread: f64,
    kernel: f64,
    kernel_seconds: f64,
    covered: f64,
    peers: Option<Vec<f64>>,
    peer_seconds: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = match std::env::var_os("EXPNET_SPLITS") {
        Some(folder) => PathBuf::from(folder),
        None => wine_splits()?,
    };
    let seeds = std::env::var("EXPNET_SEEDS").map_or(Ok(1), |seeds| seeds.parse::<u64>())?;
    let mut rows = BTreeMap::new();
    for (set, splits) in sets(&folder)? {
        let row = measure(&folder, &set, splits, seeds)?;
        if rows.is_empty() {
            header(row.peers.is_some());
        }
        print(&set, &row);
        rows.insert(set, row);
    }
    print_means(&rows);
    Ok(())
}

/// The names of the sets in a folder, and how many splits each has.
fn sets(folder: &Path) -> Result<BTreeMap<String, usize>, Box<dyn Error>> {
    let mut sets = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix("_train.csv"));
        if let Some((set, _)) = stem.and_then(|stem| stem.rsplit_once('_')) {
            *sets.entry(set.to_owned()).or_default() += 1;
        }
    }
    if is_tiny() {
        for splits in sets.values_mut() {
            *splits = 1;
        }
    }
    Ok(sets)
}

/// Writes five splits of the wine data to a folder of their own.
fn wine_splits() -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/splits");
    std::fs::create_dir_all(&folder)?;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/winequality-red.csv");
    let wines = Dataset::<f64>::from_csv(File::open(path)?, "quality")?;
    for split in 0..5 {
        let (train, test) = wines.split(if is_tiny() { 0.1 } else { 0.75 }, split)?;
        for (part, data) in [("train", train), ("test", test)] {
            let names = data.names().unwrap_or_default().join(",");
            let mut text = format!("{names},target\n");
            for (point, label) in data.iter() {
                for x in point.iter() {
                    write!(text, "{x},")?;
                }
                writeln!(text, "{label}")?;
            }
            std::fs::write(folder.join(format!("wine_{split}_{part}.csv")), text)?;
        }
    }
    Ok(folder)
}

fn measure(folder: &Path, set: &str, splits: usize, seeds: u64) -> Result<Row, Box<dyn Error>> {
    let mut row = Row {
        splits,
        ..Row::default()
    };
    for split in 0..splits {
        let path = |part: &str| folder.join(format!("{set}_{split}_{part}.csv"));
        let read = |part: &str| -> Result<Dataset<f64>, Box<dyn Error>> {
            Ok(Dataset::from_csv(File::open(path(part))?, "target")?)
        };
        let (train, test) = (read("train")?, read("test")?);
        (row.samples, row.dimension) = (train.samples() + test.samples(), train.dimension());
        let mut scores = Vec::new();
        for seed in 0..seeds {
            let start = Instant::now();
            let model = ExpRegressor::options().seed(seed).fit(&train)?;
            row.network_seconds += start.elapsed().as_secs_f64() / seeds as f64;
            scores.push(model.score(&test)?);
        }
        let mean = scores.iter().sum::<f64>() / seeds as f64;
        row.network += mean;
        row.spread += (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / seeds as f64).sqrt();

        let start = Instant::now();
        let model = KernelRegressor::fit(&train)?;
        row.kernel_seconds += start.elapsed().as_secs_f64();
        row.kernel += model.score(&test)?;
        let (mean, std_dev) = model.predict_with_std(&test)?;
        let covered = |&i: &usize| (mean[i] - test.labels()[i]).abs() <= NINETY_PERCENT * std_dev[i];
        row.covered += (0..test.samples()).filter(covered).count() as f64 / test.samples() as f64;
        add_peers(&mut row, &path("train"), &path("test"));
    }
    Ok(row)
}

/// Adds R² and seconds of the peers, if Python has scikit-learn.
fn add_peers(row: &mut Row, train: &Path, test: &Path) {
    let output = python()
        .arg(format!("{PEERS}/accuracy.py"))
        .args([train, test])
        .output();
    let Some(text) = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()) else {
        return;
    };
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    if numbers.len() != 2 * PEER_NAMES.len() {
        return;
    }
    let (scores, seconds) = numbers.split_at(PEER_NAMES.len());
    let sum = row.peers.get_or_insert(vec![0.0; PEER_NAMES.len()]);
    sum.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
    row.peer_seconds.resize(PEER_NAMES.len(), 0.0);
    row.peer_seconds.iter_mut().zip(seconds).for_each(|(sum, s)| *sum += s);
}

fn header(peers: bool) {
    print!(
        "{:14} {:>5} {:>4} {:>8} {:>6} {:>6} {:>8} {:>6} {:>8}",
        "set", "n", "d", "network", "sd", "s", "kernel", "s", "in 90%"
    );
    if peers {
        for name in PEER_NAMES {
            print!(" {name:>7} {:>6}", "s");
        }
    }
    println!();
}

fn print(set: &str, row: &Row) {
    let mean = |sum: f64| sum / row.splits as f64;
    print!(
        "{set:14} {:5} {:4} {:8.4} {:6.4} {:6.3} {:8.4} {:6.3} {:8.3}",
        row.samples,
        row.dimension,
        mean(row.network),
        mean(row.spread),
        mean(row.network_seconds),
        mean(row.kernel),
        mean(row.kernel_seconds),
        mean(row.covered)
    );
    for (score, seconds) in row.peers.iter().flatten().zip(&row.peer_seconds) {
        print!(" {:7.4} {:6.3}", mean(*score), mean(*seconds));
    }
    println!();
}

/// The mean of each column over the sets.
fn print_means(rows: &BTreeMap<String, Row>) {
    let mean = |of: &dyn Fn(&Row) -> f64| {
        let sum: f64 = rows.values().map(|row| of(row) / row.splits as f64).sum();
        sum / rows.len() as f64
    };
    let all = Row {
        splits: 1,
        network: mean(&|row| row.network),
        network_seconds: mean(&|row| row.network_seconds),
        spread: mean(&|row| row.spread),
        kernel: mean(&|row| row.kernel),
        kernel_seconds: mean(&|row| row.kernel_seconds),
        covered: mean(&|row| row.covered),
        peers: rows.values().all(|row| row.peers.is_some()).then(|| {
            let peer = |p: usize| mean(&|row| row.peers.as_ref().map_or(0.0, |peers| peers[p]));
            (0..PEER_NAMES.len()).map(peer).collect()
        }),
        peer_seconds: (0..PEER_NAMES.len())
            .map(|p| mean(&|row| row.peer_seconds.get(p).copied().unwrap_or(0.0)))
            .collect(),
        ..Row::default()
    };
    print("mean", &all);
    if all.peers.is_some() {
        println!("\nseconds of a fit, in the mean of the sets, relative to the network and the kernel:");
        for (name, seconds) in PEER_NAMES.iter().zip(&all.peer_seconds) {
            println!(
                "{name:8} {:8.2} x {:8.2} x",
                seconds / all.network_seconds,
                seconds / all.kernel_seconds
            );
        }
    }
}
