//! The `must` program as a user runs it: what it prints and how it exits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn program(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_must"));
    command.arg("--data").arg(data).args(arguments);
    command
}

fn must(data: &Path, arguments: &[&str]) -> Run {
    Run::of(program(data, arguments).output().unwrap())
}

impl Run {
    fn of(Output { status, stdout, stderr }: Output) -> Self {
        Self {
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_help_of_a_command_shows_its_own_options_first() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, own) in [(["generate", "--help"], "--output"), (["serve", "--help"], "--sessions-per-minute")] {
        let said = must(folder.path(), &arguments).stdout;
        let place = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text} is missing in {said}"));
        assert!(place(own) < place("General options:"), "{said}");
        assert!(place("General options:") < place("--data"), "{said}");
    }
}

#[test]
fn generate_show_list_and_delete() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let picture = folder.path().join("circle.png");
    let picture = picture.to_str().unwrap();
    let made = must(&data, &["--json", "generate", "a red circle", "-o", picture, "--seed", "7", "--set", "steps=4"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let task = json(&made.stdout);
    assert_eq!(
        (&task["status"], &task["model"], &task["parameters"]["steps"]),
        (&"done".into(), &"tiny-image".into(), &4.into())
    );
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
    let id = task["id"].as_str().unwrap();

    let again = folder.path().join("again.jpg");
    let made = must(
        &data,
        &[
            "generate",
            "a red circle",
            "-o",
            again.to_str().unwrap(),
            "--set",
            "steps=4",
            "--image",
            &format!("reference_image={picture}"),
            "-q",
        ],
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stdout.contains("seed"), "{}", made.stdout);

    let gallery = json(&must(&data, &["gallery", "--json"]).stdout);
    assert_eq!(gallery["total"], 2);
    assert_eq!(gallery["items"][0]["mode"], "img2img", "the mode follows from the image");
    assert_eq!(json(&must(&data, &["tasks", "show", id, "--json"]).stdout)["id"], id);
    assert_eq!(json(&must(&data, &["tasks", "list", "--status", "failed", "--json"]).stdout)["total"], 0);
    assert_eq!(json(&must(&data, &["gallery", "--owner", "", "--json"]).stdout)["total"], 2, "nobody's");
    assert_eq!(json(&must(&data, &["tasks", "list", "--owner", "anna", "--json"]).stdout)["total"], 0);
    assert_eq!(json(&must(&data, &["tasks", "cancel", id, "--json"]).stdout)["cancelled"], false);
    assert_eq!(must(&data, &["tasks", "delete", id]).code, 0);
    assert_eq!(must(&data, &["tasks", "show", id]).code, 4);
    let models = json(&must(&data, &["models", "--json"]).stdout);
    assert_eq!(models["models"].as_array().unwrap().len(), 6);
}

#[test]
fn refusals_say_why_and_exit_with_their_code() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("not-a-folder");
    std::fs::write(&file, "x").unwrap();
    for (arguments, code, name) in [
        (vec!["generate", "a boat", "-o", "boat.gif"], 2, "validation_error"),
        (vec!["generate", " ", "-o", "boat.png"], 2, "validation_error"),
        (vec!["generate", "a boat", "-o", "boat.png", "--set", "width=65"], 2, "validation_error"),
        (vec!["generate", "a boat", "-o", "boat.png", "--set", "nonsense"], 2, "validation_error"),
        (vec!["generate", "a boat", "-o", "boat.png", "--model", "pony"], 3, "model_unavailable"),
        (vec!["tasks", "show", "nothing"], 4, "task_not_found"),
    ] {
        let run = must(&data, &[&["--json"], arguments.as_slice()].concat());
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        let error = json(&run.stderr);
        assert_eq!(error["code"], name);
        assert!(
            error["detail"].as_str().is_some_and(|text| !text.is_empty())
                && error["user_action"].as_str().is_some_and(|text| !text.is_empty())
        );
        assert!(run.stdout.is_empty());
    }
    let run = must(&file, &["--json", "models"]);
    assert_eq!((run.code, json(&run.stderr)["code"].as_str()), (3, Some("dependency_unavailable")));
    assert_eq!(must(&data, &["generate"]).code, 2);
}

