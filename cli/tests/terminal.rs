//! The output of the `must` program on terminals and in pipes: it contains no control sequences, and a reader that closes the pipe causes
//! no error message.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use must::terminal::is_printable;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Clears the screen, sets the title, rings the bell, moves up a line, hides the following text, changes the reading direction, and adds a
/// line.
const EVIL: &str =
    "red\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}1A\u{9d}8;;x\u{9c}\u{8}\u{7f}\u{202e}\u{2066}\u{2028}\nforged\r\tend";

/// The same for a name, which may not contain control characters.
const EVIL_NAME: &str = "ada\u{202e}gpj\u{2066}\u{2028}forged";

fn program(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_must"));
    command.arg("--data").arg(data).args(arguments).env("USER", EVIL);
    // `audit export` makes a folder with such a name, so run in the temporary folder.
    command.current_dir(data.parent().unwrap());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), output.stderr.as_slice()].concat()).unwrap()
}

/// Runs a command and checks that its output contains only text and line breaks.
fn safely(data: &Path, arguments: &[&str], input: &str) -> String {
    let mut command = program(data, arguments);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let text = said(&process.wait_with_output().unwrap());
    let escaped = text.chars().find(|character| *character != '\n' && !is_printable(*character));
    assert_eq!(escaped, None, "{arguments:?}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("forged")), "{arguments:?}: {text:?}");
    text
}

#[test]
fn control_sequences_in_texts_are_shown_and_have_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let picture = folder.path().join("a.png");
    let picture = picture.to_str().unwrap();
    let made = safely(&data, &["--json", "generate", EVIL, "-o", picture, "--set", "steps=4"], "");
    let task: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(task["prompt"], EVIL, "escaped JSON has the same value");
    let id = task["id"].as_str().unwrap();
    let workers = ["--worker-address", "https://{workspace}.invalid"];
    for name in [EVIL, EVIL_NAME] {
        let add = [&["accounts"], &workers[..], &["add", name, "--workspace", "team-a"]].concat();
        safely(&data, &add, "ak-1\nas-1\n");
        safely(&data, &["keys", "issue", name], "");
    }
    safely(&data, &["secrets", "put", EVIL], "a value");
    safely(&data, &["audit", "recover", "--reason", EVIL], "");
    for arguments in [
        &["tasks", "list"][..],
        &["tasks", "show", id],
        &["gallery"],
        &["keys", "list"],
        &["secrets", "status"],
        &["accounts", "list"],
        &["audit", "list"],
        &["audit", "prove", "2"],
        // These are refused with an error that quotes them.
        &["tasks", "show", EVIL],
        &["tasks", "list", "--model", EVIL],
        &["generate", "a boat", "-o", EVIL],
        &["generate", "a boat", "-o", "a.png", "--set", EVIL],
        &["generate", "a boat", "-o", "a.png", "--model", EVIL],
        &["generate", "a boat", "-o", "a.png", "--image", EVIL],
        &["audit", "export", EVIL],
        &["tasks", "list", "--status", EVIL],
        &["tasks", "list", "--no\u{1b}[2Jsuch"],
        &[EVIL],
        &["accounts", "disable", EVIL],
        &["--url", EVIL, "models"],
    ] {
        safely(&data, arguments, "");
        safely(&data, &[&["--json"], arguments].concat(), "");
    }
    for listing in ["keys", "accounts"] {
        assert!(safely(&data, &[listing, "list"], "").contains("ada\\u{202e}gpj"));
    }
    let events = safely(&data, &["audit", "list", "--action", "api_key_issue"], "");
    assert!(events.contains("cli:red\\u{1b}[2J"), "{events}");
    let listed = safely(&data, &["tasks", "list"], "");
    assert!(listed.contains("red\\u{1b}[2J"), "{listed}");
    assert_eq!(listed.lines().count(), 2, "one line for the task, one for the count: {listed}");
}

/// The case of `must ... | head -1`, where head closes the pipe early.
#[test]
fn a_closed_pipe_is_not_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let into_closed_pipe = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program(&data, arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), said(&output))
    };
    let quietly = (Some(141), String::new());
    for arguments in [
        &["keys", "issue", "studio"][..],
        &["keys", "list"],
        &["--json", "keys", "list"],
        &["models"],
        &["tasks", "list"],
        &["audit", "list"],
        &["secrets", "status"],
    ] {
        assert_eq!(into_closed_pipe(arguments), quietly, "{arguments:?}");
    }
    let picture = folder.path().join("a.png");
    let generate = ["generate", "a red circle", "-q", "-o", picture.to_str().unwrap(), "--set", "steps=4"];
    assert_eq!(into_closed_pipe(&generate), quietly);
    assert!(picture.exists(), "what was asked is done all the same");
    // Errors are reported even if the reader is gone.
    let (code, said) = into_closed_pipe(&["tasks", "show", "nothing"]);
    assert_eq!(code, Some(4));
    assert!(said.starts_with("error (task_not_found)"), "{said}");
    // A full disk is an error.
    #[cfg(target_os = "linux")]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = program(&data, &["keys", "list"]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("standard output") && !error.contains("storage"), "{error}");
    }
}
