//! What is asked, one function a request: places in, the answer of [`crate::lsp`] out.

use super::server::Server;
use super::uri::{path_of, uri_of};
use super::wire::{self, Ruler, markdown};
use crate::diag::Edit;
use crate::lsp::lines::Encoding;
use crate::lsp::references::{Key, definition, places, reaches_out, symbols_at};
use crate::lsp::view::View;
use crate::lsp::{complete, format, gradient, hints, hover, outline, problems, rename, semantic, signature};
use crate::source::Span;
use lsp_server::ErrorCode;
use lsp_types::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// Why there is no answer.
pub struct Refused {
    pub code: ErrorCode,
    pub what: String,
}

impl Refused {
    fn params(what: impl Into<String>) -> Refused {
        Refused { code: ErrorCode::InvalidParams, what: what.into() }
    }

    fn failed(what: impl Into<String>) -> Refused {
        Refused { code: ErrorCode::RequestFailed, what: what.into() }
    }
}

type Answer = Result<Value, Refused>;

/// The command that shows a cell's derived gradient.
const SHOW_GRADIENT: &str = "rnnc.showGradient";

pub fn answer(server: &mut Server, method: &str, params: Value) -> Answer {
    match method {
        "textDocument/hover" => hover(server, get(params)?),
        "textDocument/definition" => definition_of(server, get(params)?, false),
        "textDocument/declaration" => definition_of(server, get(params)?, true),
        "textDocument/references" => references(server, get(params)?),
        "textDocument/documentHighlight" => highlights(server, get(params)?),
        "textDocument/prepareRename" => prepare_rename(server, get(params)?),
        "textDocument/rename" => rename(server, get(params)?),
        "textDocument/completion" => completion(server, get(params)?),
        "textDocument/signatureHelp" => signature_help(server, get(params)?),
        "textDocument/formatting" => formatting(server, get(params)?),
        "textDocument/inlayHint" => inlay_hints(server, get(params)?),
        "textDocument/documentSymbol" => symbols(server, get(params)?),
        "textDocument/foldingRange" => folds(server, get(params)?),
        "textDocument/semanticTokens/full" => colours(server, get(params)?),
        "textDocument/codeAction" => actions(server, get(params)?),
        "textDocument/codeLens" => lenses(server, get(params)?),
        "workspace/executeCommand" => execute(server, get(params)?),
        _ => Err(Refused { code: ErrorCode::MethodNotFound, what: format!("`{method}` is not known") }),
    }
}

pub fn capabilities(encoding: Encoding) -> ServerCapabilities {
    let none = WorkDoneProgressOptions::default;
    let legend = SemanticTokensLegend {
        token_types: semantic::KINDS.map(SemanticTokenType::new).to_vec(),
        token_modifiers: semantic::MODIFIERS.map(SemanticTokenModifier::new).to_vec(),
    };
    let colours = SemanticTokensOptions {
        legend,
        full: Some(SemanticTokensFullOptions::Bool(true)),
        ..SemanticTokensOptions::default()
    };
    let folders = WorkspaceFoldersServerCapabilities {
        supported: Some(true),
        change_notifications: Some(OneOf::Left(true)),
    };
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(TextDocumentSyncSaveOptions::Supported(true)),
        ..TextDocumentSyncOptions::default()
    };
    ServerCapabilities {
        position_encoding: Some(match encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }),
        text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(["\\", ".", "~"].map(String::from).to_vec()),
            ..CompletionOptions::default()
        }),
        signature_help_provider: Some(SignatureHelpOptions {
            trigger_characters: Some(["(", ","].map(String::from).to_vec()),
            retrigger_characters: None,
            work_done_progress_options: none(),
        }),
        definition_provider: Some(OneOf::Left(true)),
        declaration_provider: Some(DeclarationCapability::Simple(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: none(),
        })),
        folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: vec![SHOW_GRADIENT.into()],
            work_done_progress_options: none(),
        }),
        inlay_hint_provider: Some(OneOf::Left(true)),
        semantic_tokens_provider: Some(colours.into()),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(folders),
            file_operations: None,
        }),
        ..ServerCapabilities::default()
    }
}

