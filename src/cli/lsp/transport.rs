//! Messages on a stream: a header with a length, then JSON.
//!
//! Invariant: reading never fails but at the end of the stream. What is no message is said to be so, and reading goes on at the
//! next header.

use lsp_server::Message;
use serde_json::Value;
use std::io::{self, BufRead, Read, Write};

/// What comes in.
pub enum Arrival {
    Message(Message),
    /// No message: its id if it has one, and what is wrong.
    Broken(Option<Value>, String),
    End,
}

/// A longer message is refused. The greatest text with its escapes is far below.
const MOST: u64 = 64 << 20;
/// Of a longer line only its end is looked at.
const LINE: usize = 4096;

/// Reads until the stream or its reader ends.
pub fn read_all(input: &mut impl BufRead, mut give: impl FnMut(Arrival) -> bool) {
    loop {
        let arrival = read(input).unwrap_or(Arrival::End);
        let ends = matches!(arrival, Arrival::End);
        if !give(arrival) || ends {
            return;
        }
    }
}

fn read(input: &mut impl BufRead) -> io::Result<Arrival> {
    let Some(length) = header(input)? else { return Ok(Arrival::End) };
    let length = match length {
        Ok(length) => length,
        Err(what) => return Ok(Arrival::Broken(None, what)),
    };
    // Memory is taken as it is filled, not as it is promised.
    let mut body = Vec::new();
    input.take(length).read_to_end(&mut body)?;
    if (body.len() as u64) < length {
        return Ok(Arrival::End);
    }
    match serde_json::from_slice(&body) {
        Ok(message) => Ok(Arrival::Message(message)),
        Err(e) => {
            let id = serde_json::from_slice::<Value>(&body).ok().and_then(|v| v.get("id").cloned());
            Ok(Arrival::Broken(id, format!("this is no message: {e}")))
        }
    }
}

/// Reads header lines up to the empty one; the length they state. `None` at the end of the stream.
fn header(input: &mut impl BufRead) -> io::Result<Option<Result<u64, String>>> {
    let mut length = None;
    loop {
        let Some(line) = line(input)? else { return Ok(None) };
        if line.is_empty() {
            match length {
                Some(length) => return Ok(Some(length)),
                // Between messages there may be empty lines.
                None => continue,
            }
        }
        // Behind a message of which nobody knows how long it was, a header begins anywhere.
        let lower = line.to_ascii_lowercase();
        let Some(at) = lower.rfind("content-length:") else { continue };
        let value = line.get(at + "content-length:".len()..).unwrap_or_default().trim();
        length = Some(match value.parse::<u64>() {
            Ok(n) if n <= MOST => Ok(n),
            Ok(n) => Err(format!("a message of {n} bytes is refused, the most are {MOST}")),
            Err(_) => Err(format!("`{value}` is no length")),
        });
    }
}

/// A line without its end, or the last part of a long one; `None` at the end of the stream.
fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut kept: Vec<u8> = Vec::new();
    loop {
        let room = input.fill_buf()?;
        if room.is_empty() {
            return Ok(None);
        }
        let end = room.iter().position(|b| *b == b'\n');
        let part = &room[..end.unwrap_or(room.len())];
        kept.extend_from_slice(part);
        let read = part.len() + usize::from(end.is_some());
        input.consume(read);
        if kept.len() > LINE {
            kept.drain(..kept.len() - LINE / 2);
        }
        if end.is_some() {
            return Ok(Some(String::from_utf8_lossy(&kept).trim_end_matches('\r').to_string()));
        }
    }
}

/// Writes a message.
pub fn write(out: &mut impl Write, message: &Message) -> io::Result<()> {
    message.write(out)
}

/// Answers what was no message.
pub fn write_broken(out: &mut impl Write, id: Option<Value>, what: &str) -> io::Result<()> {
    let code = lsp_server::ErrorCode::ParseError as i32;
    let id = id.unwrap_or(Value::Null);
    let body = serde_json::json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": what } });
    let body = body.to_string();
    write!(out, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        read_all(&mut text.as_bytes(), |arrival| {
            out.push(match arrival {
                Arrival::Message(Message::Request(r)) => format!("request {}", r.method),
                Arrival::Message(Message::Notification(n)) => format!("notification {}", n.method),
                Arrival::Message(Message::Response(_)) => "response".into(),
                Arrival::Broken(id, what) => format!("broken {id:?} {what}"),
                Arrival::End => "end".into(),
            });
            true
        });
        out
    }

    #[test]
    fn after_what_is_no_message_the_next_one_is_read() {
        let good = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let good = format!("Content-Length: {}\r\n\r\n{good}", good.len());
        let cases = [
            "Content-Length: 99999999999999\r\n\r\n{}",
            "Content-Length: 99999999999999999999999999\r\n\r\n",
            "Content-Length: x\r\n\r\nabc",
            "Content-Length: 3\r\n\r\n{{{",
            "Content-Length: 2\r\n\r\n[]",
            "Content-Length: 2\r\n\r\n\u{e9}",
            "hello\r\n\r\n",
            "\r\n\r\n",
            "",
        ];
        for bad in cases {
            let found = all(&format!("{bad}{good}"));
            let tail = found.len() - 2;
            assert_eq!(found[tail..], ["notification exit", "end"], "{bad}");
            assert!(found[..tail].iter().all(|f| f.starts_with("broken")), "{found:?}");
        }
        assert_eq!(all("Content-Length: 50\r\n\r\n{"), ["end"]);
        assert_eq!(all(&"x".repeat(20_000)), ["end"]);
    }

    #[test]
    fn what_is_no_message_keeps_its_id() {
        let found = all("Content-Length: 17\r\n\r\n{\"id\":7,\"x\":true}");
        assert!(found[0].starts_with("broken Some(Number(7))"), "{found:?}");
    }
}
