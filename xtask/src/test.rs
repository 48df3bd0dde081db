//! `cargo xtask test`: runs all parts of the tests. The order makes failures show early.

use crate::run::{Outcome, built, command, read, root, run, run_both, target, words};
use crate::{setup, style, tools};
use std::path::Path;
use std::time::Instant;

struct Part {
    name: &'static str,
    about: &'static str,
    run: fn() -> Outcome,
}

const FORMAT: Part = Part { name: "format", about: "rustfmt", run: format };
const STYLE: Part = Part {
    name: "style",
    about: "the formatters of C, C++, TypeScript, CSS and TOML, spelling, licences and duplicate dependencies",
    run: style::check,
};
const LINT: Part = Part { name: "lint", about: "clippy; the docs of the crates, with warnings denied", run: lint };

const PARTS: &[Part] = &[
    FORMAT,
    STYLE,
    Part {
        name: "rust",
        about: "unit, golden, kill and media tests of the core, the examples in its docs, the C ABI's own tests, the bridge of cxx",
        run: rust,
    },
    Part { name: "c", about: "C and C++ programs, valgrind, AddressSanitizer, pkg-config, CMake", run: c },
    Part {
        name: "python",
        about: "the Python module: pytest, mypy, ruff; the HTTP API by handle and ASGI, with workers, OpenAI's client, a fuzzer",
        run: python,
    },
    Part {
        name: "node",
        about: "the Node addon: node --test, tsc; the HTTP API by handle, with workers and OpenAI's client",
        run: node,
    },
    Part {
        name: "examples",
        about: "the same program in every language, and in two at once, makes the same bytes; the programs that docs/start quotes",
        run: examples,
    },
    Part {
        name: "http",
        about: "contract, abuse and fuzz tests of the HTTP API over real sockets, workers, OpenAI's clients, a browser",
        run: http,
    },
    Part {
        name: "web",
        about: "the web UI: types, unit tests, the built files, and the whole UI in headless Chromium",
        run: web,
    },
    Part { name: "audit", about: "Go's transparency log packages verify an exported audit log", run: audit },
    Part { name: "browser", about: "headless Chromium plays the clips", run: browser },
    LINT,
    Part { name: "features", about: "the library with each of its features alone, and with none", run: features },
    Part {
        name: "cuda",
        about: "the library with its features cuda and cudnn, checked with a compiler from PyPI",
        run: cuda,
    },
];

/// The option for a quick run between two changes. It takes under three minutes on two cores once everything is built.
const FAST_OPTION: &str = "--fast";

const FAST: &[Part] = &[
    FORMAT,
    STYLE,
    LINT,
    Part { name: "unit", about: "the unit tests of the Rust crates, without those that take long", run: unit },
];

/// The variable that makes tests rewrite generated files instead of comparing them.
const REGENERATE: (&str, &str) = ("MUST_REGEN", "1");

pub fn list() -> Outcome {
    for part in PARTS {
        println!("{:<10} {}", part.name, part.about);
    }
    Ok(())
}

/// Returns the parts with these names, or all parts if no names are given.
fn chosen(names: &[&str]) -> Result<Vec<&'static Part>, String> {
    if names == [FAST_OPTION] {
        return Ok(FAST.iter().collect());
    }
    if let Some(unknown) = names.iter().find(|name| !PARTS.iter().any(|part| part.name == **name)) {
        return Err(format!("there is no part {unknown}; cargo xtask test --list names them"));
    }
    Ok(PARTS.iter().filter(|part| names.is_empty() || names.contains(&part.name)).collect())
}

/// Returns the names of the parts that these arguments select.
pub fn part_names(names: &[&str]) -> Result<Vec<&'static str>, String> {
    Ok(chosen(names)?.into_iter().map(|part| part.name).collect())
}

pub fn run_parts(names: &[&str]) -> Outcome {
    setup::check(&part_names(names)?)?;
    let mut passed = 0;
    for part in chosen(names)? {
        let began = Instant::now();
        eprintln!("== {}: {}", part.name, part.about);
        if let Err(why) = (part.run)() {
            println!("{passed} passed, 1 failed");
            return Err(format!("the part {} failed: {why}", part.name));
        }
        eprintln!("== {} passed in {:.0} s", part.name, began.elapsed().as_secs_f64());
        passed += 1;
    }
    println!("{passed} passed, 0 failed");
    Ok(())
}

