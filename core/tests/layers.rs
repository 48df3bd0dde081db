//! Checks the layers of the library: which module may use which. The uses are read from the imports, including `pub use`.
//!
//! There is no dependency cycle between the modules of `core/src`. Inside a folder a cycle is allowed only if [`ALLOWED`]
//! lists it, with a reason. `docs/architecture.md` shows the layers in the order of [`LAYERS`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit_mut::{self, VisitMut};

/// The modules of the library, lowest first. Each may use those before it and none after it.
const LAYERS: &[&[&str]] = &[
    // Basics that every module may use.
    &["terminal", "error", "fields", "time", "thread", "log", "alarm", "runtime", "fork", "http_client"],
    // Storage and settings, and the keys that a host brings.
    &["keyring", "json", "request", "media", "store", "audit", "settings", "pace"],
    // Stored secrets and access control.
    &["metrics", "secrets", "access"],
    // Models, and tasks here and at workers.
    &["catalog", "task", "workers", "no_workers"],
    // The platform as a whole, and its interfaces to the outside.
    &["socket", "platform", "control", "http", "smoke"],
];

/// Intended cycles of files inside one folder, each with the reason.
const ALLOWED: &[(&[&str], &str)] = &[];

/// The files of the library by the path of their module, such as `task::store`.
struct Modules {
    files: BTreeMap<String, PathBuf>,
    /// Re-exports of modules: maps `(module, name)` to the module that the name comes from.
    reexports: BTreeMap<(String, String), String>,
}

/// The paths that one file names, as they are written there. `reexports` has those of `pub use`.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
    reexports: Vec<Vec<String>>,
}

impl Paths {
    fn of_tree(tree: &syn::UseTree, before: &[String], into: &mut Vec<Vec<String>>) {
        match tree {
            syn::UseTree::Path(path) => {
                let mut longer = before.to_vec();
                longer.push(path.ident.to_string());
                Self::of_tree(&path.tree, &longer, into);
            }
            syn::UseTree::Name(name) => {
                let mut whole = before.to_vec();
                if name.ident != "self" {
                    whole.push(name.ident.to_string());
                }
                into.push(whole);
            }
            syn::UseTree::Rename(name) => {
                let mut whole = before.to_vec();
                whole.push(name.ident.to_string());
                into.push(whole);
            }
            syn::UseTree::Glob(_) => into.push(before.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| Self::of_tree(item, before, into)),
        }
    }

    /// Finds paths inside a macro's arguments, which are only tokens.
    fn of_tokens(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            if matches!(*word, "crate" | "super") {
                let rest = words.get(at..).unwrap_or_default();
                let path = rest.iter().step_by(2).zip(rest.iter().skip(1).step_by(2));
                let mut whole: Vec<String> =
                    path.take_while(|(_, colons)| **colons == "::").map(|(name, _)| (*name).to_owned()).collect();
                if let Some(last) = rest.get(whole.len() * 2) {
                    whole.push((*last).to_owned());
                }
                self.found.push(whole);
            }
        }
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                let condition = list.tokens.to_string();
                condition == "test" || condition.starts_with("all (test")
            })
    })
}

impl VisitMut for Paths {
    fn visit_item_mut(&mut self, item: &mut syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => return visit_mut::visit_item_mut(self, item),
        };
        if !is_for_tests(attributes) {
            visit_mut::visit_item_mut(self, item);
        }
    }

    fn visit_impl_item_mut(&mut self, item: &mut syn::ImplItem) {
        if !matches!(item, syn::ImplItem::Fn(function) if is_for_tests(&function.attrs)) {
            visit_mut::visit_impl_item_mut(self, item);
        }
    }

    fn visit_item_use_mut(&mut self, item: &mut syn::ItemUse) {
        let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
        Self::of_tree(&item.tree, &[], if is_reexport { &mut self.reexports } else { &mut self.found });
    }

    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        self.found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_macro_mut(&mut self, invoked: &mut syn::Macro) {
        self.of_tokens(&invoked.tokens.to_string());
        visit_mut::visit_macro_mut(self, invoked);
    }
}

/// Returns the module `a::b` of the file `a/b.rs` or `a/b/mod.rs`. Returns `None` for tests and programs.
fn module_of(file: &Path) -> Option<String> {
    let mut parts: Vec<String> =
        file.with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    let outside = parts.iter().any(|part| part.contains("tests")) || parts.first().is_some_and(|part| part == "bin");
    (!outside).then(|| parts.join("::"))
}

fn files_of(folder: &Path, root: &Path, into: &mut BTreeMap<String, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, root, into);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(module) = module_of(path.strip_prefix(root).unwrap())
        {
            into.insert(if module == "lib" { String::new() } else { module }, path);
        }
    }
}

