//! Generates the typed layer of C++: one header for each group of calls, in `ffi/include/must`.

use super::types::{Call, Calls, Definition, Enumeration, Field, Kind, Record};
use super::{GROUPS, Group, check, class, methods, taken, wrapped};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The largest number of characters in a line.
const WIDTH: usize = 126;

/// Calls that take their arguments after the first `first` ones as one structure. `kind` is the name of its type, and `word` the name of
/// the argument.
const STRUCTURES: &[(&str, Structure)] = &[
    ("accounts.add", Structure { kind: "NewAccount", word: "account", first: 0 }),
    ("accounts.update", Structure { kind: "AccountChange", word: "change", first: 1 }),
    ("audit.append", Structure { kind: "NewAuditEvent", word: "event", first: 0 }),
    ("audit.list", Structure { kind: "AuditQuery", word: "query", first: 0 }),
];

struct Structure {
    kind: &'static str,
    word: &'static str,
    first: usize,
}

/// Calls whose answer may be ignored, in addition to those that take a caller and return no secret.
const DONE_FOR_EFFECT: &[&str] = &["audit.append"];

/// Calls with two forms: one without and one with the optional arguments.
const TWO_FORMS: &[&str] = &["secrets.revoke"];

/// Groups without a header. `Platform::models` returns JSON.
const NOT_IN_CPP: &[&str] = &["models"];

/// Types that have another name in C++, because Xlib.h defines their own name as a macro.
const RENAMED_TYPES: &[(&str, &str)] = &[("Status", "TaskStatus")];

/// Names that are reserved words or macros of C++, with their replacements.
const RENAMED: &[(&str, &str)] = &[("export", "export_to"), ("signed", "signed_size")];

#[test]
fn the_layer_of_cpp_is_the_committed_one() {
    let all = Calls::of_host();
    for group in GROUPS.iter().filter(|group| !NOT_IN_CPP.contains(&group.file)) {
        check(&format!("ffi/include/must/{}.hpp", group.file), &Header { all: &all, group, taken: taken(&all) }.text());
    }
}

struct Header<'a> {
    all: &'a Calls,
    group: &'a Group,
    /// The records that calls take.
    taken: BTreeSet<String>,
}

