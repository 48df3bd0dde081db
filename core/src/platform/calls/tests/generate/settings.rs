//! Generates the settings of a platform in Python, Node and C++ from the schemas of [`Settings`] and its parts.

use super::types::{Calls, Definition, Enumeration, Field, Kind, Record};
use super::{check, cpp, node, python};
use crate::Settings;
use serde_json::Value;
use std::fmt::Write;

/// The largest number of characters in a line of C++.
const WIDTH: usize = 130;

#[test]
fn the_settings_of_python_are_the_committed_ones() {
    check("bindings-python/python/must/_settings.py", &of_python(&Calls::of_type::<Settings>()));
}

#[test]
fn the_settings_of_node_are_the_committed_ones() {
    check("bindings-node/src/generated/settings.ts", &of_node(&Calls::of_type::<Settings>()));
}

#[test]
fn the_settings_of_cpp_are_the_committed_ones() {
    check("ffi/include/must/settings.hpp", &of_cpp(&Calls::of_type::<Settings>()));
}

fn of_python(all: &Calls) -> String {
    let blocks: Vec<String> = all
        .definitions
        .iter()
        .map(|definition| match definition {
            Definition::Record(record) => typed_dict(all, record),
            Definition::Enumeration(enumeration) => python::enumeration_block(enumeration),
        })
        .collect();
    let body = python::joined(&blocks);
    let code = python::code(&body);
    let imports = [
        ("collections.abc", &["Sequence"][..]),
        ("enum", &["StrEnum"]),
        ("os", &["PathLike"]),
        ("typing", &["Literal", "TypeAlias", "TypedDict"]),
    ];
    let imports = imports.map(|(module, names)| python::import(&code, module, names)).concat();
    format!(
        "\"\"\"The settings of a platform.\n\nMade from core/src/settings by `cargo xtask regen`; do not edit.\n\"\"\"\n\n\
         from __future__ import annotations\n\n{imports}\n{}\n",
        body.trim_end()
    )
}

/// Writes a dictionary with the optional settings. The data folder is a separate argument.
fn typed_dict(all: &Calls, record: &Record) -> String {
    let mut text = format!("class {}(TypedDict, total=False):\n", record.name);
    python::docstring(&mut text, "    ", &about(record), &[]);
    text.push('\n');
    for field in record.fields.iter().filter(|field| field.optional) {
        writeln!(text, "    {}: {}", field.name, python::given(all, field.present())).unwrap();
        let words = described(record, field, |field| field.name.clone());
        python::docstring(&mut text, "    ", &words, &[]);
    }
    text
}

fn of_node(all: &Calls) -> String {
    let mut body = String::new();
    for definition in &all.definitions {
        match definition {
            Definition::Record(record) => interface(&mut body, all, record),
            Definition::Enumeration(enumeration) => node::enumeration(&mut body, enumeration),
        }
    }
    format!(
        "// Made from core/src/settings by `cargo xtask regen`. Do not edit.\n\n// The settings of a platform.\n\n\
         import type {{ SettingFields }} from \"../settings\";\n\n{}\n",
        body.trim_end()
    )
}

