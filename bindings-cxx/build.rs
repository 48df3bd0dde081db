//! Compiles the bridge, and tells the build scripts of dependent crates where the C++ headers are.

use std::path::{Path, PathBuf};

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("include");
    // Set by the build script of must-ffi.
    let must = std::env::var_os("DEP_MUST_FFI_INCLUDE").map(PathBuf::from).unwrap_or_default();
    cxx_build::CFG.exported_header_dirs = vec![own.as_path(), must.as_path()];
    cxx_build::bridge("src/bridge.rs").std("c++17").compile("must-cxx");
    for path in [Path::new("build.rs"), Path::new("src/bridge.rs"), Path::new("include"), &must] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}
