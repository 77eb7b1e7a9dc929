//! Names and the addresses a test wants them to have.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use claviger_ports::{Resolve, ResolveError};

/// Resolves what it was told; other names do not exist.
#[derive(Debug, Default)]
pub struct ScriptedResolve {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hosts: BTreeMap<String, VecDeque<Vec<IpAddr>>>,
    fallback: Option<Vec<IpAddr>>,
    asked: Vec<String>,
}

// === impl ScriptedResolve ===

impl ScriptedResolve {
    /// Knows no name.
    pub fn new() -> Self {
        Self::default()
    }

    /// `host` always has these addresses.
    pub fn host(&self, host: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.sequence(host, [addresses.into_iter().collect()]);
    }

    /// `host` has one set of addresses after the other, as in a rebinding attack; the last remains.
    pub fn sequence(&self, host: &str, answers: impl IntoIterator<Item = Vec<IpAddr>>) {
        let answers = answers.into_iter().collect();
        self.with(|state| state.hosts.insert(host.to_ascii_lowercase(), answers));
    }

    /// Every other name has these addresses.
    pub fn everything_else(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().collect();
        self.with(|state| state.fallback = Some(addresses));
    }

    /// The names that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.with(|state| state.asked.clone())
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("no test panicked here"))
    }
}

#[async_trait]
impl Resolve for ScriptedResolve {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.with(|state| {
            state.asked.push(host.to_owned());
            let Some(answers) = state.hosts.get_mut(&host.to_ascii_lowercase()) else {
                return state.fallback.clone().ok_or(ResolveError);
            };
            if answers.len() > 1 {
                return answers.pop_front().ok_or(ResolveError);
            }
            answers.front().cloned().ok_or(ResolveError)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use claviger_ports::Resolve;

    use super::ScriptedResolve;

    #[tokio::test]
    async fn plays_a_sequence_and_stays_with_its_last_answer() {
        let one: IpAddr = "203.0.113.1".parse().unwrap();
        let two: IpAddr = "127.0.0.1".parse().unwrap();
        let resolve = ScriptedResolve::new();
        resolve.sequence("rebind.example", [vec![one], vec![two]]);
        for expected in [one, two, two] {
            assert_eq!(resolve.resolve("Rebind.example").await.unwrap(), [expected]);
        }
        resolve.resolve("unknown.example").await.unwrap_err();
        resolve.everything_else([two]);
        assert_eq!(resolve.resolve("unknown.example").await.unwrap(), [two]);
        assert_eq!(resolve.asked().len(), 5);
    }
}