impl Header<'_> {
    fn text(&self) -> String {
        let mut blocks = Vec::new();
        for definition in self.group.definitions(self.all) {
            blocks.push(match definition {
                Definition::Record(record) => self.record(record),
                Definition::Enumeration(enumeration) => enumeration_block(enumeration),
            });
            if definition.name() == "Caller" {
                blocks.push(
                    "/// The caller of a call, or nothing for the host itself.\nusing MaybeCaller = std::optional<Caller>;\n"
                        .to_owned(),
                );
            }
        }
        for subject in self.group.subjects {
            let calls: Vec<&Call> = self.all.calls.iter().filter(|call| call.subject() == *subject).collect();
            blocks.extend(calls.iter().filter_map(|call| self.structure(call)));
            blocks.push(self.class(subject, &calls));
        }
        let body = blocks.join("\n");
        let guard = format!("MUST_{}_HPP", self.group.file.to_uppercase());
        format!(
            "/// @file\n{}/// Made from {} by `cargo xtask regen`; do not edit.\n\
             #ifndef {guard}\n#define {guard}\n\n{}\nnamespace must {{\n\n{body}\n}}  // namespace must\n\n#endif  // {guard}\n",
            comment("", &[self.group.about.to_owned()]),
            self.group.source(),
            self.includes(&body),
        )
    }

    fn includes(&self, body: &str) -> String {
        let own: &[&str] = match (self.group.subjects, self.group.roots) {
            ([], []) => &["headers", "json"],
            ([], _) => &["json"],
            _ => &["call", "facts"],
        };
        let mut text: String = own.iter().map(|name| format!("#include \"{name}.hpp\"\n")).collect();
        text.push('\n');
        for (header, words) in [
            ("chrono", &["std::chrono"][..]),
            ("cstddef", &["std::size_t"]),
            ("cstdint", &["std::uint", "std::int"]),
            ("map", &["std::map"]),
            ("optional", &["std::optional", "std::nullopt"]),
            ("string", &["std::string"]),
            ("string_view", &["std::string_view"]),
            ("vector", &["std::vector"]),
        ] {
            if words.iter().any(|word| body.contains(word)) {
                writeln!(text, "#include <{header}>").unwrap();
            }
        }
        text
    }

    fn record(&self, record: &Record) -> String {
        let is_taken = self.taken.contains(&record.name);
        let is_inner = self.unwrapped(&record.name).is_some();
        let mut text = if is_inner { "namespace detail {\n\n".to_owned() } else { String::new() };
        text.push_str(&comment("", std::slice::from_ref(&record.about)));
        writeln!(text, "struct {} {{", record.name).unwrap();
        for field in &record.fields {
            text.push_str(&comment("  ", std::slice::from_ref(&field.about)));
            writeln!(text, "  {};", self.member(field, is_taken)).unwrap();
        }
        if let Some((_, more)) = methods::CPP.iter().find(|(name, _)| *name == record.name) {
            text.push_str(more);
        }
        if super::is_answered(self.all, &record.name) {
            let members: Vec<String> = record.fields.iter().map(|field| self.read(field)).collect();
            writeln!(
                text,
                "\n  /// Reads it from the JSON of an answer.\n  [[nodiscard]] static {} from_json(const Json &json) {{\n    return {{{}}};\n  }}",
                record.name,
                members.join(",\n            ")
            )
            .unwrap();
        }
        if is_taken {
            let members: String = record
                .fields
                .iter()
                .map(|field| format!("\n        .set(\"{}\", {})", field.name, named(&field.name)))
                .collect();
            writeln!(
                text,
                "\n  /// The JSON object that calls take.\n  [[nodiscard]] Json to_json() const {{\n    return detail::Fields(){members}\n        .json();\n  }}"
            )
            .unwrap();
        }
        text.push_str("};\n");
        if is_inner {
            text.push_str("\n}  // namespace detail\n");
        }
        text
    }

    /// One member of a structure.
    fn member(&self, field: &Field, is_taken: bool) -> String {
        if let Some(name) = whole_seconds(field) {
            return format!("std::chrono::seconds {name}{{}}");
        }
        let name = named(&field.name);
        let left_out =
            is_taken && field.optional && !matches!(field.present(), Kind::List(_) | Kind::Map(_) | Kind::Flag);
        let kind = if left_out { format!("std::optional<{}>", ty(field.present())) } else { ty(&field.kind) };
        let initial = match &field.kind {
            _ if left_out => "{}".to_owned(),
            Kind::Flag => " = false".to_owned(),
            Kind::Whole { .. } => " = 0".to_owned(),
            // Arguments begin with the first value, members of answers with `unknown`.
            Kind::Named(name) if is_taken => match self.first_value(name) {
                Some(value) => format!(" = {name}::{value}"),
                None => String::new(),
            },
            Kind::Named(name) if self.first_value(name).is_some() => "{}".to_owned(),
            _ if is_taken && field.optional => "{}".to_owned(),
            _ => String::new(),
        };
        format!("{kind} {name}{initial}")
    }

    fn first_value(&self, name: &str) -> Option<&str> {
        self.all.enumeration(name)?.values.first().map(|(value, _)| value.as_str())
    }

    /// Returns the only member of an answer if it is a number. The typed call then returns just the number.
    fn unwrapped(&self, name: &str) -> Option<&Field> {
        let record = self.all.records().find(|record| record.name == name)?;
        match record.fields.as_slice() {
            [field] if matches!(field.kind, Kind::Whole { .. }) => Some(field),
            _ => None,
        }
    }

    /// Returns the code that reads a member of an answer.
    fn read(&self, field: &Field) -> String {
        match whole_seconds(field) {
            Some(_) => format!("std::chrono::seconds(json[\"{}\"].get<std::int64_t>())", field.name),
            None => format!("json[\"{}\"].get<{}>()", field.name, ty(&field.kind)),
        }
    }

    /// Writes the structure of [`STRUCTURES`] for the arguments of a call.
    fn structure(&self, call: &Call) -> Option<String> {
        let structure = structure_of(call)?;
        let mut text = comment("", std::slice::from_ref(&call.arguments_about));
        writeln!(text, "struct {} {{", structure.kind).unwrap();
        for field in own(call).into_iter().skip(structure.first) {
            text.push_str(&comment("  ", std::slice::from_ref(&field.about)));
            writeln!(text, "  {};", self.member(field, true)).unwrap();
        }
        text.push_str("};\n");
        Some(text)
    }

    fn class(&self, subject: &str, calls: &[&Call]) -> String {
        let mut methods = String::new();
        for call in calls {
            if TWO_FORMS.contains(&call.name) {
                methods.push_str(&self.method(call, Some(false)));
                methods.push_str(&self.method(call, Some(true)));
            } else {
                methods.push_str(&self.method(call, None));
            }
        }
        if subject.is_empty() {
            return format!(
                "namespace detail {{\n\n/// The calls of the platform itself.\nclass PlatformCalls : private Service {{\n public:\n  \
                 /// Makes the calls on the platform with this handle of must.h.\n  using Service::Service;\n\n{methods}}};\n\n}}  // namespace detail\n"
            );
        }
        let (name, about) = class(subject);
        let about = format!(
            "{about} Every call also throws `dependency_unavailable` if the database cannot be read or written, the vault is shut or \
             the audit log cannot be written, and `invalid_state` if the platform is closed."
        );
        format!(
            "{}class {name} : private detail::Service {{\n public:\n  /// Makes the calls on the platform with this handle of must.h.\n  \
             using Service::Service;\n\n{methods}}};\n",
            comment("", &[about])
        )
    }

    /// Writes a method. `with_all` tells whether it requires the optional arguments or does not have them.
    fn method(&self, call: &Call, with_all: Option<bool>) -> String {
        let structure = structure_of(call);
        let own = own(call);
        let apart = structure.map_or(own.len(), |structure| structure.first);
        let mut parameters = Vec::new();
        let mut set = String::new();
        let mut about = vec![call.about.to_owned()];
        let mut parameter_notes = Vec::new();
        for field in &own[..apart] {
            if field.optional && with_all == Some(false) {
                continue;
            }
            parameters.push(match with_all {
                Some(true) => format!("{} {}", argument(field.present(), false), local(field)),
                _ => argument_with_default(field),
            });
            write!(set, ".set(\"{}\", {})", field.name, local(field)).unwrap();
            if !field.about.is_empty() {
                parameter_notes.push(format!("@param {} {}", local(field), field.about));
            }
        }
        if let Some(structure) = structure {
            let default = if own.iter().skip(apart).all(|field| field.optional) && apart == 0 { " = {}" } else { "" };
            parameters.push(format!("const {} &{}{default}", structure.kind, structure.word));
            for field in &own[apart..] {
                write!(set, ".set(\"{0}\", {1}.{0})", field.name, structure.word).unwrap();
            }
        }
        if call.arguments.iter().any(|field| field.name == "caller") {
            parameters.push("const MaybeCaller &caller = std::nullopt".to_owned());
            set.push_str(".set(\"caller\", caller)");
        }
        if !call.fails.is_empty() {
            about[0] = format!("{} Throws {}.", call.about, call.fails);
        }
        about.extend(parameter_notes);
        let (answer, asked, after) = match &call.answer {
            Kind::Nothing => ("void".to_owned(), String::new(), String::new()),
            Kind::Named(name) => match self.unwrapped(name) {
                Some(field) => (ty(&field.kind), format!("<detail::{name}>"), format!(".{}", field.name)),
                None => (name.clone(), format!("<{name}>"), String::new()),
            },
            kind => (ty(kind), format!("<{}>", ty(kind)), String::new()),
        };
        let takes_caller = set.contains("\"caller\"");
        let has_secret = match &call.answer {
            Kind::Secret => true,
            Kind::Named(name) => self
                .all
                .records()
                .any(|record| record.name == *name && record.fields.iter().any(|field| field.kind == Kind::Secret)),
            _ => false,
        };
        let effect = answer == "void" || DONE_FOR_EFFECT.contains(&call.name) || (takes_caller && !has_secret);
        let nodiscard = if effect { "" } else { "[[nodiscard]] " };
        let mut text = comment("  ", &about);
        let head = format!("  {nodiscard}{answer} {}(", named(call.verb()));
        text.push_str(&head);
        let mut column = head.len();
        for (index, parameter) in parameters.iter().enumerate() {
            if index > 0 {
                text.push(',');
                if column + parameter.len() + 12 > WIDTH {
                    write!(text, "\n{}", " ".repeat(head.len())).unwrap();
                    column = head.len();
                } else {
                    text.push(' ');
                }
            }
            text.push_str(parameter);
            column += parameter.len() + 2;
        }
        text.push_str(") const {\n");
        let return_word = if answer == "void" { "" } else { "return " };
        let arguments = if set.is_empty() { String::new() } else { format!(", detail::Fields(){set}") };
        let line = format!("    {return_word}ask{asked}(\"{}\"{arguments}){after};", call.name);
        if line.len() <= WIDTH {
            writeln!(text, "{line}").unwrap();
        } else {
            let members = set.replace(".set(", "\n        .set(");
            writeln!(
                text,
                "    const detail::Fields arguments = detail::Fields(){members};\n    {return_word}ask{asked}(\"{}\", arguments){after};",
                call.name
            )
            .unwrap();
        }
        text.push_str("  }\n");
        text
    }
}

