//! Machine code of x86-64 with AVX-512F, byte by byte, and the same as text.
//!
//! Only the forms that the emitter uses. Vector instructions have the EVEX encoding (Intel SDM vol. 2, 2.7), those on
//! masks VEX. Constants lie behind the code and are addressed from the instruction, so the bytes mean the same at any
//! address.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A general register by its number; 4 is the stack pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gpr(pub u8);

/// A vector register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Zmm(pub u8);

/// A mask register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct K(pub u8);

pub(super) const RAX: Gpr = Gpr(0);
pub(super) const RDX: Gpr = Gpr(2);
pub(super) const RSP: Gpr = Gpr(4);
pub(super) const RSI: Gpr = Gpr(6);
pub(super) const RDI: Gpr = Gpr(7);
pub(super) const R11: Gpr = Gpr(11);

/// A place in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mem {
    At {
        base: Gpr,
        index: Option<Gpr>,
        disp: i32,
    },
    /// For each lane its own: `base + 4 * lane of index + disp`.
    Each {
        base: Gpr,
        index: Zmm,
        disp: i32,
    },
    /// A word of the constants.
    Pool(usize),
}

/// The last operand of a vector instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rm {
    Reg(Zmm),
    /// A whole vector.
    Full(Mem),
    /// One number, in all lanes.
    Word(Mem),
    Gpr(Gpr),
}

/// Which operands a vector instruction has, in their order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Destination, last operand.
    Two,
    /// Destination, source, last operand.
    Three,
    /// Last operand in memory, source.
    Store,
    /// A mask, source, last operand.
    Compare,
    /// Destination where a source is otherwise, last operand; the number is part of the opcode.
    Shift(u8),
}

/// A vector instruction.
#[derive(Clone, Copy)]
pub(super) struct Evex {
    name: &'static str,
    map: u8,
    prefix: u8,
    code: u8,
    form: Form,
    /// Its memory operand is one number, or one for each lane, instead of a vector.
    is_word: bool,
}

const fn evex(name: &'static str, map: u8, prefix: u8, code: u8, form: Form) -> Evex {
    Evex { name, map, prefix, code, form, is_word: false }
}

const fn word(name: &'static str, map: u8, prefix: u8, code: u8, form: Form) -> Evex {
    Evex { name, map, prefix, code, form, is_word: true }
}

