//! The types of the web UI, `web/src/api/types.ts`: the schemas of the OpenAPI document that its routes use.

use crate::catalog::Catalog;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "// Made from the schemas of docs/openapi.json by `cargo xtask regen`. Do not edit.\n";

#[test]
fn the_types_of_the_web_ui_match_the_committed_ones() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/src/api/types.ts");
    let made = types(&crate::http::openapi::document(&crate::http::routes::all(), &Catalog::built_in().unwrap()));
    if std::env::var_os("MUST_REGEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == committed, "web/src/api/types.ts is out of date: run `cargo xtask regen`");
}

/// Returns the schemas of all routes except those for OpenAI's clients and the one for calls by name. The schema of a generation
/// request is built from the catalog at run time.
fn types(document: &Value) -> String {
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/") && !path.starts_with("/admin/calls/") {
            mention(operations, schemas, &mut names);
        }
    }
    let mut text = HEAD.to_owned();
    for name in &names {
        let schema = &schemas[name];
        text.push('\n');
        comment(&mut text, "", schema);
        match schema["properties"].as_object() {
            None => writeln!(text, "export type {name} = {};", ty(schema)).unwrap(),
            Some(properties) => {
                writeln!(text, "export interface {name} {{").unwrap();
                let needed = required(schema);
                let others = properties.keys().map(String::as_str).filter(|name| !needed.contains(name));
                for member in needed.iter().copied().chain(others) {
                    self::member(&mut text, member, &properties[member], needed.contains(&member));
                }
                text.push_str("}\n");
            }
        }
    }
    text
}

fn required(schema: &Value) -> Vec<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Adds the names of the schemas that a value refers to, directly or through others.
fn mention(value: &Value, schemas: &Map<String, Value>, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| mention(item, schemas, names)),
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
                && name != "GenerateRequest"
                && names.insert(name.to_owned())
            {
                mention(&schemas[name], schemas, names);
            }
            members.values().for_each(|member| mention(member, schemas, names));
        }
        _ => {}
    }
}

fn member(text: &mut String, name: &str, schema: &Value, needed: bool) {
    comment(text, "  ", schema);
    let kind = ty(schema);
    if needed {
        writeln!(text, "  {name}: {kind};").unwrap();
    } else {
        // An optional field is absent when it has no value, never null.
        writeln!(text, "  {name}?: {};", kind.strip_suffix(" | null").unwrap_or(&kind)).unwrap();
    }
}

fn ty(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap().to_owned();
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return union(values.iter().map(Value::to_string));
    }
    if let Some(alternatives) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return union(alternatives.iter().map(ty));
    }
    match &schema["type"] {
        Value::Array(kinds) => union(kinds.iter().map(|kind| one(kind.as_str().unwrap(), schema))),
        Value::String(kind) => one(kind, schema),
        _ => "unknown".to_owned(),
    }
}

fn one(kind: &str, schema: &Value) -> String {
    match kind {
        "integer" | "number" => "number".to_owned(),
        "array" => {
            let item = ty(&schema["items"]);
            if item.contains('|') { format!("({item})[]") } else { format!("{item}[]") }
        }
        "object" => format!("Record<string, {}>", ty(&schema["additionalProperties"])),
        plain => plain.to_owned(),
    }
}

fn union(kinds: impl Iterator<Item = String>) -> String {
    kinds.collect::<Vec<_>>().join(" | ")
}

fn comment(text: &mut String, indent: &str, schema: &Value) {
    if let Some(description) = schema["description"].as_str() {
        writeln!(text, "{indent}/** {} */", description.replace('\n', " ")).unwrap();
    }
}
