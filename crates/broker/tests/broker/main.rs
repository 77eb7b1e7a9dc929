//! The broker against a scripted issuer and a real database, one test a rule. Names begin with the
//! ids they answer.

#[cfg(test)]
mod acts;
#[cfg(test)]
mod audited;
#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod disconnect;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod herd;
#[cfg(test)]
mod hot_path;
#[cfg(test)]
mod keks;
#[cfg(test)]
mod late;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod own;
#[cfg(test)]
mod purge;
#[cfg(test)]
mod races;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod registrations;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod rescue;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod step_up;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod turn;