pub(super) const VADDPS: Evex = evex("vaddps", 1, 0, 0x58, Form::Three);
pub(super) const VMULPS: Evex = evex("vmulps", 1, 0, 0x59, Form::Three);
pub(super) const VSUBPS: Evex = evex("vsubps", 1, 0, 0x5c, Form::Three);
pub(super) const VMINPS: Evex = evex("vminps", 1, 0, 0x5d, Form::Three);
pub(super) const VDIVPS: Evex = evex("vdivps", 1, 0, 0x5e, Form::Three);
pub(super) const VMAXPS: Evex = evex("vmaxps", 1, 0, 0x5f, Form::Three);
pub(super) const VSQRTPS: Evex = evex("vsqrtps", 1, 0, 0x51, Form::Two);
pub(super) const VRNDSCALEPS: Evex = evex("vrndscaleps", 3, 1, 0x08, Form::Two);
pub(super) const VFMADD132PS: Evex = evex("vfmadd132ps", 2, 1, 0x98, Form::Three);
pub(super) const VFMADD213PS: Evex = evex("vfmadd213ps", 2, 1, 0xa8, Form::Three);
pub(super) const VFMADD231PS: Evex = evex("vfmadd231ps", 2, 1, 0xb8, Form::Three);
pub(super) const VPADDD: Evex = evex("vpaddd", 1, 1, 0xfe, Form::Three);
pub(super) const VPSUBD: Evex = evex("vpsubd", 1, 1, 0xfa, Form::Three);
pub(super) const VPANDD: Evex = evex("vpandd", 1, 1, 0xdb, Form::Three);
pub(super) const VPXORD: Evex = evex("vpxord", 1, 1, 0xef, Form::Three);
pub(super) const VPSLLD: Evex = evex("vpslld", 1, 1, 0x72, Form::Shift(6));
pub(super) const VPSRAD: Evex = evex("vpsrad", 1, 1, 0x72, Form::Shift(4));
pub(super) const VPSRLD: Evex = evex("vpsrld", 1, 1, 0x72, Form::Shift(2));
pub(super) const VSHUFF32X4: Evex = evex("vshuff32x4", 3, 1, 0x23, Form::Three);
pub(super) const VPERMILPS: Evex = evex("vpermilps", 3, 1, 0x04, Form::Two);
pub(super) const VCVTDQ2PS: Evex = evex("vcvtdq2ps", 1, 0, 0x5b, Form::Two);
pub(super) const VCMPPS: Evex = evex("vcmpps", 1, 0, 0xc2, Form::Compare);
pub(super) const VBLENDMPS: Evex = evex("vblendmps", 2, 1, 0x65, Form::Three);
pub(super) const VMOVAPS: Evex = evex("vmovaps", 1, 0, 0x28, Form::Two);
pub(super) const VMOVUPS: Evex = evex("vmovups", 1, 0, 0x10, Form::Two);
pub(super) const VMOVUPS_STORE: Evex = evex("vmovups", 1, 0, 0x11, Form::Store);
pub(super) const VBROADCASTSS: Evex = word("vbroadcastss", 2, 1, 0x18, Form::Two);
pub(super) const VPBROADCASTD: Evex = word("vpbroadcastd", 2, 1, 0x58, Form::Two);
pub(super) const VPBROADCASTD_GPR: Evex = evex("vpbroadcastd", 2, 1, 0x7c, Form::Two);
pub(super) const VMOVSS_STORE: Evex = word("vmovss", 1, 2, 0x11, Form::Store);
pub(super) const VGATHERDPS: Evex = word("vgatherdps", 2, 1, 0x92, Form::Two);
pub(super) const VSCATTERDPS: Evex = word("vscatterdps", 2, 1, 0xa2, Form::Store);

/// How many lanes instructions have: 16, or fewer of the same registers (AVX-512VL).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Length {
    #[default]
    Sixteen,
    Eight,
    Four,
}

impl Length {
    /// The least that has so many lanes.
    pub fn of(lanes: usize) -> Length {
        match lanes {
            0..=4 => Length::Four,
            5..=8 => Length::Eight,
            _ => Length::Sixteen,
        }
    }

    pub fn lanes(self) -> usize {
        match self {
            Length::Sixteen => 16,
            Length::Eight => 8,
            Length::Four => 4,
        }
    }

    fn bits(self) -> u8 {
        match self {
            Length::Sixteen => 0x40,
            Length::Eight => 0x20,
            Length::Four => 0,
        }
    }

    fn shown(self, text: String) -> String {
        match self {
            Length::Sixteen => text,
            Length::Eight => text.replace("zmm", "ymm").replace("1to16", "1to8"),
            Length::Four => text.replace("zmm", "xmm").replace("1to16", "1to4"),
        }
    }
}

/// Which lanes an instruction writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Written {
    All,
    /// The others stay.
    Merge(K),
    /// The others become 0.
    Zero(K),
}

/// Instructions on two general registers, or a register and memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Int {
    Load,
    Store,
    Add,
    Imul(i32),
}

/// Instructions on memory or a register and a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IntImm {
    Add,
    Sub,
    And,
    Cmp,
    Mov,
}

/// A place in the code that jumps go to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Label(usize);

#[derive(Default)]
pub(super) struct Assembler {
    bytes: Vec<u8>,
    pool: Vec<u32>,
    words: BTreeMap<u32, usize>,
    lines: BTreeMap<[u32; 16], usize>,
    /// Distances from the end of an instruction to a word of the pool: where they stand, the end, the word.
    pool_uses: Vec<(usize, usize, usize)>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
    /// Of the vector instructions to come.
    pub length: Length,
    /// One line an instruction, if wanted.
    text: Option<String>,
}

