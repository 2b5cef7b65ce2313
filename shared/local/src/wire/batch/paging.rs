//! Pages of a list: by name, from behind the last one that was told.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::fault::Fault;

/// Items on a page. Source: the API references of Batch's `Describe…` and `List…`.
const PAGE_MAX: usize = 100;

/// What a request says of its page.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Paging {
    max_results: Option<i64>,
    next_token: Option<String>,
}

impl Paging {
    /// The page of a list in which every item has a key of its own. `list` names it in the answer.
    pub(super) fn page(
        &self,
        list: &str,
        items: impl Iterator<Item = (String, Value)>,
    ) -> Result<Value, Fault> {
        let page = match self.max_results {
            None => PAGE_MAX,
            Some(results) => usize::try_from(results)
                .ok()
                .filter(|results| (1..=PAGE_MAX).contains(results))
                .ok_or_else(|| Fault::client(format!("maxResults: {results} is not from 1 to {PAGE_MAX}")))?,
        };
        let mut items = items.peekable();
        if let Some(token) = &self.next_token {
            let known = items.by_ref().find(|(key, _)| key == token);
            known.ok_or_else(|| Fault::client("nextToken: is not one of this list's"))?;
        }
        let mut told = Vec::new();
        let mut last = None;
        while told.len() < page
            && let Some((key, item)) = items.next()
        {
            told.push(item);
            last = Some(key);
        }
        let mut answer = json!({list: told});
        if let Some(last) = last.filter(|_| items.peek().is_some()) {
            answer["nextToken"] = last.into();
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_size_gives_every_item_once() {
        let items = || (0..7).map(|number| (format!("k{number}"), json!(number)));
        for size in 1..=8 {
            let (mut told, mut token) = (Vec::new(), None);
            loop {
                let paging = Paging { max_results: Some(size), next_token: token };
                let answer = paging.page("items", items()).unwrap();
                told.extend(answer["items"].as_array().unwrap().clone());
                token = answer["nextToken"].as_str().map(str::to_owned);
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(told, (0..7).map(|number| json!(number)).collect::<Vec<_>>(), "{size}");
        }
    }

    #[test]
    fn sizes_and_tokens_that_can_not_be_are_refused() {
        let items = || std::iter::once(("a".to_owned(), json!(1)));
        for size in [0, -1, 101] {
            assert!(
                Paging { max_results: Some(size), next_token: None }.page("l", items()).is_err(),
                "{size}"
            );
        }
        assert!(Paging { max_results: None, next_token: Some("b".into()) }.page("l", items()).is_err());
    }
}
