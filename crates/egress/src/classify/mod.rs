//! Which addresses are public, which may be opened for one server, and which never are.
//!
//! IPv6 is allowed by what it is, not refused by a list: the standard library calls
//! `::ffff:127.0.0.1` neither loopback nor private, and the next transition mechanism will not be in
//! anybody's list either.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What may be done with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressClass {
    /// Routed on the internet: anybody may be sent there.
    Public,
    /// Loopback or private: only for a host the operator opened.
    Private,
    /// Never dialled: metadata of cloud hosts, multicast, reserved, link-local, and every IPv6 form
    /// that hides an IPv4 address.
    Forbidden,
}

struct V4Range {
    base: Ipv4Addr,
    prefix: u32,
    class: AddressClass,
}

struct V6Range {
    base: Ipv6Addr,
    prefix: u32,
}

/// Classifies one address. `nat64` is the /96 prefix through which this network reaches IPv4.
pub(crate) fn classify(address: IpAddr, nat64: Option<Ipv6Addr>) -> AddressClass {
    match (address, nat64) {
        (IpAddr::V4(v4), _) => classify_v4(v4),
        (IpAddr::V6(v6), Some(prefix)) if v6.to_bits() >> 32 == prefix.to_bits() >> 32 => {
            let [.., a, b, c, d] = v6.octets();
            // RFC 6052 §3.1: a translator leads out; a private address behind it is a trick.
            match classify_v4(Ipv4Addr::new(a, b, c, d)) {
                AddressClass::Public => AddressClass::Public,
                AddressClass::Private | AddressClass::Forbidden => AddressClass::Forbidden,
            }
        }
        (IpAddr::V6(v6), _) => classify_v6(v6),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    if CLOUD_V4.contains(&address) {
        return AddressClass::Forbidden;
    }
    V4_RANGES
        .iter()
        .find(|range| range.holds(address))
        .map_or(AddressClass::Public, |range| range.class)
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    if CLOUD_V6.contains(&address) || is_isatap(address) {
        return AddressClass::Forbidden;
    }
    if address == Ipv6Addr::LOCALHOST || UNIQUE_LOCAL.holds(address) {
        return AddressClass::Private;
    }
    let special = V6_SPECIAL.iter().any(|range| range.holds(address));
    if GLOBAL_UNICAST.holds(address) && !special {
        AddressClass::Public
    } else {
        AddressClass::Forbidden
    }
}

// RFC 5214 §6.1: the interface id is 0000:5efe or 0200:5efe and then an IPv4 address, below any
// prefix, so that a public prefix may lead to a private host. The group bit is ignored as well.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, universal, isatap, _, _] = address.segments();
    universal & !0x0300 == 0 && isatap == 0x5efe
}

// === impl V4Range ===

impl V4Range {
    const fn new(octets: [u8; 4], prefix: u32, class: AddressClass) -> Self {
        let [a, b, c, d] = octets;
        Self {
            base: Ipv4Addr::new(a, b, c, d),
            prefix,
            class,
        }
    }

    fn holds(&self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
        (address.to_bits() ^ self.base.to_bits()) & mask == 0
    }
}

// === impl V6Range ===

impl V6Range {
    const fn new(high: [u16; 3], prefix: u32) -> Self {
        let [a, b, c] = high;
        Self {
            base: Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0),
            prefix,
        }
    }

    fn holds(&self, address: Ipv6Addr) -> bool {
        let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
        (address.to_bits() ^ self.base.to_bits()) & mask == 0
    }
}

// Metadata services of clouds, wherever in the address space they sit; some lie in ranges that an
// operator may open for a server of their own.
const CLOUD_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 169, 123),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

const CLOUD_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

// The IANA special-purpose registry (RFC 6890 and its updates), as printed.
const V4_RANGES: [V4Range; 19] = [
    V4Range::new([0, 0, 0, 0], 8, AddressClass::Forbidden),
    V4Range::new([10, 0, 0, 0], 8, AddressClass::Private),
    V4Range::new([100, 64, 0, 0], 10, AddressClass::Private),
    V4Range::new([127, 0, 0, 0], 8, AddressClass::Private),
    V4Range::new([169, 254, 0, 0], 16, AddressClass::Forbidden),
    V4Range::new([172, 16, 0, 0], 12, AddressClass::Private),
    V4Range::new([192, 0, 0, 0], 24, AddressClass::Forbidden),
    V4Range::new([192, 0, 2, 0], 24, AddressClass::Forbidden),
    V4Range::new([192, 31, 196, 0], 24, AddressClass::Forbidden),
    V4Range::new([192, 52, 193, 0], 24, AddressClass::Forbidden),
    V4Range::new([192, 88, 99, 0], 24, AddressClass::Forbidden),
    V4Range::new([192, 168, 0, 0], 16, AddressClass::Private),
    V4Range::new([192, 175, 48, 0], 24, AddressClass::Forbidden),
    V4Range::new([198, 18, 0, 0], 15, AddressClass::Forbidden),
    V4Range::new([198, 51, 100, 0], 24, AddressClass::Forbidden),
    V4Range::new([203, 0, 113, 0], 24, AddressClass::Forbidden),
    V4Range::new([224, 0, 0, 0], 4, AddressClass::Forbidden),
    V4Range::new([240, 0, 0, 0], 4, AddressClass::Forbidden),
    V4Range::new([255, 255, 255, 255], 32, AddressClass::Forbidden),
];

const GLOBAL_UNICAST: V6Range = V6Range::new([0x2000, 0, 0], 3);
const UNIQUE_LOCAL: V6Range = V6Range::new([0xfc00, 0, 0], 7);

const V6_SPECIAL: [V6Range; 5] = [
    // Protocol assignments: Teredo, ORCHID, benchmarking.
    V6Range::new([0x2001, 0, 0], 23),
    // Documentation.
    V6Range::new([0x2001, 0xdb8, 0], 32),
    // 6to4 carries an IPv4 address.
    V6Range::new([0x2002, 0, 0], 16),
    // Documentation.
    V6Range::new([0x3fff, 0, 0], 20),
    // AS112, direct delegation.
    V6Range::new([0x2620, 0x4f, 0x8000], 48),
];

#[cfg(test)]
mod tests;
