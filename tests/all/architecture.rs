//! The picture in docs/architecture.md is that of the code: imports point downward.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each room, from the text diagram: a number starts a floor, and a room or a list of rooms starts a line.
fn floors() -> BTreeMap<String, usize> {
    let text = fs::read_to_string("docs/architecture.md").unwrap();
    let diagram = text.split("```").nth(1).unwrap();
    let mut floor = 0;
    let mut floors = BTreeMap::new();
    for line in diagram.lines().skip(1) {
        let line = line.trim_start();
        let digits = line.split(' ').next().unwrap_or_default();
        let line = match digits.parse() {
            Ok(number) => {
                floor = number;
                line[digits.len()..].trim_start()
            }
            Err(_) => line,
        };
        let rooms = line.split("  ").next().unwrap_or_default();
        floors.extend(
            rooms
                .split(", ")
                .filter(|room| !room.is_empty())
                .map(|room| (room.to_owned(), floor)),
        );
    }
    floors
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The room of a file: the first part of its path below `src`.
fn room(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    Path::new(first.as_os_str())
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn imports_point_downward() {
    let floors = floors();
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut seen = 0;
    for file in &files {
        let own = room(file);
        // `instances` shares compiled generics in debug builds, and may know everything.
        if ["lib", "instances"].contains(&own.as_str()) || file.ends_with("tests.rs") {
            continue;
        }
        let floor = *floors
            .get(&own)
            .unwrap_or_else(|| panic!("{own} is missing in docs/architecture.md"));
        let text = fs::read_to_string(file).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for import in line.split("crate::").skip(1) {
                let import = import.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                let Some(below) = floors.get(import).filter(|_| import != own) else {
                    continue;
                };
                seen += 1;
                assert!(
                    *below < floor,
                    "{} imports `{import}`, which is on floor {below}",
                    file.display()
                );
            }
        }
    }
    assert!(seen > 100, "only {seen} imports between rooms were found");
    let rooms: Vec<String> = files.iter().map(|file| room(file)).collect();
    assert_eq!(
        floors.keys().find(|name| !rooms.contains(name)),
        None,
        "a room that is not in src"
    );
}