impl Assembler {
    /// Nothing yet; with text, if wanted.
    pub fn new(with_text: bool) -> Assembler {
        Assembler { text: with_text.then(String::new), ..Assembler::default() }
    }

    pub fn word(&mut self, bits: u32) -> Mem {
        let next = self.pool.len();
        let place = *self.words.entry(bits).or_insert(next);
        if place == next {
            self.pool.push(bits);
        }
        Mem::Pool(place)
    }

    pub fn line(&mut self, words: [u32; 16]) -> Mem {
        let next = self.pool.len();
        let place = *self.lines.entry(words).or_insert(next);
        if place == next {
            self.pool.extend(words);
        }
        Mem::Pool(place)
    }

    pub fn vector(&mut self, op: Evex, to: u8, source: Zmm, rm: Rm, write: Written, imm: Option<u8>) {
        let length = self.length;
        self.note(|| length.shown(vector_text(op, to, source, rm, write, imm)));
        let (mut reg, mut source) = (to, source.0);
        if let Form::Shift(digit) = op.form {
            (reg, source) = (digit, to);
        }
        let (x, b) = match rm {
            Rm::Reg(Zmm(r)) => (r >> 4 & 1, r >> 3 & 1),
            Rm::Gpr(Gpr(r)) => (0, r >> 3 & 1),
            Rm::Full(mem) | Rm::Word(mem) => high_bits(mem),
        };
        let is_each = |mem| matches!(mem, Mem::Each { index: Zmm(16..), .. });
        let far = u8::from(matches!(rm, Rm::Full(mem) | Rm::Word(mem) if is_each(mem)));
        let broadcast = u8::from(matches!(rm, Rm::Word(_)) && !op.is_word);
        let (mask, zero) = match write {
            Written::All => (0, 0),
            Written::Merge(K(k)) => (k, 0),
            Written::Zero(K(k)) => (k, 1),
        };
        let high = |bit: u8, at: u8| (bit & 1 ^ 1) << at;
        self.bytes.extend([
            0x62,
            high(reg >> 3, 7) | high(x, 6) | high(b, 5) | high(reg >> 4, 4) | op.map,
            (!source & 15) << 3 | 4 | op.prefix,
            zero << 7 | length.bits() | broadcast << 4 | high(source >> 4 | far, 3) | mask,
            op.code,
        ]);
        match rm {
            Rm::Reg(Zmm(r)) | Rm::Gpr(Gpr(r)) => self.bytes.push(0xc0 | (reg & 7) << 3 | r & 7),
            Rm::Full(mem) => self.memory(reg, mem, 4 * length.lanes() as i32, usize::from(imm.is_some())),
            Rm::Word(mem) => self.memory(reg, mem, 4, usize::from(imm.is_some())),
        }
        self.bytes.extend(imm);
    }

    /// A mask instruction on masks: `to = a op b`.
    pub fn masks(&mut self, op: MaskOp, to: K, a: K, b: K) {
        let (name, code) = match op {
            MaskOp::And => ("kandw", 0x41),
            MaskOp::Or => ("korw", 0x45),
            MaskOp::Xnor => ("kxnorw", 0x46),
            MaskOp::Not => ("knotw", 0x44),
            MaskOp::Move => ("kmovw", 0x90),
        };
        if let MaskOp::Not | MaskOp::Move = op {
            self.note(|| format!("{name} k{}, k{}", to.0, b.0));
            self.bytes.extend([0xc5, 0xf8, code, 0xc0 | to.0 << 3 | b.0]);
        } else {
            self.note(|| format!("{name} k{}, k{}, k{}", to.0, a.0, b.0));
            self.bytes.extend([0xc5, 0x84 | (!a.0 & 15) << 3, code, 0xc0 | to.0 << 3 | b.0]);
        }
    }

