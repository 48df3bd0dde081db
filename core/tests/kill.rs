//! Kills the process at random moments while several callers submit, generate and issue API keys, and looks at what is left.
//!
//! The victim is this test program itself, started again with a data folder in its environment. What it acknowledged is
//! known from its standard output, which outlives it. `MUST_KILL_ROUNDS` sets how many times it dies (200 by default).

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

/// What dies: callers that submit pictures and wait for them, and one that issues API keys; each says every id once it is
/// acknowledged.
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
    let mut looked_at = HashSet::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut interrupted = 0;
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let said = die_after(folder.path(), Duration::from_millis((random >> 33) % 600));
        acknowledged.extend(said.tasks);
        keys.extend(said.keys);
        interrupted += look(folder.path(), &acknowledged, &mut looked_at, round);
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
    look_at_keys(&platform, &keys);
    platform.close(Duration::from_secs(10)).unwrap();
    assert!(interrupted > 0, "no death came in the middle of anything: the test shows nothing");
    writeln!(
        std::io::stderr(),
        "{rounds} deaths, {} acknowledged tasks, all done; {interrupted} were cut short while they ran; {} keys, all there",
        acknowledged.len(),
        keys.len()
    )
    .unwrap();
}

/// Every key that was acknowledged is there, each with its event, and the log is whole.
fn look_at_keys(platform: &Platform, keys: &HashSet<String>) {
    let there: HashSet<String> = platform.access().unwrap().keys().unwrap().into_iter().map(|key| key.id).collect();
    assert!(keys.is_subset(&there), "a key was acknowledged and is gone");
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

/// What a victim acknowledged.
#[derive(Default)]
struct Said {
    tasks: Vec<String>,
    keys: Vec<String>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        if let Some((_, id)) = line.split_once("ack ") {
            self.tasks.extend(Some(id.to_owned()).filter(|id| id.len() == 36));
        } else if let Some((_, id)) = line.split_once("key ") {
            self.keys.extend(Some(id.to_owned()).filter(|id| id.len() == 12));
        }
    }
}

/// Starts the victim, lets it open, kills it after `life`; what it acknowledged.
fn die_after(folder: &Path, life: Duration) -> Said {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture", "--test-threads", "1"])
        .env(VICTIM, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut said = Said::default();
    // The clock runs from the first acknowledgement, so that a slow start is not all that dies.
    while said.tasks.is_empty() {
        said.hear(&lines.next().expect("the victim ended by itself").unwrap());
    }
    let killer = std::thread::spawn(move || {
        std::thread::sleep(life);
        victim.kill().unwrap();
        victim.wait().unwrap()
    });
    // A last line without its end was never fully said: an id that is too short counts as not acknowledged.
    lines.map_while(Result::ok).for_each(|line| said.hear(&line));
    assert!(!killer.join().unwrap().success());
    said
}

/// Checks what a death left; how many tasks it cut short.
fn look(folder: &Path, acknowledged: &HashSet<String>, looked_at: &mut HashSet<String>, round: u64) -> usize {
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
        assert!(known.contains(id), "round {round}: {id} was acknowledged and is gone");
    }
    for (id, status, result) in &rows {
        assert_ne!(status, "failed", "round {round}: {id}");
        if status == "done" && looked_at.insert(id.clone()) {
            whole(&folder.join(result.as_ref().unwrap()));
        }
    }
    // Also the files of runs that died: under its final name a file is whole, whatever the database says.
    for (id, ..) in rows.iter().filter(|row| row.1 != "done") {
        for epoch in std::fs::read_dir(folder.join("results").join(id)).into_iter().flatten() {
            for file in std::fs::read_dir(epoch.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if !path.file_name().unwrap().to_string_lossy().starts_with(".must-tmp-") {
                    whole(&path);
                }
            }
        }
    }
    rows.iter().filter(|row| row.1 == "processing").count()
}

fn whole(path: &Path) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    decode_image(ImageSource::Bytes(&bytes), &ImageLimits::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
