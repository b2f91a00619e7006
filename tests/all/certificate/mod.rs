//! Certificates of convergence: their formulas written out, and runs that keep their promises.

mod formulas;
mod narrowest;
mod newton;
mod promises;
mod refused;
mod runs;
mod width;
mod words;

use crate::support::problems::table_points;
use expnet::certificate::{Certificate, Certifier, Effort};
use expnet::{Dataset, ExpNetwork, Initializer, kernel};
use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const C: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;

/// The kinds of start the theorems are tried on.
#[derive(Clone, Copy, Debug)]
enum DirectionKind {
    RandomSigns,
    Antisymmetric,
    AllEqual,
    AnyOutputWeights,
}

/// All four in turn.
fn kind(seed: u64) -> DirectionKind {
    match seed % 4 {
        0 => DirectionKind::RandomSigns,
        1 => DirectionKind::Antisymmetric,
        2 => DirectionKind::AllEqual,
        _ => DirectionKind::AnyOutputWeights,
    }
}

/// n points, d coordinates, an even width of at least n neurons, all random but for the seed.
fn problem(kind: DirectionKind, seed: u64) -> (DMatrix<f64>, ExpNetwork<f64>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (n, d) = (rng.random_range(1..=5), rng.random_range(1..=5));
    // Equal neurons are as one: their kernel has rank d at most.
    let n = if matches!(kind, DirectionKind::AllEqual) {
        n.min(d)
    } else {
        n
    };
    let width = 2 * rng.random_range(n..=24);
    let scale = rng.random_range(0.5..1.5) / (d as f64).sqrt();
    let points = DMatrix::from_fn(d, n, |_, _| scale * rng.random_range(-1.5..1.5));
    let std_dev = rng.random_range(0.2..1.2);
    let antisymmetric = matches!(kind, DirectionKind::Antisymmetric);
    let start = Initializer::new(d, width)
        .std_dev(std_dev)
        .antisymmetric(antisymmetric)
        .seed(seed);
    let net = start.build::<f64>().unwrap();
    let (mut weights, mut output_weights) = (net.weights().clone(), net.output_weights().clone());
    match kind {
        DirectionKind::AllEqual => {
            let first = weights.column(0).into_owned();
            weights
                .column_iter_mut()
                .for_each(|mut column| column.copy_from(&first));
            output_weights.fill(1.0);
        }
        DirectionKind::AnyOutputWeights => output_weights.apply(|a| *a *= rng.random_range(0.0..2.0)),
        _ => {}
    }
    (points, ExpNetwork::from_parts(weights, output_weights).unwrap())
}

/// Ways in which data can be odd.
#[derive(Clone, Copy, Debug)]
enum Odd {
    NearDuplicates,
    MorePointsThanCoordinates,
    OnePoint,
    OneCoordinate,
    LargeOutputWeights,
    TinyPoint,
}

impl Odd {
    fn all() -> [Self; 6] {
        [
            Self::NearDuplicates,
            Self::MorePointsThanCoordinates,
            Self::OnePoint,
            Self::OneCoordinate,
            Self::LargeOutputWeights,
            Self::TinyPoint,
        ]
    }
}

