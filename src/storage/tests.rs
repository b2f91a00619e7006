//! What the public API does not show: temporary files, and writers that die or run at the same time.

use super::*;
use std::sync::Barrier;
use std::thread;

/// An empty folder for the test called `name`.
fn empty_folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("expnet-storage-{}-{name}", process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    write(path, "the text", |writer| writer.write_all(text.as_bytes()))
}

#[test]
fn a_write_replaces_the_whole_file() {
    let folder = empty_folder("replaces");
    let path = folder.join("model");
    put(&path, "a long first text").unwrap();
    put(&path, "short").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "short");
    assert_eq!(names(&folder), ["model"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_error_leaves_the_old_file_and_no_other() {
    let folder = empty_folder("error");
    let path = folder.join("model");
    put(&path, "old").unwrap();
    let error = write(&path, "the text", |writer| {
        writer.write_all(&vec![0; 3 * CHUNK])?;
        Err(io::Error::other("the pen broke"))
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("writing the text {}: the pen broke", path.display())
    );
    let panicked = thread::spawn({
        let path = path.clone();
        move || write(&path, "the text", |_| panic!("the writer fell ill"))
    });
    assert!(panicked.join().is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(&folder), ["model"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn abandoned_files_are_removed_and_those_in_use_are_not() {
    let folder = empty_folder("abandoned");
    let path = folder.join("model");
    let abandoned = folder.join(".model.1-2-3.expnet-tmp");
    let others = [".model.x.1-2-3.expnet-tmp", ".model2.1-2-3.expnet-tmp", ".model.1-2-3"];
    for name in others {
        fs::write(folder.join(name), "another's").unwrap();
    }
    fs::write(&abandoned, "half a te").unwrap();
    write(&path, "the text", |writer| {
        assert!(!abandoned.exists(), "removed by the write");
        fs::write(&abandoned, "half a te").unwrap();
        assert_eq!(names(&folder).len(), others.len() + 2);
        // Another writer, and a reader that finds no file yet, while this one is active.
        open(&path, "the text").unwrap_err();
        assert!(!abandoned.exists(), "removed by the reader");
        put(&path, "the other's").unwrap();
        writer.write_all(b"this one's")
    })
    .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "this one's");
    let mut expected = [others.as_slice(), &["model"]].concat();
    expected.sort_unstable();
    assert_eq!(names(&folder), expected);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn many_writers_and_readers_see_whole_files() {
    let folder = empty_folder("many");
    let path = folder.join("model");
    put(&path, &"z".repeat(3 * CHUNK)).unwrap();
    let (writers, barrier) = (4_u8, Barrier::new(8));
    thread::scope(|scope| {
        for w in 0..writers {
            let (path, barrier) = (&path, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..20 {
                    put(path, &char::from(b'a' + w).to_string().repeat(3 * CHUNK)).unwrap();
                }
            });
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..100 {
                    let (mut reader, length) = open(path, "the text").unwrap();
                    let mut text = Vec::new();
                    reader.read_to_end(&mut text).unwrap();
                    assert_eq!((text.len(), length), (3 * CHUNK, 3 * CHUNK as u64));
                    assert!(text.iter().all(|&byte| byte == text[0]));
                }
            });
        }
    });
    assert_eq!(names(&folder), ["model"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn paths_that_are_not_files_are_refused() {
    let folder = empty_folder("refused");
    for (path, problem) in [
        (folder.clone(), "this is a folder or a device, not a file"),
        (folder.join("missing").join(".."), "the path does not name a file"),
        (folder.join("missing").join("model"), "No such file"),
    ] {
        let error = put(&path, "text").unwrap_err().to_string();
        assert!(cfg!(not(unix)) || error.contains(problem), "{error}");
    }
    assert!(names(&folder).is_empty());
    let error = open(&folder, "the text").unwrap_err().to_string();
    assert!(error.ends_with("this is a folder or a device, not a file"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn temporary_names_fit_next_to_long_names() {
    let folder = empty_folder("long");
    let path = folder.join("é".repeat(127));
    put(&path, "text").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_has_the_default_mode_and_a_replaced_one_keeps_its_own() {
        let folder = empty_folder("mode");
        let (path, ordinary) = (folder.join("model"), folder.join("ordinary"));
        fs::write(&ordinary, "").unwrap();
        put(&path, "text").unwrap();
        assert_eq!(mode(&path), mode(&ordinary));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        put(&path, "new text").unwrap();
        assert_eq!(mode(&path), 0o640);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_link_is_followed_and_stays() {
        let folder = empty_folder("link");
        let (real, link) = (folder.join("real"), folder.join("link"));
        symlink("real", &link).unwrap();
        assert!(
            put(&link, "text")
                .unwrap_err()
                .to_string()
                .contains("broken symbolic link")
        );
        fs::write(&real, "old").unwrap();
        put(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(names(&folder), ["link", "real"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_device_is_not_replaced() {
        let error = put(Path::new("/dev/null"), "text").unwrap_err().to_string();
        assert!(error.contains("a device"), "{error}");
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}

#[test]
fn numbers_round_trip_bit_for_bit() {
    let numbers: Vec<f64> = (0..2 * CHUNK + 3).map(|i| (i as f64).sin() * 1e300).collect();
    let narrow: Vec<f32> = numbers.iter().map(|x| f32::lit(x / 1e300)).collect();
    let (mut wide_bytes, mut narrow_bytes) = (Vec::new(), Vec::new());
    write_numbers(&mut wide_bytes, &numbers).unwrap();
    write_numbers(&mut narrow_bytes, &narrow).unwrap();
    assert_eq!(wide_bytes.len(), 8 * numbers.len());
    assert_eq!(wide_bytes[8..16], numbers[1].to_le_bytes());
    assert_eq!(
        read_numbers::<f64>(&mut wide_bytes.as_slice(), numbers.len()).unwrap(),
        numbers
    );
    assert_eq!(
        read_numbers::<f32>(&mut narrow_bytes.as_slice(), narrow.len()).unwrap(),
        narrow
    );
    assert!(read_numbers::<f64>(&mut wide_bytes.as_slice(), numbers.len() + 1).is_err());
    assert!(read_numbers::<f64>(&mut io::empty(), usize::MAX).is_err());
}
