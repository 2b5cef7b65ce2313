//! What the library promises: every public item that its facade leads to, read from the sources.
//!
//! It begins at the facade's root, follows `pub use` and `pub mod` from crate to crate, and writes a line for each item,
//! field, variant, method and implementation, without bodies, values and documentation. What the feature `testing`
//! gates is left out: it is not kept compatible. Of what a macro writes, its call and its rules stand in the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Fields, File, Generics, ImplItem, Item, ItemImpl, ItemMacro, TraitItem, Type, UseTree,
    Visibility,
};

use crate::crash::sources::root;

/// A module of a crate: `["batchwright_core", "domain", "ids"]`.
type Place = Vec<String>;

/// Returns the listing, a line an item.
///
/// # Errors
///
/// Where a source can't be read, or a name leads nowhere.
pub fn listing() -> anyhow::Result<String> {
    let mut api = Api::default();
    for folder in fs::read_dir(root().join("shared"))? {
        let folder = folder?;
        let file = folder.path().join("src/lib.rs");
        if file.is_file() {
            let name = format!("batchwright_{}", folder.file_name().to_string_lossy().replace('-', "_"));
            api.read(vec![name], &file)?;
        }
    }
    let facade = vec!["batchwright".to_owned()];
    api.read(facade.clone(), &root().join("shared/src/lib.rs"))?;
    api.index();
    api.module(&facade, "batchwright", &[])?;
    let mut text = Vec::from_iter(api.lines).join("\n");
    text.push('\n');
    Ok(text)
}

#[derive(Default)]
struct Api {
    modules: BTreeMap<Place, Vec<Item>>,
    /// What is implemented for an item, by its module and name, each with the module that does it.
    implemented: BTreeMap<Place, Vec<(Place, ItemImpl)>>,
    /// Under which path an item or a module is listed: the first that leads to it.
    listed: BTreeMap<Place, String>,
    lines: BTreeSet<String>,
}

/// Where a name leads.
enum Target {
    Module(Place),
    /// The module that holds it, and its name there.
    Item(Place, String),
    /// Into a crate that is not ours.
    Elsewhere,
}

/// A name that a `use` brings, its path, and the features it stands behind.
struct Import {
    name: String,
    path: Vec<String>,
    gates: Vec<String>,
    public: bool,
}

impl Api {
    fn read(&mut self, place: Place, file: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(file)?;
        let File { items, .. } = syn::parse_file(&text).with_context(|| format!("{}", file.display()))?;
        let below = match file.file_name().and_then(|name| name.to_str()) {
            Some("lib.rs" | "mod.rs") => file.parent().context("a file is in a folder")?.to_owned(),
            _ => file.with_extension(""),
        };
        self.take(place, items, &below)
    }

    fn take(&mut self, place: Place, items: Vec<Item>, below: &Path) -> anyhow::Result<()> {
        let mut kept = Vec::new();
        for mut item in items {
            if is_left_out(attributes(&item)) {
                continue;
            }
            if let Item::Mod(module) = &mut item {
                let name = module.ident.to_string();
                let mut inner = place.clone();
                inner.push(name.clone());
                match module.content.take() {
                    Some((_, items)) => self.take(inner, items, &below.join(&name))?,
                    None => {
                        let files: [PathBuf; 2] =
                            [below.join(format!("{name}.rs")), below.join(&name).join("mod.rs")];
                        let file = files.iter().find(|file| file.is_file());
                        self.read(inner, file.with_context(|| format!("{name} has no file"))?)?;
                    }
                }
            }
            kept.push(item);
        }
        self.modules.insert(place, kept);
        Ok(())
    }

