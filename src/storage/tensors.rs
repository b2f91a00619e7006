//! Tensors in a file in the safetensors format: the length of a header, the header in JSON, the numbers.
//!
//! What is no tensor (the version of the format, what the file holds, settings) stands as JSON in one value of the
//! header's metadata, [`KEY`]: with one key the bytes of the file are the same each time.

mod streams;

use super::{failed, open, write, write_numbers};
use crate::checksum::{self, Checksum};
use crate::error::Error;
use crate::float::Float;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The key of the header's metadata that holds the document.
const KEY: &str = "expnet";

/// The key of the document that holds the checksums of tensors that have one.
const CHECKSUMS: &str = "tensor_checksums";

/// The version of what this module and its callers write.
const VERSION: u64 = 1;

/// Of a header: the format's own limit, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// The length of the header is itself so many bytes long.
const PREFIX: usize = 8;

type Writing<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

/// A tensor to be written. The last index of its shape runs fastest.
pub(crate) struct Tensor<'a> {
    name: &'static str,
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: usize,
    /// Of its numbers.
    checksum: Option<String>,
    write: Box<Writing<'a>>,
}

impl<'a> Tensor<'a> {
    pub(crate) fn new<T: Float>(name: &'static str, shape: &[usize], numbers: &'a [T]) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            dtype: dtype::<T>(),
            bytes: size_of_val(numbers),
            checksum: Some(Checksum::of(numbers).to_string()),
            write: Box::new(|writer| write_numbers(writer, numbers)),
        }
    }
}

/// Writes a file that holds `kind`: its tensors, those of f64 first, and beside them a document that is an object in
/// JSON.
pub(crate) fn save(path: &Path, kind: &str, document: impl Serialize, tensors: &[Tensor<'_>]) -> Result<(), Error> {
    write(path, &format!("the {kind}"), |writer| {
        let header = header(kind, document, tensors)?;
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        tensors.iter().try_for_each(|tensor| (tensor.write)(writer))
    })
}

fn header(kind: &str, document: impl Serialize, tensors: &[Tensor<'_>]) -> io::Result<Vec<u8>> {
    let mut document = serde_json::to_value(document)?;
    document["version"] = json!(VERSION);
    document["kind"] = json!(kind);
    let checksums = tensors
        .iter()
        .filter_map(|tensor| Some((tensor.name.into(), json!(tensor.checksum.as_ref()?))));
    let checksums: Map<String, Value> = checksums.collect();
    if !checksums.is_empty() {
        document[CHECKSUMS] = Value::Object(checksums);
    }
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.bytes;
        let info = TensorInfo {
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            data_offsets: (start, end),
        };
        (tensor.name.to_string(), info)
    });
    let text = [(KEY.to_string(), document.to_string())].into_iter().collect();
    let metadata = Metadata::new(Some(text), infos.collect()).map_err(|error| io::Error::other(error.to_string()))?;
    let mut header = serde_json::to_vec(&metadata)?;
    // Readers that map the file want the numbers aligned.
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

/// A file of tensors, opened and checked as far as its header says: what follows it has the right length.
pub(crate) struct TensorFile {
    path: PathBuf,
    reader: BufReader<File>,
    header: Metadata,
    /// Where the numbers begin.
    start: u64,
    document: Map<String, Value>,
    checksums: Map<String, Value>,
}

impl TensorFile {
    /// Opens a file that should hold `kind`, with these tensors and no others.
    pub(crate) fn open(path: &Path, kind: &str, tensors: &[&str]) -> Result<Self, Error> {
        let what = format!("the {kind}");
        let (mut reader, length) = open(path, &what)?;
        let wrong = |problem: String| malformed(path, problem);
        let text = read_header(&mut reader, length).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => wrong(error.to_string()),
            _ => failed("reading", &what, path, error),
        })?;
        let header: Metadata =
            serde_json::from_slice(&text).map_err(|error| wrong(format!("its header is damaged: {error}")))?;
        let start = (PREFIX + text.len()) as u64;
        check_length(length, start.saturating_add(header.data_len() as u64)).map_err(wrong)?;
        let mut document = document(&header, kind).map_err(wrong)?;
        let checksums = match document.remove(CHECKSUMS) {
            None => Map::new(),
            Some(Value::Object(checksums)) => checksums,
            Some(_) => return Err(wrong("its metadata is damaged: the checksums are none".into())),
        };
        let names = header.offset_keys();
        if let Some(name) = names.iter().find(|name| !tensors.contains(&name.as_str())) {
            return Err(wrong(format!("it has a tensor {name:?}, which a {kind} has not")));
        }
        let checked = names.iter().all(|name| checksums.contains_key(name));
        if !(checksums.is_empty() || checked && names.len() == checksums.len()) {
            return Err(wrong(
                "its metadata is damaged: its checksums are those of other tensors".into(),
            ));
        }
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            header,
            start,
            document,
            checksums,
        })
    }

    /// The document that was saved beside the tensors.
    pub(crate) fn document<D: DeserializeOwned>(&mut self) -> Result<D, Error> {
        serde_json::from_value(Value::Object(std::mem::take(&mut self.document)))
            .map_err(|error| self.wrong(format!("its metadata is damaged: {error}")))
    }

    /// The shape of a tensor of `N` indices.
    pub(crate) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], Error> {
        let shape = &self.info(name)?.shape;
        shape.as_slice().try_into().map_err(|_| {
            let problem = format!("tensor {name:?} has shape {shape:?}, which should have {N} numbers");
            self.wrong(problem)
        })
    }

    /// The numbers of a tensor, which must be of this type and have this shape, compared with their checksum where the file
    /// has one. One allocation, no larger than the file.
    pub(crate) fn numbers<T: Float>(&mut self, name: &str, shape: &[usize]) -> Result<Vec<T>, Error> {
        let bytes = self.checked::<T>(name, shape)?;
        let numbers = self.parts::<T>(name, shape, 0)?.next(bytes.len() / size_of::<T>())?;
        self.check(name, Checksum::of(&numbers).finish())?;
        Ok(numbers)
    }

    /// That this is the checksum of a tensor, where the file has one.
    pub(crate) fn check(&self, name: &str, checksum: u64) -> Result<(), Error> {
        match self.checksums.get(name) {
            Some(stored) if stored.as_str() != Some(checksum::name(checksum).as_str()) => {
                Err(self.wrong(format!("tensor {name:?} is damaged: its checksum does not match")))
            }
            _ => Ok(()),
        }
    }

    /// Where the numbers of a tensor lie, which must be of this type and have this shape.
    fn checked<T: Float>(&self, name: &str, shape: &[usize]) -> Result<Range<usize>, Error> {
        let info = self.info(name)?;
        if info.dtype != dtype::<T>() {
            return Err(self.wrong(type_problem::<T>(name, info.dtype)));
        }
        if info.shape != shape {
            return Err(self.wrong(format!("tensor {name:?} has shape {:?}, not {shape:?}", info.shape)));
        }
        let (from, to) = info.data_offsets;
        Ok(from..to)
    }

    /// That the file is not what it should be.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> Error {
        malformed(&self.path, problem)
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, Error> {
        self.header
            .info(name)
            .ok_or_else(|| self.wrong(format!("it has no tensor {name:?}")))
    }
}

