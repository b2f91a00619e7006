//! How wide must the network be? The fraction of random problems that gradient descent solves, by samples n and width
//! m.
//!
//!     cargo run --release --example width_phase_diagram            # draws target/width_phase_diagram.png
//!     cargo run --release --example width_phase_diagram -- --full  # more sizes, up to n = 128
//!
//! x uniform on the unit sphere of R^16, y = +-1, w_r ~ N(0, I), step size 1 / lambda_max(G_0), and at most 2000 steps
//! to ||F(W, X) - y|| <= 0.1. A width passes if 18 of 20 problems are solved, each with its own points, labels and
//! weights. The smallest such width, m*, is bracketed by increasing factors of sqrt 2, then bisected to 8%. For
//! comparison, the plot shows the widths for which convergence is proved: within these 2000 steps, for 18 of the 20
//! problems with antisymmetric starts; at the start, and before it is drawn, as medians over five of them.

mod common;

use common::{BLACK, BLUE, Curve, GREEN, GREY, ORANGE, PURPLE, RED, line, slope, width};
use expnet::certificate::Effort;
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
/// Rows 2 to 16 of the diagram have the widths 2, …, 256.
const ROWS: std::ops::RangeInclusive<usize> = 2..=16;
/// The number of problems per width.
const PROBLEMS: usize = 20;
/// The number of problems for which certified widths are computed. They differ little, and each takes some ten kernels
/// of that width.
const PROVED: usize = 5;
/// How often a run is looked at.
const EVERY: usize = 25;

fn main() -> Result<(), Box<dyn Error>> {
    let (sizes, resamples) = if common::full()? {
        (vec![16, 23, 32, 45, 64, 91, 128], 400)
    } else {
        (vec![16, 32, 64], 200)
    };
    let mut diagrams = Vec::new();
    for (start, antisymmetric, colour) in [("antisymmetric", true, RED), ("random signs", false, ORANGE)] {
        let mut experiment = Experiment::new(antisymmetric, PROBLEMS);
        diagrams.push(Diagram {
            start,
            colour,
            law: experiment.law(&sizes, resamples)?,
            solved: experiment.fractions(&sizes)?,
        });
    }
    let proved = proved(&sizes)?;
    print(&sizes, &diagrams, &proved);
    common::save("width_phase_diagram", &draw(&diagrams, &proved))
}

fn print(sizes: &[usize], diagrams: &[Diagram], proved: &[Widths]) {
    let mut header = common::cells(["start"]);
    header.extend(sizes.iter().map(ToString::to_string));
    header[1].insert_str(0, "n = ");
    header.push("slope of ln m* on ln n".into());
    let row = |name: &str, widths: &mut dyn Iterator<Item = f64>, slope: String| {
        let format = |m| if m < 1e4 { format!("{m}") } else { format!("{m:.2e}") };
        let name = std::iter::once(name.to_string());
        name.chain(widths.map(format)).chain([slope]).collect()
    };
    let mut rows = Vec::new();
    for Diagram { start, law, .. } in diagrams {
        let widths = &mut law.smallest.iter().map(|smallest| smallest.width as f64);
        rows.push(row(start, widths, format!("{:.2} ± {:.2}", law.exponent, law.error)));
    }
    for Widths {
        label,
        points,
        exponent,
        ..
    } in proved
    {
        rows.push(row(
            label,
            &mut points.iter().map(|point| point.1),
            format!("{exponent:.2}"),
        ));
    }
    common::print_table(&header, &rows);
}

/// Widths for which convergence is proved, by samples: along the run, for the drawn start, and before it is drawn. The
/// last two are medians over problems.
fn proved(sizes: &[usize]) -> Result<[Widths; 3], Box<dyn Error>> {
    let (mut along, mut at_the_start, mut in_advance) = (Vec::new(), Vec::new(), Vec::new());
    for &n in sizes {
        let most = |m| Ok(10 * runs_proved(n, m)? >= 9 * PROBLEMS);
        along.push((n as f64, common::smallest_width(most)? as f64));
        let problems = (0..PROVED).into_par_iter().map(|problem| {
            let (data, seed) = draw_problem(n, problem)?;
            let (net, _) = certificate::NarrowestSearch::default().seed(!seed).search(&data)?;
            let sufficient = certificate::sufficient_width(&data, 1.0, 0.1)?;
            Ok((net.width() as f64, sufficient.width() as f64))
        });
        let widths: Result<Vec<_>, expnet::Error> = problems.collect();
        let (mut narrowest, mut sufficient): (Vec<f64>, Vec<f64>) = widths?.into_iter().unzip();
        at_the_start.push((n as f64, common::quantile(&mut narrowest, 0.5)));
        in_advance.push((n as f64, common::quantile(&mut sufficient, 0.5)));
    }
    Ok([
        Widths::new("proved, along the run", BLUE, along),
        Widths::new("proved, at the start", GREEN, at_the_start),
        Widths::new("proved, in advance", PURPLE, in_advance),
    ])
}

