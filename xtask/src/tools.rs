//! What the tests need beyond Rust, Python, Node and a C compiler, and installing it on Debian.

use crate::run::{Outcome, command, root, run, words};
use std::path::PathBuf;
use std::process::Stdio;

/// Programs that the tests call, or files that they need, and the packages that bring them.
const PROGRAMS: &[(&str, &str)] = &[
    ("ffprobe", "ffmpeg"),
    ("pngcheck", "pngcheck"),
    ("valgrind", "valgrind"),
    ("cmake", "cmake"),
    ("pkg-config", "pkg-config"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("nginx", "nginx"),
    ("promtool", "prometheus"),
    ("clang++", "clang"),
    ("/usr/include/X11/Xlib.h", "libx11-dev"),
    ("go", "golang-go"),
    ("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go", "golang-golang-x-mod-dev"),
];

/// Installs the programs that are missing.
pub fn programs() -> Outcome {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !exists(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut install = words("apt-get", "install --yes --quiet --no-install-recommends");
    install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
    let installed = run(&mut words("apt-get", "update --quiet")).and_then(|()| run(&mut install));
    installed.map_err(|why| format!("{why}\nInstall these yourself and run again: {}", missing.join(", ")))
}

/// A Python environment of the tests' own, with the packages of `requirements` in it.
pub fn python_environment(name: &str, requirements: &[&str]) -> Result<PathBuf, String> {
    let folder = crate::run::target().join(name);
    let python = folder.join("bin/python");
    if !python.exists() {
        run(command("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let mut install = command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(requirements);
    run(&mut install)?;
    Ok(python)
}

/// Whether a program is on the path, or a file is there.
pub fn exists(program: &str) -> bool {
    if program.starts_with('/') {
        return std::path::Path::new(program).exists();
    }
    let mut probe = command("sh");
    probe
        .args(["-c", &format!("command -v {program}")])
        .current_dir(root())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}
