//! How large can a step be? Gradient descent with step sizes k / lambda_max(G_0), for k from 0.5 to 8.
//!
//!     cargo run --release --example edge_of_stability            # 60 problems per point, draws target/edge_of_stability.png
//!     cargo run --release --example edge_of_stability -- --full  # 400 problems per point, and more points
//!
//! x uniform on the unit sphere, y = +-1, w_r ~ N(0, I), 300 steps. According to linear theory, the loss falls for k <
//! 2 and diverges for k > 2. In fact, for k between 2 and about 3 it first rises, by orders of magnitude, which moves
//! the weights to where the kernel is small enough for the step size (the "catapult"). From k = 4 on it usually
//! overflows.

mod common;

use common::{
    BLUE, BROWN, Curve, GREEN, GREY, LIGHT_BLUE, LIGHT_GREEN, LIGHT_ORANGE, ORANGE, PINK, PURPLE, RED, line, quantile,
};
use expnet::kernel::{Spectrum, empirical_kernel};
use expnet::observer::Progress;
use expnet::{Dataset, Error, ExpNetwork, Trainer};
use kuva::prelude::*;
use kuva::render::render::Scene;
use rayon::prelude::*;
use std::ops::ControlFlow;

/// (n, d, m), and the colours for the two kinds of start.
const SHAPES: [(usize, usize, usize, [&str; 2]); 3] = [
    (16, 8, 512, [BLUE, LIGHT_BLUE]),
    (8, 4, 64, [GREEN, LIGHT_GREEN]),
    (4, 3, 8, [ORANGE, LIGHT_ORANGE]),
];
const STEPS: usize = 300;
/// The values of k in the printed table.
const TABLE: [f64; 9] = [0.5, 1.0, 1.9, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0];
/// Further values of k for the figure.
const BETWEEN: [f64; 11] = [1.5, 1.8, 2.1, 2.2, 2.75, 3.25, 3.5, 3.75, 4.5, 5.0, 7.0];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (problems, mut factors) = if common::full()? {
        (400, (2..=32).map(|k| 0.25 * f64::from(k)).chain(TABLE).collect())
    } else {
        (60, [&TABLE[..], &BETWEEN].concat())
    };
    factors.sort_by(f64::total_cmp);
    factors.dedup();

    let mut setups = Vec::new();
    for (antisymmetric, start) in [(true, "antisymmetric"), (false, "random signs")] {
        for (n, d, m, colours) in SHAPES {
            let colour = colours[usize::from(!antisymmetric)];
            let seeds = (0..problems).into_par_iter();
            let runs: Result<Vec<_>, _> = seeds.map(|seed| runs(n, d, m, antisymmetric, seed, &factors)).collect();
            let runs = runs?;
            let point = |(i, &k)| Point::new(k, runs.iter().map(|runs: &Vec<Outcome>| &runs[i]));
            let points = factors.iter().enumerate().map(point).collect();
            let name = format!("({n}, {d}, {m}) {start}");
            setups.push(Setup { name, colour, points });
        }
    }
    print(&setups, problems);
    common::save("edge_of_stability", &draw(&setups, example()?))
}

/// The outcome of a run.
struct Outcome {
    /// Whether the loss ever rose by more than rounding.
    rose: bool,
    overflowed: bool,
    /// The largest and the last loss, relative to the first.
    peak: f64,
    last: f64,
    /// eta `lambda_max(G)` at the end; NaN if the run overflowed.
    sharpness: f64,
}

/// Trains one problem with each step size.
fn runs(n: usize, d: usize, m: usize, antisymmetric: bool, seed: u64, factors: &[f64]) -> Result<Vec<Outcome>, Error> {
    let data = common::sphere(n, d, seed)?;
    let net = common::start(d, m, antisymmetric, seed).build()?;
    let unit = 1.0 / largest_eigenvalue(&net, &data)?;
    factors.iter().map(|k| run(net.clone(), &data, k * unit)).collect()
}

