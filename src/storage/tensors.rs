//! Files in the safetensors format: the length of the header, the header in JSON, the numbers.
//!
//! Everything that is not a tensor (format version, kind of file, settings) is a JSON document under a single key of
//! the header's metadata, [`KEY`]: with one key, the same content always gives the same bytes.
//!
//! The document holds a CRC-64/XZ checksum of each tensor's bytes (see [`crate::checksum`]) under [`CHECKSUMS`].

mod streams;

use super::{io_error, open, write, write_numbers};
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

/// The key of the document in the header's metadata.
const KEY: &str = "expnet";

/// The key in the document of an object that maps names of tensors to checksums.
const CHECKSUMS: &str = "tensor_checksums";

/// The version of the format that this module and its callers write.
const VERSION: u64 = 1;

/// The format's limit on the length of a header, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// The number of bytes of the length in front of the header.
const PREFIX: usize = 8;

type WriteNumbers<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

/// A tensor to be written, in C order: the last index varies fastest.
pub(crate) struct Tensor<'a> {
    name: &'static str,
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: usize,
    checksum: Option<String>,
    write: Box<WriteNumbers<'a>>,
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

/// Writes a file of this `kind`: its tensors, those of f64 first, and a `document` that serialises to a JSON object.
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
    // Pad, so that numbers are aligned for readers that map the file.
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

/// An open file of tensors whose header has been checked, against the length of the file too.
pub(crate) struct TensorFile {
    path: PathBuf,
    reader: BufReader<File>,
    header: Metadata,
    /// The position of the first tensor's bytes.
    data_start: u64,
    document: Map<String, Value>,
    checksums: Map<String, Value>,
}

impl TensorFile {
    /// Opens a file of this `kind`, which may hold these `tensors` and no others.
    pub(crate) fn open(path: &Path, kind: &str, tensors: &[&str]) -> Result<Self, Error> {
        let what = format!("the {kind}");
        let (mut reader, length) = open(path, &what)?;
        let invalid = |problem: String| format_error(path, problem);
        let text = read_header(&mut reader, length).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => invalid(error.to_string()),
            _ => io_error("reading", &what, path, error),
        })?;
        let header: Metadata =
            serde_json::from_slice(&text).map_err(|error| invalid(format!("its header is damaged: {error}")))?;
        let data_start = (PREFIX + text.len()) as u64;
        check_length(length, data_start.saturating_add(header.data_len() as u64)).map_err(invalid)?;
        let mut document = document(&header, kind).map_err(invalid)?;
        let checksums = match document.remove(CHECKSUMS) {
            None => Map::new(),
            Some(Value::Object(checksums)) => checksums,
            Some(_) => {
                return Err(invalid(
                    "its metadata is damaged: its checksums are not an object".into(),
                ));
            }
        };
        let names = header.offset_keys();
        if let Some(name) = names.iter().find(|name| !tensors.contains(&name.as_str())) {
            return Err(invalid(format!(
                "it has a tensor {name:?}, which a {kind} does not have"
            )));
        }
        let all_have_one = names.iter().all(|name| checksums.contains_key(name));
        if !(checksums.is_empty() || all_have_one && names.len() == checksums.len()) {
            return Err(invalid(
                "its metadata is damaged: its checksums are for other tensors".into(),
            ));
        }
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            header,
            data_start,
            document,
            checksums,
        })
    }

    /// Takes the document that was saved with the tensors.
    pub(crate) fn document<D: DeserializeOwned>(&mut self) -> Result<D, Error> {
        serde_json::from_value(Value::Object(std::mem::take(&mut self.document)))
            .map_err(|error| self.invalid(format!("its metadata is damaged: {error}")))
    }

    /// The shape of a tensor with `N` dimensions.
    pub(crate) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], Error> {
        let shape = &self.info(name)?.shape;
        shape.as_slice().try_into().map_err(|_| {
            let problem = format!("tensor {name:?} has shape {shape:?}, which should have {N} dimensions");
            self.invalid(problem)
        })
    }

    /// Reads a tensor, which must have this type and shape, and compares it with its checksum if the file has one.
    /// Allocates once, no more than the size of the file.
    pub(crate) fn numbers<T: Float>(&mut self, name: &str, shape: &[usize]) -> Result<Vec<T>, Error> {
        let bytes = self.byte_range::<T>(name, shape)?;
        let numbers = self.stream::<T>(name, shape, 0)?.next(bytes.len() / size_of::<T>())?;
        self.check_checksum(name, Checksum::of(&numbers).finish())?;
        Ok(numbers)
    }

    /// Compares `checksum` with that of the tensor in the file, if it has one.
    pub(crate) fn check_checksum(&self, name: &str, checksum: u64) -> Result<(), Error> {
        match self.checksums.get(name) {
            Some(stored) if stored.as_str() != Some(checksum::name(checksum).as_str()) => {
                Err(self.invalid(format!("tensor {name:?} is damaged: its checksum does not match")))
            }
            _ => Ok(()),
        }
    }

    /// The byte range of a tensor, which must have this type and shape, relative to `data_start`.
    fn byte_range<T: Float>(&self, name: &str, shape: &[usize]) -> Result<Range<usize>, Error> {
        let info = self.info(name)?;
        if info.dtype != dtype::<T>() {
            return Err(self.invalid(type_problem::<T>(name, info.dtype)));
        }
        if info.shape != shape {
            return Err(self.invalid(format!("tensor {name:?} has shape {:?}, not {shape:?}", info.shape)));
        }
        let (from, to) = info.data_offsets;
        Ok(from..to)
    }

    /// An [`Error::Format`] for this file.
    pub(crate) fn invalid(&self, problem: impl Into<String>) -> Error {
        format_error(&self.path, problem)
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, Error> {
        self.header
            .info(name)
            .ok_or_else(|| self.invalid(format!("it has no tensor {name:?}")))
    }
}

