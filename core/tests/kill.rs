//! Kills a process at random moments while several callers submit, generate and issue API keys, and checks the data folder.
//!
//! The process to be killed (the victim) is this test program itself, started again with a data folder in its environment. It writes
//! what it acknowledged to its standard output, which this process reads. `MUST_KILL_ROUNDS` sets how many times it is killed (200
//! by default).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use must::audit::{AuditQuery, Caller};
use must::media::{ImageLimits, ImageSource, decode_image};
use must::{GenerateRequest, Platform, Settings, Status, TaskQuery};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const VICTIM: &str = "MUST_KILL_VICTIM";
const CALLERS: u64 = 4;

fn settings(folder: &Path, paused: bool) -> Settings {
    let mut settings = Settings::new(folder);
    settings.paused = paused;
    settings.queue_depth = 10_000;
    settings
}

/// The process to be killed. Several callers submit pictures and wait for them, and one issues API keys. Each writes every
/// acknowledged id to the standard output.
#[test]
fn victim() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    let platform = Platform::open(settings(Path::new(&folder), false)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                let issued = platform.access().unwrap().issue_key("key", None, &Caller::new("victim", "test")).unwrap();
                writeln!(std::io::stdout(), "key {}", issued.key.id).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for caller in 0..CALLERS {
            let platform = &platform;
            scope.spawn(move || {
                for n in 0.. {
                    let request = GenerateRequest::new("tiny-image", "a red circle")
                        .set("steps", 4)
                        .set("guidance_scale", 1.0)
                        .set("seed", caller * 1000 + n);
                    let task = platform.submit(&request).unwrap();
                    writeln!(std::io::stdout(), "ack {}", task.id).unwrap();
                    platform.wait(&task.id, None).unwrap();
                }
            });
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_hangs() {
    if std::env::var_os(VICTIM).is_some() {
        return;
    }
    let rounds: u64 = std::env::var("MUST_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let folder = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut keys) = (HashSet::new(), HashSet::new());
    let mut checked = HashSet::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut interrupted = 0;
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let output = run_and_kill(folder.path(), Duration::from_millis((random >> 33) % 600));
        acknowledged.extend(output.tasks);
        keys.extend(output.keys);
        interrupted += check_folder(folder.path(), &acknowledged, &mut checked, round);
    }
    let platform = Platform::open(settings(folder.path(), false)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(300);
    for id in &acknowledged {
        let task = platform.wait(id, Some(deadline.saturating_duration_since(Instant::now()))).unwrap();
        assert_eq!(task.status, Status::Done, "{task:?}");
    }
    for status in [Status::Pending, Status::Processing] {
        assert_eq!(platform.tasks(&TaskQuery { status: Some(status), ..TaskQuery::default() }).unwrap().total, 0);
    }
    check_keys(&platform, &keys);
    platform.close(Duration::from_secs(10)).unwrap();
    assert!(interrupted > 0, "no task was interrupted, so the test checked nothing");
    writeln!(
        std::io::stderr(),
        "killed {rounds} times; {} acknowledged tasks, all done; {interrupted} runs were interrupted; {} keys, all present",
        acknowledged.len(),
        keys.len()
    )
    .unwrap();
}

/// Checks that every acknowledged key exists and has its event, and that the audit log is intact.
fn check_keys(platform: &Platform, keys: &HashSet<String>) {
    let there: HashSet<String> = platform.access().unwrap().keys().unwrap().into_iter().map(|key| key.id).collect();
    assert!(keys.is_subset(&there), "an acknowledged key is missing");
    let audit = platform.audit().unwrap();
    let verdict = audit.verify().unwrap();
    assert!(verdict.ok, "{verdict:?}");
    let mut query = AuditQuery { action: Some("api_key_issue".to_owned()), limit: 1000, ..AuditQuery::default() };
    let mut events = 0;
    loop {
        let page = audit.list(&query, &Caller::new("tester", "test")).unwrap();
        events += page.logs.len();
        match page.next {
            Some(next) => query.before = Some(next),
            None => break,
        }
    }
    assert_eq!(events, there.len(), "one event for each key, acknowledged or not");
}

/// The ids that a victim acknowledged.
#[derive(Default)]
struct Acknowledged {
    tasks: Vec<String>,
    keys: Vec<String>,
}

impl Acknowledged {
    fn read_line(&mut self, line: &str) {
        if let Some((_, id)) = line.split_once("ack ") {
            self.tasks.extend(Some(id.to_owned()).filter(|id| id.len() == 36));
        } else if let Some((_, id)) = line.split_once("key ") {
            self.keys.extend(Some(id.to_owned()).filter(|id| id.len() == 12));
        }
    }
}

/// Starts the victim and kills it when `life` has passed since its first acknowledgement. Returns what it acknowledged.
fn run_and_kill(folder: &Path, life: Duration) -> Acknowledged {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture", "--test-threads", "1"])
        .env(VICTIM, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut output = Acknowledged::default();
    // The time counts from the first acknowledgement, so that a slow victim is not killed while it starts.
    while output.tasks.is_empty() {
        output.read_line(&lines.next().expect("the victim ended by itself").unwrap());
    }
    let killer = std::thread::spawn(move || {
        std::thread::sleep(life);
        victim.kill().unwrap();
        victim.wait().unwrap()
    });
    // The last line may be incomplete. An id that is too short does not count as acknowledged.
    lines.map_while(Result::ok).for_each(|line| output.read_line(&line));
    assert!(!killer.join().unwrap().success());
    output
}

/// Checks the data folder after a kill. Returns the number of interrupted tasks.
fn check_folder(folder: &Path, acknowledged: &HashSet<String>, checked: &mut HashSet<String>, round: u64) -> usize {
    let connection = rusqlite::Connection::open(folder.join("must.db")).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "round {round}");
    let mut statement = connection.prepare("SELECT id, status, result_path FROM task").unwrap();
    let rows: Vec<(String, String, Option<String>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let known: HashSet<&String> = rows.iter().map(|row| &row.0).collect();
    for id in acknowledged {
        assert!(known.contains(id), "round {round}: the acknowledged task {id} is missing");
    }
    for (id, status, result) in &rows {
        assert_ne!(status, "failed", "round {round}: {id}");
        if status == "done" && checked.insert(id.clone()) {
            check_file(&folder.join(result.as_ref().unwrap()));
        }
    }
    // Files of interrupted runs are checked too. A file with its final name is complete, whatever the database says.
    for (id, ..) in rows.iter().filter(|row| row.1 != "done") {
        for epoch in std::fs::read_dir(folder.join("results").join(id)).into_iter().flatten() {
            for file in std::fs::read_dir(epoch.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if !path.file_name().unwrap().to_string_lossy().starts_with(".must-tmp-") {
                    check_file(&path);
                }
            }
        }
    }
    rows.iter().filter(|row| row.1 == "processing").count()
}

fn check_file(path: &Path) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    decode_image(ImageSource::Bytes(&bytes), &ImageLimits::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
