//! Writing and reading tensors piece by piece.

use super::{Tensor, TensorFile, dtype};
use crate::checksum;
use crate::error::Error;
use crate::float::Float;
use crate::storage::{io_error, read_numbers, write_numbers};
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;

impl<'a> Tensor<'a> {
    /// A tensor whose numbers `write_all` passes on in order, piece by piece, each time it is called.
    pub(crate) fn streamed<T: Float>(
        name: &'static str,
        shape: &[usize],
        write_all: impl Fn(&mut dyn FnMut(&[T]) -> io::Result<()>) -> io::Result<()> + 'a,
    ) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            dtype: dtype::<T>(),
            bytes: shape.iter().product::<usize>() * size_of::<T>(),
            checksum: None,
            write: Box::new(move |writer| write_all(&mut |numbers| write_numbers(writer, numbers))),
        }
    }

    /// Sets the checksum of the numbers, which a streamed tensor cannot compute in advance.
    pub(crate) fn with_checksum(self, checksum: u64) -> Self {
        let checksum = Some(checksum::name(checksum));
        Self { checksum, ..self }
    }
}

impl TensorFile {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// Streams a tensor, which must have this type and shape, from entry `first` on.
    pub(crate) fn stream<T: Float>(
        &mut self,
        name: &str,
        shape: &[usize],
        first: usize,
    ) -> Result<TensorStream<'_>, Error> {
        let from = self.byte_range::<T>(name, shape)?.start;
        self.seek(from + first * size_of::<T>())?;
        Ok(TensorStream { file: self })
    }

    /// Reads the entries `entries` of a tensor, which must have this type and shape. Does not check the range.
    pub(crate) fn range<T: Float>(
        &mut self,
        name: &str,
        shape: &[usize],
        entries: Range<usize>,
    ) -> Result<Vec<T>, Error> {
        self.stream::<T>(name, shape, entries.start)?.next(entries.len())
    }

    fn seek(&mut self, from: usize) -> Result<(), Error> {
        let at = SeekFrom::Start(self.data_start + from as u64);
        let sought = self.reader.seek(at).map(|_| ());
        sought.map_err(|error| io_error("reading", "the numbers of", &self.path, error))
    }
}

/// Reads a tensor piece by piece.
pub(crate) struct TensorStream<'a> {
    file: &'a mut TensorFile,
}

impl TensorStream<'_> {
    /// Reads the next `count` numbers.
    pub(crate) fn next<T: Float>(&mut self, count: usize) -> Result<Vec<T>, Error> {
        read_numbers(&mut self.file.reader, count)
            .map_err(|error| io_error("reading", "the numbers of", &self.file.path, error))
    }
}
