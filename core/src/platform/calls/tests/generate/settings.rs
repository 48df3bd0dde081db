//! The settings of a platform in Python, Node and C++: made of the schemas of [`Settings`] and its parts, with their defaults.

use super::types::{Calls, Definition, Enumeration, Field, Kind, Record};
use super::{check, cpp, node, python};
use crate::Settings;
use serde_json::Value;
use std::fmt::Write;

/// Most characters of a line of C++.
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
        "\"\"\"How a platform is set up.\n\nMade from core/src/settings by `cargo xtask regen`; do not edit.\n\"\"\"\n\n\
         from __future__ import annotations\n\n{imports}\n{}\n",
        body.trim_end()
    )
}

/// What may be left out: the folder of a platform is an argument of its own.
fn typed_dict(all: &Calls, record: &Record) -> String {
    let mut text = format!("class {}(TypedDict, total=False):\n", record.name);
    python::docstring(&mut text, "    ", &about(record), &[]);
    text.push('\n');
    for field in record.fields.iter().filter(|field| field.optional) {
        writeln!(text, "    {}: {}", field.name, python_type(all, field.present())).unwrap();
        let words = described(record, field, |field| field.name.clone());
        python::docstring(&mut text, "    ", &words, &[]);
    }
    text
}

fn python_type(all: &Calls, kind: &Kind) -> String {
    match kind {
        Kind::Path => "str | PathLike[str]".to_owned(),
        Kind::List(inner) => format!("Sequence[{}]", python_type(all, inner)),
        // A member of the class, or its text.
        Kind::Named(name) if python::is_class(name) => {
            let values: Vec<String> =
                enumeration(all, name).unwrap().values.iter().map(|(value, _)| format!("\"{value}\"")).collect();
            format!("{name} | Literal[{}]", values.join(", "))
        }
        kind => python::plain(kind),
    }
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
        "// Made from core/src/settings by `cargo xtask regen`. Do not edit.\n\n// How a platform is set up.\n\n\
         import type {{ SettingFields }} from \"../settings\";\n\n{}\n",
        body.trim_end()
    )
}

/// The type of settings, and the table that they are checked by.
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
        "}}\n\n/** Each member of `{}`: its name in the core, and what it holds. */\nexport const {}: SettingFields = {{\n{table}}};\n\n",
        record.name,
        table_of(&record.name)
    )
    .unwrap();
}

/// `httpSettingFields` of `HttpSettings`.
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
        "/// @file\n/// How a platform is set up: must::Settings, with must::HttpSettings and must::WorkerSettings in it.\n\
         /// Made from core/src/settings by `cargo xtask regen`; do not edit.\n\
         #ifndef MUST_SETTINGS_HPP\n#define MUST_SETTINGS_HPP\n\n#include \"json.hpp\"\n\n#include <cstdint>\n#include <string>\n\
         #include <string_view>\n#include <utility>\n#include <vector>\n\nnamespace must {{\n\n{}\n}}  // namespace must\n\n\
         #endif  // MUST_SETTINGS_HPP\n",
        classes.collect::<Vec<_>>().join("\n")
    )
}

/// A class with a setter for each field that may be left out; the others are arguments of its constructor.
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
        "\n  /// Any of these by its name in JSON; a duration is a number of seconds, and its name ends in `_seconds`.\n  \
         {name} &set(std::string_view name, Json value) {{\n    json_.set(name, std::move(value));\n    return *this;\n  }}\n"
    )
    .unwrap();
    if !needed.is_empty() {
        write!(
            text,
            "  /// The same, as JSON text. Throws `validation_error` for what is none.\n  \
             {name} &set_json(std::string_view name, std::string_view json) {{ return set(name, Json::parse(json)); }}\n\n  \
             /// The settings as the JSON object that the C interface takes. It may hold a secret: wipe it after use.\n  \
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

/// A method that gives back its object of the class; on one line where it fits, as clang-format has it.
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

/// What a type says of itself.
fn about(record: &Record) -> String {
    format!("{} What is left out has its default.", record.about)
}

/// The name of a setting without the unit of a length of time, which a type may say.
fn short(field: &Field) -> &str {
    match field.present() {
        Kind::Seconds => field.name.strip_suffix("_seconds").unwrap_or(&field.name),
        _ => &field.name,
    }
}

/// What a field says of itself, with the names that other fields have in the language, and what stands in when it is left out.
fn described(record: &Record, field: &Field, named: impl Fn(&Field) -> String) -> String {
    let mut text = field.about.clone();
    for other in &record.fields {
        for known in [&other.name, short(other)] {
            text = text.replace(&format!("`{known}`"), &format!("`{}`", named(other)));
        }
    }
    let default = match &field.default {
        Value::Bool(true) => "True".to_owned(),
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
        // Nobody expects more than nothing, an empty list or false.
        _ => return text,
    };
    format!("{text} {default} when left out.")
}

/// A whole number with commas between the thousands.
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
