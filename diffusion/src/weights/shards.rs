//! Finds the files that form one model file: the file itself, or its shards with or without an index.
//!
//! Always holds: shards lie in the folder of the file that they form. Index: `weight_map` of
//! <https://huggingface.co/docs/safetensors/index#format>, as diffusers and transformers write it.

use std::collections::BTreeMap;

use must_tensors::{Result, unusable};
use serde::Deserialize;

use super::files::ModelFiles;

const ENDING: &str = ".safetensors";

/// The files that together form one model file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Set {
    /// The name for error messages.
    pub(super) origin: String,
    /// The files to open.
    pub(super) files: Vec<String>,
    /// The tensors that the index lists.
    pub(super) tensors: Vec<String>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Finds the files of `name`, which is a file, an index, one of several shards, or a file that exists only in shards.
pub(super) fn find(model: &ModelFiles, name: &str) -> Result<Set> {
    let whole = whole(name);
    if whole.is_none() && model.has(name) {
        return Ok(Set { origin: name.to_owned(), files: vec![name.to_owned()], tensors: vec![] });
    }
    let whole = whole.unwrap_or_else(|| name.to_owned());
    if let Some(index) = indexes(&whole).into_iter().find(|index| model.has(index)) {
        return indexed(model, &index);
    }
    let shards = unindexed(model, &whole)?;
    // When there are no shards, opening the file produces the right error.
    let files = if shards.is_empty() { vec![name.to_owned()] } else { shards };
    Ok(Set { origin: whole, files, tensors: vec![] })
}

/// Returns the file that a shard or an index belongs to: `a/model.safetensors` for `a/model-00001-of-00002.safetensors`.
/// `None` for any other file.
pub(crate) fn whole(name: &str) -> Option<String> {
    if let Some((stem, _)) = shard(name) {
        return Some(format!("{stem}{ENDING}"));
    }
    // `model.safetensors.index.json`, or `model.safetensors.index.fp16.json` for `model.fp16.safetensors`.
    let (stem, rest) = name.strip_suffix(".json")?.rsplit_once(".safetensors.index")?;
    (rest.is_empty() || rest.starts_with('.')).then(|| format!("{stem}{rest}{ENDING}"))
}

/// Returns the possible names of a file's index.
fn indexes(whole: &str) -> Vec<String> {
    let Some(stem) = whole.strip_suffix(ENDING) else { return vec![] };
    let mut names = vec![format!("{stem}{ENDING}.index.json")];
    let start = stem.rfind('/').map_or(0, |slash| slash + 1);
    if let Some((base, variant)) = stem.rsplit_once('.').filter(|(base, _)| base.len() > start) {
        names.push(format!("{base}{ENDING}.index.{variant}.json"));
    }
    names
}

