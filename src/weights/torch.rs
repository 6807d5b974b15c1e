//! PyTorch files of tensors, as `torch.save(model.state_dict(), path)` writes them.
//!
//! In: bytes of a zip archive: `NAME/data.pkl`, a pickle that says which tensors there are ([`pickle`]), `NAME/data/KEY`, the
//! storages they are views of, and `NAME/byteorder`. Out: [`Arrays`]. Dictionaries within dictionaries give names with dots
//! (`model.encoder.weight`); what is no tensor is left out. No code is executed, strides and offsets are checked against the
//! storages, and what all tensors take is reckoned before it is taken.

mod pickle;

use super::elements::Order;
use super::{Array, Arrays, Budget, count, errors};
use crate::diag::Diagnostic;
use pickle::{Built, Fault, Storage, Tensor, Value};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::rc::Rc;
use zip::ZipArchive;

/// Bytes of the pickle: those of the greatest models have a few.
const MAX_PICKLE: u64 = 16 << 20;
/// Dictionaries within dictionaries, what they hold together, and bytes of a key.
const MAX_DEPTH: usize = 16;
const MAX_ENTRIES: usize = 1 << 20;
const MAX_KEY: usize = 1024;
/// The code of what is wrong with one array.
const DAMAGED: &str = "E0750";

type Zip<'b> = ZipArchive<Cursor<&'b [u8]>>;

/// Whether an archive is one of PyTorch, and not of numpy: the folder in it.
pub fn folder(zip: &Zip) -> Option<String> {
    zip.file_names().find_map(|name| {
        let folder = name.strip_suffix("data.pkl")?;
        (folder.is_empty() || folder.ends_with('/')).then(|| folder.to_string())
    })
}

/// All tensors of a file, if together they take at most `most` bytes.
pub fn read_within(file: &str, bytes: &[u8], most: u64) -> Result<Arrays, Diagnostic> {
    let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| errors::not_torch(file, &e.to_string()))?;
    let folder = folder(&zip).ok_or_else(|| errors::not_torch(file, "there is no `data.pkl` in it"))?;
    let mut archive =
        Archive { file, zip, folder, budget: Budget::new(file, most), storages: BTreeMap::new() };
    let text = archive.entry("data.pkl", MAX_PICKLE)?;
    let order = match archive.entry("byteorder", 16) {
        Ok(word) if word.trim_ascii() == b"big" => Order::Big,
        // Files of older versions do not say, and are little-endian.
        _ => Order::Little,
    };
    let (root, built) = pickle::read(&text).map_err(|fault| refused(file, &fault))?;
    let mut tensors = Tensors { file, built: &built, entries: 0, found: BTreeMap::new() };
    tensors.collect(&root, "", 0, &mut archive.budget)?;
    if tensors.found.is_empty() {
        return Err(errors::not_torch(file, "it holds no tensor"));
    }
    let found = tensors.found;
    found
        .into_iter()
        .map(|(name, tensor)| Ok((name.clone(), archive.array(&name, &tensor, order)?)))
        .collect()
}

fn refused(file: &str, fault: &Fault) -> Diagnostic {
    match fault {
        Fault::Damaged(why) => errors::not_torch(file, &format!("in its pickle {why}")),
        Fault::Unknown(name) => errors::python_object(file, name),
        Fault::Operation(op) => {
            errors::not_torch(file, &format!("its pickle has an operation that no tensor needs (0x{op:02x})"))
        }
    }
}

/// The tensors of a pickle under their names.
struct Tensors<'a> {
    file: &'a str,
    built: &'a Built,
    entries: usize,
    found: BTreeMap<String, Rc<Tensor>>,
}

