//! Descriptions of the calls, the settings, the request and their types, made from the schemas of the Rust types. The generators read
//! them.

use super::{EXTENSIONS, GROUPS, Group, RENAMED_TYPES};
use crate::json::without_examples;
use crate::platform::calls::{CALLS, Entry, Reach};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The kind of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only null: the answer of a call that returns nothing.
    Nothing,
    Text,
    /// A text that must stay secret.
    Secret,
    /// The path of a file or folder.
    Path,
    /// A time in RFC 3339 form, in UTC.
    Moment,
    /// A time in RFC 3339 form, or milliseconds since 1970.
    MomentOrMilliseconds,
    Flag,
    Whole {
        signed: bool,
        bits: u8,
    },
    Number,
    /// A duration.
    Seconds,
    /// Any JSON.
    Any,
    /// A text or a number.
    TextOrNumber,
    List(Box<Self>),
    /// Values by name.
    Map(Box<Self>),
    /// A value of the inner kind, or null.
    Maybe(Box<Self>),
    /// A record or an enumeration of that name.
    Named(String),
}

/// One member of a record, or one argument of a call.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) kind: Kind,
    /// Whether the caller may omit it.
    pub(super) optional: bool,
    /// The default value. Null if there is none.
    pub(super) default: Value,
}

impl Field {
    /// Returns the kind of the value when it is not null.
    pub(super) fn present(&self) -> &Kind {
        match &self.kind {
            Kind::Maybe(kind) => kind,
            kind => kind,
        }
    }
}

/// An object with known members.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) about: String,
    /// The record that has further members of this one.
    pub(super) extends: Option<&'static str>,
    /// The members, without those of `extends`.
    pub(super) fields: Vec<Field>,
}

/// A text with a fixed set of values. Each value has a description.
#[derive(Debug, Clone)]
pub(super) struct Enumeration {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) values: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(super) enum Definition {
    Record(Record),
    Enumeration(Enumeration),
}

impl Definition {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Record(record) => &record.name,
            Self::Enumeration(enumeration) => &enumeration.name,
        }
    }
}

/// One call.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) fails: &'static str,
    /// The arguments, including the caller if the call takes one.
    pub(super) arguments: Vec<Field>,
    /// The name of the arguments' type in Rust, and its doc comment.
    pub(super) arguments_name: String,
    pub(super) arguments_about: String,
    pub(super) answer: Kind,
    pub(super) for_host: bool,
    pub(super) for_outside: bool,
    pub(super) names_folder: bool,
}

impl Call {
    /// Returns what the call does and its errors.
    pub(super) fn described(&self) -> String {
        if self.fails.is_empty() {
            return self.about.to_owned();
        }
        format!("{} Fails with {}.", self.about, self.fails)
    }

    /// Returns `auth` for `auth.issue_key`, and an empty text for `backup`.
    pub(super) fn subject(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(subject, _)| subject)
    }

    /// Returns `issue_key` for `auth.issue_key`.
    pub(super) fn verb(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, verb)| verb)
    }
}

/// A type that no call of the host uses.
pub(super) struct Root {
    schema: fn(&mut SchemaGenerator) -> Schema,
    is_argument: bool,
}

impl Root {
    pub(super) const fn answer<T: JsonSchema>() -> Self {
        Self { schema: SchemaGenerator::subschema_for::<T>, is_argument: false }
    }

    pub(super) const fn argument<T: JsonSchema>() -> Self {
        Self { schema: SchemaGenerator::subschema_for::<T>, is_argument: true }
    }
}

/// A type that no call of the host uses, as the generators need it.
pub(super) struct Rooted {
    /// The file of its group.
    pub(super) file: &'static str,
    pub(super) kind: Kind,
    /// Whether the caller gives it.
    pub(super) is_argument: bool,
}

