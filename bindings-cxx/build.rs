//! Compiles the bridge, and shows the headers of C++ to the build scripts of those that use this crate.

use std::path::Path;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (own, must) = (here.join("include"), here.join("../include"));
    cxx_build::CFG.exported_header_dirs = vec![own.as_path(), must.as_path()];
    cxx_build::bridge("src/bridge.rs").std("c++17").compile("must-cxx");
    for path in ["build.rs", "src/bridge.rs", "include", "../include"] {
        println!("cargo::rerun-if-changed={path}");
    }
}
