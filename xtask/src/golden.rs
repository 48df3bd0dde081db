//! `cargo xtask golden`: makes the golden data with the reference library, and compares MUST with it.

use crate::run::{Outcome, command, root, run, target, words};
use std::path::PathBuf;

/// Returns the Python with the reference library: `MUST_REFERENCE_PYTHON`, or an environment made for it.
pub fn reference_python() -> Result<PathBuf, String> {
    if let Some(python) = std::env::var_os("MUST_REFERENCE_PYTHON") {
        return Ok(PathBuf::from(python));
    }
    let folder = target().join("reference");
    let python = folder.join("bin/python");
    if !python.exists() {
        run(command("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut install = command(&python);
        run(install.args(["-m", "pip", "install", "--quiet", "-r"]).arg(root().join("tools/golden/requirements.txt")))?;
    }
    Ok(python)
}

pub fn run_golden() -> Outcome {
    let python = reference_python()?;
    for arguments in [
        &["tools/golden/make.py"][..],
        &["tools/golden/samplers.py"],
        &["tools/golden/discrete_samplers.py"],
        &["tools/golden/wan.py"],
        &["tools/golden/sdxl.py"],
        &["tools/golden/kl.py"],
        &["tools/golden/flux.py"],
        &["tools/golden/tokens.py", "tests/golden/tokens"],
        &["tools/golden/text.py"],
        &["tools/golden/prompts.py", "tests/golden/prompts"],
    ] {
        run(command(&python).args(arguments).env("HF_HUB_OFFLINE", "1"))?;
    }
    run(&mut words("cargo", "test -p must-diffusion --lib -- --nocapture"))
}
