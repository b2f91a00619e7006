//! stub
#![allow(missing_docs)]
use crate::{Error, Float};
use nalgebra::{DMatrix, DVector};
use rand::{Rng, RngExt, SeedableRng};
#[derive(Clone, Debug)]
pub struct Initializer {
    d: usize,
    m: usize,
    s: f64,
    anti: bool,
    seed: u64,
}
impl Initializer {
    pub fn new(d: usize, m: usize) -> Self {
        Self {
            d,
            m,
            s: 1.0,
            anti: false,
            seed: 0,
        }
    }
    pub fn std_dev(mut self, s: f64) -> Self {
        self.s = s;
        self
    }
    pub fn antisymmetric(mut self, a: bool) -> Self {
        self.anti = a;
        self
    }
    pub fn seed(mut self, a: u64) -> Self {
        self.seed = a;
        self
    }
    pub(crate) fn draw<T: Float>(&self) -> Result<(DMatrix<T>, DVector<T>), Error> {
        let mut w = DMatrix::zeros(self.d, self.m);
        let mut a = DVector::zeros(self.m);
        for r in 0..self.m {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(if self.anti { r as u64 / 2 } else { r as u64 });
            let sign: bool = rng.random();
            a[r] = if if self.anti { r % 2 == 0 } else { sign } {
                T::one()
            } else {
                -T::one()
            };
            for k in 0..self.d {
                w[(k, r)] = T::lit(self.s * f64::standard_normal(&mut rng));
            }
        }
        Ok((w, a))
    }
}
pub(crate) fn seeded<R: Rng + ?Sized>(d: usize, m: usize, rng: &mut R) -> Initializer {
    Initializer::new(d, m).seed(rng.random())
}
