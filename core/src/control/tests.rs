//! Calls from outside the process: the table of calls, the control socket, and HTTP.

use super::*;
use crate::Settings;
use crate::audit::Caller;
use crate::error::{ErrorCode, Result};
use crate::keyring::SecretText;
use crate::platform::Platform;
use crate::platform::outside::{call, call_over_http, calls, over_http};
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

const ADMIN_KEY: &str = "sixteen letters!";

fn settings(folder: &std::path::Path) -> Settings {
    let settings = json!({"data_dir": folder, "admin_key": ADMIN_KEY, "paused": true});
    Settings::from_json(&settings.to_string()).unwrap()
}

fn open(folder: &std::path::Path) -> Platform {
    Platform::open(settings(folder)).unwrap()
}

fn connection(folder: &std::path::Path) -> Connection {
    Connection::in_folder(settings(folder), Caller::new("cli:ada", "cli"))
}

fn ask_for(connection: &Connection, name: &str, arguments: Value) -> Result<Value> {
    connection.call(name, &arguments).map(|answer| serde_json::from_str(answer.expose()).unwrap())
}

/// Returns the actor of the newest event with this action.
fn actor_of(platform: &Platform, action: &str) -> String {
    let query = crate::audit::AuditQuery { action: Some(action.to_owned()), limit: 1, ..Default::default() };
    platform.audit().unwrap().list(&query, &Caller::new("test", "test")).unwrap().logs[0].actor.clone()
}

#[test]
fn every_entry_is_a_call_and_states_correctly_whether_it_takes_a_caller() {
    let folder = tempfile::tempdir().unwrap();
    let platform = open(folder.path());
    let with_caller = json!({"caller": {"actor": "somebody", "source": "test"}}).to_string();
    for entry in calls() {
        let outcome = call(&platform, entry.name, &with_caller);
        // If an argument is missing, too, the refusal may name either fault.
        let refusals = ["there is no argument caller", "an argument is not what it must be"];
        let refused = outcome.is_err_and(|error| refusals.iter().any(|refusal| error.detail().contains(refusal)));
        assert_eq!(!refused, entry.takes_caller, "{}", entry.name);
    }
    // Calls that return stored secrets, check others' requests or write arbitrary events are not offered from outside.
    for name in ["secrets.get", "auth.authorize", "auth.open_session", "admin.open_session", "audit.append", "nothing"]
    {
        assert!(Platform::calls().any(|known| known == name) || name == "nothing");
        assert_eq!(call(&platform, name, "{}").unwrap_err().code(), ErrorCode::NotFound);
    }
}

#[test]
fn over_http_the_session_is_the_caller_and_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let platform = open(folder.path());
    let session = Caller::new("admin:7", "192.0.2.7");
    let make = |name: &str, arguments: Value| call_over_http(&platform, name, &arguments.to_string(), &session);
    make("auth.issue_key", json!({"name": "studio"})).unwrap();
    assert_eq!(actor_of(&platform, "api_key_issue"), "admin:7");
    make("auth.keys", json!({})).unwrap();
    let posed = json!({"name": "studio", "caller": {"actor": "somebody", "source": "else"}});
    assert_eq!(make("auth.issue_key", posed).unwrap_err().code(), ErrorCode::ValidationError);
    assert_eq!(make("auth.issue_key", json!([])).unwrap_err().code(), ErrorCode::ValidationError);
    let export = folder.path().join("export");
    assert_eq!(make("audit.export", json!({"folder": export})).unwrap_err().code(), ErrorCode::NotFound);
    assert!(!export.exists());
    assert!(over_http().all(|entry| entry.name != "backup" && entry.name != "audit.export"));
}

#[test]
fn a_connection_opens_a_platform_where_none_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connection(folder.path());
    assert_eq!(ask_for(&connection, "tasks.list", json!({})).unwrap()["total"], 0);
    assert_eq!(Platform::open(settings(folder.path())).unwrap_err().code(), ErrorCode::DataDirLocked);
    connection.close(Duration::from_secs(10)).unwrap();
    drop(open(folder.path()));
}

