use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn guard(allowed: &[&str]) -> Guard {
    Guard::new(allowed.iter().map(|n| n.parse().unwrap()).collect())
}

/// First and last address of every special range, and addresses that carry one.
const SPECIAL: &[&str] = &[
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::808:808",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ffff::1",
    "4000::1",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.0.3.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2003::1",
    "2606:4700:4700::1111",
    "2a01:7c8::1",
    "3ffe::1",
    "2620:fe::fe",
];

#[test]
fn special_addresses_are_refused_over_both_schemes() {
    for text in SPECIAL {
        assert!(!is_public(ip(text)), "{text} counts as public");
        for scheme in [Scheme::Https, Scheme::Http] {
            assert!(!guard(&[]).permits(scheme, ip(text)), "{text} over {scheme}");
        }
    }
}

#[test]
fn public_addresses_are_reached_over_https_only() {
    for text in PUBLIC {
        assert!(guard(&[]).permits(Scheme::Https, ip(text)), "{text} over https");
        assert!(!guard(&[]).permits(Scheme::Http, ip(text)), "{text} over http");
    }
}

#[test]
fn listed_ranges_are_reached_over_both_schemes_and_their_neighbours_are_not() {
    let table = [
        ("10.1.2.0/24", "10.1.2.255", "10.1.3.0"),
        ("127.0.0.1/32", "127.0.0.1", "127.0.0.2"),
        ("127.0.0.0/8", "127.9.9.9", "128.0.0.1"),
        ("169.254.169.254/32", "169.254.169.254", "169.254.169.253"),
        ("::1/128", "::1", "::2"),
        ("fd00:1::/32", "fd00:1::5", "fd00:2::5"),
        ("127.0.0.1/32", "::ffff:127.0.0.1", "::ffff:127.0.0.2"),
        ("8.8.8.0/24", "8.8.8.8", "8.8.9.8"),
    ];
    for (range, inside, outside) in table {
        let guard = guard(&[range]);
        assert!(guard.permits(Scheme::Http, ip(inside)), "{inside} in {range}");
        assert!(guard.permits(Scheme::Https, ip(inside)), "{inside} in {range}");
        assert!(!guard.permits(Scheme::Http, ip(outside)), "{outside} beside {range}");
    }
}

#[test]
fn a_listed_translation_range_does_not_open_what_hides_behind_it() {
    let table = [
        ("64:ff9b::/96", "64:ff9b::808:808", "64:ff9b::7f00:1"),
        ("64:ff9b:1::/48", "64:ff9b:1::808:808", "64:ff9b:1::a00:1"),
        ("2002::/16", "2002:808:808::1", "2002:c0a8:1::1"),
        ("2001::/32", "2001::f7f7:f7f7", "2001::80ff:fffe"),
        ("::ffff:0:0/96", "::ffff:8.8.8.8", "::ffff:169.254.169.254"),
    ];
    for (range, public_behind, private_behind) in table {
        let guard = guard(&[range]);
        assert!(guard.permits(Scheme::Https, ip(public_behind)), "{public_behind}");
        assert!(!guard.permits(Scheme::Https, ip(private_behind)), "{private_behind}");
        assert!(!guard.permits(Scheme::Http, ip(public_behind)), "{public_behind} over http");
    }
}

#[test]
fn every_way_to_write_a_loopback_address_in_a_url_is_seen() {
    let table = [
        "http://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://[0:0:0:0:0:ffff:127.0.0.1]/",
        "https://127.0.0.1.:8443/",
        "https://①②⑦.0.0.1/",
    ];
    for text in table {
        let url = Url::parse(text).unwrap();
        assert!(guard(&[]).forbidden_literal(Scheme::of(&url).unwrap(), &url).is_some(), "{text} → {url}");
    }
}

#[test]
fn of_several_addresses_of_a_name_only_those_that_may_be_reached_are_kept() {
    let found = |list: &[&str]| list.iter().map(|a| SocketAddr::new(ip(a), 0)).collect::<Vec<_>>().into_iter();
    let kept = keep(&guard(&[]), Scheme::Https, found(&["10.0.0.1", "9.9.9.9", "::1"])).unwrap();
    assert_eq!(kept, [SocketAddr::new(ip("9.9.9.9"), 0)]);
    let none = keep(&guard(&[]), Scheme::Https, found(&["10.0.0.1", "::1"])).unwrap_err();
    assert!(matches!(none, ResolveError::Forbidden(a) if a == ip("10.0.0.1")));
    assert!(matches!(keep(&guard(&[]), Scheme::Https, found(&[])), Err(ResolveError::Lookup(_))));
}
