//! The address tables: each range with its neighbors, and PROP5.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::{Strategy, any, prop_assert_ne, prop_oneof, proptest};

use super::{AddressClass, CLOUD_V4, CLOUD_V6, V4_RANGES, V6_SPECIAL, classify};

#[track_caller]
fn check(address: &str, expected: AddressClass) {
    let address: IpAddr = address.parse().unwrap();
    assert_eq!(classify(address, None), expected, "{address}");
}

#[test]
fn knows_the_addresses_people_use() {
    for public in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:82a::200e",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db7:ffff::1",
        "2003::1",
        "2620:4f:7fff::1",
        "2620:4f:8001::1",
        "3fff:1000::1",
    ] {
        check(public, AddressClass::Public);
    }
    for private in [
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "::1",
        "fc00::1",
        "fd12:3456::1",
    ] {
        check(private, AddressClass::Private);
    }
}

#[test]
fn b14_refuses_every_special_form_for_everybody() {
    for forbidden in [
        "0.0.0.0",
        "0.1.2.3",
        "169.254.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2606:4700::5efe:7f00:1",
        "2606:4700::200:5efe:7f00:1",
        "3fff::1",
        "5f00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        check(forbidden, AddressClass::Forbidden);
    }
}

#[test]
fn a001_metadata_services_of_clouds_are_never_opened() {
    for address in CLOUD_V4 {
        assert_eq!(
            classify(address.into(), None),
            AddressClass::Forbidden,
            "{address}"
        );
    }
    for address in CLOUD_V6 {
        assert_eq!(
            classify(address.into(), None),
            AddressClass::Forbidden,
            "{address}"
        );
    }
}

#[test]
fn each_range_ends_where_it_says() {
    for range in V4_RANGES {
        let mask = u32::MAX.checked_shl(32 - range.prefix).unwrap_or(0);
        let first = range.base.to_bits() & mask;
        let last = first | !mask;
        for inside in [first, last, first + (last - first) / 2] {
            assert_ne!(
                classify(Ipv4Addr::from_bits(inside).into(), None),
                AddressClass::Public,
                "{}",
                Ipv4Addr::from_bits(inside)
            );
        }
        let neighbors = [first.checked_sub(1), last.checked_add(1)];
        for outside in neighbors.into_iter().flatten() {
            let address = Ipv4Addr::from_bits(outside);
            let held = V4_RANGES.iter().any(|other| other.holds(address));
            let public = classify(address.into(), None) == AddressClass::Public;
            assert_ne!(public, held, "{address}");
        }
    }
}

#[test]
fn each_ipv6_range_ends_where_it_says() {
    for range in V6_SPECIAL {
        let mask = u128::MAX << (128 - range.prefix);
        let first = range.base.to_bits() & mask;
        let last = first | !mask;
        for inside in [first, last, first + (last - first) / 2] {
            let class = classify(Ipv6Addr::from_bits(inside).into(), None);
            assert_eq!(
                class,
                AddressClass::Forbidden,
                "{}",
                Ipv6Addr::from_bits(inside)
            );
        }
        for outside in [first - 1, last + 1] {
            let address = Ipv6Addr::from_bits(outside);
            let held = V6_SPECIAL.iter().any(|other| other.holds(address));
            let public = classify(address.into(), None) == AddressClass::Public;
            assert_ne!(public, held, "{address}");
        }
    }
}

#[test]
fn a_networks_own_nat64_is_judged_by_what_it_carries() {
    let prefix = Some("64:ff9b::".parse().unwrap());
    for (address, expected) in [
        ("64:ff9b::808:808", AddressClass::Public),
        ("64:ff9b::7f00:1", AddressClass::Forbidden),
        ("64:ff9b::a00:1", AddressClass::Forbidden),
        ("64:ff9b::a9fe:a9fe", AddressClass::Forbidden),
        ("64:ff9b:1::808:808", AddressClass::Forbidden),
        ("64:ff9b::1:808:808", AddressClass::Forbidden),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(classify(address, prefix), expected, "{address}");
    }
}

fn special_v4() -> impl Strategy<Value = Ipv4Addr> {
    (0..V4_RANGES.len(), any::<u32>()).prop_map(|(at, host)| {
        let range = V4_RANGES.get(at).unwrap();
        let mask = u32::MAX.checked_shl(32 - range.prefix).unwrap_or(0);
        Ipv4Addr::from_bits((range.base.to_bits() & mask) | (host & !mask))
    })
}

fn special_v6() -> impl Strategy<Value = Ipv6Addr> {
    (0..V6_SPECIAL.len(), any::<u128>()).prop_map(|(at, host)| {
        let range = V6_SPECIAL.get(at).unwrap();
        let mask = u128::MAX.checked_shl(128 - range.prefix).unwrap_or(0);
        Ipv6Addr::from_bits((range.base.to_bits() & mask) | (host & !mask))
    })
}

// Every way an IPv4 address is known to travel inside an IPv6 one.
fn embedded(v4: Ipv4Addr, prefix: u64, form: usize) -> Ipv6Addr {
    let low = u128::from(v4.to_bits());
    let bits = match form {
        // Mapped, translated, compatible.
        0 => 0xffff_0000_0000 | low,
        1 => 0xffff_0000_0000_0000 | low,
        2 => low,
        // NAT64, well known and local.
        3 => (0x0064_ff9b_u128 << 96) | low,
        4 => (0x0064_ff9b_0001_u128 << 80) | low,
        // 6to4.
        5 => (0x2002_u128 << 112) | (low << 80) | u128::from(prefix),
        // Teredo: the client's address is stored inverted.
        6 => (0x2001_u128 << 112) | (low << 64) | (low ^ 0xffff_ffff),
        // ISATAP below any prefix, local and universal.
        7 => (u128::from(prefix) << 64) | (0x5efe_u128 << 32) | low,
        _ => (u128::from(prefix) << 64) | (0x0200_5efe_u128 << 32) | low,
    };
    Ipv6Addr::from_bits(bits)
}

proptest! {
    #[test]
    fn prop5_no_member_of_a_special_range_is_public(
        address in prop_oneof![
            special_v4().prop_map(IpAddr::from),
            special_v6().prop_map(IpAddr::from),
        ]
    ) {
        prop_assert_ne!(classify(address, None), AddressClass::Public);
    }

    // Whatever the inner address is: a form that hides it is refused as a form.
    #[test]
    fn prop5_no_embedding_of_an_ipv4_address_is_public(
        v4 in prop_oneof![special_v4(), any::<u32>().prop_map(Ipv4Addr::from_bits)],
        prefix in any::<u64>(),
        form in 0_usize..9,
    ) {
        prop_assert_ne!(classify(embedded(v4, prefix, form).into(), None), AddressClass::Public);
    }

    #[test]
    fn prop5_nothing_outside_global_unicast_is_public(bits in any::<u128>()) {
        let address = Ipv6Addr::from_bits(bits & !(0b111 << 125) | (u128::from(bits >> 125 != 1) << 127));
        if address.to_bits() >> 125 != 1 {
            prop_assert_ne!(classify(address.into(), None), AddressClass::Public);
        }
    }
}