#[test]
fn a_platform_at_a_url_is_administered_like_a_local_one() {
    let folder = tempfile::tempdir().unwrap();
    let platform = open(folder.path());
    let server = platform.serve("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", server.address());
    let key = |text: &str| crate::keyring::SecretText::new(text);
    let there = Connection::at_url(&url, &key(ADMIN_KEY)).unwrap();
    let issued = ask_for(&there, "auth.issue_key", json!({"name": "studio"})).unwrap();
    assert!(issued["secret"].as_str().unwrap().starts_with("must_api_"));
    assert!(actor_of(&platform, "api_key_issue").starts_with("admin:"));
    assert_eq!(ask_for(&there, "tasks.status", json!({"id": "none"})).unwrap_err().code(), ErrorCode::TaskNotFound);
    let elsewhere = ask_for(&there, "audit.export", json!({"folder": folder.path().join("export")})).unwrap_err();
    assert_eq!(elsewhere.code(), ErrorCode::ValidationError);
    there.close(Duration::from_secs(5)).unwrap();
    let ended = ask_for(&there, "auth.keys", json!({})).unwrap_err();
    assert_eq!(ended.code(), ErrorCode::AdminSessionExpired);
    let refused = |url: &str, given: &str| Connection::at_url(url, &key(given)).unwrap_err();
    assert_eq!(refused(&url, "seventeen letters").code(), ErrorCode::AdminKeyInvalid);
    for (url, given) in
        [("ftp://x", "k"), ("nonsense", "k"), ("http://user@x", "k"), ("http://x/?a=b", "k"), (&url, "a\nb")]
    {
        assert_eq!(refused(url, given).code(), ErrorCode::ValidationError, "{url}");
    }
    server.stop(Duration::from_secs(5));
    drop(server);
    assert_eq!(refused(&url, ADMIN_KEY).code(), ErrorCode::RemoteFailed);
}

#[test]
fn a_url_without_a_platform_is_an_error_that_says_so() {
    use std::io::{Read as _, Write as _};
    for answer in [
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n<p>",
        "HTTP/1.1 301 Moved Permanently\r\nlocation: https://must.example/admin/session\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "no HTTP at all\r\n\r\n",
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let error = Connection::at_url(&url, &SecretText::new(ADMIN_KEY)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::RemoteFailed, "{error}");
        assert!(!error.detail().contains(ADMIN_KEY) && error.detail().contains(&url), "{error}");
        answering.join().unwrap();
    }
}

#[cfg(unix)]
mod over_the_socket {
    use super::*;
    use crate::socket::{self, ask};
    use std::io::{Read as _, Write as _};
    use std::net::Shutdown;
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    fn socket_of(folder: &Path) -> PathBuf {
        folder.join("run/control.sock")
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Returns the platform's answer to these bytes, after the greeting.
    fn raw(folder: &Path, sent: &[u8]) -> String {
        let mut stream = UnixStream::connect(socket_of(folder)).unwrap();
        stream.write_all(sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        received.strip_prefix(socket::GREETING).unwrap().to_owned()
    }

    #[test]
    fn the_open_platform_answers_the_owner_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        // A socket file of an earlier process, with permissions that are too wide.
        std::fs::create_dir(folder.path().join("run")).unwrap();
        drop(UnixListener::bind(socket_of(folder.path())).unwrap());
        let platform = open(folder.path());
        assert_eq!((mode(&folder.path().join("run")), mode(&socket_of(folder.path()))), (0o700, 0o600));
        let there = connection(folder.path());
        let issued = ask_for(&there, "auth.issue_key", json!({"name": "studio", "valid_for_seconds": 60})).unwrap();
        assert_eq!(actor_of(&platform, "api_key_issue"), "cli:ada");
        let refused = ask_for(&there, "auth.revoke_key", json!({"id": "none"})).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NotFound);
        assert!(!refused.user_action().is_empty());
        assert_eq!(ask_for(&there, "auth.keys", json!({})).unwrap()[0], issued["key"]);
        // A paused platform refuses to wait for a task that it will not run.
        let waiting = ask_for(&there, "tasks.submit", json!({"model": "tiny-image", "parameters": {"prompt": "a"}}));
        assert_eq!(waiting.unwrap_err().code(), ErrorCode::InvalidState);
        there.close(Duration::from_secs(5)).unwrap();
        assert_eq!(platform.access().unwrap().keys().unwrap().len(), 1, "the platform stays open");
        platform.close(Duration::from_secs(5)).unwrap();
        assert!(!socket_of(folder.path()).exists());
    }

    #[test]
    fn a_platform_with_control_socket_off_has_no_socket() {
        let folder = tempfile::tempdir().unwrap();
        let _platform = Platform::open(Settings { control_socket: false, ..settings(folder.path()) }).unwrap();
        assert!(!folder.path().join("run").exists());
        let error = ask_for(&connection(folder.path()), "auth.keys", json!({})).unwrap_err();
        assert_eq!(error.code(), ErrorCode::DataDirLocked);
        assert!(error.user_action().contains("--url"), "{}", error.user_action());
    }

