//! The crowd itself: two threads, each with its share of the connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Outcome, Task};

const THREADS: usize = 2;
/// What is read at once.
const READ_BYTES: usize = 64 * 1024;

struct Crowd {
    task: Task,
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
    began: Instant,
}

#[derive(Default)]
struct Tally {
    measured: u64,
    latencies_us: Vec<u32>,
    odd: u64,
    odd_one: Option<String>,
}

pub fn play() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let task: Task = serde_json::from_str(&line).unwrap();
    let requests = read(&task.requests);
    let crowd = Arc::new(Crowd { task, requests, next: AtomicUsize::new(0), began: Instant::now() });
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let crowd = crowd.clone();
            std::thread::spawn(move || share(&crowd, thread))
        })
        .collect();
    let tallies: Vec<Tally> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    println!("{}", serde_json::to_string(&outcome(&crowd, tallies)).unwrap());
}

fn read(path: &str) -> Vec<Vec<u8>> {
    let all = std::fs::read(path).unwrap();
    let (mut requests, mut rest) = (Vec::new(), all.as_slice());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (request, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        requests.push(request.to_vec());
        rest = after;
    }
    requests
}

fn share(crowd: &Arc<Crowd>, thread: usize) -> Vec<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let clients: Vec<_> = (thread..crowd.task.connections)
            .step_by(THREADS)
            .map(|nth| tokio::task::spawn_local(client(crowd.clone(), nth)))
            .collect();
        let mut tallies = Vec::new();
        for client in clients {
            tallies.push(client.await.unwrap());
        }
        tallies
    })
}

async fn client(crowd: Arc<Crowd>, nth: usize) -> Tally {
    let mut tally = Tally::default();
    #[allow(clippy::cast_precision_loss)]
    if let Some((ramp, _)) = crowd.task.time {
        let at = ramp * nth as f64 / crowd.task.connections as f64;
        tokio::time::sleep_until((crowd.began + Duration::from_secs_f64(at)).into()).await;
    }
    let mut stream = TcpStream::connect(crowd.task.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let turn = crowd.next.fetch_add(1, Ordering::Relaxed);
        let request = match crowd.task.time {
            None => crowd.requests.get(turn),
            Some(_) => crowd.requests.get(turn % crowd.requests.len()),
        };
        let Some(request) = request else { return tally };
        let sent = due(&crowd, turn).await;
        stream.write_all(request).await.unwrap();
        let status = answer(&mut stream, &mut buffer).await;
        let now = Instant::now();
        if status != crowd.task.expect {
            tally.odd += 1;
            tally.odd_one = Some(String::from_utf8_lossy(&buffer[..1_024]).trim_end_matches('\0').to_owned());
        }
        tally.latencies_us.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
        match crowd.task.time {
            None => tally.measured += 1,
            Some((ramp, measured)) => {
                let at = (now - crowd.began).as_secs_f64();
                if at > ramp + measured {
                    return tally;
                }
                tally.measured += u64::from(at > ramp);
            }
        }
    }
}

/// Waits until a request is to be sent, and says when that was.
#[allow(clippy::cast_precision_loss)]
async fn due(crowd: &Crowd, turn: usize) -> Instant {
    let Some(rate) = crowd.task.rate else { return Instant::now() };
    let at = crowd.began + Duration::from_secs_f64(turn as f64 / rate);
    tokio::time::sleep_until(at.into()).await;
    at
}

/// Reads one answer whole, and gives its status.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> u16 {
    let mut filled = 0;
    let head = loop {
        let n = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(n > 0, "the server closed the connection");
        filled += n;
        if let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let status: u16 = std::str::from_utf8(&buffer[9..12]).unwrap().parse().unwrap();
    let mut left = (head + length(&buffer[..head], status)).saturating_sub(filled);
    let mut rest = vec![0; if left > 0 { READ_BYTES } else { 0 }];
    while left > 0 {
        let n = stream.read(&mut rest).await.unwrap();
        assert!(n > 0, "the server closed the connection");
        left = left.saturating_sub(n);
    }
    status
}

fn length(head: &[u8], status: u16) -> usize {
    if status == 304 {
        return 0;
    }
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, value)| value.trim().parse().unwrap())
}

fn outcome(crowd: &Crowd, tallies: Vec<Tally>) -> Outcome {
    let mut latencies: Vec<u32> = tallies.iter().flat_map(|tally| tally.latencies_us.iter().copied()).collect();
    latencies.sort_unstable();
    let at = |hundredths: usize| latencies.get(latencies.len() * hundredths / 100).copied().unwrap_or(0);
    Outcome {
        answers: tallies.iter().map(|tally| tally.measured).sum(),
        seconds: crowd.task.time.map_or_else(|| crowd.began.elapsed().as_secs_f64(), |(_, measured)| measured),
        total: latencies.len() as u64,
        p50_ms: f64::from(at(50)) / 1e3,
        p99_ms: f64::from(at(99)) / 1e3,
        odd: tallies.iter().map(|tally| tally.odd).sum(),
        odd_one: tallies.into_iter().find_map(|tally| tally.odd_one),
    }
}
