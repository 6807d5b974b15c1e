//! The table of diagnostic codes. Codes are stable: a number is never reused.

pub mod arrays;
pub mod backend;
pub mod equations;
pub mod examples;
pub mod gradients;
pub mod limits;
pub mod names;
pub mod shapes;
pub mod syntax;
pub mod testing;
pub mod training;
pub mod weights;

use examples::Illustration;

/// One code with what `rnnc explain` says about it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub code: &'static str,
    pub title: &'static str,
    /// A short text that explains the rule.
    pub text: &'static str,
}

/// What belongs together: the codes of a range.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub title: &'static str,
    pub entries: &'static [Entry],
    /// An example for each code, as [`examples`] reads it.
    examples: &'static str,
}

impl Room {
    /// By their numbers.
    pub fn in_order(&self) -> Vec<&'static Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|e| e.code);
        entries
    }
}

macro_rules! rooms {
    ($($room:ident $title:literal,)*) => {
        [$(Room {
            title: $title,
            entries: $room::ENTRIES,
            examples: include_str!(concat!("codes/examples/", stringify!($room), ".txt")),
        }),*]
    };
}

/// In the order of their numbers.
pub const ROOMS: [Room; 11] = rooms! {
    syntax "Syntax",
    names "Names and kinds",
    shapes "Shapes",
    equations "Equations and their order",
    gradients "Gradients",
    backend "What a back end cannot do",
    arrays "Arrays, files and commands",
    weights "Weights of other tools",
    training "Training",
    limits "Limits",
    testing "Tests and checks",
};

/// All codes, by range.
pub fn table() -> impl Iterator<Item = &'static Entry> {
    ROOMS.iter().flat_map(|room| room.entries)
}

/// What is said about a code, and its example; nothing if there is no such code.
pub fn find(code: &str) -> Option<(&'static Entry, Illustration)> {
    let room = ROOMS.iter().find(|room| room.entries.iter().any(|e| e.code == code))?;
    let entry = room.entries.iter().find(|e| e.code == code)?;
    Some((entry, examples::find(room.examples, code)?))
}
