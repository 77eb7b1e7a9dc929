//! The chapters of the story, in order.

use core::time::Duration;

use claviger_admin_api::{AddServer, Line, Request};
use claviger_ports::Clock;
use serde_json::json;

use super::caller::CallerError;
use super::{ACCESS_TTL_S, Stage, Told, WalkthroughError};

/// The name of the demo's server in addresses.
pub(super) const SLUG: &str = "demo";

/// How many callers ask at once for an expired credential.
const AT_ONCE: usize = 8;

const CHAPTERS: [&str; 6] = [
    "A protected MCP server, and Claviger in front of it",
    "Discovery: what does the server ask for?",
    "A client calls, but nobody has signed in yet",
    "The sign-in: registration, PKCE, consent, tokens",
    "Two tools through the gateway",
    "The access token ends: one refresh for many callers",
];

impl Stage<'_> {
    pub(super) async fn play(&mut self) -> Result<(), WalkthroughError> {
        self.scenery();
        self.discovery().await?;
        self.call_too_early().await?;
        self.signing_in().await?;
        self.two_tools().await?;
        self.one_refresh().await
    }

    fn begin_chapter(&mut self) {
        self.chapter += 1;
        let title = CHAPTERS.get(self.chapter - 1).copied().unwrap_or_default();
        self.tell(Told::Chapter {
            number: self.chapter,
            of: CHAPTERS.len(),
            title,
        });
    }

    fn scenery(&mut self) {
        self.begin_chapter();
        let (url, issuer) = (
            self.upstream.url().to_owned(),
            self.upstream.issuer().to_owned(),
        );
        self.fact("protected server", url);
        self.fact("its issuer", issuer);
        self.fact("gateway", self.ready.base_url.clone());
        self.fact("data directory", self.ready.data_dir.display().to_string());
        self.fact("database", "SQLite, credentials sealed with AES-256-GCM");
        self.fact(
            "key file",
            format!("{} (mode 0600)", self.ready.key_file.display()),
        );
        let token = self.caller.shown_token();
        self.fact("local API token", format!("{token} (in a file, mode 0600)"));
        let note = "Everything listens on loopback; nothing leaves this machine.";
        self.tell(Told::Note(note.to_owned()));
    }

    async fn discovery(&mut self) -> Result<(), WalkthroughError> {
        self.begin_chapter();
        let request = Request::AddServer(Box::new(AddServer {
            slug: SLUG.to_owned(),
            url: self.upstream.url().to_owned(),
            display_name: Some("Demo server".to_owned()),
            // The demo is on loopback, and says so; without this nothing private is dialled.
            allow_private: true,
            ..AddServer::default()
        }));
        for line in self.act(request).await? {
            if let Line::Server(server) = line {
                self.fact("needs a sign-in", server.sign_in);
                self.fact("ways to register", server.registration.join(", "));
                self.fact("scopes", server.scopes.join(" "));
            }
        }
        Ok(())
    }

    async fn call_too_early(&mut self) -> Result<(), WalkthroughError> {
        self.begin_chapter();
        let refused = match self.caller.begin(SLUG).await {
            Err(CallerError::Refused { message, data }) => (message, data),
            Err(source) => return Err(WalkthroughError::Call { source }),
            Ok(()) => {
                let what = "the protected server answered without a sign-in".to_owned();
                return Err(WalkthroughError::Unexpected { what });
            }
        };
        let (message, data) = refused;
        let link = data["claviger"]["url"]
            .as_str()
            .or_else(|| data["elicitations"][0]["url"].as_str())
            .unwrap_or_default();
        // The link begins a sign-in; whoever reads over a shoulder gets the start of it.
        self.fact(
            "the client is told",
            message.replace(link, &shorten_path(link)),
        );
        let note = "Not a 401: the client is signed in to Claviger; it is the server behind that \
                    asks. The upstream's own challenge never reaches the client.";
        self.tell(Told::Note(note.to_owned()));
        Ok(())
    }

    async fn signing_in(&mut self) -> Result<(), WalkthroughError> {
        self.begin_chapter();
        let began = self.clock.monotonic_ms();
        let ended = self.sign_in().await?;
        if ended.outcome != "success" {
            let message = ended.message.unwrap_or(ended.outcome);
            return Err(WalkthroughError::Refused { message });
        }
        let took_ms = self.clock.monotonic_ms().saturating_sub(began);
        self.tell(Told::Did {
            what: "signed in, credential sealed and stored".to_owned(),
            took_ms,
        });
        let request = Request::Status {
            slug: Some(SLUG.to_owned()),
        };
        for line in self.act(request).await? {
            if let Line::Connection(connection) = line {
                self.fact("standing", connection.standing);
                self.fact("scopes granted", connection.scopes.join(" "));
                let life = connection.expires_in_s.unwrap_or_default();
                let refreshable = if connection.is_refreshable {
                    "refreshable"
                } else {
                    "final"
                };
                self.fact("access token", format!("ends in {life} s, {refreshable}"));
            }
        }
        Ok(())
    }

    async fn two_tools(&mut self) -> Result<(), WalkthroughError> {
        self.begin_chapter();
        let call = |source| WalkthroughError::Call { source };
        let began = self.clock.monotonic_ms();
        self.caller.begin(SLUG).await.map_err(call)?;
        let tools = self.caller.tools(SLUG).await.map_err(call)?;
        self.did("initialize and tools/list", began);
        self.fact("tools", tools.join(", "));
        let began = self.clock.monotonic_ms();
        let who = self
            .caller
            .call(SLUG, "whoami", &json!({}))
            .await
            .map_err(call)?;
        self.did("tools/call whoami", began);
        self.fact("answer", who);
        let began = self.clock.monotonic_ms();
        let sum = self
            .caller
            .call(SLUG, "add", &json!({"a": 19, "b": 23}))
            .await
            .map_err(call)?;
        self.did("tools/call add {a: 19, b: 23}", began);
        if !sum.contains("42") {
            let what = format!("the tool answered `{sum}` instead of 42");
            return Err(WalkthroughError::Unexpected { what });
        }
        self.fact("answer", sum);
        Ok(())
    }

    async fn one_refresh(&mut self) -> Result<(), WalkthroughError> {
        self.begin_chapter();
        let before = self.upstream.counters();
        let note = format!("Waiting for the access token to end ({ACCESS_TTL_S} s)…");
        self.tell(Told::Note(note));
        self.clock
            .sleep(Duration::from_millis(
                u64::from(ACCESS_TTL_S) * 1_000 + 1_200,
            ))
            .await;
        let began = self.clock.monotonic_ms();
        let arguments = json!({"a": 1, "b": 2});
        let answers = self
            .caller
            .call_many(SLUG, "add", &arguments, AT_ONCE)
            .await
            .map_err(|source| WalkthroughError::Call { source })?;
        self.did(&format!("{AT_ONCE} calls at once"), began);
        let after = self.upstream.counters();
        let refreshes = after.refreshes.saturating_sub(before.refreshes);
        let right = answers.iter().filter(|answer| answer.contains('3')).count();
        self.fact("right answers", format!("{right} of {AT_ONCE}"));
        self.fact("refreshes the issuer saw", refreshes.to_string());
        self.fact(
            "sign-ins it took",
            (after.redemptions - before.redemptions).to_string(),
        );
        if right != AT_ONCE || refreshes != 1 {
            let what = format!("{right} right answers and {refreshes} refreshes");
            return Err(WalkthroughError::Unexpected { what });
        }
        Ok(())
    }

    fn did(&mut self, what: &str, began: u64) {
        let took_ms = self.clock.monotonic_ms().saturating_sub(began);
        self.tell(Told::Did {
            what: what.to_owned(),
            took_ms,
        });
    }
}

/// A URL whose query is named, not shown: it carries `state` and the challenge.
pub(super) fn shorten_query(url: &str) -> String {
    let Some((place, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let names: Vec<_> = query
        .split('&')
        .filter_map(|pair| pair.split('=').next())
        .collect();
    format!("{place} ({})", names.join(", "))
}

/// A link whose last segment is a ticket.
fn shorten_path(link: &str) -> String {
    match link.rsplit_once('/') {
        Some((place, ticket)) => {
            let start: String = ticket.chars().take(6).collect();
            format!("{place}/{start}…")
        }
        None => link.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_neither_state_nor_tickets() {
        let url = "http://127.0.0.1:1/authorize?state=SECRET&code_challenge=C";
        let expected = "http://127.0.0.1:1/authorize (state, code_challenge)";
        assert_eq!(shorten_query(url), expected);
        assert_eq!(
            shorten_path("http://h/login/abcdefghij"),
            "http://h/login/abcdef…"
        );
    }
}
