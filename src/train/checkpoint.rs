//! The state of a training run as arrays and one record.
//!
//! Parameters go under their own names; `optimizer/STATE/PARAM` holds what the update rule carries,
//! `carry/NAME0` what windows hand on. No name of the language has a `/`. The record says where the run
//! stands and holds hashes of the program, the data, the arrays and itself; the same state gives the same bytes.

mod number;

use super::errors;
use crate::diag::Diagnostic;
use crate::weights::{self, Array, Arrays, Data};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub const FORMAT: u32 = 2;

/// What stands beside the arrays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub format: u32,
    pub version: String,
    /// What the numbers belong to.
    pub about: About,
    pub progress: Progress,
    /// Hash of all arrays, and of this record without it.
    pub content: String,
}

/// The model, its data and the settings: what must be the same for a run to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    pub model: String,
    pub statics: BTreeMap<String, f64>,
    /// Hash of the model's equations.
    pub program: String,
    /// Hash of the data.
    pub data: String,
    /// Written forms of the symbols of each input of ids.
    pub vocabulary: BTreeMap<String, Vec<String>>,
    /// The `train` block as it was used.
    pub settings: BTreeMap<String, String>,
}

impl About {
    /// What makes a model of that name and those static parameters another program than this one.
    pub fn difference(&self, model: &str, statics: &BTreeMap<String, f64>) -> String {
        if self.model != model {
            return format!("it was written by the model `{}`, this is `{model}`", self.model);
        }
        let changed = |(name, was): (&String, &f64)| match statics.get(name) {
            Some(now) if now == was => None,
            Some(now) => Some(format!("`{name}` was {was} when it was trained and is {now} now")),
            None => Some(format!("`{name}` was {was} when it was trained and is none of the parameters now")),
        };
        let changes: Vec<String> = self.statics.iter().filter_map(changed).collect();
        match changes.as_slice() {
            [] => "the equations of the model have changed since it was trained".to_string(),
            changes => changes.join("; "),
        }
    }
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs that are over.
    pub epoch: u64,
    /// Steps of the current epoch that are over.
    pub step: u64,
    /// All steps that are over: the optimiser's position, the key of all noise.
    pub steps: u64,
    /// Sums of the current epoch, weighted by units.
    pub sums: Sums,
    pub history: Vec<Epoch>,
    pub best: Option<Best>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    pub units: u64,
    #[serde(with = "number::one")]
    pub loss: f64,
    #[serde(with = "number::list")]
    pub metrics: Vec<f64>,
    /// Of the norms of gradients.
    #[serde(default, skip_serializing_if = "Norms::is_none")]
    pub norms: Norms,
}

/// The norms of some steps' gradients, each that of all parameters as one vector, before clipping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Norms {
    pub steps: u64,
    #[serde(with = "number::one")]
    pub sum: f64,
    #[serde(with = "number::one")]
    pub greatest: f64,
}

impl Norms {
    pub fn is_none(&self) -> bool {
        self.steps == 0
    }

    pub fn add(&mut self, norm: f64) {
        self.steps += 1;
        self.sum += norm;
        self.greatest = self.greatest.max(norm);
    }

    pub fn mean(&self) -> f64 {
        self.sum / self.steps.max(1) as f64
    }
}

impl Sums {
    pub fn loss(&self) -> f64 {
        self.loss / self.units.max(1) as f64
    }

    pub fn metrics(&self) -> Vec<f64> {
        self.metrics.iter().map(|m| m / self.units.max(1) as f64).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: u64,
    #[serde(with = "number::one")]
    pub train_loss: f64,
    #[serde(with = "number::map")]
    pub train_metrics: BTreeMap<String, f64>,
    /// Absent if nothing is held out.
    #[serde(with = "number::option")]
    pub held_out_loss: Option<f64>,
    #[serde(with = "number::map")]
    pub held_out_metrics: BTreeMap<String, f64>,
    /// Of its gradients; none in records of older versions.
    #[serde(default, skip_serializing_if = "Norms::is_none")]
    pub norms: Norms,
}

/// The epoch whose parameters are in use, and the loss it was measured with: the least of the validation part, or
/// without a validation part that of the last epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub epoch: u64,
    pub loss: f64,
}

/// What the parameters in use reach on data that chose nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tested {
    /// Of the parameters.
    pub epoch: u64,
    #[serde(with = "number::one")]
    pub loss: f64,
    #[serde(with = "number::map")]
    pub metrics: BTreeMap<String, f64>,
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub arrays: Arrays,
    pub record: Record,
}

