use super::super::address::{Proxies, network};
use super::*;
use std::net::IpAddr;

fn client(peer: &str, lines: &[&str]) -> String {
    let proxies = Proxies::new(&["10.0.0.0/8".to_owned(), "fd00::1".to_owned()]).unwrap();
    let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    proxies.client(Some(peer.parse().unwrap()), &lines).unwrap().to_string()
}

#[test]
fn only_hops_written_by_trusted_proxies_are_believed() {
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
    for wrong in [
        "*",
        "https://*.example",
        "https://a.example/",
        "https://",
        "studio.example",
        "null",
        "https://STUDIO.example",
        "https://a.example, https://b.example",
        "app://",
        "app://host/path",
        "tauri:localhost",
        "Tauri://localhost",
        "chrome-extension://*",
        "://localhost",
        "https://a.example:port",
    ] {
        let error = Origins::new(&[wrong.to_owned()]).map(drop).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{wrong}");
        assert!(error.detail().starts_with("frontend_origins: "), "{error}");
    }
}

#[test]
fn pages_of_programs_have_origins_with_schemes_of_their_own() {
    for origin in [
        "tauri://localhost",
        "http://tauri.localhost",
        "https://tauri.localhost",
        "app://obsidian.md",
        "app://.",
        "app://-",
        "capacitor://localhost",
        "ionic://localhost",
        "capacitor-electron://-",
        "wails://wails",
        "chrome-extension://gighmmpiobklfepjocnamgkkbiglidom",
        "moz-extension://0f8c4b8f-44f5-4e5c-8f0e-6c1d4b5a9e77",
        "safari-web-extension://0F8C4B8F-44F5-4E5C-8F0E-6C1D4B5A9E77",
        "vscode-webview://1aq0ig6sl7b3s8bvkf8hn6",
        "ms-appx-web://must.studio",
        "file://",
        "http://localhost:5173",
        "http://[::1]:5173",
    ] {
        let origins = Origins::new(&[origin.to_owned()]).unwrap();
        assert!(origins.allow(Some(origin)), "{origin}");
        for other in [format!("{origin}x"), format!("x{origin}"), origin.replacen("://", ":///", 1)] {
            assert!(!origins.allow(Some(&other)), "{other}");
        }
    }
}

#[test]
fn blank_entries_and_spaces_in_lists_are_ignored() {
    let list = ["", " https://a.example ", "https://b.example:443", "http://c.example:80\r"].map(str::to_owned);
    let origins = Origins::new(&list).unwrap();
    for origin in ["https://a.example", "https://b.example", "http://c.example"] {
        assert!(origins.allow(Some(origin)), "{origin}");
    }
    assert!(!origins.allow(Some("")));
    let proxies = Proxies::new(&["".to_owned(), " 10.0.0.0/8 ".to_owned()]).unwrap();
    let lines = ["203.0.113.9".to_owned()];
    assert_eq!(proxies.client("10.0.0.1".parse().ok(), &lines), "203.0.113.9".parse().ok());
}
