//! Atomic, durable file replacement.
//!
//! [`write`] writes the content to a temporary file in the same folder, syncs it to disk, renames it to the target, and
//! syncs the folder (on Unix). A reader of the target sees either the old content or the new content, never a part of
//! it, and an error leaves the old content in place.
//!
//! A writer holds a lock on its temporary file, which the system releases when the writer dies. A temporary file that
//! can be locked was therefore left behind by a killed writer. The next write or [`open`] of the same target removes
//! it, and never touches that of an active writer, in this process or another. On a file system without locks it stays.
//!
//! The crate `atomic-write-file` makes the same guarantee for file and folder, but leaves the temporary files of killed
//! writers behind on file systems without unnamed files (a preempted job on a cluster would fill its disk), appends to
//! the target's name, so that long names fail, and returns an error if the folder cannot be synced even though the file
//! is in place.

pub(crate) mod tensors;

use crate::checksum::each_bytes;
use crate::error::Error;
use crate::float::Float;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

/// The number of numbers converted from bytes at a time, so that a large matrix is never copied as a whole.
const CHUNK: usize = 8192;

/// The suffix of temporary files' names.
const SUFFIX: &str = ".expnet-tmp";

/// The number of attempts to create and lock a temporary file, in case another process removes it in between.
const ATTEMPTS: usize = 16;

/// The number of characters of the target's name in those of its temporary files: names are limited to 255 bytes.
const STEM: usize = 40;

/// Creates or replaces the file at `path` with what `content` writes. `what` describes the file in error messages.
///
/// Symbolic links are followed. A new file gets the default mode (0666 less the umask); a replaced file keeps its mode, and
/// its owner where the system allows that.
///
/// Errors: [`Error::Io`], also for a file that is read-only. The old file is then untouched, and the temporary file is removed.
pub(crate) fn write(
    path: &Path,
    what: &str,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    replace(path, content).map_err(|source| io_error("writing", what, path, source))
}

/// Checks that [`write`] could create or replace the file at `path`, short of its size.
///
/// Errors: [`Error::Io`].
pub(crate) fn probe(path: &Path, what: &str) -> Result<(), Error> {
    let probed = target(path).and_then(|target| {
        check_replaceable(&target)?;
        Temporary::create_for(&target).map(drop)
    });
    probed.map_err(|source| io_error("preparing to write", what, path, source))
}

/// Opens the file at `path` and returns a reader and its length in bytes. `what` describes the file in error messages.
pub(crate) fn open(path: &Path, what: &str) -> Result<(BufReader<File>, u64), Error> {
    let opened = || {
        remove_abandoned(&target(path)?);
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((BufReader::new(file), length))
    };
    opened().map_err(|source| io_error("reading", what, path, source))
}

/// Writes `numbers` in little-endian order.
pub(crate) fn write_numbers<T: Float>(writer: &mut dyn Write, numbers: &[T]) -> io::Result<()> {
    each_bytes(numbers, |bytes| writer.write_all(bytes))
}

/// Reads `count` little-endian numbers. Returns an error if they do not fit in memory.
///
/// Allocates all of them up front: check `count` against the length of the file first.
pub(crate) fn read_numbers<T: Float>(reader: &mut dyn Read, count: usize) -> io::Result<Vec<T>> {
    let mut numbers = Vec::new();
    numbers
        .try_reserve_exact(count)
        .map_err(|_| io::Error::new(ErrorKind::OutOfMemory, format!("{count} numbers do not fit in memory")))?;
    let mut bytes = vec![0; CHUNK.min(count) * size_of::<T>()];
    while numbers.len() < count {
        let chunk = &mut bytes[..CHUNK.min(count - numbers.len()) * size_of::<T>()];
        reader.read_exact(chunk)?;
        numbers.extend(chunk.chunks_exact(size_of::<T>()).map(T::from_bytes));
    }
    Ok(numbers)
}

/// An [`Error::Io`] that says what was being done with which file. An [`Error`] wrapped in `source` is returned as it
/// is.
pub(crate) fn io_error(verb: &str, what: &str, path: &Path, source: io::Error) -> Error {
    let action = format!("{verb} {what} {}", path.display());
    match source.downcast::<Error>() {
        Ok(error) => error,
        Err(source) => Error::Io { action, source },
    }
}

