//! Describes the machine of a measurement. A field is null if the system does not provide it.

use must::time::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Describes the machine as it is now, including its load.
pub(crate) fn describe(folder: &Path) -> Value {
    json!({
        "date": Timestamp::now(),
        "cores": std::thread::available_parallelism().map(usize::from).ok(),
        "cpu": field("/proc/cpuinfo", "model name"),
        "memory": field("/proc/meminfo", "MemTotal"),
        "os": field_of(&text("/etc/os-release"), "PRETTY_NAME", '=').map(|name| name.trim_matches('"').to_owned())
            .unwrap_or_else(|| std::env::consts::OS.to_owned()),
        "kernel": text("/proc/sys/kernel/osrelease").trim(),
        "architecture": std::env::consts::ARCH,
        "data_filesystem": filesystem(folder),
        "load_average_at_start": load_average(),
        "must": env!("CARGO_PKG_VERSION"),
        "commit": output_of(Command::new("git").args(["describe", "--always", "--dirty"])),
        "rustc": output_of(Command::new("rustc").arg("--version")),
        "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
    })
}

/// Returns the load averages over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> Option<Vec<f64>> {
    let text = text("/proc/loadavg");
    let values: Vec<f64> = text.split_whitespace().take(3).filter_map(|word| word.parse().ok()).collect();
    (values.len() == 3).then_some(values)
}

/// Returns the peak memory of this process, in KiB.
pub(crate) fn peak_kib() -> Option<u64> {
    field("/proc/self/status", "VmHWM")?.split_whitespace().next()?.parse().ok()
}

/// Resets the peak to the present memory, and returns it. `None` if the system cannot do that.
pub(crate) fn reset_peak_kib() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    peak_kib()
}

/// Returns the processor time of all threads of this process so far, in seconds.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let text = text("/proc/self/stat");
    // The process name in the second field may contain blanks. It ends with the last parenthesis.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    // A clock tick is 1/100 s on every Linux.
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Returns the standard output of a program, trimmed.
fn output_of(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the type of the file system that holds a folder: that of the longest mount point above it.
fn filesystem(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = text("/proc/self/mounts");
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (_, point, kind) = (words.next()?, words.next()?, words.next()?);
        folder.starts_with(point).then(|| (point.len(), kind.to_owned()))
    });
    above.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

fn field(path: &str, name: &str) -> Option<String> {
    field_of(&text(path), name, ':')
}

fn field_of(text: &str, name: &str, mark: char) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(mark))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
