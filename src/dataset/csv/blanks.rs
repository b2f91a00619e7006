//! Fields that are separated by runs of blanks and tabs.

use ::csv::ByteRecord;

/// Splits a text into lines, and lines into fields. A field that starts with a quote ends at the next quote, as in CSV: it
/// may hold blanks and line breaks, and `""` is a quote.
pub(super) struct Blanks<'a> {
    bytes: &'a [u8],
    next: usize,
    start: usize,
    field: Vec<u8>,
}

impl<'a> Blanks<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let next = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self {
            bytes,
            next,
            start: next,
            field: Vec::new(),
        }
    }

    /// Where the record that was read last starts.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Reads the next line that has a field. Returns false at the end.
    pub fn read(&mut self, record: &mut ByteRecord) -> bool {
        record.clear();
        while let Some(byte) = self.peek() {
            match byte {
                b'\r' | b'\n' if record.is_empty() => self.next += 1,
                b'\r' | b'\n' => break,
                b' ' | b'\t' => self.next += 1,
                _ => {
                    if record.is_empty() {
                        self.start = self.next;
                    }
                    self.read_field();
                    record.push_field(&self.field);
                }
            }
        }
        !record.is_empty()
    }

    fn read_field(&mut self) {
        self.field.clear();
        if self.peek() == Some(b'"') {
            self.next += 1;
            self.read_quoted();
        }
        while let Some(byte) = self.peek().filter(|byte| !b" \t\r\n".contains(byte)) {
            self.field.push(byte);
            self.next += 1;
        }
    }

    /// Reads up to the closing quote.
    fn read_quoted(&mut self) {
        while let Some(byte) = self.peek() {
            self.next += 1;
            if byte == b'"' {
                if self.peek() != Some(b'"') {
                    return;
                }
                self.next += 1;
            }
            self.field.push(byte);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.next).copied()
    }
}