    /// Lists what is public in a module, under a path.
    fn module(&mut self, place: &Place, path: &str, gates: &[String]) -> anyhow::Result<()> {
        let items = self.modules.get(place).with_context(|| format!("no module {place:?}"))?.clone();
        let mut brought: Vec<Import> =
            items.iter().flat_map(imports).filter(|import| import.public).collect();
        // First what everybody has: a feature adds to it.
        brought.sort_by_key(|import| import.gates.len());
        for import in brought {
            let gates = joined(gates, &import.gates);
            let under = format!("{path}::{}", import.name);
            match (self.resolve(place, &import.path)?, import.name.as_str()) {
                (Target::Module(module), "*") => self.module(&module, path, &gates)?,
                (Target::Module(module), _) => self.named_module(module, &under, &gates)?,
                (Target::Item(module, name), _) => self.item(&module, &name, &under, &gates)?,
                (Target::Elsewhere, _) => self.line(&under, &format!("= {}", import.path.join("::")), &gates),
            }
        }
        for item in &items {
            let gates = joined(gates, &gates_of(attributes(item)));
            match item {
                Item::Mod(module) if is_public(&module.vis) => {
                    let mut inner = place.clone();
                    inner.push(module.ident.to_string());
                    self.named_module(inner, &format!("{path}::{}", module.ident), &gates)?;
                }
                _ => {
                    if let Some(name) = public_name(item) {
                        self.item(place, &name, &format!("{path}::{name}"), &gates)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn named_module(&mut self, module: Place, path: &str, gates: &[String]) -> anyhow::Result<()> {
        if let Some(first) = self.first(&module, path) {
            if first != path {
                self.line(path, &format!("= {first}"), gates);
            }
            return Ok(());
        }
        self.line(path, "mod", gates);
        self.module(&module, path, gates)
    }

    /// The path under which it is listed already, which may be this one; keeps this one otherwise.
    fn first(&mut self, key: &Place, path: &str) -> Option<String> {
        if let Some(first) = self.listed.get(key) {
            return Some(first.clone());
        }
        self.listed.insert(key.clone(), path.to_owned());
        None
    }

    fn item(&mut self, place: &Place, name: &str, path: &str, gates: &[String]) -> anyhow::Result<()> {
        let mut key = place.clone();
        key.push(name.to_owned());
        if let Some(first) = self.first(&key, path) {
            if first != path {
                self.line(path, &format!("= {first}"), gates);
            }
            return Ok(());
        }
        let items = self.modules.get(place).with_context(|| format!("no module {place:?}"))?.clone();
        let mut found = false;
        for item in &items {
            if public_name(item).as_deref() == Some(name) {
                found = true;
                self.described(item, path, &joined(gates, &gates_of(attributes(item))));
            } else if let Item::Macro(call) = item
                && writes(call, &items, name)
            {
                found = true;
                self.by_macro(call, &items, path, gates);
            }
        }
        if !found {
            bail!("{path} is not found in {place:?}");
        }
        self.implementations(&key, path, gates);
        Ok(())
    }

    fn by_macro(&mut self, call: &ItemMacro, items: &[Item], path: &str, gates: &[String]) {
        let name = &call.mac.path;
        self.line(
            path,
            &format!("by {}! {{ {} }}", text(name), text(&undocumented(&call.mac.tokens))),
            gates,
        );
        for rules in rules_of(call, items) {
            self.line(path, &format!("by the rules {}", text(&undocumented(rules))), gates);
        }
    }

    /// The item's own lines.
    fn described(&mut self, item: &Item, path: &str, gates: &[String]) {
        let marks = marks(attributes(item));
        match item {
            Item::Fn(item) => self.line(path, &format!("{marks}{}", text(&item.sig)), gates),
            Item::Const(item) => self.line(path, &format!("const {}", text(&item.ty)), gates),
            Item::Static(item) => self.line(path, &format!("static {}", text(&item.ty)), gates),
            Item::Type(item) => {
                self.line(path, &format!("type{} = {}", generic(&item.generics), text(&item.ty)), gates);
            }
            Item::Struct(item) => {
                let hidden = if has_hidden(&item.fields) { " with private fields" } else { "" };
                let kind = match &item.fields {
                    Fields::Named(_) => "struct",
                    Fields::Unnamed(_) => "tuple struct",
                    Fields::Unit => "unit struct",
                };
                self.line(path, &format!("{marks}{kind}{}{hidden}", generic(&item.generics)), gates);
                self.fields(&item.fields, path, gates, false);
            }
            Item::Enum(item) => {
                self.line(path, &format!("{marks}enum{}", generic(&item.generics)), gates);
                for variant in &item.variants {
                    let under = format!("{path}::{}", variant.ident);
                    let gates = joined(gates, &gates_of(&variant.attrs));
                    self.line(&under, &format!("{}variant", self::marks(&variant.attrs)), &gates);
                    self.fields(&variant.fields, &under, &gates, true);
                }
            }
            Item::Trait(item) => {
                let bounds = text(&item.supertraits);
                self.line(path, &format!("{marks}trait{}: {bounds}", generic(&item.generics)), gates);
                for member in &item.items {
                    let (name, told) = match member {
                        TraitItem::Fn(member) => {
                            let given = if member.default.is_some() { "provided " } else { "" };
                            (&member.sig.ident, format!("{given}{}", text(&member.sig)))
                        }
                        TraitItem::Const(member) => (&member.ident, format!("const {}", text(&member.ty))),
                        TraitItem::Type(member) => (&member.ident, format!("type: {}", text(&member.bounds))),
                        _ => continue,
                    };
                    self.line(&format!("{path}::{name}"), &told, gates);
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, fields: &Fields, path: &str, gates: &[String], of_variant: bool) {
        for (index, field) in fields.iter().enumerate() {
            if of_variant || is_public(&field.vis) {
                let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
                let gates = joined(gates, &gates_of(&field.attrs));
                self.line(&format!("{path}.{name}"), &text(&field.ty), &gates);
            }
        }
    }

    fn index(&mut self) {
        let mut implemented: BTreeMap<Place, Vec<(Place, ItemImpl)>> = BTreeMap::new();
        for (place, items) in &self.modules {
            for item in items {
                let Item::Impl(item) = item else { continue };
                let Type::Path(own) = &*item.self_ty else { continue };
                let own: Vec<String> = own.path.segments.iter().map(|part| part.ident.to_string()).collect();
                if let Ok(Target::Item(mut key, name)) = self.resolve(place, &own) {
                    key.push(name);
                    implemented.entry(key).or_default().push((place.clone(), item.clone()));
                }
            }
        }
        self.implemented = implemented;
    }

    /// What is implemented for a type, in any of our crates.
    fn implementations(&mut self, key: &Place, path: &str, gates: &[String]) {
        for (place, item) in self.implemented.remove(key).unwrap_or_default() {
            let gates = joined(gates, &gates_of(&item.attrs));
            if let Some((not, of, _)) = &item.trait_ {
                if self.is_seen(&place, of) {
                    let not = not.map(|_| "!").unwrap_or_default();
                    let told = format!("impl{} {not}{}", generic(&item.generics), text(of));
                    self.line(path, &told, &gates);
                }
                continue;
            }
            let of = generic(&item.generics);
            for member in &item.items {
                let (attributes, name, told) = match member {
                    ImplItem::Fn(member) if is_public(&member.vis) => {
                        let told = format!("{}{}", marks(&member.attrs), text(&member.sig));
                        (&member.attrs, &member.sig.ident, told)
                    }
                    ImplItem::Const(member) if is_public(&member.vis) => {
                        (&member.attrs, &member.ident, format!("const {}", text(&member.ty)))
                    }
                    _ => continue,
                };
                if !is_left_out(attributes) {
                    let gates = joined(&gates, &gates_of(attributes));
                    let of = if of.is_empty() { String::new() } else { format!("impl{of} ") };
                    self.line(&format!("{path}::{name}"), &format!("{of}{told}"), &gates);
                }
            }
        }
    }

    /// Whether a trait can be named by those who use the library. A private one of ours can't.
    fn is_seen(&self, place: &Place, of: &syn::Path) -> bool {
        let segments: Vec<String> = of.segments.iter().map(|part| part.ident.to_string()).collect();
        match self.resolve(place, &segments) {
            Ok(Target::Item(module, name)) => self.modules[&module]
                .iter()
                .any(|item| matches!(item, Item::Trait(of) if of.ident == name && is_public(&of.vis))),
            _ => true,
        }
    }

    /// Follows a path from a module.
    fn resolve(&self, from: &Place, path: &[String]) -> anyhow::Result<Target> {
        let (mut at, mut rest) = match path {
            [first, rest @ ..] if first == "crate" => (vec![from[0].clone()], rest),
            [first, rest @ ..] if first == "self" => (from.clone(), rest),
            [first, rest @ ..] if self.modules.contains_key(std::slice::from_ref(first)) => {
                (vec![first.clone()], rest)
            }
            _ => (from.clone(), path),
        };
        let mut first = at == *from;
        while let [name, after @ ..] = rest {
            if name == "super" {
                at.pop();
                rest = after;
                continue;
            }
            if name == "*" {
                break;
            }
            let items = self.modules.get(&at).with_context(|| format!("no module {at:?}"))?;
            let mut inner = at.clone();
            inner.push(name.clone());
            if self.modules.contains_key(&inner) {
                (at, rest, first) = (inner, after, false);
                continue;
            }
            let here = items.iter().any(|item| match item {
                Item::Macro(call) => writes(call, items, name),
                item => declared_name(item).as_ref() == Some(name),
            });
            if here {
                return Ok(Target::Item(at, name.clone()));
            }
            for import in items.iter().flat_map(imports) {
                let target = if import.name == *name {
                    self.resolve(&at, &import.path)?
                } else if import.name == "*" && import.path.first() != path.first() {
                    let mut path = import.path.clone();
                    path.pop();
                    path.push(name.clone());
                    match self.resolve(&at, &path) {
                        Ok(target @ (Target::Item(..) | Target::Module(_))) => target,
                        _ => continue,
                    }
                } else {
                    continue;
                };
                return match target {
                    Target::Module(module) => self.resolve_in(&module, after),
                    target => Ok(target),
                };
            }
            if first {
                return Ok(Target::Elsewhere);
            }
            bail!("{} leads nowhere from {from:?}", path.join("::"));
        }
        Ok(Target::Module(at))
    }

    fn resolve_in(&self, module: &Place, path: &[String]) -> anyhow::Result<Target> {
        let path: Vec<String> = std::iter::once("self".to_owned()).chain(path.iter().cloned()).collect();
        self.resolve(module, &path)
    }

    fn line(&mut self, path: &str, told: &str, gates: &[String]) {
        let gates = if gates.is_empty() { String::new() } else { format!(" [{}]", gates.join(", ")) };
        self.lines.insert(format!("{path}: {}{gates}", told.trim_end_matches([' ', ':'])));
    }
}

/// What a `use` brings, each name with its path.
fn imports(item: &Item) -> Vec<Import> {
    fn walk(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
        let mut leaf = |name: String, last: String| {
            let mut path = path.clone();
            if last != "self" {
                path.push(last);
            }
            let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name };
            found.push((name, path));
        };
        match tree {
            UseTree::Name(name) => leaf(name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(name) => leaf(name.rename.to_string(), name.ident.to_string()),
            UseTree::Glob(_) => leaf("*".to_owned(), "*".to_owned()),
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                walk(&step.tree, path, found);
                path.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, path, found)),
        }
    }
    let Item::Use(item) = item else { return Vec::new() };
    let mut found = Vec::new();
    walk(&item.tree, &mut Vec::new(), &mut found);
    let (gates, public) = (gates_of(&item.attrs), is_public(&item.vis));
    let import = |(name, path)| Import { name, path, gates: gates.clone(), public };
    found.into_iter().map(import).collect()
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name of an item, and whether it is public. Modules and macros are others' business.
fn named(item: &Item) -> Option<(String, bool)> {
    let (name, visibility) = match item {
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        _ => return None,
    };
    Some((name.to_string(), is_public(visibility)))
}

fn declared_name(item: &Item) -> Option<String> {
    named(item).map(|(name, _)| name)
}

fn public_name(item: &Item) -> Option<String> {
    named(item).filter(|(_, public)| *public).map(|(name, _)| name)
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn has_hidden(fields: &Fields) -> bool {
    fields.iter().any(|field| !is_public(&field.vis))
}

/// The condition of each `#[cfg(…)]`.
fn gates_of(attributes: &[Attribute]) -> Vec<String> {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.filter_map(|cfg| cfg.parse_args::<TokenStream>().ok().map(|tokens| text(&tokens))).collect()
}

fn joined(gates: &[String], more: &[String]) -> Vec<String> {
    Vec::from_iter(gates.iter().chain(more).cloned().collect::<BTreeSet<_>>())
}

/// Whether an item is for tests, ours or others'.
fn is_left_out(attributes: &[Attribute]) -> bool {
    let testing = "feature = \"testing\"";
    gates_of(attributes).iter().any(|gate| names_of(gate).contains("test") || gate.contains(testing))
}

fn names_of(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '"').collect()
}

/// What of an item's attributes its users feel: derives, `must_use`, `non_exhaustive`.
fn marks(attributes: &[Attribute]) -> String {
    let felt = attributes.iter().filter_map(|attribute| {
        let path = attribute.path();
        if path.is_ident("derive") {
            return Some(text(&attribute.meta));
        }
        let names = ["must_use", "non_exhaustive", "deprecated"];
        names.iter().find(|name| path.is_ident(name)).map(ToString::to_string)
    });
    felt.map(|mark| format!("#[{mark}] ")).collect()
}

/// `<T>`, with what its parameters must hold.
fn generic(generics: &Generics) -> String {
    let bounds =
        generics.where_clause.as_ref().map(|bounds| format!(" {}", text(bounds))).unwrap_or_default();
    format!("{}{bounds}", text(generics))
}

/// Whether a macro's call may declare a name: it stands in the call, or in the macro's rules.
fn writes(call: &ItemMacro, items: &[Item], name: &str) -> bool {
    let mut all = std::iter::once(&call.mac.tokens).chain(rules_of(call, items));
    call.ident.is_none() && all.any(|tokens| names(tokens).contains(name))
}

/// The rules of the macro that is called, where its own module declares it.
fn rules_of<'a>(call: &'a ItemMacro, items: &'a [Item]) -> impl Iterator<Item = &'a TokenStream> {
    items.iter().filter_map(|item| match item {
        Item::Macro(rules) if rules.ident.as_ref().is_some_and(|ident| call.mac.path.is_ident(ident)) => {
            Some(&rules.mac.tokens)
        }
        _ => None,
    })
}

/// The identifiers of a macro's call, at any depth.
fn names(tokens: &TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(ident) => {
                found.insert(ident.to_string());
            }
            TokenTree::Group(group) => found.extend(names(&group.stream())),
            _ => {}
        }
    }
    found
}

/// Without documentation.
fn undocumented(tokens: &TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens.clone() {
        match token {
            TokenTree::Group(group) => {
                let sharp = matches!(kept.last(), Some(TokenTree::Punct(sharp)) if sharp.as_char() == '#');
                let first = group.stream().into_iter().next();
                if sharp && matches!(&first, Some(TokenTree::Ident(name)) if name == "doc") {
                    kept.pop();
                    continue;
                }
                kept.push(proc_macro2::Group::new(group.delimiter(), undocumented(&group.stream())).into());
            }
            token => kept.push(token),
        }
    }
    kept.into_iter().collect()
}

/// Tokens as one line, closer to how they are written.
fn text(tokens: &impl quote::ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string().replace('\n', " ");
    for (from, to) in [
        (" :: ", "::"),
        (" ::", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" ,", ","),
        (" :", ":"),
        (" ;", ";"),
        (" (", "("),
        ("->(", "-> ("),
        (" [", "["),
        ("->[", "-> ["),
        ("=(", "= ("),
        (",)", ")"),
    ] {
        text = text.replace(from, to);
    }
    text
}
