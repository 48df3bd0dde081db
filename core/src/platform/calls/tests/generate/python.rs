//! Generates the typed layer of Python: one module for each group of calls. It has the types, and the calls for threads and for asyncio.

use super::types::{Call, Calls, Definition, Enumeration, Field, Kind, Record};
use super::{GROUPS, Group, check, class, methods, taken, wrapped};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The largest number of characters in a line, which is also ruff's setting.
const WIDTH: usize = 120;

/// Calls and how many arguments they take by position, if that differs from the number of required arguments.
const BY_POSITION: &[(&str, usize)] =
    &[("accounts.add", 1), ("secrets.put_provider_token", 2), ("secrets.rotate", 2), ("audit.append", 0)];

/// Enumerations that become classes. The others become literal types.
const CLASSES: &[&str] = &["AccountStatus", "LogLevel", "MediaType", "Status"];

/// Records whose constructor takes only named arguments.
const BY_NAME: &[&str] = &["RequestFacts", "TaskState"];

/// Records that are dictionaries.
const DICTIONARIES: &[&str] = &["TaskQuery", "Model", "ParameterSchema", "ParameterItem"];

#[test]
fn the_layer_of_python_is_the_committed_one() {
    let all = Calls::of_host();
    for group in GROUPS {
        check(&format!("bindings-python/python/must/_{}.py", group.file), &Module::new(&all, group).text());
    }
}

struct Module<'a> {
    all: &'a Calls,
    group: &'a Group,
    /// The records that calls take.
    taken: BTreeSet<String>,
}

impl<'a> Module<'a> {
    fn new(all: &'a Calls, group: &'a Group) -> Self {
        Self { all, group, taken: taken(all) }
    }

    fn text(&self) -> String {
        let mut blocks = Vec::new();
        for definition in self.group.definitions(self.all) {
            match definition {
                // Such a call returns just the number, so the record needs no class.
                Definition::Record(record) if self.unwrapped(&record.name).is_some() => {}
                Definition::Record(record) if DICTIONARIES.contains(&record.name.as_str()) => {
                    blocks.push(self.dictionary(record));
                }
                Definition::Record(record) => blocks.push(self.record(record)),
                Definition::Enumeration(enumeration) => blocks.push(enumeration_block(enumeration)),
            }
        }
        for subject in self.group.subjects {
            let calls: Vec<&Call> = self.all.calls.iter().filter(|call| call.subject() == *subject).collect();
            if subject.is_empty() {
                blocks.extend(calls.iter().map(|call| self.definition(call, "", false)));
            } else {
                self.class(&mut blocks, subject, &calls);
            }
        }
        let body = joined(&blocks);
        format!(
            "\"\"\"{}\n\nMade from {} by `cargo xtask regen`; do not edit.\n\"\"\"\n\n\
             from __future__ import annotations\n\n{}{}\n",
            self.group.about,
            self.group.source(),
            self.imports(&body),
            body.trim_end(),
        )
    }

    fn imports(&self, body: &str) -> String {
        let code = code(body);
        let line = |module: &str, names: &[&str]| import(&code, module, names);
        let standard = [
            if super::has_word(&code, "os") { "import os\n".to_owned() } else { String::new() },
            line("collections.abc", &["Iterable", "Iterator", "Mapping", "Sequence"]),
            line("dataclasses", &["dataclass", "field"]),
            line("datetime", &["datetime"]),
            line("enum", &["StrEnum"]),
            line("pathlib", &["Path"]),
            line("typing", &["Any", "Literal", "NotRequired", "Self", "TypeAlias", "TypedDict"]),
        ];
        let mut own = vec![(
            "must._calls".to_owned(),
            line(
                "must._calls",
                &["Awaited", "Blocking", "Request", "absolute", "call", "each", "given", "maybe", "moment", "nothing"],
            ),
        )];
        for other in GROUPS.iter().filter(|other| other.file != self.group.file) {
            let module = format!("must._{}", other.file);
            let mut names: Vec<&str> = other.definitions(self.all).map(Definition::name).collect();
            names.sort_unstable();
            own.push((module.clone(), line(&module, &names)));
        }
        for (module, name) in [("errors", "error_from"), ("exceptions", "MustError"), ("headers", "read_headers")] {
            let module = format!("must._{module}");
            own.push((module.clone(), line(&module, &[name])));
        }
        own.sort();
        let own: String = own.into_iter().map(|(_, line)| line).collect();
        let separator = if own.is_empty() { "" } else { "\n" };
        format!("{}{separator}{own}\n", standard.concat())
    }

