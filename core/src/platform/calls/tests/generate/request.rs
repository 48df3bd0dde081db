//! Generates the request type of Node and C++ from the members of [`GenerateRequest`] and the parameters of the built-in catalog.

use super::types::{Calls, Record};
use super::{check, cpp, node, options};
use crate::{Fields, GenerateRequest};
use serde_json::Value;
use std::fmt::Write;

#[test]
fn the_request_of_node_is_the_committed_one() {
    check("bindings-node/src/generated/request.ts", &of_node(&record(), &Catalog::built_in()));
}

#[test]
fn the_request_of_cpp_is_the_committed_one() {
    check("ffi/include/must/generate_request.hpp", &of_cpp(&record(), &Catalog::built_in()));
}

/// Returns the members of a request other than the parameters.
fn record() -> Record {
    Calls::of_type::<GenerateRequest>().records().next().unwrap().clone()
}

/// The file of the catalog. The parameters have the order of the definitions that models share.
#[derive(serde::Deserialize)]
struct Catalog {
    parameters: Fields,
    models: Vec<Value>,
}

impl Catalog {
    fn built_in() -> Self {
        serde_json::from_str(include_str!("../../../../../catalog.json")).unwrap()
    }

    /// Returns all choices of a parameter in all models.
    fn choices(&self, name: &str, rules: &Value) -> Vec<Value> {
        let own = self.models.iter().map(|model| &model["parameters"][name]);
        let mut choices = Vec::new();
        for choice in std::iter::once(rules).chain(own).filter_map(|rules| rules["choices"].as_array()).flatten() {
            if !choices.contains(choice) {
                choices.push(choice.clone());
            }
        }
        choices
    }
}

fn help(rules: &Value) -> String {
    rules["help"].as_str().or(rules["label"].as_str()).unwrap().trim().to_owned()
}

fn of_node(record: &Record, catalog: &Catalog) -> String {
    let models = &catalog.models;
    let ids = models.iter().flat_map(|model| std::iter::once(&model["id"]).chain(model["aliases"].as_array().unwrap()));
    let mut modes: Vec<&Value> = models.iter().flat_map(|model| model["modes"].as_array().unwrap()).collect();
    modes.sort_unstable_by_key(|mode| mode.as_str());
    modes.dedup();
    let mut text = format!(
        "// Made from core/src/request.rs and core/catalog.json by `cargo xtask regen`. Do not edit.\n\n\
         import type {{ ImageInput }} from \"../types\";\n\n\
         /** Id or alias of a model of the built-in catalog. */\nexport type ModelId = {};\n\n\
         /** Mode of a model of the built-in catalog. */\nexport type Mode = {};\n\n",
        alternatives(ids),
        alternatives(modes)
    );
    for (name, rules) in catalog.parameters.iter().filter(|(_, rules)| rules["type"] == "frames") {
        writeln!(text, "/** One item of `{name}`. */\nexport interface {} {{", item_type(name)).unwrap();
        for (name, rules) in rules["item"].as_object().unwrap() {
            member(&mut text, catalog, name, rules);
        }
        text.push_str("}\n\n");
    }
    text.push_str(
        "/** Parameters of the built-in catalog. `platform.models()` tells which model takes which of them, and their bounds. */\n\
         export interface Parameters {\n",
    );
    for (name, rules) in catalog.parameters.iter() {
        member(&mut text, catalog, name, rules);
    }
    text.push_str("}\n\n");
    node::comment(&mut text, "", std::slice::from_ref(&record.about));
    writeln!(text, "export interface {} extends Parameters {{", record.name).unwrap();
    for field in &record.fields {
        // The host may use its own catalog with other names.
        let kind = match field.name.as_str() {
            "model" => "ModelId | (string & {})",
            "mode" => "Mode | (string & {})",
            other => panic!("no type of Node for {other}"),
        };
        node::comment(&mut text, "  ", std::slice::from_ref(&field.about));
        text.push_str(&node_member(&field.name, kind, field.optional));
    }
    text.push_str("}\n");
    text
}

fn member(text: &mut String, catalog: &Catalog, name: &str, rules: &Value) {
    let kind = match rules["type"].as_str().unwrap() {
        "integer" | "number" => "number".to_owned(),
        "string" => "string".to_owned(),
        "boolean" => "boolean".to_owned(),
        "image" => "ImageInput".to_owned(),
        "frames" => format!("{}[]", item_type(name)),
        "choice" => alternatives(&catalog.choices(name, rules)),
        other => panic!("parameter {name}: no type of Node for {other}"),
    };
    node::comment(text, "  ", &[help(rules)]);
    text.push_str(&node_member(name, &kind, rules["required"] != true));
}

