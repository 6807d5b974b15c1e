//! Reads the text form that [`super::print`] writes.

use crate::diag::Diagnostic;

pub fn parse(_text: &str) -> Result<super::Graph, Diagnostic> {
    todo!()
}
