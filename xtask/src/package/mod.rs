//! `cargo xtask package`: makes the published packages under `target/packages`, and tries them without Rust and without a clone.
//!
//! Each kind is built in the release profile. Then the program of `examples/generate` in its language uses the package as somebody who
//! downloads it would: in an empty home, with a path that has no cargo, or in a separate Debian (`--in-debian`).

mod clean_home;
mod platform;

use crate::run::{Outcome, command, read, root, run, target, text, words};
use clean_home::{CleanHome, Debian};
use platform::Platform;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates in the order in which they are published.
const CRATES: [&str; 7] = ["must-tensors", "must-diffusion", "must-media", "must", "must-ffi", "must-cxx", "must-cli"];

/// The oldest releases that have what a kind asks of its user: C++17, CPython 3.11, Node 20.3.
const DEBIAN_FOR_C: Debian = Debian { suite: "bullseye", packages: "gcc g++ make pkg-config cmake" };
const DEBIAN_FOR_PYTHON: Debian = Debian { suite: "bookworm", packages: "python3-venv" };
const DEBIAN_FOR_NODE: Debian = Debian { suite: "trixie", packages: "nodejs npm" };

/// A function that makes the packages of one kind and tries them.
type Make = fn(&Options) -> Outcome;

const KINDS: [(&str, Make); 4] = [("crates", crates), ("c", c), ("python", python), ("node", node)];

/// The options of the command: the platform, and where the packages are tried.
struct Options {
    platform: Platform,
    in_debian: bool,
}

/// Makes and tries packages: `[--target TRIPLE] [--in-debian] [KIND ...]`.
pub fn run_with(words: &[&str]) -> Outcome {
    let (mut triple, mut in_debian, mut names) = (None, false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--target" => triple = Some(*words.next().ok_or("--target needs a triple of rustc")?),
            "--in-debian" => in_debian = true,
            name if KINDS.iter().any(|(kind, _)| *kind == name) => names.push(name),
            unknown => {
                let known = KINDS.map(|(kind, _)| kind).join(", ");
                return Err(format!("there are no packages of the kind {unknown}; there are {known}"));
            }
        }
    }
    let options = Options { platform: Platform::new(triple)?, in_debian };
    for (kind, make) in KINDS.iter().filter(|(kind, _)| names.is_empty() || names.contains(kind)) {
        eprintln!("== {kind}");
        make(&options)?;
    }
    Ok(())
}

impl Options {
    /// An empty folder for the packages of one kind.
    fn fresh(&self, kind: &str) -> Result<PathBuf, String> {
        let folder = target().join("packages").join(self.platform.name()).join(kind);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(text)?;
        Ok(folder)
    }

    /// The home in which packages of a kind are tried; `None` if programs for their platform do not run on this system.
    fn clean_home(&self, kind: &str, debian: &Debian) -> Result<Option<CleanHome>, String> {
        if !self.platform.is_this() {
            eprintln!("not tried: programs for {} do not run here", self.platform.name());
            return Ok(None);
        }
        CleanHome::new(kind, self.in_debian.then_some(debian)).map(Some)
    }
}

/// Packs the crates, and builds each from its packed file alone.
fn crates(_: &Options) -> Outcome {
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

/// Makes an archive of a folder with `lib`, `include`, pkg-config and CMake files, and tries it.
fn c(options: &Options) -> Outcome {
    let name = format!("must-{}-{}", version()?, options.platform.name());
    let folder = options.fresh("c")?;
    run(options.platform.command("bash")?.arg("ffi/install.sh").arg(folder.join(&name)))?;
    options.platform.check(&folder.join(&name).join("lib").join(options.platform.library("must")))?;
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(license), &folder.join(&name).join(license))?;
    }
    let archive = folder.join(format!("{name}.tar.gz"));
    run(command("tar").arg("-czf").arg(&archive).arg("-C").arg(&folder).arg(&name))?;
    say(&archive)?;

    let Some(home) = options.clean_home("c", &DEBIAN_FOR_C)? else { return Ok(()) };
    let archive = home.bring(&archive)?;
    home.run("tar", &["-xzf".as_ref(), archive.as_ref()])?;
    let prefix = home.own(&name);
    for language in ["c", "cpp"] {
        home.bring(&root().join("examples/generate").join(language))?;
    }
    let make = format!("PREFIX={}", prefix.display());
    home.run("make", &["-s", "-C", "c", &make].map(OsStr::new))?;
    home.tries(home.own("c/generate"), &[])?;
    // With the static library, and the libraries that pkg-config names beside it.
    let beside =
        format!("export PKG_CONFIG_PATH={0}/lib/pkgconfig; cc c/main.c $(pkg-config --cflags must)", prefix.display());
    let link =
        format!("{0}/lib/libmust.a $(pkg-config --libs --static must | sed s/-lmust//) -o static", prefix.display());
    home.run("sh", &["-c", &format!("{beside} {link}")].map(OsStr::new))?;
    home.tries(home.own("static"), &[])?;
    let configure = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    home.run("cmake", &["-S", "cpp", "-B", "cpp-build", &configure].map(OsStr::new))?;
    home.run("cmake", &["--build", "cpp-build"].map(OsStr::new))?;
    home.tries(home.own("cpp-build/generate"), &[])
}