/// root may write anywhere, so for root the program runs as another user, from a place that this user can read.
#[cfg(unix)]
#[test]
fn a_read_only_folder_is_reported() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    let (data, program) = (folder.path().join("data"), folder.path().join("must"));
    let set_mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    std::fs::create_dir(&data).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_must"), &program).unwrap();
    set_mode(folder.path(), 0o755);
    set_mode(&program, 0o755);
    set_mode(&data, 0o555);
    let mut command = Command::new(&program);
    command.args(["--json", "--data"]).arg(&data).arg("models");
    if std::fs::metadata(folder.path()).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let error = json(std::str::from_utf8(&output.stderr).unwrap());
    assert_eq!(error["code"], "dependency_unavailable");
    assert!(error["detail"].as_str().unwrap().contains(data.to_str().unwrap()), "{error}");
    assert!(error["user_action"].as_str().unwrap().contains("write"), "{error}");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
    set_mode(&data, 0o755);
}

#[test]
fn commands_cannot_use_the_folder_of_a_host_without_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = must::Settings::new(folder.path());
    settings.control_socket = false;
    let held = must::Platform::open(settings).unwrap();
    let run = must(folder.path(), &["--json", "models"]);
    assert_eq!((run.code, json(&run.stderr)["code"].as_str()), (3, Some("data_dir_locked")));
    drop(held);
    assert_eq!(must(folder.path(), &["models"]).code, 0);
}

#[test]
fn keys_and_secrets_and_their_events() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ok = |arguments: &[&str]| {
        let run = must(&data, &[&["--json"], arguments].concat());
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
        json(&run.stdout)
    };
    let issued = ok(&["keys", "issue", "studio"]);
    let key = issued["api_key"].as_str().unwrap();
    assert!(key.starts_with("must_api_"), "{key}");
    let id = issued["key"]["id"].as_str().unwrap();
    let rotated = ok(&["keys", "rotate", id, "--overlap", "1"]);
    assert_eq!(ok(&["keys", "list"])["keys"].as_array().unwrap().len(), 2);
    ok(&["keys", "revoke", rotated["key"]["id"].as_str().unwrap()]);
    assert_eq!(must(&data, &["keys", "revoke", "AAAAAAAAAAAA"]).code, 4);
    assert_eq!(must(&data, &["keys", "issue", "studio", "--valid-for", "91"]).code, 2);

    for name in ["master_key", "audit_key", "pepper"] {
        ok(&["secrets", "rotate", name]);
    }
    let status = ok(&["secrets", "status"]);
    let kinds: Vec<_> = status["secrets"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["master_key", "master_key", "pepper", "pepper", "audit_key", "api_key", "api_key"]);

    let page = ok(&["audit", "list", "--action", "api_key_issue"]);
    assert_eq!(page["logs"].as_array().unwrap().len(), 1);
    assert!(!page.to_string().contains(key));
    let verdict = ok(&["audit", "verify"]);
    assert_eq!((&verdict["ok"], &verdict["fault"]), (&true.into(), &Value::Null));
    ok(&["audit", "prove", "3"]);
    assert_eq!(must(&data, &["audit", "prune", "--older-than", "89"]).code, 2);
    let export = folder.path().join("export");
    let exported = ok(&["audit", "export", export.to_str().unwrap()]);
    assert!(export.join("checkpoint").exists(), "{exported}");

    // When the log no longer agrees with its anchors, events can only be added after `audit recover` with a reason.
    for entry in ["must.db", "must.db-wal", "must.db-shm"] {
        let _ = std::fs::remove_file(data.join(entry));
    }
    assert_eq!(must(&data, &["keys", "issue", "studio"]).code, 3);
    ok(&["audit", "recover", "--reason", "the database was lost"]);
    ok(&["audit", "verify"]);
}

#[test]
fn verify_exits_with_1_for_a_changed_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(must(&data, &["keys", "issue", "studio"]).code, 0);
    let path = data.join("must.db");
    let whole = std::fs::read(&path).unwrap();
    let find = b"api_key_issue";
    let places: Vec<usize> = (0..whole.len()).filter(|at| whole[*at..].starts_with(find)).collect();
    assert!(places.len() >= 3, "the leaf, the column and the index");
    let anchors = std::fs::read(data.join("audit.anchors")).unwrap();
    for at in places {
        std::fs::write(data.join("audit.anchors"), &anchors).unwrap();
        let mut changed = whole.clone();
        changed[at + 8] = b'z';
        std::fs::write(&path, changed).unwrap();
        let verdict = must(&data, &["audit", "verify"]);
        assert_eq!(verdict.code, 1, "{at}: {}", verdict.stderr);
        assert!(verdict.stdout.starts_with("not whole: event "), "{}", verdict.stdout);
    }
    std::fs::write(data.join("audit.anchors"), &anchors).unwrap();
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(must(&data, &["audit", "verify"]).code, 0);
}
