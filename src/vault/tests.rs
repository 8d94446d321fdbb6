use openssl::sign::{Signer, Verifier};

use super::*;

#[test]
fn what_was_sealed_opens_again_and_never_looks_the_same() {
    let key = MasterKey::generate().unwrap();
    for plain in [&b""[..], b"x", &[7; 1_200]] {
        let sealed = key.seal("actor_key:1", plain).unwrap();
        assert_eq!(sealed.len(), 1 + 12 + plain.len() + 16);
        assert_eq!(key.open("actor_key:1", &sealed).unwrap().expose(), plain);
        assert_ne!(sealed, key.seal("actor_key:1", plain).unwrap());
    }
}

#[test]
fn another_key_another_context_and_changed_bytes_do_not_open() {
    let key = MasterKey::generate().unwrap();
    let sealed = key.seal("actor_key:1", b"private").unwrap();
    let refused = |key: &MasterKey, context: &str, bytes: &[u8]| {
        let error = key.open(context, bytes).unwrap_err();
        assert!(matches!(&error, VaultError::Sealed { context: c } if c == context), "{error}");
    };
    refused(&MasterKey::generate().unwrap(), "actor_key:1", &sealed);
    refused(&key, "actor_key:2", &sealed);
    refused(&key, "", &sealed);
    for byte in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[byte] ^= 1;
        refused(&key, "actor_key:1", &flipped);
        refused(&key, "actor_key:1", &sealed[..byte]);
    }
}

#[test]
fn a_master_key_is_read_from_base64_and_hex() {
    let bytes = [0x5a; 32];
    for text in [BASE64.encode(bytes), hex::encode(bytes), format!("  {}\n", hex::encode_upper(bytes))] {
        assert_eq!(MasterKey::parse(&text), Some(MasterKey(bytes)), "{text}");
    }
    for text in [String::new(), "secret".to_owned(), BASE64.encode([1; 31]), hex::encode([1; 33])] {
        assert_eq!(MasterKey::parse(&text), None, "{text}");
    }
}

#[test]
fn the_key_file_is_private_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("master.key");
    let key = MasterKey::generate().unwrap();
    key.write_new(&file).unwrap();
    assert_eq!(MasterKey::load(&file, None).unwrap(), key);
    assert!(matches!(MasterKey::generate().unwrap().write_new(&file), Err(VaultError::Write { .. })));
    assert_eq!(MasterKey::load(&file, None).unwrap(), key);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_everybody_can_read_is_refused_with_the_way_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("master.key");
    MasterKey::generate().unwrap().write_new(&file).unwrap();
    for (mode, good) in [(0o600, true), (0o400, true), (0o440, true), (0o644, false), (0o604, false)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        match MasterKey::load(&file, None) {
            Ok(_) => assert!(good, "{mode:o}"),
            Err(error) => assert!(!good && error.to_string().contains("chmod 600"), "{mode:o}: {error}"),
        }
    }
}

#[test]
fn the_environment_wins_over_the_file_and_what_is_missing_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    let key = MasterKey([9; 32]);
    assert_eq!(MasterKey::load(&absent, Some(&Secret::new(hex::encode([9; 32])))).unwrap(), key);
    let error = MasterKey::load(&absent, None).unwrap_err().to_string();
    assert!(error.contains("heraut init") && error.contains("HERAUT_MASTER_KEY"), "{error}");
    let error = MasterKey::load(&absent, Some(&Secret::new("hunter2"))).unwrap_err().to_string();
    assert!(error.contains("HERAUT_MASTER_KEY") && !error.contains("hunter2"), "{error}");
}

#[test]
fn keys_are_not_shown() {
    let key = MasterKey([65; 32]);
    let rsa = generate_ed25519().unwrap();
    let shown = format!("{key:?}{rsa:?}");
    assert!(shown.contains("<master key>") && shown.contains("<private key>"), "{shown}");
}

#[test]
fn a_fresh_rsa_key_signs_what_its_public_half_verifies() {
    let pair = generate_rsa_2048().unwrap();
    assert!(pair.public_pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{}", pair.public_pem);
    let private = PKey::private_key_from_pkcs8(pair.private_pkcs8.expose()).unwrap();
    let public = PKey::public_key_from_pem(pair.public_pem.as_bytes()).unwrap();
    assert_eq!(private.bits(), 2_048);
    let sha256 = openssl::hash::MessageDigest::sha256();
    let signature = Signer::new(sha256, &private).unwrap().sign_oneshot_to_vec(b"news").unwrap();
    assert!(Verifier::new(sha256, &public).unwrap().verify_oneshot(&signature, b"news").unwrap());
}

#[test]
fn a_fresh_ed25519_key_signs_what_its_public_half_verifies() {
    let pair = generate_ed25519().unwrap();
    let private = PKey::private_key_from_pkcs8(pair.private_pkcs8.expose()).unwrap();
    let public = PKey::public_key_from_pem(pair.public_pem.as_bytes()).unwrap();
    assert_eq!(public.raw_public_key().unwrap(), pair.public_raw);
    let signature = Signer::new_without_digest(&private).unwrap().sign_oneshot_to_vec(b"news").unwrap();
    assert!(Verifier::new_without_digest(&public).unwrap().verify_oneshot(&signature, b"news").unwrap());
}
