//! Lists out of memory, a page at a time, in the order of their keys.

use crate::ports::{Cursor, Page};

/// Items on a page: few, so that what uses a list meets its second page early.
const PAGE_SIZE: usize = 100;

/// The page of `entries` that follows the cursor. The entries come in ascending order of their keys.
pub(super) fn page_of<'a, T>(entries: impl Iterator<Item = (&'a str, T)>, after: Option<&Cursor>) -> Page<T> {
    let mut rest =
        entries.skip_while(|(key, _)| after.is_some_and(|after| *key <= after.0.as_str())).peekable();
    let mut items = Vec::new();
    let mut last = None;
    for (key, item) in rest.by_ref().take(PAGE_SIZE) {
        last = Some(key);
        items.push(item);
    }
    let next = last.filter(|_| rest.peek().is_some()).map(|key| Cursor(key.to_owned()));
    Page::new(items, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_comes_once_also_where_the_last_page_is_full() {
        for length in [0, 1, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE] {
            let keys: Vec<_> = (0..length).map(|number| format!("{number:05}")).collect();
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let page = page_of(keys.iter().map(|key| (key.as_str(), key)), cursor.as_ref());
                found.extend(page.items.into_iter().cloned());
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, keys);
        }
    }
}
