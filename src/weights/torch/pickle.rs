//! The part of Python's pickle that a `state_dict` needs, interpreted without Python.
//!
//! In: the bytes of a pickle. Out: what it builds, in an arena. Nothing is ever executed: of the names that a pickle may call,
//! those of [`Global`] are known, and any other ends the reading with that name. An operation makes at most one value of
//! fixed size, and operations and containers are counted, so memory is bounded; containers refer to each other by number, so nothing nests in
//! memory, however deep the pickle does.

use crate::weights::elements::Element;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Extents of one tensor.
const MAX_RANK: usize = 32;
/// Operations, and lists and dictionaries that they make: some forty and five for each tensor.
const MAX_STEPS: usize = 1 << 21;
const MAX_CONTAINERS: usize = 1 << 18;

/// A value on the stack.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number with a point, `None`, a type of elements: nothing that is read.
    Other,
    Int(i64),
    Text(Rc<str>),
    Global(Global),
    /// Tuples and lists, by their number.
    List(usize),
    Dict(usize),
    Storage(Rc<Storage>),
    Tensor(Rc<Tensor>),
}

/// The names a pickle may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A shape, or a place of memory: read over.
    Ignored,
    Storage(Element),
}

impl Global {
    fn parse(module: &str, name: &str) -> Option<Global> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", "Size" | "device") => Global::Ignored,
            ("torch", "FloatStorage") => Global::Storage(Element::F32),
            ("torch", "DoubleStorage") => Global::Storage(Element::F64),
            ("torch", "HalfStorage") => Global::Storage(Element::F16),
            ("torch", "BFloat16Storage") => Global::Storage(Element::Bf16),
            ("torch", "LongStorage") => Global::Storage(Element::I64),
            ("torch", "IntStorage") => Global::Storage(Element::I32),
            ("torch", "ShortStorage") => Global::Storage(Element::I16),
            ("torch", "CharStorage") => Global::Storage(Element::I8),
            ("torch", "ByteStorage") => Global::Storage(Element::U8),
            ("torch", "BoolStorage") => Global::Storage(Element::Bool),
            ("torch", dtype) if DTYPES.contains(&dtype) => Global::Ignored,
            _ => return None,
        })
    }
}

const DTYPES: [&str; 10] =
    ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"];

/// Bytes in a file of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// The file's name below `data/`.
    pub key: String,
    pub element: Element,
    pub elements: usize,
}

/// A view of a storage. Extents and strides are of equal number, and no element lies outside the storage.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub storage: Rc<Storage>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Why a pickle is not read.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    Damaged(String),
    /// A name that is not known.
    Unknown(String),
    /// An operation that is not known.
    Operation(u8),
}

fn damaged(why: &str) -> Fault {
    Fault::Damaged(why.to_string())
}

/// What a pickle builds.
#[derive(Debug, Default)]
pub struct Built {
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
}

/// Interprets a pickle: its last value, and the containers in it.
pub fn read(bytes: &[u8]) -> Result<(Value, Built), Fault> {
    let mut machine = Machine {
        bytes,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        built: Built::default(),
    };
    let mut steps = 0;
    loop {
        let op = machine.byte()?;
        if op == b'.' {
            let value = machine.pop()?;
            return Ok((value, machine.built));
        }
        machine.step(op)?;
        steps += 1;
        let containers = machine.built.lists.len() + machine.built.dicts.len();
        if steps > MAX_STEPS || containers > MAX_CONTAINERS {
            return Err(damaged("there are more operations or lists than any model needs"));
        }
    }
}

struct Machine<'b> {
    /// What is still to be read.
    bytes: &'b [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Value>,
    built: Built,
}

