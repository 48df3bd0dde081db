//! How much each crate is optimised, as the root's Cargo.toml says.

use std::collections::BTreeMap;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The level of each crate that has one of its own in the profile.
fn levels(manifest: &str, profile: &str) -> BTreeMap<String, String> {
    let tables = manifest
        .split("\n[")
        .filter_map(|table| table.strip_prefix(&format!("profile.{profile}.package."))?.split_once("]\n"));
    tables
        .filter_map(|(name, lines)| {
            Some((name.to_owned(), lines.lines().find_map(|line| line.strip_prefix("opt-level = "))?.to_owned()))
        })
        .collect()
}

fn members(manifest: &str) -> Vec<String> {
    let (_, members) = manifest.split_once("\nmembers = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members: Vec<String> = members
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|member| {
            let package = read(&format!("{member}/Cargo.toml"));
            package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"').to_owned()
        })
        .collect();
    assert!(members.len() > 10, "{members:?}");
    members
}

/// In the dev profile, a crate that is not listed would be optimised and take four times as long to compile. In the release profile, a
/// crate is optimised unless it is listed.
#[test]
fn each_crate_of_the_workspace_has_its_level() {
    let manifest = read("Cargo.toml");
    let (dev, release) = (levels(&manifest, "dev"), levels(&manifest, "release"));
    for member in members(&manifest) {
        let expected = match member.as_str() {
            "must-tensors" | "must-media" => (None, None),
            "must-diffusion" => (Some("1"), Some("1")),
            "must-cli" => (Some("0"), Some("1")),
            _ => (Some("0"), None),
        };
        let found = (dev.get(&member).map(String::as_str), release.get(&member).map(String::as_str));
        assert_eq!(found, expected, "see [profile.dev] and [profile.release] in Cargo.toml: {member}");
    }
}

/// Cargo cannot share a list between profiles, so a test says that they are the same.
#[test]
fn dependencies_have_the_same_level_in_both_profiles() {
    let manifest = read("Cargo.toml");
    let members = members(&manifest);
    let dependencies = |profile| {
        let mut levels = levels(&manifest, profile);
        levels.retain(|name, _| !members.contains(name));
        levels
    };
    let (dev, mut release) = (dependencies("dev"), dependencies("release"));
    assert!(dev.len() > 10, "{dev:?}");
    assert_eq!(
        release.remove("candle-core").as_deref(),
        Some("1"),
        "only a release build compiles candle-core at a lower level"
    );
    assert_eq!(dev, release);
}
