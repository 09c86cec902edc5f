#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs muster without a package, or removes it; run as root. To run it again is to upgrade.
#
#   packaging/install.sh [--prefix DIR] [--uninstall] [BINARY]
#
# --prefix     where the program, its pages and completions go (default /usr/local)
# --uninstall  remove what was installed; data, configuration and users stay
# BINARY       the program (default target/release/muster of this tree)
#
# DESTDIR, if set, is put before every path, and nothing is done to the running system.
set -eu
# What is installed is for everybody, whatever the caller's mask.
umask 022

tree=$(cd "$(dirname "$0")/.." && pwd)
destdir=${DESTDIR:-}
prefix=/usr/local
binary=
uninstall=false

usage() {
    sed -n '3,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case "$1" in
    --prefix)
        [ $# -ge 2 ] || usage
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    --uninstall) uninstall=true ;;
    -*) usage ;;
    *)
        [ -z "$binary" ] || usage
        binary=$1
        ;;
    esac
    shift
done
case "$prefix" in
/*[!A-Za-z0-9/._-]*) fail "--prefix must have letters, digits and / . _ - only: it stands in units" ;;
/*) prefix=${prefix%/} ;;
*) fail "--prefix must begin with /" ;;
esac

# systemd reads /etc/systemd/system and /usr/local/lib/systemd/system, whatever the prefix is.
units=/etc/systemd/system
bash_dir=$prefix/share/bash-completion/completions
zsh_dir=$prefix/share/zsh/site-functions
fish_dir=$prefix/share/fish/vendor_completions.d
is_live=false
if [ -z "$destdir" ]; then is_live=true; fi

has() { command -v "$1" >/dev/null 2>&1; }

# Whether systemd runs here, so that it must be told.
is_run_by_systemd() { [ "$is_live" = true ] && [ -d /run/systemd/system ]; }

# Whether the Debian package is installed: then users, directories and units are its own.
is_packaged() { grep -qsx /usr/bin/muster "$destdir/var/lib/dpkg/info/muster.list"; }

# put MODE FILE PLACE: replaced at once, so that a program that runs is not written over.
put() {
    mkdir -p "$destdir$(dirname "$3")"
    cp "$2" "$destdir$3.new"
    chmod "$1" "$destdir$3.new"
    mv -f "$destdir$3.new" "$destdir$3"
}

# keep MODE FILE PLACE: what is there already stays.
keep() {
    if [ -e "$destdir$3" ]; then
        echo "kept $destdir$3"
    else
        put "$1" "$2" "$3"
    fi
}

install_all() {
    if is_packaged; then fail "the Debian package muster is installed: apt remove muster first, or upgrade that"; fi
    binary=${binary:-$tree/target/release/muster}
    [ -f "$binary" ] || fail "there is no $binary; build it with cargo build --release, or name another"
    case "$binary" in /*) ;; *) binary=$(pwd)/$binary ;; esac
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    "$binary" manual --output "$made" >/dev/null || fail "$binary does not run here"
    for shell in bash zsh fish; do "$binary" completions "$shell" >"$made/$shell"; done

    put 755 "$binary" "$prefix/bin/muster"
    for section in 1 5; do
        for page in "$made/man$section"/*; do
            put 644 "$page" "$prefix/share/man/man$section/$(basename "$page")"
        done
    done
    put 644 "$made/bash" "$bash_dir/muster"
    put 644 "$made/zsh" "$zsh_dir/_muster"
    put 644 "$made/fish" "$fish_dir/muster.fish"
    for unit in "$tree"/systemd/*; do
        sed "s|/usr/bin/muster|$prefix/bin/muster|g" "$unit" >"$made/unit"
        put 644 "$made/unit" "$units/$(basename "$unit")"
    done
    for kind in sysusers tmpfiles; do
        for file in "$tree/packaging/$kind.d"/*.conf; do
            put 644 "$file" "/usr/lib/$kind.d/$(basename "$file")"
        done
    done
    keep 644 "$tree/packaging/muster.toml" /etc/muster/muster.toml
    for file in "$tree"/packaging/*.env; do
        keep 600 "$file" "/etc/muster/$(basename "$file")"
    done
    if [ "$is_live" = true ]; then make_users; fi
    if is_run_by_systemd; then
        systemctl daemon-reload
        systemctl try-restart muster.service muster-agent.service
        echo "installed; start it with: systemctl enable --now muster"
    else
        echo "installed below ${destdir}${prefix}"
    fi
}

make_users() {
    if has systemd-sysusers; then
        systemd-sysusers muster.conf muster-agent.conf
    else
        for user in muster muster-agent; do
            getent passwd "$user" >/dev/null || useradd --system --user-group --home-dir "/var/lib/$user" \
                --no-create-home --shell /usr/sbin/nologin "$user"
        done
    fi
    if has systemd-tmpfiles; then
        systemd-tmpfiles --create muster.conf muster-agent.conf
    else
        mkdir -p /etc/muster/agent
        for user in muster muster-agent; do
            [ -d "/var/lib/$user" ] || install -d -m 700 -o "$user" -g "$user" "/var/lib/$user"
        done
        [ -d /var/spool/muster ] || install -d -m 750 -o muster -g muster /var/spool/muster
        [ -d /var/backups/muster ] || install -d -m 700 -o muster -g muster /var/backups/muster
    fi
}

# The man pages that the program installed makes, removed by name: others may have pages that begin alike.
remove_manual() {
    program=$destdir$prefix/bin/muster
    [ -e "$program" ] || return 0
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    if ! "$program" manual --output "$made" >/dev/null 2>&1; then
        echo "install.sh: $program does not run; its man pages stay in $destdir$prefix/share/man" >&2
        return 0
    fi
    for section in 1 5; do
        for page in "$made/man$section"/*; do
            rm -f "$destdir$prefix/share/man/man$section/$(basename "$page")"
        done
    done
}

uninstall_all() {
    if is_run_by_systemd && ! is_packaged; then
        for unit in "$tree"/systemd/*; do
            systemctl disable --now "$(basename "$unit")" >/dev/null 2>&1 || true
        done
    fi
    for unit in "$tree"/systemd/*; do rm -f "$destdir$units/$(basename "$unit")"; done
    for kind in sysusers tmpfiles; do
        if is_packaged; then continue; fi
        for file in "$tree/packaging/$kind.d"/*.conf; do
            rm -f "$destdir/usr/lib/$kind.d/$(basename "$file")"
        done
    done
    rm -f "$destdir$bash_dir/muster" "$destdir$zsh_dir/_muster" "$destdir$fish_dir/muster.fish"
    remove_manual
    rm -f "$destdir$prefix/bin/muster"
    if is_run_by_systemd; then systemctl daemon-reload; fi
    echo "removed; what stays:"
    for place in /etc/muster /var/lib/muster /var/lib/muster-agent /var/spool/muster /var/backups/muster; do
        if [ -e "$destdir$place" ]; then echo "  $destdir$place"; fi
    done
    echo "and the users muster and muster-agent. To remove them too: rm -r these directories, userdel these users."
}

if [ "$is_live" = true ] && [ "$(id -u)" -ne 0 ]; then fail "run it as root, or with DESTDIR"; fi
if [ "$uninstall" = true ]; then uninstall_all; else install_all; fi
