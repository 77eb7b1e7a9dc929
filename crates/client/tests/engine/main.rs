//! The engine against scripted peers, one test a rule. Names begin with the ids they answer.

#[cfg(test)]
mod authorize;
#[cfg(test)]
mod client_credentials;
#[cfg(test)]
mod discover;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod known;
#[cfg(test)]
mod legacy;
#[cfg(test)]
mod manage;
#[cfg(test)]
mod redeem;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod register;
#[cfg(test)]
mod revoke;
#[cfg(test)]
mod support;
