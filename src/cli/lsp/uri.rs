//! The names of documents: `file:` URIs and paths.
//!
//! Invariant: a path is absolute and has `/` between its parts, also where the system writes `\`. What is no file keeps its URI as
//! its path.

use lsp_types::Uri;
use std::str::FromStr;

/// The path that a URI names.
pub fn path_of(uri: &Uri) -> String {
    let text = uri.as_str();
    let Some(rest) = text.strip_prefix("file://") else { return text.to_string() };
    // Between the slashes a host may stand; there is only this one.
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = decoded(path);
    // `/c:/x` on Windows.
    let bytes = path.as_bytes();
    let has_drive = cfg!(windows) && bytes.len() > 2 && bytes[1].is_ascii_alphabetic() && bytes[2] == b':';
    crate::resolve::normal(if has_drive { &path[1..] } else { &path })
}

/// The URI of a path; `None` for what is no file and has none.
pub fn uri_of(path: &str) -> Option<Uri> {
    if path.starts_with('<') {
        return None;
    }
    let path = path.replace('\\', "/");
    let is_absolute = path.starts_with('/') || path.as_bytes().get(1) == Some(&b':');
    if !is_absolute {
        return Uri::from_str(&path).ok();
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Uri::from_str(&format!("file://{slash}{}", encoded(&path))).ok()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = |b: &u8| (*b as char).to_digit(16);
        match (first, tail) {
            (b'%', [a, b, after @ ..]) if hex(a).is_some() && hex(b).is_some() => {
                bytes.push((hex(a).unwrap_or(0) * 16 + hex(b).unwrap_or(0)) as u8);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_uri_and_back() {
        for path in ["/a/b.rnn", "/ü x/σ%#?.rnn", "/"] {
            let uri = uri_of(path).unwrap();
            assert_eq!(path_of(&uri), path, "{}", uri.as_str());
        }
        let of = |text: &str| path_of(&Uri::from_str(text).unwrap());
        assert_eq!(of("file:///a/./b/../c%20d.rnn"), "/a/c d.rnn");
        assert_eq!(of("file://localhost/a.rnn"), "/a.rnn");
        assert_eq!(of("untitled:Untitled-1"), "untitled:Untitled-1");
        assert_eq!(uri_of("untitled:Untitled-1").unwrap().as_str(), "untitled:Untitled-1");
        assert_eq!(uri_of("<stdlib>/any.rnn"), None);
    }
}
