//! The Rust peers, on the same work as gd_step.py: `rust-peers PEER n d m dtype steps [threads eta]`.
//! PEER is nalgebra, faer or candle. Inputs, eta and the output line are those of gd_step.py.
use std::time::Instant;
struct Input { x: Vec<f64>, y: Vec<f64>, w: Vec<f64>, a: Vec<f64>, eta: f64 }
fn input(n: usize, d: usize, m: usize, eta: f64) -> Input {
    let mut x = vec![0.0; n * d];
    for i in 0..n {
        for k in 0..d { x[i * d + k] = (1.0 + 0.7 * i as f64 + 1.3 * k as f64 + 0.37 * (i * k * k) as f64).sin(); }
        let s = x[i * d..(i + 1) * d].iter().map(|v| v * v).sum::<f64>().sqrt();
        x[i * d..(i + 1) * d].iter_mut().for_each(|v| *v /= s);
    }
    Input {
        x, y: (0..n).map(|i| (0.3 * i as f64).cos()).collect(),
        w: (0..m).flat_map(|r| (0..d).map(move |k| (0.9 * k as f64 + 0.37 * r as f64).sin())).collect(),
        a: (0..m).map(|r| if r % 2 == 0 { 1.0 } else { -1.0 }).collect(), eta,
    }
}
macro_rules! nalg { ($t:ty, $inp:expr, $n:expr, $d:expr, $m:expr, $steps:expr) => {{
    use nalgebra::{DMatrix, DVector};
    let (n, d, m) = ($n, $d, $m);
    let c = |v: &[f64]| v.iter().map(|&v| v as $t).collect::<Vec<$t>>();
    let x = DMatrix::<$t>::from_column_slice(d, n, &c(&$inp.x)); let y = DVector::from_vec(c(&$inp.y));
    let w0 = DMatrix::<$t>::from_column_slice(d, m, &c(&$inp.w)); let a = DVector::from_vec(c(&$inp.a)); let eta = $inp.eta as $t;
    let mut e = DMatrix::<$t>::zeros(n, m); let mut g = DMatrix::<$t>::zeros(d, m); let xt = x.transpose();
    let mut times = vec![]; let mut w = w0.clone();
    for _ in 0..4 {
        w = w0.clone(); let t = Instant::now();
        for _ in 0..$steps {
            e.gemm(1.0, &xt, &w, 0.0); e.apply(|v| *v = v.exp());
            let r = &e * &a - &y;
            for mut col in e.column_iter_mut() { col.component_mul_assign(&r); }
            g.gemm(1.0, &x, &e, 0.0);
            for (mut col, ar) in g.column_iter_mut().zip(a.iter()) { col *= *ar; }
            w -= &g * eta;
        }
        times.push(t.elapsed().as_secs_f64() / $steps as f64);
    }
    e.gemm(1.0, &xt, &w, 0.0); e.apply(|v| *v = v.exp()); let r = &e * &a - &y;
    (times, 0.5 * r.norm_squared() as f64)
}}; }
macro_rules! fae { ($t:ty, $inp:expr, $n:expr, $d:expr, $m:expr, $steps:expr) => {{
    use faer::{Mat, Accum, Par, linalg::matmul::matmul};
    let (n, d, m) = ($n, $d, $m); let par = Par::rayon(0);
    let x = Mat::<$t>::from_fn(n, d, |i, k| $inp.x[i * d + k] as $t); let w0 = Mat::<$t>::from_fn(d, m, |k, r| $inp.w[r * d + k] as $t);
    let a = Mat::<$t>::from_fn(m, 1, |r, _| $inp.a[r] as $t); let eta = $inp.eta as $t;
    let mut e = Mat::<$t>::zeros(n, m); let mut f = Mat::<$t>::zeros(n, 1); let mut g = Mat::<$t>::zeros(d, m);
    let mut times = vec![]; let mut w = w0.clone();
    let fwd = |w: &Mat<$t>, e: &mut Mat<$t>, f: &mut Mat<$t>| { matmul(e.as_mut(), Accum::Replace, &x, w, 1.0, par);
        for r in 0..m { for v in e.col_as_slice_mut(r) { *v = v.exp(); } } matmul(f.as_mut(), Accum::Replace, &*e, &a, 1.0, par); };
    for _ in 0..4 {
        w = w0.clone(); let t = Instant::now();
        for _ in 0..$steps {
            fwd(&w, &mut e, &mut f);
            let res: Vec<$t> = (0..n).map(|i| f[(i, 0)] - $inp.y[i] as $t).collect();
            for r in 0..m { for (v, s) in e.col_as_slice_mut(r).iter_mut().zip(&res) { *v *= *s; } }
            matmul(g.as_mut(), Accum::Replace, x.transpose(), &e, 1.0, par);
            for r in 0..m { let s = eta * a[(r, 0)]; let gc = g.col_as_slice(r); for (v, q) in w.col_as_slice_mut(r).iter_mut().zip(gc) { *v -= s * *q; } }
        }
        times.push(t.elapsed().as_secs_f64() / $steps as f64);
    }
    fwd(&w, &mut e, &mut f);
    (times, 0.5 * (0..n).map(|i| ((f[(i, 0)] - $inp.y[i] as $t) as f64).powi(2)).sum::<f64>())
}}; }
fn candle(inp: &Input, n: usize, d: usize, m: usize, steps: usize, f32_: bool) -> candle_core::Result<(Vec<f64>, f64)> {
    use candle_core::{DType, Device, Tensor};
    let dt = if f32_ { DType::F32 } else { DType::F64 }; let dev = Device::Cpu;
    let t = |v: &[f64], s: (usize, usize)| Tensor::from_slice(v, s, &dev)?.to_dtype(dt);
    let (x, y, w0, a) = (t(&inp.x, (n, d))?, t(&inp.y, (n, 1))?, t(&inp.w, (m, d))?.t()?.contiguous()?, t(&inp.a, (m, 1))?);
    let xt = x.t()?.contiguous()?; let at = a.t()?.contiguous()?;
    let mut times = vec![]; let mut w = w0.clone();
    for _ in 0..4 {
        w = w0.clone(); let clock = Instant::now();
        for _ in 0..steps {
            let e = x.matmul(&w)?.exp()?; let r = (e.matmul(&a)? - &y)?;
            let g = xt.matmul(&e.broadcast_mul(&r)?)?.broadcast_mul(&at)?;
            w = (w - (g * inp.eta)?)?;
        }
        times.push(clock.elapsed().as_secs_f64() / steps as f64);
    }
    let r = (x.matmul(&w)?.exp()?.matmul(&a)? - &y)?;
    let loss = r.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()? * 0.5;
    Ok((times, loss))
}
fn main() {
    let v: Vec<String> = std::env::args().collect(); let u = |i: usize| v[i].parse::<usize>().unwrap();
    let (peer, n, d, m, dtype, steps) = (v[1].as_str(), u(2), u(3), u(4), v[5].as_str(), u(6)); let eta = v.get(8).map_or(1e-3 / m as f64, |eta| eta.parse().unwrap());
    let inp = input(n, d, m, eta);
    let (mut times, loss) = match (peer, dtype) {
        ("nalgebra", "f64") => nalg!(f64, inp, n, d, m, steps), ("nalgebra", _) => nalg!(f32, inp, n, d, m, steps),
        ("faer", "f64") => fae!(f64, inp, n, d, m, steps), ("faer", _) => fae!(f32, inp, n, d, m, steps),
        ("candle", t) => candle(&inp, n, d, m, steps, t == "f32").unwrap(), _ => panic!("peer"),
    };
    times.remove(0); times.sort_by(f64::total_cmp);
    println!("{peer} {n} {d} {m} {dtype} {:.6e} {:.6e} {loss:.12}", times[times.len() / 2], times[0]);
}
