//! How wide must the network be? The share of random problems that gradient descent solves, over samples n and width m.
//!
//!     cargo run --release --example width_phase_diagram            # draws target/width_phase_diagram.png
//!     cargo run --release --example width_phase_diagram -- --full  # more sizes, up to n = 128
//!     cargo run --release --example width_phase_diagram -- --small # two sizes, few problems
//!
//! x uniform on the unit sphere of R^16, y = +-1, w_r ~ N(0, I), step size 1 / lambda_max(G_0), and at most 2000 steps to
//! ||F(W, X) - y|| <= 0.1. A width passes where 18 of 20 problems are solved, each with its own points, labels and weights;
//! the least one, m*, is looked for upwards by factors of sqrt 2, then by bisection to 8%. Beside it stand the widths for which
//! convergence is proved, medians over five of these problems.

mod common;

use common::{BLACK, Curve, Effort, GREEN, GREY, ORANGE, PURPLE, RED, line};
use expnet::schedule::KernelStable;
use expnet::{Dataset, Termination, Trainer, certificate};
use kuva::prelude::*;
use kuva::render::render::Scene;
use nalgebra::DVector;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

const DIMENSION: usize = 16;
const TOLERANCE: f64 = 0.1;
const MAX_STEPS: usize = 2000;
/// The widths of the diagram, 2, …, 256, are its rows 2 to 16; the search goes on to row 24, 4096.
const ROWS: std::ops::RangeInclusive<usize> = 2..=16;
const LAST_ROW: usize = 24;
/// Problems whose certified widths are looked at: they differ little, and each takes some ten kernels of that width.
const PROVED: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let effort = Effort::from_arguments()?;
    let sizes = effort.pick(vec![8, 16], vec![16, 32, 64], vec![16, 23, 32, 45, 64, 91, 128]);
    let problems = effort.pick(4, 20, 20);
    let resamples = effort.pick(20, 200, 400);

    println!("least width m*, d = {DIMENSION}, {problems} problems a width");
    let mut diagrams = Vec::new();
    for (start, antisymmetric, colour) in [("antisymmetric", true, RED), ("random signs", false, ORANGE)] {
        let mut experiment = Experiment::new(antisymmetric, problems);
        let law = experiment.law(&sizes, resamples)?;
        for least in &law.least {
            let Least { samples, width, .. } = least;
            print!("{start:<13}  n = {samples:>3}  m* = {width:>4}");
            println!(", {:.0} to {:.0} with other problems", least.low, least.high);
        }
        println!("{start:<13}  m* ~ n^p, p = {:.2} +- {:.2}", law.exponent, law.error);
        let shares = experiment.shares(&sizes)?;
        diagrams.push(Diagram {
            start,
            colour,
            shares,
            law,
        });
    }
    common::save("width_phase_diagram", &draw(&diagrams, &certified(&sizes)?))
}

/// Widths for which convergence is proved, by samples: from the start itself, and before it is drawn. Medians over problems.
fn certified(sizes: &[usize]) -> Result<Vec<Widths>, expnet::Error> {
    let (mut narrowest, mut sufficient) = (Vec::new(), Vec::new());
    for &n in sizes {
        let problems = (0..PROVED).into_par_iter().map(|problem| {
            let (data, seed) = draw_problem(n, problem)?;
            let narrowest = certificate::NarrowestSearch::default()
                .seed(!seed)
                .search(&data)?
                .0
                .width();
            Ok((
                narrowest as f64,
                certificate::sufficient_width(&data, 1.0, 0.1)?.width() as f64,
            ))
        });
        let widths: Result<Vec<_>, expnet::Error> = problems.collect();
        let (mut by_start, mut before): (Vec<f64>, Vec<f64>) = widths?.into_iter().unzip();
        let (by_start, before) = (common::quantile(&mut by_start, 0.5), common::quantile(&mut before, 0.5));
        println!(
            "certified      n = {n:>3}  m = {by_start:.0} by looking at the start, {before:.2e} before it is drawn"
        );
        narrowest.push((n as f64, by_start));
        sufficient.push((n as f64, before));
    }
    let widths = |label: &str, colour, points: Curve| {
        let exponent = slope(points.iter().copied());
        println!("{label}: m ~ n^p, p = {exponent:.2}");
        let label = format!("{label}: slope {exponent:.2}");
        Widths { label, colour, points }
    };
    Ok(vec![
        widths("certified for the start (A to A'')", GREEN, narrowest),
        widths("certified in advance (B to D)", PURPLE, sufficient),
    ])
}

/// All there is to draw of one kind of start.
struct Diagram {
    start: &'static str,
    colour: &'static str,
    /// The share of problems solved: by row of the diagram, then by samples.
    shares: Vec<Vec<f64>>,
    law: Law,
}

/// Other widths by samples.
struct Widths {
    label: String,
    colour: &'static str,
    points: Curve,
}

