// SPDX-License-Identifier: Apache-2.0
//! A real nginx with packaging/nginx/muster.conf, whose addresses and paths alone are replaced.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The example as packaged.
pub const EXAMPLE: &str = include_str!("../../../packaging/nginx/muster.conf");

/// What nginx needs beside the example, all of it in a directory of its own.
const AROUND: &str = "daemon off; master_process off; pid DIR/pid; error_log DIR/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  include DIR/muster.conf;
}
";

/// A running nginx, ended when dropped.
pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Nginx {
    /// In front of `server`; `location` is the path below which it is offered.
    pub fn start(server: SocketAddr, location: &str) -> Nginx {
        let proxy_pass = format!("proxy_pass http://{server};");
        Nginx::start_with(&[
            ("proxy_pass http://127.0.0.1:8080;", &proxy_pass),
            ("location / {", &format!("location {location} {{")),
        ])
    }

    /// With these parts of the example replaced.
    pub fn start_with(replaced: &[(&str, &str)]) -> Nginx {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let passwords = path("htpasswd").to_str().unwrap().to_owned();
        let listen = format!("listen {address};");
        let mut example = EXAMPLE.to_owned();
        let own = [("listen 80;", listen.as_str()), ("/etc/nginx/muster.htpasswd", passwords.as_str())];
        for (from, to) in own.iter().chain(replaced) {
            assert!(example.contains(from), "the example has no {from}");
            // The first line of the file names the place of passwords, too.
            example = example.replace(from, to);
        }
        std::fs::write(path("muster.conf"), example).unwrap();
        std::fs::write(&passwords, "kim:{PLAIN}secret\nada:{PLAIN}secret\nlee:{PLAIN}secret\n").unwrap();
        let around = AROUND.replace("DIR", directory.path().to_str().unwrap());
        std::fs::write(path("nginx.conf"), around).unwrap();
        // Who is not root does not find it by its name.
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let child = Command::new(program)
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(path("nginx.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed by tests/run");
        let nginx = Nginx { child, address, directory };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "nginx did not start: {}", nginx.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of nginx ---\n{}", self.log());
        }
    }
}