impl Checkpoint {
    pub fn new(arrays: Arrays, about: About, progress: Progress) -> Checkpoint {
        let version = env!("CARGO_PKG_VERSION").to_string();
        let mut record = Record { format: FORMAT, version, about, progress, content: String::new() };
        record.content = hash(&arrays, &record);
        Checkpoint { arrays, record }
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, Diagnostic> {
        let text = serde_json::to_string(&self.record).map_err(|e| errors::damaged(&e.to_string()))?;
        weights::safetensors::write(&self.arrays, &text)
    }

    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Checkpoint, Diagnostic> {
        let (arrays, text) = weights::safetensors::read(file, bytes)?;
        let record: Record = serde_json::from_str(&text)
            .map_err(|e| errors::damaged(&format!("`{file}` has no record of its training ({e})")))?;
        if record.format != FORMAT {
            return Err(errors::damaged(&format!("`{file}` has format {}, {FORMAT} is read", record.format)));
        }
        if hash(&arrays, &record) != record.content {
            return Err(errors::damaged(&format!("the content of `{file}` is not what was written")));
        }
        Ok(Checkpoint { arrays, record })
    }
}

/// Depends on names, shapes, types and every bit of the elements, and on all of the record but the hash in it.
fn hash(arrays: &Arrays, record: &Record) -> String {
    let mut hasher = blake3::Hasher::new();
    let record = Record { content: String::new(), ..record.clone() };
    // Maps are sorted and numbers written exactly, so a record has one text. Nothing in it fails to be written.
    hasher.update(serde_json::to_string(&record).unwrap_or_default().as_bytes());
    for (name, Array { shape, data }) in arrays {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&(shape.len() as u64).to_le_bytes());
        shape.iter().for_each(|d| {
            hasher.update(&(*d as u64).to_le_bytes());
        });
        let mut bytes = Vec::new();
        match data {
            Data::F32(v) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
            Data::F64(v) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
            Data::I32(v) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
            Data::I64(v) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        }
        hasher.update(&bytes);
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Checkpoint {
        let arrays = Arrays::from([("W".to_string(), Array::f32(vec![2], vec![1.0, -2.5]))]);
        let mut progress = Progress { epoch: 2, step: 3, steps: 11, ..Progress::default() };
        progress.sums.loss = 0.1 + 0.2;
        Checkpoint::new(arrays, About { model: "M".into(), ..About::default() }, progress)
    }

    #[test]
    fn a_checkpoint_comes_back_bit_for_bit() {
        let bytes = sample().to_bytes().unwrap();
        let back = Checkpoint::from_bytes("c", &bytes).unwrap();
        assert_eq!(back, sample());
        assert_eq!(back.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn what_is_no_number_comes_back() {
        let mut whole = sample();
        let metrics = BTreeMap::from([("a".to_string(), f64::NAN), ("b".to_string(), 0.5)]);
        let held_out_loss = Some(f64::INFINITY);
        whole.record.progress.sums.metrics = vec![f64::NEG_INFINITY];
        whole.record.progress.history.push(Epoch {
            epoch: 1,
            train_loss: 0.25,
            train_metrics: metrics.clone(),
            held_out_loss,
            held_out_metrics: metrics,
            norms: Norms::default(),
        });
        let Record { about, progress, .. } = whole.record;
        let bytes = Checkpoint::new(whole.arrays, about, progress).to_bytes().unwrap();
        let back = Checkpoint::from_bytes("c", &bytes).unwrap();
        let epoch = &back.record.progress.history[0];
        assert!(epoch.train_metrics["a"].is_nan() && epoch.held_out_metrics["b"] == 0.5);
        assert_eq!(epoch.held_out_loss, held_out_loss);
        assert_eq!(back.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn a_change_anywhere_is_noticed() {
        let whole = sample().to_bytes().unwrap();
        for at in 0..whole.len() {
            for change in [1, 0x20, 0x80] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                // Blanks that fill up the header may be others.
                match Checkpoint::from_bytes("c", &bytes) {
                    Err(d) => assert!(d.message.contains("`c`") || d.code == "E0812", "{d:?}"),
                    Ok(read) => assert_eq!(read, sample(), "byte {at}"),
                }
            }
            assert!(Checkpoint::from_bytes("c", &whole[..at]).is_err(), "the first {at} bytes");
        }
        let foreign = weights::safetensors::write(&sample().arrays, "").unwrap();
        assert_eq!(Checkpoint::from_bytes("c", &foreign).unwrap_err().code, "E0812");
    }
}
