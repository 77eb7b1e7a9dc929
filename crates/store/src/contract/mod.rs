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
pub mod audit;
pub mod changes;
pub mod connections;
pub mod credentials;
pub mod estates;
pub mod fixtures;
pub mod installation;
pub mod keys;
pub mod leases;
pub mod purges;
pub mod recorded;
pub mod registrations;
pub mod reseals;
pub mod revocations;
pub mod servers;
pub mod sign_ins;
pub mod sweeps;
pub mod tenants;
pub mod version_1;

/// Makes one test of every behaviour.
#[macro_export]
macro_rules! contract_suite {
    ($make:ident) => {
        $crate::contract_suite! { @modules $make;
            api_tokens: finds_lists_and_deletes, refuses_a_taken_id_or_mac;
            audit: lists_every_field_the_newest_first, filters_by_every_field,
                appends_all_or_none, prunes_the_beginning_of_one_chain;
            changes: tells_every_change_once, tells_what_ends_and_begins_together,
                tells_tokens_keys_and_the_installation,
                tells_what_was_sealed_anew, leaves_nothing_out, knows_its_own_cursors,
                tells_many_changes;
            connections: finds_and_lists_what_was_written, keeps_every_standing_and_reason;
            credentials: replacing_writes_exactly_the_version_given,
                one_of_many_replacements_of_one_version_wins,
                replacing_writes_the_connection_with_it,
                finds_and_lists_every_field, i30_a122_rotates_by_the_fingerprint,
                i30_a_rotation_of_another_fingerprint_writes_nothing,
                i30_one_of_many_rotations_wins, ends_only_what_was_seen,
                refuses_a_server_that_is_not_there, lists_those_of_one_user;
            estates: a220_a_tenant_goes_with_all_it_has, a220_nothing_under_way_comes_back,
                an_estate_that_misses_something_changes_nothing, one_of_many_ends_it,
                i30_an_end_loses_no_token, the_end_records_itself;
            installation: there_is_one, f31_its_epoch_never_goes_back;
            keys: lists_in_order, refuses_a_second_key_of_one_generation,
                rewraps_what_was_seen;
            leases: excludes_everybody_until_released, is_extended_by_its_owner_alone,
                ends_by_time_and_counts_on,
                a_late_release_does_not_free_the_next_holder, one_of_many_gets_it,
                holds_for_one_key_only, f02_an_intent_outlives_its_holder,
                an_intent_is_of_its_token, a_late_withdrawal_leaves_the_next_holders_intent,
                a213_declares_nothing_of_another;
            purges: g6_new_settings_end_what_the_old_ones_obtained,
                a_purge_that_misses_one_changes_nothing,
                surrenders_a_server_and_queues_what_is_owed, i30_a_purge_loses_no_rotation,
                one_of_many_purges_wins, a213_purges_nothing_of_another;
            recorded: every_write_records_itself_once, every_other_write_records_itself_too,
                several_entries_stand_with_one_write, a_taken_number_undoes_the_write,
                a_failed_write_records_nothing, a213_records_for_its_own_tenant_only,
                keys_and_the_installation_record_too;
            registrations: the_last_one_is_current, retiring_keeps_the_row,
                compares_issuers_as_text, lists_all_of_a_server;
            reseals: finds_what_an_old_key_sealed,
                lists_every_sealed_row_once_page_by_page, seals_anew_and_writes_nothing_else,
                i30_never_overwrites_a_rotation, a208_a_key_in_use_stays,
                a208_nothing_hangs_on_a_key_that_is_gone,
                a208_a_server_hangs_on_its_oldest_setting;
            revocations: lists_every_field_the_next_first, one_of_many_claims_it,
                surrenders_only_what_was_seen, a213_is_its_tenants_alone;
            servers: finds_and_lists_what_was_inserted, keeps_every_kind_of_auth,
                refuses_a_taken_slug, updates_only_what_is_there,
                no_change_is_lost_to_another, deletes_all_that_hangs_on_it, deletes_nothing_else;
            sign_ins: m3_one_is_open_per_key, an_expired_one_makes_room,
                f04_an_exchange_that_died_makes_way,
                a074_is_taken_once, a074_one_of_many_takes_it,
                a074_takes_nothing_expired_ended_or_unknown, m4_ends_once_and_erases,
                finds_the_open_one_only, completes_once_with_its_credential,
                a_completion_that_fails_leaves_it_open, one_of_many_completions_wins,
                f04_an_end_and_what_it_brought_are_one,
                a139_queues_what_is_owed_with_what_replaces_it;
            sweeps: ends_what_expired_and_deletes_what_is_old,
                deletes_client_information_nobody_uses, deletes_api_tokens_long_expired;
            tenants: a214_same_names_in_two_tenants, a213_reads_nothing_of_another,
                a213_writes_nothing_of_another, a213_deletes_nothing_of_another,
                locates_by_mac, lists_tenants_with_rows, sees_that_something_was_written;
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
