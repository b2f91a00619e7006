//! CRC-64/XZ checksums, which detect damaged files and different data sets. They do not protect against forgery.

use crate::float::Float;
use crc::{CRC_64_XZ, Crc, Digest, Table};
use std::convert::Infallible;
use std::fmt;

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

/// The generator of CRC-64/XZ without x^64, with the coefficient of x^0 in the highest bit.
const GENERATOR: u64 = CRC_64_XZ.poly.reverse_bits();

/// The CRC-64/XZ of a sequence of bytes.
#[derive(Clone)]
pub(crate) struct Checksum {
    digest: Digest<'static, u64, Table<16>>,
    len: u64,
}

impl Default for Checksum {
    fn default() -> Self {
        Self {
            digest: CRC.digest(),
            len: 0,
        }
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
        checksum.update(text.as_bytes());
        checksum
    }

    pub fn feed<T: Float>(&mut self, numbers: &[T]) {
        let Ok(()) = each_bytes::<_, Infallible>(numbers, |bytes| {
            self.update(bytes);
            Ok(())
        });
    }

    /// Feeds 64 bits.
    pub fn word(&mut self, word: u64) {
        self.update(&word.to_le_bytes());
    }

    fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// The number of bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn finish(&self) -> u64 {
        self.digest.clone().finalize()
    }

    /// The checksum of the concatenation of two byte sequences, from their checksums. The second has `len` bytes.
    ///
    /// Appending bytes multiplies the first checksum, as a polynomial over GF(2), by x^8 for each of them.
    pub fn join(first: u64, second: u64, mut len: u64) -> u64 {
        // The polynomials 1 and x^8.
        let (mut power, mut factor) = (1 << 63, 1 << 55);
        while len > 0 {
            if len % 2 == 1 {
                power = multiply(power, factor);
            }
            factor = multiply(factor, factor);
            len /= 2;
        }
        multiply(first, power) ^ second
    }
}

/// The product of two polynomials over GF(2) modulo the generator.
fn multiply(a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    for bit in (0..64).rev() {
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        // b times x.
        b = b >> 1 ^ if b & 1 == 1 { GENERATOR } else { 0 };
    }
    product
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
