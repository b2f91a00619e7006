//! Tensors that are written and read a part at a time.

use super::{Tensor, TensorFile, dtype};
use crate::checksum;
use crate::error::Error;
use crate::float::Float;
use crate::storage::{failed, read_numbers, write_numbers};
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;

impl<'a> Tensor<'a> {
    /// A tensor whose numbers `give_all` hands out in order, a part at a time, as often as it is asked.
    pub(crate) fn streamed<T: Float>(
        name: &'static str,
        shape: &[usize],
        give_all: impl Fn(&mut dyn FnMut(&[T]) -> io::Result<()>) -> io::Result<()> + 'a,
    ) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            dtype: dtype::<T>(),
            bytes: shape.iter().product::<usize>() * size_of::<T>(),
            checksum: None,
            write: Box::new(move |writer| give_all(&mut |numbers| write_numbers(writer, numbers))),
        }
    }

    /// The same with the checksum of its numbers, which is not known without reading them all.
    pub(crate) fn with_checksum(self, checksum: u64) -> Self {
        let checksum = Some(checksum::name(checksum));
        Self { checksum, ..self }
    }
}

impl TensorFile {
    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// The numbers of a tensor, which must be of this type and have this shape, to be read a part at a time from number
    /// `first` on.
    pub(crate) fn parts<T: Float>(&mut self, name: &str, shape: &[usize], first: usize) -> Result<Parts<'_>, Error> {
        let from = self.checked::<T>(name, shape)?.start;
        self.seek(from + first * size_of::<T>())?;
        Ok(Parts { file: self })
    }

    /// Some of the numbers of a tensor, which must be of this type and have this shape: `numbers` lies within.
    pub(crate) fn range<T: Float>(
        &mut self,
        name: &str,
        shape: &[usize],
        numbers: Range<usize>,
    ) -> Result<Vec<T>, Error> {
        self.parts::<T>(name, shape, numbers.start)?.next(numbers.len())
    }

    fn seek(&mut self, from: usize) -> Result<(), Error> {
        let at = SeekFrom::Start(self.start + from as u64);
        let sought = self.reader.seek(at).map(|_| ());
        sought.map_err(|error| failed("reading", "the numbers of", &self.path, error))
    }
}

/// A tensor on its way out of a file.
pub(crate) struct Parts<'a> {
    file: &'a mut TensorFile,
}

impl Parts<'_> {
    /// The next so many numbers.
    pub(crate) fn next<T: Float>(&mut self, count: usize) -> Result<Vec<T>, Error> {
        read_numbers(&mut self.file.reader, count)
            .map_err(|error| failed("reading", "the numbers of", &self.file.path, error))
    }
}