pub(crate) fn format_error(path: &Path, problem: impl Into<String>) -> Error {
    Error::Format {
        file: path.display().to_string(),
        problem: problem.into(),
    }
}

/// Reads the header. An error of kind `InvalidData` says what is wrong with the file.
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
    if announced > MAX_HEADER {
        return invalid("it is not a safetensors file: it does not begin with the length of a header".into());
    }
    if announced > rest {
        return invalid(format!(
            "it is cut short, or not a safetensors file: its header should have {announced} bytes, but {rest} are left"
        ));
    }
    let mut text = Vec::new();
    reader.take(announced).read_to_end(&mut text)?;
    Ok(text)
}

fn check_length(found: u64, expected: u64) -> Result<(), String> {
    match found.checked_sub(expected) {
        None => Err(format!("it is cut short: {found} of {expected} bytes")),
        Some(0) => Ok(()),
        Some(extra) => Err(format!("it is damaged: {extra} extra bytes at its end")),
    }
}

/// The document in a header, without the version and kind.
fn document(header: &Metadata, kind: &str) -> Result<Map<String, Value>, String> {
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| format!("it is not an expnet file: its metadata has no key {KEY:?}"))?;
    let mut document: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("its metadata is damaged: {error}"))?;
    match document.remove("version").and_then(|version| version.as_u64()) {
        Some(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "its format version is {version}, but this version of expnet reads {VERSION}"
            ));
        }
        None => return Err("its metadata is damaged: the format version is missing".into()),
    }
    match document.remove("kind") {
        Some(Value::String(found)) if found == kind => Ok(document),
        Some(Value::String(found)) => Err(format!("it holds a {found}, not a {kind}{}", remedy(&found))),
        _ => Err("its metadata is damaged: the kind of file is missing".into()),
    }
}

/// What reads a file of this kind.
fn remedy(kind: &str) -> &'static str {
    match kind {
        "network" => ": load it with `ExpNetwork::load`",
        "regressor" => ": load it with `ExpRegressor::load`",
        "kernel regressor" => ": load it with `KernelRegressor::load`",
        "kernel fit" => ": load it with `kernel::Fit::load`",
        "checkpoint" => ": resume it with `Trainer::resume`",
        _ => "",
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
        Dtype::F32 => "load it as f32 and `cast` the network",
        Dtype::F64 => "load it as f64 and `cast` the network",
        _ => "save it as F32 or F64",
    };
    format!(
        "tensor {name:?} holds {found:?}, not {:?} ({}): {remedy}",
        dtype::<T>(),
        T::NAME
    )
}