fn run(mut net: ExpNetwork<f64>, data: &Dataset<f64>, step_size: f64) -> Result<Outcome, Error> {
    let first = net.loss(data)?;
    let (mut rose, mut peak, mut last) = (false, 1.0_f64, 1.0);
    let observer = |progress: &Progress<'_, f64>| {
        let loss = progress.loss() / first;
        rose |= loss > last && loss > 1e-16;
        peak = peak.max(loss);
        last = loss;
        ControlFlow::Continue(())
    };
    let fitted = Trainer::new(step_size)
        .max_steps(STEPS)
        .observe(observer)
        .fit(&mut net, data);
    let overflowed = match fitted {
        Ok(_) => false,
        Err(Error::Diverged { .. }) => true,
        Err(error) => return Err(error),
    };
    let eigenvalue = if overflowed {
        f64::NAN
    } else {
        largest_eigenvalue(&net, data)?
    };
    Ok(Outcome {
        rose: rose || overflowed,
        overflowed,
        peak,
        last,
        sharpness: step_size * eigenvalue,
    })
}

/// `lambda_max(G)`, exactly. The bound that schedules use, [`largest_kernel_eigenvalue`](expnet::schedule::StepState),
/// may be up to 2% too large, which matters at k = 2.
fn largest_eigenvalue(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> Result<f64, Error> {
    let kernel = empirical_kernel(net, data.points())?;
    Ok(net.width() as f64 * Spectrum::new(&kernel)?.lambda_max())
}

/// The runs of one shape and kind of start.
struct Setup {
    name: String,
    colour: &'static str,
    points: Vec<Point>,
}

/// All problems with one step size.
struct Point {
    k: f64,
    /// The fractions of runs whose loss never rose, and that overflowed.
    monotone: f64,
    overflowed: f64,
    /// The number of runs that did not overflow, and of those that ended with a smaller loss than at the start.
    finite: usize,
    lower: usize,
    /// Medians over the runs that did not overflow.
    peak: f64,
    last: f64,
    sharpness: f64,
}

impl Point {
    fn new<'a>(k: f64, runs: impl Iterator<Item = &'a Outcome> + Clone) -> Self {
        let all = runs.clone().count() as f64;
        let finite: Vec<&Outcome> = runs.clone().filter(|run| !run.overflowed).collect();
        let median = |of: fn(&Outcome) -> f64| quantile(&mut finite.iter().map(|run| of(run)).collect::<Vec<_>>(), 0.5);
        Self {
            k,
            monotone: runs.filter(|run| !run.rose).count() as f64 / all,
            overflowed: 1.0 - finite.len() as f64 / all,
            finite: finite.len(),
            lower: finite.iter().filter(|run| run.last < 1.0).count(),
            peak: median(|run| run.peak),
            last: median(|run| run.last),
            sharpness: median(|run| run.sharpness),
        }
    }
}

fn print(setups: &[Setup], problems: u64) {
    let share = |share: f64| {
        if share == 0.0 {
            "0".into()
        } else {
            format!("{share:.2}")
        }
    };
    // Both starts of a shape side by side.
    let shapes = SHAPES.len();
    let setups: Vec<&Setup> = (0..shapes).flat_map(|k| [&setups[k], &setups[shapes + k]]).collect();
    let mut header = common::cells(["k"]);
    header.extend(setups.iter().map(|setup| setup.name.clone()));
    let row = |&k: &f64| {
        let points = setups.iter().map(|setup| setup.at(k));
        let cells = points.map(|point| format!("{} / {}", share(point.monotone), share(point.overflowed)));
        std::iter::once(format!("{k:.1}")).chain(cells).collect()
    };
    common::print_table(&header, &TABLE.iter().map(row).collect::<Vec<_>>());

    let catapults = setups.iter().flat_map(|setup| [setup.at(2.5), setup.at(3.0)]);
    let finite: usize = catapults.clone().map(|point| point.finite).sum();
    let lower: usize = catapults.clone().map(|point| point.lower).sum();
    let peak = catapults.map(|point| point.peak).fold(0.0, f64::max);
    println!(
        "\nWith k = 2.5 or 3, {finite} of {} runs did not overflow, and {lower} of these ended below their initial loss.",
        2 * setups.len() as u64 * problems
    );
    println!("The largest loss was up to {peak:.1e} times the initial one (median over a column).");
}