/// A problem with a condition number up to 1e8 or so.
fn odd_problem(odd: Odd, seed: u64) -> (DMatrix<f64>, ExpNetwork<f64>) {
    let mut rng = StdRng::seed_from_u64(seed ^ 0xadd);
    let (n, d) = match odd {
        Odd::OnePoint => (1, rng.random_range(1..=4)),
        Odd::OneCoordinate => (rng.random_range(1..=3), 1),
        Odd::MorePointsThanCoordinates => (rng.random_range(4..=6), 2),
        _ => (rng.random_range(2..=5), rng.random_range(2..=4)),
    };
    let mut points = DMatrix::from_fn(d, n, |_, _| rng.random_range(-1.2..1.2));
    match odd {
        Odd::NearDuplicates => {
            let apart = 10.0_f64.powf(rng.random_range(-3.5..-1.0));
            let near = points.column(0) + points.column(1) * apart;
            points.set_column(1, &near);
        }
        Odd::TinyPoint => {
            let small = points.column(0) * 10.0_f64.powf(rng.random_range(-3.0..-1.0));
            points.set_column(0, &small);
        }
        _ => {}
    }
    let width = match odd {
        Odd::OnePoint => rng.random_range(1..=8),
        _ => rng.random_range(2 * n..=24),
    };
    let net = Initializer::new(d, width)
        .std_dev(rng.random_range(0.3..1.2))
        .seed(seed)
        .build::<f64>()
        .unwrap();
    let mut output_weights = net.output_weights().clone();
    if matches!(odd, Odd::LargeOutputWeights) {
        output_weights.apply(|a| *a *= rng.random_range(0.2..4.5));
    }
    (
        points,
        ExpNetwork::from_parts(net.weights().clone(), output_weights).unwrap(),
    )
}

/// Labels for which e_0 is `residual`.
fn with_residual(points: &DMatrix<f64>, net: &ExpNetwork<f64>, residual: &DVector<f64>) -> Dataset<f64> {
    Dataset::new(points.clone(), net.forward(points).unwrap() - residual).unwrap()
}

/// A unit vector: random, or an eigenvector of the kernel with the least or largest eigenvalue.
fn direction(points: &DMatrix<f64>, net: &ExpNetwork<f64>, seed: u64) -> DVector<f64> {
    let n = points.ncols();
    let spectrum = kernel::Spectrum::with_eigenvectors(&kernel::empirical_kernel(net, points).unwrap()).unwrap();
    let vectors = spectrum.eigenvectors().unwrap();
    let mut rng = StdRng::seed_from_u64(!seed);
    match seed % 3 {
        0 => vectors.column(n - 1).into_owned(),
        1 => vectors.column(0).into_owned(),
        _ => DVector::from_fn(n, |_, _| rng.random_range(-1.0..1.0)).normalize(),
    }
}

/// The same start with e_0 along a direction, as large as theorem `k` of the certificate's three allows: it holds with less than 1% to
/// spare. `None` where the kernel is too near to singular.
fn at_the_edge(
    k: usize,
    points: &DMatrix<f64>,
    net: &ExpNetwork<f64>,
    seed: u64,
) -> Option<(DVector<f64>, Certificate)> {
    let direction = direction(points, net, seed);
    let certifier = Certifier::new(Effort::Basic);
    // Small enough for A, A' and A'', which hold or not for all such step sizes.
    let gram = kernel::empirical_kernel(net, points).unwrap() * net.width() as f64;
    let step_size = 0.3 / kernel::Spectrum::new(&gram).unwrap().lambda_max();
    let certified = |size: f64| {
        let data = with_residual(points, net, &(&direction * size));
        certifier.certify_at(net, &data, step_size).unwrap()
    };
    let holds = |size: f64| certified(size).attempts()[k].holds();
    let mut low = 1e-6;
    if !holds(low) {
        return None;
    }
    while holds(2.0 * low) {
        low *= 2.0;
    }
    let mut high = 2.0 * low;
    while high - low > 1e-6 * low && certified(low).attempts()[k].tightest().factor() < 0.995 {
        let middle = f64::midpoint(low, high);
        *(if holds(middle) { &mut low } else { &mut high }) = middle;
    }
    let residual = &direction * low;
    let data = with_residual(points, net, &residual);
    Some((residual, certifier.certify(net, &data).unwrap()))
}

/// The points of the theory's tables, labels +1, -1, +1, …
fn table_problem(n: usize, d: usize) -> Dataset<f64> {
    let labels = DVector::from_fn(n, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 });
    Dataset::new(table_points(n, d), labels).unwrap()
}
