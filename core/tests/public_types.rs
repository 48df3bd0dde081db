//! Checks that public signatures use only those types of other crates that are listed here with a reason. A new version of such a
//! crate also changes the API of this one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit_mut::{self, VisitMut};

/// The types of other crates that are allowed in public signatures, each with the reason.
const ALLOWED: &[(&str, &str)] = &[
    ("axum::Router", "a host in Rust mounts the HTTP service in its own server"),
    ("bytes::Bytes", "bodies of requests that a host hands to the HTTP service"),
    ("http::Request", "likewise"),
    (
        "rusqlite::Error",
        "converted into an error of this crate by `From`, for the statements of the store; hosts do not use it",
    ),
    ("must_diffusion::Error", "converted into an error of this crate by `From`; the crate belongs to this project"),
    ("must_diffusion::Frames", "likewise"),
    ("must_media::Frames", "pixels of results; `media` exports this type and the three below"),
    ("must_media::ImageLimits", "likewise"),
    ("must_media::ImageSource", "likewise"),
    ("must_media::OutputFormat", "likewise"),
    ("schemars::JsonSchema", "the derived form of types that are in the OpenAPI document"),
    ("serde::Deserialize", "settings and arguments are read from JSON"),
    ("serde::Serialize", "records are written as JSON"),
    ("serde_json::Map", "parameters of a request, which the catalog names"),
    ("serde_json::Value", "likewise"),
];

/// Returns the names that a file imports, each with its full path.
fn imports(file: &syn::File) -> BTreeMap<String, String> {
    fn walk(tree: &syn::UseTree, before: &str, into: &mut BTreeMap<String, String>) {
        let join = |name: &syn::Ident| if before.is_empty() { name.to_string() } else { format!("{before}::{name}") };
        match tree {
            syn::UseTree::Path(path) => walk(&path.tree, &join(&path.ident), into),
            syn::UseTree::Name(name) => {
                into.insert(name.ident.to_string(), join(&name.ident));
            }
            syn::UseTree::Rename(name) => {
                into.insert(name.rename.to_string(), join(&name.ident));
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| walk(item, before, into)),
            syn::UseTree::Glob(_) => {}
        }
    }
    let mut found = BTreeMap::new();
    for item in &file.items {
        if let syn::Item::Use(item) = item {
            walk(&item.tree, "", &mut found);
        }
    }
    found
}

/// The paths of types in public signatures of one file, as they are written there.
struct Signatures {
    paths: BTreeSet<String>,
    /// The public types of the file.
    public: BTreeSet<String>,
}

struct Types<'a>(&'a mut BTreeSet<String>);

impl VisitMut for Types<'_> {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.0.insert(names.join("::"));
        visit_mut::visit_path_mut(self, path);
    }

    /// Derives and documentation are not signatures.
    fn visit_attribute_mut(&mut self, _: &mut syn::Attribute) {}

    fn visit_block_mut(&mut self, _: &mut syn::Block) {}

    fn visit_expr_mut(&mut self, _: &mut syn::Expr) {}
}

const fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

impl Signatures {
    fn fields(&mut self, fields: &mut syn::Fields) {
        for field in fields.iter_mut().filter(|field| is_public(&field.vis)) {
            Types(&mut self.paths).visit_type_mut(&mut field.ty);
        }
    }
}

impl VisitMut for Signatures {
    fn visit_item_mut(&mut self, item: &mut syn::Item) {
        match item {
            syn::Item::Fn(item) if is_public(&item.vis) => Types(&mut self.paths).visit_signature_mut(&mut item.sig),
            syn::Item::Type(item) if is_public(&item.vis) => Types(&mut self.paths).visit_type_mut(&mut item.ty),
            syn::Item::Const(item) if is_public(&item.vis) => Types(&mut self.paths).visit_type_mut(&mut item.ty),
            syn::Item::Struct(item) if is_public(&item.vis) => {
                Types(&mut self.paths).visit_generics_mut(&mut item.generics);
                self.fields(&mut item.fields);
            }
            syn::Item::Enum(item) if is_public(&item.vis) => {
                for variant in &mut item.variants {
                    Types(&mut self.paths).visit_fields_mut(&mut variant.fields);
                }
            }
            syn::Item::Trait(item) if is_public(&item.vis) => Types(&mut self.paths).visit_item_trait_mut(item),
            syn::Item::Impl(item) => match &mut item.trait_ {
                // An implementation of another crate's trait for a public type of this crate.
                Some((path, _)) => {
                    if matches!(&*item.self_ty, syn::Type::Path(of) if of.path.segments.last().is_some_and(|last| self.public.contains(&last.ident.to_string())))
                    {
                        Types(&mut self.paths).visit_path_mut(path);
                    }
                }
                None => {
                    for part in &mut item.items {
                        if let syn::ImplItem::Fn(function) = part
                            && is_public(&function.vis)
                        {
                            Types(&mut self.paths).visit_signature_mut(&mut function.sig);
                        }
                    }
                }
            },
            _ => {}
        }
    }
}

fn visit(folder: &Path, crates: &BTreeSet<String>, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("tests") {
            continue;
        }
        if path.is_dir() {
            visit(&path, crates, found);
        } else if name.ends_with(".rs") {
            let mut file = syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let imports = imports(&file);
            let (mut public, mut modules) = (BTreeSet::from(["Error".to_owned()]), BTreeSet::new());
            for item in &file.items {
                match item {
                    syn::Item::Struct(item) if is_public(&item.vis) => drop(public.insert(item.ident.to_string())),
                    syn::Item::Enum(item) if is_public(&item.vis) => drop(public.insert(item.ident.to_string())),
                    syn::Item::Mod(item) => drop(modules.insert(item.ident.to_string())),
                    _ => {}
                }
            }
            let mut signatures = Signatures { paths: BTreeSet::new(), public };
            signatures.visit_file_mut(&mut file);
            for written in signatures.paths {
                let (first, rest) = written.split_once("::").unwrap_or((&written, ""));
                let whole = match imports.get(first) {
                    Some(origin) if rest.is_empty() => origin.clone(),
                    Some(origin) => format!("{origin}::{rest}"),
                    None => written.clone(),
                };
                let top = whole.split("::").next().unwrap_or_default();
                if crates.contains(top) && !modules.contains(top) {
                    found.entry(whole).or_default().insert(name.clone());
                }
            }
        }
    }
}

#[test]
fn types_of_other_crates_in_signatures_are_those_that_are_allowed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    let mut all = BTreeSet::new();
    // `must::media` exports types of must-media.
    for folder in [here, &here.join("../media")] {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let dependencies = dependencies.split("[build-dependencies]").next().unwrap();
        let named = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        let named = named.filter(|name| !name.is_empty() && !name.starts_with('['));
        let crates: BTreeSet<String> = named.map(|name| name.replace('-', "_")).collect();
        visit(&folder.join("src"), &crates, &mut found);
        all.extend(crates);
    }
    assert!(all.contains("axum") && all.contains("rusqlite") && all.contains("image") && all.len() > 30, "{all:?}");
    let allowed: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let others: Vec<_> = found.iter().filter(|(name, _)| !allowed.contains(name.as_str())).collect();
    let gone: Vec<_> = allowed.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(others.is_empty() && gone.is_empty(), "not allowed: {others:#?}\nallowed but not found: {gone:?}");
}
