//! The client context: what a function is told about its caller.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::limits::CLIENT_CONTEXT_MAX_BYTES;

/// The context as it is sent: an object is put into base64, a text is base64 already.
pub(crate) fn client_context(value: &Value) -> Result<String, String> {
    let encoded = match value {
        Value::Object(_) => STANDARD.encode(value.to_string()),
        Value::String(text) => {
            let decoded = STANDARD.decode(text).map_err(|error| {
                format!(
                    "clientContext: not base64: {error}; give the object itself, or encode it with padding"
                )
            })?;
            match serde_json::from_slice(&decoded) {
                Ok(Value::Object(_)) => text.clone(),
                _ => return Err("clientContext: it holds no JSON object; encode one".to_owned()),
            }
        }
        _ => return Err("clientContext: must be an object, or one in base64".to_owned()),
    };
    if encoded.len() > CLIENT_CONTEXT_MAX_BYTES {
        return Err(format!(
            "clientContext: has {} bytes in base64, at most {CLIENT_CONTEXT_MAX_BYTES} are taken; put some of it into the payload",
            encoded.len()
        ));
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_and_its_base64_are_the_same_context() {
        let encoded = client_context(&json!({"custom": {"a": 1}})).unwrap();
        assert_eq!(encoded, "eyJjdXN0b20iOnsiYSI6MX19");
        assert_eq!(client_context(&json!(encoded)).unwrap(), encoded);
    }

    #[test]
    fn what_lambda_would_not_take_is_refused() {
        // {"a":"…"}: 8 bytes beside the text, and base64 makes 4 bytes of 3.
        let of = |bytes: usize| client_context(&json!({"a": "x".repeat(bytes - 8)}));
        assert_eq!(of(2_685).unwrap().len(), 3_580);
        for (value, expected) in [
            (json!("not base64!"), "clientContext: not base64: "),
            (json!("eyJ"), "clientContext: not base64: "),
            (json!("WzFd"), "clientContext: it holds no JSON object"),
            (json!(7), "clientContext: must be an object"),
            (json!({"a": "x".repeat(2_680)}), "clientContext: has 3584 bytes in base64, at most 3583"),
        ] {
            let error = client_context(&value).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