/// The calls, and every type that they use. A type comes after those that it is made of.
pub(super) struct Calls {
    pub(super) calls: Vec<Call>,
    pub(super) roots: Vec<Rooted>,
    pub(super) definitions: Vec<Definition>,
    /// The names of these types, and of the types that are being read.
    begun: BTreeSet<String>,
}

impl Calls {
    /// Returns all calls, for the documentation.
    pub(super) fn all() -> Self {
        Self::of(|_| true, &[])
    }

    /// Returns what the typed layers of the languages have: the calls of the host, and the types outside calls.
    pub(super) fn of_host() -> Self {
        let mut all = Self::of(|call| call.for_host, GROUPS);
        for definition in &mut all.definitions {
            match definition {
                Definition::Record(record) => {
                    rename(&mut record.name);
                    record.fields.iter_mut().for_each(|field| rename_in(&mut field.kind));
                }
                Definition::Enumeration(enumeration) => rename(&mut enumeration.name),
            }
        }
        all.roots.iter_mut().for_each(|root| rename_in(&mut root.kind));
        EXTENSIONS.iter().for_each(|(name, base)| all.extend(name, base));
        all
    }

    /// Makes the record `name` extend the record `base`, which then comes first. It must have all members of `base`.
    fn extend(&mut self, name: &str, base: &'static str) {
        let position = |all: &Self, name: &str| all.definitions.iter().position(|known| known.name() == name).unwrap();
        let extended = position(self, name);
        let Definition::Record(mut record) = self.definitions.remove(extended) else { panic!("{name} is no record") };
        let based = position(self, base);
        let Definition::Record(parent) = &self.definitions[based] else { panic!("{base} is no record") };
        for member in &parent.fields {
            let same = record.fields.iter().position(|own| (&own.name, &own.kind) == (&member.name, &member.kind));
            record.fields.remove(same.unwrap_or_else(|| panic!("{name} does not have {base}'s {}", member.name)));
        }
        record.extends = Some(base);
        self.definitions.insert(based + 1, Definition::Record(record));
    }

    fn of(chosen: impl Fn(&Call) -> bool, groups: &'static [Group]) -> Self {
        let settings = SchemaSettings::draft2020_12();
        // The schema for reading tells which members are optional. The schema for writing lists all members as required, in the order
        // of the Rust type, so the order is taken from it.
        let mut reading = settings.clone().for_deserialize().into_generator();
        let mut writing = settings.for_serialize().into_generator();
        let calls = CALLS.iter().map(|entry| call(entry, &mut reading, &mut writing)).filter(chosen).collect();
        let roots = groups.iter().flat_map(|group| group.roots.iter().map(|root| (group.file, root)));
        let roots = roots.map(|(file, &Root { schema, is_argument })| {
            schema(&mut reading);
            Rooted { file, kind: kind(schema(&mut writing).as_value()), is_argument }
        });
        let roots = roots.collect();
        let (reading, writing) = (reading.take_definitions(false), writing.take_definitions(false));
        let mut all = Self { calls, roots, definitions: Vec::new(), begun: BTreeSet::new() };
        let mentioned =
            all.calls.iter().flat_map(|call| call.arguments.iter().map(|field| &field.kind).chain([&call.answer]));
        let mentioned: Vec<Kind> = all.roots.iter().map(|root| &root.kind).chain(mentioned).cloned().collect();
        let mut taken = BTreeSet::new();
        for call in &all.calls {
            call.arguments.iter().for_each(|field| mention(&field.kind, &reading, &mut taken));
        }
        all.roots.iter().filter(|root| root.is_argument).for_each(|root| mention(&root.kind, &reading, &mut taken));
        for kind in &mentioned {
            all.define(kind, &reading, &writing, &taken);
        }
        all
    }