    fn record(&self, record: &Record) -> String {
        let mut body = String::new();
        let is_taken = self.taken.contains(&record.name);
        let by_name = if BY_NAME.contains(&record.name.as_str()) { ", kw_only=True" } else { "" };
        write!(body, "@dataclass(frozen=True, slots=True{by_name})\nclass {}:\n", record.name).unwrap();
        docstring(&mut body, "    ", &record.about, &[]);
        body.push('\n');
        for field in &record.fields {
            let mut annotation = self.answer_type(&field.kind);
            if is_taken && field.optional {
                let default = match field.present() {
                    Kind::List(_) => "()",
                    Kind::Flag => "False",
                    _ => "None",
                };
                if matches!(field.present(), Kind::List(inner) if **inner == Kind::Secret) {
                    write!(annotation, " = field(default={default}, repr=False)").unwrap();
                } else {
                    write!(annotation, " = {default}").unwrap();
                }
            } else if *field.present() == Kind::Secret {
                annotation.push_str(" = field(repr=False)");
            }
            writeln!(body, "    {}: {annotation}", field.name).unwrap();
            docstring(&mut body, "    ", &field.about, &[]);
        }
        body.push_str(more(&record.name));
        if is_taken {
            body.push_str(
                "\n    def to_native(self) -> dict[str, Any]:\n        \"\"\"The native form.\"\"\"\n        \
                 raw = {name: getattr(self, name) for name in self.__dataclass_fields__}\n        \
                 return {name: value for name, value in raw.items() if value is not None}\n",
            );
        }
        if super::is_answered(self.all, &record.name) {
            body.push_str(
                "\n    @classmethod\n    def from_native(cls, raw: Mapping[str, Any]) -> Self:\n        \
                 \"\"\"Read the native form. Members that this version does not know are ignored.\"\"\"\n        \
                 return cls(\n",
            );
            for field in &record.fields {
                let value = self.read(&field.kind, &format!("raw[\"{}\"]", field.name));
                writeln!(body, "            {}={value},", field.name).unwrap();
            }
            body.push_str("        )\n");
        }
        body
    }

    fn dictionary(&self, record: &Record) -> String {
        let is_taken = self.taken.contains(&record.name);
        let total = if is_taken { ", total=False" } else { "" };
        let base = record.extends.unwrap_or("TypedDict");
        let mut text = format!("class {}({base}{total}):\n", record.name);
        docstring(&mut text, "    ", &record.about, &[]);
        text.push('\n');
        for field in &record.fields {
            let kind = match (is_taken, field.optional) {
                (true, _) => given(self.all, &field.kind),
                (false, true) => format!("NotRequired[{}]", self.raw(field.present())),
                (false, false) => self.raw(&field.kind),
            };
            writeln!(text, "    {}: {kind}", field.name).unwrap();
            docstring(&mut text, "    ", &field.about, &[]);
        }
        text
    }

    /// Returns the type of a value in a dictionary that is an answer.
    fn raw(&self, kind: &Kind) -> String {
        match kind {
            Kind::List(inner) => format!("list[{}]", self.raw(inner)),
            Kind::Map(inner) => format!("dict[str, {}]", self.raw(inner)),
            Kind::Maybe(inner) => format!("{} | None", self.raw(inner)),
            Kind::Named(name) if is_class(name) => literal(self.all, name),
            kind => plain(kind),
        }
    }

    /// Returns the only member of an answer if it is a number. The typed call then returns just the number.
    fn unwrapped(&self, name: &str) -> Option<&Field> {
        let record = self.all.records().find(|record| record.name == name)?;
        match record.fields.as_slice() {
            [field] if matches!(field.kind, Kind::Whole { .. }) => Some(field),
            _ => None,
        }
    }

    fn is_record(&self, name: &str) -> bool {
        self.all.records().any(|record| record.name == name)
    }