/// Which problems gradient descent solves, trained as they are asked for.
struct Experiment {
    antisymmetric: bool,
    problems: usize,
    /// By samples and width.
    solved: HashMap<(usize, usize), Vec<bool>>,
}

/// m*, and the quantiles 16% and 84% of what it would have been with other problems.
struct Least {
    samples: usize,
    width: usize,
    low: f64,
    high: f64,
}

/// The power law m* ~ n^exponent through the least widths.
struct Law {
    least: Vec<Least>,
    exponent: f64,
    /// The exponent's standard deviation with other problems.
    error: f64,
}

impl Experiment {
    fn new(antisymmetric: bool, problems: usize) -> Self {
        Self {
            antisymmetric,
            problems,
            solved: HashMap::new(),
        }
    }

    /// Trains one network; divergence counts as failing.
    fn solves(&self, n: usize, m: usize, problem: usize) -> Result<bool, expnet::Error> {
        let (data, seed) = draw_problem(n, problem)?;
        let mut net = common::start(DIMENSION, m, self.antisymmetric, seed).build()?;
        let trainer = Trainer::new(KernelStable::default());
        match trainer.tolerance(TOLERANCE).max_steps(MAX_STEPS).fit(&mut net, &data) {
            Ok(report) => Ok(report.termination() == Termination::Converged),
            Err(expnet::Error::Diverged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Which of the problems networks of width m solve.
    fn solved(&mut self, n: usize, m: usize) -> Result<&[bool], expnet::Error> {
        if !self.solved.contains_key(&(n, m)) {
            let problems = (0..self.problems).into_par_iter();
            let solved: Result<Vec<_>, _> = problems.map(|problem| self.solves(n, m, problem)).collect();
            self.solved.insert((n, m), solved?);
        }
        Ok(&self.solved[&(n, m)])
    }

    /// Whether 90% of the `chosen` problems are solved.
    fn passes(&mut self, n: usize, m: usize, chosen: &[usize]) -> Result<bool, expnet::Error> {
        let solved = self.solved(n, m)?;
        Ok(10 * chosen.iter().filter(|&&problem| solved[problem]).count() >= 9 * chosen.len())
    }

    /// m* on the `chosen` problems.
    fn least_width(&mut self, n: usize, chosen: &[usize]) -> Result<usize, Box<dyn Error>> {
        let mut row = *ROWS.start();
        while !self.passes(n, width(row), chosen)? {
            row += 1;
            if row > LAST_ROW {
                return Err(format!("no width up to {} passes at n = {n}", width(LAST_ROW)).into());
            }
        }
        let (mut failing, mut passing) = (width(row - 1), width(row));
        while passing - failing > 2 && 100 * passing > 108 * failing {
            let between = 2 * ((failing + passing) / 4);
            if self.passes(n, between, chosen)? {
                passing = between;
            } else {
                failing = between;
            }
        }
        Ok(passing)
    }

    /// The least widths and their power law, with errors by the bootstrap: problems drawn with replacement.
    fn law(&mut self, sizes: &[usize], resamples: usize) -> Result<Law, Box<dyn Error>> {
        let mut rng = StdRng::seed_from_u64(1);
        let all: Vec<usize> = (0..self.problems).collect();
        let mut least = Vec::new();
        let mut resampled = Vec::new();
        for &samples in sizes {
            let width = self.least_width(samples, &all)?;
            let mut others = (0..resamples)
                .map(|_| {
                    let chosen: Vec<_> = all.iter().map(|_| rng.random_range(0..all.len())).collect();
                    Ok(self.least_width(samples, &chosen)? as f64)
                })
                .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
            resampled.push(others.clone());
            let (low, high) = (common::quantile(&mut others, 0.16), common::quantile(&mut others, 0.84));
            least.push(Least {
                samples,
                width,
                low,
                high,
            });
        }
        let exponents = (0..resamples).map(|k| {
            let widths = resampled.iter().map(|widths| widths[k]);
            slope(sizes.iter().map(|&n| n as f64).zip(widths))
        });
        let exponents: DVector<f64> = exponents.collect::<Vec<_>>().into();
        Ok(Law {
            exponent: slope(least.iter().map(|least| (least.samples as f64, least.width as f64))),
            error: exponents.variance().sqrt(),
            least,
        })
    }

    /// The share of problems solved: by row of the diagram, then by samples.
    fn shares(&mut self, sizes: &[usize]) -> Result<Vec<Vec<f64>>, expnet::Error> {
        ROWS.map(|row| {
            let share = |&n| {
                let solved = self.solved(n, width(row))?;
                Ok(solved.iter().filter(|&&solved| solved).count() as f64 / solved.len() as f64)
            };
            sizes.iter().map(share).collect()
        })
        .collect()
    }
}

/// Points and labels, and the seed of the network's start.
fn draw_problem(n: usize, problem: usize) -> Result<(Dataset<f64>, u64), expnet::Error> {
    let seed = 1000 * n as u64 + problem as u64;
    Ok((common::sphere(n, DIMENSION, seed)?, seed))
}

/// The even number next to 2^(row / 2).
fn width(row: usize) -> usize {
    (1_usize << row).isqrt().div_ceil(2) * 2
}

/// Of the least-squares line through (ln x, ln y).
fn slope(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let logarithms: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = logarithms.iter().map(|(x, _)| x).sum::<f64>() / logarithms.len() as f64;
    let (above, below) = logarithms.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
        (above + (x - mean) * y, below + (x - mean).powi(2))
    });
    above / below
}

/// Two diagrams with powers of two on both axes, and the least widths among other widths.
fn draw(diagrams: &[Diagram], certified: &[Widths]) -> Scene {
    let samples: Vec<f64> = diagrams[0].law.least.iter().map(|least| least.samples as f64).collect();
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let half = (last / first).log2() / (samples.len() - 1) as f64 / 2.0;
    let left_to_right = |layout: Layout| {
        let power = |exponent: f64| format!("{:.0}", exponent.exp2());
        layout
            .with_x_label("samples n")
            .with_y_label("width m")
            .with_clamp_axis()
            .with_x_axis_min(first.log2() - half)
            .with_x_axis_max(last.log2() + half)
            .with_x_tick_step(1.0)
            .with_x_tick_format(TickFormat::Custom(Arc::new(power)))
            .with_y_tick_format(TickFormat::Custom(Arc::new(power)))
    };
    let law = |exponent: f64, through: f64| [first, last].map(|n| (n, through * (n / first).powf(exponent)));
    let parameters = law(1.0, first / DIMENSION as f64);

    let mut panels = Vec::new();
    for diagram in diagrams {
        let map = Heatmap::new()
            .with_data(diagram.shares.clone())
            .with_color_map(ColorMap::Blues)
            .with_cell_size(1.0)
            .with_x_range(first.log2() - half, last.log2() + half)
            .with_y_range(*ROWS.start() as f64 / 2.0 - 0.25, *ROWS.end() as f64 / 2.0 + 0.25);
        let plots = vec![
            Plot::Heatmap(map),
            Plot::Line(line(in_powers(&parameters, f64::log2), BLACK)),
            Plot::Line(diagram.law.line(diagram.colour, f64::log2)),
        ];
        let layout = left_to_right(Layout::auto_from_plots(&plots))
            .with_title(format!("share solved, {}", diagram.start))
            .with_y_axis_min(0.0)
            .with_y_axis_max(*ROWS.end() as f64 / 2.0 + 0.25)
            .with_y_tick_step(1.0);
        panels.push((plots, layout));
    }

    let middle = diagrams
        .iter()
        .map(|diagram| diagram.law.least[0].width as f64)
        .product::<f64>();
    let paper = law(2.0, middle.powf(1.0 / diagrams.len() as f64));
    let mut plots = vec![
        Plot::Line(line(in_powers(&parameters, f64::log10), BLACK)),
        Plot::Line(line(in_powers(&paper, f64::log10), GREY).with_dashed()),
    ];
    let mut legend = vec![common::key("as many parameters as samples, m = n / d", BLACK)];
    for diagram in diagrams {
        plots.push(Plot::Line(diagram.law.line(diagram.colour, f64::log10)));
        let Law { exponent, error, .. } = diagram.law;
        let label = format!("m*, {}: slope {exponent:.2} ± {error:.2}", diagram.start);
        legend.push(common::key(&label, diagram.colour));
    }
    legend.push(LegendEntry {
        dasharray: Some("4 3".into()),
        ..common::key("slope 2, the paper's exponent", GREY)
    });
    for curve in certified {
        plots.push(Plot::Line(line(in_powers(&curve.points, f64::log10), curve.colour)));
        legend.push(common::key(&curve.label, curve.colour));
    }
    let layout = left_to_right(Layout::auto_from_plots(&plots)).with_title("widths needed, and proved to do");
    panels.push((plots, common::with_powers_of_ten(layout, 1.0)));
    common::figure(panels, 3, (460.0, 420.0), legend)
}

/// The points for an axis of powers of two below and of `power`s at the side.
fn in_powers(points: &[(f64, f64)], power: fn(f64) -> f64) -> Curve {
    points.iter().map(|&(n, m)| (n.log2(), power(m))).collect()
}

impl Law {
    /// The least widths with their error bars.
    fn line(&self, colour: &str, power: fn(f64) -> f64) -> LinePlot {
        let points = self
            .least
            .iter()
            .map(|least| (least.samples as f64, least.width as f64));
        let bars = self.least.iter().map(|least| {
            let middle = power(least.width as f64);
            (middle - power(least.low), power(least.high) - middle)
        });
        line(in_powers(&points.collect::<Vec<_>>(), power), colour).with_y_err_asymmetric(bars)
    }
}