/// Rewrites the committed files that are generated from the code.
pub fn regen() -> Outcome {
    let (name, value) = REGENERATE;
    run(tests(&["-p", "must", "--test", "generated"]).env(name, value))?;
    run(tests(&["-p", "must", "--lib", "--", "committed_one"]).env(name, value))?;
    run(tests(&["-p", "must-ffi"]).env(name, value))?;
    let environment = python_module()?;
    run(command(&environment)
        .args(["-m", "pytest", "-q", "tests/test_generated.py"])
        .current_dir(root().join("bindings-python"))
        .env(name, value))?;
    run(tests(&["-p", "must-node"]).env(name, value))?;
    run(words("npm", "install --no-audit --no-fund")
        .current_dir(root().join("bindings-node"))
        .env("MUST_BUILD_PROFILE", "dev")
        .env(name, value))
}

fn format() -> Outcome {
    run(&mut words("cargo", "fmt --all --check"))
}

/// All crates but the Python module, which only an interpreter can load.
const CRATES: [&str; 3] = ["--workspace", "--exclude", "must-python"];

/// The test that kills a process 200 times. It waits more than it computes, so the other tests run beside it.
const KILL: &str = "nothing_acknowledged_is_lost_and_nothing_hangs";

fn rust() -> Outcome {
    run(tests(&CRATES).arg("--no-run"))?;
    run_both(tests(&CRATES).args(["--test", "kill"]), tests(&CRATES).args(["--", "--skip", KILL]))
}

/// Unit tests that take several seconds each, by parts of their names: whole models, and damaged files of every kind.
const SLOW: &[&str] = &[
    "flux::tests",
    "sdxl::tests",
    "wan::tests",
    "wan::variant",
    "vae::kl",
    "vae::tests",
    "folders_with_too_many_files",
    "ten_thousand_prompts",
    "weights::mutation_tests",
    "audit::tests::checkpoints",
    "audit::tests::tampering",
    "calls::tests::canary",
    "bombs_that_really_decompress",
];

fn unit() -> Outcome {
    let skipped = SLOW.iter().flat_map(|name| ["--skip", name]);
    run(tests(&CRATES).args(["--lib", "--bins", "--"]).args(skipped))
}

fn tests(arguments: &[&str]) -> std::process::Command {
    let mut tests = command("cargo");
    // Many tests wait for a file or a moment, so there are more of them at once than processors.
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    tests.arg("test").args(arguments).env("MUST_REQUIRE_TOOLS", "1").env("RUST_TEST_THREADS", threads.to_string());
    tests
}

fn c() -> Outcome {
    run(words("bash", "tests/c/run.sh").env(SMALL_MODELS, small_models()?))
}

/// The variable with the folder of small models. Tests of all languages use them for families without an embedded model.
const SMALL_MODELS: &str = "MUST_SMALL_MODELS";

/// Returns a folder with these models, which the tests of the inference crate write.
fn small_models() -> Result<std::path::PathBuf, String> {
    let folder = target().join("small-models");
    // Uses the same features as the part `rust`. Built alone, the crate would be compiled again with other features of its
    // dependencies.
    let mut write = words("cargo", "test --quiet --workspace --exclude must-python --lib -- --ignored small_models");
    run(write.env(SMALL_MODELS, &folder))?;
    Ok(folder)
}

/// Runs the platform under the load of a small company, for an hour unless the options say otherwise.
pub fn soak(options: &[&str]) -> Outcome {
    let python = python_module()?;
    run(&mut words("cargo", "build -p must-cli"))?;
    run(command(python).arg("tools/soak/soak.py").arg("--program").arg(built("must")).args(options))
}

/// Builds the Python module with the dev profile into an environment of its own. Returns that environment's Python.
fn python_module() -> Result<std::path::PathBuf, String> {
    let python = tools::PYTHON_TESTS.python()?;
    let mut install = command(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-build-isolation",
        "--force-reinstall",
        "--no-deps",
        "./bindings-python",
    ]);
    install.args(["--config-settings", "build-args=--profile dev"]);
    let scripts = python.parent().map(Path::to_path_buf).unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    run(install.env("PATH", format!("{}:{path}", scripts.display())))?;
    Ok(python)
}

/// The HTTP server, from outside.
fn http() -> Outcome {
    run(&mut words("cargo", "build -p must-cli"))?;
    run(command(tools::HTTP_TESTS.python()?)
        .args(PYTEST)
        .arg("tests/http")
        .env(SMALL_MODELS, small_models()?)
        .env("MUST_PROGRAM", built("must"))
        .env("MUST_REQUIRE_TOOLS", "1"))
}

