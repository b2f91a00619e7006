//! Fields as numbers, and the problems of those that are not numbers.

use super::header::excerpt;
use crate::float::Float;

/// The text of a field without the whitespace around it.
pub(super) fn text(field: &[u8]) -> Result<&str, String> {
    match std::str::from_utf8(field) {
        Ok(text) => Ok(text.trim()),
        Err(_) => Err("is not valid UTF-8; save the file as UTF-8".into()),
    }
}

/// Whether a field stands for a missing value: empty, `NA`, `NaN` (in any case) or `?`.
pub(super) fn is_missing(field: &[u8]) -> bool {
    text(field).is_ok_and(|text| {
        text.is_empty() || text == "?" || text.eq_ignore_ascii_case("na") || text.eq_ignore_ascii_case("nan")
    })
}

/// Parses a field as a number that is finite in `T`, or says what is wrong with it.
pub(super) fn parse_number<T: Float>(field: &[u8]) -> Result<f64, String> {
    let text = text(field)?;
    if text.is_empty() {
        return Err("is empty; fill in a number, remove the row, or read with `CsvOptions::missing`".into());
    }
    let missing = if is_missing(field) {
        "; if it stands for a missing value, read with `CsvOptions::missing`"
    } else {
        ""
    };
    let quoted = excerpt(text);
    let Ok(value) = text.parse::<f64>() else {
        return Err(not_a_number(text) + missing);
    };
    if T::lit(value).is_finite() {
        Ok(value)
    } else if text.bytes().any(|b| b.is_ascii_digit()) {
        let dtype = T::NAME;
        Err(format!(
            "is {quoted}, which is out of range for {dtype}; scale the column down"
        ))
    } else {
        Err(format!(
            "is {quoted}, which is not a finite number; replace it with one, or remove the row{missing}"
        ))
    }
}

/// What is wrong with a text that does not parse.
fn not_a_number(text: &str) -> String {
    let quoted = excerpt(text);
    let is_number = |text: String| text.parse::<f64>().is_ok();
    if is_grouped(text) {
        format!("is {quoted}; remove the commas if they separate thousands, or use a decimal point instead of one")
    } else if is_number(text.replacen(',', ".", 1)) {
        format!("is {quoted}; use a decimal point instead of a comma")
    } else if is_number(text.replace(['\u{2212}', '\u{2013}'], "-")) {
        format!("is {quoted}, with a typographic minus sign; replace it with the ASCII character '-'")
    } else {
        format!("is {quoted}, which is not a number; replace it with one, or remove the row")
    }
}

/// Whether commas stand where they would separate thousands.
fn is_grouped(text: &str) -> bool {
    let whole = text
        .trim_start_matches(['-', '+'])
        .split('.')
        .next()
        .unwrap_or_default();
    let mut groups = whole.split(',');
    let all_digits = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next().is_some_and(|group| all_digits(group) && group.len() <= 3);
    let mut rest = groups.peekable();
    first && rest.peek().is_some() && rest.all(|group| all_digits(group) && group.len() == 3)
}
