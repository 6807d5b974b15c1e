//! What `--help` of all commands has in common: headings of options, and the overview of commands.

use clap::Command;

/// Which cell or model.
pub const PROGRAM: &str = "Program";
/// Which data, and which trained run.
pub const DATA: &str = "Data";
/// On which machine, and how.
pub const MACHINE: &str = "Machine";
/// What is written, and where.
pub const OUTPUT: &str = "Output";

/// Commands by what they are for; others stand behind them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Write", &["new", "check", "fmt", "test", "lsp", "explain"]),
    ("Read what is derived", &["grad", "show", "flow", "doc"]),
    ("Run and measure", &["run", "bench", "build"]),
    ("Train", &["train", "eval", "look", "generate", "report"]),
    ("Weights of other tools", &["import", "export"]),
];
const OTHERS: &str = "Further";

const FOOT: &str = "A cell is named as the language writes one: --cell 'Mine(64, 64)'. FILE adds its items to those of the standard \
    library, and may be left out for a cell of that.\n\nEach command has --help; its examples run on what `rnnc new mine` makes \
    (mine.rnn) and on models/ of the source.";

/// The command line with its commands in groups.
pub fn grouped(command: Command) -> Command {
    let overview = overview(&command);
    let template =
        "{about-with-newline}\n{usage-heading} {usage}\n{before-help}Options:\n{options}{after-help}";
    command.before_help(overview).after_help(FOOT).help_template(template)
}

fn overview(command: &Command) -> String {
    let about = |name: &str| {
        let found = command.get_subcommands().find(|c| c.get_name() == name)?;
        Some((name.to_string(), found.get_about().map(ToString::to_string).unwrap_or_default()))
    };
    let others: Vec<&str> =
        command.get_subcommands().map(Command::get_name).filter(|n| !is_grouped(n)).collect();
    let groups = GROUPS.iter().map(|(title, names)| (*title, names.to_vec())).chain([(OTHERS, others)]);
    let mut text = String::new();
    for (title, names) in groups {
        let lines: Vec<String> =
            names.iter().filter_map(|n| about(n)).map(|(n, about)| format!("  {n:<12} {about}\n")).collect();
        if !lines.is_empty() {
            text += &format!("\n{title}:\n{}", lines.concat());
        }
    }
    text.trim_end().to_string()
}

fn is_grouped(name: &str) -> bool {
    name == "help" || GROUPS.iter().any(|(_, names)| names.contains(&name))
}
