//! `cargo xtask bench`: builds what the benchmarks need, runs them, and stores their results.
//!
//! If something cannot be built or found, the other benchmarks still run. The results name what is missing, and so does the
//! final error.

use crate::run::{Outcome, command, root, run as execute, target, words};
use crate::tools;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The names of the benchmarks. `http` is a separate program; the others are parts of `must-benches`.
const NAMES: [&str; 8] = ["submit", "status", "access", "overhead", "generate", "models", GPU, HTTP];
const HTTP: &str = "http";
/// Runs only when it is named, because it needs an NVIDIA GPU and the CUDA compiler.
const GPU: &str = "gpu";

/// How the benchmarks are built and run. The default is a release build. `--quick` builds with the dev profile, repeats
/// little, and stores nothing in the project.
#[derive(Clone, Copy)]
struct Scale {
    quick: bool,
}

impl Scale {
    fn profile(self) -> &'static str {
        if self.quick { "dev" } else { "release" }
    }

    fn folder(self) -> PathBuf {
        target().join(if self.quick { "debug" } else { "release" })
    }
}

/// Runs the benchmarks with these names, or all except `gpu` if there are no names. With the option `--quick` it only tries whether
/// they work.
pub fn run(names: &[&str]) -> Outcome {
    let scale = Scale { quick: names.contains(&"--quick") };
    let chosen: Vec<&str> = names.iter().copied().filter(|name| *name != "--quick").collect();
    if let Some(unknown) = chosen.iter().find(|name| !NAMES.contains(name)) {
        return Err(format!("there is no benchmark {unknown}; there are {} and the option --quick", NAMES.join(", ")));
    }
    let is_chosen = |name: &str| if chosen.is_empty() { name != GPU } else { chosen.contains(&name) };
    let mut build = command("cargo");
    build.args(["build", "-p", "must-benches", "--profile", scale.profile()]);
    if is_chosen(GPU) {
        build.args(["--features", "cuda,cudnn"]);
    }
    execute(&mut build)?;
    let mut missing = Vec::new();
    for name in NAMES.into_iter().filter(|name| is_chosen(name)) {
        if name == HTTP {
            if let Err(why) = http(scale) {
                missing.push(format!("{HTTP}: {why}"));
            }
            continue;
        }
        let mut bench = command(scale.folder().join("must-benches"));
        bench.arg(name).arg("--root").arg(root()).arg("--folder").arg(target().join("bench-data"));
        bench.arg("--results").arg(if scale.quick {
            target().join("bench-quick")
        } else {
            root().join("benches/results")
        });
        if scale.quick {
            bench.arg("--quick");
        }
        let provided = match name {
            "overhead" => vec![("--c", c(scale)), ("--python", python(scale)), ("--node", node(scale))],
            "generate" => vec![("--reference", reference())],
            "models" => vec![("--weights", weights())],
            GPU => vec![("--weights", weights()), ("--reference", reference())],
            _ => Vec::new(),
        };
        for (option, outcome) in provided {
            match outcome {
                Ok(path) => bench.arg(option).arg(path),
                Err(why) => {
                    let text = format!("{}: {why}", option.trim_start_matches('-'));
                    bench.arg("--missing").arg(&text);
                    missing.push(text);
                    &mut bench
                }
            };
        }
        execute(&mut bench)?;
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("not everything was measured:\n  {}", missing.join("\n  "))) }
}

/// The HTTP server under load, compared with its peer.
fn http(scale: Scale) -> Outcome {
    if !tools::exists("wrk") {
        return Err("there is no program wrk on the path (Debian: apt-get install wrk)".to_owned());
    }
    execute(command("cargo").args(["build", "-p", "must-cli", "--profile", scale.profile()]))?;
    let python = tools::python_environment("bench-http", &["-r", "benches/http/requirements.txt"])?;
    let mut bench = command(&python);
    bench.arg("benches/http/run.py").arg(scale.folder().join("must")).arg(&python).args(["--profile", scale.profile()]);
    if scale.quick {
        let results = target().join("bench-quick");
        std::fs::create_dir_all(&results).map_err(|error| format!("cannot make {}: {error}", results.display()))?;
        bench.args(["--seconds", "1", "--out"]).arg(results.join("http.json"));
    }
    execute(&mut bench)
}

/// Returns the folder with random weights of models in their true sizes. They take tens of gigabytes and are made by a
/// script.
fn weights() -> Result<PathBuf, String> {
    let folder = std::env::var_os("MUST_RANDOM_WEIGHTS").map(PathBuf::from);
    folder
        .filter(|folder| folder.is_dir())
        .ok_or_else(|| "MUST_RANDOM_WEIGHTS is not set to a folder; tools/random-weights/make.py writes one".to_owned())
}

/// Builds the C caller, linked with the shared library.
fn c(scale: Scale) -> Result<PathBuf, String> {
    let work = target().join("bench-c");
    let library = work.join("libmust.so.0");
    std::fs::create_dir_all(&work).map_err(|error| format!("cannot make {}: {error}", work.display()))?;
    execute(command("cargo").args(["build", "-p", "must-ffi", "--profile", scale.profile()]))?;
    // Copies the library under its soname, by which the caller looks for it at run time.
    let built = scale.folder().join("libmust_ffi.so");
    std::fs::copy(&built, &library).map_err(|error| format!("cannot copy {}: {error}", built.display()))?;
    let program = work.join("calls");
    let mut compile = words("cc", "-std=c11 -O2 -Wall -Wextra -Werror -Iffi/include benches/calls/calls.c -o");
    compile.arg(&program).arg(&library).arg(format!("-Wl,-rpath,{}", work.display()));
    execute(&mut compile)?;
    Ok(program)
}

/// Returns a Python with the module built and installed.
fn python(scale: Scale) -> Result<PathBuf, String> {
    let python = tools::python_environment("bench-python", &["maturin>=1.16,<2"])?;
    let mut install = command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--no-build-isolation", "--force-reinstall", "--no-deps"]);
    install.arg("./bindings-python").arg("--config-settings").arg(format!("build-args=--profile {}", scale.profile()));
    execute(with_environment(&mut install, &python))?;
    Ok(python)
}

/// Puts the programs of a Python environment first on the path.
fn with_environment<'a>(command: &'a mut Command, python: &Path) -> &'a mut Command {
    let scripts = python.parent().map(Path::to_path_buf).unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", scripts.display()))
}

/// Builds the Node package.
fn node(scale: Scale) -> Result<PathBuf, String> {
    if !tools::exists("node") {
        return Err("there is no program node on the path".to_owned());
    }
    let folder = root().join("bindings-node");
    let mut install = words("npm", "ci --no-audit --no-fund");
    execute(install.current_dir(&folder).env("MUST_BUILD_PROFILE", scale.profile()))?;
    Ok(folder.join("dist"))
}

/// Returns the Python with the reference library: `MUST_REFERENCE_PYTHON`, or the one that `cargo xtask golden` made.
fn reference() -> Result<PathBuf, String> {
    let made = target().join("reference/bin/python");
    let python = match std::env::var_os("MUST_REFERENCE_PYTHON") {
        Some(python) => PathBuf::from(python),
        None if made.exists() => made,
        None => {
            return Err("set MUST_REFERENCE_PYTHON to a Python with torch, diffusers and transformers, \
                        or let `cargo xtask golden` make one"
                .to_owned());
        }
    };
    let check = execute(command(&python).args(["-c", "import torch, diffusers, transformers"]));
    check.map(|()| python.clone()).map_err(|why| format!("{} lacks the reference library: {why}", python.display()))
}
