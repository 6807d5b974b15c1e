//! The state of the server, and the order in which things are done.
//!
//! Messages are taken from the queue in their order. Before one is worked on, everything that has arrived is looked at: a request
//! that was cancelled, or whose text has changed since, is not worked on any more. When nothing waits, files that have changed
//! are checked, a little after their last change.

use super::Event;
use super::cache::Cache;
use super::checker::{self, Checked, Job};
use super::disk::Disk;
use super::requests::{self, Refused};
use super::transport::{self, Arrival};
use super::uri::{path_of, uri_of};
use super::wire::{Ruler, Wire, place};
use crate::limits::Limits;
use crate::lsp::lines::Encoding;
use crate::lsp::overlay::{Change, Documents, Overlay};
use crate::lsp::problems::{Problem, problems};
use crate::lsp::references::World;
use crate::lsp::view::View;
use crate::resolve::Base;
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::*;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// The first change after so long is checked at once; changes in quick succession when they have ceased for so long.
const QUIET: Duration = Duration::from_millis(80);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing but `initialize` is answered.
    New,
    Running,
    /// `shutdown` was asked for.
    Ended,
}

/// What the client can do.
#[derive(Clone, Copy, Default)]
pub struct Client {
    pub shows_documents: bool,
    watches_files: bool,
}

/// A view, and what it was made of.
struct Kept {
    view: Arc<View>,
    /// Its own files: what each held if it was open.
    texts: Vec<(String, Option<Arc<str>>)>,
    disk: u64,
}

pub struct Server {
    pub limits: Limits,
    pub base: Arc<Base>,
    pub documents: Documents,
    pub disk: Disk,
    pub cache: Cache,
    pub encoding: Encoding,
    pub client: Client,
    phase: Phase,
    views: BTreeMap<String, Kept>,
    /// Grows whenever files on disk may have changed.
    disk_version: u64,
    /// Open files that are to be checked, and when.
    due: BTreeMap<String, Instant>,
    /// When something last changed.
    changed: Option<Instant>,
    is_checking: bool,
    jobs: Sender<Job>,
    /// What was last found in each open file, and of which view.
    found: BTreeMap<String, (Arc<View>, Vec<Problem>)>,
    /// For each open file, the other files it has said something of.
    elsewhere: BTreeMap<String, BTreeSet<String>>,
    next_id: i32,
}

