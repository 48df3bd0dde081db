//! Generates `docs/calls.md` and the typed layers of Python, Node and C++ from the table of calls, the settings, the request and its
//! options. The tests compare each committed file with the generated text. `cargo xtask regen` writes the files instead.

mod cpp;
mod docs;
mod methods;
mod node;
mod options;
mod python;
mod request;
mod types;

use crate::catalog::ModelView;
use crate::log::LogRecord;
use crate::platform::Load;
use crate::task::{TaskPage, TaskQuery};
use std::collections::BTreeSet;
use std::path::Path;
use types::{Calls, Definition, Kind, Root};

/// Calls and types that are in one file in every language.
struct Group {
    file: &'static str,
    about: &'static str,
    /// The names of its calls begin with one of these.
    subjects: &'static [&'static str],
    /// Types that are in this file, whichever call uses them first.
    types: &'static [&'static str],
    /// Types that no call of the host uses. They are in this file, with those that they are made of.
    roots: &'static [Root],
}

const GROUPS: &[Group] = &[
    Group {
        file: "tasks",
        about: "Tasks: their state, and which of them to list.",
        subjects: &[],
        types: &[],
        roots: &[Root::answer::<TaskPage>(), Root::argument::<TaskQuery>()],
    },
    Group {
        file: "models",
        about: "The models of the catalog.",
        subjects: &[],
        types: &[],
        roots: &[Root::answer::<ModelView>()],
    },
    Group {
        file: "load",
        about: "The load of a platform.",
        subjects: &[],
        types: &[],
        roots: &[Root::answer::<Load>()],
    },
    Group {
        file: "log",
        about: "The log records of a platform.",
        subjects: &[],
        types: &[],
        roots: &[Root::answer::<LogRecord>()],
    },
    Group {
        file: "facts",
        about: "Facts about a request, its sender, and the caller of an administrative call.",
        subjects: &[],
        types: &["Caller", "Route", "RequestFacts", "PrincipalKind", "Principal"],
        roots: &[],
    },
    Group {
        file: "access",
        about: "Access control: API keys, generation sessions, admin sessions.",
        subjects: &["auth", "admin"],
        types: &[],
        roots: &[],
    },
    Group {
        file: "secrets",
        about: "Secrets, which the platform stores encrypted.",
        subjects: &["secrets"],
        types: &[],
        roots: &[],
    },
    Group {
        file: "accounts",
        about: "Accounts of workers that tasks may be sent to.",
        subjects: &["accounts"],
        types: &[],
        roots: &[],
    },
    Group {
        file: "audit",
        about: "The audit log: who did what. Each event is signed and linked to all earlier ones.",
        subjects: &["audit"],
        types: &[],
        roots: &[],
    },
    Group {
        file: "backup",
        about: "A copy of the data folder that is made while the platform is running.",
        subjects: &[""],
        types: &[],
        roots: &[],
    },
];

/// Types that have another name in the languages than in Rust. In the languages a `Task` is a handle with methods, and a `Parameter`
/// is a value.
const RENAMED_TYPES: &[(&str, &str)] = &[("Task", "TaskState"), ("Parameter", "ParameterSchema")];

/// Records that extend another one: in Rust, they contain it.
const EXTENSIONS: &[(&str, &str)] = &[("ParameterItem", "ParameterSchema")];

/// Returns the name of the class for a subject's calls, and its doc comment.
fn class(subject: &str) -> (&'static str, &'static str) {
    match subject {
        "auth" => ("Auth", "API keys and generation sessions."),
        "admin" => ("Admin", "Admin sessions."),
        "secrets" => ("Secrets", "Secrets, which are encrypted at rest."),
        "accounts" => ("Accounts", "Accounts of workers. An account is named by its id or its workspace."),
        "audit" => ("Audit", "The audit log."),
        other => panic!("the calls {other}.* have no class"),
    }
}

impl Group {
    /// Returns where the types and calls of this file come from.
    fn source(&self) -> &'static str {
        if self.roots.is_empty() { "the table in core/src/platform/calls" } else { "types in core/src" }
    }

    /// Returns the types of this file. A type comes after those that it is made of.
    fn definitions<'a>(&'a self, all: &'a Calls) -> impl Iterator<Item = &'a Definition> {
        all.definitions.iter().filter(|known| self.has(all, known.name()))
    }

    fn has(&self, all: &Calls, name: &str) -> bool {
        if let Some(group) = GROUPS.iter().find(|group| group.types.contains(&name)) {
            return group.file == self.file;
        }
        if let Some(root) = all.roots.iter().find(|root| names(all, &root.kind, name)) {
            return root.file == self.file;
        }
        let first = all.calls.iter().find(|call| {
            call.arguments.iter().map(|field| &field.kind).chain([&call.answer]).any(|kind| names(all, kind, name))
        });
        first.is_some_and(|call| self.subjects.contains(&call.subject()))
    }
}

/// Whether a value contains the type of that name at any depth.
fn names(all: &Calls, kind: &Kind, name: &str) -> bool {
    let Some(known) = types::name_in(kind) else { return false };
    let record = all.records().find(|record| record.name == known);
    known == name
        || record.is_some_and(|record| {
            // A type may contain itself.
            let inner = record.fields.iter().filter(|field| types::name_in(&field.kind) != Some(known));
            inner.into_iter().any(|field| names(all, &field.kind, name))
        })
}

/// Returns the names of the records that a caller gives.
fn taken(all: &Calls) -> BTreeSet<String> {
    fn named(kind: &Kind, into: &mut BTreeSet<String>) {
        match kind {
            Kind::List(inner) | Kind::Map(inner) | Kind::Maybe(inner) => named(inner, into),
            Kind::Named(name) => drop(into.insert(name.clone())),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    all.calls.iter().flat_map(|call| &call.arguments).for_each(|field| named(&field.kind, &mut names));
    all.roots.iter().filter(|root| root.is_argument).for_each(|root| named(&root.kind, &mut names));
    names
}

/// Whether an answer contains the type of that name.
fn is_answered(all: &Calls, name: &str) -> bool {
    let roots = all.roots.iter().filter(|root| !root.is_argument).map(|root| &root.kind);
    all.calls.iter().map(|call| &call.answer).chain(roots).any(|kind| names(all, kind, name))
}

/// Whether a text contains a whole word.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|found| found == word)
}

/// Splits a text into lines of at most `width` characters. A longer word gets its own line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn check(relative: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(relative);
    if std::env::var_os("MUST_REGEN").is_some() {
        std::fs::write(&path, content).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == content, "{relative} is not what the code makes: run `cargo xtask regen`");
}