/// The losses of one wide network relative to the first loss, by k.
fn example() -> Result<Vec<(f64, Curve)>, Error> {
    let (n, d, m, _) = SHAPES[0];
    let data = common::sphere(n, d, 0)?;
    let net = common::start(d, m, true, 0).build()?;
    let (first, unit) = (net.loss(&data)?, 1.0 / largest_eigenvalue(&net, &data)?);
    let curve = |k: f64| {
        let mut losses = vec![(0.0, 1.0)]; // The observer is only called after a step.
        let observer = |progress: &Progress<'_, f64>| {
            losses.push((progress.steps() as f64, progress.loss() / first));
            ControlFlow::Continue(())
        };
        let trainer = Trainer::new(k * unit).max_steps(60).observe(observer);
        match trainer.fit(&mut net.clone(), &data) {
            Ok(_) | Err(Error::Diverged { .. }) => Ok((k, losses)),
            Err(error) => Err(error),
        }
    };
    [1.0, 1.9, 2.2, 2.5, 3.0].into_iter().map(curve).collect()
}

/// The loss curves of the example, and five quantities against k.
fn draw(setups: &[Setup], example: Vec<(f64, Curve)>) -> Scene {
    let linear = |title: &str, label: &str, curve: &dyn Fn(&Setup) -> Curve| panel(setups, title, label, curve);
    let logarithmic = |title, decades, of: fn(&Point) -> f64| {
        let (plots, layout) = linear(title, "loss / initial loss, median", &|setup| {
            common::logarithms(setup.medians(of))
        });
        (plots, common::with_powers_of_ten(layout, decades))
    };
    let panels = vec![
        loss_panel(example),
        linear("the loss never rises", "fraction of runs", &|setup| {
            setup.fractions(|point| point.monotone)
        }),
        linear("the loss overflows", "fraction of runs", &|setup| {
            setup.fractions(|point| point.overflowed)
        }),
        logarithmic("largest loss", 1.0, |point| point.peak),
        logarithmic("last loss", 5.0, |point| point.last),
        linear("sharpness after the last step", "η λmax(G), median", &|setup| {
            setup.medians(|point| point.sharpness)
        }),
    ];
    let legend = setups.iter().map(|setup| common::key(&setup.name, setup.colour));
    common::figure(panels, 3, (440.0, 350.0), legend.collect())
}

fn loss_panel(example: Vec<(f64, Curve)>) -> (Vec<Plot>, Layout) {
    let colours = [GREY, PURPLE, BROWN, PINK, RED];
    let curves = example.into_iter().zip(colours).map(|((k, losses), colour)| {
        let curve = line(common::logarithms(losses), colour);
        Plot::Line(curve.with_legend(format!("k = {k}")))
    });
    let curves: Vec<Plot> = curves.collect();
    let layout = Layout::auto_from_plots(&curves)
        .with_title("one problem, (16, 8, 512) antisymmetric")
        .with_x_label("step")
        .with_y_label("loss / initial loss")
        .with_legend_position(LegendPosition::InsideBottomLeft);
    (curves, common::with_powers_of_ten(layout, 2.0))
}

/// One curve per setup against k.
fn panel(setups: &[Setup], title: &str, label: &str, curve: &dyn Fn(&Setup) -> Curve) -> (Vec<Plot>, Layout) {
    let lines = setups.iter().map(|setup| Plot::Line(line(curve(setup), setup.colour)));
    let plots: Vec<Plot> = lines.collect();
    let layout = Layout::auto_from_plots(&plots)
        .with_title(title)
        .with_x_label("k")
        .with_y_label(label)
        .with_x_tick_step(1.0)
        .with_reference_line(ReferenceLine::vertical(2.0).with_color(GREY));
    (plots, layout)
}

impl Setup {
    fn at(&self, k: f64) -> &Point {
        let point = self.points.iter().find(|point| point.k == k);
        point.expect("all values of k in the table are computed")
    }

    fn fractions(&self, of: fn(&Point) -> f64) -> Curve {
        self.points.iter().map(|point| (point.k, of(point))).collect()
    }

    /// Only where at least one run in twenty did not overflow.
    fn medians(&self, of: fn(&Point) -> f64) -> Curve {
        let known = self.points.iter().filter(|point| point.overflowed <= 0.95);
        known.map(|point| (point.k, of(point))).collect()
    }
}
