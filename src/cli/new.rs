//! `rnnc new`: a folder with a cell, its tests and a model, to start from.

use super::session::{Failure, Session, say};
use super::{errors, files};
use crate::resolve::Library;
use crate::syntax::{Format, format_within};
use crate::testing::snapshots::{self, Section, Stored};
use crate::testing::{self, Options, Outcome, TestReport};
use std::path::{Path, PathBuf};

/// Texts of a project: the ending of their names, or their whole names, and what is in them.
const CELL: &str = include_str!("../../templates/project/cell.rnn");
const README: &str = include_str!("../../templates/project/README.md");
const IGNORED: &str = "/runs\n";

/// Start a project: a cell with its tests, and a model that trains
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rnnc new mycell\n  rnnc new experiments/slow --cell SlowGate")]
pub struct New {
    /// The folder to make; its last part names the file
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// What the cell is called [default: NAME as one word, such as MyCell of my-cell]
    #[arg(long, value_name = "NAME")]
    cell: Option<String>,
}

impl New {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        let shown = self.path.display().to_string();
        let file = match self.path.file_name().and_then(|name| name.to_str()) {
            Some(name) if is_plain(name) => name.to_string(),
            _ => return Err(errors::bad_project(&shown).into()),
        };
        let cell = self.cell.unwrap_or_else(|| joined(&file));
        check_cell(session, &cell)?;
        if !is_free(&self.path) {
            return Err(errors::project_exists(&shown).into());
        }
        let parent = super::loader::folder_of(&self.path);
        files::make_folder(parent)?;
        // All of it is there, or none.
        let made = files::temporary_folder(parent)?;
        let filled = |text: &str| text.replace("{{Cell}}", &cell).replace("{{file}}", &file);
        let rnn = made.path().join(format!("{file}.rnn"));
        let write = |path: &Path, text: &str| files::replace(path, text.as_bytes(), |f| f);
        let named = |_| Failure::from(errors::bad_cell_name(&cell));
        let id = session.sources.add(format!("{file}.rnn"), filled(CELL));
        // Its lines are as long as its names.
        let text = format_within(&session.sources, id, Format::default(), &session.limits).map_err(named)?;
        write(&rnn, &text)?;
        write(&made.path().join("README.md"), &filled(README))?;
        write(&made.path().join(".gitignore"), IGNORED)?;
        // The template has no mistakes, so a name makes them.
        let kept = kept(session, &rnn).map_err(|failure| match failure {
            Failure::Refused(_) => Failure::from(errors::bad_cell_name(&cell)),
            other => other,
        })?;
        write(&rnn.with_extension("snap"), &kept.print(&format!("{file}.rnn")))?;
        files::publish_folder(made, &self.path)?;
        say(&format!(
            "{shown} has {file}.rnn, its snapshot {file}.snap, and a README.md\n\nGo on with\n  cd {shown}\n  rnnc test {file}.rnn\n  rnnc train {file}.rnn\n"
        ))
    }
}

/// A name that needs no quotes anywhere.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// `my-cell` as one word, `MyCell`.
fn joined(name: &str) -> String {
    let words = name.split(['-', '_']).filter(|w| !w.is_empty());
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    words.map(capital).collect()
}

/// A name of the language that is not taken.
fn check_cell(session: &mut Session, cell: &str) -> Result<(), Failure> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !cell.starts_with(|c: char| c.is_ascii_alphabetic()) || !cell.chars().all(letters) {
        return Err(errors::bad_cell_name(cell).into());
    }
    let library = session.load(&[] as &[&Path])?;
    let taken = ["", "Blind", "Model"].iter().map(|end| format!("{cell}{end}"));
    match taken.into_iter().find(|name| library.find(name).is_some()) {
        Some(name) => Err(errors::cell_name_taken(&name).into()),
        None => Ok(()),
    }
}

/// Nothing is there, or an empty folder.
fn is_free(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !path.exists() && path.symlink_metadata().is_err(),
    }
}

/// What the compiler makes of the cell.
fn kept(session: &mut Session, rnn: &Path) -> Result<Stored, Failure> {
    let (library, said) = session.load_quietly(&[rnn]);
    if said.iter().any(|d| d.is_error()) {
        return Err(Failure::Refused(said));
    }
    let Some(file) = library.roots().map(|root| root.file).next() else { return Ok(Stored::default()) };
    let titles = snapshots::declared(&library, file).unwrap_or_default();
    Ok(Stored::default().accepting(&titles, &sections(&library, file)?))
}

fn sections(library: &Library, file: crate::source::FileId) -> Result<Vec<Section>, Failure> {
    let options = Options { filter: Some("snapshot ".into()), ..Options::default() };
    let mut made = Vec::new();
    let reports: Vec<TestReport> = testing::run_tests(library, &[file], &options, &mut |_| {});
    for report in reports {
        match report.outcome {
            Outcome::Kept(shots) => made.extend(shots.into_iter().map(|s| s.section)),
            Outcome::Failed(diagnostics) => return Err(diagnostics.into()),
            _ => {}
        }
    }
    Ok(made)
}
