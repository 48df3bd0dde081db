//! The `must` program with a platform in another process or at a URL: each command works as with its own platform.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ADMIN_KEY: &str = "an-admin-key-of-the-tests";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_must"));
    command.env("MUST_ADMIN_KEY", ADMIN_KEY).env("USER", "ada");
    command
}

/// A running `must serve`.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut command = program();
        command.args(["--json", "serve", "--addr", "127.0.0.1:0", "--data"]).arg(data);
        command.args(["--worker-networks", "127.0.0.0/8"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, url: json(&line)["listening"].as_str().unwrap().to_owned() }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Runs a command with `input` on standard input. Returns its exit code and its output.
fn run(place: &[&str], folder: &Path, arguments: &[&str], input: &str) -> (i32, String) {
    let mut command = program();
    command.current_dir(folder).args(place).arg("--json").args(arguments);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = if output.status.success() { output.stdout } else { [output.stdout, output.stderr].concat() };
    (output.status.code().unwrap_or(-1), String::from_utf8(said).unwrap())
}

/// The working folder of commands, and their platform.
#[derive(Clone, Copy)]
struct At<'a> {
    place: &'a [&'a str],
    folder: &'a Path,
}

impl At<'_> {
    fn over_http(self) -> bool {
        self.place.contains(&"--url")
    }

    fn ok_with(self, arguments: &[&str], input: &str) -> Value {
        let (code, said) = run(self.place, self.folder, arguments, input);
        assert_eq!(code, 0, "{:?} {arguments:?}: {said}", self.place);
        json(&said)
    }

    fn ok(self, arguments: &[&str]) -> Value {
        self.ok_with(arguments, "")
    }

    fn code(self, arguments: &[&str]) -> i32 {
        run(self.place, self.folder, arguments, "").0
    }

    fn fails(self, arguments: &[&str]) -> (i32, String) {
        let (code, said) = run(self.place, self.folder, arguments, "");
        (code, json(said.lines().last().unwrap())["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// These commands run over every kind of connection, and have to do the same over each.
fn keys_and_secrets(at: At) {
    let (ok, ok_with, fails) =
        (|it: &[&str]| at.ok(it), |it: &[&str], input: &str| at.ok_with(it, input), |it: &[&str]| at.fails(it));
    let issued = ok(&["keys", "issue", "studio"]);
    assert!(issued["api_key"].as_str().unwrap().starts_with("must_api_"));
    let rotated = ok(&["keys", "rotate", issued["key"]["id"].as_str().unwrap(), "--overlap", "1"]);
    assert!(ok(&["keys", "list"])["keys"].as_array().unwrap().len() >= 2);
    ok(&["keys", "revoke", rotated["key"]["id"].as_str().unwrap()]);
    assert_eq!(fails(&["keys", "revoke", "AAAAAAAAAAAA"]), (4, "not_found".to_owned()));
    assert_eq!(fails(&["keys", "issue", "studio", "--valid-for", "91"]), (2, "validation_error".to_owned()));

    ok_with(&["secrets", "put", "mail"], "a stored secret");
    ok_with(&["secrets", "put-token", "hub", "--scope", "inference", "--for", "dev"], "a token");
    ok_with(&["secrets", "rotate", "mail", "--overlap", "1"], "a newer secret");
    for name in ["master_key", "audit_key"] {
        ok(&["secrets", "rotate", name]);
    }
    ok(&["secrets", "revoke", "mail"]);
    let status = ok(&["secrets", "status"]);
    assert!(status["secrets"].as_array().unwrap().iter().any(|one| one["name"] == "mail" && one["state"] == "revoked"));
    assert!(!status.to_string().contains("a newer secret"));
    let events = ok(&["audit", "list", "--action", "api_key_issue", "--limit", "1"]);
    let actor = events["logs"][0]["actor"].as_str().unwrap();
    assert!(if at.over_http() { actor.starts_with("admin:") } else { actor == "cli:ada" }, "{actor}");
}

fn accounts(at: At) {
    let (ok, ok_with) = (|it: &[&str]| at.ok(it), |it: &[&str], input: &str| at.ok_with(it, input));
    let account = ok_with(
        &["accounts", "add", "Team A", "--workspace", "team-a", "--address", "http://127.0.0.1:9"],
        "ak-1\nas-1\n",
    );
    assert_eq!(account["status"], "pending");
    assert_eq!(ok_with(&["accounts", "tokens", "team-a"], "ak-2\nas-2\n")["workspace"], "team-a");
    // Nothing listens at that address.
    assert_eq!(at.code(&["accounts", "health", "team-a"]), 1);
    assert_eq!(ok(&["accounts", "disable", "team-a"])["status"], "disabled");
    assert_eq!(at.code(&["accounts", "enable", "team-a"]), 1);
    assert_eq!(at.code(&["accounts", "deploy", "team-a"]), 2, "the settings have no deploy command");
    assert_eq!(ok(&["accounts", "list"])["accounts"].as_array().unwrap().len(), 1);
    ok(&["accounts", "remove", "team-a"]);
}

fn tasks_and_log(at: At) {
    let (ok, fails) = (|it: &[&str]| at.ok(it), |it: &[&str]| at.fails(it));
    let picture = format!("{}.png", if at.over_http() { "there" } else { "here" });
    let made = ok(&["generate", "a red circle", "-o", &picture, "--seed", "7", "--set", "steps=4"]);
    assert_eq!((&made["status"], &made["seed"]), (&"done".into(), &7.into()));
    assert!(std::fs::read(at.folder.join(&picture)).unwrap().starts_with(b"\x89PNG"));
    let reference = format!("reference_image={picture}");
    let again = ok(&["generate", "a red circle", "-o", "again.jpg", "--set", "steps=4", "--image", &reference]);
    assert_eq!(again["mode"], "img2img");
    let id = made["id"].as_str().unwrap();
    assert_eq!(ok(&["tasks", "show", id])["id"], id);
    assert_eq!(ok(&["tasks", "list", "--status", "failed"])["total"], 0);
    assert_eq!(ok(&["tasks", "cancel", id])["cancelled"], false);
    assert!(ok(&["gallery"])["total"].as_u64().unwrap() >= 2);
    assert_eq!(ok(&["tasks", "delete", id])["deleted"], true);
    let events = ok(&["audit", "list", "--action", "task_delete", "--limit", "1"]);
    let actor = events["logs"][0]["actor"].as_str().unwrap();
    assert!(if at.over_http() { actor.starts_with("admin:") } else { actor == "cli:ada" }, "{actor}");
    assert_eq!(fails(&["tasks", "show", id]), (4, "task_not_found".to_owned()));
    assert_eq!(fails(&["generate", " ", "-o", "x.png"]), (2, "validation_error".to_owned()));
    assert_eq!(ok(&["models"])["models"].as_array().unwrap().len(), 6);

    assert_eq!(ok(&["audit", "verify"])["ok"], true);
    assert!(ok(&["audit", "prove", "0"])["text"].as_str().unwrap().starts_with("c2sp.org/tlog-proof@v1"));
    assert_eq!(fails(&["audit", "prune", "--older-than", "89"]).0, 2);
    assert_eq!(fails(&["audit", "recover", "--reason", "none"]).1, "invalid_state");
    // A relative folder is relative to the caller's working folder, not to the platform's. Over HTTP these commands are refused.
    for command in [&["audit", "export", "export"][..], &["backup", "backup"]] {
        let written = at.folder.join(command[command.len() - 1]);
        if at.over_http() {
            assert_eq!(fails(command), (2, "validation_error".to_owned()));
        } else {
            ok(command);
            assert!(std::fs::read_dir(&written).unwrap().next().is_some());
            std::fs::remove_dir_all(&written).unwrap();
        }
    }
}

#[test]
fn every_command_works_while_a_server_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data);
    let in_data: &[&str] = &["--data", data.to_str().unwrap()];
    let here = At { place: in_data, folder: folder.path() };
    for commands in [keys_and_secrets, accounts, tasks_and_log] {
        commands(here);
    }

    // A killed server leaves its socket behind, and commands still work.
    server.kill();
    assert!(data.join("run/control.sock").exists());
    assert_eq!(run(in_data, folder.path(), &["keys", "list"], "").0, 0);
    let server = Server::start(&data);
    assert_eq!(run(in_data, folder.path(), &["keys", "list"], "").0, 0);

    let refused = |arguments: &[&str]| {
        let (code, said) = run(&["--url", &server.url], folder.path(), arguments, "");
        (code, json(&said)["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused(&["serve"]), (2, "validation_error".to_owned()));
    let mut keyless = program();
    keyless.env_remove("MUST_ADMIN_KEY").args(["--json", "--url", &server.url, "keys", "list"]);
    let output = keyless.output().unwrap();
    let error = json(std::str::from_utf8(&output.stderr).unwrap());
    assert_eq!((output.status.code(), &error["code"]), (Some(2), &"validation_error".into()));
    assert!(error["user_action"].as_str().unwrap().contains("MUST_ADMIN_KEY"));
    let wrong = program().env("MUST_ADMIN_KEY", "seventeen letters").args(["--url", &server.url, "models"]).output();
    assert_eq!(wrong.unwrap().status.code(), Some(3));
}

/// An administrator may sign in thirty times a minute, so each part has its own platform.
#[test]
fn every_command_works_on_a_platform_at_a_url() {
    for commands in [keys_and_secrets, accounts, tasks_and_log] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("data"));
        commands(At { place: &["--url", &server.url], folder: folder.path() });
    }
}

#[test]
fn too_many_sign_ins_are_refused_with_the_time_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let listed = || run(&["--url", &server.url], folder.path(), &["keys", "list"], "");
    let (code, said) = (0..40).map(|_| listed()).find(|(code, _)| *code != 0).unwrap();
    let error = json(&said);
    assert_eq!((code, &error["code"]), (3, &"rate_limited".into()));
    assert!(error["user_action"].as_str().unwrap().starts_with("Wait for "), "{error}");
}

/// Commands that open the folder take turns, and other commands can use the platform of a `generate`.
#[test]
fn commands_at_the_same_time_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let in_data: &[&str] = &["--data", data.to_str().unwrap()];
    let (folder, issue) = (folder.path(), |number: usize| format!("key {number}"));
    std::thread::scope(|scope| {
        let clip = scope.spawn(move || {
            run(in_data, folder, &["generate", "a red circle moving left", "-o", "clip.mp4", "--seed", "1"], "")
        });
        let other = scope.spawn(move || {
            run(in_data, folder, &["generate", "a red circle moving left", "-o", "other.mp4", "--seed", "1"], "")
        });
        let keys: Vec<_> = (0..4)
            .map(|number| scope.spawn(move || run(in_data, folder, &["keys", "issue", &issue(number)], "")))
            .collect();
        for key in keys {
            let (code, said) = key.join().unwrap();
            assert_eq!(code, 0, "{said}");
        }
        for made in [clip, other] {
            let (code, said) = made.join().unwrap();
            assert_eq!((code, &json(&said)["status"]), (0, &"done".into()), "{said}");
        }
    });
    let [clip, other] = ["clip.mp4", "other.mp4"].map(|name| std::fs::read(folder.join(name)).unwrap());
    assert!(clip == other && !clip.is_empty());
    let (_, listed) = run(in_data, folder, &["keys", "list"], "");
    assert_eq!(json(&listed)["keys"].as_array().unwrap().len(), 4);
}

/// At a restart the previous server, or a short command, may still have the folder open.
#[test]
fn a_server_waits_for_a_process_that_soon_closes_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut before = Server::start(&data);
    std::thread::scope(|scope| {
        let next = scope.spawn(|| Server::start(&data));
        std::thread::sleep(std::time::Duration::from_millis(700));
        assert!(!next.is_finished(), "it waits");
        before.kill();
        let next = next.join().unwrap();
        assert!(next.url.starts_with("http://127.0.0.1:"));
    });
}

#[test]
fn a_server_does_not_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _first = Server::start(&data);
    let place = ["--data", data.to_str().unwrap()];
    let (code, said) = run(&place, folder.path(), &["serve", "--addr", "127.0.0.1:0"], "");
    assert_eq!((code, json(&said)["code"].as_str()), (3, Some("data_dir_locked")), "{said}");
}