fn get<T: DeserializeOwned>(params: Value) -> Result<T, Refused> {
    serde_json::from_value(params).map_err(|e| Refused::params(e.to_string()))
}

fn give(value: impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|e| Refused::failed(e.to_string()))
}

/// A file as it is now.
fn view(server: &mut Server, uri: &Uri) -> Result<Arc<View>, Refused> {
    let path = path_of(uri);
    server.view(&path).ok_or_else(|| Refused::params(format!("{path} is not open and cannot be read")))
}

fn ruler<'v>(server: &Server, view: &'v View) -> Ruler<'v> {
    Ruler::new(view.text(view.root), server.encoding)
}

/// A file, and a place in it.
fn at(server: &mut Server, params: &TextDocumentPositionParams) -> Result<(Arc<View>, u32), Refused> {
    let view = view(server, &params.text_document.uri)?;
    let offset = ruler(server, &view).offset(params.position);
    Ok((view, offset))
}

fn hover(server: &mut Server, params: HoverParams) -> Answer {
    let (view, offset) = at(server, &params.text_document_position_params)?;
    let found = hover::hover(&view, offset);
    let ruler = ruler(server, &view);
    give(found.map(|h| Hover {
        contents: HoverContents::Markup(markdown(h.text)),
        range: Some(ruler.range(h.span)),
    }))
}

fn definition_of(server: &mut Server, params: GotoDefinitionParams, declaration: bool) -> Answer {
    let (view, offset) = at(server, &params.text_document_position_params)?;
    let wire = server.wire();
    let spans = definition(&view, offset, declaration);
    give(spans.into_iter().filter_map(|span| wire.location(&view, span)).collect::<Vec<_>>())
}

fn references(server: &mut Server, params: ReferenceParams) -> Answer {
    let (view, offset) = at(server, &params.text_document_position)?;
    let symbols = symbols_at(&view, offset);
    if symbols.is_empty() {
        return give(Value::Null);
    }
    let others = match symbols.iter().any(reaches_out) {
        true => further_files(server, &view),
        false => Vec::new(),
    };
    let with_declaration = params.context.include_declaration;
    let wire = server.wire();
    let found = server.in_world(|world| {
        let keys: Vec<Key> = symbols.iter().map(|s| world.key(&view, s)).collect();
        let mut out = Vec::new();
        let mut add = |there: &View| {
            let found = places(world, there, &keys).into_iter();
            let wanted =
                found.filter(|(_, role)| with_declaration || *role == crate::lsp::index::Role::Reads);
            out.extend(wanted.filter_map(|(span, _)| wire.location(there, span)));
        };
        add(&view);
        for path in &others {
            if let Some(there) = world.view(path) {
                add(&there);
            }
        }
        out
    });
    give(found)
}

/// All files that may hold a name of this one, but itself: open ones, those of the folders, what it imports.
fn further_files(server: &Server, view: &View) -> Vec<String> {
    let own = view.path(view.root);
    let mut out: Vec<String> = server.documents.paths().cloned().collect();
    out.extend(server.disk.files());
    out.extend(view.own_paths().map(str::to_string));
    out.sort();
    out.dedup();
    out.retain(|path| path != own);
    out
}

fn highlights(server: &mut Server, params: DocumentHighlightParams) -> Answer {
    let (view, offset) = at(server, &params.text_document_position_params)?;
    let symbols = symbols_at(&view, offset);
    let ruler = ruler(server, &view);
    let found = server.in_world(|world| {
        let keys: Vec<Key> = symbols.iter().map(|s| world.key(&view, s)).collect();
        places(world, &view, &keys)
    });
    let shown = found.into_iter().map(|(span, role)| DocumentHighlight {
        range: ruler.range(span),
        kind: Some(match role {
            crate::lsp::index::Role::Reads => DocumentHighlightKind::READ,
            _ => DocumentHighlightKind::WRITE,
        }),
    });
    give(shown.collect::<Vec<_>>())
}

