// SPDX-License-Identifier: Apache-2.0
//! The addresses of this machine's interfaces with the lengths of their prefixes, from what the kernel writes in /proc:
//! asking it otherwise needs unsafe code.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a table that are read: a router's may be endless, and its own addresses stand in the short ones.
const TABLE_BYTES_MAX: u64 = 4 << 20;
/// Addresses that are told.
const ADDRESSES_MAX: usize = 256;

/// An address with the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Bits of the prefix.
    pub prefix_bits: u8,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_bits)
    }
}

/// All addresses but those of the loopback, IPv4 first, in order.
pub fn of_this_machine() -> Vec<Address> {
    let mut found = ipv4(&read("/proc/self/net/fib_trie"));
    found.extend(ipv6(&read("/proc/self/net/if_inet6")));
    found.sort();
    found.dedup();
    found.truncate(ADDRESSES_MAX);
    found
}

fn read(path: &str) -> String {
    let mut bytes = Vec::new();
    // A kernel without the protocol has no such file.
    if let Ok(file) = File::open(path) {
        let _ = file.take(TABLE_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the tree of routes: below `|-- 192.0.2.2` stands `/32 host LOCAL` for an address of ours, below the address of
/// a network `/24 link UNICAST`.
fn ipv4(trie: &str) -> Vec<Address> {
    let mut leaf = None;
    let (mut own, mut networks) = (Vec::new(), Vec::new());
    for line in trie.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["|--", ip] => leaf = ip.parse::<Ipv4Addr>().ok(),
            [bits, scope, kind, ..] if bits.starts_with('/') => {
                let (Some(ip), Ok(bits)) = (leaf, bits[1..].parse::<u8>()) else { continue };
                match (*scope, *kind) {
                    ("host", "LOCAL") if bits == 32 && !ip.is_loopback() => own.push(ip),
                    ("link", "UNICAST") if bits <= 32 => networks.push((ip, bits)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let is_in = |ip: Ipv4Addr, (network, bits): (Ipv4Addr, u8)| {
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        ip.to_bits() & mask == network.to_bits() & mask
    };
    own.into_iter()
        .map(|ip| {
            let around = networks.iter().filter(|network| is_in(ip, **network));
            let prefix_bits = around.map(|(_, bits)| *bits).max().unwrap_or(32);
            Address { ip: ip.into(), prefix_bits }
        })
        .collect()
}

/// Reads lines of `fd00…0002 04 40 00 82 eth0`: the address, the interface's number, the length of the prefix, ….
fn ipv6(table: &str) -> Vec<Address> {
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let ip = Ipv6Addr::from_bits(u128::from_str_radix(words.next()?, 16).ok()?);
        let prefix_bits = u8::from_str_radix(words.nth(1)?, 16).ok()?;
        (!ip.is_loopback()).then_some(Address { ip: ip.into(), prefix_bits })
    };
    table.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(addresses: &[Address]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_tree_of_routes_has_our_addresses_and_their_networks() {
        let trie = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.2
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 10.9.0.0
        /16 universe UNICAST
     |-- 10.9.0.7
        /32 host LOCAL
     +-- 172.16.0.0/12
        |-- 172.16.0.0
           /12 link UNICAST
           /24 link UNICAST
        |-- 172.16.0.9
           /32 host LOCAL
";
        assert_eq!(words(&ipv4(trie)), ["192.0.2.2/24", "10.9.0.7/32", "172.16.0.9/24"]);
        for odd in ["", "/32 host LOCAL", "|-- x\n /32 host LOCAL", "|-- 1.2.3.4\n /x host LOCAL"] {
            assert!(ipv4(odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn the_table_of_ipv6_has_hexadecimal_prefixes() {
        let table = "fd000000000000000000000000000002 04 40 00 82     eth0\n\
            00000000000000000000000000000001 01 80 10 80       lo\nnonsense\n";
        assert_eq!(words(&ipv6(table)), ["fd00::2/64"]);
    }
}
