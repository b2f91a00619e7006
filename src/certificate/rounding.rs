//! Bounds against exact values: none is crossed, however much cancels.
//!
//! `tests/data/rounding.py` computed the values with 60 digits, for networks and data that are the doubles in the file:
//! near-duplicates with condition numbers to 1e9, tiny rows, n > d, n = 1, neurons that are equal or cancel in pairs,
//! exponents that are small differences of large numbers. Each value is rounded away from the bound to the next double, so
//! that the comparisons here decide as those of the exact numbers would.

use super::descent::Descent;
use super::frozen;
use super::neurons::OfNetwork;
use super::newton::Newton;
use super::operators::Operators;
use super::start::Start;
use super::whitened::Whitened;
use nalgebra::{DMatrix, DVector};
use serde::Deserialize;

/// A problem and its exact values; `rounding.py` says what they are.
#[derive(Deserialize)]
pub(super) struct Case {
    pub family: String,
    x: Vec<Vec<f64>>,
    w: Vec<Vec<f64>>,
    a: Vec<f64>,
    y: Vec<f64>,
    pub eta: f64,
    pub share: f64,
    pub condition: f64,
    lam_1: f64,
    lam_n: f64,
    s0: f64,
    ell: Vec<f64>,
    lip: Vec<f64>,
    trace: Vec<f64>,
    plus: Vec<f64>,
    reach: [Vec<f64>; 2],
    b2: f64,
    newton: Option<[f64; 4]>,
    newton_trace: Option<[f64; 4]>,
    slope: [f64; 3],
    pub y0: f64,
    pub direct: bool,
    pub gam: f64,
    #[serde(rename = "move")]
    pub movements: Vec<f64>,
    pub q1: f64,
    pub b1: f64,
}

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

impl Case {
    pub fn all() -> Vec<Self> {
        let file: File = serde_json::from_str(include_str!("../../tests/data/rounding.json")).unwrap();
        file.cases
    }

