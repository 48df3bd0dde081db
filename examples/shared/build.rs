//! Compiles the C++ half. The headers of MUST are found through the dependency on must-cxx.

fn main() {
    cxx_build::bridge("src/main.rs").file("src/studio.cpp").std("c++17").compile("studio");
    for path in ["build.rs", "src"] {
        println!("cargo::rerun-if-changed={path}");
    }
}
