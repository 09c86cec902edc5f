// SPDX-License-Identifier: Apache-2.0
//! Keys and signatures by the real gpg, in a home of their own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A keyring of gpg; removed when this is dropped or the tests end.
pub struct Gpg {
    home: PathBuf,
    _guard: Child,
}

impl Gpg {
    pub fn new() -> Gpg {
        // Short: the agent's socket lies in it, and the path of a socket has at most 107 bytes.
        let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap().keep();
        // gpg's agent outlives whoever started it; this one sees its standard input close with us, however we end.
        let guard = Command::new("sh")
            .args(["-c", "cat >/dev/null; gpgconf --kill all; rm -rf \"$GNUPGHOME\""])
            .env("GNUPGHOME", &home)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Gpg { home, _guard: guard }
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new("gpg")
            .args([
                "--batch",
                "--quiet",
                "--no-tty",
                "--yes",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "",
            ])
            .args(arguments)
            .env("GNUPGHOME", &self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "gpg {arguments:?}: {said}");
        output.stdout
    }

    /// Makes a key for signing and returns its fingerprint. `algorithm`: `rsa2048`, `ed25519`, `nistp256`, ….
    pub fn key(&self, name: &str, algorithm: &str) -> String {
        self.run(&["--quick-gen-key", name, algorithm, "sign,cert", "never"], b"");
        let listed = self.run(&["--list-keys", "--with-colons", &format!("={name}")], b"");
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    /// The public key in armor.
    pub fn public_key(&self, fingerprint: &str) -> String {
        String::from_utf8(self.run(&["--armor", "--export", fingerprint], b"")).unwrap()
    }

    /// A detached signature in armor.
    pub fn sign(&self, fingerprint: &str, text: &str) -> String {
        let user = format!("{fingerprint}!");
        let armored = self.run(&["--armor", "--detach-sign", "--local-user", &user], text.as_bytes());
        String::from_utf8(armored).unwrap()
    }

    /// The same in MIG's one line: armor without its head, foot and line ends.
    pub fn sign_one_line(&self, fingerprint: &str, text: &str) -> String {
        let armored = self.sign(fingerprint, text);
        let lines = armored.lines().filter(|line| !line.starts_with("-----") && !line.contains(':'));
        lines.collect()
    }
}
