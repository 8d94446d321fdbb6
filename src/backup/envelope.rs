//! The encrypted envelope of a backup: the age format, version 1, with a passphrase (`age-encryption.org/v1`, the specification
//! is C2SP `age.md`). So a backup opens with the program `age` too, without Heraut.
//!
//! The payload is a STREAM of chunks of 64 KiB, each sealed with ChaCha20-Poly1305 under a nonce that counts and that marks the
//! last one: what was cut off, swapped or changed does not open, and nothing is given out before it was authenticated.

use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use thiserror::Error;

const INTRO: &str = "age-encryption.org/v1";
const SCRYPT_LABEL: &str = "age-encryption.org/v1/scrypt";
/// Work factor of scrypt: 2¹⁷ with r = 8 takes 128 MiB for part of a second, as OWASP advises. A guess costs as much.
const WORK_LOG2: u8 = 17;
/// Largest work factor that is opened: 1 GiB. A file could ask for any amount.
const WORK_LOG2_MAX: u8 = 20;
const SCRYPT_R: u64 = 8;
const SALT_BYTES: usize = 16;
const FILE_KEY_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Plain bytes of a chunk; only the last has fewer.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest line of a header; ours have 91 characters at most.
const LINE_BYTES_MAX: usize = 256;

/// Why an envelope does not open.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// It does not begin as one.
    #[error("it is not a backup of Heraut: it does not begin with `{INTRO}`; give the file that `heraut backup` wrote")]
    Alien,
    /// It was made for a key instead of a passphrase, or is damaged.
    #[error("its header is damaged, or it was not made with a passphrase; take another copy of the backup")]
    Header,
    /// It asks for too much memory.
    #[error("its work factor is 2^{0}, more than the 2^{WORK_LOG2_MAX} that are accepted; `age` opens it")]
    Work(u8),
    /// The passphrase does not open it.
    #[error(
        "the passphrase does not open it; give the one that it was made with, in HERAUT_BACKUP_PASSPHRASE or --passphrase-file"
    )]
    Passphrase,
    /// The end is missing.
    #[error(
        "its end is missing or damaged, after byte {0}; it was probably not copied whole: take another copy of the backup"
    )]
    Truncated(u64),
    /// Bytes were changed.
    #[error("it is damaged in the 64 KiB after byte {0}: bytes there were changed; take another copy of the backup")]
    Damaged(u64),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Crypto(#[from] ErrorStack),
}

impl From<EnvelopeError> for io::Error {
    fn from(error: EnvelopeError) -> Self {
        Self::other(error)
    }
}

/// Encrypts what is written to it. Without [`Sealer::finish`] the result does not open.
pub struct Sealer<W> {
    inner: W,
    key: [u8; KEY_BYTES],
    chunk: Vec<u8>,
    counter: u64,
}

/// Decrypts what is read from it. Its end is reached only if the envelope was whole.
pub struct Opener<R> {
    inner: R,
    key: [u8; KEY_BYTES],
    /// Sealed bytes that were read ahead: whether a chunk is the last one shows only when nothing comes behind it.
    ahead: Vec<u8>,
    plain: Vec<u8>,
    given: usize,
    counter: u64,
    /// Bytes of the file that were opened.
    opened: u64,
    ended: bool,
}

impl<W: Write> Sealer<W> {
    /// Begins an envelope for a passphrase. Takes part of a second.
    pub fn new(inner: W, passphrase: &str) -> io::Result<Self> {
        Self::with_work(inner, passphrase, WORK_LOG2)
    }

    fn with_work(mut inner: W, passphrase: &str, work_log2: u8) -> io::Result<Self> {
        let file_key: [u8; FILE_KEY_BYTES] = random()?;
        let salt: [u8; SALT_BYTES] = random()?;
        let wrap_key = stretch(passphrase, &salt, work_log2)?;
        let body = seal(&wrap_key, &[0; NONCE_BYTES], &file_key)?;
        let salt = BASE64.encode(salt);
        let header = format!("{INTRO}\n-> scrypt {salt} {work_log2}\n{}\n---", BASE64.encode(body));
        let mac = BASE64.encode(header_mac(&file_key, &header)?);
        let nonce: [u8; SALT_BYTES] = random()?;
        inner.write_all(format!("{header} {mac}\n").as_bytes())?;
        inner.write_all(&nonce)?;
        let key = derive(&file_key, &nonce, "payload")?;
        Ok(Self { inner, key, chunk: Vec::with_capacity(CHUNK_BYTES), counter: 0 })
    }

