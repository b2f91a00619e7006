//! Theorem G on the reference problems.

use super::decay::{Decay, Nodes};
use super::march::Problem;
use super::path::{Path, PathGrowth};
use crate::certificate::operators::Operators;
use crate::certificate::reference::{Reference, agrees};
use crate::certificate::start::Start;
use crate::certificate::whitened::{Growth, Whitened};

/// The table of one problem: [rho, y0, Gam] by direct sums, [y0, Gam] with nodes, the march of the basic form
/// [y, f, I, nu, D], and the full form: [max `dl_r`, Q1, Q2, K1, K1', K2], B1, and its march [y, f, I, nu, `nu_U`, D].
struct Table {
    decay: [f64; 3],
    nodes: [f64; 2],
    basic: Option<[f64; 5]>,
    path: [f64; 6],
    curvature: f64,
    full: Option<[f64; 6]>,
}

/// Values that the exact solution of the differential equation has at the smallest y, below which no march may end.
fn check(problem: &Reference, (size, share): (f64, f64), table: &Table, exact: [Option<f64>; 2]) {
    let neurons = problem.neurons();
    let start = Start::new(&neurons, &problem.points, &problem.labels).unwrap();
    let whitened = Whitened::new(&start).unwrap().unwrap();
    let operators = Operators::new(&whitened).unwrap();
    let step_size = size / whitened.whitening.eigenvalues.max();
    let signal = &whitened.signal;
    let direct = Decay::with_nodes(&whitened.whitening, step_size, share, Nodes::every).unwrap();
    let path_length = direct.path_length(signal);
    agrees("rho", direct.rho, table.decay[0]);
    agrees("y0", path_length, table.decay[1]);
    agrees("Gam", direct.gain, table.decay[2]);
    let sparse = Decay::new(&whitened.whitening, step_size, share).unwrap();
    agrees("y0 with nodes", sparse.path_length(signal), table.nodes[0]);
    agrees("Gam with nodes", sparse.gain, table.nodes[1]);
    // Few nodes only increase the sums.
    assert!(sparse.path_length(signal) >= path_length && sparse.gain >= direct.gain * (1.0 - 1e-12));

    let mut march = Problem {
        residual: signal.norm,
        path_length,
        gain: direct.gain,
        overshoot: direct.overshoot,
        rounding: whitened.whitening.e2,
        growth: &whitened.growth,
        path: None,
        drift: 0.0,
    };
    match (march.march(), table.basic) {
        (Some(point), Some([y, f, i, nu, d])) => {
            let found = [point.clock, point.feedback, point.excess, point.nu, point.distance];
            compare(["y", "f", "I", "nu", "D"], found, [y, f, i, nu, d]);
            assert!(exact[0].is_some_and(|least| point.clock >= least));
        }
        (found, table) => assert!(found.is_none() && table.is_none()),
    }

    let path = Path::new(&whitened, &operators, &direct, signal).unwrap();
    let growth = PathGrowth::new(&path, &whitened, &operators);
    let largest = path.movements.iter().copied().fold(0.0, f64::max);
    let found = [largest, growth.q1, growth.q2, growth.k1, growth.k1_rest, growth.k2];
    compare(["max dl_r", "Q1", "Q2", "K1", "K1'", "K2"], found, table.path);
    if table.curvature == 0.0 {
        assert_eq!(growth.b1, 0.0);
    } else {
        agrees("B1", growth.b1, table.curvature);
    }
    let by_norms = Growth {
        l1: operators.l1,
        ..whitened.growth
    };
    march.growth = &by_norms;
    march.path = Some(&growth);
    match (march.march(), table.full) {
        (Some(point), Some([y, f, i, nu, nu_u, d])) => {
            let found = [
                point.clock,
                point.feedback,
                point.excess,
                point.nu,
                point.nu_u,
                point.distance,
            ];
            compare(["y", "f", "I", "nu", "nu_U", "D"], found, [y, f, i, nu, nu_u, d]);
            assert!(exact[1].is_some_and(|least| point.clock >= least));
        }
        (found, table) => assert!(found.is_none() && table.is_none()),
    }
    // Boxes between nodes only increase the suprema.
    let boxed = Path::new(&whitened, &operators, &sparse, signal).unwrap();
    assert!(boxed.first_order >= path.first_order * (1.0 - 1e-12));
    assert!(
        boxed
            .movements
            .iter()
            .zip(&path.movements)
            .all(|(boxed, path)| *boxed >= path * (1.0 - 1e-12))
    );
}

fn compare<const N: usize>(names: [&str; N], found: [f64; N], table: [f64; N]) {
    for ((name, found), table) in names.into_iter().zip(found).zip(table) {
        agrees(name, found, table);
    }
}

#[test]
fn r1() {
    let table = Table {
        decay: [0.99568841, 0.13978124, 1.513585],
        nodes: [0.13978131, 1.5136215],
        basic: Some([0.16599022, 0.016641119, 0.0080615988, 0.086389672, 0.14378527]),
        path: [
            0.024317927,
            0.031463299,
            0.00071103356,
            0.43513326,
            0.022843882,
            0.95085264,
        ],
        curvature: 0.0,
        full: Some([
            0.14196532,
            0.00044151693,
            0.003508136,
            0.033900385,
            0.0022550525,
            0.12303221,
        ]),
    };
    check(
        &Reference::r1(),
        (1.0, 0.1),
        &table,
        [Some(0.16413166), Some(0.14042166)],
    );
}

#[test]
fn r3() {
    let table = Table {
        decay: [0.98559695, 0.30130953, 1.4076249],
        nodes: [0.3013096, 1.4076253],
        basic: None,
        path: [
            0.07765125,
            0.062680347,
            0.0048702423,
            0.74102298,
            0.057058166,
            0.88785646,
        ],
        curvature: 0.0,
        full: Some([
            0.31543341,
            0.0083789322,
            0.021081568,
            0.089770604,
            0.021667329,
            0.26759966,
        ]),
    };
    check(&Reference::r3(), (1.0, 0.1), &table, [None, Some(0.31258925)]);
}

#[test]
fn r4() {
    let table = Table {
        decay: [0.99950669, 0.49154816, 1.6773607],
        nodes: [0.49156722, 1.6774578],
        basic: None,
        path: [0.08537293, 0.083577784, 0.029535152, 1.0512317, 0.32762298, 5.3418223],
        curvature: 0.0,
        full: None,
    };
    check(&Reference::r4(), (1.0, 0.1), &table, [None, None]);
}

#[test]
fn r5() {
    let table = Table {
        decay: [0.99728489, 0.049434731, 3.5921083],
        nodes: [0.049441881, 3.592271],
        basic: Some([0.06951759, 0.0055000564, 0.0026855417, 0.061023389, 0.047239328]),
        path: [
            0.010684749,
            0.0099024902,
            0.00033406356,
            0.9261453,
            0.046074446,
            5.4239563,
        ],
        curvature: 0.006231493,
        full: Some([
            0.051751984,
            0.00064246176,
            0.00050640097,
            0.011603938,
            0.0075224265,
            0.037773796,
        ]),
    };
    check(
        &Reference::r5(),
        (1.5, 0.5),
        &table,
        [Some(0.068544585), Some(0.051716959)],
    );
}
