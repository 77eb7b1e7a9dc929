//! The suite every backend passes: what the traits promise, said once.
//!
//! A backend writes `claviger_store::contract_suite!(make)` into a test file, where `make` is an
//! `async fn() -> (Guard, impl Store)`; the guard keeps the database alive until the test ends. It
//! may answer an `Option` of that, where there is no such database on every machine.
//! Every behaviour gets a database of its own.

#![expect(clippy::unwrap_used, reason = "a test suite")]
#![expect(
    clippy::missing_panics_doc,
    reason = "a test suite: every function asserts"
)]

pub mod api_tokens;
pub mod connections;
pub mod credentials;
pub mod fixtures;
pub mod keys;
pub mod leases;
pub mod registrations;
pub mod servers;
pub mod sign_ins;
pub mod tenants;

/// Makes one test of every behaviour.
#[macro_export]
macro_rules! contract_suite {
    ($make:ident) => {
        $crate::contract_suite! { @modules $make;
            api_tokens: finds_lists_and_deletes, refuses_a_taken_id_or_mac;
            connections: finds_and_lists_what_was_written, keeps_every_standing_and_reason;
            credentials: replacing_writes_exactly_the_version_given,
                one_of_many_replacements_of_one_version_wins,
                replacing_writes_the_connection_with_it,
                finds_and_lists_every_field, i30_a122_rotates_by_the_fingerprint,
                i30_a_rotation_of_another_fingerprint_writes_nothing,
                i30_one_of_many_rotations_wins, ends_only_what_was_seen,
                refuses_a_server_that_is_not_there;
            keys: lists_in_order, refuses_a_second_key_of_one_generation;
            leases: excludes_everybody_until_released, ends_by_time_and_counts_on,
                a_late_release_does_not_free_the_next_holder, one_of_many_gets_it,
                holds_for_one_key_only;
            registrations: the_last_one_is_current, retiring_keeps_the_row,
                compares_issuers_as_text, lists_all_of_a_server;
            servers: finds_and_lists_what_was_inserted, keeps_every_kind_of_auth,
                refuses_a_taken_slug, updates_only_what_is_there,
                deletes_all_that_hangs_on_it, deletes_nothing_else;
            sign_ins: m3_one_is_open_per_key, an_expired_one_makes_room,
                a074_is_taken_once, a074_one_of_many_takes_it,
                a074_takes_nothing_expired_ended_or_unknown, m4_ends_once_and_erases,
                finds_the_open_one_only,
                f04_an_end_and_what_it_brought_are_one;
            tenants: a214_same_names_in_two_tenants, a213_reads_nothing_of_another,
                a213_writes_nothing_of_another, a213_deletes_nothing_of_another,
                locates_by_mac, sees_that_something_was_written;
        }
    };
    (@modules $make:ident; $($module:ident: $($behaviour:ident),+;)+) => {
        $(mod $module {$(
            #[tokio::test]
            async fn $behaviour() {
                let made = super::$make().await;
                let ::core::option::Option::Some((guard, store)) = made.into() else {
                    return;
                };
                $crate::contract::$module::$behaviour(&store).await;
                drop(store);
                drop(guard);
            }
        )+})+
    };
}
