//! Tool arguments mirrored into headers, as a tool's input schema asks (2026-07-28).

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::header::{MCP_PARAM_PREFIX, encode};

/// Which arguments of a tool are mirrored into which headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamHeaders(Vec<(HeaderName, Vec<String>)>);

/// Why an annotation cannot be followed; the tool is then not to be offered (T-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAnnotation {
    /// `x-mcp-header` is not a non-empty token.
    #[error("`x-mcp-header` is not a header token")]
    Name,
    /// Two arguments want the same header.
    #[error("two arguments are mirrored into the same header")]
    Repeated,
    /// Only texts, integers and booleans can be mirrored.
    #[error("an argument that is mirrored is neither a string nor an integer nor a boolean")]
    Type,
    /// The annotation stands where no single argument is meant.
    #[error("`x-mcp-header` stands outside of a chain of `properties`")]
    Unreachable,
}

impl ParamHeaders {
    /// Reads the annotations of an `inputSchema`.
    pub fn of(input_schema: &Value) -> Result<Self, InvalidAnnotation> {
        let mut found = Self::default();
        found.collect(input_schema, &mut Vec::new())?;
        Ok(found)
    }

    /// The headers for these arguments. What is absent or null has none.
    pub fn headers(&self, arguments: &Value) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, path) in &self.0 {
            let found = path.iter().try_fold(arguments, |at, key| at.get(key));
            let text = match found {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(truth)) => truth.to_string(),
                Some(Value::Number(number)) => number.to_string(),
                _ => continue,
            };
            if let Ok(value) = HeaderValue::from_str(&encode(&text)) {
                headers.insert(name.clone(), value);
            }
        }
        headers
    }

    fn collect(&mut self, schema: &Value, path: &mut Vec<String>) -> Result<(), InvalidAnnotation> {
        let Some(schema) = schema.as_object() else {
            return Ok(());
        };
        if let Some(name) = schema.get(ANNOTATION) {
            self.add(name, schema, path)?;
        }
        for (keyword, below) in schema {
            match below.as_object() {
                Some(properties) if keyword == "properties" => {
                    for (key, property) in properties {
                        path.push(key.clone());
                        self.collect(property, path)?;
                        path.pop();
                    }
                }
                _ if keyword == ANNOTATION || INSTANCES.contains(&keyword.as_str()) => {}
                _ if is_annotated(below) => return Err(InvalidAnnotation::Unreachable),
                _ => {}
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        name: &Value,
        schema: &Map<String, Value>,
        path: &[String],
    ) -> Result<(), InvalidAnnotation> {
        if path.is_empty() {
            return Err(InvalidAnnotation::Unreachable);
        }
        let name = name.as_str().filter(|name| !name.is_empty());
        let name = name.ok_or(InvalidAnnotation::Name)?;
        let full = format!("{MCP_PARAM_PREFIX}{name}");
        let name = HeaderName::from_bytes(full.as_bytes()).or(Err(InvalidAnnotation::Name))?;
        let mirrored = schema.get("type").and_then(Value::as_str);
        if !matches!(mirrored, Some("string" | "integer" | "boolean")) {
            return Err(InvalidAnnotation::Type);
        }
        if self.0.iter().any(|(other, _)| *other == name) {
            return Err(InvalidAnnotation::Repeated);
        }
        self.0.push((name, path.to_vec()));
        Ok(())
    }
}

fn is_annotated(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_annotated),
        Value::Object(members) => {
            members.contains_key(ANNOTATION) || members.values().any(is_annotated)
        }
        _ => false,
    }
}

const ANNOTATION: &str = "x-mcp-header";
/// Keywords that hold values and no schemas.
const INSTANCES: [&str; 4] = ["const", "default", "enum", "examples"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, expected: Result<usize, InvalidAnnotation>) {
        let found = ParamHeaders::of(schema).map(|found| found.0.len());
        assert_eq!(found, expected, "{schema}");
    }

    #[test]
    fn t10_arguments_are_mirrored_also_nested_ones() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "page": {"type": "integer", "x-mcp-header": "Page"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry_Run"},
            "where": {"type": "object", "properties": {"tenant": {"type": "string", "x-mcp-header": "Tenant"}}},
            "other": {"type": "string"},
        }});
        let arguments = json!({"region": "zürich", "page": 3, "dry": true, "where": {"tenant": null}, "other": "x"});
        let headers = ParamHeaders::of(&schema).unwrap().headers(&arguments);
        assert_eq!(headers["mcp-param-region"], "=?base64?esO8cmljaA==?=");
        assert_eq!(headers["mcp-param-page"], "3");
        assert_eq!(headers["mcp-param-dry_run"], "true");
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn t10_annotations_that_cannot_be_followed_are_refused() {
        let one = |property: Value| json!({"properties": {"a": property}});
        for name in [json!(""), json!("a b"), json!("ä"), json!(1)] {
            let property = json!({"type": "string", "x-mcp-header": name});
            check(&one(property), Err(InvalidAnnotation::Name));
        }
        for kind in ["number", "object", "array", "null"] {
            let property = json!({"type": kind, "x-mcp-header": "A"});
            check(&one(property), Err(InvalidAnnotation::Type));
        }
        let twice = json!({"properties": {
            "a": {"type": "string", "x-mcp-header": "A"},
            "b": {"type": "string", "x-mcp-header": "a"},
        }});
        check(&twice, Err(InvalidAnnotation::Repeated));
        let annotated = json!({"type": "string", "x-mcp-header": "A"});
        for schema in [
            json!({"type": "string", "x-mcp-header": "A"}),
            json!({"properties": {"a": {"type": "array", "items": annotated}}}),
            json!({"anyOf": [{"properties": {"a": annotated}}]}),
            json!({"$defs": {"a": annotated}}),
        ] {
            check(&schema, Err(InvalidAnnotation::Unreachable));
        }
        let harmless =
            json!({"properties": {"a": {"type": "object", "default": {"x-mcp-header": 1}}}});
        check(&harmless, Ok(0));
        check(&json!({}), Ok(0));
    }
}