/// Tests the web UI alone, then as the program serves it.
fn web() -> Outcome {
    let folder = root().join("web");
    setup::web_packages()?;
    for line in ["run typecheck", "test", "run check-dist"] {
        run(words("npm", line).current_dir(&folder))?;
    }
    run(&mut words("cargo", "build -p must-cli"))?;
    run(words("node", "--test --test-timeout=600000 tests/web/ui.test.mjs").env("MUST_PROGRAM", built("must")))
}

/// Verifies an audit log with an independent program: golang.org/x/mod/sumdb in Debian's package.
fn audit() -> Outcome {
    run(&mut words("cargo", "build -p must-cli"))?;
    run(command("bash").arg("tests/audit/run.sh").arg(built("must")))
}

/// Runs two test files at a time, each in one process, because most of the time they wait for a server.
const PYTEST: [&str; 6] = ["-m", "pytest", "-q", "--numprocesses=2", "--dist=loadfile", "--durations=5"];

fn python() -> Outcome {
    let python = python_module()?;
    let (folder, small) = (root().join("bindings-python"), small_models()?);
    run(command(&python).args(PYTEST).current_dir(&folder).env(SMALL_MODELS, &small))?;
    for line in ["-m mypy", "-m ruff check .", "-m ruff format --check ."] {
        run(command(&python).args(line.split_whitespace()).current_dir(&folder))?;
    }
    run(&mut words("cargo", "build -p must-cli"))?;
    http_without_sockets(&python, "handle", &[])?;
    http_without_sockets(&python, "asgi", &["fuzz"])
}

/// Runs the tests of the HTTP API that need no socket again, over a transport without sockets. The workers are `must` programs. `longest`
/// names files that are run too, and first, because they take as long as all others together.
fn http_without_sockets(python: &Path, transport: &str, longest: &[&str]) -> Outcome {
    let names = ["contract", "control", "media", "bodies", "cors", "owners", "workers", "openai", "pictures"];
    let tests = longest.iter().chain(&names).map(|name| format!("tests/http/test_{name}.py"));
    run(command(python).args(PYTEST).args(tests).env("MUST_TRANSPORT", transport).env("MUST_PROGRAM", built("must")))
}

fn node() -> Outcome {
    let folder = root().join("bindings-node");
    run(words("npm", "ci --no-audit --no-fund").current_dir(&folder).env("MUST_BUILD_PROFILE", "dev"))?;
    let small = small_models()?;
    run(words("npm", "test").current_dir(&folder).env("MUST_REQUIRE_TOOLS", "1").env(SMALL_MODELS, small))?;
    run(&mut words("cargo", "build -p must-cli"))?;
    http_without_sockets(&tools::HTTP_TESTS.python()?, "node", &[])
}

/// Runs `examples/generate` in every language and `examples/shared`. Each must print the same line of JSON and make the same
/// bytes.
fn examples() -> Outcome {
    let work = target().join("examples");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|error| format!("cannot make {}: {error}", work.display()))?;
    run(&mut words("cargo", "build -p must-example-generate -p must-cli"))?;
    run(&mut words("cargo", "build -p must-ffi -p must-example-shared"))?;
    let prefix = work.join("prefix");
    run(command("bash").arg("ffi/install.sh").arg(&prefix).args(["--profile", "dev"]))?;
    run(command("make").args(["-s", "-C", "examples/generate/c"]).env("PREFIX", &prefix).env("OUT", &work))?;
    let cpp = work.join("cpp");
    run(command("cmake")
        .args(["-S", "examples/generate/cpp", "-B"])
        .arg(&cpp)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())))?;
    run(command("cmake").arg("--build").arg(&cpp))?;
    let python = tools::PYTHON_TESTS.python()?;
    run(&mut words(
        "npm",
        "install --prefix examples/generate/node --ignore-scripts --no-package-lock --no-audit --no-fund",
    ))?;
    let programs = [
        ("rust", command(built("generate"))),
        ("c", command(work.join("generate"))),
        ("cpp", command(cpp.join("generate"))),
        ("python", with_argument(command(&python), "examples/generate/python/main.py")),
        ("node", with_argument(command("node"), "examples/generate/node/main.mjs")),
        ("rust-and-cpp", command(built("shared"))),
    ];
    let mut first: Option<(String, Vec<u8>)> = None;
    for (language, mut program) in programs {
        let clip = work.join(format!("{language}.mp4"));
        let said = read(
            program.arg(work.join(format!("data-{language}"))).arg(&clip).env("LD_LIBRARY_PATH", prefix.join("lib")),
        )?;
        let said = said.replace(' ', "");
        let bytes = std::fs::read(&clip).map_err(|error| format!("{language} wrote no clip: {error}"))?;
        if !said.trim_end().ends_with(&format!("\"bytes\":{}}}", bytes.len())) {
            return Err(format!("{language} said {said:?}, and its clip has {} bytes", bytes.len()));
        }
        match &first {
            None => first = Some((said, bytes)),
            Some((line, same)) if *line == said && *same == bytes => {}
            Some((line, _)) => {
                return Err(format!("{language} differs from Rust: {said:?} and {line:?}, or the clips' bytes"));
            }
        }
    }
    eprintln!(
        "programs in five languages, and one in two languages, made the same {} bytes",
        first.map_or(0, |(_, bytes)| bytes.len())
    );
    start_pages(&work, &prefix, &python)
}

