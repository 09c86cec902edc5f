// SPDX-License-Identifier: Apache-2.0
//! Groups of the system by name.

/// The number of a group in `/etc/group`; none where there is none of that name, or no such file.
pub fn id_of(name: &str) -> Option<u32> {
    find(&std::fs::read_to_string("/etc/group").ok()?, name)
}

fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        fields.nth(1)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_name() {
        let groups = "root:x:0:\nmusterers:x:7:\nmuster:x:998:alice,bob\nbroken\nodd:x:none:\n";
        assert_eq!(find(groups, "muster"), Some(998));
        assert_eq!(find(groups, "root"), Some(0));
        assert_eq!(find(groups, "odd"), None);
        assert_eq!(find(groups, "broken"), None);
        assert_eq!(find(groups, "nobody"), None);
    }
}
