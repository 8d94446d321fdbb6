use super::*;

/// Little: what is tested is not how long a guess takes.
const WORK: u8 = 10;
const PASSPHRASE: &str = "paard batterij nietje juist";

fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::with_work(Vec::new(), PASSPHRASE, WORK).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

fn opened(bytes: &[u8], passphrase: &str) -> Result<Vec<u8>, EnvelopeError> {
    let mut plain = Vec::new();
    let read = Opener::new(bytes, passphrase).and_then(|mut opener| opener.read_to_end(&mut plain));
    read.map(|_| plain).map_err(|e| e.downcast::<EnvelopeError>().unwrap())
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect()
}

#[test]
fn what_was_sealed_opens_at_every_length_around_a_chunk() {
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
        let plain = plain(length);
        assert_eq!(opened(&sealed(&plain), PASSPHRASE).unwrap(), plain, "{length} bytes");
    }
}

#[test]
fn a_file_of_the_age_program_opens() {
    // Made by the age library of others (rage 0.12, work factor 10): five bytes under the passphrase of this test.
    let file = include_bytes!("sample.age");
    assert_eq!(opened(file, PASSPHRASE).unwrap(), b"dijk\n");
}

#[test]
fn another_passphrase_does_not_open() {
    assert!(matches!(opened(&sealed(b"geheim"), "paard batterij nietje krom"), Err(EnvelopeError::Passphrase)));
}

#[test]
fn what_is_cut_off_does_not_open_wherever_it_was_cut() {
    let whole = sealed(&plain(2 * CHUNK_BYTES + 100));
    let header = whole.len() - (2 * CHUNK_BYTES + 100 + 3 * TAG_BYTES);
    let chunk = CHUNK_BYTES + TAG_BYTES;
    for length in
        [whole.len() - 1, header + 2 * chunk, header + chunk + 500, header + chunk, header + chunk - 1, header]
    {
        let result = opened(&whole[..length], PASSPHRASE);
        assert!(matches!(result, Err(EnvelopeError::Truncated(n)) if n <= length as u64), "{length}: {result:?}");
    }
    assert!(matches!(opened(&whole[..header - 1], PASSPHRASE), Err(EnvelopeError::Truncated(_))));
    assert!(matches!(opened(&whole[..60], PASSPHRASE), Err(EnvelopeError::Header)));
    assert!(matches!(opened(b"", PASSPHRASE), Err(EnvelopeError::Alien)));
    assert!(matches!(opened(b"SQLite format 3\0", PASSPHRASE), Err(EnvelopeError::Alien)));
}

#[test]
fn a_changed_bit_anywhere_does_not_open() {
    let whole = sealed(&plain(CHUNK_BYTES + 100));
    let header = whole.len() - (CHUNK_BYTES + 100 + 2 * TAG_BYTES);
    for at in [0, 25, 60, 75, header - 40, header - 1, header, header + CHUNK_BYTES, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, PASSPHRASE).is_err(), "byte {at} of {}, the header has {header}", whole.len());
    }
}

#[test]
fn chunks_that_were_swapped_or_repeated_do_not_open() {
    let whole = sealed(&plain(3 * CHUNK_BYTES));
    let chunk = CHUNK_BYTES + TAG_BYTES;
    let (header, chunks) = whole.split_at(whole.len() - 3 * chunk);
    let (first, rest) = chunks.split_at(chunk);
    let (second, third) = rest.split_at(chunk);
    for order in [[second, first, third], [first, first, third], [first, third, third]] {
        let changed = [&[header], order.as_slice()].concat().concat();
        assert!(matches!(opened(&changed, PASSPHRASE), Err(EnvelopeError::Damaged(_))));
    }
    let longer = [whole.as_slice(), third].concat();
    assert!(opened(&longer, PASSPHRASE).is_err(), "something behind the last chunk");
}

#[test]
fn a_file_that_asks_for_too_much_memory_is_refused_before_it_gets_any() {
    let asking = |n: u8| String::from_utf8_lossy(&sealed(b"")).replace(" 10\n", &format!(" {n}\n"));
    for n in [21, 63, 64, 255] {
        assert!(matches!(opened(asking(n).as_bytes(), PASSPHRASE), Err(EnvelopeError::Work(m)) if m == n));
    }
    assert!(matches!(opened(asking(0).as_bytes(), PASSPHRASE), Err(EnvelopeError::Header)));
}

#[test]
fn a_new_envelope_costs_a_guess_128_mebibytes() {
    let envelope = Sealer::new(Vec::new(), PASSPHRASE).unwrap().finish().unwrap();
    assert!(String::from_utf8_lossy(&envelope).contains(" 17\n"));
    assert_eq!(opened(&envelope, PASSPHRASE).unwrap(), b"");
}

#[test]
fn two_envelopes_of_the_same_differ() {
    assert_ne!(sealed(b"dijk"), sealed(b"dijk"));
}
