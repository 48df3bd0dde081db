//! Generates the typed layer of Node: one file for each group of calls, in `bindings-node/src/generated`.

use super::types::{Call, Calls, Definition, Enumeration, Field, Kind, Record};
use super::{GROUPS, Group, check, taken, wrapped};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Members whose type is more exact than the schema says.
const EXACT: &[(&str, &str, &str)] = &[("TaskFailure", "code", "ErrorCode")];

/// Calls that take their arguments after the first `first` ones as one object. `kind` is the name of its type, `word` its name in
/// messages, and `keeps_names` tells whether its members keep the names of the call.
const ARGUMENT_OBJECTS: &[(&str, ArgumentObject)] = &[
    ("accounts.add", ArgumentObject { kind: "NewAccount", word: "account", first: 1, keeps_names: false }),
    ("accounts.update", ArgumentObject { kind: "AccountChange", word: "change", first: 1, keeps_names: false }),
    (
        "secrets.put_provider_token",
        ArgumentObject { kind: "ProviderToken", word: "token", first: 1, keeps_names: false },
    ),
    ("audit.append", ArgumentObject { kind: "NewAuditEvent", word: "event", first: 0, keeps_names: true }),
    ("audit.list", ArgumentObject { kind: "AuditQuery", word: "query", first: 0, keeps_names: true }),
];

struct ArgumentObject {
    kind: &'static str,
    word: &'static str,
    first: usize,
    keeps_names: bool,
}

#[test]
fn the_layer_of_node_is_the_committed_one() {
    let all = Calls::of_host();
    for group in GROUPS {
        check(&format!("bindings-node/src/generated/{}.ts", group.file), &file(&all, group));
    }
}

fn file(all: &Calls, group: &Group) -> String {
    let taken = taken(all);
    let mut body = String::new();
    for definition in group.definitions(all) {
        match definition {
            Definition::Record(record) => self::record(&mut body, record, taken.contains(&record.name), &taken),
            Definition::Enumeration(enumeration) => self::enumeration(&mut body, enumeration),
        }
    }
    for subject in group.subjects {
        let calls: Vec<&Call> = all.calls.iter().filter(|call| call.subject() == *subject).collect();
        for call in &calls {
            object_type(&mut body, call);
        }
        if subject.is_empty() {
            for call in &calls {
                method(&mut body, all, call, true);
            }
            continue;
        }
        let (class, about) = super::class(subject);
        write!(body, "/** {about} */\nexport class {class} {{\n  readonly #calls: Calls;\n\n  /** @internal */\n  constructor(calls: Calls) {{\n    this.#calls = calls;\n  }}\n").unwrap();
        for call in &calls {
            body.push('\n');
            method(&mut body, all, call, false);
        }
        body.push_str("}\n\n");
    }
    format!(
        "// Made from {} by `cargo xtask regen`. Do not edit.\n\n// {}\n\n{}{}\n",
        group.source(),
        group.about,
        imports(all, group, &body),
        body.trim_end()
    )
}