    /// Returns the function that reads a value, or `None` if the value is used unchanged.
    fn reader(&self, kind: &Kind) -> Option<String> {
        match kind {
            Kind::Moment => Some("datetime.fromisoformat".to_owned()),
            Kind::Path => Some("Path".to_owned()),
            Kind::List(inner) if self.reader(inner).is_none() => Some("tuple".to_owned()),
            Kind::Named(name) if self.is_record(name) => Some(format!("{name}.from_native")),
            Kind::Named(name) if is_class(name) => Some(name.clone()),
            Kind::Maybe(inner) => self.reader(inner).map(|read| format!("maybe({read})")),
            _ => None,
        }
    }

    /// Returns the expression that makes a member from `raw`, an expression of the native form.
    fn read(&self, kind: &Kind, raw: &str) -> String {
        match kind {
            Kind::List(inner) => match self.reader(inner) {
                Some(read) => format!("tuple({read}(item) for item in {raw})"),
                None => format!("tuple({raw})"),
            },
            kind => self.reader(kind).map_or_else(|| raw.to_owned(), |read| format!("{read}({raw})")),
        }
    }

    /// Returns the type of a member of an answer.
    fn answer_type(&self, kind: &Kind) -> String {
        match kind {
            Kind::List(inner) => format!("tuple[{}, ...]", self.answer_type(inner)),
            Kind::Map(inner) => format!("Mapping[str, {}]", self.answer_type(inner)),
            Kind::Maybe(inner) => format!("{} | None", self.answer_type(inner)),
            kind => plain(kind),
        }
    }

    /// Returns the type of a method's answer, and the function that reads it.
    fn answer(&self, call: &Call) -> (String, String) {
        match &call.answer {
            Kind::Nothing => ("None".to_owned(), "nothing".to_owned()),
            Kind::Flag => ("bool".to_owned(), "bool".to_owned()),
            Kind::Text | Kind::Secret => ("str".to_owned(), "str".to_owned()),
            Kind::Maybe(inner) if **inner == Kind::Text => ("str | None".to_owned(), "maybe(str)".to_owned()),
            Kind::Named(name) => match self.unwrapped(name) {
                Some(field) => ("int".to_owned(), format!("lambda raw: int(raw[\"{}\"])", field.name)),
                None => (name.clone(), format!("{name}.from_native")),
            },
            Kind::List(inner) => match &**inner {
                Kind::Named(name) => (format!("list[{name}]"), format!("each({name}.from_native)")),
                other => panic!("no list of {other:?} in Python"),
            },
            other => panic!("no answer {other:?} in Python"),
        }
    }

    fn class(&self, blocks: &mut Vec<String>, subject: &str, calls: &[&Call]) {
        let (name, about) = class(subject);
        let about = about.trim_end_matches('.');
        // In the class, a method `list` hides the builtin.
        let hides_list = calls.iter().any(|call| call.verb() == "list");
        let mut methods = String::new();
        for call in calls {
            write!(methods, "\n    @call\n{}", self.definition(call, "    ", hides_list)).unwrap();
        }
        if hides_list {
            for definition in self.group.definitions(self.all) {
                let known = definition.name();
                if methods.contains(&format!("{known}List")) {
                    blocks.push(format!(
                        "{known}List: TypeAlias = list[{known}]\n\"\"\"A list. In classes with a method `list`, the builtin cannot be named.\"\"\""
                    ));
                }
            }
        }
        blocks.push(format!("class {name}Calls:\n    \"\"\"{about}.\"\"\"\n\n    __slots__ = ()\n{methods}"));
        let (first, rest) = about.split_once(". ").unwrap_or((about, ""));
        let rest = if rest.is_empty() { String::new() } else { format!(" {rest}.") };
        for (prefix, base, platform) in [("", "Blocking", "a `Platform`"), ("Async", "Awaited", "an `AsyncPlatform`")] {
            blocks.push(format!(
                "class {prefix}{name}({name}Calls, {base}):\n    \"\"\"{first}, of {platform}.{rest}\"\"\"\n\n    __slots__ = ()"
            ));
        }
    }

