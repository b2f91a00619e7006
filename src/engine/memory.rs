//! The buffers of the engine, aligned to cache lines.

use crate::error::Error;
use crate::float::Float;

/// A buffer that starts at a cache line.
#[derive(Clone, Debug, Default)]
pub(super) struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

/// The bytes of a cache line.
const LINE: usize = 64;

impl<T: Float> Aligned<T> {
    /// `len` zeros, or [`Error::OutOfMemory`].
    pub fn zeros(len: usize) -> Result<Self, Error> {
        let slack = LINE / size_of::<T>();
        let total = len.checked_add(slack).ok_or_else(|| out_of_memory(len))?;
        // `vec!` gets pages that the system has zeroed, but aborts if there are none: so try to reserve first.
        Vec::<T>::new()
            .try_reserve_exact(total)
            .map_err(|_| out_of_memory(len))?;
        let memory = vec![T::zero(); total];
        let start = memory.as_ptr().align_offset(LINE).min(slack);
        Ok(Self { memory, start, len })
    }

    /// Sets the length. Grows if necessary, and then holds zeros.
    pub fn set_len(&mut self, len: usize) -> Result<(), Error> {
        if self.start.saturating_add(len) > self.memory.len() {
            *self = Self::zeros(len)?;
        }
        self.len = len;
        Ok(())
    }

    #[inline(always)]
    pub fn get(&self) -> &[T] {
        &self.memory[self.start..][..self.len]
    }

    #[inline(always)]
    pub fn get_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..][..self.len]
    }
}

/// A buffer that starts at a cache line, and is in huge pages if it is large. Used for the activations of all chunks
/// (n m numbers, by far the largest buffer) and for a slab.
///
/// A normal page has 4 KiB. Each costs a microsecond or two when it is first touched, which made the set-up of a run
/// longer than five of its steps, and an entry in the small TLB of the processor. Linux provides pages of 2 MiB on
/// request, but only within one contiguous buffer: hence not one buffer per chunk.
#[derive(Debug, Default)]
pub(super) struct Pages<T> {
    small: Aligned<T>,
    #[cfg(target_os = "linux")]
    large: Option<memmap2::MmapMut>,
    len: usize,
}

/// The bytes from which on huge pages pay off: two of them.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

impl<T: Float> Pages<T> {
    /// Sets the length. Grows if necessary, and then holds zeros.
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
        let bytes = len.checked_mul(size_of::<T>()).ok_or_else(|| out_of_memory(len))?;
        let mut pages = Self::default();
        if bytes < LARGE {
            pages.small = Aligned::zeros(len)?;
        } else {
            let map = memmap2::MmapMut::map_anon(bytes).map_err(|_| out_of_memory(len))?;
            // Only a hint: a system without huge pages provides small ones.
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
            // A map is aligned to a page, so the cast never fails.
            let all = bytemuck::try_cast_slice_mut(map).unwrap_or_default();
            let len = self.len.min(all.len());
            return &mut all[..len];
        }
        let all = self.small.get_mut();
        let len = self.len.min(all.len());
        &mut all[..len]
    }
}

fn out_of_memory(numbers: usize) -> Error {
    Error::OutOfMemory {
        what: "a buffer of the engine",
        numbers,
        remedy: "choose a smaller width or fewer samples, or `Memory::Recompute`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_at_a_cache_line() {
        for len in [1, 7, 4096] {
            let buffer = Aligned::<f32>::zeros(len).unwrap();
            assert_eq!(buffer.get().as_ptr().align_offset(LINE), 0);
            assert_eq!(buffer.get().len(), len);
        }
        assert!(Aligned::<f64>::zeros(usize::MAX / 2).is_err());
        assert!(Aligned::<f64>::zeros(usize::MAX).is_err());
    }

    #[test]
    fn small_and_large_pages_hold_zeros_at_a_cache_line() {
        let mut pages = Pages::<f64>::default();
        assert!(pages.get_mut().is_empty());
        for len in [5, 100, 1 << 19, 3_000_001, 7] {
            pages.set_len(len).unwrap();
            let numbers = pages.get_mut();
            assert_eq!(numbers.len(), len);
            assert_eq!(numbers.as_ptr().align_offset(LINE), 0);
            assert!(len == 7 || numbers.iter().all(|x| *x == 0.0), "zeros after growth");
            numbers.fill(1.0);
        }
        assert!(pages.set_len(usize::MAX / 4).is_err());
        assert!(pages.set_len(usize::MAX).is_err());
    }
}