fn structure_of(call: &Call) -> Option<&'static Structure> {
    STRUCTURES.iter().find(|(name, _)| *name == call.name).map(|(_, structure)| structure)
}

/// Returns the arguments without the caller.
fn own(call: &Call) -> Vec<&Field> {
    call.arguments.iter().filter(|field| field.name != "caller").collect()
}

/// Returns the name of a duration in whole seconds without its unit, because the type gives the unit.
fn whole_seconds(field: &Field) -> Option<&str> {
    matches!(field.kind, Kind::Whole { .. }).then(|| field.name.strip_suffix("_seconds")).flatten()
}

fn named(name: &str) -> &str {
    RENAMED.iter().find(|(known, _)| *known == name).map_or(name, |(_, other)| other)
}

/// Returns the name of an argument. The name of a duration has no unit, because the type gives the unit.
fn local(field: &Field) -> &str {
    match field.present() {
        Kind::Seconds => field.name.strip_suffix("_seconds").unwrap_or(&field.name),
        _ => &field.name,
    }
}

/// Returns the type of an argument, which may be optional.
fn argument(kind: &Kind, optional: bool) -> String {
    match (kind, optional) {
        (Kind::Text | Kind::Path, false) => "std::string_view".to_owned(),
        (Kind::Text | Kind::Path, true) => "std::optional<std::string_view>".to_owned(),
        (Kind::Flag | Kind::Whole { .. } | Kind::Number | Kind::Seconds, false) => ty(kind),
        (Kind::Flag | Kind::Whole { .. } | Kind::Number | Kind::Seconds, true) => {
            format!("std::optional<{}>", ty(kind))
        }
        (kind, false) => format!("const {} &", ty(kind)),
        (kind, true) => format!("const std::optional<{}> &", ty(kind)),
    }
}