/// Returns a member of an interface. An optional member may also be undefined, even under `exactOptionalPropertyTypes`.
fn node_member(name: &str, kind: &str, optional: bool) -> String {
    if optional { format!("  {name}?: {kind} | undefined;\n") } else { format!("  {name}: {kind};\n") }
}

fn alternatives<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    values.into_iter().map(Value::to_string).collect::<Vec<_>>().join(" | ")
}

/// `arbitrary_frames` has items of the type `ArbitraryFrame`.
fn item_type(name: &str) -> String {
    let name = name.strip_suffix('s').unwrap_or(name);
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn of_cpp(record: &Record, catalog: &Catalog) -> String {
    let name = &record.name;
    let (required, optional): (Vec<_>, Vec<_>) =
        catalog.parameters.iter().partition(|(_, rules)| rules["required"] == true);
    let needed = record.fields.iter().filter(|field| !field.optional).map(|field| field.name.as_str());
    let needed: Vec<&str> = needed.chain(required.iter().map(|(name, _)| *name)).collect();
    let parameters: Vec<String> = needed.iter().map(|name| format!("std::string_view {name}")).collect();
    let set: String = needed.iter().map(|name| format!(".set(\"{name}\", {name})")).collect();
    let mut setters = String::new();
    for field in record.fields.iter().filter(|field| field.optional) {
        setters.push_str(&cpp::comment("  ", std::slice::from_ref(&field.about)));
        let body = format!("return set(\"{}\", value);", field.name);
        setters.push_str(&options::setter(name, &field.name, "std::string_view value", &body));
    }
    for (parameter, rules) in optional {
        let mut about = help(rules);
        let mut body = format!("return set(\"{parameter}\", value);");
        let kind = match rules["type"].as_str().unwrap() {
            "integer" => "std::int64_t value",
            "number" => "double value",
            "string" => "std::string_view value",
            "boolean" => "bool value",
            "image" => {
                about.push_str(" The bytes of the file.");
                body = format!("return image(\"{parameter}\", bytes);");
                "std::string_view bytes"
            }
            "frames" => {
                about.push_str(" An array of objects, without the images: image() takes those, by names such as ");
                write!(about, "`{parameter}[0].image`.").unwrap();
                body = format!("return set(\"{parameter}\", std::move(value));");
                "Json value"
            }
            "choice" => {
                let choices = catalog.choices(parameter, rules);
                let shown =
                    choices.iter().map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned));
                write!(about, " One of `{}`.", shown.collect::<Vec<_>>().join("`, `")).unwrap();
                if choices.iter().all(Value::is_i64) { "std::int64_t value" } else { "std::string_view value" }
            }
            other => panic!("parameter {parameter}: no type of C++ for {other}"),
        };
        setters.push_str(&cpp::comment("  ", &[about]));
        setters.push_str(&options::setter(name, parameter, kind, &body));
    }
    let about = format!(
        "{} There is a member for each parameter of the built-in catalog. Platform::models tells which model takes which of them, and their \
         bounds.",
        record.about
    );
    format!(
        "/// @file\n/// The request for a generation: must::{name}.\n\
         /// Made from core/src/request.rs and core/catalog.json by `cargo xtask regen`; do not edit.\n\
         #ifndef MUST_GENERATE_REQUEST_HPP\n#define MUST_GENERATE_REQUEST_HPP\n\n#include \"json.hpp\"\n\n\
         #include <cstdint>\n#include <string>\n#include <string_view>\n#include <utility>\n#include <vector>\n\n\
         namespace must {{\n\n{}class {name} {{\n public:\n  /// A request to a model, by its id or an alias.\n  \
         {name}({}) {{ json_{set}; }}\n\n{setters}{REST}}};\n\n}}  // namespace must\n\n#endif  // MUST_GENERATE_REQUEST_HPP\n",
        cpp::comment("", &[about]),
        parameters.join(", "),
    )
}

/// The members of the class that do not depend on the catalog.
const REST: &str = r#"
  /// Sets one parameter: a text, a number, true or false, or any other JSON value. Throws `validation_error` if a
  /// number is not finite.
  GenerateRequest &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// Sets one parameter to a value that is given as JSON text. Throws `validation_error` if the text is not JSON.
  GenerateRequest &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// Adds the bytes of a PNG, JPEG or WebP file under the parameter's name, such as `reference_image`.
  GenerateRequest &image(std::string_view name, std::string_view bytes) {
    images_.emplace_back(name, bytes);
    return *this;
  }

  /// The request as the JSON object that the C interface takes, without the images.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The images, by parameter name.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>> &images() const noexcept { return images_; }

 private:
  Json json_;
  std::vector<std::pair<std::string, std::string>> images_;
"#;