    /// The low bits of a general register.
    pub fn mask_from(&mut self, to: K, from: Gpr) {
        self.note(|| format!("kmovw k{}, {}", to.0, name32(from)));
        let high = (from.0 >> 3 ^ 1) << 5;
        self.bytes.extend([0xc4, 0xc1 | high, 0x78, 0x92, 0xc0 | to.0 << 3 | from.0 & 7]);
    }

    /// Loads or stores a mask at the stack pointer.
    pub fn mask_memory(&mut self, mask: K, disp: i32, store: bool) {
        let mem = Mem::At { base: RSP, index: None, disp };
        let at = || mem_text(mem, "word");
        self.note(|| {
            if store {
                format!("kmovw {}, k{}", at(), mask.0)
            } else {
                format!("kmovw k{}, {}", mask.0, at())
            }
        });
        self.bytes.extend([0xc5, 0xf8, if store { 0x91 } else { 0x90 }]);
        self.memory(mask.0, mem, 1, 0);
    }

    pub fn int(&mut self, op: Int, reg: Gpr, mem: Mem) {
        self.note(|| match op {
            Int::Load => format!("mov {}, {}", name64(reg), mem_text(mem, "qword")),
            Int::Store => format!("mov {}, {}", mem_text(mem, "qword"), name64(reg)),
            Int::Add => format!("add {}, {}", name64(reg), mem_text(mem, "qword")),
            Int::Imul(by) => format!("imul {}, {}, {by}", name64(reg), mem_text(mem, "qword")),
        });
        let (x, b) = high_bits(mem);
        self.bytes.push(0x48 | (reg.0 >> 3) << 2 | x << 1 | b);
        let (code, imm) = match op {
            Int::Load => (0x8b, None),
            Int::Store => (0x89, None),
            Int::Add => (0x03, None),
            Int::Imul(by) => (0x69, Some(by)),
        };
        self.bytes.push(code);
        self.memory(reg.0, mem, 1, if imm.is_some() { 4 } else { 0 });
        self.bytes.extend(imm.into_iter().flat_map(i32::to_le_bytes));
    }

    /// `to = from`, `to += from` or `to = from * n`.
    pub fn int_registers(&mut self, op: Int, to: Gpr, from: Gpr) {
        let (name, code) = match op {
            Int::Load | Int::Store => ("mov", 0x8b),
            Int::Add => ("add", 0x03),
            Int::Imul(_) => ("imul", 0x69),
        };
        let by = if let Int::Imul(by) = op { Some(by) } else { None };
        let number = by.map(|n| format!(", {n}")).unwrap_or_default();
        self.note(|| format!("{name} {}, {}{number}", name64(to), name64(from)));
        self.bytes.extend([0x48 | (to.0 >> 3) << 2 | from.0 >> 3, code, 0xc0 | (to.0 & 7) << 3 | from.0 & 7]);
        self.bytes.extend(by.into_iter().flat_map(i32::to_le_bytes));
    }

    pub fn int_number(&mut self, op: IntImm, to: Gpr, number: i32) {
        let (name, digit) = int_imm(op);
        self.note(|| format!("{name} {}, {number}", name64(to)));
        self.bytes.push(0x48 | to.0 >> 3);
        self.bytes.extend([if op == IntImm::Mov { 0xc7 } else { 0x81 }, 0xc0 | digit << 3 | to.0 & 7]);
        self.bytes.extend(number.to_le_bytes());
    }

    /// On eight bytes of memory.
    pub fn memory_number(&mut self, op: IntImm, mem: Mem, number: i32) {
        let (name, digit) = int_imm(op);
        self.note(|| format!("{name} {}, {number}", mem_text(mem, "qword")));
        let (x, b) = high_bits(mem);
        self.bytes.extend([0x48 | x << 1 | b, if op == IntImm::Mov { 0xc7 } else { 0x81 }]);
        self.memory(digit, mem, 1, 4);
        self.bytes.extend(number.to_le_bytes());
    }

