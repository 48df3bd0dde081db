//! The dev profile optimises the dependencies, the inference and the encoders, and no other crate of the workspace. A crate that is not
//! listed in the root's Cargo.toml would be optimised, and take four times as long to compile.

use std::path::Path;

#[test]
fn the_dev_profile_optimises_no_other_crate_of_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let manifest = read("Cargo.toml");
    let (_, members) = manifest.split_once("\nmembers = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 10, "{members:?}");
    for member in members {
        let package = read(&format!("{member}/Cargo.toml"));
        let name = package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"');
        let is_unoptimised = manifest.contains(&format!("\n[profile.dev.package.{name}]\nopt-level = 0\n"));
        assert_eq!(
            is_unoptimised,
            !["must-diffusion", "must-media"].contains(&name),
            "see [profile.dev] in Cargo.toml: {name}"
        );
    }
}
