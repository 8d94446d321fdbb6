//! What a signature costs here and now: the measure for all else. The machine may be shared, so it is taken again and again,
//! before and after what it is compared with. OpenSSL makes it, whatever the gateway signs with, so that figures compare.

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;

use super::process::cpu_of;

/// A signing string is about so long.
const MESSAGE_BYTES: usize = 220;
/// Signatures in one sample: about half a second, so that the kernel's clock of 10 ms does for it.
const SAMPLE: u32 = 2_000;

/// Takes samples of what RSA-2048 with SHA-256 costs.
pub struct Yardstick {
    key: PKey<Private>,
    samples: Vec<f64>,
}

impl Yardstick {
    /// With a key of its own.
    pub fn new() -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        Self { key, samples: Vec::new() }
    }

    /// Takes a sample.
    pub fn sample(&mut self) {
        let message = [0x61; MESSAGE_BYTES];
        let own = std::process::id();
        let before = cpu_of(own);
        for _ in 0..SAMPLE {
            let mut signer = Signer::new(MessageDigest::sha256(), &self.key).unwrap();
            std::hint::black_box(signer.sign_oneshot_to_vec(&message).unwrap());
        }
        self.samples.push((cpu_of(own) - before) / f64::from(SAMPLE));
    }

    /// CPU seconds of 10,000 signatures: the mean of the samples.
    pub fn per_10k(&self) -> f64 {
        let count = u32::try_from(self.samples.len()).unwrap_or(u32::MAX);
        self.samples.iter().sum::<f64>() / f64::from(count.max(1)) * 10_000.0
    }
}