    /// Calls `visit` with the case in whitened coordinates; false if no claim is made.
    pub fn whiten(&self, visit: impl FnOnce(&Whitened<'_>, &Operators)) -> bool {
        let matrix = |rows: &[Vec<f64>]| DMatrix::from_fn(rows[0].len(), rows.len(), |k, i| rows[i][k]);
        whiten(
            (&matrix(&self.x), &DVector::from_column_slice(&self.y)),
            (&matrix(&self.w), &DVector::from_column_slice(&self.a)),
            visit,
        )
    }

    /// Whether rounding is negligible, so that bounds must have many digits.
    fn is_benign(&self) -> bool {
        self.condition < 1e3 && !["large_weights", "cancelling_exponents"].contains(&self.family.as_str())
    }
}

fn whiten(
    (points, labels): (&DMatrix<f64>, &DVector<f64>),
    (weights, output_weights): (&DMatrix<f64>, &DVector<f64>),
    visit: impl FnOnce(&Whitened<'_>, &Operators),
) -> bool {
    let neurons = OfNetwork::new(points, weights, output_weights);
    let start = Start::new(&neurons, points, labels).unwrap();
    let Some(whitened) = Whitened::new(&start).unwrap() else {
        return false;
    };
    visit(&whitened, &Operators::new(&whitened).unwrap());
    true
}

/// Compares bounds with exact values.
#[derive(Default)]
pub(super) struct Comparison {
    crossed: Vec<String>,
    loose: Vec<String>,
    pub compared: usize,
    tight: usize,
    sharp: bool,
    what: String,
}

impl Comparison {
    pub fn begin(&mut self, index: usize, case: &Case) {
        self.sharp = case.is_benign();
        self.what = format!("problem {index} ({}, condition {:e})", case.family, case.condition);
    }

    /// An upper bound that may be far from the exact value.
    pub fn above(&mut self, name: &str, bound: f64, exact: f64) {
        self.compared += 1;
        if bound.is_nan() || bound < exact {
            let by = 1.0 - bound / exact;
            self.crossed
                .push(format!("{}: {name} {bound:e} < {exact:e}, by {by:.1e}", self.what));
        }
    }

    /// An upper bound that has many digits of the exact value, where rounding allows it.
    pub fn just_above(&mut self, name: &str, bound: f64, exact: f64) {
        self.above(name, bound, exact);
        self.tight += usize::from(self.sharp);
        if self.sharp && bound - exact > 1e-9 * exact.abs() {
            self.loose
                .push(format!("{}: {name} {bound:e} for {exact:e}", self.what));
        }
    }

    pub fn just_below(&mut self, name: &str, bound: f64, exact: f64) {
        self.just_above(name, -bound, -exact);
    }

    pub fn end(&self, tight: usize) {
        assert!(self.crossed.is_empty(), "crossed:\n{}", self.crossed.join("\n"));
        assert!(self.loose.is_empty(), "loose:\n{}", self.loose.join("\n"));
        assert!(self.tight >= tight, "{} of {}", self.tight, self.compared);
    }
}

#[test]
fn no_bound_of_whitened_coordinates_is_crossed() {
    let (mut comparison, mut claimed) = (Comparison::default(), 0);
    for (index, case) in Case::all().iter().enumerate() {
        comparison.begin(index, case);
        let claims = case.whiten(|whitened, operators| {
            comparison.just_below("lam_1", whitened.whitening.smallest(), case.lam_1);
            comparison.just_above("lam_n", whitened.whitening.largest(), case.lam_n);
            comparison.just_above("s0", whitened.signal.norm, case.s0);
            let by_trace = whitened.leverages();
            for (r, ell) in case.ell.iter().enumerate() {
                comparison.just_above("ell", operators.ell[r], *ell);
                comparison.above("ell by its trace", by_trace[r], *ell);
                comparison.just_above("lip", operators.lip[r], case.lip[r]);
                comparison.just_above("lip by its trace", whitened.lip[r], case.trace[r]);
                comparison.just_above("lip+", whitened.lip_plus[r], case.plus[r]);
            }
            for (r, reach) in [0, case.ell.len() - 1].into_iter().zip(&case.reach) {
                for (i, t) in reach.iter().enumerate() {
                    comparison.just_above("t", operators.reach[(i, r)], *t);
                }
            }
            comparison.just_above("b2", operators.curvature, case.b2);
        });
        claimed += usize::from(claims);
    }
    assert!(claimed >= 120, "{claimed}");
    comparison.end(1000);
}

#[test]
fn no_bound_of_gauss_newton_is_crossed() {
    let (mut comparison, mut held) = (Comparison::default(), 0);
    for (index, case) in Case::all().iter().enumerate() {
        comparison.begin(index, case);
        case.whiten(|whitened, operators| {
            let paired = whitened.is_paired().then_some(0.0);
            let found = [
                (
                    Newton::of(whitened, operators.l1, Some(operators.curvature)),
                    case.newton,
                ),
                (Newton::of(whitened, whitened.growth.l1, paired), case.newton_trace),
            ];
            for (found, exact) in found {
                let (Ok(found), Some(exact)) = (&found, exact) else {
                    assert!(found.is_err(), "{}: theorem N does not hold", comparison.what);
                    continue;
                };
                if (found.residuals.len() - 1) as f64 == exact[0] {
                    held += 1;
                    comparison.just_above("p_t", found.step, exact[1]);
                    comparison.just_above("Lq", found.curvature, exact[2]);
                    comparison.just_above("D^", found.distance, exact[3]);
                }
            }
            let [s, by_entries, by_eigenvalue] = case.slope;
            let found = frozen::slopes_at(whitened, operators, s);
            comparison.just_above("g' by |P|", found[0], by_entries);
            comparison.just_above("g' by lam_1", found[1], by_eigenvalue);
        });
    }
    assert!(held >= 150, "{held}");
    comparison.end(200);
}

/// One sample and one neuron, or a pair that cancels: s0 = ||e_0|| / (|a x| e^(w x)).
fn scalar([x, w, y]: [f64; 3], a: &[f64], visit: impl FnOnce(&Whitened<'_>, &Operators)) -> bool {
    whiten(
        (&DMatrix::from_element(1, 1, x), &DVector::from_element(1, y)),
        (&DMatrix::from_element(1, a.len(), w), &DVector::from_column_slice(a)),
        visit,
    )
}

#[test]
fn near_the_ends_of_the_range_nothing_is_claimed() {
    let claims = |numbers, a: &[f64]| scalar(numbers, a, |_, _| ());
    assert!(claims([1.0, 0.0, 0.5], &[1.0]) && claims([1.0, -80.0, 0.5], &[1.0]));
    // e^-742 has two digits as a double; squares of e^-160, of 1e-160 and of 1e-100 (squared once more) have few or none.
    for w in [-160.0, -371.0, -700.0, -800.0, 160.0] {
        assert!(!claims([1.0, w, 0.5], &[1.0]), "{w}");
    }
    for x in [0.0, 1e-300, 1e-160, 1e-100, 1e100, 1e150] {
        assert!(!claims([x, 0.0, 0.5], &[1.0]), "{x}");
    }
    assert!(!claims([1.0, 0.0, 0.5], &[0.0]) && !claims([1.0, 0.0, 0.5], &[1e-100]));
    assert!(!claims([1e-100, 0.0, 0.5], &[1e100]) && !claims([1e100, 0.0, 0.5], &[1e-100]));
}

#[test]
fn labels_of_any_size_have_an_s0_that_bounds() {
    // The square of 1e-200 vanishes, that of 1e200 is infinite.
    for y in [1e-310, 1e-200, 1e-100, 10.0, 1e100, 1e200, 1e300] {
        for a in [&[1.0, -1.0][..], &[0.5][..]] {
            let claims = scalar([1.0, 0.0, y], a, |whitened, operators| {
                let exact = if a.len() == 2 {
                    y / 2.0_f64.sqrt()
                } else {
                    (0.5 - y).abs() / 0.5
                };
                assert!(
                    whitened.signal.norm >= exact * (1.0 - 1e-15),
                    "{y}: {}",
                    whitened.signal.norm
                );
                let proved = [
                    Newton::of(whitened, operators.l1, Some(operators.curvature)).is_ok(),
                    frozen::Frozen::both(whitened, Some(operators))
                        .iter()
                        .any(Result::is_ok),
                    Descent::basic(whitened, 0.5, 0.1).is_some_and(|descent| descent.prove(0.0).is_some()),
                ];
                // e_0 = 1/2 - y is as large as F itself where y is small: s0 = 1.
                let near = a.len() == 2 && y < 0.1;
                assert_eq!(proved, [near; 3], "{y} {a:?}");
            });
            assert!(claims);
        }
    }
    // F is exactly 0 for a pair, and so is e_0: nothing moves.
    let claims = scalar([1.0, 0.3, 0.0], &[1.0, -1.0], |whitened, operators| {
        assert_eq!(whitened.signal.norm, 0.0);
        assert_eq!(Newton::of(whitened, operators.l1, Some(0.0)).unwrap().distance, 0.0);
    });
    assert!(claims);
}
