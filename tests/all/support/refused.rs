//! Assertions about error messages.

use expnet::Error;
use std::fmt::{Debug, Display};

/// That `text` holds each of `words`.
#[track_caller]
pub fn says(text: &impl Display, words: &[&str]) {
    let text = text.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

/// That `result` is an error of one line whose message holds each of `words`.
#[track_caller]
pub fn refused<V: Debug>(result: Result<V, Error>, words: &[&str]) {
    let message = result.expect_err("bad input went through").to_string();
    says(&message, words);
    assert!(!message.contains('\n'), "{message:?}");
}
