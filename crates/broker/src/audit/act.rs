//! What is recorded, by name.

macro_rules! acts {
    ($($name:ident = $text:literal, $what:literal;)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Act {
            $(#[doc = $what] $name,)*
        }

        impl Act {
            /// Every act there is, by name.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in the log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $what,)* }
            }
        }
    };
}

acts! {
    ApiTokenCreate = "api_token.create", "An API token of ours was made.";
    ApiTokenDelete = "api_token.delete", "An API token of ours was deleted.";
    Begin = "audit.begin", "A chain begins.";
    Checkpoint = "audit.checkpoint", "How far other chains had come.";
    End = "audit.end", "A chain ends in order.";
    Lost = "audit.lost", "So many uses could not be kept.";
    Prune = "audit.prune", "Old entries of a chain were deleted.";
    Void = "audit.void", "Nothing: it takes the number of an entry whose end was not heard.";
    Backup = "backup", "A backup was made.";
    CredentialEnd = "credential.end", "A credential was ended here.";
    CredentialPurge = "credential.purge", "A credential ended with the settings it was made for.";
    CredentialRefresh = "credential.refresh", "A credential was renewed, or that failed.";
    CredentialStore = "credential.store", "A sign-in brought a credential, and it is stored.";
    CredentialUse = "credential.use", "A credential was attached to requests.";
    EgressBlocked = "egress.blocked", "A connection to a forbidden address was refused.";
    KeysDrop = "keys.drop", "A generation of a key was deleted.";
    KeysRewrap = "keys.rewrap", "A key was wrapped anew.";
    KeysRotate = "keys.rotate", "A new generation of a key was made.";
    RegistrationCreate = "registration.create", "Client information was received or set.";
    RegistrationRetire = "registration.retire", "Client information is used no longer.";
    Restore = "restore", "A backup was restored, or the restored copy was released.";
    RevocationConfirmed = "revocation.confirmed", "The issuer confirmed a revocation.";
    RevocationFailed = "revocation.failed", "The issuer did not confirm a revocation yet.";
    RevocationQueued = "revocation.queued", "A revocation is owed to the issuer.";
    RevocationSent = "revocation.sent", "The issuer was asked to revoke.";
    ServerAdd = "server.add", "A server was added.";
    ServerRemove = "server.remove", "A server was removed with all that hung on it.";
    ServerSet = "server.set", "A server was changed.";
    SignInBegin = "sign_in.begin", "A sign-in began.";
    SignInEnd = "sign_in.end", "A sign-in came to its end.";
    Tamper = "tamper", "A sealed record was refused.";
    TenantRemove = "tenant.remove", "A tenant was removed with all it had, its keys included.";
    UserRemove = "user.remove", "A user was removed with all they held.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_act_has_one_name_and_they_are_in_order() {
        let names: Vec<_> = Act::ALL.iter().map(|act| act.as_str()).collect();
        let sorted: Vec<_> = names
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        assert_eq!(names, sorted);
    }

    #[test]
    fn the_documentation_lists_every_act_and_no_other() {
        let docs = include_str!("../../../../docs/audit.md");
        let listed: Vec<_> = docs
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
            .filter_map(|(name, rest)| Some((name, rest.strip_suffix(" |")?)))
            .filter(|(name, _)| !name.starts_with("detail."))
            .collect();
        let known: Vec<_> = Act::ALL
            .iter()
            .map(|act| (act.as_str(), act.meaning()))
            .collect();
        assert_eq!(listed, known);
    }
}