    /// Returns a type that no call uses, and the types that it is made of.
    pub(super) fn of_type<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12();
        let mut reading = settings.clone().for_deserialize().into_generator();
        let mut writing = settings.for_serialize().into_generator();
        let all = kind(reading.subschema_for::<T>().as_value());
        writing.subschema_for::<T>();
        let (reading, writing) = (reading.take_definitions(false), writing.take_definitions(false));
        let mut taken = BTreeSet::new();
        mention(&all, &reading, &mut taken);
        let mut made = Self { calls: Vec::new(), roots: Vec::new(), definitions: Vec::new(), begun: BTreeSet::new() };
        made.define(&all, &reading, &writing, &taken);
        made
    }

    fn define(
        &mut self,
        kind: &Kind,
        reading: &Map<String, Value>,
        writing: &Map<String, Value>,
        taken: &BTreeSet<String>,
    ) {
        let Some(name) = name_in(kind) else { return };
        // A type may contain itself at some depth.
        if !self.begun.insert(name.to_owned()) {
            return;
        }
        let written = writing.get(name).unwrap_or_else(|| panic!("there is no schema of {name}"));
        let definition = match values(written) {
            Some(values) => {
                Definition::Enumeration(Enumeration { name: name.to_owned(), about: about(written), values })
            }
            None => {
                // Members that are optional in arguments are always present in answers.
                let mut fields = fields(if taken.contains(name) { &reading[name] } else { written }, written);
                // The hash of an event covers its time as this text, so the text is kept unchanged.
                for field in fields.iter_mut().filter(|field| name == "AuditEvent" && field.kind == Kind::Moment) {
                    field.kind = Kind::Text;
                }
                for field in &fields {
                    self.define(&field.kind, reading, writing, taken);
                }
                Definition::Record(Record { name: name.to_owned(), about: about(written), extends: None, fields })
            }
        };
        self.definitions.push(definition);
    }

    /// Returns the enumeration of that name. `None` if the name is a record's.
    pub(super) fn enumeration(&self, name: &str) -> Option<&Enumeration> {
        self.definitions.iter().find_map(|definition| match definition {
            Definition::Enumeration(enumeration) if enumeration.name == name => Some(enumeration),
            _ => None,
        })
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.definitions.iter().filter_map(|definition| match definition {
            Definition::Record(record) => Some(record),
            Definition::Enumeration(_) => None,
        })
    }
}

fn rename(name: &mut String) {
    if let Some((_, other)) = RENAMED_TYPES.iter().find(|(known, _)| known == name) {
        (*other).clone_into(name);
    }
}

fn rename_in(kind: &mut Kind) {
    match kind {
        Kind::List(inner) | Kind::Map(inner) | Kind::Maybe(inner) => rename_in(inner),
        Kind::Named(name) => rename(name),
        _ => {}
    }
}

/// Returns the name of the type that a value contains.
pub(super) fn name_in(kind: &Kind) -> Option<&str> {
    match kind {
        Kind::List(inner) | Kind::Map(inner) | Kind::Maybe(inner) => name_in(inner),
        Kind::Named(name) => Some(name),
        _ => None,
    }
}

/// Adds the names of the types that a value contains at any depth.
fn mention(kind: &Kind, schemas: &Map<String, Value>, names: &mut BTreeSet<String>) {
    let Some(name) = name_in(kind) else { return };
    if names.insert(name.to_owned()) {
        fields(&schemas[name], &schemas[name]).iter().for_each(|field| mention(&field.kind, schemas, names));
    }
}

fn call(entry: &'static Entry, reading: &mut SchemaGenerator, writing: &mut SchemaGenerator) -> Call {
    let (read, written) = ((entry.arguments)(reading), (entry.arguments)(writing));
    // The types of an answer are added to both generators, so that each has all definitions.
    (entry.answer)(reading);
    let answer = kind((entry.answer)(writing).as_value());
    let arguments = fields(read.as_value(), written.as_value());
    let takes_caller = arguments.iter().any(|field| field.name == "caller");
    assert_eq!(takes_caller, entry.takes_caller, "{}", entry.name);
    Call {
        name: entry.name,
        about: entry.about,
        fails: entry.fails,
        arguments,
        arguments_name: (entry.arguments_name)().into_owned(),
        arguments_about: about(written.as_value()),
        answer,
        for_host: entry.reach != Reach::Outside,
        for_outside: entry.reach != Reach::Host,
        names_folder: entry.names_folder,
    }
}

