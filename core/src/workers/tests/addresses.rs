//! Tests which addresses, names and ids are accepted.

use super::super::address::{Addresses, check_resolved, is_workspace, split_id};
use crate::ErrorCode;
use std::net::SocketAddr;

#[test]
fn only_plain_base_urls_of_allowed_hosts_are_accepted() {
    let own = Addresses::new(&["127.0.0.0/8".to_owned(), "10.1.0.0/16".to_owned(), "fd00::/8".to_owned()]).unwrap();
    let public = Addresses::new(&[]).unwrap();
    for (url, expected) in [
        ("https://team--must.modal.run", "https://team--must.modal.run"),
        ("https://Team.Example:8443/", "https://team.example:8443"),
        ("https://8.8.8.8", "https://8.8.8.8"),
        ("https://[2606:4700::1111]:444", "https://[2606:4700::1111]:444"),
    ] {
        assert_eq!(public.check_url(url).unwrap(), expected);
    }
    for url in
        ["http://127.0.0.1:8000", "https://127.0.0.1", "http://10.1.2.3", "http://[fd00::7]", "http://worker.internal"]
    {
        assert!(own.check_url(url).is_ok(), "{url}");
    }
    // HTTP to a public address, addresses of this machine and of local networks, cloud metadata, and URLs that only some parsers
    // repair.
    for url in [
        "http://team.modal.run",
        "http://8.8.8.8",
        "https://127.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0177.0.0.1",
        "https://0.0.0.0",
        "https://169.254.169.254",
        "https://10.0.0.1",
        "https://192.168.0.1",
        "https://100.64.0.1",
        "https://198.18.0.1",
        "https://224.0.0.1",
        "https://240.0.0.1",
        "https://255.255.255.255",
        "https://[::]",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://[fe80::1]",
        "https://[fd00::1]",
        "https://[2002:7f00:1::]",
        "https://[2001:db8::1]",
        "https://[ff02::1]",
        "https://user@team.modal.run",
        "https://user:pw@team.modal.run",
        "https://@team.modal.run",
        "https://team.modal.run/path",
        "https://team.modal.run?x=1",
        "https://team.modal.run#x",
        "https://team.modal.run:0",
        "https://team.modal.run:99999",
        "https://team\\@evil.example",
        "https://team.modal.run\\",
        "https://team%2e.modal.run",
        "https://te am.modal.run",
        "https://team.modal.run\n",
        "https://ｔeam.modal.run",
        "https://team。modal.run",
        "https://-team.modal.run",
        "https://team-.modal.run",
        "https://.modal.run",
        "https://",
        "https:///x",
        "ftp://team.modal.run",
        "file:///etc/passwd",
        "team.modal.run",
        "",
        "javascript:alert(1)",
    ] {
        let error = public.check_url(url).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{url}");
    }
    let long = format!("https://{}--must.modal.run", "a".repeat(60));
    assert!(public.check_url(&long).is_err(), "a DNS label has at most 63 letters");
    assert!(Addresses::new(&["not a network".to_owned()]).is_err());
}

#[test]
fn a_name_with_one_forbidden_address_is_refused() {
    let addresses = Addresses::new(&["10.1.0.0/16".to_owned()]).unwrap();
    let at = |texts: &[&str]| -> Vec<SocketAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
    let check = |secure, found: &[&str]| check_resolved(&addresses, secure, "team.example", &at(found));
    assert!(check(true, &["8.8.8.8:0", "[2606:4700::1]:0", "10.1.2.3:0"]).is_ok());
    assert!(check(false, &["10.1.2.3:0"]).is_ok());
    for found in [&["8.8.8.8:0", "127.0.0.1:0"][..], &["10.2.0.1:0"], &["[::ffff:10.2.0.1]:0"], &["169.254.169.254:0"]]
    {
        let error = check(true, found).unwrap_err();
        assert_eq!(error.code(), ErrorCode::RemoteFailed, "{found:?}");
    }
    assert!(check(false, &["8.8.8.8:0"]).is_err(), "the public internet is allowed only over TLS");
}

#[test]
fn an_id_has_a_valid_workspace_or_none() {
    for (text, good) in
        [("abc", true), ("team-a", true), ("-a-", true), ("ab", false), ("Team", false), ("a_b", false), ("a.b", false)]
    {
        assert_eq!(is_workspace(text), good, "{text}");
    }
    assert!(is_workspace(&"a".repeat(64)) && !is_workspace(&"a".repeat(65)));
    assert_eq!(split_id("0198c9f2").unwrap(), None);
    assert_eq!(split_id("team-a::0198-c9f2").unwrap(), Some(("team-a", "0198-c9f2")));
    for id in [
        "::x",
        "ab::x",
        "TEAM::x",
        "team::",
        "team::../x",
        "team::a/b",
        "team::a?b",
        "team::a::b",
        "team::%2e%2e",
        "a b::x",
        "team::a\n",
    ] {
        assert_eq!(split_id(id).unwrap_err().code(), ErrorCode::ProxyTargetInvalid, "{id}");
    }
}