    /// Writes the function that builds the request of a call.
    fn definition(&self, call: &Call, indent: &str, hides_list: bool) -> String {
        let mut body = String::new();
        let needed = call.arguments.iter().filter(|field| !field.optional).count();
        let by_position = BY_POSITION.iter().find(|(name, _)| *name == call.name).map_or(needed, |(_, count)| *count);
        let mut parameters: Vec<String> = if indent.is_empty() { Vec::new() } else { vec!["self".to_owned()] };
        for (index, field) in call.arguments.iter().enumerate() {
            if index == by_position {
                parameters.push("*".to_owned());
            }
            let kind = self.argument_type(field.present());
            parameters.push(if field.optional {
                format!("{}: {kind} | None = None", field.name)
            } else {
                format!("{}: {kind}", field.name)
            });
        }
        let (mut answer, read) = self.answer(call);
        if let (true, Some(name)) = (hides_list, answer.strip_prefix("list[").and_then(|rest| rest.strip_suffix(']'))) {
            answer = format!("{name}List");
        }
        let head = format!("{indent}def {}(", call.verb());
        let end = format!(") -> Request[{answer}]:");
        let line = format!("{head}{}{end}", parameters.join(", "));
        if line.len() <= WIDTH {
            writeln!(body, "{line}").unwrap();
        } else {
            let parameters: String = parameters.iter().map(|one| format!("{indent}    {one},\n")).collect();
            writeln!(body, "{head}\n{parameters}{indent}{end}").unwrap();
        }
        let inner = format!("{indent}    ");
        let mut arguments = Vec::new();
        for field in call.arguments.iter().filter(|field| !field.about.is_empty()) {
            arguments.push(format!("{}: {}", field.name, field.about));
        }
        let mut sections = Vec::new();
        if !arguments.is_empty() {
            sections.push(("Args:", arguments));
        }
        if !call.fails.is_empty() {
            sections.push(("Raises:", vec![format!("MustError: {}.", call.fails)]));
        }
        docstring(&mut body, &inner, call.about, &sections);
        let members: Vec<String> =
            call.arguments.iter().map(|field| format!("\"{}\": {}", field.name, written(field))).collect();
        let dictionary = if members.is_empty() { String::new() } else { format!(", {{{}}}", members.join(", ")) };
        let line = format!("{inner}return Request(\"{}\", {read}{dictionary})", call.name);
        if line.len() <= WIDTH {
            writeln!(body, "{line}").unwrap();
        } else {
            let members: String = members.iter().map(|one| format!("{inner}        {one},\n")).collect();
            writeln!(
                body,
                "{inner}return Request(\n{inner}    \"{}\",\n{inner}    {read},\n{inner}    {{\n{members}{inner}    }},\n{inner})",
                call.name
            )
            .unwrap();
        }
        body
    }

    /// Returns the type of an argument.
    fn argument_type(&self, kind: &Kind) -> String {
        match kind {
            Kind::Path => "str | os.PathLike[str]".to_owned(),
            Kind::MomentOrMilliseconds => "datetime | int | str".to_owned(),
            Kind::List(inner) => format!("Iterable[{}]", self.argument_type(inner)),
            Kind::Map(inner) => format!("Mapping[str, {}]", self.argument_type(inner)),
            kind => plain(kind),
        }
    }
}

/// Joins the blocks of a module after its imports. There are two empty lines before and after a class or a function, otherwise one.
pub(super) fn joined(blocks: &[String]) -> String {
    let stands_alone = |block: &str| ["class ", "@", "def "].iter().any(|word| block.starts_with(word));
    let mut body = String::new();
    let mut after_one = false;
    for block in blocks {
        if stands_alone(block) || after_one {
            body.push('\n');
        }
        after_one = stands_alone(block);
        write!(body, "{}\n\n", block.trim_end()).unwrap();
    }
    body
}

/// Returns an import line with those of the names that the code uses.
pub(super) fn import(code: &str, module: &str, names: &[&str]) -> String {
    let used: Vec<&str> = names.iter().copied().filter(|name| super::has_word(code, name)).collect();
    if used.is_empty() { String::new() } else { format!("from {module} import {}\n", used.join(", ")) }
}

/// Returns Python code without its docstrings, which may contain the same words.
pub(super) fn code(body: &str) -> String {
    body.split("\"\"\"").step_by(2).collect()
}

pub(super) fn is_class(name: &str) -> bool {
    CLASSES.contains(&name)
}

fn more(name: &str) -> &'static str {
    methods::PYTHON.iter().find(|(known, _)| *known == name).map_or("", |(_, more)| more)
}