fn argument_with_default(field: &Field) -> String {
    let kind = argument(field.present(), field.optional);
    let space = if kind.ends_with('&') { "" } else { " " };
    let default = if field.optional { " = std::nullopt" } else { "" };
    format!("{kind}{space}{}{default}", local(field))
}

pub(super) fn ty(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Path => "std::string".to_owned(),
        Kind::Secret => "SecretText".to_owned(),
        Kind::Moment | Kind::MomentOrMilliseconds => "Time".to_owned(),
        Kind::Flag => "bool".to_owned(),
        // Streams print an integer of 8 bits as a character.
        Kind::Whole { bits: 8, .. } => "int".to_owned(),
        Kind::Whole { signed: true, bits } => format!("std::int{bits}_t"),
        Kind::Whole { signed: false, bits } => format!("std::uint{bits}_t"),
        Kind::Number => "double".to_owned(),
        Kind::Seconds => "Seconds".to_owned(),
        Kind::Any | Kind::TextOrNumber => "Json".to_owned(),
        Kind::List(inner) => format!("std::vector<{}>", ty(inner)),
        // An object keeps its order, and a map does not.
        Kind::Map(inner) if **inner == Kind::Any => "Json".to_owned(),
        Kind::Map(inner) => format!("std::map<std::string, {}>", ty(inner)),
        Kind::Maybe(inner) => format!("std::optional<{}>", ty(inner)),
        Kind::Named(name) => type_name(name).to_owned(),
        Kind::Nothing => "void".to_owned(),
    }
}

fn type_name(name: &str) -> &str {
    RENAMED_TYPES.iter().find(|(known, _)| *known == name).map_or(name, |(_, other)| other)
}

fn enumeration_block(enumeration: &Enumeration) -> String {
    let name = type_name(&enumeration.name);
    let mut text = comment("", std::slice::from_ref(&enumeration.about));
    write!(text, "enum class {name} {{\n  unknown,  ///< A value of a later version.\n").unwrap();
    for (value, about) in &enumeration.values {
        writeln!(text, "  {value},  ///< {about}").unwrap();
    }
    let named: Vec<String> =
        enumeration.values.iter().map(|(value, _)| format!("      {{{name}::{value}, \"{value}\"}},\n")).collect();
    writeln!(
        text,
        "}};\ntemplate <>\nstruct detail::Names<{name}> {{\n  static constexpr Named<{name}> table[] = {{\n{}  }};\n}};",
        named.concat()
    )
    .unwrap();
    text
}

pub(super) fn comment(indent: &str, paragraphs: &[String]) -> String {
    let lines = paragraphs.iter().flat_map(|paragraph| wrapped(paragraph, WIDTH - 4 - indent.len()));
    lines.map(|line| format!("{indent}/// {line}\n")).collect()
}
