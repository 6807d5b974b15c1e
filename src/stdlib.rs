//! The standard library's files, compiled into the binary. `build.rs` lists the folder.

/// `(path, text)` of every file of `stdlib/`, sorted by path.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/stdlib.rs"));

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_file_of_the_folder_is_there_in_order() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
        let is_rnn = |e: &std::fs::DirEntry| e.path().extension().is_some_and(|e| e == "rnn");
        let files = std::fs::read_dir(&folder).unwrap().filter(|e| is_rnn(e.as_ref().unwrap())).count();
        assert_eq!(FILES.len(), files);
        assert!(FILES.is_sorted_by_key(|(path, _)| path));
        for (path, text) in FILES {
            let file = folder.join(path.trim_start_matches("<stdlib>/"));
            assert_eq!(*text, std::fs::read_to_string(file).unwrap());
        }
    }
}
