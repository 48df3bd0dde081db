//! Reads the `tokenizer.json` of a unigram model.
//!
//! Always holds: this module reads a file only when [`Rules`] supports all of its settings. The tokenizers crate reads other
//! files; it computes the same ids but needs thirty times the memory.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Charsmap, Prefix, Rules, Spaces, Unigram, UnigramTokenizer};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
}

#[derive(Deserialize)]
struct Model {
    r#type: String,
    unk_id: u32,
    #[serde(default)]
    byte_fallback: bool,
    vocab: Vec<(String, f64)>,
}

/// Reads the tokenizer of the file. `None` if it is of another kind or has a setting that is not supported.
pub(crate) fn from_json(bytes: &[u8]) -> Option<UnigramTokenizer> {
    let file: File = serde_json::from_slice(bytes).ok()?;
    let model = &file.model;
    let plain = |token: &AddedToken| !(token.single_word || token.lstrip || token.rstrip || token.normalized);
    // A token that is in the vocabulary has the id of the vocabulary, as in the library.
    let known = |token: &AddedToken| {
        let piece = model.vocab.get(token.id as usize);
        piece.map_or(token.id as usize >= model.vocab.len(), |(text, _)| *text == token.content)
    };
    if model.r#type != "Unigram"
        || model.byte_fallback
        || model.unk_id as usize >= model.vocab.len()
        || !file.added_tokens.iter().all(|token| plain(token) && known(token))
    {
        return None;
    }
    let rules = rules(&file.normalizer, &file.pre_tokenizer)?;
    let end = end(&file.post_processor)?;
    let pieces = model.vocab.iter().zip(0..).map(|((piece, score), id)| (piece.as_bytes(), *score, id));
    let unigram = Unigram::new(pieces, model.unk_id).ok()?;
    let special = file.added_tokens.into_iter().map(|token| (token.content, token.id)).collect();
    Some(UnigramTokenizer::new(unigram, rules, special, Some(end)))
}

fn rules(normalizer: &Value, pre_tokenizer: &Value) -> Option<Rules> {
    let mut steps = listed(normalizer, "normalizers")?;
    let charsmap = match steps.split_first() {
        Some((first, rest)) if first["type"] == "Precompiled" => {
            steps = rest;
            Some(Charsmap::parse(&decoded(first["precompiled_charsmap"].as_str()?)?).ok()?)
        }
        _ => None,
    };
    let runs = |content| json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": content});
    let strip = json!({"type": "Strip", "strip_left": false, "strip_right": true});
    let mut spaces = match steps {
        [] => Spaces::Kept,
        [replace] if *replace == runs(" ") => Spaces::Single,
        [first, replace] if *first == strip && *replace == runs("\u{2581}") => Spaces::Trimmed,
        _ => return None,
    };
    let metaspace = match listed(pre_tokenizer, "pretokenizers")? {
        [cut, metaspace] if *cut == json!({"type": "WhitespaceSplit"}) && spaces == Spaces::Kept => {
            spaces = Spaces::Cut;
            metaspace
        }
        [metaspace] => metaspace,
        _ => return None,
    };
    Some(Rules { charsmap, spaces, prefix: prefix(metaspace, spaces)? })
}

/// Returns where a `Metaspace` step adds marks.
fn prefix(step: &Value, spaces: Spaces) -> Option<Prefix> {
    if step["type"] != "Metaspace" || step["replacement"] != "\u{2581}" || step["split"] == false {
        return None;
    }
    match (step["prepend_scheme"].as_str().unwrap_or("always"), step["add_prefix_space"].as_bool()) {
        ("always", None | Some(true)) => Some(Prefix::Always),
        ("first", None | Some(true)) if spaces != Spaces::Cut => Some(Prefix::First),
        ("never", _) => Some(Prefix::Never),
        _ => None,
    }
}

/// Returns the id of the single token that a `TemplateProcessing` step adds after the text.
fn end(step: &Value) -> Option<u32> {
    let [text, token] = step["single"].as_array()?.as_slice() else { return None };
    let name = token.pointer("/SpecialToken/id")?.as_str()?;
    let [id] = step.get("special_tokens")?.get(name)?.get("ids")?.as_array()?.as_slice() else { return None };
    let valid = step["type"] == "TemplateProcessing" && *text.pointer("/Sequence/id")? == "A";
    u32::try_from(id.as_u64()?).ok().filter(|_| valid)
}

/// Returns the steps of a sequence, or the single step.
fn listed<'a>(step: &'a Value, name: &str) -> Option<&'a [Value]> {
    match step {
        Value::Null => Some(&[]),
        _ if step["type"] == "Sequence" => Some(step[name].as_array()?),
        _ => Some(std::slice::from_ref(step)),
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
