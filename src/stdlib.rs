//! The standard library's files, compiled into the binary.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("<stdlib>/", $name), include_str!(concat!("../stdlib/", $name)))),*]
    };
}

/// `(path, text)` of every file of `stdlib/`, in a fixed order.
pub const FILES: &[(&str, &str)] = files![
    "gru.rnn",
    "layers.rnn",
    "losses.rnn",
    "lstm.rnn",
    "mgu.rnn",
    "multiplicative.rnn",
    "optimisers.rnn",
    "peephole.rnn",
    "rnn.rnn",
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".rnn"))
            .map(|name| format!("<stdlib>/{name}"))
            .collect();
        found.sort();
        let listed: Vec<&str> = super::FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(listed, found);
    }
}
