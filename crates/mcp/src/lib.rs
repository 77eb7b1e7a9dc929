//! MCP on the wire: the JSON-RPC envelope, mirrored headers, eras and SSE framing.
