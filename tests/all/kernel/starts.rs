//! Which starts approach the limit: the table in the documentation of `kernel`.

use crate::support::problems::table_points;
use expnet::kernel::Predictor;
use expnet::{Dataset, ExpNetwork, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};

const SIGMA: f64 = 0.5;
const DIMENSION: usize = 4;

struct Problem {
    data: Dataset<f64>,
    test: DMatrix<f64>,
    /// Step size times sum a_r^2, and the number of steps.
    eta: f64,
    steps: usize,
}

fn problem() -> Problem {
    let points = table_points(10, DIMENSION);
    let labels = DVector::from_fn(6, |i, _| if i % 2 == 0 { 1.0 } else { -0.5 });
    Problem {
        data: Dataset::new(points.columns(0, 6).into_owned(), labels).unwrap(),
        test: points.columns(6, 4).into_owned(),
        eta: 0.1,
        steps: 30,
    }
}

impl Problem {
    /// The distance of trained networks from the limit at test points, with and without F_0 taken into account: root mean
    /// square over seeds.
    fn distances(&self, width: usize, start: impl Fn(Initializer) -> Initializer) -> [f64; 2] {
        let seeds = 8;
        let mut squares = [0.0; 2];
        for seed in 0..seeds {
            let start = start(Initializer::new(DIMENSION, width).std_dev(SIGMA).seed(seed));
            let net: ExpNetwork<f64> = start.build().unwrap();
            let mut trained = net.clone();
            let eta = self.eta / net.output_weights().norm_squared();
            Trainer::new(eta)
                .max_steps(self.steps)
                .fit(&mut trained, &self.data)
                .unwrap();
            let found = trained.forward(&self.test).unwrap();
            let predictor = Predictor::new(&self.data, SIGMA).unwrap();
            let limit = self.limit(&predictor);
            let initial = net.forward(self.data.points()).unwrap();
            let from_start = self.limit(&predictor.initial_outputs(&initial).unwrap());
            squares[0] += (&found - limit).norm_squared();
            squares[1] += (found - net.forward(&self.test).unwrap() - from_start).norm_squared();
        }
        squares.map(|sum| (sum / seeds as f64).sqrt())
    }

    fn limit(&self, predictor: &Predictor) -> DVector<f64> {
        let descent = predictor.gradient_descent(self.eta).unwrap();
        descent.at(self.steps).unwrap().predict(&self.test).unwrap()
    }

    /// How the two distances change when the width grows sixteenfold.
    fn ratios(&self, start: impl Fn(Initializer, usize) -> Initializer) -> [f64; 2] {
        let at = |width| self.distances(width, |initializer| start(initializer, width));
        let (narrow, wide) = (at(512), at(8192));
        println!("{narrow:?} {wide:?}");
        [wide[0] / narrow[0], wide[1] / narrow[1]]
    }
}

/// F_0 grows like sqrt(m), and so does the distance from the limit.
#[test]
fn random_signs_at_output_scale_1_go_away() {
    let [plain, _] = problem().ratios(|start, _| start);
    assert!((2.5..6.5).contains(&plain), "{plain}");
}

/// F_0 stays of order 1, and so does the distance; from F_0 it falls like 1/sqrt(m).
#[test]
fn random_signs_at_output_scale_root_m_stay_near_and_approach_from_their_own_outputs() {
    let [plain, from_start] = problem().ratios(|start, m| start.output_scale(1.0 / (m as f64).sqrt()));
    assert!((0.4..2.5).contains(&plain), "{plain}");
    assert!((0.15..0.4).contains(&from_start), "{from_start}");
}

/// F_0 = 0: the distance falls like 1/sqrt(m), at either scale.
#[test]
fn antisymmetric_starts_approach() {
    for scaled in [false, true] {
        let ratios = problem().ratios(|start, m| {
            let scale = if scaled { 1.0 / (m as f64).sqrt() } else { 1.0 };
            start.antisymmetric(true).output_scale(scale)
        });
        assert!(ratios[0] == ratios[1] && (0.15..0.4).contains(&ratios[0]), "{ratios:?}");
    }
}
