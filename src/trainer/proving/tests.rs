//! Theorem H(b): the computed weights against exact gradient descent, at every step.

use super::Looks;
use crate::certificate::Effort;
use crate::dataset::Dataset;
use crate::float::Float;
use crate::init::Initializer;
use crate::network::ExpNetwork;
use crate::schedule::Constant;
use crate::trainer::{Session, Trainer};
use nalgebra::{DMatrix, DVector};
use serde::Deserialize;

/// A session that follows the rounding and never looks for a proof.
fn followed<'s, T: Float>(net: &'s mut ExpNetwork<T>, data: &Dataset<T>, step_size: f64) -> Session<'s, 'static, T> {
    let trainer = Trainer::new(Constant::new(step_size).unwrap()).max_steps(1 << 20);
    let mut session = trainer.certify(1).start(net, data).unwrap();
    let prover = session.prover.as_mut().unwrap();
    prover.looks = Looks {
        every: usize::MAX,
        effort: Effort::Full,
        stop: false,
    };
    prover.next = 0.0;
    session
}

/// ||W - V||_F / delta for the weights V of the session; `None` once nothing is claimed.
fn share<T: Float>(session: &Session<'_, '_, T>, off: impl Fn(usize, usize, f64) -> f64) -> Option<f64> {
    let mut weights = DMatrix::zeros(0, 0);
    session.weights_into(&mut weights).unwrap();
    let mut sum = 0.0;
    for (r, column) in weights.column_iter().enumerate() {
        for (k, v) in column.iter().enumerate() {
            sum += off(k, r, v.as_f64()).powi(2);
        }
    }
    let drift = session.prover.as_ref().unwrap().drift;
    drift.is_known().then(|| sum.sqrt() / drift.distance)
}

/// `rounding.py` says what is in it.
#[derive(Deserialize)]
struct Exact {
    chains: Vec<Chain>,
}

#[derive(Deserialize)]
struct Chain {
    x: Vec<Vec<f64>>,
    w: Vec<Vec<f64>>,
    a: Vec<f64>,
    y: Vec<f64>,
    eta: f64,
    weights: Vec<Weights>,
}

#[derive(Deserialize)]
struct Weights {
    step: usize,
    high: Vec<Vec<f64>>,
    low: Vec<Vec<f64>>,
}

/// Against weights that were computed with 60 digits.
#[test]
fn double_precision_stays_within_its_drift() {
    let exact: Exact = serde_json::from_str(include_str!("../../../tests/data/rounding.json")).unwrap();
    let mut compared = 0;
    for chain in exact.chains {
        let matrix = |rows: &[Vec<f64>]| DMatrix::from_fn(rows[0].len(), rows.len(), |k, r| rows[r][k]);
        let data = Dataset::new(matrix(&chain.x), DVector::from_vec(chain.y)).unwrap();
        let mut net = ExpNetwork::from_parts(matrix(&chain.w), DVector::from_vec(chain.a)).unwrap();
        let mut session = followed(&mut net, &data, chain.eta);
        for Weights { step, high, low } in &chain.weights {
            while session.steps() < *step && session.step().unwrap().is_none() {}
            if session.steps() < *step {
                break;
            }
            let Some(share) = share(&session, |k, r, v| (v - high[r][k]) - low[r][k]) else {
                break;
            };
            assert!(share <= 1.0 && share > 1e-6, "step {step}: {share}");
            compared += 1;
        }
    }
    // Runs in reduced coordinates, and those that reach their floor, drop out.
    assert!(compared >= 10, "{compared}");
}

/// A step of exact gradient descent, up to rounding that is far below that of single precision.
fn step(weights: &mut DMatrix<f64>, a: &DVector<f64>, data: (&DMatrix<f64>, &DVector<f64>), step_size: f64) {
    let (points, labels) = data;
    let mut e = points.tr_mul(weights).map(f64::exp);
    for (mut column, a) in e.column_iter_mut().zip(a) {
        column *= *a;
    }
    let residual = e.column_sum() - labels;
    for mut column in e.column_iter_mut() {
        column.component_mul_assign(&residual);
    }
    *weights -= points * e * step_size;
}

#[test]
fn single_precision_stays_within_its_drift() {
    const STEPS: usize = 80;
    let (mut shares, mut whole) = (Vec::new(), 0);
    for seed in 0..60_u16 {
        let (d, m) = (1 + usize::from(seed) % 3, 2 + 2 * (usize::from(seed) % 9));
        // More samples than coordinates: otherwise the run would be in reduced ones, whose rounding is not followed.
        let n = d + 1 + usize::from(seed) % 4;
        let (n, antisymmetric, size) = (n.min(d * m), seed % 3 == 0, 1.0 + 0.5 * f32::from(seed % 4));
        let start = Initializer::new(d, m)
            .antisymmetric(antisymmetric)
            .seed(seed.into())
            .build::<f32>()
            .unwrap();
        let output_weights = start.output_weights() * size;
        let points = DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f32 + 0.37 * (i * k) as f32).sin());
        let labels = DVector::from_fn(n, |i, _| (2.0 * i as f32).cos());
        let data = Dataset::new(points.clone(), labels.clone()).unwrap();
        let mut net = ExpNetwork::from_parts(start.weights().clone(), output_weights.clone()).unwrap();

        let [points, mut exact] = [&points, start.weights()].map(|matrix| matrix.map(f64::from));
        let [labels, output_weights] = [&labels, &output_weights].map(|vector| vector.map(f64::from));
        let mut gram = points.tr_mul(&exact).map(f64::exp);
        for (mut column, a) in gram.column_iter_mut().zip(&output_weights) {
            column *= *a;
        }
        let trace: f64 = points
            .tr_mul(&points)
            .component_mul(&(&gram * gram.transpose()))
            .trace();
        let step_size = [0.3, 0.7, 1.0][usize::from(seed) % 3] / trace;
        let mut session = followed(&mut net, &data, step_size);
        for t in 0..STEPS {
            if session.step().unwrap().is_some() {
                break;
            }
            step(&mut exact, &output_weights, (&points, &labels), step_size);
            let Some(share) = share(&session, |k, r, v| v - exact[(k, r)]) else {
                break;
            };
            assert!(share <= 1.0, "seed {seed}, step {t}: {share}");
            shares.push(share);
            whole += usize::from(t + 1 == STEPS);
        }
    }
    shares.sort_by(f64::total_cmp);
    let [median, largest] = [shares[shares.len() / 2], shares[shares.len() - 1]];
    println!(
        "{whole} whole chains, {} steps: {median}, at most {largest}",
        shares.len()
    );
    assert!(shares.len() >= 2000, "{whole} {}", shares.len());
    // A bound that is far too large would prove nothing.
    assert!(largest > 0.01, "{largest}");
}