pub(super) fn enumeration_block(enumeration: &Enumeration) -> String {
    let mut text = String::new();
    if is_class(&enumeration.name) {
        writeln!(text, "class {}(StrEnum):", enumeration.name).unwrap();
        docstring(&mut text, "    ", &enumeration.about, &[]);
        text.push('\n');
        for (name, about) in &enumeration.values {
            writeln!(text, "    {} = \"{name}\"", name.to_uppercase()).unwrap();
            docstring(&mut text, "    ", about, &[]);
        }
        text.push_str(more(&enumeration.name));
        return text;
    }
    let values: Vec<String> = enumeration.values.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let line = format!("{}: TypeAlias = Literal[{}]", enumeration.name, values.join(", "));
    if line.len() <= WIDTH {
        writeln!(text, "{line}").unwrap();
    } else {
        writeln!(text, "{}: TypeAlias = Literal[\n    {},\n]", enumeration.name, values.join(",\n    ")).unwrap();
    }
    let meanings = enumeration.values.iter().map(|(name, about)| format!("- `{name}`: {about}")).collect();
    docstring(&mut text, "", &enumeration.about, &[("", meanings)]);
    text
}

/// Returns the expression that converts an argument for the core.
fn written(field: &Field) -> String {
    let name = &field.name;
    match field.present() {
        Kind::Path => format!("absolute({name})"),
        Kind::MomentOrMilliseconds => format!("moment({name})"),
        Kind::List(_) => format!("list({name})"),
        Kind::Map(_) if field.optional => format!("None if {name} is None else dict({name})"),
        Kind::Map(_) => format!("dict({name})"),
        Kind::Named(record) if record == "Caller" => format!("given({name})"),
        Kind::Named(record) if record == "RequestFacts" => format!("{name}.to_native()"),
        _ => name.clone(),
    }
}

/// Returns the type of a member of a dictionary that the caller gives.
pub(super) fn given(all: &Calls, kind: &Kind) -> String {
    match kind {
        Kind::Path => "str | PathLike[str]".to_owned(),
        Kind::List(inner) => format!("Sequence[{}]", given(all, inner)),
        Kind::Maybe(inner) => format!("{} | None", given(all, inner)),
        // Either a member of the class or its text.
        Kind::Named(name) if is_class(name) => format!("{name} | {}", literal(all, name)),
        kind => plain(kind),
    }
}

/// Returns the type of the texts of an enumeration.
fn literal(all: &Calls, name: &str) -> String {
    let values: Vec<String> =
        all.enumeration(name).unwrap().values.iter().map(|(value, _)| format!("\"{value}\"")).collect();
    format!("Literal[{}]", values.join(", "))
}

pub(super) fn plain(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "str",
        Kind::Path => "Path",
        Kind::Moment => "datetime",
        Kind::Flag => "bool",
        Kind::Whole { .. } => "int",
        Kind::Number | Kind::Seconds => "float",
        Kind::Any => "Any",
        Kind::TextOrNumber => "str | float",
        Kind::Named(name) => name,
        other => panic!("no {other:?} in Python"),
    }
    .to_owned()
}

/// Writes a docstring: a paragraph, then sections with a title and indented items.
pub(super) fn docstring(text: &mut String, indent: &str, paragraph: &str, sections: &[(&str, Vec<String>)]) {
    if sections.is_empty() && indent.len() + paragraph.chars().count() + 6 <= WIDTH {
        writeln!(text, "{indent}\"\"\"{paragraph}\"\"\"").unwrap();
        return;
    }
    let width = WIDTH - indent.len();
    let mut lines = wrapped(paragraph, width - 3);
    for (title, items) in sections {
        lines.push(String::new());
        let (under, further) = if title.is_empty() { ("", "  ") } else { ("    ", "        ") };
        if !title.is_empty() {
            lines.push((*title).to_owned());
        }
        for item in items {
            for (index, line) in wrapped(item, width - further.len()).into_iter().enumerate() {
                lines.push(format!("{}{line}", if index == 0 { under } else { further }));
            }
        }
    }
    for (index, line) in lines.iter().enumerate() {
        let quotes = if index == 0 { "\"\"\"" } else { "" };
        let line = format!("{indent}{quotes}{line}");
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    writeln!(text, "{indent}\"\"\"").unwrap();
}