/// A copy of a library file is for reading.
fn is_copy(server: &Server, view: &View) -> bool {
    let copies = server.cache.copies();
    !copies.is_empty() && view.path(view.root).starts_with(&copies)
}

fn prepare_rename(server: &mut Server, params: TextDocumentPositionParams) -> Answer {
    let (view, offset) = at(server, &params)?;
    if is_copy(server, &view) {
        return Err(Refused::failed("the standard library cannot be changed"));
    }
    let (span, placeholder) = rename::prepare(&view, offset).map_err(Refused::failed)?;
    let range = ruler(server, &view).range(span);
    give(PrepareRenameResponse::RangeWithPlaceholder { range, placeholder })
}

fn rename(server: &mut Server, params: RenameParams) -> Answer {
    let (view, offset) = at(server, &params.text_document_position)?;
    if is_copy(server, &view) {
        return Err(Refused::failed("the standard library cannot be changed"));
    }
    let others = further_files(server, &view);
    let edits = server
        .in_world(|world| rename::rename(world, &view, &others, offset, params.new_name.trim()))
        .map_err(Refused::failed)?;
    let mut files = Vec::new();
    for (path, edits) in edits {
        let there = server.view(&path).ok_or_else(|| Refused::failed(format!("{path} cannot be read")))?;
        let Some(uri) = uri_of(&path) else { continue };
        files.push((uri, server.wire().edits(there.text(there.root), &edits)));
    }
    give(wire::changes(files))
}

fn completion(server: &mut Server, params: CompletionParams) -> Answer {
    let (view, offset) = at(server, &params.text_document_position)?;
    let ruler = ruler(server, &view);
    let wire = server.wire();
    let items = complete::complete(&view, offset as usize);
    let items = items.iter().map(|i| wire.completion(&ruler, i)).collect();
    give(CompletionResponse::List(CompletionList { is_incomplete: false, items }))
}

fn signature_help(server: &mut Server, params: SignatureHelpParams) -> Answer {
    let (view, offset) = at(server, &params.text_document_position_params)?;
    let Some(found) = signature::signature(&view, offset as usize) else { return give(Value::Null) };
    let parameters = found
        .parameters
        .iter()
        .map(|p| ParameterInformation { label: ParameterLabel::Simple(p.clone()), documentation: None });
    let active = found.active.map(|a| a as u32);
    let signature = SignatureInformation {
        label: found.label,
        documentation: Some(Documentation::MarkupContent(markdown(found.docs))),
        parameters: Some(parameters.collect()),
        active_parameter: active,
    };
    give(SignatureHelp { signatures: vec![signature], active_signature: Some(0), active_parameter: active })
}

fn formatting(server: &mut Server, params: DocumentFormattingParams) -> Answer {
    let view = view(server, &params.text_document.uri)?;
    let text = view.text(view.root);
    let Some(new) = format::formatted(text) else { return give(Value::Null) };
    let Some((range, part)) = format::difference(text, &new) else { return give(Vec::<TextEdit>::new()) };
    let span = Span { file: view.root, start: range.start as u32, end: range.end as u32 };
    give(server.wire().edits(text, &[Edit { span, text: part.to_string() }]))
}

fn inlay_hints(server: &mut Server, params: InlayHintParams) -> Answer {
    let view = view(server, &params.text_document.uri)?;
    let ruler = ruler(server, &view);
    let range = ruler.span(view.root, params.range);
    let shown = hints::hints(&view, range).into_iter().map(|hint| InlayHint {
        position: ruler.position(hint.at),
        label: InlayHintLabel::String(hint.text),
        kind: Some(InlayHintKind::TYPE),
        text_edits: None,
        tooltip: None,
        padding_left: None,
        padding_right: None,
        data: None,
    });
    give(shown.collect::<Vec<_>>())
}

