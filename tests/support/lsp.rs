//! A small language client that drives the built tool over its standard input and output.
//!
//! Places are given as text with a mark: `h = o⟨⟩ ⊙ c` is the place behind `o`. The mark is no part of the document.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub const MARK: &str = "⟨⟩";

/// A server that does not answer is a failed test, not one that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next_id: i64,
    /// The last diagnostics of each document.
    published: BTreeMap<String, Value>,
    /// Requests of the server.
    pub asked: Vec<Value>,
    folder: tempfile::TempDir,
    texts: BTreeMap<String, String>,
    versions: BTreeMap<String, i64>,
    /// The slowest answer of each kind of request.
    pub slowest: BTreeMap<String, (Duration, String)>,
}

impl Client {
    /// A server that has not been initialised.
    pub fn raw() -> Client {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(folder.path().join("work")).expect("a folder");
        let mut child = Command::new(Path::new(env!("CARGO_BIN_EXE_rnnc")))
            .arg("lsp")
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .env("LOCALAPPDATA", folder.path().join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let input = child.stdin.take();
        let out = child.stdout.take().expect("a pipe");
        let (send, messages) = channel();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            while let Some(message) = read(&mut out) {
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        Client {
            child,
            input,
            messages,
            next_id: 0,
            published: BTreeMap::new(),
            asked: Vec::new(),
            folder,
            texts: BTreeMap::new(),
            versions: BTreeMap::new(),
            slowest: BTreeMap::new(),
        }
    }

    /// A server that is ready, with the folder `work` open.
    pub fn new() -> Client {
        Client::with(json!({}))
    }

    pub fn with(capabilities: Value) -> Client {
        let mut client = Client::raw();
        let folder = client.uri("");
        let params = json!({
            "processId": null,
            "capabilities": capabilities,
            "rootUri": folder,
            "workspaceFolders": [{ "uri": folder, "name": "work" }],
        });
        client.request("initialize", params).expect("it is initialised");
        client.notify("initialized", json!({}));
        client
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    pub fn uri(&self, name: &str) -> String {
        let path = self.path(name).display().to_string().replace('\\', "/");
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("file://{slash}{}", path.trim_end_matches('/'))
    }

    // Messages.

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the server reads");
    }

    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request without waiting; its id.
    pub fn begin(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    pub fn answer(&mut self, id: i64) -> Result<Value, Value> {
        loop {
            let message = self.next();
            if message.get("method").is_none() && message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
            self.keep(message);
        }
    }

    pub fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let start = Instant::now();
        let about = params.pointer("/textDocument/uri").map(Value::to_string).unwrap_or_default();
        let id = self.begin(method, params);
        let answer = self.answer(id);
        let took = start.elapsed();
        let slowest = self.slowest.entry(method.to_string()).or_default();
        if took > slowest.0 {
            *slowest = (took, about);
        }
        answer
    }

    /// The next message of any kind.
    pub fn next(&mut self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("the server answers")
    }

    fn keep(&mut self, message: Value) {
        if message["method"] == "textDocument/publishDiagnostics" {
            let uri = message["params"]["uri"].as_str().unwrap_or_default().to_string();
            self.published.insert(uri, message["params"].clone());
        } else if message.get("id").is_some() && message.get("method").is_some() {
            self.asked.push(message);
        }
    }

    // Documents.

    /// Opens a document; a mark in it is left out.
    pub fn open(&mut self, name: &str, text: &str) -> String {
        let text = text.replace(MARK, "");
        let uri = if name.contains(':') { name.to_string() } else { self.uri(name) };
        self.texts.insert(uri.clone(), text.clone());
        self.versions.insert(uri.clone(), 1);
        let document = json!({ "uri": uri, "languageId": "rnn", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
        uri
    }

    pub fn text(&self, uri: &str) -> &str {
        &self.texts[uri]
    }

    /// Replaces the whole text.
    pub fn replace(&mut self, uri: &str, text: &str) {
        let text = text.replace(MARK, "");
        self.change(uri, json!([{ "text": text }]));
        self.texts.insert(uri.to_string(), text);
    }

    /// Changes of the text as the protocol has them.
    pub fn change(&mut self, uri: &str, changes: Value) {
        let version = self.versions.entry(uri.to_string()).or_insert(0);
        *version += 1;
        let document = json!({ "uri": uri, "version": *version });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// The diagnostics of the present version of a document.
    pub fn diagnostics(&mut self, uri: &str) -> Vec<Value> {
        let version = self.versions.get(uri).copied();
        loop {
            if let Some(known) = self.published.get(uri)
                && (version.is_none() || known["version"].as_i64() == version)
            {
                return known["diagnostics"].as_array().cloned().unwrap_or_default();
            }
            let message = self.next();
            self.keep(message);
        }
    }

    /// Diagnostics of errors and warnings alone, as `code first line:column message`.
    pub fn mistakes(&mut self, uri: &str) -> Vec<String> {
        let found = self.diagnostics(uri).into_iter().filter(|d| d["severity"].as_i64() < Some(3));
        let shown = found.map(|d| {
            let at = &d["range"]["start"];
            let message =
                d["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_string();
            format!("{} {}:{} {message}", d["code"].as_str().unwrap_or_default(), at["line"], at["character"])
        });
        shown.collect()
    }

    /// A request at the place of the mark in `part`, a part of the document with a mark in it.
    pub fn at(&mut self, method: &str, uri: &str, part: &str, more: Value) -> Result<Value, Value> {
        let position = place(self.text(uri), part);
        let mut params = json!({ "textDocument": { "uri": uri }, "position": position });
        if let (Some(params), Some(more)) = (params.as_object_mut(), more.as_object()) {
            params.extend(more.clone());
        }
        self.request(method, params)
    }

    pub fn hover(&mut self, uri: &str, part: &str) -> String {
        let hover = self.at("textDocument/hover", uri, part, json!({})).expect("an answer");
        hover["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// Labels that are offered at the mark.
    pub fn completions(&mut self, uri: &str, part: &str) -> Vec<Value> {
        let list = self.at("textDocument/completion", uri, part, json!({})).expect("an answer");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The text of a location, and the name of its file.
    pub fn located(&self, location: &Value) -> (String, String) {
        let uri = location["uri"].as_str().unwrap_or_default();
        let name = uri.rsplit('/').next().unwrap_or_default().to_string();
        let text = self.texts.get(uri).cloned().or_else(|| std::fs::read_to_string(path_of(uri)).ok());
        (name, slice(&text.unwrap_or_default(), &location["range"]).to_string())
    }

    /// Carries out a workspace edit on the documents that are open, and tells the server.
    pub fn apply(&mut self, edit: &Value) {
        for (uri, edits) in edit["changes"].as_object().expect("changes") {
            let text = apply(self.text(uri), edits);
            self.replace(uri, &text);
        }
    }

    /// Asks it to end; its exit code.
    pub fn shut_down(mut self) -> i32 {
        assert_eq!(self.request("shutdown", Value::Null), Ok(Value::Null));
        self.notify("exit", Value::Null);
        self.exit_code()
    }

    /// Ends its input; its exit code.
    pub fn exit_code(mut self) -> i32 {
        self.input = None;
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A failed test must leave no server behind.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(out: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => {
                if let Some(n) = line.strip_prefix("Content-Length: ") {
                    length = n.parse().ok()?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    out.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn path_of(uri: &str) -> PathBuf {
    let rest = uri.strip_prefix("file://").unwrap_or(uri);
    PathBuf::from(if cfg!(windows) { rest.trim_start_matches('/') } else { rest })
}

/// The place of the mark in a part of a text, in UTF-16.
pub fn place(text: &str, part: &str) -> Value {
    let before = part.find(MARK).expect("a mark");
    let at = text.find(&part.replace(MARK, "")).unwrap_or_else(|| panic!("`{part}` is in\n{text}")) + before;
    position(text, at)
}

pub fn position(text: &str, at: usize) -> Value {
    let line = text[..at].matches('\n').count();
    let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
    json!({ "line": line, "character": text[start..at].encode_utf16().count() })
}

fn offset(text: &str, position: &Value) -> usize {
    let line = position["line"].as_u64().unwrap_or(0) as usize;
    let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let mut left = position["character"].as_u64().unwrap_or(0) as usize;
    let mut at = start;
    for c in text[start..].chars() {
        if left == 0 {
            break;
        }
        left -= c.len_utf16();
        at += c.len_utf8();
    }
    at
}

pub fn slice<'t>(text: &'t str, range: &Value) -> &'t str {
    &text[offset(text, &range["start"])..offset(text, &range["end"])]
}

/// A text with the protocol's edits.
pub fn apply(text: &str, edits: &Value) -> String {
    let mut edits: Vec<(usize, usize, String)> = edits
        .as_array()
        .expect("edits")
        .iter()
        .map(|e| {
            let range = &e["range"];
            let new = e["newText"].as_str().unwrap_or_default().to_string();
            (offset(text, &range["start"]), offset(text, &range["end"]), new)
        })
        .collect();
    edits.sort();
    let mut out = text.to_string();
    for (start, end, new) in edits.into_iter().rev() {
        out.replace_range(start..end, &new);
    }
    out
}
