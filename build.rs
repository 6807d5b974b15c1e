//! Lists the files of `stdlib/` for `src/stdlib.rs`, so that the compiler's own text names none of them.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new("stdlib");
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().expect("a file name in UTF-8");
        if name.ends_with(".rnn") {
            names.push(name);
        }
    }
    names.sort();
    let rows = names.iter().map(|name| {
        let file = root.join(folder).join(name);
        format!("    ({:?}, include_str!({file:?})),\n", format!("<stdlib>/{name}"))
    });
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("stdlib.rs"), format!("&[\n{}]\n", rows.collect::<String>()))
}
