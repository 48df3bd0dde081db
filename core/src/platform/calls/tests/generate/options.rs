//! Generates the settings of a platform and the options of a submission in Python, Node and C++ from the schemas of their types.

use super::types::{Calls, Definition, Field, Kind, Record};
use super::{GROUPS, check, cpp, node, python};
use crate::{Settings, SubmitOptions};
use serde_json::Value;
use std::fmt::Write;

/// The largest number of characters in a line of C++.
const WIDTH: usize = 130;

/// A type whose members may nearly all be left out, and those that it is made of. They are in one file in every language.
struct Options {
    file: &'static str,
    about: &'static str,
    /// The types in C++, for the head of the file.
    of_cpp: &'static str,
    /// Where the Rust types are.
    source: &'static str,
    types: fn() -> Calls,
}

const OPTIONS: &[Options] = &[
    Options {
        file: "settings",
        about: "The settings of a platform",
        of_cpp: "must::Settings, which contains must::HttpSettings and must::WorkerSettings",
        source: "core/src/settings",
        types: Calls::of_type::<Settings>,
    },
    Options {
        file: "submit_options",
        about: "The options of a submission",
        of_cpp: "must::SubmitOptions, which contains must::Idempotency",
        source: "core/src/task/options.rs",
        types: Calls::of_type::<SubmitOptions>,
    },
];

#[test]
fn the_options_of_python_are_the_committed_ones() {
    for options in OPTIONS {
        check(&format!("bindings-python/python/must/_{}.py", options.file), &options.of_python());
    }
}

#[test]
fn the_options_of_node_are_the_committed_ones() {
    for options in OPTIONS {
        check(&format!("bindings-node/src/generated/{}.ts", options.file), &options.of_node());
    }
}

#[test]
fn the_options_of_cpp_are_the_committed_ones() {
    for options in OPTIONS {
        check(&format!("ffi/include/must/{}.hpp", options.file), &options.of_cpp());
    }
}