/// Writes the interface of the settings, and the table by which they are checked.
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
            Kind::Named(name) if enumeration(all, name).is_some() => "\"text\"".to_owned(),
            Kind::Named(name) => table_of(name),
            other => panic!("no setting of Node is {other:?}"),
        };
        writeln!(table, "  {member}: [\"{}\", {holds}],", field.name).unwrap();
    }
    write!(
        text,
        "}}\n\n/** Each member of `{}`, with its name in the core and its kind. */\nexport const {}: SettingFields = {{\n{table}}};\n\n",
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

fn of_cpp(all: &Calls) -> String {
    let classes = all.definitions.iter().filter_map(|definition| match definition {
        Definition::Record(record) => Some(cpp_class(all, record)),
        Definition::Enumeration(_) => None,
    });
    format!(
        "/// @file\n/// The settings of a platform: must::Settings, which contains must::HttpSettings and must::WorkerSettings.\n\
         /// Made from core/src/settings by `cargo xtask regen`; do not edit.\n\
         #ifndef MUST_SETTINGS_HPP\n#define MUST_SETTINGS_HPP\n\n#include \"json.hpp\"\n\n#include <cstdint>\n#include <string>\n\
         #include <string_view>\n#include <utility>\n#include <vector>\n\nnamespace must {{\n\n{}\n}}  // namespace must\n\n\
         #endif  // MUST_SETTINGS_HPP\n",
        classes.collect::<Vec<_>>().join("\n")
    )
}

/// Writes a class with a setter for each optional field. The required fields are arguments of its constructor.
fn cpp_class(all: &Calls, record: &Record) -> String {
    let name = &record.name;
    let mut text = cpp::comment("", &[about(record)]);
    writeln!(text, "class {name} {{\n public:").unwrap();
    let (optional, needed): (Vec<&Field>, Vec<&Field>) = record.fields.iter().partition(|field| field.optional);
    for field in &needed {
        assert_eq!((needed.len(), &field.kind), (1, &Kind::Path), "no constructor of {name} takes this");
        text.push_str(&cpp::comment("  ", std::slice::from_ref(&field.about)));
        writeln!(text, "  explicit {name}(std::string_view {0}) {{ set(\"{0}\", {0}); }}\n", field.name).unwrap();
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
            Kind::Named(name) => match enumeration(all, name) {
                Some(enumeration) => {
                    paragraphs.extend(enumeration.values.iter().map(|(value, about)| format!("- `{value}`: {about}")));
                    ("std::string_view value".to_owned(), "value")
                }
                None => (format!("const {name} &value"), "value.to_json()"),
            },
            other => panic!("no setting of C++ is {other:?}"),
        };
        text.push_str(&cpp::comment("  ", &paragraphs));
        let body = format!("return set(\"{}\", {value});", field.name);
        text.push_str(&setter(name, short(field), &kind, &body));
    }
    write!(
        text,
        "\n  /// Sets one setting by its name in JSON. A duration is a number of seconds, and its name ends in `_seconds`.\n  \
         {name} &set(std::string_view name, Json value) {{\n    json_.set(name, std::move(value));\n    return *this;\n  }}\n"
    )
    .unwrap();
    if !needed.is_empty() {
        write!(
            text,
            "  /// Sets one setting to a value that is given as JSON text. Throws `validation_error` if the text is not JSON.\n  \
             {name} &set_json(std::string_view name, std::string_view json) {{ return set(name, Json::parse(json)); }}\n\n  \
             /// The settings as the JSON object that the C interface takes. It may contain a secret, so wipe it after use.\n  \
             [[nodiscard]] std::string json() const {{ return json_.dump(); }}\n"
        )
        .unwrap();
    }
    text.push_str(
        "  /// The settings as a JSON object.\n  [[nodiscard]] const Json &to_json() const noexcept { return json_; }\n\n \
         private:\n  Json json_ = Json::object();\n};\n",
    );
    text
}

/// Writes a method that returns its object. It is on one line if it fits, like clang-format does it.
pub(super) fn setter(class: &str, name: &str, parameter: &str, body: &str) -> String {
    let head = format!("  {class} &{name}({parameter}) {{");
    let line = format!("{head} {body} }}");
    if line.len() <= WIDTH { format!("{line}\n") } else { format!("{head}\n    {body}\n  }}\n") }
}

fn enumeration<'a>(all: &'a Calls, name: &str) -> Option<&'a Enumeration> {
    all.definitions.iter().find_map(|definition| match definition {
        Definition::Enumeration(one) if one.name == name => Some(one),
        _ => None,
    })
}

/// Returns the doc comment of a type.
fn about(record: &Record) -> String {
    format!("{} Settings that are not given have their defaults.", record.about)
}

/// Returns the name of a setting. For a duration it is the name without `_seconds`, because the type gives the unit.
fn short(field: &Field) -> &str {
    match field.present() {
        Kind::Seconds => field.name.strip_suffix("_seconds").unwrap_or(&field.name),
        _ => &field.name,
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
