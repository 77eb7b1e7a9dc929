//! Addresses that a server behind asks a person to open: shown, never opened.

use claviger_mcp::Response;
use serde_json::Value;
use url::Url;

use crate::browser;
use crate::printer::Text;

/// One address, and what the server says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elicitation {
    pub(crate) message: String,
    /// `None` for one that is neither http nor https (A016).
    pub(crate) url: Option<Url>,
}

impl Elicitation {
    /// All that an answer asks for: -32042, or a result that asks for input.
    pub(super) fn all(response: &Response) -> Vec<Self> {
        match response {
            Response::Error { data, .. } => {
                let listed = data.as_ref().and_then(|data| data.get("elicitations"));
                let listed = listed.and_then(Value::as_array);
                listed
                    .into_iter()
                    .flatten()
                    .filter_map(Self::read)
                    .collect()
            }
            Response::Result(result) => {
                let requests = result.get("inputRequests").and_then(Value::as_object);
                let asked = requests.into_iter().flat_map(|all| all.values());
                asked
                    .filter(|one| {
                        one.get("method").and_then(Value::as_str) == Some("elicitation/create")
                    })
                    .filter_map(|one| Self::read(one.get("params")?))
                    .collect()
            }
        }
    }

    fn read(params: &Value) -> Option<Self> {
        let text = |key| params.get(key).and_then(Value::as_str);
        (text("mode") == Some("url")).then(|| Self {
            message: text("message").unwrap_or_default().to_owned(),
            url: text("url").and_then(|url| browser::parse(url).ok()),
        })
    }

    /// C-73: the whole address, its host by itself, and a warning of names that only look alike.
    pub(crate) fn lines(&self) -> Vec<Text> {
        let mut lines = vec![Text::line("  ").plain(&self.message)];
        let Some(url) = &self.url else {
            lines.push(Text::line(
                "  its address is neither http nor https and is not shown",
            ));
            return lines;
        };
        let port = url.port().map(|port| format!(":{port}"));
        let host = url.host_str().unwrap_or_default().to_owned() + &port.unwrap_or_default();
        lines.push(Text::line("  it leads to ").bold(host));
        if browser::is_punycode(url) {
            let warning = " the host's name has letters that may only look like those you know; \
                           make sure that it is the one you expect";
            lines.push(Text::line("  ").warn("! warning").plain(warning));
        }
        if url.scheme() == "http" {
            let warning = " the address is not encrypted; anybody on the way can read along";
            lines.push(Text::line("  ").warn("! warning").plain(warning));
        }
        lines.push(Text::line("  ").plain(url.as_str()));
        lines
    }
}
