//! The adapter's tables, created on an emulator.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use batchwright::aws::dynamodb::{
    Attribute, AttributeKind, IndexDefinition, JOBS, Key, RUNS, TableDefinition, Tables,
};

/// Creates both tables by their definitions.
pub async fn create_tables(client: &Client, tables: &Tables) -> anyhow::Result<()> {
    create(client, &tables.jobs, JOBS).await?;
    create(client, &tables.runs, RUNS).await
}

async fn create(client: &Client, name: &str, definition: TableDefinition) -> anyhow::Result<()> {
    let attributes: Result<_, BuildError> = definition.attributes().into_iter().map(attribute).collect();
    let indexes: Result<_, BuildError> = definition.indexes.iter().map(index).collect();
    let create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let create = create.set_key_schema(Some(key_schema(definition.key)?));
    let create = create.set_attribute_definitions(Some(attributes?));
    create.set_global_secondary_indexes(Some(indexes?)).send().await?;
    Ok(())
}

fn attribute(attribute: Attribute) -> Result<AttributeDefinition, BuildError> {
    let kind = match attribute.kind {
        AttributeKind::Text => ScalarAttributeType::S,
        AttributeKind::Number => ScalarAttributeType::N,
    };
    AttributeDefinition::builder().attribute_name(attribute.name).attribute_type(kind).build()
}

fn index(index: &IndexDefinition) -> Result<GlobalSecondaryIndex, BuildError> {
    let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let key = key_schema(index.key)?;
    GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(key))
        .projection(keys_only)
        .build()
}

fn key_schema(key: Key) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |attribute: Attribute, kind| {
        KeySchemaElement::builder().attribute_name(attribute.name).key_type(kind).build()
    };
    let partition = element(key.partition, KeyType::Hash);
    let sort = key.sort.map(|attribute| element(attribute, KeyType::Range));
    std::iter::once(partition).chain(sort).collect()
}