fn replace(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let target = target(path)?;
    check_replaceable(&target)?;
    remove_abandoned(&target);
    let temporary = Temporary::create_for(&target)?;
    let mut writer = BufWriter::with_capacity(CHUNK, &temporary.file);
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    temporary.persist(&target)
}

/// Resolves `path`, because a rename would replace a symbolic link or a device itself rather than what it refers to.
fn target(path: &Path) -> io::Result<PathBuf> {
    let refused = |problem| Err(io::Error::new(ErrorKind::InvalidInput, problem));
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(_) => refused("this is a folder or a device, not a file"),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Err(_) if path.file_name().is_none() => refused("the path does not name a file"),
        Err(_) if path.is_symlink() => refused("this is a broken symbolic link"),
        Err(_) => Ok(path.to_path_buf()),
    }
}

/// Checks that an existing file may be written, as `File::create` would: a rename asks its folder alone.
fn check_replaceable(target: &Path) -> io::Result<()> {
    match fs::metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.permissions().readonly() => Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "the file is read-only; make it writable, or choose another path",
        )),
        Ok(_) => File::options().write(true).open(target).map(drop),
    }
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The prefix of the names of a target's temporary files.
fn stem(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    format!(".{}.", name.chars().take(STEM).collect::<String>())
}

/// Removes temporary files left by killed writers of `target`. Those that cannot be removed stay; they do no harm.
fn remove_abandoned(target: &Path) {
    let stem = stem(target);
    let Ok(entries) = fs::read_dir(folder(target)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unique = name
            .strip_prefix(stem.as_str())
            .and_then(|rest| rest.strip_suffix(SUFFIX));
        if unique.is_some_and(|unique| !unique.contains('.')) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_if_unlocked(&entry.path());
        }
    }
}

fn remove_if_unlocked(temporary: &Path) {
    // Some file systems can only lock a file that is open for writing.
    let file = File::options().write(true).open(temporary);
    if let Ok(file) = file.or_else(|_| File::open(temporary))
        && file.try_lock().is_ok()
    {
        // While holding the lock, so that a writer that has just created the file notices.
        let _ = fs::remove_file(temporary);
    }
}

/// A temporary file, removed on drop unless it has been persisted.
struct Temporary {
    file: File,
    path: PathBuf,
    persisted: bool,
}

impl Temporary {
    /// Creates and locks a file in the folder of `target`.
    fn create_for(target: &Path) -> io::Result<Self> {
        // Distinguishes the writers of this process; the process id and the time distinguish processes and machines.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let nanoseconds = UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
        for _ in 0..ATTEMPTS {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let unique = format!("{:x}-{nanoseconds:x}-{count:x}", process::id());
            let path = folder(target).join(format!("{}{unique}{SUFFIX}", stem(target)));
            let file = match File::create_new(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let temporary = Self {
                file,
                path,
                persisted: false,
            };
            let locked = temporary.file.try_lock();
            // Another process may have taken the file for abandoned in between: it holds the lock, or has removed the
            // file.
            if !matches!(locked, Err(TryLockError::WouldBlock)) && temporary.path.exists() {
                return Ok(temporary);
            }
        }
        Err(io::Error::new(
            ErrorKind::WouldBlock,
            "no temporary file could be locked in its folder; check that the file system supports locks",
        ))
    }

    /// Syncs the content to disk and renames the file to `target`.
    fn persist(mut self, target: &Path) -> io::Result<()> {
        #[cfg(unix)]
        if let Ok(old) = fs::metadata(target) {
            // First the owner, since a change of owner clears some bits of the mode. Without the right to give files away,
            // the file keeps the owner that it has.
            let _ = std::os::unix::fs::fchown(&self.file, Some(old.uid()), Some(old.gid()));
            self.file.set_permissions(old.permissions())?;
        }
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.persisted = true;
        #[cfg(unix)]
        sync_folder(folder(target))?;
        Ok(())
    }
}

/// Syncs the folder, which holds the new name, to disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // A folder that is writable but not readable, or a file system that cannot sync folders: nothing more can be
        // done.
        Err(error) if is_unsupported(error.kind()) => Ok(()),
        Err(error) => {
            let problem = "the new file is in place, but its folder could not be synced to disk";
            Err(io::Error::new(error.kind(), format!("{problem}: {error}")))
        }
        Ok(()) => Ok(()),
    }
}

#[cfg(unix)]
fn is_unsupported(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
    )
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.persisted {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
