//! Sets the name by which the dynamic linker finds the shared library: `libmust.so.0`, or `libmust.0.dylib` on macOS. Tells the build
//! scripts of dependent crates where the headers are.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let headers = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default() + "/include";
    println!("cargo::metadata=include={headers}");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let argument = match target.as_str() {
        "linux" | "freebsd" | "android" => "-Wl,-soname,libmust.so.0",
        "macos" => "-Wl,-install_name,@rpath/libmust.0.dylib",
        _ => return,
    };
    println!("cargo::rustc-cdylib-link-arg={argument}");
}
