//! The Python interpreter, for tests of files that Python should read.

use std::process::Command;

/// The interpreter, where there is one that runs `code`. `EXPNET_PYTHON` names another than `python3`.
pub fn python(code: &str) -> Option<String> {
    let python = std::env::var("EXPNET_PYTHON").unwrap_or("python3".into());
    let output = Command::new(&python).args(["-c", code]).output();
    if output.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("skipped: {python} is not here or does not run {code:?}");
    None
}