    pub fn push(&mut self, reg: Gpr) {
        self.note(|| format!("push {}", name64(reg)));
        self.bytes.extend((reg.0 >= 8).then_some(0x41));
        self.bytes.push(0x50 | reg.0 & 7);
    }

    pub fn pop(&mut self, reg: Gpr) {
        self.note(|| format!("pop {}", name64(reg)));
        self.bytes.extend((reg.0 >= 8).then_some(0x41));
        self.bytes.push(0x58 | reg.0 & 7);
    }

    pub fn vzeroupper(&mut self) {
        self.note(|| "vzeroupper".into());
        self.bytes.extend([0xc5, 0xf8, 0x77]);
    }

    pub fn ret(&mut self) {
        self.note(|| "ret".into());
        self.bytes.push(0xc3);
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.labels[label.0] = Some(self.bytes.len());
        if let Some(text) = &mut self.text {
            let _ = writeln!(text, "l{}:", label.0);
        }
    }

    pub fn jump(&mut self, condition: Condition, label: Label) {
        let (name, code) = match condition {
            Condition::Always => {
                self.note(|| format!("jmp l{}", label.0));
                self.bytes.push(0xe9);
                self.jumps.push((self.bytes.len(), label));
                self.bytes.extend([0; 4]);
                return;
            }
            Condition::Below => ("jb", 0x82),
            Condition::Zero => ("jz", 0x84),
        };
        self.note(|| format!("{name} l{}", label.0));
        self.bytes.extend([0x0f, code]);
        self.jumps.push((self.bytes.len(), label));
        self.bytes.extend([0; 4]);
    }

    fn patch(&mut self, at: usize, number: i32) {
        self.bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    /// The bytes and the text.
    pub fn finish(mut self) -> (Vec<u8>, Option<String>) {
        for (at, label) in std::mem::take(&mut self.jumps) {
            let to = self.labels[label.0].unwrap_or(at + 4);
            self.patch(at, (to as i64 - (at as i64 + 4)) as i32);
        }
        while !self.bytes.len().is_multiple_of(64) {
            self.bytes.push(0xcc);
        }
        let start = self.bytes.len();
        for (at, end, word) in std::mem::take(&mut self.pool_uses) {
            self.patch(at, (start + 4 * word - end) as i32);
        }
        self.bytes.extend(self.pool.iter().flat_map(|word| word.to_le_bytes()));
        if let Some(text) = &mut self.text {
            for (i, word) in self.pool.iter().enumerate() {
                let _ = writeln!(text, "c{i}: {word:#010x} {:e}", f32::from_bits(*word));
            }
        }
        (self.bytes, self.text)
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            let _ = writeln!(text, "    {}", line());
        }
    }