/// Returns the members of an object in the order of the Rust type.
fn fields(reading: &Value, writing: &Value) -> Vec<Field> {
    let names = |schema: &Value| -> Vec<String> {
        let names = schema["required"].as_array().into_iter().flatten();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let (needed, mut order) = (names(reading), names(writing));
    // Members that may be missing in an answer come last.
    let properties = writing["properties"].as_object().into_iter().flatten();
    let lacking: Vec<String> = properties.map(|(name, _)| name).filter(|name| !order.contains(name)).cloned().collect();
    order.extend(lacking);
    let member = |name: String| {
        let schema = &reading["properties"][&name];
        let optional = !needed.contains(&name);
        Field { about: about(schema), kind: kind(schema), optional, default: schema["default"].clone(), name }
    };
    order.into_iter().map(member).collect()
}

/// Returns the first paragraph of a comment. Further paragraphs are for hosts in Rust.
fn about(schema: &Value) -> String {
    let comment = without_examples(schema["description"].as_str().unwrap_or_default());
    comment.split("\n\n").next().unwrap_or_default().replace('\n', " ")
}

/// Returns the values of an enumeration, or `None` for any other schema.
fn values(schema: &Value) -> Option<Vec<(String, String)>> {
    if let Some(names) = schema["enum"].as_array() {
        return names.iter().map(|name| Some((name.as_str()?.to_owned(), String::new()))).collect();
    }
    let value = |one: &Value| Some((one["const"].as_str()?.to_owned(), about(one)));
    schema["oneOf"].as_array()?.iter().map(value).collect()
}

fn kind(schema: &Value) -> Kind {
    if let Some(reference) = schema["$ref"].as_str() {
        return Kind::Named(reference.rsplit('/').next().unwrap().to_owned());
    }
    if let Some(alternatives) = schema["anyOf"].as_array() {
        let (nulls, others): (Vec<&Value>, Vec<&Value>) =
            alternatives.iter().partition(|alternative| alternative["type"] == "null");
        let inner = match others.as_slice() {
            [one] => kind(one),
            [text, whole] if text["format"] == "date-time" && whole["type"] == "integer" => Kind::MomentOrMilliseconds,
            _ => panic!("no generator knows {schema}"),
        };
        return if nulls.is_empty() { inner } else { Kind::Maybe(Box::new(inner)) };
    }
    if schema["type"] == json!(["string", "number"]) {
        return Kind::TextOrNumber;
    }
    if schema["type"] == json!(["string", "number", "null"]) {
        return Kind::Maybe(Box::new(Kind::TextOrNumber));
    }
    if let Some([Value::String(kind_name), Value::String(null)]) = schema["type"].as_array().map(Vec::as_slice)
        && null == "null"
    {
        let mut present = schema.clone();
        present["type"] = Value::from(kind_name.as_str());
        return Kind::Maybe(Box::new(kind(&present)));
    }
    let format = schema["format"].as_str().unwrap_or_default();
    match schema["type"].as_str() {
        Some("null") => Kind::Nothing,
        Some("boolean") => Kind::Flag,
        Some("string") => match format {
            "date-time" => Kind::Moment,
            "password" => Kind::Secret,
            "path" => Kind::Path,
            _ => Kind::Text,
        },
        Some("integer") => Kind::Whole {
            signed: format.starts_with("int"),
            bits: format.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(64),
        },
        Some("number") if format == "seconds" => Kind::Seconds,
        Some("number") => Kind::Number,
        Some("array") => Kind::List(Box::new(kind(&schema["items"]))),
        Some("object") => Kind::Map(Box::new(kind(&schema["additionalProperties"]))),
        _ => Kind::Any,
    }
}