/// Makes a source distribution and one wheel for every CPython from 3.11 on, and tries the wheel.
fn python(options: &Options) -> Outcome {
    let folder = options.fresh("python")?;
    let tools = options.platform.tools()?;
    let maturin = |arguments: &str| {
        let mut maturin = options.platform.command(tools)?;
        maturin.args(["-m", "maturin"]).args(arguments.split_whitespace());
        maturin.args(["--manifest-path", "bindings-python/Cargo.toml", "--out"]).arg(&folder);
        Ok::<_, String>(maturin)
    };
    run(&mut maturin("sdist")?)?;
    let mut build = maturin("build --release --locked")?;
    if let Some(tag) = options.platform.wheel_tag() {
        build.args(["--compatibility", &tag]);
    }
    run(&mut build)?;
    for file in files(&folder)? {
        say(&file)?;
    }
    let Some(home) = options.clean_home("python", &DEBIAN_FOR_PYTHON)? else { return Ok(()) };
    let wheel = home.bring(&one(&folder, ".whl")?)?;
    let program = home.bring(&root().join("examples/generate/python/main.py"))?;
    home.run("python3", &["-m", "venv", "venv"].map(OsStr::new))?;
    let python = home.own("venv/bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--no-index"].map(OsStr::new);
    home.run(&python, &[&install[..], &[wheel.as_ref()]].concat())?;
    home.tries(&python, &[program.as_ref()])
}

/// Makes the Node package and a second package with the addon for the platform, and tries both together.
fn node(options: &Options) -> Outcome {
    let folder = options.fresh("node")?;
    let here = root().join("bindings-node");
    run(options.platform.command("cargo")?.args(["build", "--release", "--locked", "--package", "must-node"]))?;
    let addon = options.platform.release().join(options.platform.library("must_node"));
    options.platform.check(&addon)?;
    run(words("npm", "ci --ignore-scripts --no-audit --no-fund").current_dir(&here))?;
    run(words("node", "node_modules/typescript/bin/tsc --project tsconfig.json").current_dir(&here))?;
    let mut lay_out = command("node");
    lay_out.arg("bindings-node/scripts/package.mjs").arg(&folder).arg(&addon).arg(options.platform.node_name());
    run(&mut lay_out)?;
    let mut archives = Vec::new();
    for package in files(&folder)? {
        let mut pack = words("npm", "pack --silent --pack-destination");
        let name = read(pack.arg(&folder).current_dir(&package))?;
        archives.push(folder.join(name.trim()));
    }
    for archive in &archives {
        say(archive)?;
    }
    let Some(home) = options.clean_home("node", &DEBIAN_FOR_NODE)? else { return Ok(()) };
    home.bring(&root().join("examples/generate/node/main.mjs"))?;
    home.write("package.json", "{\"private\": true, \"type\": \"module\"}")?;
    let archives = archives.iter().map(|archive| home.bring(archive)).collect::<Result<Vec<_>, _>>()?;
    let install = ["install", "--offline", "--no-audit", "--no-fund"].map(OsStr::new);
    home.run("npm", &[&install[..], &archives.iter().map(AsRef::as_ref).collect::<Vec<_>>()].concat())?;
    home.tries("node", &["main.mjs".as_ref()])
}

/// The version of the workspace.
fn version() -> Result<String, String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(text)?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.map(str::to_owned).ok_or_else(|| "Cargo.toml names no version".to_owned())
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
