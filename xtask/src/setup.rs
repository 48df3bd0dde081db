//! `cargo xtask setup`: installs what the tests need. The tests themselves install none of this; they only check for it.

use crate::run::{Outcome, command, root, run, target, words};
use crate::{test, tools};
use std::path::PathBuf;

/// Whether this machine can use the packages with the CUDA compiler.
pub const HAS_CUDA: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// Installs what these parts need, or what all parts need.
pub fn install(names: &[&str]) -> Outcome {
    let parts = test::part_names(names)?;
    tools::install(&parts)?;
    if parts.contains(&"style") {
        web_packages()?;
    }
    if lacks_cuda(&parts) {
        run(&mut words("cargo", "fetch --quiet"))?;
        run(command("bash").arg("tools/cuda/setup.sh").arg(cuda_folder()))?;
    }
    check(&parts)
}

/// Fails if something is missing for these parts, and says how to get it.
pub fn check(parts: &[&str]) -> Outcome {
    let mut missing = tools::missing(parts);
    if parts.contains(&"style") && !prettier().exists() {
        missing.push("the packages of npm in web/node_modules".to_owned());
    }
    if lacks_cuda(parts) {
        missing.push(format!("the CUDA compiler in {}", cuda_folder().display()));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("missing:\n  {}\n`cargo xtask setup` installs them", missing.join("\n  ")))
}

/// Installs the packages of the web UI in the versions of its lock file. Does nothing if they are installed already.
pub fn web_packages() -> Outcome {
    let folder = root().join("web");
    let wanted = std::fs::read(folder.join("package-lock.json"))
        .map_err(|error| format!("cannot read web/package-lock.json: {error}"))?;
    let record = target().join("web-packages.json");
    if prettier().exists() && std::fs::read(&record).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    run(words(NPM, "ci --no-audit --no-fund").current_dir(folder))?;
    std::fs::write(&record, wanted).map_err(|error| format!("cannot write {}: {error}", record.display()))
}

/// Returns the formatter of TypeScript and CSS, which is one of these packages.
pub fn prettier() -> PathBuf {
    root().join("web/node_modules/prettier/bin/prettier.cjs")
}

/// Returns the shell script that sets the variables for the CUDA compiler.
pub fn cuda_environment() -> PathBuf {
    cuda_folder().join("env")
}

fn cuda_folder() -> PathBuf {
    target().join("cuda")
}

fn lacks_cuda(parts: &[&str]) -> bool {
    HAS_CUDA && parts.contains(&"cuda") && !cuda_environment().exists()
}