impl<'b> Machine<'b> {
    fn step(&mut self, op: u8) -> Result<(), Fault> {
        match op {
            // The protocol's number, the length of a frame.
            0x80 => drop(self.byte()?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'}' => self.new_dict(),
            b']' | b')' => self.new_list(Vec::new()),
            b't' | b'l' => {
                let items = self.since_mark()?;
                self.new_list(items);
            }
            0x85..=0x87 => {
                let items = self.popped(usize::from(op - 0x84))?;
                self.new_list(items);
            }
            b'N' | 0x88 | 0x89 => self.stack.push(Value::Other),
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Other);
            }
            b'J' | b'K' | b'M' | 0x8a => self.int(op)?,
            b'X' | 0x8c | 0x8d => {
                let text = self.text(op)?;
                self.stack.push(Value::Text(text));
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(damaged("a name is no text"));
                };
                self.global(&module, &name)?;
            }
            b'q' | b'r' | 0x94 => self.memoize(op)?,
            b'h' | b'j' => {
                let key = self.key(op == b'h')?;
                let value = self
                    .memo
                    .get(&key)
                    .cloned()
                    .ok_or_else(|| damaged("a value is used before it is made"))?;
                self.stack.push(value);
            }
            b'a' | b'e' | b's' | b'u' => self.put_in(op)?,
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(&id)?;
                self.stack.push(Value::Storage(storage));
            }
            b'R' => {
                let (args, callee) = (self.pop()?, self.pop()?);
                let made = self.call(&callee, &args)?;
                self.stack.push(made);
            }
            // The attributes of an object, such as the version of its modules.
            b'b' => drop(self.pop()?),
            other => return Err(Fault::Operation(other)),
        }
        Ok(())
    }

    // Reading.

    fn take(&mut self, n: usize) -> Result<&'b [u8], Fault> {
        let (taken, rest) = self.bytes.split_at_checked(n).ok_or_else(|| damaged("it is cut short"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.take(1)?.first().copied().ok_or_else(|| damaged("it is cut short"))
    }

    /// An unsigned number of so many bytes, at most 8.
    fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        let all = self.take(bytes)?;
        Ok(all.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn line(&mut self) -> Result<&'b str, Fault> {
        let end = self.bytes.iter().position(|b| *b == b'\n').ok_or_else(|| damaged("it is cut short"))?;
        let line = self.take(end)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| damaged("a name is no text"))
    }

    fn text(&mut self, op: u8) -> Result<Rc<str>, Fault> {
        let width = match op {
            b'X' => 4,
            0x8c => 1,
            _ => 8,
        };
        let len = usize::try_from(self.number(width)?).map_err(|_| damaged("it is cut short"))?;
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| damaged("a text is not UTF-8"))?;
        Ok(text.into())
    }

    fn int(&mut self, op: u8) -> Result<(), Fault> {
        let int = match op {
            b'J' => i64::from(self.number(4)? as u32 as i32),
            b'K' => self.number(1)? as i64,
            b'M' => self.number(2)? as i64,
            _ => {
                let bytes = usize::from(self.byte()?);
                if bytes > 8 {
                    // Greater than any size; such a number is nothing that is read.
                    self.take(bytes)?;
                    self.stack.push(Value::Other);
                    return Ok(());
                }
                let shift = 64 - 8 * bytes as u32;
                let number = self.number(bytes)?;
                number.checked_shl(shift).map_or(0, |n| (n as i64) >> shift)
            }
        };
        self.stack.push(Value::Int(int));
        Ok(())
    }

    fn key(&mut self, short: bool) -> Result<u32, Fault> {
        Ok(self.number(if short { 1 } else { 4 })? as u32)
    }

    // The stack.

    fn pop(&mut self) -> Result<Value, Fault> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        let value = if self.stack.len() > bottom { self.stack.pop() } else { None };
        value.ok_or_else(|| damaged("a value is missing"))
    }

    fn popped(&mut self, n: usize) -> Result<Vec<Value>, Fault> {
        let mut values = Vec::with_capacity(n);
        for _ in 0..n {
            values.push(self.pop()?);
        }
        values.reverse();
        Ok(values)
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| damaged("a list has no beginning"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn new_list(&mut self, items: Vec<Value>) {
        self.stack.push(Value::List(self.built.lists.len()));
        self.built.lists.push(items);
    }

    fn new_dict(&mut self) {
        self.stack.push(Value::Dict(self.built.dicts.len()));
        self.built.dicts.push(Vec::new());
    }

    fn memoize(&mut self, op: u8) -> Result<(), Fault> {
        let key = match op {
            0x94 => self.memo.len() as u32,
            _ => self.key(op == b'q')?,
        };
        let top = self.stack.last().cloned().ok_or_else(|| damaged("a value is missing"))?;
        self.memo.insert(key, top);
        Ok(())
    }

    /// Items of the list or dictionary below them.
    fn put_in(&mut self, op: u8) -> Result<(), Fault> {
        let items = match op {
            b'a' => self.popped(1)?,
            b's' => self.popped(2)?,
            _ => self.since_mark()?,
        };
        match self.stack.last() {
            Some(Value::List(list)) if matches!(op, b'a' | b'e') => {
                self.built.lists.get_mut(*list).into_iter().for_each(|l| l.extend(items.iter().cloned()));
                Ok(())
            }
            Some(Value::Dict(dict)) if matches!(op, b's' | b'u') => {
                let pairs = items.chunks_exact(2).filter_map(|pair| match pair {
                    [key, value] => Some((key.clone(), value.clone())),
                    _ => None,
                });
                self.built.dicts.get_mut(*dict).into_iter().for_each(|d| d.extend(pairs.clone()));
                Ok(())
            }
            // Attributes set on what is read over.
            Some(Value::Other) => Ok(()),
            _ => Err(damaged("items belong to no list")),
        }
    }

    // What is called.

    fn global(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let known = Global::parse(module, name);
        self.stack.push(Value::Global(known.ok_or_else(|| Fault::Unknown(format!("{module}.{name}")))?));
        Ok(())
    }

    fn items(&self, value: &Value) -> Result<&[Value], Fault> {
        match value {
            Value::List(list) => Ok(self.built.lists.get(*list).map_or(&[], Vec::as_slice)),
            _ => Err(damaged("arguments are no tuple")),
        }
    }

    fn call(&mut self, callee: &Value, args: &Value) -> Result<Value, Fault> {
        let Value::Global(callee) = callee else { return Err(damaged("what is called is no name")) };
        match (callee, self.items(args)?) {
            (Global::OrderedDict, []) => {
                self.built.dicts.push(Vec::new());
                Ok(Value::Dict(self.built.dicts.len() - 1))
            }
            (Global::RebuildTensor, [Value::Storage(storage), Value::Int(offset), shape, strides, ..]) => {
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                Ok(Value::Tensor(Rc::new(Tensor::new(storage.clone(), *offset, shape, strides)?)))
            }
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => Ok(tensor.clone()),
            (Global::Ignored, _) => Ok(Value::Other),
            _ => Err(damaged("a call has other arguments than PyTorch writes")),
        }
    }

    fn sizes(&self, value: &Value) -> Result<Vec<usize>, Fault> {
        let items = self.items(value)?;
        if items.len() > MAX_RANK {
            return Err(damaged("a tensor has more than 32 axes"));
        }
        let size = |item: &Value| match item {
            Value::Int(n) => usize::try_from(*n).map_err(|_| damaged("a size or stride is negative")),
            _ => Err(damaged("a size is no number")),
        };
        items.iter().map(size).collect()
    }

    /// `('storage', type, key, place, elements)`.
    fn storage(&self, id: &Value) -> Result<Rc<Storage>, Fault> {
        match self.items(id)? {
            [
                Value::Text(kind),
                Value::Global(Global::Storage(element)),
                Value::Text(key),
                _,
                Value::Int(n),
            ] if &**kind == "storage" => {
                let elements = usize::try_from(*n).map_err(|_| damaged("a storage has a negative size"))?;
                Ok(Rc::new(Storage { key: key.to_string(), element: *element, elements }))
            }
            _ => Err(damaged("a storage is not as PyTorch writes it")),
        }
    }
}

impl Tensor {
    fn new(
        storage: Rc<Storage>,
        offset: i64,
        shape: Vec<usize>,
        strides: Vec<usize>,
    ) -> Result<Tensor, Fault> {
        let offset = usize::try_from(offset).map_err(|_| damaged("an offset is negative"))?;
        if shape.len() != strides.len() {
            return Err(damaged("a tensor has more strides than axes, or fewer"));
        }
        let tensor = Tensor { storage, offset, shape, strides };
        let inside = tensor.end().is_some_and(|end| end <= tensor.storage.elements);
        inside.then_some(tensor).ok_or_else(|| damaged("a tensor reaches beyond its storage"))
    }

    /// Behind its last element in the storage; where it begins if it has none.
    fn end(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(self.offset);
        }
        let reach =
            |end: usize, (n, stride): (&usize, &usize)| end.checked_add((n - 1).checked_mul(*stride)?);
        self.shape.iter().zip(&self.strides).try_fold(self.offset, reach)?.checked_add(1)
    }
}
