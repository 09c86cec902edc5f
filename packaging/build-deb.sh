#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package: the binary, its man pages and completions, then the .deb by cargo-deb, which it installs
# where it is missing. Prints the path of the package.
#
#   packaging/build-deb.sh [--version VERSION] [--output DIR]
#
# Without --version that of Cargo.toml with the revision 1; without --output target/debian.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo_deb=3.8.0
version=
output=target/debian
while [ $# -gt 0 ]; do
    case "$1" in
    --version) version=${2:?a version must follow --version}; shift 2 ;;
    --output) output=${2:?a directory must follow --output}; shift 2 ;;
    *) sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
[ -n "$version" ] || version=$(cargo pkgid --offline | sed 's/.*[#@]//')-1

export PATH="$PWD/target/tools/bin:$PATH"
if [ "$(cargo deb --version 2>/dev/null | tr -dc '0-9.')" != "$cargo_deb" ]; then
    cargo install cargo-deb --version "$cargo_deb" --locked --root target/tools >&2
fi

# What the package holds beside the files of the tree; dated by the last change, so that the same tree makes the same.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
cargo build --release --locked >&2
made=target/package
rm -rf "$made"
mkdir -p "$made/completions"
target/release/muster manual --output "$made/man" >&2
for shell in bash zsh fish; do
    target/release/muster completions "$shell" >"$made/completions/$shell"
done
maintainer=$(sed -n 's/^maintainer = "\(.*\)"$/\1/p' Cargo.toml)
cat >"$made/changelog" <<END
muster ($version) unstable; urgency=medium

  * What changed is in /usr/share/doc/muster/CHANGELOG.md.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

mkdir -p "$output"
cargo deb --locked --no-build --quiet --deb-version "$version" --output "$output"
