//! Where the sources call ports, found in their syntax.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprMethodCall, ImplItemFn, ItemFn, ItemMod, Macro, ReturnType, TraitItemFn, Type,
};

/// A call of a port's method in a source, by the place of the method's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CallSite {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub method: String,
    /// The line of the source.
    pub text: String,
}

/// Returns the folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the async methods of all ports, by their declarations.
///
/// # Errors
///
/// Where the sources can't be read.
pub fn methods() -> anyhow::Result<BTreeSet<String>> {
    let mut declared = Declared(BTreeSet::new());
    for file in files(&root().join("shared/core/src/ports"))? {
        declared.visit_file(&parsed(&file, &fs::read_to_string(&file)?)?);
    }
    Ok(declared.0)
}

/// Returns every call of one of the methods below a folder, or in a file.
///
/// # Errors
///
/// Where the sources can't be read.
pub fn calls(of: &BTreeSet<String>, under: &str) -> anyhow::Result<BTreeSet<CallSite>> {
    let mut found = BTreeSet::new();
    for path in files(&root().join(under))? {
        let text = fs::read_to_string(&path)?;
        let mut called = Called { of, names: Vec::new() };
        called.visit_file(&parsed(&path, &text)?);
        let file = path.strip_prefix(root())?.to_string_lossy().into_owned();
        let lines: Vec<&str> = text.lines().collect();
        for name in called.names {
            let start = name.span().start();
            found.insert(CallSite {
                file: file.clone(),
                line: u32::try_from(start.line)?,
                column: u32::try_from(start.column + 1)?,
                method: name.to_string(),
                text: lines[start.line - 1].trim().to_owned(),
            });
        }
    }
    Ok(found)
}

/// The names of async methods of traits.
struct Declared(BTreeSet<String>);

impl<'ast> Visit<'ast> for Declared {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_trait_item_fn(&mut self, method: &'ast TraitItemFn) {
        let returns_future = matches!(&method.sig.output, ReturnType::Type(_, kind)
            if matches!(&**kind, Type::ImplTrait(_)));
        if method.sig.asyncness.is_some() || returns_future {
            self.0.insert(method.sig.ident.to_string());
        }
    }
}

/// The names of methods, where they are called outside of tests.
struct Called<'a> {
    of: &'a BTreeSet<String>,
    names: Vec<Ident>,
}

impl Called<'_> {
    fn note(&mut self, name: &Ident) {
        if self.of.contains(&name.to_string()) {
            self.names.push(name.clone());
        }
    }

    /// What a macro is given is no syntax until the macro is expanded: here `. name (…)` is a call.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(name) if is_call(&tokens, at) => self.note(name),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Called<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        // `self.write(..)` is a method of the source's own type, which is no port.
        let is_of_self = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"));
        if !is_of_self {
            self.note(&call.method);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
    }
}

/// Whether the identifier there is called as a method of anything but `self`.
fn is_call(tokens: &[TokenTree], at: usize) -> bool {
    let is_dot = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| matches!(token, TokenTree::Punct(dot) if dot.as_char() == '.'))
    };
    let is_self = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| matches!(token, TokenTree::Ident(name) if name == "self"))
    };
    let has_arguments = matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
    let of_self = is_self(at.checked_sub(2)) && !is_dot(at.checked_sub(3));
    has_arguments && is_dot(at.checked_sub(1)) && !of_self
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn parsed(path: &Path, text: &str) -> anyhow::Result<syn::File> {
    syn::parse_file(text).with_context(|| format!("{} is no Rust", path.display()))
}

fn files(under: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if under.is_file() {
        return Ok(vec![under.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(under).with_context(|| format!("reading {}", under.display()))? {
        let path = entry?.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(if path.is_dir() { files(&path)? } else { vec![path] });
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(text: &str) -> Vec<(String, usize)> {
        let of = ["claim", "settle"].map(str::to_owned).into();
        let mut called = Called { of: &of, names: Vec::new() };
        called.visit_file(&syn::parse_file(text).unwrap());
        called.names.iter().map(|name| (name.to_string(), name.span().start().line)).collect()
    }

    #[test]
    fn calls_are_found_wherever_they_stand_and_nothing_else() {
        let text = r#"
            async fn submit(store: &S) {
                store.claim(&wish).await; // not store.settle(1)
                self.store
                    .settle(id)
                    .await;
                self.claim(&wish);
                let text = "store.claim(x)";
                let field = store.claim;
                tokio::join!(store.claim(a), async { self.settle(b); self.store.settle(c) });
                other(claim(x), settle);
            }
            #[cfg(test)]
            mod tests { fn f() { store.claim(x); } }
            #[cfg(test)]
            fn only_for_tests() { store.claim(x); }
        "#;
        let expected = [("claim", 3), ("settle", 5), ("claim", 10), ("settle", 10)];
        assert_eq!(called(text), expected.map(|(name, line)| (name.to_owned(), line)));
    }

    #[test]
    fn async_methods_of_traits_are_ports_calls() {
        let mut declared = Declared(BTreeSet::new());
        declared.visit_file(
            &syn::parse_file(
                "trait Port { fn call(&self) -> impl Future<Output = ()> + Send; fn name(&self) -> u8; async fn go(); }
                 fn free() -> impl Future<Output = ()> { async {} }",
            )
            .unwrap(),
        );
        assert_eq!(declared.0, ["call", "go"].map(str::to_owned).into());
    }
}
