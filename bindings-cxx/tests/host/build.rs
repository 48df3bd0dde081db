//! Compiles the C++ half. It names no folder of MUST: cxx_build finds the headers through the dependency on must-cxx.

fn main() {
    cxx_build::bridge("src/lib.rs").file("src/host.cpp").std("c++17").warnings(true).compile("must-cxx-host");
    for path in ["build.rs", "src"] {
        println!("cargo::rerun-if-changed={path}");
    }
}
