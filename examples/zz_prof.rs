//! prof
use expnet::{Dataset, ExpNetwork, Pass, Trainer, Float};
use nalgebra::{DMatrix, DVector};
use std::time::Instant;
fn go<T: Float>(n: usize, d: usize, m: usize, steps: usize, pass: Pass) {
    let mut points = DMatrix::from_fn(d, n, |k, i| (1.0 + 0.7 * i as f64 + 1.3 * k as f64 + 0.37 * (i * k * k) as f64).sin());
    for mut p in points.column_iter_mut() { let n = p.norm(); p /= n; }
    let labels = DVector::from_fn(n, |i, _| T::lit((0.3 * i as f64).cos()));
    let weights = DMatrix::from_fn(d, m, |k, r| T::lit((0.9 * k as f64 + 0.37 * r as f64).sin()));
    let a = DVector::from_fn(m, |r, _| if r % 2 == 0 { T::one() } else { -T::one() });
    let mut net = ExpNetwork::from_parts(weights, a).unwrap();
    let data = Dataset::new(points.map(T::lit), labels).unwrap();
    let mut s = Trainer::new(1e-3 / m as f64 / (n as f64 / 100.0).max(1.0)).max_steps(usize::MAX).pass(pass).start(&mut net, &data).unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..steps { let b = Instant::now(); s.step().unwrap(); best = best.min(b.elapsed().as_secs_f64()); }
    s.stop();
    let r = s.finish().unwrap();
    println!("{n} {d} {m} {} {:?} best {:.3e} expanded {} of {}", T::NAME, pass, best, r.expanded_passes(), r.passes());
}
fn main() {
    let peak = expnet::roofline::limits::<f64>(1).peak / 1e9;
    println!("peak {peak:.1} GF/s one thread");
    let a: Vec<String> = std::env::args().collect();
    let g = |i: usize| a[i].parse::<usize>().unwrap();
    let pass = match a[6].as_str() { "d" => Pass::Direct, "e" => Pass::Expansion, _ => Pass::Auto };
    if a[5] == "f64" { go::<f64>(g(1), g(2), g(3), g(4), pass) } else { go::<f32>(g(1), g(2), g(3), g(4), pass) }
}
