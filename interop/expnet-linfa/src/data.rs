//! Linfa's datasets as expnet's.

use crate::error::Result;
use expnet::nalgebra::DVector;
use expnet::{Dataset, Float};
use linfa::DatasetBase;
use linfa::dataset::AsSingleTargets;
use ndarray::{ArrayBase, Data, Ix2};

/// Records, targets, and sample weights if there are any. Copies them.
pub fn dataset<F, D, T>(data: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Dataset<F>>
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = F>,
{
    let converted = Dataset::try_from((data.records().view(), data.as_single_targets()))?;
    match data.weights() {
        None => Ok(converted),
        Some(weights) => {
            let weights = weights.iter().map(|&weight| F::lit(f64::from(weight)));
            Ok(converted.with_weights(DVector::from_iterator(weights.len(), weights))?)
        }
    }
}