impl Server {
    /// `root`: the folder that files may be imported from, if that is said on the command line.
    pub fn new(limits: Limits, root: Option<PathBuf>, events: Sender<Event>) -> Server {
        let folders = root.and_then(|r| r.canonicalize().ok()).into_iter().collect();
        Server {
            limits,
            base: Arc::new(Base::new()),
            documents: Documents::default(),
            disk: Disk { folders, most: limits.source },
            cache: Cache::new(),
            encoding: Encoding::Utf16,
            client: Client::default(),
            phase: Phase::New,
            views: BTreeMap::new(),
            disk_version: 0,
            due: BTreeMap::new(),
            changed: None,
            is_checking: false,
            jobs: checker::start(events),
            found: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// Works until the end; whether that was asked for.
    pub fn serve(&mut self, events: &Receiver<Event>) -> bool {
        let mut waiting: VecDeque<Event> = VecDeque::new();
        loop {
            waiting.extend(events.try_iter());
            let Some(event) = waiting.pop_front() else {
                match self.wait(events) {
                    Ok(event) => waiting.push_back(event),
                    Err(RecvTimeoutError::Timeout) => self.check_next(),
                    Err(RecvTimeoutError::Disconnected) => return self.phase == Phase::Ended,
                }
                continue;
            };
            let goes_on = match event {
                Event::Checked(checked) => self.checked(checked),
                Event::Arrived(Arrival::End) => return self.phase == Phase::Ended,
                Event::Arrived(Arrival::Broken(id, what)) => self.broken(id, &what),
                Event::Arrived(Arrival::Message(Message::Response(_))) => Ok(()),
                Event::Arrived(Arrival::Message(Message::Notification(n))) => {
                    if n.method == "exit" {
                        return self.phase == Phase::Ended;
                    }
                    // A mistake in here must not end what it may have done half: texts are whole, views are made anew.
                    let done = catch_unwind(AssertUnwindSafe(|| self.notified(n)));
                    done.unwrap_or(Ok(()))
                }
                Event::Arrived(Arrival::Message(Message::Request(r))) => {
                    let response = self.response(r, &waiting);
                    self.send(&Message::Response(response))
                }
            };
            // Nobody reads what is written.
            if goes_on.is_err() {
                return self.phase == Phase::Ended;
            }
        }
    }

    fn wait(&self, events: &Receiver<Event>) -> Result<Event, RecvTimeoutError> {
        match self.due.values().min().filter(|_| !self.is_checking) {
            Some(due) => events.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    // Requests.

    fn response(&mut self, request: Request, waiting: &VecDeque<Event>) -> Response {
        let Request { id, method, params } = request;
        let refused = |code: ErrorCode, what: &str| Response::new_err(id.clone(), code as i32, what.into());
        match (self.phase, method.as_str()) {
            (Phase::New, "initialize") => return self.initialize(id, params),
            (Phase::New, _) => return refused(ErrorCode::ServerNotInitialized, "`initialize` comes first"),
            (Phase::Ended, _) | (_, "initialize") => {
                return refused(ErrorCode::InvalidRequest, "it is too late for this");
            }
            (Phase::Running, "shutdown") => {
                self.phase = Phase::Ended;
                return Response::new_ok(id, Value::Null);
            }
            (Phase::Running, _) => {}
        }
        if let Some((code, what)) = overtaken(&id, &params, waiting) {
            return refused(code, what);
        }
        let answer = catch_unwind(AssertUnwindSafe(|| requests::answer(self, &method, params)));
        match answer {
            Ok(Ok(value)) => Response::new_ok(id, value),
            Ok(Err(Refused { code, what })) => refused(code, &what),
            Err(_) => {
                // What it had begun to find out may be half.
                self.views.clear();
                refused(ErrorCode::InternalError, "this is a mistake in rnnc, not in your file")
            }
        }
    }

    fn initialize(&mut self, id: RequestId, params: Value) -> Response {
        let params: InitializeParams = match serde_json::from_value(params) {
            Ok(params) => params,
            Err(e) => return Response::new_err(id, ErrorCode::InvalidParams as i32, e.to_string()),
        };
        let general = params.capabilities.general.as_ref();
        let encodings = general.and_then(|g| g.position_encodings.as_deref()).unwrap_or_default();
        if encodings.contains(&PositionEncodingKind::UTF8) {
            self.encoding = Encoding::Utf8;
        }
        let window = params.capabilities.window.as_ref().and_then(|w| w.show_document.as_ref());
        let workspace = params.capabilities.workspace.as_ref();
        let watched = workspace.and_then(|w| w.did_change_watched_files).and_then(|w| w.dynamic_registration);
        self.client = Client {
            shows_documents: window.is_some_and(|w| w.support),
            watches_files: watched == Some(true),
        };
        #[allow(deprecated)]
        let root = params.root_uri.iter().cloned();
        let folders = params.workspace_folders.unwrap_or_default().into_iter().map(|f| f.uri);
        folders.chain(root).for_each(|uri| self.add_folder(&uri));
        self.phase = Phase::Running;
        let answer = InitializeResult {
            capabilities: requests::capabilities(self.encoding),
            server_info: Some(ServerInfo {
                name: "rnnc".into(),
                version: Some(env!("CARGO_PKG_VERSION").into()),
            }),
        };
        match serde_json::to_value(answer) {
            Ok(value) => Response::new_ok(id, value),
            Err(e) => Response::new_err(id, ErrorCode::InternalError as i32, e.to_string()),
        }
    }

    fn add_folder(&mut self, uri: &Uri) {
        if let Ok(folder) = PathBuf::from(path_of(uri)).canonicalize()
            && !self.disk.folders.contains(&folder)
        {
            self.disk.folders.push(folder);
        }
    }

    // Notifications.

    fn notified(&mut self, n: Notification) -> io::Result<()> {
        if self.phase != Phase::Running {
            return Ok(());
        }
        match n.method.as_str() {
            "initialized" => self.initialized(),
            "textDocument/didOpen" => {
                if let Some(DidOpenTextDocumentParams { text_document: d }) = parsed(n.params) {
                    let path = path_of(&d.uri);
                    self.documents.open(path.clone(), d.version, d.text);
                    // Those that import it see it as it is in the editor.
                    self.all_due();
                    self.due.insert(path, Instant::now());
                }
                Ok(())
            }
            "textDocument/didChange" => {
                if let Some(params) = parsed::<DidChangeTextDocumentParams>(n.params) {
                    self.change(params);
                }
                Ok(())
            }
            "textDocument/didClose" => match parsed::<DidCloseTextDocumentParams>(n.params) {
                Some(params) => self.close(&path_of(&params.text_document.uri)),
                None => Ok(()),
            },
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.disk_version += 1;
                self.all_due();
                Ok(())
            }
            "workspace/didChangeWorkspaceFolders" => {
                if let Some(DidChangeWorkspaceFoldersParams { event }) = parsed(n.params) {
                    for gone in &event.removed {
                        let gone = PathBuf::from(path_of(&gone.uri)).canonicalize();
                        self.disk.folders.retain(|f| Some(f) != gone.as_ref().ok());
                    }
                    event.added.iter().for_each(|f| self.add_folder(&f.uri));
                    self.disk_version += 1;
                    self.all_due();
                }
                Ok(())
            }
            // `$/cancelRequest` has been seen when its request was; of the rest nothing needs to be known.
            _ => Ok(()),
        }
    }

    fn initialized(&mut self) -> io::Result<()> {
        // The library's items are read while the editor opens its first file.
        let base = self.base.clone();
        std::thread::spawn(move || {
            let _ = catch_unwind(AssertUnwindSafe(|| base.read_all()));
        });
        if !self.client.watches_files {
            return Ok(());
        }
        let registration = serde_json::json!({ "registrations": [{
            "id": "rnn-files",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": { "watchers": [{ "globPattern": "**/*.rnn" }] },
        }] });
        self.ask("client/registerCapability", registration)
    }

    fn change(&mut self, params: DidChangeTextDocumentParams) {
        let path = path_of(&params.text_document.uri);
        let changes = params
            .content_changes
            .into_iter()
            .map(|c| Change { range: c.range.map(|r| (place(r.start), place(r.end))), text: c.text });
        let changes: Vec<Change> = changes.collect();
        if !self.documents.change(&path, params.text_document.version, &changes, self.encoding) {
            return;
        }
        // What has imported it sees it changed.
        let reads = |kept: &Kept| kept.texts.iter().any(|(own, _)| *own == path);
        let dependent: Vec<String> =
            self.views.iter().filter(|(_, kept)| reads(kept)).map(|(p, _)| p.clone()).collect();
        let due = self.next_due();
        for path in dependent.into_iter().chain([path]) {
            if self.documents.get(&path).is_some() {
                self.due.insert(path, due);
            }
        }
    }

    fn close(&mut self, path: &str) -> io::Result<()> {
        if self.documents.get(path).is_none() {
            return Ok(());
        }
        self.documents.close(path);
        self.disk_version += 1;
        self.due.remove(path);
        self.found.remove(path);
        let mut gone = self.elsewhere.remove(path).unwrap_or_default();
        gone.insert(path.to_string());
        for path in gone {
            self.publish(&path, None, Vec::new())?;
        }
        self.all_due();
        Ok(())
    }

    /// When what changes now is checked.
    fn next_due(&mut self) -> Instant {
        let now = Instant::now();
        let is_first = self.changed.is_none_or(|before| now - before > QUIET);
        self.changed = Some(now);
        if is_first { now } else { now + QUIET }
    }

    fn all_due(&mut self) {
        let due = self.next_due();
        let open: Vec<String> = self.documents.paths().cloned().collect();
        self.due.extend(open.into_iter().map(|path| (path, due)));
    }

    // Views.

    /// The view of a file that is known, if all it was made of is as it was.
    fn fresh(&self, path: &str) -> Option<&Arc<View>> {
        let kept = self.views.get(path).filter(|kept| kept.disk == self.disk_version)?;
        let is_same = |(path, then): &(String, Option<Arc<str>>)| match (self.documents.get(path), then) {
            (Some(now), Some(then)) => Arc::ptr_eq(&now.text, then),
            (None, None) => true,
            _ => false,
        };
        kept.texts.iter().all(is_same).then_some(&kept.view)
    }

    /// The present view of a file; `None` if it cannot be read.
    pub fn view(&mut self, path: &str) -> Option<Arc<View>> {
        if let Some(view) = self.fresh(path) {
            return Some(view.clone());
        }
        let document = |path: &str| self.documents.get(path).map(|d| d.text.clone());
        let overlay = Overlay { documents: &self.documents, disk: &self.disk };
        let view = Arc::new(View::load(&self.base, &overlay, path, &self.limits)?);
        let texts = view.own_paths().map(|p| (p.to_string(), document(p))).collect();
        let kept = Kept { view: view.clone(), texts, disk: self.disk_version };
        // Files that are not open are asked for now and then; their views need not stay.
        if self.documents.get(path).is_some() {
            self.views.insert(path.to_string(), kept);
        }
        self.views.retain(|path, _| self.documents.get(path).is_some());
        Some(view)
    }

    /// What is to be said of a file now, as it is: at once, if that is not known yet.
    pub fn problems(&mut self, path: &str) -> Option<(Arc<View>, Vec<Problem>)> {
        let view = self.view(path)?;
        if let Some((of, found)) = self.found.get(path).filter(|(of, _)| Arc::ptr_eq(of, &view)) {
            return Some((of.clone(), found.clone()));
        }
        let found = problems(&view, &view.problems());
        Some((view, found))
    }

    /// Runs with everything that other files are found by.
    pub fn in_world<T>(&self, run: impl FnOnce(&World<'_>) -> T) -> T {
        let overlay = Overlay { documents: &self.documents, disk: &self.disk };
        let copies = self.cache.copies();
        run(&World { base: &self.base, loader: &overlay, limits: &self.limits, copies: &copies })
    }

    pub fn wire(&self) -> Wire<'_> {
        Wire { encoding: self.encoding, cache: &self.cache }
    }

    // Diagnostics.

    /// Hands the file that has waited longest to the checker.
    fn check_next(&mut self) {
        if self.is_checking {
            return;
        }
        let now = Instant::now();
        let next = self.due.iter().filter(|(_, due)| **due <= now).min_by_key(|(_, due)| **due);
        let Some(path) = next.map(|(path, _)| path.clone()) else { return };
        self.due.remove(&path);
        let view = catch_unwind(AssertUnwindSafe(|| self.view(&path))).ok().flatten();
        if let Some(view) = view {
            self.is_checking = self.jobs.send(Job { path, view }).is_ok();
        }
    }

    fn checked(&mut self, checked: Checked) -> io::Result<()> {
        self.is_checking = false;
        let Checked { path, view, diagnostics } = checked;
        // A text that has changed since is due again.
        let is_current = self.fresh(&path).is_some_and(|fresh| Arc::ptr_eq(fresh, &view));
        let (true, Some(diagnostics)) = (is_current, diagnostics) else { return Ok(()) };
        let found = problems(&view, &diagnostics);
        let mut files: BTreeMap<String, Vec<&Problem>> = BTreeMap::from([(path.clone(), Vec::new())]);
        for problem in &found {
            files.entry(view.path(problem.span.file).to_string()).or_default().push(problem);
        }
        // A file that is open speaks for itself.
        files.retain(|file, _| *file == path || self.documents.get(file).is_none());
        let before = self.elsewhere.remove(&path).unwrap_or_default();
        let now: BTreeSet<String> = files.keys().filter(|f| **f != path).cloned().collect();
        let mut published = Vec::new();
        for (file, problems) in files {
            let Some(first) = view.library.files().iter().find(|f| f.path == file) else { continue };
            let ruler = Ruler::new(view.text(first.file), self.encoding);
            let wire = self.wire();
            let shown = problems.iter().map(|p| wire.diagnostic(&view, &ruler, p)).collect();
            published.push((file, shown));
        }
        for gone in before.difference(&now).filter(|f| self.documents.get(f).is_none()) {
            published.push((gone.clone(), Vec::new()));
        }
        self.elsewhere.insert(path.clone(), now);
        self.found.insert(path, (view, found));
        for (file, shown) in published {
            let version = self.documents.get(&file).map(|d| d.version);
            self.publish(&file, version, shown)?;
        }
        Ok(())
    }

    fn publish(&self, path: &str, version: Option<i32>, diagnostics: Vec<Diagnostic>) -> io::Result<()> {
        let Some(uri) = uri_of(path) else { return Ok(()) };
        let params = PublishDiagnosticsParams { uri, diagnostics, version };
        let Ok(params) = serde_json::to_value(params) else { return Ok(()) };
        let method = "textDocument/publishDiagnostics".to_string();
        self.send(&Message::Notification(Notification { method, params }))
    }

    // Out.

    /// Asks the client; its answer changes nothing.
    pub fn ask(&mut self, method: &str, params: Value) -> io::Result<()> {
        self.next_id += 1;
        let id = RequestId::from(format!("rnnc-{}", self.next_id));
        self.send(&Message::Request(Request { id, method: method.into(), params }))
    }

    fn send(&self, message: &Message) -> io::Result<()> {
        transport::write(&mut io::stdout().lock(), message)
    }

    fn broken(&self, id: Option<Value>, what: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        transport::write_broken(&mut out, id, what)?;
        out.flush()
    }
}

fn parsed<T: DeserializeOwned>(params: Value) -> Option<T> {
    serde_json::from_value(params).ok()
}

/// Whether what waits makes a request needless.
fn overtaken(id: &RequestId, params: &Value, waiting: &VecDeque<Event>) -> Option<(ErrorCode, &'static str)> {
    let document = |params: &Value| params.pointer("/textDocument/uri").cloned();
    let own = document(params);
    let id = serde_json::to_value(id).ok();
    waiting.iter().find_map(|event| {
        let Event::Arrived(Arrival::Message(Message::Notification(n))) = event else { return None };
        match n.method.as_str() {
            "$/cancelRequest" if n.params.get("id") == id.as_ref() => {
                Some((ErrorCode::RequestCanceled, "cancelled"))
            }
            "textDocument/didChange" if own.is_some() && document(&n.params) == own => {
                Some((ErrorCode::ContentModified, "the text has changed since"))
            }
            _ => None,
        }
    })
}
