//! Children made by `fork` while a thread opens and closes a platform keep no lock of it, whatever moment they were made at.
//!
//! The victim is this test program itself, started again with a data folder in its environment; its children outlive it.
//! `MUST_FORK_ROUNDS` sets how many times it dies.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use must::{Platform, Settings};
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const VICTIM: &str = "MUST_FORK_VICTIM";
const CHILDREN: usize = 20;

fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::new(folder);
    settings.paused = true;
    settings
}

/// A child that does nothing for as long as it is let live.
#[expect(unsafe_code, reason = "nobody has a safe form of fork")]
fn have_a_child() {
    // SAFETY: the child calls nothing but `pause`, which a child of a process with threads may.
    unsafe {
        match libc::fork() {
            0 => loop {
                libc::pause();
            },
            child => assert!(child > 0, "no child"),
        }
    }
}

/// What dies: a thread that opens and closes, and one that forks beside it.
#[test]
fn victim() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    std::thread::spawn(move || {
        loop {
            Platform::open(settings(Path::new(&folder))).unwrap().close(Duration::from_secs(10)).unwrap();
        }
    });
    for _ in 0..CHILDREN {
        std::thread::sleep(Duration::from_millis(10));
        have_a_child();
    }
    writeln!(std::io::stdout(), "all are there").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn children_keep_no_lock_of_a_platform_that_opens_and_closes() {
    if std::env::var_os(VICTIM).is_some() {
        return;
    }
    let rounds: u64 = std::env::var("MUST_FORK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["victim", "--exact", "--nocapture", "--test-threads", "1"])
            .env(VICTIM, folder.path())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let group = Pid::from_raw(victim.id().try_into().unwrap());
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with("all are there")));
        // A mapping of the index would keep its locks as a descriptor would.
        for (process, line) in mappings(folder.path()) {
            assert_eq!(process, victim.id().to_string(), "a child has a mapping of its parent's: {line}");
        }
        std::thread::sleep(Duration::from_millis(round * 13 % 100));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let began = Instant::now();
        let opened = Platform::open(settings(folder.path()));
        let took = began.elapsed();
        let held = opened.as_ref().err().map(|error| format!("{error}\n{}", holders(folder.path())));
        drop(opened);
        killpg(group, Signal::SIGKILL).unwrap();
        assert!(held.is_none(), "round {round}, after {took:?}: {}", held.unwrap());
    }
}

/// Processes and what they have mapped of the folder's files, where the system tells.
fn mappings(folder: &Path) -> Vec<(String, String)> {
    let folder = folder.to_string_lossy();
    let mut found = vec![];
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let maps = std::fs::read_to_string(process.path().join("maps")).unwrap_or_default();
        for line in maps.lines().filter(|line| line.contains(&*folder)) {
            found.push((process.file_name().to_string_lossy().into_owned(), line.to_owned()));
        }
    }
    found
}

/// Who has which of the folder's files open, mapped and locked, for the message of a failure.
fn holders(folder: &Path) -> String {
    let mut said = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    mappings(folder).iter().for_each(|(process, line)| said.push_str(&format!("{process} {line}\n")));
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        for descriptor in std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(to) = std::fs::read_link(descriptor.path()) else { continue };
            if to.starts_with(folder) {
                let information = process.path().join("fdinfo").join(descriptor.file_name());
                let information = std::fs::read_to_string(information).unwrap_or_default().replace('\n', " ");
                said.push_str(&format!("{} {} {information}\n", descriptor.path().display(), to.display()));
            }
        }
    }
    said
}