/// Returns the imports of a file.
fn imports(all: &Calls, group: &Group, body: &str) -> String {
    // Comments may contain the same words.
    let code: String = body.lines().filter(|line| !line.trim_start().starts_with(['/', '*'])).collect();
    let uses = |word: &str| super::has_word(&code, word);
    let mut text = String::new();
    let mut line = |names: &[&str], from: &str| {
        let (kinds, values): (Vec<&str>, Vec<&str>) =
            names.iter().copied().filter(|name| uses(name)).partition(|name| name.starts_with(char::is_uppercase));
        for (word, names) in [("import", values), ("import type", kinds)] {
            if !names.is_empty() {
                writeln!(text, "{word} {{ {} }} from \"{from}\";", names.join(", ")).unwrap();
            }
        }
    };
    line(
        &["invoke", "objectOf", "optionalText", "optionsOf", "seconds", "veiled", "CallerOptions"],
        "../administration",
    );
    line(&["Calls"], "../calls");
    line(&["ErrorCode"], "./codes");
    line(&["pathArgument", "textArgument"], "../request");
    for other in GROUPS.iter().filter(|other| other.file != group.file) {
        let mut names: Vec<&str> = other.definitions(all).map(Definition::name).collect();
        names.sort_unstable();
        line(&names, &format!("./{}", other.file));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

pub(super) fn enumeration(text: &mut String, enumeration: &Enumeration) {
    let values: Vec<String> = enumeration.values.iter().map(|(name, _)| format!("{name:?}")).collect();
    let meanings = enumeration.values.iter().filter(|(_, about)| !about.is_empty());
    let meanings: Vec<String> = meanings.map(|(name, about)| format!("- `{name}`: {about}")).collect();
    comment(text, "", &[vec![enumeration.about.clone()], meanings].concat());
    writeln!(text, "export type {} = {};\n", enumeration.name, values.join(" | ")).unwrap();
}

fn record(text: &mut String, record: &Record, is_taken: bool, taken: &BTreeSet<String>) {
    comment(text, "", std::slice::from_ref(&record.about));
    let extends = record.extends.map_or(String::new(), |base| format!(" extends {base}"));
    writeln!(text, "export interface {}{extends} {{", record.name).unwrap();
    for field in &record.fields {
        comment(text, "  ", std::slice::from_ref(&field.about));
        let hidden = if field.kind == Kind::Secret && !is_taken { "readonly " } else { "" };
        if let Some((.., kind)) = EXACT.iter().find(|(of, member, _)| (*of, *member) == (&record.name, &field.name)) {
            writeln!(text, "  {}: {kind};", field.name).unwrap();
            continue;
        }
        match &field.kind {
            _ if is_taken && field.optional => {
                writeln!(text, "  {}?: {} | undefined;", field.name, ty(field.present()))
            }
            // A member that may be missing in an answer is missing or has a value.
            _ if field.optional => writeln!(text, "  {}?: {};", field.name, ty(field.present())),
            // Members that are optional in arguments are always present in answers.
            Kind::Named(name) if taken.contains(name) && !is_taken => {
                writeln!(text, "  {}: Required<{name}>;", field.name)
            }
            kind => writeln!(text, "  {hidden}{}: {};", field.name, ty(kind)),
        }
        .unwrap();
    }
    text.push_str("}\n\n");
}

/// Writes the type of the object that has the optional arguments of a call, or those of [`ARGUMENT_OBJECTS`].
fn object_type(text: &mut String, call: &Call) {
    let Some((name, about, fields, keeps_names)) = object_of_call(call) else { return };
    if name == "CallerOptions" {
        return;
    }
    comment(text, "", &[about]);
    let extends = if listed_object(call).is_none() { " extends CallerOptions" } else { "" };
    writeln!(text, "export interface {name}{extends} {{").unwrap();
    for field in fields {
        comment(text, "  ", std::slice::from_ref(&field.about));
        let member = if keeps_names { field.name.clone() } else { member(field) };
        match field.optional {
            true => writeln!(text, "  {member}?: {} | undefined;", ty(field.present())).unwrap(),
            false => writeln!(text, "  {member}: {};", ty(&field.kind)).unwrap(),
        }
    }
    text.push_str("}\n\n");
}

fn listed_object(call: &Call) -> Option<&'static ArgumentObject> {
    ARGUMENT_OBJECTS.iter().find(|(name, _)| *name == call.name).map(|(_, listed)| listed)
}

/// Returns the name, description and members of the object with a call's last arguments, or `None` if the call takes no such object.
fn object_of_call(call: &Call) -> Option<(String, String, Vec<&Field>, bool)> {
    let own: Vec<&Field> = call.arguments.iter().filter(|field| field.name != "caller").collect();
    if let Some(listed) = listed_object(call) {
        let fields = own[listed.first..].to_vec();
        return Some((listed.kind.to_owned(), call.arguments_about.clone(), fields, listed.keeps_names));
    }
    let optional: Vec<&Field> = own.into_iter().filter(|field| field.optional).collect();
    if !optional.is_empty() {
        let about = format!("How to make the call `{}`.", call.name);
        return Some((format!("{}Options", call.arguments_name), about, optional, false));
    }
    let takes_caller = call.arguments.iter().any(|field| field.name == "caller");
    takes_caller.then(|| ("CallerOptions".to_owned(), String::new(), Vec::new(), false))
}

fn method(text: &mut String, all: &Calls, call: &Call, is_function: bool) {
    let takes_caller = call.arguments.iter().any(|field| field.name == "caller");
    let listed = listed_object(call);
    let own: Vec<&Field> = call.arguments.iter().filter(|field| field.name != "caller").collect();
    let apart: Vec<&Field> = match listed {
        Some(listed) => own[..listed.first].to_vec(),
        None => own.iter().copied().filter(|field| !field.optional).collect(),
    };
    let mut parameters: Vec<String> =
        apart.iter().map(|field| format!("{}: {}", member(field), given_type(&field.kind))).collect();
    let mut given: Vec<String> = apart.iter().map(|field| entry(field, &member(field))).collect();
    let mut lines = Vec::new();
    let options = object_of_call(call);
    if let (Some((kind, _, fields, keeps_names)), Some(listed)) = (&options, listed) {
        let default = if listed.first == 0 && fields.iter().all(|field| field.optional) { " = {}" } else { "" };
        parameters.push(format!("{}: {kind}{default}", listed.word));
        if *keeps_names {
            given.push(format!("...objectOf(\"the {}\", {})", listed.word, listed.word));
        } else {
            let names: Vec<String> = fields.iter().map(|field| member(field)).collect();
            lines.push(format!("const {{ {} }} = optionsOf({});", names.join(", "), listed.word));
            given.extend(fields.iter().map(|field| entry(field, &member(field))));
        }
    }
    if takes_caller {
        let optional =
            if listed.is_some() { &[][..] } else { options.as_ref().map_or(&[][..], |(_, _, fields, _)| fields) };
        let kind = if listed.is_some() { "CallerOptions" } else { options.as_ref().map_or("", |(name, ..)| name) };
        parameters.push(format!("options?: {kind}"));
        let names: Vec<String> = optional.iter().map(|field| member(field)).chain(["caller".to_owned()]).collect();
        lines.push(format!("const {{ {} }} = optionsOf(options);", names.join(", ")));
        given.extend(optional.iter().map(|field| entry(field, &member(field))));
        given.push("caller".to_owned());
    }
    let indent = if is_function { "" } else { "  " };
    let mut about = vec![call.about.to_owned()];
    about.extend(
        apart
            .iter()
            .filter(|field| !field.about.is_empty())
            .map(|field| format!("@param {} {}", member(field), field.about)),
    );
    if !call.fails.is_empty() {
        about.push(format!("@throws MustError {}.", call.fails));
    }
    comment(text, indent, &about);
    let answer = if call.answer == Kind::Nothing { "void".to_owned() } else { ty(&call.answer) };
    let (keyword, calls) = if is_function {
        parameters.insert(0, "calls: Calls".to_owned());
        ("export async function ", "calls")
    } else {
        ("async ", "this.#calls")
    };
    let name = camel(call.verb());
    writeln!(text, "{indent}{keyword}{name}({}): Promise<{answer}> {{", parameters.join(", ")).unwrap();
    let object = if given.is_empty() { String::new() } else { format!("{{ {} }}", given.join(", ")) };
    let mut invoked = format!("{calls}, \"{}\"", call.name);
    if object.len() + invoked.len() > 90 {
        if object.len() > 110 {
            let members: String = given.iter().map(|member| format!("{indent}    {member},\n")).collect();
            lines.push(format!("const given = {{\n{members}{indent}  }};"));
        } else {
            lines.push(format!("const given = {object};"));
        }
        invoked.push_str(", given");
    } else if !object.is_empty() {
        write!(invoked, ", {object}").unwrap();
    }
    lines.push(match (&call.answer, secret_of(all, &call.answer)) {
        (Kind::Nothing, _) => format!("await invoke({invoked});"),
        (_, Some(secret)) => format!("return veiled(await invoke<{answer}>({invoked}), \"{secret}\");"),
        _ => format!("return invoke({invoked});"),
    });
    for line in lines {
        writeln!(text, "{indent}  {line}").unwrap();
    }
    writeln!(text, "{indent}}}").unwrap();
}

/// Returns the name of an answer's member that is a secret.
fn secret_of(all: &Calls, answer: &Kind) -> Option<String> {
    let Kind::Named(name) = answer else { return None };
    let record = all.records().find(|record| record.name == *name)?;
    record.fields.iter().find(|field| field.kind == Kind::Secret).map(|field| field.name.clone())
}

/// Returns a member of the object that the core reads, with a check for values that JSON cannot represent.
fn entry(field: &Field, local: &str) -> String {
    let check = match (field.present(), field.optional) {
        (Kind::Text | Kind::Secret, false) => Some("textArgument"),
        (Kind::Text | Kind::Secret, true) => Some("optionalText"),
        (Kind::Path, _) => Some("pathArgument"),
        (Kind::Seconds, _) => Some("seconds"),
        _ => None,
    };
    match check {
        Some(check) => format!("{}: {check}(\"{local}\", {local})", field.name),
        None if field.name == local => local.to_owned(),
        None => format!("{}: {local}", field.name),
    }
}

/// Returns the name of an argument in camelCase.
fn member(field: &Field) -> String {
    camel(&field.name)
}

fn given_type(kind: &Kind) -> String {
    if *kind == Kind::Path { "string | URL".to_owned() } else { ty(kind) }
}

pub(super) fn ty(kind: &Kind) -> String {
    match kind {
        Kind::Nothing => "null".to_owned(),
        Kind::Text | Kind::Secret | Kind::Path | Kind::Moment => "string".to_owned(),
        Kind::MomentOrMilliseconds => "string | number".to_owned(),
        Kind::Flag => "boolean".to_owned(),
        Kind::Whole { .. } | Kind::Number | Kind::Seconds => "number".to_owned(),
        Kind::Any => "unknown".to_owned(),
        Kind::TextOrNumber => "string | number".to_owned(),
        Kind::List(kind) if matches!(**kind, Kind::TextOrNumber) => format!("({})[]", ty(kind)),
        Kind::List(kind) => format!("{}[]", ty(kind)),
        Kind::Map(kind) => format!("Record<string, {}>", ty(kind)),
        Kind::Maybe(kind) => format!("{} | null", ty(kind)),
        Kind::Named(name) => name.clone(),
    }
}

pub(super) fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

pub(super) fn comment(text: &mut String, indent: &str, paragraphs: &[String]) {
    let paragraphs: Vec<&String> = paragraphs.iter().filter(|paragraph| !paragraph.is_empty()).collect();
    match paragraphs.as_slice() {
        [] => {}
        [one] if one.len() + indent.len() < 126 => writeln!(text, "{indent}/** {one} */").unwrap(),
        several => {
            writeln!(text, "{indent}/**").unwrap();
            for line in several.iter().flat_map(|paragraph| wrapped(paragraph, 130)) {
                writeln!(text, "{indent} * {line}").unwrap();
            }
            writeln!(text, "{indent} */").unwrap();
        }
    }
}
