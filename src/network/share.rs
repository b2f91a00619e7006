//! A network that is spread over ranks, in one file.

use super::ExpNetwork;
use super::file::{Document, OUTPUT_WEIGHTS, WEIGHTS};
use crate::communicator::{Communicator, Link};
use crate::error::Error;
use crate::float::Float;
use crate::init::checked_share;
use crate::storage::tensors::{Tensor, TensorFile, save};
use nalgebra::DMatrix;
use num_traits::ToPrimitive;
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
                Tensor::streamed::<T>(OUTPUT_WEIGHTS, &[width], |give| {
                    link.gather(&widths, |own| own(a), give)
                })
                .with_checksum(checksums[0]),
                Tensor::streamed::<T>(WEIGHTS, &[width, dimension], |give| {
                    link.gather(&lengths, |own| own(w), give)
                })
                .with_checksum(checksums[1]),
            ];
            save(path.as_ref(), "network", Document {}, &tensors)
        } else {
            let shown = link.gather(&widths, |own| own(a), |_| Ok(()));
            shown.and_then(|()| link.gather(&lengths, |own| own(w), |_| Ok(())))
        };
        link.pass(saved)?;
        link.finish()
    }

    /// The number of neurons on each rank.
    fn widths(&self, link: &Link<'_>) -> Result<Vec<usize>, Error> {
        let shapes = link.table([self.width() as f64, self.dimension() as f64])?;
        let own = self.dimension();
        if shapes.iter().any(|&[_, dimension]| dimension != own as f64) {
            return Err(Error::Ranks {
                problem: format!("the neurons of this rank have dimension {own}, those of another rank do not"),
                remedy: "give each rank a share of the same network",
            });
        }
        Ok(shapes.iter().map(|[width, _]| width.to_usize().unwrap_or(0)).collect())
    }

    /// Loads rank `rank`'s share, of `size` ranks, of a network in a file of [`save`](Self::save) or
    /// [`save_over`](Self::save_over): the neurons that [`Initializer::shard`](crate::Initializer::shard) gives it.
    ///
    /// Reads and holds the share alone, so that the file's checksums, which are those of the whole, are not compared. Each rank
    /// has to see the file.
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