/// Checks the pages of `docs/start` and the programs that they quote.
fn start_pages(work: &Path, prefix: &Path, python: &Path) -> Outcome {
    run(&mut words("cargo", "build -p must-example-service"))?;
    let (c, cpp) = (work.join("service-c"), work.join("service-cpp"));
    std::fs::create_dir_all(&c).map_err(|error| format!("cannot make {}: {error}", c.display()))?;
    run(command("make").args(["-s", "-C", "examples/service/c"]).env("PREFIX", prefix).env("OUT", &c))?;
    let found = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    run(command("cmake").args(["-S", "examples/service/cpp", "-B"]).arg(&cpp).arg(found))?;
    run(command("cmake").arg("--build").arg(&cpp))?;
    let install = "install --prefix examples/service/node --ignore-scripts --no-package-lock --no-audit --no-fund";
    run(&mut words("npm", install))?;
    run(command(python).args(["-m", "pytest", "-q", "tests/start"]).env("MUST_TARGET", target()))
}

fn with_argument(mut command: std::process::Command, argument: &str) -> std::process::Command {
    command.arg(argument);
    command
}

fn browser() -> Outcome {
    let clips = target().join("browser-clips");
    std::fs::create_dir_all(&clips).map_err(|error| format!("cannot make {}: {error}", clips.display()))?;
    let mut samples = words("cargo", "test -p must --test media_external -- --ignored samples");
    run(samples.env("MUST_SAMPLES", &clips))?;
    run(command("node").arg("tests/browser/play.mjs").args(["out.mp4", "out.webm"].map(|name| clips.join(name))))
}

/// Checks the code for NVIDIA GPUs with a CUDA compiler from packages of PyPI, which exist for Linux on x86-64.
fn cuda() -> Outcome {
    if !setup::HAS_CUDA {
        eprintln!("not checked: the packages with the compiler are for Linux on x86-64");
        return Ok(());
    }
    let check = "cargo clippy --package must-tensors --package must-diffusion --features cuda,cudnn -- -D warnings";
    let mut shell = command("bash");
    shell.args(["-c", &format!(". \"$0\" && exec {check}")]).arg(setup::cuda_environment());
    // Nothing runs the kernels here, so they are compiled in the fastest way, and in a folder of their own: a build in the shared one
    // would use them.
    run(shell.env("NVCC_APPEND_FLAGS", "--Ofast-compile=max").env("CARGO_TARGET_DIR", target().join("cuda-check")))
}

fn lint() -> Outcome {
    run(&mut words("cargo", "clippy --workspace --all-targets -- -D warnings"))?;
    let docs = "doc --no-deps -p must -p must-tensors -p must-diffusion -p must-media -p must-ffi -p must-cxx";
    run(words("cargo", docs).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Features that include others or need their own compiler. They are not checked alone.
const NOT_ALONE: [&str; 5] = ["default", "full", "cuda", "cudnn", "flash-attn"];

/// Checks that each feature compiles alone without a warning.
fn features() -> Outcome {
    let manifest = std::fs::read_to_string(root().join("core/Cargo.toml")).map_err(|error| error.to_string())?;
    let table = manifest.split("[features]").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let names = table.lines().filter_map(|line| line.split_once(" = [").map(|(name, _)| name));
    let alone: Vec<&str> = names.filter(|name| !NOT_ALONE.contains(name)).collect();
    if alone.is_empty() {
        return Err("core/Cargo.toml names no features".to_owned());
    }
    for feature in [""].iter().chain(&alone) {
        let mut check = words("cargo", "clippy --quiet --package must --lib --no-default-features --features");
        run(check.args([*feature, "--", "-D", "warnings"]))?;
    }
    Ok(())
}
