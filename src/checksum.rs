//! CRC-64/XZ checksums, which detect damaged files and different data sets. They do not protect against forgery.

use crate::float::Float;
use crc_fast::CrcAlgorithm::Crc64Xz;
use std::convert::Infallible;
use std::fmt;

/// The CRC-64/XZ of a sequence of bytes.
#[derive(Clone)]
pub(crate) struct Checksum(crc_fast::Digest);

impl Default for Checksum {
    fn default() -> Self {
        Self(crc_fast::Digest::new(Crc64Xz))
    }
}

impl Checksum {
    /// The checksum of the little-endian bytes of `numbers`, as in a file.
    pub fn of<T: Float>(numbers: &[T]) -> Self {
        let mut checksum = Self::default();
        checksum.feed(numbers);
        checksum
    }

    pub fn of_text(text: &str) -> Self {
        let mut checksum = Self::default();
        checksum.0.update(text.as_bytes());
        checksum
    }

    pub fn feed<T: Float>(&mut self, numbers: &[T]) {
        let Ok(()) = each_bytes::<_, Infallible>(numbers, |bytes| {
            self.0.update(bytes);
            Ok(())
        });
    }

    /// Feeds 64 bits.
    pub fn word(&mut self, word: u64) {
        self.0.update(&word.to_le_bytes());
    }

    /// The number of bytes so far.
    pub fn len(&self) -> u64 {
        self.0.get_amount()
    }

    pub fn finish(&self) -> u64 {
        self.0.finalize()
    }

    /// The checksum of the concatenation of two byte sequences, from their checksums. The second has `len` bytes.
    pub fn join(first: u64, second: u64, len: u64) -> u64 {
        crc_fast::checksum_combine(Crc64Xz, first, second, len)
    }
}

/// A checksum as files store it: 16 lower-case hexadecimal digits, most significant first.
pub(crate) fn name(checksum: u64) -> String {
    format!("{checksum:016x}")
}

/// The number of numbers converted to bytes at a time, so that a large matrix is never copied as a whole.
const CHUNK: usize = 8192;

/// Passes the little-endian bytes of the numbers to `sink`, in chunks.
pub(crate) fn each_bytes<T: Float, E>(numbers: &[T], mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut bytes = Vec::with_capacity(CHUNK.min(numbers.len()) * size_of::<T>());
    for chunk in numbers.chunks(CHUNK) {
        bytes.clear();
        for x in chunk {
            x.append_bytes(&mut bytes);
        }
        sink(&bytes)?;
    }
    Ok(())
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(self.finish()))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts() {
        let numbers: Vec<f64> = (0..20).map(f64::from).collect();
        let whole = Checksum::of(&numbers).finish();
        for at in 0..20 {
            for bit in 0..64 {
                let mut other = numbers.clone();
                other[at] = f64::from_bits(other[at].to_bits() ^ 1 << bit);
                assert_ne!(Checksum::of(&other).finish(), whole);
            }
        }
        let mut swapped = numbers.clone();
        swapped.swap(3, 4);
        assert_ne!(Checksum::of(&swapped).finish(), whole);
    }

    /// The check value of CRC-64/XZ, and the results of `fastcrc.crc64.xz(np.array([1, -0.5]).tobytes())`.
    #[test]
    fn agrees_with_other_implementations() {
        assert_eq!(Checksum::of_text("123456789").to_string(), "995dc9bbdf1939fa");
        assert_eq!(Checksum::of(&[1.0, -0.5]).to_string(), "909377ba53e570d3");
        assert_eq!(Checksum::of(&[1.0_f32, -0.5]).to_string(), "2aaaf13e420165f0");
    }

    #[test]
    fn pieces_join() {
        let numbers: Vec<f64> = (0..20_000).map(|i| f64::from(i).sin()).collect();
        let whole = Checksum::of(&numbers).finish();
        for at in [0, 1, 777, 19_999, 20_000] {
            let (first, second) = (Checksum::of(&numbers[..at]), Checksum::of(&numbers[at..]));
            assert_eq!(Checksum::join(first.finish(), second.finish(), second.len()), whole);
        }
    }
}