    /// Operand bytes of a place in memory; short distances count in units of `unit` bytes. `behind`: how many bytes of
    /// the instruction follow.
    fn memory(&mut self, reg: u8, mem: Mem, unit: i32, behind: usize) {
        let reg = (reg & 7) << 3;
        let (base, index, scale, disp) = match mem {
            Mem::Pool(word) => {
                self.bytes.push(reg | 5);
                let at = self.bytes.len();
                self.pool_uses.push((at, at + 4 + behind, word));
                self.bytes.extend([0; 4]);
                return;
            }
            Mem::At { base, index, disp } => (base, index.map(|i| i.0), 0u8, disp),
            Mem::Each { base, index, disp } => (base, Some(index.0), 2, disp),
        };
        let short = (disp % unit == 0).then(|| i8::try_from(disp / unit).ok()).flatten();
        // Without a distance this base would mean something else.
        let mode: u8 = match short {
            Some(0) if base.0 & 7 != 5 => 0,
            Some(_) => 0x40,
            None => 0x80,
        };
        if index.is_some() || base.0 & 7 == 4 {
            let index = index.unwrap_or(4) & 7;
            self.bytes.extend([mode | reg | 4, scale << 6 | index << 3 | base.0 & 7]);
        } else {
            self.bytes.push(mode | reg | base.0 & 7);
        }
        match (mode, short) {
            (0, _) => {}
            (_, Some(short)) => self.bytes.push(short as u8),
            (_, None) => self.bytes.extend(disp.to_le_bytes()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MaskOp {
    And,
    Or,
    Xnor,
    /// Of the last operand.
    Not,
    /// Of the last operand.
    Move,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Always,
    Below,
    Zero,
}

/// The fourth bits of index and base.
fn high_bits(mem: Mem) -> (u8, u8) {
    match mem {
        Mem::At { base, index, .. } => (index.map_or(0, |i| i.0 >> 3), base.0 >> 3),
        Mem::Each { base, index, .. } => (index.0 >> 3 & 1, base.0 >> 3),
        Mem::Pool(_) => (0, 0),
    }
}

fn int_imm(op: IntImm) -> (&'static str, u8) {
    match op {
        IntImm::Add => ("add", 0),
        IntImm::Sub => ("sub", 5),
        IntImm::And => ("and", 4),
        IntImm::Cmp => ("cmp", 7),
        IntImm::Mov => ("mov", 0),
    }
}

fn name64(reg: Gpr) -> String {
    const LOW: [&str; 8] = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
    LOW.get(usize::from(reg.0)).map_or_else(|| format!("r{}", reg.0), |name| (*name).to_owned())
}

fn name32(reg: Gpr) -> String {
    let name = name64(reg);
    if reg.0 < 8 { name.replacen('r', "e", 1) } else { name + "d" }
}

fn mem_text(mem: Mem, size: &str) -> String {
    let (base, index, disp) = match mem {
        Mem::Pool(word) => return format!("{size} ptr [c{word}]"),
        Mem::At { base, index, disp } => (base, index.map(|i| format!("+{}", name64(i))), disp),
        Mem::Each { base, index, disp } => (base, Some(format!("+4*zmm{}", index.0)), disp),
    };
    let disp = if disp == 0 { String::new() } else { format!("{disp:+}") };
    format!("{size} ptr [{}{}{disp}]", name64(base), index.unwrap_or_default())
}

fn vector_text(op: Evex, to: u8, source: Zmm, rm: Rm, write: Written, imm: Option<u8>) -> String {
    let rm = match rm {
        Rm::Reg(Zmm(r)) => format!("zmm{r}"),
        Rm::Gpr(r) => name32(r),
        Rm::Full(mem) => mem_text(mem, "zmmword"),
        Rm::Word(mem) if op.is_word => mem_text(mem, "dword"),
        Rm::Word(mem) => mem_text(mem, "dword") + "{1to16}",
    };
    let masked = match write {
        Written::All => String::new(),
        Written::Merge(K(k)) => format!("{{k{k}}}"),
        Written::Zero(K(k)) => format!("{{k{k}}}{{z}}"),
    };
    let imm = imm.map(|n| format!(", {n}")).unwrap_or_default();
    let name = op.name;
    let scalar = if op.name == VMOVSS_STORE.name { "xmm" } else { "zmm" };
    match op.form {
        Form::Two | Form::Shift(_) => format!("{name} zmm{to}{masked}, {rm}{imm}"),
        Form::Three => format!("{name} zmm{to}{masked}, zmm{}, {rm}{imm}", source.0),
        Form::Store => format!("{name} {rm}{masked}, {scalar}{to}"),
        Form::Compare => format!("{name} k{to}{masked}, zmm{}, {rm}{imm}", source.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: u8, index: Option<Gpr>, disp: i32) -> Mem {
        Mem::At { base: Gpr(base), index, disp }
    }

    /// The text and the bytes of what is emitted, without what follows the code.
    fn emitted(emit: impl FnOnce(&mut Assembler)) -> Vec<String> {
        let mut asm = Assembler::new(true);
        emit(&mut asm);
        let hex = asm.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        asm.text.unwrap_or_default().lines().map(|line| line.trim().to_owned()).chain([hex]).collect()
    }

    /// Bytes from an assembler that knows the instructions.
    #[test]
    fn instructions_have_the_bytes_that_disassemblers_read() {
        type Case = (fn(&mut Assembler), &'static str, &'static str);
        let cases: &[Case] = &[
            (
                |a| a.vector(VADDPS, 31, Zmm(24), Rm::Reg(Zmm(8)), Written::All, None),
                "vaddps zmm31, zmm24, zmm8",
                "62413c4058f8",
            ),
            (
                |a| a.vector(VSUBPS, 3, Zmm(19), Rm::Word(at(4, None, 4)), Written::All, None),
                "vsubps zmm3, zmm19, dword ptr [rsp+4]{1to16}",
                "62f164505c5c2401",
            ),
            (
                |a| a.vector(VMULPS, 29, Zmm(14), Rm::Full(at(13, Some(RAX), 0)), Written::All, None),
                "vmulps zmm29, zmm14, zmmword ptr [r13+rax]",
                "62410c48596c0500",
            ),
            (
                |a| a.vector(VFMADD213PS, 1, Zmm(2), Rm::Full(at(5, None, 0)), Written::All, None),
                "vfmadd213ps zmm1, zmm2, zmmword ptr [rbp]",
                "62f26d48a84d00",
            ),
            (
                |a| a.vector(VBLENDMPS, 9, Zmm(30), Rm::Reg(Zmm(17)), Written::Merge(K(3)), None),
                "vblendmps zmm9{k3}, zmm30, zmm17",
                "62320d4365c9",
            ),
            (
                |a| a.vector(VRNDSCALEPS, 28, Zmm(0), Rm::Reg(Zmm(25)), Written::All, Some(9)),
                "vrndscaleps zmm28, zmm25, 9",
                "62037d4808e109",
            ),
            (
                |a| a.vector(VSHUFF32X4, 17, Zmm(9), Rm::Reg(Zmm(9)), Written::All, Some(14)),
                "vshuff32x4 zmm17, zmm9, zmm9, 14",
                "62c3354823c90e",
            ),
            (
                |a| a.vector(VPERMILPS, 3, Zmm(0), Rm::Reg(Zmm(20)), Written::All, Some(1)),
                "vpermilps zmm3, zmm20, 1",
                "62b37d4804dc01",
            ),
            (
                |a| a.vector(VPSLLD, 17, Zmm(0), Rm::Reg(Zmm(5)), Written::All, Some(23)),
                "vpslld zmm17, zmm5, 23",
                "62f1754072f517",
            ),
            (
                |a| a.vector(VCMPPS, 5, Zmm(30), Rm::Word(at(12, None, 100_000)), Written::All, Some(17)),
                "vcmpps k5, zmm30, dword ptr [r12+100000]{1to16}, 17",
                "62d10c50c2ac24a086010011",
            ),
            (
                |a| {
                    a.vector(VMOVUPS, 16, Zmm(0), Rm::Full(at(15, Some(RAX), 128)), Written::Zero(K(1)), None)
                },
                "vmovups zmm16{k1}{z}, zmmword ptr [r15+rax+128]",
                "62c17cc910440702",
            ),
            (
                |a| {
                    a.vector(
                        VMOVUPS_STORE,
                        16,
                        Zmm(0),
                        Rm::Full(at(11, Some(RAX), 8)),
                        Written::Merge(K(1)),
                        None,
                    )
                },
                "vmovups zmmword ptr [r11+rax+8]{k1}, zmm16",
                "62c17c4911840308000000",
            ),
            (
                |a| a.vector(VBROADCASTSS, 26, Zmm(0), Rm::Word(at(4, None, 508)), Written::All, None),
                "vbroadcastss zmm26, dword ptr [rsp+508]",
                "62627d481854247f",
            ),
            (
                |a| a.vector(VMOVSS_STORE, 20, Zmm(0), Rm::Word(at(4, None, 1728)), Written::All, None),
                "vmovss dword ptr [rsp+1728], xmm20",
                "62e17e4811a424c0060000",
            ),
            (
                |a| a.vector(VPBROADCASTD_GPR, 9, Zmm(0), Rm::Gpr(R11), Written::All, None),
                "vpbroadcastd zmm9, r11d",
                "62527d487ccb",
            ),
            (
                |a| {
                    a.vector(
                        VGATHERDPS,
                        1,
                        Zmm(0),
                        Rm::Word(Mem::Each { base: R11, index: Zmm(26), disp: 400 }),
                        Written::Merge(K(7)),
                        None,
                    )
                },
                "vgatherdps zmm1{k7}, dword ptr [r11+4*zmm26+400]",
                "62927d47924c9364",
            ),
            (
                |a| {
                    a.length = Length::Eight;
                    a.vector(VADDPS, 31, Zmm(24), Rm::Full(at(13, Some(RAX), 64)), Written::All, None);
                },
                "vaddps ymm31, ymm24, ymmword ptr [r13+rax+64]",
                "62413c20587c0502",
            ),
            (
                |a| {
                    a.length = Length::Four;
                    a.vector(
                        VMOVUPS_STORE,
                        16,
                        Zmm(0),
                        Rm::Full(at(11, None, 8)),
                        Written::Merge(K(1)),
                        None,
                    );
                },
                "vmovups xmmword ptr [r11+8]{k1}, xmm16",
                "62c17c09118308000000",
            ),
            (|a| a.masks(MaskOp::And, K(2), K(3), K(6)), "kandw k2, k3, k6", "c5e441d6"),
            (|a| a.masks(MaskOp::Not, K(2), K(3), K(3)), "knotw k2, k3", "c5f844d3"),
            (|a| a.mask_from(K(1), R11), "kmovw k1, r11d", "c4c17892cb"),
            (|a| a.mask_memory(K(5), 1536, true), "kmovw word ptr [rsp+1536], k5", "c5f891ac2400060000"),
            (
                |a| a.int(Int::Imul(1024), Gpr(13), at(4, None, 1744)),
                "imul r13, qword ptr [rsp+1744], 1024",
                "4c69ac24d006000000040000",
            ),
            (|a| a.int_registers(Int::Add, R11, RAX), "add r11, rax", "4c03d8"),
            (|a| a.int_number(IntImm::And, RSP, -64), "and rsp, -64", "4881e4c0ffffff"),
            (
                |a| a.memory_number(IntImm::Sub, at(12, None, 8), 1),
                "sub qword ptr [r12+8], 1",
                "49816c240801000000",
            ),
            (|a| a.push(Gpr(15)), "push r15", "4157"),
            (|a| a.vzeroupper(), "vzeroupper", "c5f877"),
        ];
        for (emit, text, bytes) in cases {
            assert_eq!(emitted(emit), [*text, *bytes]);
        }
    }

    #[test]
    fn jumps_and_constants_are_reached_from_the_end_of_their_instruction() {
        let mut asm = Assembler::new(false);
        let (back, ahead) = (asm.label(), asm.label());
        asm.bind(back);
        asm.jump(Condition::Zero, ahead);
        let seven = asm.word(7);
        asm.vector(VCMPPS, 2, Zmm(0), Rm::Word(seven), Written::All, Some(0));
        asm.jump(Condition::Below, back);
        asm.bind(ahead);
        asm.ret();
        let (bytes, _) = asm.finish();
        let number = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes.len(), 68, "code, filled up to a line, then the constant");
        assert_eq!(number(64), 7);
        // jz: 6 bytes, vcmpps: 11, of which the last is its number; jb: 6.
        assert_eq!(number(2), 23 - 6);
        assert_eq!(number(12), 64 - 17);
        assert_eq!(number(19), -23);
        assert_eq!(bytes[23], 0xc3);
    }
}
