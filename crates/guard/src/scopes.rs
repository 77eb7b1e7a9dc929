//! Which scopes an operation needs, and which scope implies which.

use std::collections::BTreeMap;

use claviger_model::Fault;
use claviger_wire::{Scope, ScopeSet};

/// A caller lacks scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks scope `{missing}`")]
pub struct MissingScope {
    /// Everything the operation needs.
    pub needed: ScopeSet,
    /// The part of it that the token has not.
    pub missing: ScopeSet,
}

/// Broader scopes and the narrower ones they imply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeHierarchy(BTreeMap<Scope, ScopeSet>);

/// What each MCP method and each tool needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopePolicy {
    every: ScopeSet,
    methods: BTreeMap<String, ScopeSet>,
    tools: BTreeMap<String, ScopeSet>,
}

// === impl MissingScope ===

impl MissingScope {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        Fault::Caller
    }
}

// === impl ScopeHierarchy ===

impl ScopeHierarchy {
    /// Without any implication.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds: who holds `broad` holds `narrow`.
    #[must_use]
    pub fn implies(mut self, broad: Scope, narrow: &ScopeSet) -> Self {
        let entry = self.0.entry(broad).or_default();
        *entry = entry.union(narrow);
        self
    }

    /// Everything that `held` amounts to, implications of implications included.
    pub fn expand(&self, held: &ScopeSet) -> ScopeSet {
        let mut all = held.clone();
        loop {
            let wider = all
                .iter()
                .filter_map(|scope| self.0.get(scope))
                .fold(all.clone(), |sum, narrow| sum.union(narrow));
            if wider == all {
                return all;
            }
            all = wider;
        }
    }
}

// === impl ScopePolicy ===

impl ScopePolicy {
    /// Needs nothing anywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Needed for everything.
    #[must_use]
    pub fn every(mut self, scopes: ScopeSet) -> Self {
        self.every = scopes;
        self
    }

    /// Needed for a method, `tools/list` for instance.
    #[must_use]
    pub fn method(mut self, method: &str, scopes: ScopeSet) -> Self {
        self.methods.insert(method.to_owned(), scopes);
        self
    }

    /// Needed for calling a tool, beside what `tools/call` needs.
    #[must_use]
    pub fn tool(mut self, tool: &str, scopes: ScopeSet) -> Self {
        self.tools.insert(tool.to_owned(), scopes);
        self
    }

    /// All that one operation needs, so that one challenge can name it.
    pub fn needed(&self, method: &str, tool: Option<&str>) -> ScopeSet {
        let of_method = self.methods.get(method);
        let of_tool = tool.and_then(|tool| self.tools.get(tool));
        [of_method, of_tool]
            .into_iter()
            .flatten()
            .fold(self.every.clone(), |sum, scopes| sum.union(scopes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse_lossy(text)
    }

    #[test]
    fn r16_a_broader_scope_implies_narrower_ones_in_chains_and_rings() {
        let hierarchy = ScopeHierarchy::new()
            .implies(Scope::parse("admin").unwrap(), &set("write"))
            .implies(Scope::parse("write").unwrap(), &set("read"))
            .implies(Scope::parse("read").unwrap(), &set("write"));
        assert_eq!(hierarchy.expand(&set("admin")), set("admin read write"));
        assert_eq!(hierarchy.expand(&set("other")), set("other"));
    }

    #[test]
    fn r15_names_everything_one_operation_needs() {
        let policy = ScopePolicy::new()
            .every(set("mcp"))
            .method("tools/call", set("call"))
            .tool("delete", set("write"));
        assert_eq!(
            policy.needed("tools/call", Some("delete")),
            set("call mcp write")
        );
        assert_eq!(policy.needed("tools/call", Some("list")), set("call mcp"));
        assert_eq!(policy.needed("ping", None), set("mcp"));
        // A tool is matched exactly (A152).
        assert_eq!(policy.needed("tools/call", Some("Delete")), set("call mcp"));
    }
}