fn symbols(server: &mut Server, params: DocumentSymbolParams) -> Answer {
    let view = view(server, &params.text_document.uri)?;
    let ruler = ruler(server, &view);
    let entries = outline::outline(view.root, view.text(view.root));
    let shown = entries.iter().map(|e| wire::symbol(&ruler, e)).collect();
    give(DocumentSymbolResponse::Nested(shown))
}

fn folds(server: &mut Server, params: FoldingRangeParams) -> Answer {
    let view = view(server, &params.text_document.uri)?;
    let ruler = ruler(server, &view);
    let found = outline::folds(view.root, view.text(view.root));
    give(found.into_iter().map(|span| wire::fold(&ruler, span)).collect::<Vec<_>>())
}

fn colours(server: &mut Server, params: SemanticTokensParams) -> Answer {
    let view = view(server, &params.text_document.uri)?;
    let ruler = ruler(server, &view);
    let data = wire::tokens(&ruler, &semantic::colours(&view));
    give(SemanticTokens { result_id: None, data })
}

fn actions(server: &mut Server, params: CodeActionParams) -> Answer {
    let path = path_of(&params.text_document.uri);
    let Some((view, found)) = server.problems(&path) else {
        return Err(Refused::params(format!("{path} is not open and cannot be read")));
    };
    let ruler = ruler(server, &view);
    let range = ruler.span(view.root, params.range);
    let wire = server.wire();
    let actions = problems::mends(&found, range).into_iter().filter_map(|(problem, fix, is_sure)| {
        Some(CodeActionOrCommand::CodeAction(CodeAction {
            title: fix.title.clone(),
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![wire.diagnostic(&view, &ruler, problem)]),
            edit: Some(wire.workspace_edit(&view, &fix.edits)?),
            is_preferred: Some(is_sure),
            ..CodeAction::default()
        }))
    });
    give(actions.collect::<Vec<_>>())
}

fn lenses(server: &mut Server, params: CodeLensParams) -> Answer {
    let uri = params.text_document.uri;
    let view = view(server, &uri)?;
    let ruler = ruler(server, &view);
    let lenses = gradient::targets(&view).into_iter().map(|target| CodeLens {
        range: ruler.range(target.name),
        command: Some(Command {
            title: "show gradient".into(),
            command: SHOW_GRADIENT.into(),
            arguments: Some(vec![Value::from(uri.as_str()), Value::from(target.recipe)]),
        }),
        data: None,
    });
    give(lenses.collect::<Vec<_>>())
}

/// The gradient's text; where the client can, it is shown too.
fn execute(server: &mut Server, params: ExecuteCommandParams) -> Answer {
    if params.command != SHOW_GRADIENT {
        return Err(Refused::params(format!("`{}` is no command", params.command)));
    }
    let [Value::String(uri), Value::String(recipe)] = params.arguments.as_slice() else {
        return Err(Refused::params("a URI and a recipe are wanted"));
    };
    let uri: Uri = get(Value::from(uri.as_str()))?;
    let view = view(server, &uri)?;
    let text = gradient::gradient(&view, recipe).map_err(|mistakes| {
        let said: Vec<&str> = mistakes.iter().filter(|d| d.is_error()).map(|d| d.message.as_str()).collect();
        Refused::failed(said.join("\n"))
    })?;
    let name = recipe.split('(').next().unwrap_or_default();
    if server.client.shows_documents
        && let Some(uri) = server.cache.gradient(name, &text).and_then(|path| uri_of(&path))
    {
        let shown = serde_json::json!({ "uri": uri.as_str(), "takeFocus": true });
        // That nobody listens any more is found out with the answer.
        let _ = server.ask("window/showDocument", shown);
    }
    give(text)
}
