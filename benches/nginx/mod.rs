//! nginx as Debian has it, with files, on a loopback port, under a configuration of its own.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::harness::gateway::free_address;
use super::harness::{process, until};

/// Where Debian puts it; root's path alone has that folder.
const PROGRAMS: &[&str] = &["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];

/// A file, and the path that it is served under.
pub struct File {
    pub path: String,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// The server; it ends with the value.
pub struct Nginx {
    pub address: SocketAddr,
    child: Child,
}

impl Nginx {
    /// Starts it with these files. Its access log is off, as ours is; file handles are kept, so that it does its best.
    pub fn start(folder: &TempDir, workers: usize, files: Vec<File>) -> Self {
        let program = PROGRAMS.iter().find(|path| Path::new(path).exists()).expect(
            "nginx is not there. On Debian: apt-get install --no-install-recommends nginx-light (and, where services are \
             started on installation, systemctl disable --now nginx)",
        );
        let root = super::public(folder);
        let address = free_address();
        let mut locations = String::new();
        for (n, file) in files.iter().enumerate().filter(|(n, f)| !files[..*n].iter().any(|g| g.path == f.path)) {
            let place = root.join(format!("file{n}"));
            std::fs::write(&place, &file.body).unwrap();
            let File { path, content_type, .. } = file;
            writeln!(
                locations,
                "location = {path} {{ alias {}; types {{}} default_type \"{content_type}\"; }}",
                place.display()
            )
            .unwrap();
        }
        let config = format!(
            "daemon off; worker_processes {workers}; pid {root}/nginx.pid; error_log {root}/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; etag on;\n\
             open_file_cache max=1000;\n\
             client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;\n\
             uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
             server {{ listen {address};\n{locations}}} }}\n",
            root = root.display()
        );
        std::fs::write(root.join("nginx.conf"), config).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(&root).arg("-e").arg(root.join("error.log")).arg("-c").arg(root.join("nginx.conf"));
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let nginx = Self { address, child };
        until("nginx listens", || TcpStream::connect(address).ok());
        until("its workers are there", || (nginx.pids().len() == workers + 1).then_some(()));
        nginx
    }

    /// Its processes.
    pub fn pids(&self) -> Vec<u32> {
        process::descendants(self.child.id())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        for pid in self.pids() {
            let _ = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
        }
        let _ = self.child.wait();
    }
}
