//! The parts of one `UpdateItem`. Every name is a placeholder: many of ours are reserved words.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::item::Item;

/// What one update sets and removes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    set: Vec<String>,
    remove: Vec<String>,
    names: Vec<&'static str>,
    values: Item,
}

impl Change {
    pub(super) fn set(mut self, attribute: &'static str, value: AttributeValue) -> Self {
        self.set.push(format!("#{attribute} = :{attribute}"));
        self.value(attribute, value)
    }

    pub(super) fn set_if_absent(mut self, attribute: &'static str, value: AttributeValue) -> Self {
        self.set.push(format!("#{attribute} = if_not_exists(#{attribute}, :{attribute})"));
        self.value(attribute, value)
    }

    pub(super) fn remove(mut self, attribute: &'static str) -> Self {
        self.remove.push(format!("#{attribute}"));
        self.name(attribute)
    }

    /// Makes `#<attribute>` known, for the condition.
    pub(super) fn name(mut self, attribute: &'static str) -> Self {
        if !self.names.contains(&attribute) {
            self.names.push(attribute);
        }
        self
    }

    /// Makes `:<attribute>` and `#<attribute>` known, for the condition.
    pub(super) fn value(mut self, attribute: &'static str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{attribute}"), value);
        self.name(attribute)
    }

    fn expression(&self) -> String {
        let clause = |word: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{word} {} ", parts.join(", ")) }
        };
        let expression = clause("SET", &self.set) + &clause("REMOVE", &self.remove);
        expression.trim_end().to_owned()
    }

    pub(super) fn apply(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let update = update.update_expression(self.expression());
        let update = update.set_expression_attribute_values((!self.values.is_empty()).then_some(self.values));
        self.names
            .into_iter()
            .fold(update, |update, name| update.expression_attribute_names(format!("#{name}"), name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_expression() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let both = Change::default().set("a", text("1")).set_if_absent("b", text("2")).remove("c");
        assert_eq!(both.expression(), "SET #a = :a, #b = if_not_exists(#b, :b) REMOVE #c");
        assert_eq!((both.names, both.values.len()), (vec!["a", "b", "c"], 2));
        assert_eq!(Change::default().remove("c").expression(), "REMOVE #c");
    }
}
