//! What every test of bad input checks.

use expnet::Error;
use std::fmt::Debug;

/// That `result` is an error of one line whose message holds each of `words`.
pub fn refused<V: Debug>(result: Result<V, Error>, words: &[&str]) {
    let message = result.expect_err("bad input went through").to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert!(!message.contains('\n'), "{message:?}");
}
