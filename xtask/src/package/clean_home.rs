//! The place in which packages are tried: an empty home on this system, or a separate Debian without network.
//!
//! A Debian is made by mmdebstrap in Cargo's target folder at its first use, with Debian's packages that a reader of the guides would have,
//! and stays. Programs run in it as root, in new mount, process and network namespaces, so that they neither see nor change this system.

use crate::run::{Outcome, command, run, target, text, words};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The path of programs: no folder of cargo is in it. `chroot` is in /usr/sbin.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin";

/// A release of Debian and the packages that a kind is used with.
pub struct Debian {
    pub suite: &'static str,
    pub packages: &'static str,
}

/// An empty home without Rust.
pub struct CleanHome {
    /// The root folder of another system.
    root: Option<PathBuf>,
    /// The home as programs see it.
    home: PathBuf,
}

impl CleanHome {
    pub fn new(kind: &str, debian: Option<&Debian>) -> Result<Self, String> {
        let home = std::env::temp_dir().join(format!("must-packages-{}", std::process::id())).join(kind);
        let made = Self { root: debian.map(Debian::folder).transpose()?, home };
        fs::create_dir_all(made.seen_from_here(&made.home)).map_err(text)?;
        Ok(made)
    }

    /// Copies a file or a folder into the home. Returns its path as programs in the home see it.
    pub fn bring(&self, from: &Path) -> Result<PathBuf, String> {
        let inside = self.home.join(from.file_name().unwrap_or_default());
        run(command("cp").arg("-r").arg(from).arg(self.seen_from_here(&inside)))?;
        Ok(inside)
    }

    /// Writes a file of the home.
    pub fn write(&self, name: &str, content: &str) -> Outcome {
        fs::write(self.seen_from_here(&self.home.join(name)), content).map_err(text)
    }

    /// Returns the path of a file or folder in the home, as programs in the home see it.
    pub fn own(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Runs a program in the home.
    pub fn run(&self, program: impl AsRef<OsStr>, arguments: &[&OsStr]) -> Outcome {
        let environment = [("PATH", OsStr::new(PATH)), ("HOME", self.home.as_os_str())];
        let Some(root) = &self.root else {
            let mut here = command(program);
            return run(here.args(arguments).env_clear().envs(environment).current_dir(&self.home));
        };
        let mut inside = words("unshare", "--mount --pid --net --fork");
        inside.arg(format!("--mount-proc={}/proc", root.display())).arg("chroot").arg(root);
        inside.args(["env", "-C"]).arg(&self.home).arg(program).args(arguments);
        run(inside.env_clear().envs(environment))
    }

    /// Runs a program of `examples/generate`, and fails if it writes no clip.
    pub fn tries(&self, program: impl AsRef<OsStr>, arguments: &[&OsStr]) -> Outcome {
        let mut all = arguments.to_vec();
        all.extend(["data", "clip.mp4"].map(OsStr::new));
        self.run(program, &all)?;
        let clip = self.seen_from_here(&self.own("clip.mp4"));
        let bytes = fs::metadata(&clip).map_err(text)?.len();
        let _ = fs::remove_file(&clip);
        let _ = fs::remove_dir_all(self.seen_from_here(&self.own("data")));
        eprintln!("the program made a clip of {bytes} bytes on a system without Rust");
        Ok(())
    }

    fn seen_from_here(&self, path: &Path) -> PathBuf {
        match &self.root {
            None => path.to_path_buf(),
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }
}

impl Drop for CleanHome {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.seen_from_here(&self.home));
    }
}

impl Debian {
    /// Returns the root folder. Makes the system if it is missing or was made with other packages.
    fn folder(&self) -> Result<PathBuf, String> {
        let folder = target().join("debian").join(self.suite);
        let record = folder.with_extension("packages");
        if fs::read_to_string(&record).is_ok_and(|made| made == self.packages) {
            return Ok(folder);
        }
        if !crate::tools::exists("mmdebstrap") {
            return Err("mmdebstrap is missing (Debian's package mmdebstrap)".to_owned());
        }
        fs::create_dir_all(target().join("debian")).map_err(text)?;
        let include = format!("--include={}", self.packages.replace(' ', ","));
        run(words("rm", "-rf").arg(&folder))?;
        run(words("mmdebstrap", "--variant=minbase --quiet").arg(include).arg(self.suite).arg(&folder))?;
        fs::write(record, self.packages).map_err(text)?;
        Ok(folder)
    }
}
