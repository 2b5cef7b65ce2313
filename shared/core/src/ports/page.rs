//! Lists that come a page at a time.

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// At most as many as were asked for; may be fewer, or none, before the end.
    pub items: Vec<T>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The only page.
    pub fn last(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// A place in a list, of the adapter's own making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);