/// The types of the groups, by the file of their group.
struct GroupTypes(Vec<(&'static str, String)>);

impl GroupTypes {
    fn new() -> Self {
        let all = Calls::of_host();
        let files = GROUPS.iter().flat_map(|group| {
            group.definitions(&all).map(|definition| (group.file, definition.name().to_owned())).collect::<Vec<_>>()
        });
        Self(files.collect())
    }

    /// Returns the types that this file defines, and an import of each other one.
    fn split<'a>(&self, all: &'a Calls) -> (Vec<&'a Definition>, Vec<(&'static str, &'a str)>) {
        let (mut own, mut imported) = (Vec::new(), Vec::new());
        for definition in &all.definitions {
            match self.0.iter().find(|(_, name)| name == definition.name()) {
                Some((file, _)) => imported.push((*file, definition.name())),
                None => own.push(definition),
            }
        }
        (own, imported)
    }
}

impl Options {
    fn of_python(&self) -> String {
        let all = (self.types)();
        let (own, imported) = GroupTypes::new().split(&all);
        let blocks: Vec<String> = own
            .iter()
            .map(|definition| match definition {
                Definition::Record(record) => typed_dict(&all, record),
                Definition::Enumeration(enumeration) => python::enumeration_block(enumeration),
            })
            .collect();
        let body = python::joined(&blocks);
        let code = python::code(&body);
        let standard = [
            ("collections.abc", &["Sequence"][..]),
            ("enum", &["StrEnum"]),
            ("os", &["PathLike"]),
            ("typing", &["Literal", "TypeAlias", "TypedDict"]),
        ];
        let mut imports = standard.map(|(module, names)| python::import(&code, module, names)).concat();
        for (index, (file, name)) in imported.iter().enumerate() {
            let separator = if index == 0 { "\n" } else { "" };
            writeln!(imports, "{separator}from must._{file} import {name}").unwrap();
        }
        format!(
            "\"\"\"{}.\n\nMade from {} by `cargo xtask regen`; do not edit.\n\"\"\"\n\n\
             from __future__ import annotations\n\n{imports}\n{}\n",
            self.about,
            self.source,
            body.trim_end()
        )
    }

    fn of_node(&self) -> String {
        let all = (self.types)();
        let (own, imported) = GroupTypes::new().split(&all);
        let mut body = String::new();
        for definition in own {
            match definition {
                Definition::Record(record) => interface(&mut body, &all, record),
                Definition::Enumeration(enumeration) => node::enumeration(&mut body, enumeration),
            }
        }
        let imports: String =
            imported.iter().map(|(file, name)| format!("import type {{ {name} }} from \"./{file}\";\n")).collect();
        format!(
            "// Made from {} by `cargo xtask regen`. Do not edit.\n\n// {}.\n\n\
             import type {{ Fields }} from \"../fields\";\n{imports}\n{}\n",
            self.source,
            self.about,
            body.trim_end()
        )
    }

    fn of_cpp(&self) -> String {
        let all = (self.types)();
        let classes: Vec<String> = all.records().map(|record| cpp_class(&all, record)).collect();
        let body = classes.join("\n");
        let standard = [("cstdint", "std::uint"), ("string", "std::string "), ("string_view", "std::string_view")]
            .into_iter()
            .chain([("utility", "std::move"), ("vector", "std::vector")])
            .filter(|(_, word)| body.contains(word))
            .map(|(header, _)| format!("#include <{header}>\n"));
        let guard = format!("MUST_{}_HPP", self.file.to_uppercase());
        format!(
            "/// @file\n/// {}: {}.\n/// Made from {} by `cargo xtask regen`; do not edit.\n\
             #ifndef {guard}\n#define {guard}\n\n#include \"json.hpp\"\n\n{}\nnamespace must {{\n\n{body}\n}}  // namespace must\n\n\
             #endif  // {guard}\n",
            self.about,
            self.of_cpp,
            self.source,
            standard.collect::<String>(),
        )
    }
}

/// Writes a dictionary with the options. The data folder of the settings is a separate argument.
fn typed_dict(all: &Calls, record: &Record) -> String {
    let (options, needed): (Vec<&Field>, Vec<&Field>) = record.fields.iter().partition(|field| field.optional);
    let (total, fields) = if options.is_empty() { ("", needed) } else { (", total=False", options) };
    let mut text = format!("class {}(TypedDict{total}):\n", record.name);
    python::docstring(&mut text, "    ", &about(record), &[]);
    text.push('\n');
    for field in fields {
        writeln!(text, "    {}: {}", field.name, python::given(all, &field.kind)).unwrap();
        let words = described(record, field, |field| field.name.clone());
        python::docstring(&mut text, "    ", &words, &[]);
    }
    text
}

/// Writes the interface of the options, and the table by which they are checked.
fn interface(text: &mut String, all: &Calls, record: &Record) {
    node::comment(text, "", &[about(record)]);
    writeln!(text, "export interface {} {{", record.name).unwrap();
    let mut table = String::new();
    for field in &record.fields {
        let member = node::camel(&field.name);
        node::comment(text, "  ", &[described(record, field, |field| node::camel(&field.name))]);
        let kind = node::ty(field.present());
        match field.optional {
            true => writeln!(text, "  {member}?: {kind} | undefined;").unwrap(),
            false => writeln!(text, "  {member}: {kind};").unwrap(),
        }
        let holds = match field.present() {
            Kind::Flag => "\"flag\"".to_owned(),
            Kind::Whole { .. } => "\"count\"".to_owned(),
            Kind::Seconds => "\"seconds\"".to_owned(),
            Kind::List(inner) if **inner == Kind::Text => "\"texts\"".to_owned(),
            Kind::Text | Kind::Secret | Kind::Path => "\"text\"".to_owned(),
            Kind::Named(name) if all.enumeration(name).is_some() => "\"text\"".to_owned(),
            Kind::Named(name) => table_of(name),
            other => panic!("no option of Node is {other:?}"),
        };
        writeln!(table, "  {member}: [\"{}\", {holds}],", field.name).unwrap();
    }
    write!(
        text,
        "}}\n\n/** Each member of `{}`, with its name in the core and its kind. */\nexport const {}: Fields = {{\n{table}}};\n\n",
        record.name,
        table_of(&record.name)
    )
    .unwrap();
}

/// Returns `httpSettingFields` for `HttpSettings`.
fn table_of(record: &str) -> String {
    let name = record.trim_end_matches('s');
    format!("{}{}Fields", name[..1].to_lowercase(), &name[1..])
}

/// Writes a class with a setter for each optional field. The required fields are arguments of its constructor.
fn cpp_class(all: &Calls, record: &Record) -> String {
    let name = &record.name;
    let mut text = cpp::comment("", &[about(record)]);
    writeln!(text, "class {name} {{\n public:").unwrap();
    let (optional, needed): (Vec<&Field>, Vec<&Field>) = record.fields.iter().partition(|field| field.optional);
    let is_constant = optional.is_empty();
    for field in &needed {
        assert!(matches!(field.kind, Kind::Path | Kind::Text), "no constructor of {name} takes {}", field.name);
        text.push_str(&cpp::comment("  ", &[format!("@param {} {}", field.name, field.about)]));
    }
    let parameters: Vec<String> = needed.iter().map(|field| format!("std::string_view {}", field.name)).collect();
    let set: Vec<String> = needed.iter().map(|field| format!("json_.set(\"{0}\", {0});", field.name)).collect();
    // A body of one statement is on one line, like clang-format has it.
    match set.as_slice() {
        [] => {}
        [one] => writeln!(text, "  explicit {name}({}) {{ {one} }}\n", parameters.concat()).unwrap(),
        several => {
            writeln!(text, "  {name}({}) {{\n    {}\n  }}\n", parameters.join(", "), several.join("\n    ")).unwrap();
        }
    }
    for field in optional {
        let mut paragraphs = vec![described(record, field, |field| short(field).to_owned())];
        let (kind, value) = match field.present() {
            Kind::Flag if field.default == Value::Bool(false) => ("bool value = true".to_owned(), "value"),
            kind @ (Kind::Flag | Kind::Whole { .. }) => (format!("{} value", cpp::ty(kind)), "value"),
            Kind::Seconds => ("Seconds value".to_owned(), "value.count()"),
            Kind::Text | Kind::Path => ("std::string_view value".to_owned(), "value"),
            Kind::Secret => ("const SecretText &value".to_owned(), "value"),
            kind @ Kind::List(_) => (format!("const {} &value", cpp::ty(kind)), "detail::json_of(value)"),
            Kind::Named(name) => match all.enumeration(name) {
                Some(enumeration) => {
                    paragraphs.extend(enumeration.values.iter().map(|(value, about)| format!("- `{value}`: {about}")));
                    ("std::string_view value".to_owned(), "value")
                }
                None => (format!("const {name} &value"), "value.to_json()"),
            },
            other => panic!("no option of C++ is {other:?}"),
        };
        text.push_str(&cpp::comment("  ", &paragraphs));
        let body = format!("return set(\"{}\", {value});", field.name);
        text.push_str(&setter(name, short(field), &kind, &body));
    }
    let (all_of_it, one) = if is_settings(record) { ("settings", "setting") } else { ("options", "option") };
    if !is_constant {
        write!(
            text,
            "\n  /// Sets one {one} by its name in JSON. A duration is a number of seconds, and its name ends in `_seconds`.\n  \
             {name} &set(std::string_view name, Json value) {{\n    json_.set(name, std::move(value));\n    return *this;\n  }}\n"
        )
        .unwrap();
    }
    // The type that contains the others is the one that the C interface takes.
    if all.records().last().is_some_and(|last| last.name == *name) {
        let wipe = if is_settings(record) { " It may contain a secret, so wipe it after use." } else { "" };
        write!(
            text,
            "  /// Sets one {one} to a value that is given as JSON text. Throws `validation_error` if the text is not JSON.\n  \
             {name} &set_json(std::string_view name, std::string_view json) {{ return set(name, Json::parse(json)); }}\n\n  \
             /// The {all_of_it} as the JSON object that the C interface takes.{wipe}\n  \
             [[nodiscard]] std::string json() const {{ return json_.dump(); }}\n"
        )
        .unwrap();
    }
    let all_of_it = if is_constant { "members" } else { all_of_it };
    write!(
        text,
        "  /// The {all_of_it} as a JSON object.\n  [[nodiscard]] const Json &to_json() const noexcept {{ return json_; }}\n\n \
         private:\n  Json json_ = Json::object();\n}};\n"
    )
    .unwrap();
    text
}

/// Writes a method that returns its object. It is on one line if it fits, like clang-format does it.
pub(super) fn setter(class: &str, name: &str, parameter: &str, body: &str) -> String {
    let head = format!("  {class} &{name}({parameter}) {{");
    let line = format!("{head} {body} }}");
    if line.len() <= WIDTH { format!("{line}\n") } else { format!("{head}\n    {body}\n  }}\n") }
}

/// Returns the name of an option. For a duration it is the name without `_seconds`, because the type gives the unit.
fn short(field: &Field) -> &str {
    match field.present() {
        Kind::Seconds => field.name.strip_suffix("_seconds").unwrap_or(&field.name),
        _ => &field.name,
    }
}

fn is_settings(record: &Record) -> bool {
    record.name.ends_with("Settings")
}

/// Returns the doc comment of a type.
fn about(record: &Record) -> String {
    match is_settings(record) {
        true => format!("{} Settings that are not given have their defaults.", record.about),
        false => record.about.clone(),
    }
}

/// Returns the doc comment of a field, with the names that other fields have in the language, and with its default.
fn described(record: &Record, field: &Field, named: impl Fn(&Field) -> String) -> String {
    let mut text = field.about.clone();
    for other in &record.fields {
        for known in [&other.name, short(other)] {
            text = text.replace(&format!("`{known}`"), &format!("`{}`", named(other)));
        }
    }
    let default = match &field.default {
        Value::Bool(true) => "true".to_owned(),
        Value::String(value) => format!("`{value}`"),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            let unit = match field.present() {
                Kind::Seconds if number == 1.0 => " second",
                Kind::Seconds => " seconds",
                _ => "",
            };
            format!("{}{unit}", grouped(number))
        }
        // Defaults such as null, an empty list and false need no words.
        _ => return text,
    };
    format!("{text} The default is {default}.")
}

/// Returns a whole number with commas between the thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{number}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
