//! Saving and loading a network.

use super::ExpNetwork;
use crate::error::Error;
use crate::float::Float;
use crate::storage::tensors::{Tensor, TensorFile, save};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The names of the tensors.
pub(crate) const WEIGHTS: &str = "weights";
pub(crate) const OUTPUT_WEIGHTS: &str = "output_weights";

/// Everything but the tensors, which is nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {}

impl<T: Float> ExpNetwork<T> {
    /// Saves the network bit for bit in the [safetensors](https://github.com/huggingface/safetensors) format.
    ///
    /// | tensor | shape | content |
    /// |---|---|---|
    /// | `weights` | m x d, in C order | W transposed, one neuron per row |
    /// | `output_weights` | m | a |
    ///
    /// Both are `F32` or `F64`, according to `T`. (Matrices in this crate are column-major, so the numbers of the d x m
    /// matrix W are those of the m x d tensor in the same order.) The metadata has one key, `expnet`, whose value is a
    /// JSON object:
    ///
    /// | key | content |
    /// |---|---|
    /// | `version` | the format version, 1 |
    /// | `kind` | `network` |
    /// | `tensor_checksums` | an object: the checksum of each tensor, by name; other programs may omit it |
    ///
    /// Checksums are the CRC-64/XZ of a tensor's bytes in the file, as 16 lower-case hexadecimal digits. The same
    /// network always gives the same bytes. In Python:
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
    /// F = np.exp(X @ W.T) @ a  # X: k x d, one point per row
    ///
    /// import fastcrc  # to verify the checksums
    /// for name, array in {"weights": W, "output_weights": a}.items():
    ///     assert f"{fastcrc.crc64.xz(array.tobytes()):016x}" == about["tensor_checksums"][name]
    ///
    /// # and back, for `ExpNetwork::load`:
    /// W = np.ascontiguousarray(W)  # `save_file` writes the memory as it is, also of a transposed array
    /// save_file({"weights": W, "output_weights": a}, "model.safetensors", {"expnet": '{"version": 1, "kind": "network"}'})
    /// ```
    ///
    /// The file is replaced atomically: it is written under a temporary name, synced to disk, and renamed. Reads the
    /// weights twice, once for the checksum, and makes no copy of them in memory.
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
    /// Errors: [`Error::Io`]; an existing file at `path` is then left untouched.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save(path.as_ref(), "network", Document {}, &self.tensors())
    }

    /// Loads a network saved by [`save`](Self::save), or by another program in the same format.
    ///
    /// Needs no more memory than the network itself. Verifies the checksums if the file has them.
    ///
    /// Errors: [`Error::Io`]; [`Error::Format`] for a file of another kind (such as that of a regressor), of another
    /// version or scalar type (load it with that type and [`cast`](Self::cast) it), for shapes that do not match, for a
    /// file that is cut short or damaged, and for numbers that are not finite.
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
            .map_err(|error| file.invalid(format!("its network is invalid: {error}")))
    }
}
