//! `cargo xtask package`: what is published, made under `target/packages`, and tried where there is no Rust and no clone.
//!
//! Each kind is built in the release profile and then used the way that somebody who downloads it would: in an empty home, with a path
//! that has no cargo, by the program of `examples/generate` in its language.

use crate::run::{Outcome, command, read, root, run, target, words};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates in the order in which they are published.
const CRATES: [&str; 5] = ["must-diffusion", "must", "must-ffi", "must-cxx", "must-cli"];

/// What makes the packages of one kind and tries them.
type Make = fn() -> Outcome;

const KINDS: [(&str, Make); 4] = [("crates", crates), ("c", c), ("python", python), ("node", node)];

/// Makes and tries the packages of these kinds, or of all.
pub fn run_kinds(names: &[&str]) -> Outcome {
    if let Some(unknown) = names.iter().find(|name| !KINDS.iter().any(|(kind, _)| kind == *name)) {
        let known = KINDS.map(|(kind, _)| kind).join(", ");
        return Err(format!("there are no packages of the kind {unknown}; there are {known}"));
    }
    for (kind, make) in KINDS.iter().filter(|(kind, _)| names.is_empty() || names.contains(kind)) {
        eprintln!("== {kind}");
        make()?;
    }
    Ok(())
}

/// Packs the crates, and builds each from its packed file alone.
fn crates() -> Outcome {
    let mut package = words("cargo", "package --locked");
    for name in CRATES {
        package.args(["-p", name]);
    }
    run(&mut package)?;
    for name in CRATES {
        say(&target().join("package").join(format!("{name}-{}.crate", version()?)))?;
    }
    Ok(())
}

/// A folder with `lib`, `include`, pkg-config and CMake files as an archive.
fn c() -> Outcome {
    let name = format!("must-{}-{}-{}", version()?, std::env::consts::ARCH, std::env::consts::OS);
    let folder = fresh("c")?;
    run(command("bash").arg("ffi/install.sh").arg(folder.join(&name)))?;
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(license), &folder.join(&name).join(license))?;
    }
    let archive = folder.join(format!("{name}.tar.gz"));
    run(command("tar").arg("-czf").arg(&archive).arg("-C").arg(&folder).arg(&name))?;
    say(&archive)?;

    let elsewhere = Elsewhere::new("c")?;
    elsewhere.run(command("tar").arg("-xzf").arg(&archive))?;
    let prefix = elsewhere.0.join(&name);
    let example = elsewhere.0.join("example");
    copy_folder(&root().join("examples/generate/c"), &example)?;
    elsewhere.run(command("make").arg("-s").arg("-C").arg(&example).arg(format!("PREFIX={}", prefix.display())))?;
    elsewhere.tries(&mut command(example.join("generate")))?;
    copy_folder(&root().join("examples/generate/cpp"), &elsewhere.0.join("cpp"))?;
    let mut configure = words("cmake", "-S cpp -B cpp-build");
    elsewhere.run(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())))?;
    elsewhere.run(&mut words("cmake", "--build cpp-build"))?;
    elsewhere.tries(&mut command(elsewhere.0.join("cpp-build/generate")))
}

/// A source distribution, and a wheel for every CPython from 3.11 on.
fn python() -> Outcome {
    let folder = fresh("python")?;
    let tools = crate::tools::python_environment("packaging", &["maturin>=1.16,<2"])?;
    let maturin = |arguments: &str| {
        let mut maturin = command(&tools);
        maturin.args(["-m", "maturin"]).args(arguments.split_whitespace());
        maturin.args(["--manifest-path", "bindings-python/Cargo.toml", "--out"]).arg(&folder);
        maturin
    };
    run(&mut maturin("sdist"))?;
    run(&mut maturin("build --release --locked"))?;
    for file in files(&folder)? {
        say(&file)?;
    }
    let wheel = one(&folder, ".whl")?;
    let elsewhere = Elsewhere::new("python")?;
    elsewhere.run(&mut words("python3", "-m venv venv"))?;
    let python = elsewhere.0.join("venv/bin/python");
    elsewhere.run(command(&python).args(["-m", "pip", "install", "--quiet", "--no-index"]).arg(&wheel))?;
    elsewhere.tries(command(&python).arg(root().join("examples/generate/python/main.py")))
}

/// The package, and beside it the one with the addon for this platform.
fn node() -> Outcome {
    let folder = fresh("node")?;
    run(words("npm", "install --no-audit --no-fund").current_dir(root().join("bindings-node")))?;
    run(command("node").arg("bindings-node/scripts/package.mjs").arg(&folder))?;
    let mut archives = Vec::new();
    for package in files(&folder)? {
        let mut pack = words("npm", "pack --silent --pack-destination");
        let name = read(pack.arg(&folder).current_dir(&package))?;
        archives.push(folder.join(name.trim()));
    }
    for archive in &archives {
        say(archive)?;
    }
    let elsewhere = Elsewhere::new("node")?;
    copy(&root().join("examples/generate/node/main.mjs"), &elsewhere.0.join("main.mjs"))?;
    fs::write(elsewhere.0.join("package.json"), "{\"private\": true, \"type\": \"module\"}").map_err(text)?;
    elsewhere.run(words("npm", "install --offline --no-audit --no-fund").args(&archives))?;
    elsewhere.tries(command("node").arg("main.mjs"))
}

/// An empty home without Rust.
struct Elsewhere(PathBuf);

impl Elsewhere {
    fn new(kind: &str) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("must-packages-{}", std::process::id())).join(kind);
        fs::create_dir_all(&folder).map_err(text)?;
        Ok(Self(folder))
    }

    fn run(&self, command: &mut Command) -> Outcome {
        run(command.env_clear().env("HOME", &self.0).env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(&self.0))
    }

    /// Runs a program of `examples/generate`: it makes a clip.
    fn tries(&self, program: &mut Command) -> Outcome {
        let clip = self.0.join("clip.mp4");
        self.run(program.arg(self.0.join("data")).arg(&clip))?;
        let bytes = fs::metadata(&clip).map_err(text)?.len();
        for path in [&clip, &self.0.join("data")] {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        }
        eprintln!("it made a clip of {bytes} bytes, without Rust");
        Ok(())
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The version of the workspace.
fn version() -> Result<String, String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(text)?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.map(str::to_owned).ok_or_else(|| "Cargo.toml names no version".to_owned())
}

/// An empty folder for the packages of one kind.
fn fresh(kind: &str) -> Result<PathBuf, String> {
    let folder = target().join("packages").join(kind);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(text)?;
    Ok(folder)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(text)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(text)?;
    paths.sort();
    Ok(paths)
}

fn one(folder: &Path, ending: &str) -> Result<PathBuf, String> {
    let found = files(folder)?.into_iter().find(|path| path.to_string_lossy().ends_with(ending));
    found.ok_or_else(|| format!("{} has no file *{ending}", folder.display()))
}

fn say(file: &Path) -> Outcome {
    let bytes = fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?.len();
    println!("{:>7.1} MB  {}", bytes as f64 / 1e6, file.strip_prefix(root()).unwrap_or(file).display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Outcome {
    fs::copy(from, to).map(drop).map_err(|error| format!("cannot copy {}: {error}", from.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to).map_err(text)?;
    for path in files(from)? {
        let name = path.file_name().unwrap_or_default();
        if path.is_file() {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}
