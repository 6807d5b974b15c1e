// Starts `rnnc lsp` and lets the editor talk to it. Everything else is the server's.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function activate() {
  const settings = vscode.workspace.getConfiguration("rnnc");
  const run = {
    command: settings.get("path", "rnnc"),
    args: ["lsp", ...settings.get("arguments", [])],
  };
  client = new LanguageClient(
    "rnnc",
    "rnnc",
    { run, debug: run },
    { documentSelector: [{ language: "rnn" }] },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    vscode.window.showErrorMessage(
      `rnnc could not be started (${error.message}). Set rnnc.path to where it is.`,
    );
  }
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
