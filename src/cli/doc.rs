//! `rnnc doc`: a site of the items of some files, to read in a browser.

use super::files;
use super::limits::CheckLimits;
use super::programs::programs;
use super::session::{Failure, Session, complain};
use super::threads;
use crate::diag::Diagnostic;
use crate::doc::{self, Input};
use crate::pipeline;
use crate::resolve::Origin;
use crate::source::FileId;
use std::path::{Path, PathBuf};

/// Write a site about files, to read in a browser
///
/// It has a page for each cell, layer, model and function, and an index with a search.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc doc mine.rnn -o site\n  rnnc doc . -o site --title 'Our cells'\n  rnnc doc --stdlib -o gallery\n\nOpen site/index.html in a browser; it needs no server and no network."
)]
pub struct Doc {
    /// Files, and folders whose `.rnn` files are taken
    #[arg(value_name = "PATH", required_unless_present = "stdlib")]
    paths: Vec<PathBuf>,
    /// The standard library too, or alone
    #[arg(long)]
    stdlib: bool,
    /// The folder to write the pages into; other files in it stay
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// What the site is called [default: the name of the only path]
    #[arg(long)]
    title: Option<String>,
    #[command(flatten)]
    limits: CheckLimits,
}

impl Doc {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let found = programs(&self.paths)?;
        let (library, mut mistakes) = session.load_quietly(&found);
        for root in library.roots() {
            mistakes.extend(pipeline::mistakes(&library, root.file));
        }
        let shown = library.files().iter().filter(|f| match f.origin {
            Origin::Stdlib => self.stdlib,
            Origin::Root => true,
            Origin::Used => false,
        });
        // One's own come first.
        let (own, library_own): (Vec<_>, Vec<_>) = shown.partition(|f| f.origin == Origin::Root);
        let files: Vec<FileId> = own.into_iter().chain(library_own).map(|f| f.file).collect();
        if library.roots().count() < found.len() {
            // What could not be read has no page that could say so.
            return Err(mistakes.into());
        }
        let pages = doc::site(&Input {
            title: &self.title(),
            library: &library,
            sources: &session.sources,
            files: &files,
            mistakes: &mistakes,
            threads: threads::all(),
        });
        write(&self.out, &pages)?;
        let index = self.out.join("index.html");
        let count = pages.iter().filter(|p| p.path.ends_with(".html")).count();
        let what = if count == 1 { "page" } else { "pages" };
        complain(&format!("{count} {what}; begin with {}\n", index.display()));
        match mistakes.iter().any(Diagnostic::is_error) {
            // The pages say so, too.
            true => Err(mistakes.into()),
            false => Ok(()),
        }
    }

    fn title(&self) -> String {
        match (&self.title, self.paths.as_slice()) {
            (Some(title), _) => title.clone(),
            (None, []) => "Standard library".into(),
            (None, [path]) => {
                let name = path.file_stem().filter(|n| *n != "." && *n != "..");
                name.map_or_else(|| "Cells".into(), |n| n.to_string_lossy().into_owned())
            }
            (None, _) => "Cells".into(),
        }
    }
}

/// Each page whole; what has not changed is left as it is.
fn write(folder: &Path, pages: &[doc::Page]) -> Result<(), Failure> {
    files::make_folder(folder)?;
    for page in pages {
        let path = folder.join(&page.path);
        let is_same = std::fs::read(&path).is_ok_and(|old| old == page.text.as_bytes());
        if !is_same {
            files::replace(&path, page.text.as_bytes(), |f| f)?;
        }
    }
    Ok(())
}
