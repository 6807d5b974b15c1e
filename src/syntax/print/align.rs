//! Blocks, and the columns of their lines: `=` under `=`, as tables are set.
//!
//! The lines of a block are first written flat. That tells how wide their cells are (a cell ends where [`Printer::tab`]
//! says so) and which lines follow each other without a blank line, a comment or documentation between them: a run of
//! such lines of one kind has its cells filled up to one width.

use super::Printer;
use crate::syntax::trivia::Place;
use std::ops::Range;

/// Cells that are filled up to one width differ by no more.
const SPREAD: usize = 20;
/// So many spaces in a cell are not seen; more of them are worse than a new part of the run if they are more than this.
const UNSEEN: usize = 8;
const PART: usize = 12;
/// No part has more lines.
const LONGEST_PART: usize = 60;

/// For each cell the width to fill it up to.
pub(super) type Stops = [usize; 3];

/// What the cells of a line are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A declaration of this word: the word, names, their type, a value.
    Declared(&'static str),
    /// A line of this sort: what stands left of `=`, and right of it.
    Defined(&'static str),
    /// Stands for itself.
    Other,
}

/// A line of a block.
pub(super) trait Row {
    fn class(&self) -> Class;

    fn docs(&self) -> &[String] {
        &[]
    }

    fn write(&self, printer: &mut Printer);
}

/// A line as it is when written flat.
struct Measured {
    class: Class,
    /// Something stands between it and the line above.
    is_apart: bool,
    /// The author wrote it behind `;` on the line of the one before.
    is_joined: bool,
    is_flat: bool,
    cells: Vec<usize>,
    width: usize,
    stops: Stops,
}

impl<'p> Printer<'p> {
    /// The end of a cell.
    pub(super) fn tab(&mut self) {
        let width = self.column.saturating_sub(self.cell_start);
        if self.is_flat() && !self.is_broken {
            self.cells.push(width);
        }
        let stop = self.stops.get(self.cell).copied().unwrap_or(0);
        if stop > width {
            self.raw(&" ".repeat(stop - width));
        }
        self.cell += 1;
        self.cell_start = self.column;
    }

    /// Lines between braces. They stay on the line of the opening one where the author wrote them so; `joins`: so does a
    /// single one in any case.
    pub(super) fn block<R: Row>(&mut self, rows: &[R], joins: bool) {
        let open = self.peek();
        let written = self.source.is_some_and(|s| s.trivia.is_one_line(open));
        let inline = (written || (joins && rows.len() == 1)) && rows.iter().all(|r| r.docs().is_empty());
        if inline {
            if self.is_flat() {
                return self.inline(rows);
            }
            let flat = self.flat(|p| p.inline(rows));
            if self.fits(&flat) {
                return self.adopt(flat);
            }
        }
        self.put(" {");
        self.indent += 2;
        let (align, reserve) = (self.align, self.reserve);
        (self.align, self.reserve) = (self.indent + 2, 0);
        for (i, (row, measured)) in rows.iter().zip(self.measure(rows)).enumerate() {
            if measured.is_joined {
                self.put("; ");
            } else {
                self.begin(true, i == 0);
                self.docs(row.docs());
            }
            self.stops = measured.stops;
            self.begin_cells();
            row.write(self);
        }
        (self.align, self.reserve) = (align, reserve);
        self.indent -= 2;
        self.end(rows.is_empty());
    }

    /// The end of a block. Comments before it stand in its column.
    fn end(&mut self, is_empty: bool) {
        let at = self.find("}");
        self.indent += 2;
        let said = self.said;
        self.comments(at, self.indent, true, is_empty);
        self.indent -= 2;
        if is_empty && said == self.said {
            return self.put("}");
        }
        self.new_line(self.indent);
        self.put("}");
    }

    fn inline<R: Row>(&mut self, rows: &[R]) {
        self.put(if rows.is_empty() { " {" } else { " { " });
        for (i, row) in rows.iter().enumerate() {
            if i > 0 {
                self.put("; ");
            }
            row.write(self);
        }
        self.put(if rows.is_empty() { "}" } else { " }" });
    }

    fn begin_cells(&mut self) {
        (self.cell, self.cell_start) = (0, self.column);
        self.cells.clear();
    }

    /// The lines that follow, which are those of a block.
    fn measure<R: Row>(&self, rows: &[R]) -> Vec<Measured> {
        let mut lines = Vec::with_capacity(rows.len());
        self.flat(|p| lines.extend(rows.iter().enumerate().map(|(i, row)| p.line(i, row))));
        let mut end = None;
        for line in &mut lines {
            let joined = end.map(|end: usize| end + 2 + line.width).filter(|end| *end <= self.style.width);
            line.is_joined &= line.is_flat && joined.is_some();
            let begun = if line.is_joined { joined } else { Some(self.indent + line.width) };
            end = begun.filter(|_| line.is_flat);
        }
        // What shares its line has no columns.
        for i in 0..lines.len() {
            if lines[i].is_joined || lines.get(i + 1).is_some_and(|next| next.is_joined) {
                lines[i].class = Class::Other;
            }
        }
        let width = self.style.width.saturating_sub(self.indent);
        for run in runs(&lines, 0..lines.len(), |a, b| b.class.is_like(a.class) && !b.is_apart) {
            align(&mut lines, run, width);
        }
        lines
    }

    fn line<R: Row>(&mut self, number: usize, row: &R) -> Measured {
        let at = self.peek();
        let mut is_apart = !row.docs().is_empty();
        let mut is_joined = false;
        if let Some(source) = self.source {
            let comments = source.trivia.comments.iter().skip(self.said);
            let before = comments.take_while(|c| c.before <= at);
            is_apart |= before.clone().any(|c| c.place == Place::Alone) || source.trivia.is_behind_blank(at);
            let comments = before.count();
            is_joined = number > 0 && !is_apart && comments == 0 && !source.trivia.begins_line(at);
            self.said += comments;
        }
        self.docs(row.docs());
        self.out.clear();
        (self.column, self.is_fresh, self.is_broken) = (0, false, false);
        self.begin_cells();
        row.write(self);
        let (cells, width) = (std::mem::take(&mut self.cells), self.column);
        let class = row.class();
        let class = if cells.len() < class.least() { Class::Other } else { class };
        let is_flat = !self.is_broken;
        Measured { class, is_apart, is_joined, is_flat, cells, width, stops: Stops::default() }
    }
}

impl Class {
    /// Whether lines of both form a run.
    fn is_like(self, other: Class) -> bool {
        match (self, other) {
            (Class::Declared(_), Class::Declared(_)) => true,
            (Class::Defined(a), Class::Defined(b)) => a == b,
            _ => false,
        }
    }

    /// So many cells a line has at least, if its left side is in one piece.
    fn least(self) -> usize {
        match self {
            Class::Declared(_) | Class::Defined(_) => 1,
            Class::Other => 0,
        }
    }
}

/// Fills up the cells of a run.
fn align(lines: &mut [Measured], run: Range<usize>, width: usize) {
    let is_declared = |line: &Measured| matches!(line.class, Class::Declared(_));
    if !lines.get(run.start).is_some_and(is_declared) {
        fill(lines, run, 0, SPREAD, width);
        return;
    }
    fill(lines, run.clone(), 0, usize::MAX, width);
    for run in runs(lines, run, |a, b| a.class == b.class) {
        for run in fill(lines, run, 1, SPREAD, width) {
            fill(lines, run, 2, SPREAD, width);
        }
    }
}

/// Fills up one cell in the lines of a run that have it, in each of the parts into which the run is cut, unless a line would
/// no longer fit by that.
fn fill(
    lines: &mut [Measured],
    run: Range<usize>,
    cell: usize,
    spread: usize,
    width: usize,
) -> Vec<Range<usize>> {
    let cells: Vec<Option<usize>> = lines[run.clone()].iter().map(|l| l.cells.get(cell).copied()).collect();
    let parts: Vec<Range<usize>> =
        parts(&cells, spread).into_iter().map(|p| run.start + p.start..run.start + p.end).collect();
    for part in &parts {
        let part = &mut lines[part.clone()];
        let most = part.iter().filter_map(|l| l.cells.get(cell).copied()).max().unwrap_or(0);
        let grown = |line: &Measured| line.cells.get(cell).map_or(line.width, |own| line.width + most - own);
        if part.iter().any(|l| l.is_flat && l.width <= width && grown(l) > width) {
            continue;
        }
        for line in part {
            line.width = grown(line);
            if line.cells.get(cell).is_some() {
                line.stops[cell] = most;
            }
        }
    }
    parts
}

/// A run cut into parts so that there are few parts and few spaces.
fn parts(cells: &[Option<usize>], spread: usize) -> Vec<Range<usize>> {
    // Of the lines up to each: the least cost, and where the last part begins.
    let mut best: Vec<(usize, usize)> = vec![(0, 0)];
    for end in 1..=cells.len() {
        let (mut least, mut most) = (usize::MAX, 0);
        let mut found = (usize::MAX, end - 1);
        for start in (end.saturating_sub(LONGEST_PART)..end).rev() {
            let Some(own) = cells[start] else { continue };
            (least, most) = (least.min(own), most.max(own));
            if most - least > spread {
                break;
            }
            let spaces = cells[start..end].iter().flatten().map(|own| (most - own).saturating_sub(UNSEEN));
            let cost = best[start].0 + PART + spaces.sum::<usize>();
            // Of equals the longer part.
            if cost <= found.0 {
                found = (cost, start);
            }
        }
        if found.0 == usize::MAX {
            // A line without the cell goes with those before it.
            found = (best[end - 1].0, end - 1);
        }
        best.push(found);
    }
    let mut parts = Vec::new();
    let mut end = cells.len();
    while end > 0 {
        let start = best[end].1;
        parts.push(start..end);
        end = start;
    }
    parts.reverse();
    parts
}

/// The longest pieces of a range in which each line goes with the one before.
fn runs(
    lines: &[Measured],
    range: Range<usize>,
    goes: impl Fn(&Measured, &Measured) -> bool,
) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = range.start;
    for i in range.clone() {
        if i > start && !goes(&lines[i - 1], &lines[i]) {
            runs.push(start..i);
            start = i;
        }
    }
    runs.push(start..range.end);
    runs
}
