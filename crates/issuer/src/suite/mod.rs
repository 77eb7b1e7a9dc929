//! The suite every store passes: what the traits promise, said once.
//!
//! A backend writes `claviger_issuer::issuer_suite!(make)` into a test file, where `make` is an
//! `async fn() -> (Guard, impl IssuerStore)`; the guard keeps the database alive until the test
//! ends. It may answer an `Option` of that, where there is no such database on every machine.
//! Every behavior gets a database of its own.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test suite")]
#![expect(
    clippy::missing_panics_doc,
    reason = "a test suite: every function asserts"
)]

pub mod clients;
pub mod devices;
pub mod fixtures;
pub mod grants;
pub mod once;
pub mod replays;
pub mod requests;
pub mod sweeps;

/// Makes one test of every behavior.
#[macro_export]
macro_rules! issuer_suite {
    ($make:ident) => {
        $crate::issuer_suite! { @modules $make;
            clients: finds_every_field, updates_only_what_is_there, is_used_once_a_day,
                a046_retiring_ends_everything_of_one, a046_a_retired_id_is_remembered;
            devices: finds_every_field, refuses_a_taken_user_code, decides_once,
                tells_who_asks_too_often, one_of_many_redeems_it, redeems_only_what_is_approved;
            grants: finds_every_field, a109_knows_spent_tokens_again, a113_one_of_many_rotates,
                a114_a_revoked_family_does_not_rotate, a117_a_family_that_is_over_does_not_rotate,
                a138_revoking_a_grant_ends_its_tokens, a118_revoking_a_user_ends_all_of_one,
                revoking_an_access_token_leaves_the_grant;
            once: is_good_once, is_good_again_when_it_is_over, one_of_many_claims_it;
            replays: a110_gives_the_last_answer_freely_at_first,
                a112_gives_it_three_times_later, a111_gives_nothing_once_the_successor_was_used,
                gives_nothing_of_a_revoked_family, many_at_once_get_three;
            requests: finds_every_field, pending_is_taken_once, a070_pushed_is_taken_once_by_its_client,
                a094_one_of_many_redeems_a_code, a096_three_failures_burn_a_code,
                keeps_redeemed_codes;
            sweeps: deletes_what_is_over_and_nothing_else, a028_forgets_clients_nobody_used;
        }
    };
    (@modules $make:ident; $($module:ident: $($behavior:ident),+;)+) => {
        $(mod $module {$(
            #[tokio::test]
            async fn $behavior() {
                let made = super::$make().await;
                let ::core::option::Option::Some((guard, store)) = made.into() else {
                    return;
                };
                $crate::suite::$module::$behavior(&store).await;
                drop(store);
                drop(guard);
            }
        )+})+
    };
}
