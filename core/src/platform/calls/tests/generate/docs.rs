//! Generates the list of calls and types in `docs/calls.md`, which is between two marks. The rest of the page is written by hand.

use super::check;
use super::types::{Call, Calls, Definition, Field, Kind};
use std::fmt::Write;

const BEGIN: &str = "<!-- Made from the table in core/src/platform/calls by `cargo xtask regen`. -->\n";
const END: &str = "<!-- The end of what is made. -->\n";
const PAGE: &str = "docs/calls.md";

#[test]
fn the_page_of_calls_is_the_committed_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    check(PAGE, &format!("{before}{BEGIN}{}{END}{after}", list(&Calls::all())));
}

fn list(all: &Calls) -> String {
    let mut text = String::new();
    let mut subject = None;
    for call in &all.calls {
        if subject != Some(call.subject()) {
            subject = Some(call.subject());
            let title = if call.subject().is_empty() { call.verb() } else { call.subject() };
            writeln!(text, "\n## {}{}", title[..1].to_uppercase(), &title[1..]).unwrap();
        }
        self::call(&mut text, call);
    }
    text.push_str("\n## Types\n");
    for definition in &all.definitions {
        match definition {
            Definition::Record(record) => {
                write!(text, "\n### {}\n\n{}\n", record.name, record.about).unwrap();
                fields(&mut text, "member", &record.fields);
            }
            Definition::Enumeration(enumeration) => {
                write!(text, "\n### {}\n\n{}\n\n| value | meaning |\n|---|---|\n", enumeration.name, enumeration.about)
                    .unwrap();
                for (name, about) in &enumeration.values {
                    writeln!(text, "| `{name}` | {about} |").unwrap();
                }
            }
        }
    }
    text.push('\n');
    text
}

fn call(text: &mut String, call: &Call) {
    write!(text, "\n### `{}`\n\n{}\n", call.name, call.described()).unwrap();
    if !call.arguments.is_empty() {
        fields(text, "argument", &call.arguments);
    }
    let reach = match (call.for_host, call.for_outside, call.names_folder) {
        (true, false, _) => "Only the host can make this call.",
        (true, true, false) => "Programs outside the process can also make this call.",
        (true, true, true) => "Programs outside the process can also make this call, but not over HTTP.",
        (false, ..) => "Only programs outside the process can make this call.",
    };
    writeln!(text, "\nAnswer: {}. {reach}", words(&call.answer)).unwrap();
}

fn fields(text: &mut String, title: &str, fields: &[Field]) {
    write!(text, "\n| {title} | type | meaning |\n|---|---|---|\n").unwrap();
    for field in fields {
        let (name, kind) = match &field.kind {
            // An optional argument may also be null. The question mark after its name is enough.
            Kind::Maybe(kind) if field.optional => (format!("{}?", field.name), kind.as_ref()),
            kind if field.optional => (format!("{}?", field.name), kind),
            kind => (field.name.clone(), kind),
        };
        let about = if field.name == "caller" && field.about.is_empty() {
            "Who makes the call, for the audit log."
        } else {
            &field.about
        };
        writeln!(text, "| `{name}` | {} | {about} |", words(kind)).unwrap();
    }
}

fn words(kind: &Kind) -> String {
    match kind {
        Kind::Nothing => "null".to_owned(),
        Kind::Text | Kind::Path => "text".to_owned(),
        Kind::Secret => "text, a secret".to_owned(),
        Kind::Moment => "moment".to_owned(),
        Kind::MomentOrMilliseconds => "moment or milliseconds since 1970".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Whole { .. } => "whole number".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Seconds => "seconds".to_owned(),
        Kind::Any => "any value".to_owned(),
        Kind::TextOrNumber => "text or number".to_owned(),
        Kind::List(kind) => format!("list of {}", words(kind)),
        Kind::Map(kind) => format!("object of {}", words(kind)),
        Kind::Maybe(kind) => format!("{} or null", words(kind)),
        Kind::Named(name) => format!("[{name}](#{})", name.to_lowercase()),
    }
}
