//! The flags that raise and lower what a command may cost, the same on every command: a table in `--help`.

use super::session::Session;
use crate::limits::Limits;
use std::path::PathBuf;

const HEADING: &str = "Limits";

/// For commands that read programs.
#[derive(clap::Args)]
pub struct TextLimits {
    /// The folder in which all files that are used must lie [default: that of the file which is named]
    #[arg(long, value_name = "DIR", help_heading = HEADING, hide_short_help = true)]
    root: Option<PathBuf>,
    /// Bytes of one .rnn file
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = source, help_heading = HEADING, hide_short_help = true)]
    max_source: u64,
    /// Words, numbers, operators and brackets of one .rnn file
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT.tokens, help_heading = HEADING, hide_short_help = true)]
    max_tokens: usize,
    /// Files that are used
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT.files, help_heading = HEADING, hide_short_help = true)]
    max_files: usize,
    /// Equations of a program, after families and instances are expanded
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT.nodes, value_parser = nodes, help_heading = HEADING, hide_short_help = true)]
    max_nodes: usize,
    /// Instances and function calls of a program
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT.instances, value_parser = nodes, help_heading = HEADING, hide_short_help = true)]
    max_instances: usize,
    /// The greatest lag
    #[arg(long, value_name = "STEPS", default_value_t = Limits::DEFAULT.lag, value_parser = clap::value_parser!(u32).range(1..=1 << 20), help_heading = HEADING, hide_short_help = true)]
    max_lag: u32,
}

/// For commands that check whole files.
#[derive(clap::Args)]
pub struct CheckLimits {
    #[command(flatten)]
    text: TextLimits,
    /// Steps of work for one file: what it takes to read it, expressions evaluated, equations made, definitions looked at
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT.work, help_heading = HEADING, hide_short_help = true)]
    max_work: u64,
}

/// For commands that run programs too.
#[derive(clap::Args)]
pub struct RunLimits {
    #[command(flatten)]
    text: TextLimits,
    /// Memory for the arrays of a run
    #[arg(long, value_name = "SIZE", default_value = "16GiB", value_parser = size, help_heading = HEADING, hide_short_help = true)]
    max_memory: u64,
}

/// For commands that read arrays or data too.
#[derive(clap::Args)]
pub struct FileLimits {
    #[command(flatten)]
    run: RunLimits,
    /// Bytes of one file of arrays or data
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size, help_heading = HEADING, hide_short_help = true)]
    max_file: u64,
    /// Bytes that what is read from one file takes in memory
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size, help_heading = HEADING, hide_short_help = true)]
    max_unpacked: u64,
}

impl TextLimits {
    /// From now on they hold.
    pub fn hold(&self, session: &mut Session) {
        session.root.clone_from(&self.root);
        session.limits = Limits {
            source: usize::try_from(self.max_source).unwrap_or(usize::MAX),
            tokens: self.max_tokens,
            files: self.max_files,
            nodes: self.max_nodes,
            instances: self.max_instances,
            lag: self.max_lag,
            ..session.limits
        };
    }
}

impl CheckLimits {
    pub fn hold(&self, session: &mut Session) {
        self.text.hold(session);
        session.limits.work = self.max_work;
    }
}

impl RunLimits {
    pub fn hold(&self, session: &mut Session) {
        self.text.hold(session);
        session.limits.memory = self.max_memory;
    }
}

impl FileLimits {
    pub fn hold(&self, session: &mut Session) {
        self.run.hold(session);
        session.limits.file = self.max_file;
        session.limits.unpacked = self.max_unpacked;
    }
}

/// `16GiB`, `1.5 MiB`, `4096`: a number of bytes above 0.
fn size(text: &str) -> Result<u64, String> {
    let unit = |suffix: &str| text.strip_suffix(suffix);
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let (number, shift) =
        units.iter().find_map(|(name, shift)| Some((unit(name)?, *shift))).unwrap_or((text, 0));
    let bytes = number.trim().parse::<f64>().ok().map(|n| n * (1u64 << shift) as f64);
    match bytes {
        // Not a number is none of them.
        Some(n) if n >= 1.0 && n <= (1u64 << 50) as f64 => Ok(n as u64),
        _ => Err("a size of at most 1024TiB is wanted, such as 16GiB, 512MiB, 64KiB or 4096".into()),
    }
}

/// Places in a text are numbers of 32 bits.
fn source(text: &str) -> Result<u64, String> {
    size(text)?;
    size(text).ok().filter(|n| *n <= 1 << 30).ok_or_else(|| "at most 1GiB".into())
}

/// Numbers of equations are of 32 bits.
fn nodes(text: &str) -> Result<usize, String> {
    let wanted = text.parse::<usize>().ok().filter(|n| (1..=100_000_000).contains(n));
    wanted.ok_or_else(|| "a whole number of 1 to 100000000 is wanted".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_with_units() {
        let good =
            [("4096", 4096), ("1KiB", 1024), ("0.5 MiB", 1 << 19), ("16GiB", 16 << 30), ("1024TiB", 1 << 50)];
        for (text, bytes) in good {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "-1", "GiB", "1 PiB", "nan", "inf", "1e99", "4kb", "0.1"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(source("2GiB").is_err() && source("x").is_err() && nodes("0").is_err());
    }

    #[test]
    fn what_the_help_says_is_what_holds_without_flags() {
        #[derive(clap::Parser)]
        struct All {
            #[command(flatten)]
            limits: FileLimits,
        }
        let all = <All as clap::Parser>::parse_from(["test"]);
        let mut session = Session::new(crate::cli::colour::Colour::Never);
        all.limits.hold(&mut session);
        assert_eq!(session.limits, Limits::DEFAULT);
    }

    #[test]
    fn every_flag_that_messages_name_is_there() {
        use crate::limits as flags;
        let files = <FileLimits as clap::Args>::augment_args(clap::Command::new("files"));
        let check = <CheckLimits as clap::Args>::augment_args(clap::Command::new("check"));
        let all = files.get_arguments().chain(check.get_arguments());
        let known: Vec<String> = all.filter_map(|a| Some(format!("--{}", a.get_long()?))).collect();
        let named = [
            flags::SOURCE,
            flags::TOKENS,
            flags::FILES,
            flags::NODES,
            flags::INSTANCES,
            flags::LAG,
            flags::WORK,
            flags::MEMORY,
            flags::FILE,
            flags::UNPACKED,
        ];
        assert!(named.iter().all(|flag| known.iter().any(|k| k == flag)), "{known:?}");
    }
}