    fn write_chunk(&mut self, last: bool) -> io::Result<()> {
        let sealed = seal(&self.key, &nonce(self.counter, last), &self.chunk)?;
        self.counter += 1;
        self.chunk.clear();
        self.inner.write_all(&sealed)
    }

    /// Writes the last chunk, and gives what it all was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_chunk(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more: the last one must say that it is the last.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.write_chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend(bytes.iter().take(taken));
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Opener<R> {
    /// Reads the header and tries the passphrase. The error is an [`EnvelopeError`] unless reading failed.
    pub fn new(mut inner: R, passphrase: &str) -> io::Result<Self> {
        let mut header = Header::read(&mut inner)?;
        let wrap_key = stretch(passphrase, &header.salt, header.work_log2)?;
        let (sealed, tag) = header.body.split_at_mut(FILE_KEY_BYTES);
        let cipher = Cipher::chacha20_poly1305();
        let file_key = decrypt_aead(cipher, &wrap_key, Some(&[0; NONCE_BYTES]), &[], sealed, tag)
            .map_err(|_| EnvelopeError::Passphrase)?;
        let mac = header_mac(&file_key, &header.text)?;
        if !openssl::memcmp::eq(&mac, &header.mac) {
            return Err(EnvelopeError::Header.into());
        }
        let mut nonce = [0; SALT_BYTES];
        inner.read_exact(&mut nonce).map_err(|_| EnvelopeError::Truncated(header.bytes))?;
        let key = derive(&file_key, &nonce, "payload")?;
        let opened = header.bytes + SALT_BYTES as u64;
        let (ahead, plain) = (Vec::new(), Vec::new());
        Ok(Self { inner, key, ahead, plain, given: 0, counter: 0, opened, ended: false })
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let whole = CHUNK_BYTES + TAG_BYTES;
        // One byte more than a chunk shows whether there is another.
        let wanted = (whole + 1 - self.ahead.len()) as u64;
        (&mut self.inner).take(wanted).read_to_end(&mut self.ahead)?;
        let last = self.ahead.len() <= whole;
        let rest = self.ahead.split_off(whole.min(self.ahead.len()));
        let sealed = std::mem::replace(&mut self.ahead, rest);
        let end = sealed.len().checked_sub(TAG_BYTES).ok_or(EnvelopeError::Truncated(self.opened))?;
        let (secret, tag) = sealed.split_at(end);
        let open = |last| {
            let nonce = nonce(self.counter, last);
            decrypt_aead(Cipher::chacha20_poly1305(), &self.key, Some(&nonce), &[], secret, tag)
        };
        let plain = open(last).map_err(|_| match last {
            // Cut off between two chunks.
            true if open(false).is_ok() => EnvelopeError::Truncated(self.opened + sealed.len() as u64),
            true => EnvelopeError::Truncated(self.opened),
            false => EnvelopeError::Damaged(self.opened),
        })?;
        // Only an empty payload has an empty chunk.
        if plain.is_empty() && self.counter > 0 {
            return Err(EnvelopeError::Damaged(self.opened).into());
        }
        self.opened += sealed.len() as u64;
        self.counter += 1;
        (self.plain, self.given, self.ended) = (plain, 0, last);
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.plain.len() {
            if self.ended {
                return Ok(0);
            }
            self.next_chunk()?;
        }
        let mut left = self.plain.get(self.given..).unwrap_or_default();
        let read = left.read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

/// The work that the passphrase of an envelope costs, as a power of two: what its header says, read and not yet believed.
pub fn work_log2(mut inner: impl Read) -> io::Result<u8> {
    Header::read(&mut inner).map(|header| header.work_log2)
}

/// The header of an envelope, read and not yet believed.
struct Header {
    salt: Vec<u8>,
    work_log2: u8,
    body: Vec<u8>,
    mac: Vec<u8>,
    /// What the MAC covers.
    text: String,
    /// Its length in the file.
    bytes: u64,
}

impl Header {
    fn read(inner: &mut impl Read) -> io::Result<Self> {
        let mut bytes = 0;
        let mut line = || read_line(inner, &mut bytes);
        if line()?.as_deref() != Some(INTRO) {
            return Err(EnvelopeError::Alien.into());
        }
        let mut next = || line()?.ok_or_else(|| io::Error::from(EnvelopeError::Header));
        let (stanza, body, end) = (next()?, next()?, next()?);
        let text = format!("{INTRO}\n{stanza}\n{body}\n---");
        let (salt, work_log2) = stanza
            .strip_prefix("-> scrypt ")
            .and_then(|arguments| arguments.split_once(' '))
            .and_then(|(salt, work)| Some((decode(salt, SALT_BYTES)?, work.parse::<u8>().ok()?)))
            .ok_or(EnvelopeError::Header)?;
        if work_log2 > WORK_LOG2_MAX {
            return Err(EnvelopeError::Work(work_log2).into());
        }
        let body = decode(&body, FILE_KEY_BYTES + TAG_BYTES).ok_or(EnvelopeError::Header)?;
        let mac = end.strip_prefix("--- ").and_then(|mac| decode(mac, KEY_BYTES)).ok_or(EnvelopeError::Header)?;
        if work_log2 == 0 {
            return Err(EnvelopeError::Header.into());
        }
        Ok(Self { salt, work_log2, body, mac, text, bytes })
    }
}

/// A line without its end; `None` if it is too long, not text, or cut off. What is behind it is not read.
fn read_line(inner: &mut impl Read, bytes: &mut u64) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() <= LINE_BYTES_MAX {
        if inner.read(&mut byte)? == 0 {
            return Ok(None);
        }
        *bytes += 1;
        match byte {
            [b'\n'] => return Ok(String::from_utf8(line).ok()),
            [other] => line.push(other),
        }
    }
    Ok(None)
}

fn decode(text: &str, length: usize) -> Option<Vec<u8>> {
    BASE64.decode(text).ok().filter(|bytes| bytes.len() == length)
}

fn random<const N: usize>() -> Result<[u8; N], EnvelopeError> {
    let mut bytes = [0; N];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(bytes)
}

fn stretch(passphrase: &str, salt: &[u8], work_log2: u8) -> Result<[u8; KEY_BYTES], EnvelopeError> {
    let salt = [SCRYPT_LABEL.as_bytes(), salt].concat();
    let n = 1_u64 << work_log2;
    // What it needs, and a little for its bookkeeping.
    let memory_max = 128 * SCRYPT_R * n + (1 << 20);
    let mut key = [0; KEY_BYTES];
    openssl::pkcs5::scrypt(passphrase.as_bytes(), &salt, n, SCRYPT_R, 1, memory_max, &mut key)?;
    Ok(key)
}

fn seal(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], plain: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let mut tag = [0; TAG_BYTES];
    let mut sealed = encrypt_aead(Cipher::chacha20_poly1305(), key, Some(nonce), &[], plain, &mut tag)?;
    sealed.extend(tag);
    Ok(sealed)
}

/// Eleven bytes that count, and one that marks the last chunk.
fn nonce(counter: u64, last: bool) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    let bytes = [0; 3].into_iter().chain(counter.to_be_bytes()).chain([u8::from(last)]);
    nonce.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    nonce
}

fn header_mac(file_key: &[u8], header: &str) -> Result<Vec<u8>, EnvelopeError> {
    // No salt is, by RFC 5869, as many zeros as the hash has bytes.
    let key = derive(file_key, &[0; KEY_BYTES], "header")?;
    hmac(&key, &[header.as_bytes()])
}

/// HKDF-SHA-256 (RFC 5869) for one block of output.
fn derive(secret: &[u8], salt: &[u8], info: &str) -> Result<[u8; KEY_BYTES], EnvelopeError> {
    let extracted = hmac(salt, &[secret])?;
    let expanded = hmac(&extracted, &[info.as_bytes(), &[1]])?;
    expanded.try_into().map_err(|_| EnvelopeError::Crypto(ErrorStack::get()))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>, EnvelopeError> {
    let key = PKey::hmac(key)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    for part in parts {
        signer.update(part)?;
    }
    Ok(signer.sign_to_vec()?)
}

#[cfg(test)]
mod tests;
