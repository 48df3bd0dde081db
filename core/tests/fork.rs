//! Checks that children made by `fork`, while another thread opens and closes a platform, never keep a lock of the platform.
//!
//! The process to be killed (the victim) is this test program itself, started again with a data folder in its environment. Its
//! children outlive it. `MUST_FORK_ROUNDS` sets how many times it is killed.

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
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
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

/// Makes a child that writes one byte to `began` and then does nothing until it is killed.
#[expect(unsafe_code, reason = "there is no safe form of fork")]
fn fork_child(began: BorrowedFd<'_>) {
    // SAFETY: the child calls only `write` and `pause`, which are allowed in a child of a process with threads. The buffer is one
    // byte long.
    unsafe {
        match libc::fork() {
            0 => {
                libc::write(began.as_raw_fd(), b"!".as_ptr().cast(), 1);
                loop {
                    libc::pause();
                }
            }
            child => assert!(child > 0, "no child"),
        }
    }
}

/// The process to be killed. One thread opens and closes platforms, and another one forks.
#[test]
fn victim() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    std::thread::spawn(move || {
        loop {
            Platform::open(settings(Path::new(&folder))).unwrap().close(Duration::from_secs(10)).unwrap();
        }
    });
    let (mut began, writer) = std::io::pipe().unwrap();
    for _ in 0..CHILDREN {
        std::thread::sleep(Duration::from_millis(10));
        fork_child(writer.as_fd());
    }
    // A child has its parent's locks until it begins to run.
    began.read_exact(&mut [0; CHILDREN]).unwrap();
    writeln!(std::io::stdout(), "all children are made").unwrap();
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
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with("all children are made")));
        // A mapping of the index would keep its locks, just like a descriptor.
        for (process, line) in mappings(folder.path()) {
            assert_eq!(process, victim.id().to_string(), "a child has a mapping of its parent: {line}");
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

/// Returns the processes that have mapped files of the folder, with the mappings, if the system reports them.
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

/// Lists which processes have files of the folder open, mapped or locked, for the message of a failed test.
fn holders(folder: &Path) -> String {
    let mut report = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    mappings(folder).iter().for_each(|(process, line)| report.push_str(&format!("{process} {line}\n")));
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        for descriptor in std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(to) = std::fs::read_link(descriptor.path()) else { continue };
            if to.starts_with(folder) {
                let information = process.path().join("fdinfo").join(descriptor.file_name());
                let information = std::fs::read_to_string(information).unwrap_or_default().replace('\n', " ");
                report.push_str(&format!("{} {} {information}\n", descriptor.path().display(), to.display()));
            }
        }
    }
    report
}
