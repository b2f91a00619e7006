//! The network in a file.

use super::ExpNetwork;
use crate::error::Error;
use crate::float::Float;
use crate::storage::tensors::{Tensor, TensorFile, save};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The names of the network's tensors.
pub(crate) const WEIGHTS: &str = "weights";
pub(crate) const OUTPUT_WEIGHTS: &str = "output_weights";

/// What a network's file holds beside its tensors: nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {}

impl<T: Float> ExpNetwork<T> {
    /// Saves the network, bit for bit, in the [safetensors](https://github.com/huggingface/safetensors) format.
    ///
    /// | tensor | shape | content |
    /// |---|---|---|
    /// | `weights` | m x d, the last index runs fastest | W transposed, a neuron a row |
    /// | `output_weights` | m | a |
    ///
    /// Both are `F32` or `F64`, as `T` is. (A d x m matrix here is column-major: its numbers are those of the m x d tensor
    /// in the same order.) The metadata have one key, `expnet`, with a JSON object: `version` (of the format, 1),
    /// `kind` (`network`) and `tensor_checksums`, which a file written elsewhere may leave out. The same network gives the same
    /// bytes. In Python:
    ///
    /// ```python
    /// import json, numpy as np
    /// from safetensors import safe_open
    /// from safetensors.numpy import save_file
    ///
    /// with safe_open("model.safetensors", "numpy") as file:
    ///     about = json.loads(file.metadata()["expnet"])
    ///     assert (about["version"], about["kind"]) == (1, "network")
    ///     W, a = file.get_tensor("weights"), file.get_tensor("output_weights")
    /// F = np.exp(X @ W.T) @ a  # X: k x d, a point a row
    /// # and back, for `ExpNetwork::load`:
    /// save_file({"weights": W, "output_weights": a}, "model.safetensors", {"expnet": '{"version": 1, "kind": "network"}'})
    /// ```
    ///
    /// The file appears whole or not at all: it is written beside its place, made durable, and moved there. Costs one
    /// sweep over the weights, and no second copy of them in memory.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("expnet-doc-save-{}", std::process::id()));
    /// use expnet::{ExpNetwork, Initializer};
    ///
    /// let net = Initializer::new(3, 64).seed(7).build::<f32>()?;
    /// net.save(&path)?;
    /// assert_eq!(ExpNetwork::<f32>::load(&path)?, net);
    /// let wider: ExpNetwork<f64> = ExpNetwork::<f32>::load(&path)?.cast()?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: [`Error::Io`]; a file that was there before is then still there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save(path.as_ref(), "network", Document {}, &self.tensors())
    }

    /// Loads a network that [`save`](Self::save) saved, or Python with the same names.
    ///
    /// Costs the memory of the network and no more.
    ///
    /// Errors: [`Error::Io`]; [`Error::Format`] for a file of another kind (that of a regressor too), another version,
    /// another scalar type (load it as that and [`cast`](Self::cast) it), shapes that do not fit, a file cut short or
    /// damaged (numbers are compared with their checksum, where the file has one), numbers that are not finite.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut file = TensorFile::open(path.as_ref(), "network", &[WEIGHTS, OUTPUT_WEIGHTS])?;
        let Document {} = file.document()?;
        Self::read(&mut file)
    }

    pub(crate) fn tensors(&self) -> [Tensor<'_>; 2] {
        [
            Tensor::new(OUTPUT_WEIGHTS, &[self.width()], self.output_weights.as_slice()),
            Tensor::new(WEIGHTS, &[self.width(), self.dimension()], self.weights.as_slice()),
        ]
    }

    pub(crate) fn read(file: &mut TensorFile) -> Result<Self, Error> {
        let [width, dimension] = file.shape(WEIGHTS)?;
        let output_weights = file.numbers(OUTPUT_WEIGHTS, &[width])?;
        let weights = file.numbers(WEIGHTS, &[width, dimension])?;
        Self::from_parts(DMatrix::from_vec(dimension, width, weights), output_weights.into())
            .map_err(|error| file.wrong(format!("it holds no network: {error}")))
    }
}
