//! Saving a sharded network to one file, and loading shares of it.

use super::ExpNetwork;
use super::file::{Document, OUTPUT_WEIGHTS, WEIGHTS};
use crate::communicator::{Communicator, Link};
use crate::error::Error;
use crate::float::Float;
use crate::init::share_of_rank;
use crate::storage::tensors::{Tensor, TensorFile, save};
use nalgebra::DMatrix;
use num_traits::ToPrimitive;
use std::path::Path;

impl<T: Float> ExpNetwork<T> {
    /// Saves the whole network of which this is the share on this rank of `world`. Rank 0 writes the same file that
    /// [`save`](Self::save) writes for the whole network. All ranks must call it.
    ///
    /// Rank 0 receives the numbers one message at a time, so that no rank holds more than its share. Costs an exchange
    /// of all weights.
    ///
    /// ```
    /// use expnet::communicator::{Communicator, Threads};
    /// use expnet::{ExpNetwork, Initializer};
    ///
    /// # let path = std::env::temp_dir().join(format!("expnet-doc-share-{}", std::process::id()));
    /// let recipe = Initializer::new(3, 64).seed(7);
    /// let saved = Threads::run(3, |world| {
    ///     recipe.shard(world.rank(), world.size()).build::<f64>()?.save_over(&world, &path)
    /// });
    /// saved.into_iter().collect::<Result<Vec<()>, _>>()?;
    /// assert_eq!(ExpNetwork::<f64>::load(&path)?, recipe.build()?);
    /// assert_eq!(ExpNetwork::<f64>::load_shard(&path, 1, 2)?, recipe.shard(1, 2).build()?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: [`Error::Io`] on rank 0 (an existing file is then left untouched) and [`Error::Ranks`] on the others;
    /// shares of different dimensions.
    pub fn save_over(&self, world: &dyn Communicator, path: impl AsRef<Path>) -> Result<(), Error> {
        let link = Link::new(Box::new(world));
        let widths = self.widths(&link)?;
        let dimension = self.dimension();
        let lengths: Vec<usize> = widths.iter().map(|width| width * dimension).collect();
        let (a, w) = (self.output_weights.as_slice(), self.weights.as_slice());
        let checksums = [
            link.checksum(|checksum| checksum.feed(a))?,
            link.checksum(|checksum| checksum.feed(w))?,
        ];
        let saved = if link.rank() == 0 {
            let width = widths.iter().sum();
            let tensors = [
                Tensor::streamed::<T>(OUTPUT_WEIGHTS, &[width], |sink| {
                    link.gather(&widths, |own| own(a), sink)
                })
                .with_checksum(checksums[0]),
                Tensor::streamed::<T>(WEIGHTS, &[width, dimension], |sink| {
                    link.gather(&lengths, |own| own(w), sink)
                })
                .with_checksum(checksums[1]),
            ];
            save(path.as_ref(), "network", Document {}, &tensors)
        } else {
            let sent = link.gather(&widths, |sink| sink(a), |_| Ok(()));
            sent.and_then(|()| link.gather(&lengths, |sink| sink(w), |_| Ok(())))
        };
        link.leave_on_error(saved)?;
        link.finish()
    }

    /// The number of neurons on each rank, if all have the same dimension.
    fn widths(&self, link: &Link<'_>) -> Result<Vec<usize>, Error> {
        let shapes = link.all_gather([self.width() as f64, self.dimension() as f64])?;
        let own = self.dimension();
        if shapes.iter().any(|&[_, dimension]| dimension != own as f64) {
            return Err(Error::Ranks {
                problem: format!(
                    "the neurons of this rank have dimension {own}, those of another rank have a different one"
                ),
                remedy: "give each rank a share of the same network",
            });
        }
        Ok(shapes.iter().map(|[width, _]| width.to_usize().unwrap_or(0)).collect())
    }

    /// Loads the share of rank `rank` out of `size` ranks from a file written by [`save`](Self::save) or
    /// [`save_over`](Self::save_over): the neurons that [`Initializer::shard`](crate::Initializer::shard) assigns to
    /// it.
    ///
    /// Reads only the share. The checksums in the file cover whole tensors, so they are not verified. Every rank needs
    /// access to the file.
    ///
    /// Errors: those of [`load`](Self::load) that concern the share, and those of `shard`.
    pub fn load_shard(path: impl AsRef<Path>, rank: usize, size: usize) -> Result<Self, Error> {
        let mut file = TensorFile::open(path.as_ref(), "network", &[WEIGHTS, OUTPUT_WEIGHTS])?;
        let Document {} = file.document()?;
        let [width, dimension] = file.shape(WEIGHTS)?;
        let neurons = share_of_rank(width, rank, size)?;
        let output_weights = file.range(OUTPUT_WEIGHTS, &[width], neurons.clone())?;
        let entries = neurons.start * dimension..neurons.end * dimension;
        let weights = file.range(WEIGHTS, &[width, dimension], entries)?;
        Self::from_parts(
            DMatrix::from_vec(dimension, neurons.len(), weights),
            output_weights.into(),
        )
        .map_err(|error| file.invalid(format!("its network is invalid: {error}")))
    }
}