impl Tensors<'_> {
    fn collect(
        &mut self,
        value: &Value,
        name: &str,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), Diagnostic> {
        self.entries += 1;
        if depth > MAX_DEPTH || self.entries > MAX_ENTRIES {
            return Err(errors::not_torch(self.file, "its dictionaries nest too deep, or hold too much"));
        }
        match value {
            Value::Tensor(tensor) => {
                // The name and the entry are memory too.
                budget.take(name.len() as u64 + 128)?;
                if self.found.insert(name.to_string(), tensor.clone()).is_some() {
                    return Err(errors::damaged(DAMAGED, self.file, name, "the name occurs twice"));
                }
            }
            Value::Dict(dict) => {
                for (key, value) in self.built.dicts.get(*dict).into_iter().flatten() {
                    let key = match key {
                        Value::Text(key) if key.len() <= MAX_KEY => key.to_string(),
                        Value::Int(key) => key.to_string(),
                        _ => {
                            return Err(errors::not_torch(
                                self.file,
                                "a key of a dictionary is no short text",
                            ));
                        }
                    };
                    self.collect(value, &joined(name, &key), depth + 1, budget)?;
                }
            }
            Value::List(list) => {
                for (k, value) in self.built.lists.get(*list).into_iter().flatten().enumerate() {
                    self.collect(value, &joined(name, &k.to_string()), depth + 1, budget)?;
                }
            }
            Value::Other | Value::Int(_) | Value::Text(_) | Value::Global(_) | Value::Storage(_) => {}
        }
        Ok(())
    }
}

fn joined(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_string() } else { format!("{name}.{key}") }
}

struct Archive<'b> {
    file: &'b str,
    zip: Zip<'b>,
    folder: String,
    budget: Budget<'b>,
    /// Read once, however many tensors are views of one.
    storages: BTreeMap<String, Rc<Vec<u8>>>,
}

impl Archive<'_> {
    /// The content of a file of the archive, of at most so many bytes.
    fn entry(&mut self, name: &str, most: u64) -> Result<Vec<u8>, Diagnostic> {
        let path = format!("{}{name}", self.folder);
        let bad = |why: &str| errors::not_torch(self.file, &format!("`{path}` in it {why}"));
        let mut entry = self.zip.by_name(&path).map_err(|e| bad(&format!("cannot be read: {e}")))?;
        let claimed = entry.size();
        if claimed > most {
            return Err(bad(&format!("has {claimed} bytes")));
        }
        self.budget.take(claimed)?;
        let mut content = Vec::new();
        // The declared size is the archive's word; `take` keeps it to it.
        let read = entry.by_ref().take(claimed.saturating_add(1)).read_to_end(&mut content);
        read.map_err(|e| bad(&format!("cannot be read: {e}")))?;
        if content.len() as u64 != claimed {
            return Err(bad("unpacks to another size than the archive says"));
        }
        Ok(content)
    }

    fn storage(&mut self, name: &str, storage: &Storage) -> Result<Rc<Vec<u8>>, Diagnostic> {
        let damaged = |why: &str| errors::damaged(DAMAGED, self.file, name, why);
        let wanted = storage.elements.checked_mul(storage.element.packed());
        let content = match self.storages.get(&storage.key) {
            Some(content) => content.clone(),
            None => {
                let content = Rc::new(self.entry(&format!("data/{}", storage.key), u64::MAX)?);
                self.storages.insert(storage.key.clone(), content.clone());
                content
            }
        };
        match wanted == Some(content.len()) {
            true => Ok(content),
            false => Err(damaged(&format!(
                "its storage has {} elements of {} bytes, {} bytes are there",
                storage.elements,
                storage.element.packed(),
                content.len()
            ))),
        }
    }

    /// The elements of a view, row by row.
    fn array(&mut self, name: &str, tensor: &Tensor, order: Order) -> Result<Array, Diagnostic> {
        let element = tensor.storage.element;
        let content = self.storage(name, &tensor.storage)?;
        let damaged = |why: &str| errors::damaged(DAMAGED, self.file, name, why);
        let elements = count(&tensor.shape).ok_or_else(|| damaged("its shape is too large"))?;
        // An extent with stride 0 repeats elements, so there may be more than the storage holds.
        self.budget.take((elements as u64).saturating_mul(element.width() + element.packed() as u64))?;
        let bytes = gathered(&content, tensor, elements, element.packed());
        let data = element.numbers(&bytes, order).ok_or_else(|| errors::too_great(self.file, name))?;
        if data.len() != elements {
            return Err(damaged("it reaches beyond its storage"));
        }
        Ok(Array { shape: tensor.shape.clone(), data })
    }
}

/// The bytes of a view's elements, one behind the other.
fn gathered(content: &[u8], tensor: &Tensor, elements: usize, width: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(elements * width);
    let mut index = vec![0; tensor.shape.len()];
    for _ in 0..elements {
        let at = index.iter().zip(&tensor.strides).map(|(i, s)| i * s).sum::<usize>() + tensor.offset;
        out.extend(content.get(at * width..(at + 1) * width).unwrap_or_default());
        for (i, n) in index.iter_mut().zip(&tensor.shape).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    out
}