    #[test]
    fn a_path_longer_than_a_socket_address_works() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("d".repeat(120)).join("e".repeat(120));
        let platform = open(&data);
        assert!(std::fs::symlink_metadata(socket_of(&data)).unwrap().file_type().is_socket());
        assert_eq!(ask_for(&connection(&data), "auth.keys", json!({})).unwrap(), json!([]));
        platform.close(Duration::from_secs(5)).unwrap();
        assert!(!socket_of(&data).exists());
    }

    #[test]
    fn malformed_calls_are_refused_and_delay_no_other_call() {
        let folder = tempfile::tempdir().unwrap();
        let _platform = open(folder.path());
        let slow = UnixStream::connect(socket_of(folder.path())).unwrap();
        for (sent, expected) in [
            (&b""[..], ""),
            (b"auth.keys", "error\n{\"code\":\"validation_error\""),
            (b"\xff\xfe\n{}", "error\n{\"code\":\"validation_error\""),
            (b"no.such\n{}", "error\n{\"code\":\"not_found\""),
            (b"secrets.get\n{\"name\": \"hub\"}", "error\n{\"code\":\"not_found\""),
            (b"auth.keys\n{\"na", "error\n{\"code\":\"validation_error\""),
            (b"auth.keys\n{}", "ok\n[]\n"),
        ] {
            let received = raw(folder.path(), sent);
            assert!(received.starts_with(expected), "{sent:?}: {received}");
            assert!(received.is_empty() || received.ends_with('\n'));
        }
        drop(slow);
    }

    #[test]
    fn a_socket_that_nobody_answers_at_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        // Like the socket of a forked child whose parent was killed.
        let held = UnixListener::bind(socket_of(folder.path())).unwrap();
        assert_eq!(ask(folder.path(), "auth.keys", "{}").unwrap().map(|_| ()), None);
        let there = connection(folder.path());
        assert_eq!(ask_for(&there, "auth.keys", json!({})).unwrap(), json!([]));
        drop(held);
    }

    #[test]
    fn a_platform_opens_in_a_folder_that_cannot_hold_sockets() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("run"), "somebody else's").unwrap();
        let (sender, records) = std::sync::mpsc::channel();
        let heard = move |record: &crate::LogRecord| drop(sender.send(record.message.clone()));
        let platform = Platform::open_with_log(settings(folder.path()), heard).unwrap();
        platform.access().unwrap().keys().unwrap();
        platform.close(Duration::from_secs(5)).unwrap();
        assert!(records.iter().any(|message| message.contains("the control socket cannot be opened")));
    }

    #[test]
    fn a_platform_closes_while_callers_connect_and_cuts_no_answer_short() {
        let folder = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        let answered = std::sync::atomic::AtomicUsize::new(0);
        let (folder, done, answered) = (folder.path(), &done, &answered);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        // Either no platform is open, or the answer is complete.
                        if ask(folder, "secrets.status", "{}").unwrap().is_some() {
                            answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                });
            }
            for _ in 0..5 {
                let until = Instant::now() + Duration::from_secs(20);
                let platform = open(folder);
                let before = answered.load(std::sync::atomic::Ordering::Relaxed);
                while answered.load(std::sync::atomic::Ordering::Relaxed) < before + 8 {
                    assert!(Instant::now() < until, "nobody answers");
                    std::thread::yield_now();
                }
                platform.close(Duration::from_secs(5)).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn later_calls_do_not_keep_a_platform_open_whose_host_dropped_it() {
        let folder = tempfile::tempdir().unwrap();
        let platform = open(folder.path());
        let mut under_way = UnixStream::connect(socket_of(folder.path())).unwrap();
        under_way.read_exact(&mut [0; socket::GREETING.len()]).unwrap();
        let of_host = platform.clone();
        drop(platform);
        assert_eq!(raw(folder.path(), b"auth.keys\n{}"), "ok\n[]\n", "the host still has it open");
        drop(of_host);
        for _ in 0..3 {
            let mut later = UnixStream::connect(socket_of(folder.path())).unwrap();
            let mut heard = vec![];
            later.read_to_end(&mut heard).unwrap();
            assert_eq!(heard, b"", "a call after the host's last handle keeps the platform open");
        }
        under_way.write_all(b"auth.keys\n{}").unwrap();
        under_way.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        under_way.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "ok\n[]\n");
        let until = Instant::now() + Duration::from_secs(20);
        while let Err(error) = Platform::open(settings(folder.path())) {
            assert!(error.code() == ErrorCode::DataDirLocked && Instant::now() < until, "{error}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_call_finishes_after_the_last_handle_is_dropped_and_then_the_platform_closes() {
        let folder = tempfile::tempdir().unwrap();
        let platform = open(folder.path());
        let mut stream = UnixStream::connect(socket_of(folder.path())).unwrap();
        stream.read_exact(&mut [0; socket::GREETING.len()]).unwrap();
        drop(platform);
        stream.write_all(b"auth.keys\n{}").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "ok\n[]\n");
        let until = Instant::now() + Duration::from_secs(20);
        while let Err(error) = Platform::open(settings(folder.path())) {
            assert!(error.code() == ErrorCode::DataDirLocked && Instant::now() < until, "{error}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
