//! Files that are whole whatever happens: written beside their place, made durable, then moved there in one step.
//!
//! [`write`] puts the content into a temporary file of the same folder, waits until the disk has it, renames it to the
//! target, and waits until the disk has the folder too (unix). Whoever opens the target finds the old content or the
//! new one, never a part, and an error leaves the old one as it was.
//!
//! A writer holds a lock on its temporary file, which the system gives back when the writer dies. So a temporary file
//! that can be locked was left by a killed one: the next write or [`open`] of the same target removes it, and never
//! touches that of a writer at work, in this process or another. Where the file system has no locks it stays.
//!
//! The crate `atomic-write-file` makes the same promise for file and folder, but leaves the temporary files of killed writers
//! where the file system has no unnamed ones (a preempted job on a cluster would fill its disk), adds to the target's name, so
//! that long ones fail, and turns a folder that cannot be synced into an error after the file is in its place.

pub(crate) mod tensors;

use crate::checksum::each_bytes;
use crate::error::Error;
use crate::float::Float;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

/// Bytes are turned into numbers this many at a time: no second copy of a large matrix.
const CHUNK: usize = 8192;

/// The end of a temporary file's name.
const TEMPORARY: &str = ".expnet-tmp";

/// Temporary files that a writer tries to make, should cleaners come in between.
const ATTEMPTS: usize = 16;

/// Characters of the target's name that its temporary files carry: names may have 255 bytes.
const STEM: usize = 40;

/// Replaces the file at `path`, or makes it, by what `content` writes. `what` says what the file holds, for errors.
///
/// A link is followed. A new file has the mode of any other (0666 less the umask), one that is replaced keeps its own.
///
/// Errors: [`Error::Io`]. The old file is then still there, and the temporary one is not.
pub(crate) fn write(
    path: &Path,
    what: &str,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    replace(path, content).map_err(|source| failed("writing", what, path, source))
}

/// Opens the file at `path` and says how many bytes it has. `what` says what it should hold, for errors.
pub(crate) fn open(path: &Path, what: &str) -> Result<(BufReader<File>, u64), Error> {
    let opened = || {
        clean(&target(path)?);
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((BufReader::new(file), length))
    };
    opened().map_err(|source| failed("reading", what, path, source))
}

/// Writes the numbers, little-endian.
pub(crate) fn write_numbers<T: Float>(writer: &mut dyn Write, numbers: &[T]) -> io::Result<()> {
    each_bytes(numbers, |bytes| writer.write_all(bytes))
}

/// Reads `count` numbers, little-endian. What asks for more than memory has is an error.
///
/// Check `count` against the length of the file first: it is allocated at once.
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

/// [`Error::Io`] that says what was being done with which file; an error of this crate on its way through stays what it is.
pub(crate) fn failed(doing: &str, what: &str, path: &Path, source: io::Error) -> Error {
    let action = format!("{doing} {what} {}", path.display());
    match source.downcast::<Error>() {
        Ok(error) => error,
        Err(source) => Error::Io { action, source },
    }
}

fn replace(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let target = target(path)?;
    clean(&target);
    let temporary = Temporary::beside(&target)?;
    let mut writer = BufWriter::with_capacity(CHUNK, &temporary.file);
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    temporary.persist(&target)
}

/// Where `path` leads: a rename would replace a link, or a device, and not what lies behind it.
fn target(path: &Path) -> io::Result<PathBuf> {
    let refused = |problem| Err(io::Error::new(ErrorKind::InvalidInput, problem));
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(_) => refused("this is a folder or a device, not a file"),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Err(_) if path.file_name().is_none() => refused("the path names no file"),
        Err(_) if path.is_symlink() => refused("this is a link that leads nowhere"),
        Err(_) => Ok(path.to_path_buf()),
    }
}

/// The folder of a file.
fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// What the names of a target's temporary files begin with.
fn stem(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    format!(".{}.", name.chars().take(STEM).collect::<String>())
}

/// Removes the temporary files that killed writers of `target` left. What can't be removed stays: it does no harm.
fn clean(target: &Path) {
    let stem = stem(target);
    let Ok(entries) = fs::read_dir(folder(target)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = name
            .strip_prefix(stem.as_str())
            .and_then(|rest| rest.strip_suffix(TEMPORARY));
        if ours.is_some_and(|own| !own.contains('.')) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_if_abandoned(&entry.path());
        }
    }
}

fn remove_if_abandoned(temporary: &Path) {
    // Opened for writing, which a lock asks for on some file systems.
    let file = File::options().write(true).open(temporary);
    if let Ok(file) = file.or_else(|_| File::open(temporary))
        && file.try_lock().is_ok()
    {
        // Under the lock, so that a writer that has just made the file notices.
        let _ = fs::remove_file(temporary);
    }
}

/// A file in the making. Dropped before it is in its place, it is removed.
struct Temporary {
    file: File,
    path: PathBuf,
    in_place: bool,
}

impl Temporary {
    /// A new, locked file in the folder of `target`.
    fn beside(target: &Path) -> io::Result<Self> {
        // Tells this process's writers apart; the process and the time tell processes and machines apart.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let nanoseconds = UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
        for _ in 0..ATTEMPTS {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let own = format!("{:x}-{nanoseconds:x}-{count:x}", process::id());
            let path = folder(target).join(format!("{}{own}{TEMPORARY}", stem(target)));
            let file = match File::create_new(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let temporary = Self {
                file,
                path,
                in_place: false,
            };
            let locked = temporary.file.try_lock();
            // A cleaner may have come between the two: it holds the lock, or has removed the file.
            if !matches!(locked, Err(TryLockError::WouldBlock)) && temporary.path.exists() {
                return Ok(temporary);
            }
        }
        Err(io::Error::new(
            ErrorKind::WouldBlock,
            "no temporary file could be locked beside it: does the file system know locks?",
        ))
    }

    /// Makes the content durable and puts the file in the place of `target`.
    fn persist(mut self, target: &Path) -> io::Result<()> {
        #[cfg(unix)]
        if let Ok(old) = fs::metadata(target) {
            self.file.set_permissions(old.permissions())?;
        }
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.in_place = true;
        #[cfg(unix)]
        make_durable(folder(target))?;
        Ok(())
    }
}

/// The new name is in the folder, which has to reach the disk too.
#[cfg(unix)]
fn make_durable(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // A folder that may be written but not read, or a file system that knows no such thing: it does what it can.
        Err(error) if is_impossible(error.kind()) => Ok(()),
        Err(error) => {
            let problem = "the new file is in its place, but its folder could not be made durable";
            Err(io::Error::new(error.kind(), format!("{problem}: {error}")))
        }
        Ok(()) => Ok(()),
    }
}

#[cfg(unix)]
fn is_impossible(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
    )
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
