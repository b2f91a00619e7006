//! G = J J^T = K o (E^T E), n x n: K the products of the points, E the activations times |a|.

use super::chunk::Chunk;
use super::kernel;
use super::training::Engine;
use crate::communicator::Sum;
use crate::error::Error;
use crate::float::Float;
use fearless_simd::dispatch;
use nalgebra::DMatrix;

impl<T: Float> Engine<T> {
    /// G = J J^T on the current samples, at the current weights.
    pub fn tangent_gram(&mut self) -> Result<DMatrix<f64>, Error> {
        self.count_pass();
        let role = self.current();
        let batch = self.batch_now();
        let (level, points) = (self.path.level, &batch.points);
        let n = points.samples;
        let mut sum = DMatrix::<f64>::zeros(n, n);
        let mut panel = self
            .link
            .pass(super::pack::Aligned::zeros(points.rows() * self.path.lanes))?;
        let mut scratch = self.link.pass(super::pack::Aligned::zeros(1))?;
        for chunk in &self.chunks {
            let Chunk {
                panels,
                lanes,
                dimension,
                ..
            } = *chunk;
            let mut e = DMatrix::<f64>::zeros(n, panels * lanes);
            for p in 0..panels {
                let w = &chunk.weights[role].get()[p * dimension * lanes..][..dimension * lanes];
                let (out, rest) = (panel.get_mut(), scratch.get_mut());
                let blocks = 0..points.sample_blocks.len();
                dispatch!(level, s => kernel::forward(s, points, blocks, w, None, Some(out), rest, &mut [], &[]));
                for lane in 0..lanes {
                    let a = chunk.output_weights.get()[p * lanes + lane].as_f64();
                    for (row, &slot) in batch.slots.iter().enumerate() {
                        e[(slot, p * lanes + lane)] = a * out[row * lanes + lane].as_f64();
                    }
                }
            }
            sum.gemm(1.0, &e, &e.transpose(), 1.0);
        }
        self.link.sum(Sum::TangentGram, sum.as_mut_slice())?;
        Ok(self.point_products().component_mul(&sum))
    }
}
