//! Loopback addresses, each handed out once: what runs at the same time never meets on a port, and a restarted gateway finds
//! its own free.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An address in 127.0.0.0/8 that nobody else in this process has.
fn fresh() -> Ipv4Addr {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = u8::try_from(16 + std::process::id() % 200).unwrap();
    Ipv4Addr::new(127, process, u8::try_from(n / 250 % 256).unwrap(), u8::try_from(1 + n % 250).unwrap())
}

/// A listener on an address of its own.
pub fn listener() -> TcpListener {
    TcpListener::bind((fresh(), 0)).unwrap()
}

/// An address with a port that is free, for a process that listens by itself.
pub fn free() -> SocketAddr {
    listener().local_addr().unwrap()
}
