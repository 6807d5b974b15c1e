//! Event files, as TensorBoard reads them.
//!
//! In: scalars by step. Out: a file `events.out.tfevents.TIME.HOST.PROCESS` in a folder: protocol buffers of `Event`, each in a
//! frame of its length and masked CRC-32C sums (the TFRecord format). A run that goes on adds a file of its own, whose first
//! events tell TensorBoard to forget what came after the step it goes on from. Lines of such a file are added as they come,
//! and a last one that is cut short is left out by readers; so it is no file that is replaced whole.

use super::super::files;
use crate::diag::Diagnostic;
use crate::weights::errors;
use prost::Message;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A reader that follows sees it after so long.
const BETWEEN_FLUSHES: Duration = Duration::from_secs(1);

/// `tensorflow.Event`, as far as it is used.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The `status` of a session that begins.
const START: i32 = 1;

pub struct Events {
    out: BufWriter<File>,
    name: String,
    flushed: Instant,
}

impl Events {
    /// A new file in the folder, which is made if need be. `after`: the steps that a run goes on from.
    pub fn create(folder: &Path, after: Option<u64>) -> Result<Events, Diagnostic> {
        let name = folder.display().to_string();
        let failed = |e: io::Error| errors::unwritable(&name, &files::reason(&e));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let (file, path) = fresh(folder).map_err(failed)?;
        let mut events = Events { out: BufWriter::new(file), name: path, flushed: Instant::now() };
        events.put(0, |e| e.file_version = Some("brain.Event:2".into()))?;
        if let Some(steps) = after {
            // What was written of later steps is void.
            events.put(steps + 1, |e| e.session_log = Some(SessionLog { status: START }))?;
        }
        events.flush()?;
        Ok(events)
    }

    /// Numbers of one step.
    pub fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), Diagnostic> {
        let value = |(tag, v): &(String, f64)| Value { tag: tag.clone(), simple_value: Some(*v as f32) };
        let summary = Summary { value: values.iter().map(value).collect() };
        self.put(step, |e| e.summary = Some(summary))?;
        if self.flushed.elapsed() >= BETWEEN_FLUSHES { self.flush() } else { Ok(()) }
    }

    pub fn flush(&mut self) -> Result<(), Diagnostic> {
        self.flushed = Instant::now();
        self.out.flush().map_err(|e| errors::unwritable(&self.name, &files::reason(&e)))
    }

    fn put(&mut self, step: u64, fill: impl FnOnce(&mut Event)) -> Result<(), Diagnostic> {
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let mut event = Event { wall_time, step: step as i64, ..Event::default() };
        fill(&mut event);
        let framed = frame(&event.encode_to_vec());
        self.out.write_all(&framed).map_err(|e| errors::unwritable(&self.name, &files::reason(&e)))
    }
}

/// A file that is not there yet. Names sort by time, and TensorBoard reads them in this order.
fn fresh(folder: &Path) -> io::Result<(File, String)> {
    let seconds = super::log::now();
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
    let host = if host.is_empty() { "rnnc".to_string() } else { host };
    let mut number = 0;
    loop {
        let path =
            folder.join(format!("events.out.tfevents.{seconds:010}.{host}.{}.{number}", std::process::id()));
        match File::options().write(true).create_new(true).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => number += 1,
            other => return other.map(|file| (file, path.display().to_string())),
        }
    }
}

/// A record: its length, the sum of that, itself, the sum of that.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let sum = |bytes: &[u8]| masked(crc32c::crc32c(bytes)).to_le_bytes();
    [&length[..], &sum(&length), data, &sum(data)].concat()
}

/// Sums of data that holds sums would be weak, so they are turned and moved.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_format() {
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(0), 0xa282_ead8);
        assert_eq!(frame(b"ab").len(), 8 + 4 + 2 + 4);
    }
}
