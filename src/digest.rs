//! A short mark of long data.

use crate::float::Float;
use std::fmt;

/// 64 bits that another data set, or a damaged one, has others of, but for one chance in 2^64. Not against forgery.
///
/// ```text
/// h <- rotate((h xor bits of the number) * odd, 29)
/// ```
///
/// Each step is one-to-one in h and in the number, so that two lists that differ in one number always differ here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(u64);

/// The golden ratio's bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// 32 bits.
const HALF: u64 = 0xffff_ffff;

impl Default for Digest {
    fn default() -> Self {
        Self(ODD)
    }
}

impl Digest {
    /// Numbers count by the bits of their `f64`.
    pub fn of<T: Float>(numbers: &[T]) -> Self {
        let mut digest = Self::default();
        digest.feed(numbers);
        digest
    }

    pub fn of_text(text: &str) -> Self {
        let mut digest = Self::default();
        for word in text.as_bytes().chunks(8) {
            digest.word(word.iter().rfold(0, |sum, &byte| sum << 8 | u64::from(byte)));
        }
        digest.word(text.len() as u64);
        digest
    }

    pub fn feed<T: Float>(&mut self, numbers: &[T]) {
        for x in numbers {
            self.word(x.as_f64().to_bits());
        }
    }

    /// Takes up 64 bits.
    pub fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(ODD).rotate_left(29);
    }

    /// As numbers that hold them exactly.
    pub fn halves(self) -> [f64; 2] {
        [self.0 >> 32, self.0 & HALF].map(|half| half as f64)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole numbers below 2^32
    pub fn from_halves([high, low]: [f64; 2]) -> Self {
        Self((high as u64) << 32 | low as u64)
    }

    /// The mark: the low bits depend on the last numbers too.
    pub fn finish(self) -> u64 {
        let h = (self.0 ^ self.0 >> 32).wrapping_mul(ODD);
        h ^ h >> 29
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts() {
        let numbers: Vec<f64> = (0..20).map(f64::from).collect();
        let whole = Digest::of(&numbers).finish();
        for at in 0..20 {
            for bit in 0..64 {
                let mut other = numbers.clone();
                other[at] = f64::from_bits(other[at].to_bits() ^ 1 << bit);
                assert_ne!(Digest::of(&other).finish(), whole);
            }
        }
        let mut swapped = numbers.clone();
        swapped.swap(3, 4);
        assert_ne!(Digest::of(&swapped).finish(), whole);
    }

    #[test]
    fn stays_what_it_was_when_files_were_written() {
        assert_eq!(Digest::of(&[1.0, -0.5]).finish(), Digest::of(&[1.0_f32, -0.5]).finish());
        assert_eq!(Digest::of(&[1.0, -0.5]).to_string(), "9cee7e08f715b65d");
        assert_eq!(Digest::of_text("expnet reads this").to_string(), "0b2e8a1838266e5b");
    }
}
