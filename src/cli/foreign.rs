//! Files of weights as the commands read and write them: any format in, safetensors or npz out, by a layout if one is named.

use super::help;
use super::limits::FileLimits;
use super::select::Selected;
use super::session::{Failure, Session};
use crate::diag::Diagnostic;
use crate::eqn::build::{Arranged, ForeignNames};
use crate::files;
use crate::resolve::Library;
use crate::shape::Bindings;
use crate::syntax::names::canonical;
use crate::weights::formats::{self, Opened, Output};
use crate::weights::{Arrays, Finder, errors, foreign};
use std::path::{Path, PathBuf};

/// Where the names of a file differ from ours.
#[derive(clap::Args)]
pub struct Foreign {
    /// The layout by which the file arranges weights, for every instance that has one of this name
    #[arg(long, value_name = "NAME", help_heading = help::DATA)]
    layout: Option<String>,
    /// What the file calls an instance, and by which layout: 'enc = encoder.rnn by torch'; with '*' for the rest of its names, and
    /// numbers for words in braces: 'l2 = *_b by torch, n = 1'. The program itself has no name: '=model'
    #[arg(long = "map", value_name = "OURS=THEIRS", help_heading = help::DATA)]
    maps: Vec<String>,
    /// Take weights that are NaN or infinite
    #[arg(long, help_heading = help::DATA)]
    allow_nan: bool,
}

/// A file of weights, and the program that they are for.
#[derive(clap::Args)]
pub struct Weights {
    /// The file of weights, of any format; `rnnc export` takes the folder that `rnnc train` wrote as well
    #[arg(value_name = "WEIGHTS")]
    pub weights: PathBuf,
    #[command(flatten)]
    pub selected: Selected,
    #[command(flatten)]
    pub foreign: Foreign,
    #[command(flatten)]
    pub limits: FileLimits,
}

impl Foreign {
    pub fn is_given(&self) -> bool {
        self.layout.is_some() || !self.maps.is_empty() || self.allow_nan
    }

    pub fn names(&self) -> Result<ForeignNames, Diagnostic> {
        let mapped = self.maps.iter().map(|text| foreign::mapped(text));
        Ok(ForeignNames {
            layout: self.layout.as_deref().map(canonical),
            mapped: mapped.collect::<Result<_, _>>()?,
        })
    }

    /// The parameters of a program, from a file of any format.
    pub fn params(
        &self,
        session: &mut Session,
        library: &Library,
        selected: &Selected,
        path: &Path,
    ) -> Result<Arrays, Failure> {
        let opened = open(session, path)?;
        let arranged = selected.arrange(session, library, &self.names()?)?;
        let file = path.display().to_string();
        self.import(&Finder { file: &file, arrays: &opened.arrays }, &arranged)
    }

    /// Our parameters from arrays under foreign names: all of them, or all that keeps them away.
    pub fn import(&self, finder: &Finder, arranged: &Arranged) -> Result<Arrays, Failure> {
        let hint = self.hint(arranged);
        let params = foreign::import(finder, arranged, &Bindings::new(), hint.as_deref())?;
        self.check_finite(finder.file, &params)?;
        Ok(params)
    }

    /// What may be amiss where no layout was named.
    fn hint(&self, arranged: &Arranged) -> Option<String> {
        let known: Vec<String> = arranged.layouts.iter().map(|l| format!("`--layout {l}`")).collect();
        let is_plain = self.layout.is_none() && self.maps.is_empty() && !known.is_empty();
        is_plain.then(|| format!("if another library wrote the file, name its layout: {}", known.join(", ")))
    }

    /// A program's arrays under foreign names.
    pub fn export(&self, finder: &Finder, arranged: &Arranged) -> Result<Arrays, Failure> {
        Ok(foreign::export(finder, arranged, &Bindings::new())?)
    }

    pub fn check_finite(&self, file: &str, arrays: &Arrays) -> Result<(), Diagnostic> {
        if self.allow_nan { Ok(()) } else { foreign::check_finite(file, arrays) }
    }
}

/// The arrays of a file of any format; what it says beside them is shown.
pub fn open(session: &Session, path: &Path) -> Result<Opened, Failure> {
    let file = path.display().to_string();
    let bytes = files::read(path, session.limits.file)?;
    let opened = formats::read_within(&file, &bytes, session.limits.unpacked)?;
    let notes = opened.notes.iter().map(|note| errors::beside_arrays(&file, note));
    session.report(&notes.collect::<Vec<_>>());
    Ok(opened)
}

/// Writes arrays as the file's ending says.
pub fn write(path: &Path, arrays: &Arrays) -> Result<(), Failure> {
    let bytes = ending(path)?.bytes(arrays)?;
    Ok(files::replace(path, &bytes, |f| f)?)
}

pub fn ending(path: &Path) -> Result<Output, Diagnostic> {
    Output::of(&path.display().to_string())
}
