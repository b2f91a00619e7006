//! A network that is spread over ranks, in one file.

use super::ExpNetwork;
use super::file::{Document, OUTPUT_WEIGHTS, WEIGHTS};
use crate::communicator::{Communicator, Gather, digest_over, elsewhere};
use crate::error::Error;
use crate::float::Float;
use crate::init::checked_share;
use crate::storage::tensors::{Tensor, TensorFile, save};
use nalgebra::DMatrix;
use std::path::Path;

impl<T: Float> ExpNetwork<T> {
    /// Saves the whole network whose share on this rank of `world` this is: the file, written by rank 0, is the one that
    /// [`save`](Self::save) writes for the whole. All ranks call it.
    ///
    /// The numbers pass rank 0 a message at a time: no rank holds more than its share. Costs an exchange of all weights.
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
    /// Errors: [`Error::Io`] on rank 0 (a file that was there before is then still there), and then [`Error::Ranks`] on
    /// the others; shares of different dimensions.
    pub fn save_over(&self, world: &dyn Communicator, path: impl AsRef<Path>) -> Result<(), Error> {
        let gather = Gather::new(world);
        let dimension = self.dimension();
        let widths = gather.widths((dimension, self.width()))?;
        let lengths: Vec<usize> = widths.iter().map(|width| width * dimension).collect();
        let width = widths.iter().sum();
        let (a, w) = (self.output_weights.as_slice(), self.weights.as_slice());
        let checksum = |own: &[T]| {
            let of = (world.rank(), world.size());
            digest_over(of, |digest| digest.feed(own), |halves| world.all_reduce_sum(halves))
        };
        let checksums = [checksum(a)?, checksum(w)?];
        let saved = if world.rank() == 0 {
            let tensors = [
                Tensor::streamed::<T>(OUTPUT_WEIGHTS, &[width], |give| {
                    gather.numbers(&widths, |own| own(a), give)
                })
                .with_checksum(checksums[0]),
                Tensor::streamed::<T>(WEIGHTS, &[width, dimension], |give| {
                    gather.numbers(&lengths, |own| own(w), give)
                })
                .with_checksum(checksums[1]),
            ];
            save(path.as_ref(), "network", Document {}, &tensors)
        } else {
            let shown = gather.numbers(&widths, |own| own(a), |_| Ok(()));
            let shown = shown.and_then(|()| gather.numbers(&lengths, |own| own(w), |_| Ok(())));
            shown.map_err(|error| elsewhere(&error))
        };
        gather.end(saved)
    }

    /// Loads rank `rank`'s share, of `size` ranks, of a network in a file of [`save`](Self::save) or
    /// [`save_over`](Self::save_over): the neurons that [`Initializer::shard`](crate::Initializer::shard) gives it.
    ///
    /// Reads and holds the share alone, which the file's checksums, of the whole, say nothing of. Each rank has to see the file.
    ///
    /// Errors: those of [`load`](Self::load), as far as they concern the share, and those of `shard`.
    pub fn load_shard(path: impl AsRef<Path>, rank: usize, size: usize) -> Result<Self, Error> {
        let mut file = TensorFile::open(path.as_ref(), "network", &[WEIGHTS, OUTPUT_WEIGHTS])?;
        let Document {} = file.document()?;
        let [width, dimension] = file.shape(WEIGHTS)?;
        let neurons = checked_share(width, rank, size)?;
        let output_weights = file.range(OUTPUT_WEIGHTS, &[width], neurons.clone())?;
        let numbers = neurons.start * dimension..neurons.end * dimension;
        let weights = file.range(WEIGHTS, &[width, dimension], numbers)?;
        Self::from_parts(
            DMatrix::from_vec(dimension, neurons.len(), weights),
            output_weights.into(),
        )
        .map_err(|error| file.wrong(format!("it holds no network: {error}")))
    }
}