/// The number of problems for which a run of width m, from an antisymmetric start, is proved to converge within the same
/// number of steps.
fn runs_proved(n: usize, m: usize) -> Result<usize, expnet::Error> {
    let problems = (0..PROBLEMS).into_par_iter().map(|problem| {
        let (data, seed) = draw_problem(n, problem)?;
        let mut net = common::start(DIMENSION, m, true, seed).build()?;
        // Without following the rounding of each step, which would take longer than the steps.
        let trainer = Trainer::new(KernelStable::default())
            .certify(EVERY)
            .certify_effort(Effort::Basic)
            .stop_when_proved(true);
        match trainer.max_steps(MAX_STEPS).fit(&mut net, &data) {
            Ok(report) => Ok(usize::from(report.proof().is_some())),
            Err(expnet::Error::Diverged { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    });
    problems.sum()
}

/// What to draw for one kind of start.
struct Diagram {
    start: &'static str,
    colour: &'static str,
    /// The fraction of problems solved, by row of the diagram, then by samples.
    solved: Vec<Vec<f64>>,
    law: Law,
}

/// A labelled curve of widths by samples.
struct Widths {
    label: &'static str,
    colour: &'static str,
    points: Curve,
    exponent: f64,
}

impl Widths {
    fn new(label: &'static str, colour: &'static str, points: Curve) -> Self {
        Self {
            label,
            colour,
            exponent: slope(points.iter().copied()),
            points,
        }
    }
}

/// Which problems gradient descent solves, computed on demand.
struct Experiment {
    antisymmetric: bool,
    problems: usize,
    /// For each problem, by samples and width.
    solved: HashMap<(usize, usize), Vec<bool>>,
}

/// m*, and its 16% and 84% quantiles if the problems were drawn again.
struct SmallestWidth {
    samples: usize,
    width: usize,
    low: f64,
    high: f64,
}

/// The power law m* ~ n^exponent fitted to the smallest widths.
struct Law {
    smallest: Vec<SmallestWidth>,
    exponent: f64,
    /// The standard deviation of the exponent if the problems were drawn again.
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

    /// Trains one network. Divergence counts as failure.
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

    /// Which problems networks of width m solve.
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
    fn smallest_width(&mut self, n: usize, chosen: &[usize]) -> Result<usize, Box<dyn Error>> {
        common::smallest_width(|m| Ok(self.passes(n, m, chosen)?))
    }

    /// The smallest widths and their power law, with bootstrap errors: problems are resampled with replacement.
    fn law(&mut self, sizes: &[usize], resamples: usize) -> Result<Law, Box<dyn Error>> {
        let mut rng = StdRng::seed_from_u64(1);
        let all: Vec<usize> = (0..self.problems).collect();
        let mut smallest = Vec::new();
        let mut resampled = Vec::new();
        for &samples in sizes {
            let width = self.smallest_width(samples, &all)?;
            let mut others = (0..resamples)
                .map(|_| {
                    let chosen: Vec<_> = all.iter().map(|_| rng.random_range(0..all.len())).collect();
                    Ok(self.smallest_width(samples, &chosen)? as f64)
                })
                .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
            resampled.push(others.clone());
            let (low, high) = (common::quantile(&mut others, 0.16), common::quantile(&mut others, 0.84));
            smallest.push(SmallestWidth {
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
            exponent: slope(smallest.iter().map(SmallestWidth::point)),
            error: exponents.variance().sqrt(),
            smallest,
        })
    }

    /// The fraction of problems solved, by row of the diagram, then by samples.
    fn fractions(&mut self, sizes: &[usize]) -> Result<Vec<Vec<f64>>, expnet::Error> {
        ROWS.map(|row| {
            let fraction = |&n| {
                let solved = self.solved(n, width(row))?;
                Ok(solved.iter().filter(|&&solved| solved).count() as f64 / solved.len() as f64)
            };
            sizes.iter().map(fraction).collect()
        })
        .collect()
    }
}

/// Points and labels, and the seed of the network's start.
fn draw_problem(n: usize, problem: usize) -> Result<(Dataset<f64>, u64), expnet::Error> {
    let seed = 1000 * n as u64 + problem as u64;
    Ok((common::sphere(n, DIMENSION, seed)?, seed))
}

/// The fractions of problems solved for both starts, and the smallest widths among others.
fn draw(diagrams: &[Diagram], proved: &[Widths]) -> Scene {
    let axis = SampleAxis::new(&diagrams[0].law);
    let mut panels: Vec<_> = diagrams.iter().map(|diagram| solved_panel(diagram, &axis)).collect();
    let (widths, legend) = widths_panel(diagrams, proved, &axis);
    panels.push(widths);
    common::figure(panels, 3, (460.0, 420.0), legend)
}

/// The axis of samples, in powers of two.
struct SampleAxis {
    first: f64,
    last: f64,
    /// Half the distance between two sizes, in powers of two.
    half: f64,
}

impl SampleAxis {
    fn new(law: &Law) -> Self {
        let samples: Vec<f64> = law.smallest.iter().map(|smallest| smallest.samples as f64).collect();
        let (first, last) = (samples[0], samples[samples.len() - 1]);
        let half = (last / first).log2() / (samples.len() - 1) as f64 / 2.0;
        Self { first, last, half }
    }

    fn limits(&self) -> (f64, f64) {
        (self.first.log2() - self.half, self.last.log2() + self.half)
    }

    fn layout(&self, plots: &[Plot]) -> Layout {
        let power = |exponent: f64| format!("{:.0}", exponent.exp2());
        let (min, max) = self.limits();
        Layout::auto_from_plots(plots)
            .with_x_label("samples n")
            .with_y_label("width m")
            .with_clamp_axis()
            .with_x_axis_min(min)
            .with_x_axis_max(max)
            .with_x_tick_step(1.0)
            .with_x_tick_format(TickFormat::Custom(Arc::new(power)))
            .with_y_tick_format(TickFormat::Custom(Arc::new(power)))
    }

    /// m ~ n^exponent, with m = `start` at the first size.
    fn law(&self, exponent: f64, start: f64) -> [(f64, f64); 2] {
        [self.first, self.last].map(|n| (n, start * (n / self.first).powf(exponent)))
    }

    /// As many parameters as samples, m = n / d.
    fn parameters(&self) -> [(f64, f64); 2] {
        self.law(1.0, self.first / DIMENSION as f64)
    }
}

/// The fractions of problems solved, with powers of two on both axes.
fn solved_panel(diagram: &Diagram, axis: &SampleAxis) -> (Vec<Plot>, Layout) {
    let (min, max) = axis.limits();
    let top = *ROWS.end() as f64 / 2.0 + 0.25;
    let map = Heatmap::new()
        .with_data(diagram.solved.clone())
        .with_color_map(ColorMap::Blues)
        .with_cell_size(1.0)
        .with_x_range(min, max)
        .with_y_range(*ROWS.start() as f64 / 2.0 - 0.25, top);
    let plots = vec![
        Plot::Heatmap(map),
        Plot::Line(line(in_powers(&axis.parameters(), f64::log2), BLACK)),
        Plot::Line(diagram.law.line(diagram.colour, f64::log2)),
    ];
    let layout = axis
        .layout(&plots)
        .with_title(format!("fraction solved, {}", diagram.start))
        .with_y_axis_min(0.0)
        .with_y_axis_max(top)
        .with_y_tick_step(1.0);
    (plots, layout)
}

/// The smallest widths among other widths, with the legend of the figure.
fn widths_panel(diagrams: &[Diagram], proved: &[Widths], axis: &SampleAxis) -> ((Vec<Plot>, Layout), Vec<LegendEntry>) {
    let first_widths = diagrams.iter().map(|diagram| diagram.law.smallest[0].width as f64);
    let geometric_mean = first_widths.product::<f64>().powf(1.0 / diagrams.len() as f64);
    let paper = axis.law(2.0, geometric_mean);
    let mut plots = vec![
        Plot::Line(line(in_powers(&axis.parameters(), f64::log10), BLACK)),
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
    for curve in proved {
        plots.push(Plot::Line(line(in_powers(&curve.points, f64::log10), curve.colour)));
        let label = format!("{}: slope {:.2}", curve.label, curve.exponent);
        legend.push(common::key(&label, curve.colour));
    }
    let layout = axis.layout(&plots).with_title("widths needed and proved");
    ((plots, common::with_powers_of_ten(layout, 1.0)), legend)
}

/// The points for a plot with powers of two on the x axis and powers in the base of `logarithm` on the y axis.
fn in_powers(points: &[(f64, f64)], logarithm: fn(f64) -> f64) -> Curve {
    points.iter().map(|&(n, m)| (n.log2(), logarithm(m))).collect()
}

impl SmallestWidth {
    fn point(&self) -> (f64, f64) {
        (self.samples as f64, self.width as f64)
    }
}

impl Law {
    /// The smallest widths with error bars.
    fn line(&self, colour: &str, logarithm: fn(f64) -> f64) -> LinePlot {
        let points: Curve = self.smallest.iter().map(SmallestWidth::point).collect();
        let bars = self.smallest.iter().map(|smallest| {
            let middle = logarithm(smallest.width as f64);
            (middle - logarithm(smallest.low), logarithm(smallest.high) - middle)
        });
        line(in_powers(&points, logarithm), colour).with_y_err_asymmetric(bars)
    }
}
