//! The system that packages are built for. On Linux they are built so that they run with an old C library.
//!
//! On Linux the C and C++ compiler and the linker are Zig's: it knows the symbols of every version of glibc, so that what is built on a
//! new system runs on an old one, and it is a compiler for other processors too. `cargo-zigbuild zig` turns the arguments that rustc and
//! the crate `cc` give into those of Zig. Both programs are packages of PyPI.

use crate::run::{Outcome, command, read, target, text, words};
use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest version of glibc that packages for Linux may need. Debian 10 and RHEL 8 have this version, and Node's own programs need it.
const GLIBC: (u32, u32) = (2, 28);

/// The programs of PyPI that build packages.
const TOOLS: [&str; 3] = ["maturin>=1.16,<2", "cargo-zigbuild>=0.24,<0.25", "ziglang>=0.17,<0.18"];

pub struct Platform {
    /// The target triple, as rustc writes it.
    triple: String,
    /// Whether it is the system on which this program runs.
    is_this: bool,
    /// The Python environment of the tools, when it has been made.
    tools: OnceCell<PathBuf>,
}

impl Platform {
    /// The system of that triple, or this one.
    pub fn new(triple: Option<&str>) -> Result<Self, String> {
        let this = read(&mut words("rustc", "-vV"))?;
        let this = this.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not say its host")?;
        let triple = triple.unwrap_or(this);
        if triple != this && !triple.ends_with("-unknown-linux-gnu") {
            return Err(format!(
                "packages for {triple} can only be made on that system; here only those for *-unknown-linux-gnu and for {this} can be made"
            ));
        }
        Ok(Self { triple: triple.to_owned(), is_this: triple == this, tools: OnceCell::new() })
    }

    /// Whether programs for it run here.
    pub fn is_this(&self) -> bool {
        self.is_this
    }

    /// The processor and the system, as in `x86_64-linux`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.processor(), if self.is_linux() { "linux" } else { std::env::consts::OS })
    }

    /// What follows `must-` in the name of Node's package.
    pub fn node_name(&self) -> String {
        let processor = match self.processor() {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        match std::env::consts::OS {
            _ if self.is_linux() => format!("linux-{processor}-gnu"),
            "macos" => format!("darwin-{processor}"),
            _ => format!("win32-{processor}"),
        }
    }

    /// The file of a shared library that cargo calls `name`.
    pub fn library(&self, name: &str) -> String {
        format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
    }

    /// The platform tag of wheels. `None` if maturin chooses it.
    pub fn wheel_tag(&self) -> Option<String> {
        self.is_linux().then(|| format!("manylinux_{}_{}", GLIBC.0, GLIBC.1))
    }

    /// The Python that has maturin, cargo-zigbuild and Zig.
    pub fn tools(&self) -> Result<&Path, String> {
        if self.tools.get().is_none() {
            let _ = self.tools.set(crate::tools::python_environment("packaging", &TOOLS)?);
        }
        self.tools.get().map(PathBuf::as_path).ok_or_else(|| "the tools are missing".to_owned())
    }

    /// Returns a command with the variables that make every cargo that it starts build for this platform.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command, String> {
        let mut command = command(program);
        if !self.is_linux() {
            return Ok(command);
        }
        let folder = self.compilers()?;
        let lower = self.triple.replace('-', "_");
        command.env("CARGO_BUILD_TARGET", &self.triple);
        command.env(format!("CARGO_TARGET_{}_LINKER", lower.to_uppercase()), folder.join("cc"));
        for (variable, program) in [("CC", "cc"), ("CXX", "c++"), ("AR", "ar")] {
            command.env(format!("{variable}_{lower}"), folder.join(program));
        }
        if !self.is_this() {
            // What Debian calls the linker and its companions for another processor.
            for (variable, program) in [("LD", "ld"), ("OBJCOPY", "objcopy")] {
                command.env(variable, format!("{}-linux-gnu-{program}", self.processor()));
            }
        }
        Ok(command)
    }

    /// Where cargo puts what is built in release.
    pub fn release(&self) -> PathBuf {
        let folder = if self.is_linux() { target().join(&self.triple) } else { target() };
        folder.join("release")
    }

    /// Fails when a library for Linux needs a newer glibc than packages may.
    pub fn check(&self, library: &Path) -> Outcome {
        if !self.is_linux() {
            return Ok(());
        }
        let needs = read(words("readelf", "--version-info --wide").arg(library))?;
        let versions = needs.split("GLIBC_").skip(1).filter_map(|rest| {
            let mut numbers = rest.split(|letter: char| !letter.is_ascii_digit()).map(str::parse::<u32>);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        });
        let newest = versions.max().ok_or_else(|| format!("{} needs no glibc at all", library.display()))?;
        if newest > GLIBC {
            return Err(format!("{} needs glibc {}.{}", library.display(), newest.0, newest.1));
        }
        println!("{:>10}  {} needs glibc {}.{}", "", library.display(), newest.0, newest.1);
        Ok(())
    }

    fn is_linux(&self) -> bool {
        self.triple.ends_with("-linux-gnu")
    }

    fn processor(&self) -> &str {
        self.triple.split('-').next().unwrap_or_default()
    }

    /// A folder with the compilers and `ar`: programs that call Zig for this system.
    fn compilers(&self) -> Result<PathBuf, String> {
        let python = self.tools()?;
        let bin = python.parent().unwrap_or(python);
        let folder = target().join("compilers").join(&self.triple);
        fs::create_dir_all(&folder).map_err(text)?;
        let system = format!("{}-linux-gnu.{}.{}", self.processor(), GLIBC.0, GLIBC.1);
        for (name, arguments) in [
            ("cc", format!("cc -- -fno-sanitize=all -target {system}")),
            ("c++", format!("c++ -- -fno-sanitize=all -target {system}")),
            ("ar", "ar --".to_owned()),
        ] {
            let line = format!("PATH='{}':\"$PATH\" exec cargo-zigbuild zig {arguments} \"$@\"", bin.display());
            program(&folder.join(name), &format!("#!/bin/sh\n{line}\n"))?;
        }
        Ok(folder)
    }
}

/// Writes a program, unless the file already has this content: when a compiler's file is newer, cargo rebuilds what it has compiled.
fn program(path: &Path, script: &str) -> Outcome {
    if fs::read_to_string(path).is_ok_and(|there| there == script) {
        return Ok(());
    }
    fs::write(path, script).map_err(text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(text)?;
    }
    Ok(())
}
