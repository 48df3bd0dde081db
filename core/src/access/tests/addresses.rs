use super::super::address::{Proxies, network};
use super::*;
use std::net::IpAddr;

fn client(peer: &str, lines: &[&str]) -> String {
    let proxies = Proxies::new(&["10.0.0.0/8".to_owned(), "fd00::1".to_owned()]).unwrap();
    let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    proxies.client(Some(peer.parse().unwrap()), &lines).unwrap().to_string()
}

#[test]
fn only_what_trusted_proxies_wrote_is_believed() {
    for (peer, lines, expected) in [
        ("192.0.2.1", &["203.0.113.9"] as &[&str], "192.0.2.1"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", &["1.1.1.1", "203.0.113.9 , 10.2.3.4", "10.9.9.9"], "203.0.113.9"),
        ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
        ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
        ("fd00::2", &["2001:db8::7"], "fd00::2"),
        ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", &["203.0.113.9, "], "10.0.0.1"),
        ("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.0.0.1"),
        ("::ffff:192.0.2.1", &[], "192.0.2.1"),
    ] {
        assert_eq!(client(peer, lines), expected, "{peer} {lines:?}");
    }
    assert_eq!(Proxies::new(&["proxy.local".to_owned()]).map(|_| ()).unwrap_err().code(), ErrorCode::ValidationError);
}

#[test]
fn a_network_is_one_ipv4_address_or_one_64() {
    let of = |text: &str| network(Some(text.parse::<IpAddr>().unwrap()));
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("::ffff:192.0.2.1"), of("::ffff:192.0.2.2"));
    assert_ne!(of("192.0.2.1"), of("::1"));
    assert_ne!(network(None), of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

#[test]
fn origins_are_exact() {
    let rig = Rig::new();
    for (origin, allowed) in [
        ("https://studio.example", true),
        ("https://studio.example:443", false),
        ("http://studio.example", false),
        ("https://studio.example.evil.example", false),
        ("https://STUDIO.example", false),
        ("null", false),
        ("", false),
    ] {
        assert_eq!(rig.access.allows_origin(origin), allowed, "{origin}");
    }
    for wrong in ["*", "https://*.example", "https://a.example/", "https://", "studio.example", "null"] {
        assert!(Origins::new(&[wrong.to_owned()]).is_err(), "{wrong}");
    }
}