/// [`Error::Format`].
pub(crate) fn malformed(path: &Path, problem: impl Into<String>) -> Error {
    Error::Format {
        file: path.display().to_string(),
        problem: problem.into(),
    }
}

/// The header's text. Errors of the kind `InvalidData` say what is wrong with the file.
fn read_header(reader: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let invalid = |problem| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    let Some(rest) = length.checked_sub(PREFIX as u64) else {
        return invalid(format!(
            "it has {length} bytes, which is too short for a safetensors file"
        ));
    };
    let mut prefix = [0; PREFIX];
    reader.read_exact(&mut prefix)?;
    let announced = u64::from_le_bytes(prefix);
    if announced > LONGEST_HEADER {
        return invalid("it is no safetensors file: it begins with no length of a header".into());
    }
    if announced > rest {
        return invalid(format!(
            "it is cut short, or no safetensors file: {announced} bytes of header, {rest} left"
        ));
    }
    let mut text = Vec::new();
    reader.take(announced).read_to_end(&mut text)?;
    Ok(text)
}

fn check_length(found: u64, expected: u64) -> Result<(), String> {
    match found.checked_sub(expected) {
        None => Err(format!("it is cut short: {found} bytes of {expected}")),
        Some(0) => Ok(()),
        Some(extra) => Err(format!("it is damaged: {extra} bytes follow its end")),
    }
}

/// The document of a header, without what this module added.
fn document(header: &Metadata, kind: &str) -> Result<Map<String, Value>, String> {
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| format!("it was not written for expnet: its metadata has no key {KEY:?}"))?;
    let mut document: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("its metadata is damaged: {error}"))?;
    match document.remove("version").and_then(|version| version.as_u64()) {
        Some(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "its format has version {version}, and this expnet reads version {VERSION}"
            ));
        }
        None => return Err("its metadata is damaged: there is no version of the format".into()),
    }
    match document.remove("kind") {
        Some(Value::String(found)) if found == kind => Ok(document),
        Some(Value::String(found)) => Err(format!("it holds a {found}, not a {kind}")),
        _ => Err("its metadata is damaged: it does not say what the file holds".into()),
    }
}

fn dtype<T: Float>() -> Dtype {
    if size_of::<T>() == size_of::<f32>() {
        Dtype::F32
    } else {
        Dtype::F64
    }
}

fn type_problem<T: Float>(name: &str, found: Dtype) -> String {
    let remedy = match found {
        Dtype::F32 => "load it as f32, and `cast` the network",
        Dtype::F64 => "load it as f64, and `cast` the network",
        _ => "save it as F32 or F64",
    };
    format!(
        "tensor {name:?} holds {found:?} and not {:?} ({}): {remedy}",
        dtype::<T>(),
        T::NAME
    )
}
