//! What a process costs, as the kernel counts it.

use std::collections::HashMap;
use std::fs;

/// Ticks in a second, as `/proc` counts: 100 on every Linux that we know.
const TICKS: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// CPU seconds, user and system, of all its threads, ended ones included.
    pub cpu: f64,
    /// CPU seconds of each thread that lives.
    threads: HashMap<u32, f64>,
}

impl Usage {
    /// What process `pid` has used so far.
    pub fn of(pid: u32) -> Self {
        Self { cpu: cpu_of(pid), threads: threads_of(pid) }
    }

    /// CPU seconds since then.
    pub fn since(&self, before: &Self) -> f64 {
        self.cpu - before.cpu
    }

    /// CPU seconds since then of these threads.
    pub fn of_threads(&self, before: &Self, ids: &[u32]) -> f64 {
        let at = |usage: &Self, id| usage.threads.get(id).copied().unwrap_or(0.0);
        ids.iter().map(|id| at(self, id) - at(before, id)).sum()
    }
}

/// User and system time of a process, in seconds.
pub fn cpu_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    ticks(&stat, &[13, 14]) / TICKS
}

/// User and system time of a process and of the children that it has waited for, in seconds.
pub fn cpu_with_ended_children(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    ticks(&stat, &[13, 14, 15, 16]) / TICKS
}

/// The sum of these fields of a `stat` line, counted from 0 as in proc(5) less one.
fn ticks(stat: &str, fields: &[usize]) -> f64 {
    // The name of the program, field 1, may hold spaces; the last parenthesis ends it.
    let rest: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    fields.iter().filter_map(|field| rest.get(field - 2)?.parse::<f64>().ok()).sum()
}

fn threads_of(pid: u32) -> HashMap<u32, f64> {
    let folder = format!("/proc/{pid}/task");
    let Ok(entries) = fs::read_dir(&folder) else { return HashMap::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let line = fs::read_to_string(format!("{folder}/{id}/schedstat")).ok()?;
        let nanoseconds: f64 = line.split(' ').next()?.parse().ok()?;
        Some((id, nanoseconds / 1e9))
    })
    .collect()
}

/// The ids of the threads of a process whose name begins so (the kernel keeps 15 characters), oldest first. The numbers alone
/// do not tell: they start anew when they have run out.
pub fn threads_named(pid: u32, name: &str) -> Vec<u32> {
    let folder = format!("/proc/{pid}/task");
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut ids: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| fs::read_to_string(format!("{folder}/{id}/comm")).is_ok_and(|comm| comm.trim().starts_with(name)))
        .collect();
    let began = |id: &u32| fs::read_to_string(format!("{folder}/{id}/stat")).map_or(0.0, |stat| ticks(&stat, &[21]));
    ids.sort_by(|a, b| began(a).total_cmp(&began(b)).then(a.cmp(b)));
    ids
}

/// The processes that a process started and that live, and theirs.
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        all.extend(children.split_ascii_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        next += 1;
    }
    all
}

/// The most memory that a process has held since it began or since [`forget_peak`], in MB (10⁶ bytes).
pub fn peak_rss_mb(pid: u32) -> f64 {
    kilobytes(pid, "VmHWM:") * 1024.0 / 1e6
}

/// The memory that a process holds, in MB.
pub fn rss_mb(pid: u32) -> f64 {
    kilobytes(pid, "VmRSS:") * 1024.0 / 1e6
}

/// Has the kernel count the peak anew.
pub fn forget_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

fn kilobytes(pid: u32, key: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0.0)
}

/// Puts a process with all its threads on these cores, as `taskset` counts them.
pub fn pin(pid: u32, cores: &str) {
    let output = std::process::Command::new("taskset").args(["-a", "-c", "-p", cores, &pid.to_string()]).output();
    assert!(output.is_ok_and(|output| output.status.success()), "taskset (util-linux) puts {pid} on core {cores}");
}
