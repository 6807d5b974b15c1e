//! The committed header is what the source says. `UPDATE_HEADER=1` writes it anew.

use std::path::Path;

#[test]
fn the_header_is_that_of_the_source() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).expect("a configuration");
    let mut builder = cbindgen::Builder::new().with_config(config);
    // File by file: asking cargo for the crate would want all others.
    for name in ["error", "library", "options", "cell", "params", "arrays", "run", "stream"] {
        builder = builder.with_src(here.join("src").join(format!("{name}.rs")));
    }
    let mut made = Vec::new();
    builder.generate().expect("a header").write(&mut made);
    let made = String::from_utf8(made).expect("text");
    let path = here.join("include/rnnc.h");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("a place to write to");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == there, "make it again: UPDATE_HEADER=1 cargo test -p librnnc --test header");
    // Whatever is exported is in it.
    for entry in std::fs::read_dir(here.join("src")).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
        for rest in text.split("extern \"C\" fn ").skip(1) {
            let name = rest.split('(').next().unwrap_or_default();
            assert!(made.contains(&format!("{name}(")), "{name} is not in the header");
        }
    }
}
