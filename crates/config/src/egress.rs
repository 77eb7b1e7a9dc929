//! `[egress]`: connections to other machines.

use crate::keys::Keys;

/// Connections to other machines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EgressSettings {
    /// How long a connection may take to come about, in seconds.
    ///
    /// `CLAVIGER_EGRESS_CONNECT_TIMEOUT_S`, default 5, from 1 to 60.
    pub connect_timeout_s: u32,
    /// Ports that may be dialled besides 443.
    ///
    /// `CLAVIGER_EGRESS_EXTRA_PORTS` (with commas), default none.
    pub extra_ports: Vec<u16>,
    /// How long an upstream may take to begin its answer to a forwarded request, in seconds.
    ///
    /// `CLAVIGER_EGRESS_HEAD_TIMEOUT_S`, default 300, from 1 to 3600.
    pub head_timeout_s: u32,
    /// How long an idle pooled connection is kept, in seconds.
    ///
    /// `CLAVIGER_EGRESS_IDLE_TIMEOUT_S`, default 60, from 1 to 3600.
    pub idle_timeout_s: u32,
    /// How long a metadata document may take as a whole, in seconds.
    ///
    /// `CLAVIGER_EGRESS_METADATA_TIMEOUT_S`, default 10, from 1 to 60.
    pub metadata_timeout_s: u32,
    /// How long an answer of a token endpoint may take as a whole, in seconds.
    ///
    /// `CLAVIGER_EGRESS_TOKEN_TIMEOUT_S`, default 30, from 1 to 120.
    pub token_timeout_s: u32,
}

impl EgressSettings {
    pub(crate) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            connect_timeout_s: keys.read("connect_timeout_s", 5, MINUTE, up_to(60, MINUTE)),
            extra_ports: keys.read("extra_ports", Vec::new(), PORTS, |ports: &Vec<u16>| {
                if ports.contains(&0) {
                    Err(PORTS)
                } else {
                    Ok(())
                }
            }),
            head_timeout_s: keys.read("head_timeout_s", 300, HOUR, up_to(3600, HOUR)),
            idle_timeout_s: keys.read("idle_timeout_s", 60, HOUR, up_to(3600, HOUR)),
            metadata_timeout_s: keys.read("metadata_timeout_s", 10, MINUTE, up_to(60, MINUTE)),
            token_timeout_s: keys.read("token_timeout_s", 30, TOKEN, up_to(120, TOKEN)),
        }
    }
}

fn up_to(most: u32, accepted: &'static str) -> impl FnOnce(&u32) -> Result<(), &'static str> {
    move |seconds| {
        if (1..=most).contains(seconds) {
            Ok(())
        } else {
            Err(accepted)
        }
    }
}

const HOUR: &str = "accepted is a number of seconds from 1 to 3600";
const MINUTE: &str = "accepted is a number of seconds from 1 to 60";
const PORTS: &str = "accepted is a list of ports from 1 to 65535, such as [8443]";
const TOKEN: &str = "accepted is a number of seconds from 1 to 120";
