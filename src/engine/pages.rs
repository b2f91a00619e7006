//! Memory for the activations of all chunks: n m numbers, by far the largest buffer there is.
//!
//! ```text
//! [chunk][panel][sample][P]      where they are stored
//! [chunk][sample][P]             where they are recomputed: one panel, of one group of samples, at a time
//! ```
//!
//! A system page is 4 KiB: each costs a microsecond or two when it is first touched, which made the set-up of a run
//! longer than five of its steps, and a place in the short list of addresses that the processor remembers. Linux gives
//! pages of 2 MiB to those who ask, and a buffer can only have them where it is one piece: hence not a buffer a chunk.

use super::pack::{Aligned, too_large};
use crate::error::Error;
use crate::float::Float;

/// Zeros that start at a cache line, in huge pages where they are many.
#[derive(Debug, Default)]
pub(super) struct Pages<T> {
    small: Aligned<T>,
    #[cfg(target_os = "linux")]
    large: Option<memmap2::MmapMut>,
    len: usize,
}

/// Bytes from which on huge pages are worth it: two of them.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

impl<T: Float> Pages<T> {
    /// The first `len` of the numbers may be used; grows if need be, to zeros.
    pub fn set_len(&mut self, len: usize) -> Result<(), Error> {
        if len > self.capacity() {
            *self = Self::zeros(len)?;
        }
        self.len = len;
        Ok(())
    }

    fn capacity(&mut self) -> usize {
        self.len = usize::MAX;
        self.get_mut().len()
    }

    #[cfg(target_os = "linux")]
    fn zeros(len: usize) -> Result<Self, Error> {
        let bytes = len.checked_mul(size_of::<T>()).ok_or_else(|| too_large(len))?;
        let mut pages = Self::default();
        if bytes < LARGE {
            pages.small = Aligned::zeros(len)?;
        } else {
            let map = memmap2::MmapMut::map_anon(bytes).map_err(|_| too_large(len))?;
            // A wish: a system without huge pages gives small ones.
            let _ = map.advise(memmap2::Advice::HugePage);
            pages.large = Some(map);
        }
        Ok(pages)
    }

    #[cfg(not(target_os = "linux"))]
    fn zeros(len: usize) -> Result<Self, Error> {
        let small = Aligned::zeros(len)?;
        Ok(Self { small, len })
    }

    pub fn get_mut(&mut self) -> &mut [T] {
        #[cfg(target_os = "linux")]
        if let Some(map) = &mut self.large {
            // A map starts at a page, so the cast never fails.
            let all = bytemuck::try_cast_slice_mut(map).unwrap_or_default();
            let len = self.len.min(all.len());
            return &mut all[..len];
        }
        let all = self.small.get_mut();
        let len = self.len.min(all.len());
        &mut all[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_pages_hold_zeros_at_a_cache_line() {
        let mut pages = Pages::<f64>::default();
        assert!(pages.get_mut().is_empty());
        for len in [5, 100, 1 << 19, 3_000_001, 7] {
            pages.set_len(len).unwrap();
            let numbers = pages.get_mut();
            assert_eq!(numbers.len(), len);
            assert_eq!(numbers.as_ptr().align_offset(64), 0);
            assert!(len == 7 || numbers.iter().all(|x| *x == 0.0), "fresh where it grew");
            numbers.fill(1.0);
        }
        assert!(pages.set_len(usize::MAX / 4).is_err());
        assert!(pages.set_len(usize::MAX).is_err());
    }
}