impl Modules {
    /// Returns the absolute form of a path that the file of `here` contains. Returns `None` for a path of another crate.
    fn absolute(&self, here: &str, path: &[String]) -> Option<Vec<String>> {
        let of_here = || here.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let first = path.first()?.as_str();
        match first {
            "crate" => Some(path.get(1..)?.to_vec()),
            "self" => Some([of_here(), path.get(1..)?.to_vec()].concat()),
            "super" => {
                let (mut base, mut rest) = (of_here(), path);
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = rest.get(1..)?;
                }
                Some([base, rest.to_vec()].concat())
            }
            _ => {
                let child = if here.is_empty() { first.to_owned() } else { format!("{here}::{first}") };
                self.files.contains_key(&child).then(|| [of_here(), path.to_vec()].concat())
            }
        }
    }

    /// Returns the module that a path leads to, after following re-exports.
    fn target(&self, path: &[String]) -> String {
        let mut module = String::new();
        for name in path {
            let longer = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
            if self.files.contains_key(&longer) {
                module = longer;
            } else if let Some(origin) = self.reexports.get(&(module.clone(), name.clone())) {
                module.clone_from(origin);
                break;
            } else {
                break;
            }
        }
        module
    }

    /// Returns, for each module, the modules that it uses.
    fn uses() -> BTreeMap<String, BTreeSet<String>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut modules = Self { files: BTreeMap::new(), reexports: BTreeMap::new() };
        files_of(&root, &root, &mut modules.files);
        let mut paths = BTreeMap::new();
        for (module, file) in &modules.files {
            let mut syntax = syn::parse_file(&std::fs::read_to_string(file).unwrap()).unwrap();
            let mut found = Paths::default();
            found.visit_file_mut(&mut syntax);
            paths.insert(module.clone(), found);
        }
        // A re-exported name may itself be a re-export, at most as often as the folders are deep.
        for _ in 0..4 {
            for (module, found) in &paths {
                for path in &found.reexports {
                    if let (Some(name), Some(absolute)) = (path.last(), modules.absolute(module, path)) {
                        let origin = modules.target(&absolute);
                        modules.reexports.insert((module.clone(), name.clone()), origin);
                    }
                }
            }
        }
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, found) in &paths {
            let targets = found.found.iter().chain(&found.reexports);
            let targets = targets.filter_map(|path| modules.absolute(module, path)).map(|path| modules.target(&path));
            let others = targets.filter(|target| target != module && !target.is_empty()).collect();
            uses.insert(module.clone(), others);
        }
        // The root re-exports the public names and may use every module.
        uses.remove("");
        uses
    }
}

#[test]
fn the_page_shows_these_layers() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let text = std::fs::read_to_string(page).unwrap();
    let (_, rest) = text.split_once("<!-- layers:").unwrap();
    let rows = rest.lines().skip(3).take_while(|line| line.starts_with('|'));
    let modules = |row: &str| -> Vec<String> {
        let column = row.split('|').nth(2).unwrap();
        column.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect()
    };
    let shown: Vec<Vec<String>> = rows.map(modules).collect();
    assert_eq!(shown, LAYERS.iter().map(|layer| layer.to_vec()).collect::<Vec<_>>());
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

#[test]
fn every_module_uses_only_modules_below_it() {
    let order: Vec<&str> = LAYERS.iter().copied().flatten().copied().collect();
    let place = |module: &str| order.iter().position(|known| *known == top(module));
    let mut wrong = BTreeSet::new();
    for (module, others) in Modules::uses() {
        let Some(here) = place(&module) else {
            wrong.insert(format!("{module} is in no layer"));
            continue;
        };
        for other in &others {
            if place(other).is_none_or(|there| there > here) {
                wrong.insert(format!("{module} uses {other}, which is above it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a module has others inside it. Its file declares them and has what they share, so it and they may use each other.
fn is_head(uses: &BTreeMap<String, BTreeSet<String>>, module: &str) -> bool {
    let inside = format!("{module}::");
    uses.keys().any(|other| other.starts_with(&inside))
}

/// Returns everything that `from` uses, directly or through other files of its folder.
fn reached<'a>(uses: &'a BTreeMap<String, BTreeSet<String>>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for other in uses.get(module).into_iter().flatten() {
            if top(other) == top(from) && !is_head(uses, other) && seen.insert(other.as_str()) {
                open.push(other);
            }
        }
    }
    seen
}

#[test]
fn cycles_inside_a_folder_are_those_that_are_allowed() {
    let uses = Modules::uses();
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|module| (module.as_str(), reached(&uses, module))).collect();
    let mut cycles: BTreeSet<Vec<&str>> = BTreeSet::new();
    for (module, all) in &reach {
        let cycle: BTreeSet<&str> =
            all.iter().copied().filter(|other| reach.get(other).is_some_and(|back| back.contains(module))).collect();
        if cycle.len() > 1 {
            cycles.insert(cycle.into_iter().collect());
        }
    }
    let allowed: BTreeSet<Vec<&str>> = ALLOWED.iter().map(|(cycle, _)| cycle.to_vec()).collect();
    let unexpected: Vec<_> = cycles.difference(&allowed).collect();
    let gone: Vec<_> = allowed.difference(&cycles).collect();
    assert!(unexpected.is_empty() && gone.is_empty(), "not allowed: {unexpected:#?}\nallowed but not found: {gone:#?}");
}
