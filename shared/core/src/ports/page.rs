//! Lists that come a page at a time.

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// At most as many as were asked for; may be fewer, or none, before the end.
    pub items: Vec<T>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Cursor>,
    /// What belongs on the page and can't be read: one bad item must not end a list.
    pub unreadable: Vec<Unreadable>,
}

/// An item that can't be read: a newer version wrote it, or it is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Which, as the store shows it.
    pub key: String,
    /// Why, with the place.
    pub why: String,
}

impl<T> Page<T> {
    /// A page on which everything could be read.
    pub fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next, unreadable: Vec::new() }
    }

    /// The only page.
    pub fn last(items: Vec<T>) -> Self {
        Self::new(items, None)
    }

    /// The same page with each item changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        let items = self.items.into_iter().map(change).collect();
        Page { items, next: self.next, unreadable: self.unreadable }
    }
}

/// A place in a list, of the adapter's own making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);