/// Returns stem, number and count of a shard: `stem-00001-of-00002.safetensors`.
fn shard(name: &str) -> Option<(&str, (usize, usize))> {
    let (rest, count) = name.strip_suffix(ENDING)?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let number_of = |digits: &str| {
        let plain = digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    Some((stem, (number_of(number)?, number_of(count)?)))
}

fn indexed(model: &ModelFiles, index: &str) -> Result<Set> {
    let folder = index.rfind('/').map_or("", |slash| index.split_at(slash + 1).0);
    let listed: Index = model.json(index)?;
    let mut files = vec![];
    for shard in listed.weight_map.values() {
        if shard.is_empty() || shard.contains(['/', '\\', '\0', ':']) || shard.starts_with('.') {
            return Err(unusable(format!("{index} names a file outside its folder: {shard:?}")));
        }
        files.push(format!("{folder}{shard}"));
    }
    files.sort_unstable();
    files.dedup();
    if files.is_empty() {
        return Err(unusable(format!("{index} lists no tensors")));
    }
    if let Some(missing) = files.iter().find(|file| !model.has(file)) {
        return Err(unusable(format!("{missing}, which {index} names, is missing")));
    }
    Ok(Set { origin: index.to_owned(), files, tensors: listed.weight_map.into_keys().collect() })
}

fn unindexed(model: &ModelFiles, whole: &str) -> Result<Vec<String>> {
    let Some(stem) = whole.strip_suffix(ENDING) else { return Ok(vec![]) };
    let mut found = BTreeMap::new();
    for name in model.list()? {
        if let Some((_, (number, count))) = shard(&name).filter(|(of, _)| *of == stem) {
            found.insert((count, number), name);
        }
    }
    let Some(&(count, _)) = found.keys().next() else { return Ok(vec![]) };
    if found.keys().any(|(other, _)| *other != count) {
        return Err(unusable(format!("the shards of {whole} are from different sets: of {count} and of others")));
    }
    match (1..=count).find(|number| !found.contains_key(&(count, *number))) {
        Some(number) => Err(unusable(format!("{stem}-{number:05}-of-{count:05}{ENDING} is missing"))),
        None => Ok(found.into_values().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &[u8] = br#"{"metadata": {}, "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "other"}}"#;
    const OUTSIDE: &[u8] = br#"{"weight_map": {"a": "../m"}}"#;

    #[test]
    fn files_are_found_by_any_of_their_names() {
        let model = ModelFiles::Embedded(&[
            ("t/m.safetensors.index.json", INDEX),
            ("t/m-00001-of-00002.safetensors", b""),
            ("t/other", b""),
            ("plain.safetensors", b""),
            ("v/x.safetensors.index.fp16.json", br#"{"weight_map": {"a": "y"}}"#),
            ("v/y", b""),
            ("s-00001-of-00002.safetensors", b""),
            ("s-00002-of-00002.safetensors", b""),
        ]);
        for name in ["t/m.safetensors", "t/m.safetensors.index.json", "t/m-00001-of-00002.safetensors"] {
            let set = find(&model, name).unwrap();
            assert_eq!(set.origin, "t/m.safetensors.index.json");
            assert_eq!(set.files, ["t/m-00001-of-00002.safetensors", "t/other"]);
            assert_eq!(set.tensors, ["a", "b"]);
        }
        for name in ["s.safetensors", "s-00002-of-00002.safetensors"] {
            let set = find(&model, name).unwrap();
            assert_eq!(set.origin, "s.safetensors");
            assert_eq!(set.files, ["s-00001-of-00002.safetensors", "s-00002-of-00002.safetensors"]);
        }
        for name in ["v/x.fp16.safetensors", "v/x.safetensors.index.fp16.json"] {
            assert_eq!(find(&model, name).unwrap().files, ["v/y"]);
        }
        assert_eq!(find(&model, "plain.safetensors").unwrap().files, ["plain.safetensors"]);
        assert_eq!(find(&model, "none.gguf").unwrap().files, ["none.gguf"]);
    }

    #[test]
    fn incomplete_sets_are_refused() {
        let refusals = [
            (&[("m.safetensors.index.json", OUTSIDE)][..], "outside its folder"),
            (&[("m.safetensors.index.json", br#"{"weight_map": {"a": ".m"}}"#)], "outside its folder"),
            (&[("m.safetensors.index.json", br#"{"weight_map": {"a": ""}}"#)], "outside its folder"),
            (&[("m.safetensors.index.json", br#"{"weight_map": {"a": "C:m"}}"#)], "outside its folder"),
            (&[("m.safetensors.index.json", br#"{"weight_map": {"a": "m"}}"#)], "is missing"),
            (&[("m.safetensors.index.json", br#"{"weight_map": {}}"#)], "lists no tensors"),
            (&[("m.safetensors.index.json", b"{}")], "weight_map"),
            (&[("m.safetensors.index.json", b"")], "index.json: "),
            (&[("m-00002-of-00003.safetensors", b"")], "m-00001-of-00003.safetensors is missing"),
            (&[("m-00001-of-00001.safetensors", b""), ("m-00002-of-00002.safetensors", b"")], "from different sets"),
        ];
        for (files, expected) in refusals {
            let error = find(&ModelFiles::Embedded(files), "m.safetensors").unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
            assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
        }
    }

    #[test]
    fn shard_names_are_recognised() {
        assert_eq!(whole("a/m-00001-of-00002.safetensors").as_deref(), Some("a/m.safetensors"));
        assert_eq!(whole("m.safetensors.index.json").as_deref(), Some("m.safetensors"));
        for name in ["m.safetensors", "m-1-of-2.safetensors", "m-+0001-of-00002.safetensors", "index.json", "m.gguf"] {
            assert_eq!(whole(name), None, "{name}");
        }
    }
}
