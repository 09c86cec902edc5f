#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tries the Debian package in a clean root made by debootstrap: install, serve, upgrade, remove, purge.
#
#   packaging/try-deb.sh OLDER.deb NEWER.deb
#
# Runs as root. The root is in memory (up to 3 GB), in mount, process and network namespaces of its own, so that nothing of it
# outlives this. The release of Debian and the mirror are those of this machine's apt.
# shellcheck disable=SC2016 # what stands in single quotes is for other programs
set -euo pipefail

if [ $# -ne 2 ] || [ "$(id -u)" -ne 0 ]; then
    sed -n '3,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
older=$(realpath "$1")
newer=$(realpath "$2")

if [ -z "${MUSTER_TRY_ROOT:-}" ]; then
    MUSTER_TRY_ROOT=$(mktemp -d /var/tmp/muster-root.XXXXXX)
    export MUSTER_TRY_ROOT
    trap 'rm -rf --one-file-system "$MUSTER_TRY_ROOT"' EXIT
    trap 'exit 130' INT TERM
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$older" "$newer"
    exit
fi

root=$MUSTER_TRY_ROOT
mount -t tmpfs -o size=3g,mode=755 muster-try "$root"
step() { printf '\n-- %s\n' "$*"; }
fail() {
    echo "try-deb.sh: $*" >&2
    exit 1
}
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root \
    DEBIAN_FRONTEND=noninteractive "$@"; }
quietly() {
    local said
    said=$("$@" 2>&1) || fail "$* failed: $said"
}

# What a root holds beside what package tools keep for themselves.
list_files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o \
        -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./packages \) \
        -prune -o ! -path './etc/*-' -printf '%p %M %u:%g\n' | sort)
}

# has PATH MODE OWNER:GROUP
has() {
    local found
    found=$(inside stat -c '%a %U:%G' "$1") || fail "there is no $1"
    [ "$found" = "$2 $3" ] || fail "$1 is $found, not $2 $3"
}

# Neither user may be left, nor a group of theirs.
lacks_users() {
    local user
    for user in muster muster-agent; do
        if inside getent passwd "$user" || inside getent group "$user"; then fail "purge leaves $user"; fi
    done
}

lacks() { if [ -e "$root$1" ] || [ -L "$root$1" ]; then fail "$1 is there"; fi; }

wants=/etc/systemd/system/multi-user.target.wants

check_files() {
    has /usr/bin/muster 755 root:root
    for unit in muster.service muster.socket muster-agent.service muster-backup.service muster-backup.timer; do
        has /usr/lib/systemd/system/$unit 644 root:root
    done
    has /usr/lib/sysusers.d/muster.conf 644 root:root
    has /usr/lib/tmpfiles.d/muster.conf 644 root:root
    has /etc/muster/muster.toml 644 root:root
    has /etc/muster/agent.env 600 root:root
    has /etc/muster/agent 755 root:root
    has /var/lib/muster 700 muster:muster
    has /etc/muster/backup.env 600 root:root
    has /var/lib/muster-agent 700 muster-agent:muster-agent
    has /var/spool/muster 750 muster:muster
    has /var/backups/muster 700 muster:muster
    for page in man1/muster.1 man1/muster-serve.1 man1/muster-agent-run.1 man5/muster.toml.5; do
        has /usr/share/man/$page.gz 644 root:root
    done
    has /usr/share/bash-completion/completions/muster 644 root:root
    has /usr/share/zsh/vendor-completions/_muster 644 root:root
    has /usr/share/fish/vendor_completions.d/muster.fish 644 root:root
    has /usr/share/doc/muster/copyright 644 root:root
    has /usr/share/doc/muster/changelog.Debian.gz 644 root:root
    has /usr/share/doc/muster/CHANGELOG.md 644 root:root
    has /usr/share/doc/muster/examples/nginx/muster.conf 644 root:root
    [ -L "$root$wants/muster.service" ] || fail "muster.service is not enabled"
    lacks $wants/muster-agent.service
    lacks /etc/systemd/system/timers.target.wants/muster-backup.timer
    lacks /etc/systemd/system/sockets.target.wants/muster.socket
    local version
    version=$(dpkg-deb -f "$older" Version)
    [ "$(inside muster --version)" = "muster ${version%-*}" ] || fail "muster --version says something else"
    inside muster config check >/dev/null
}

post='curl -sS -o /tmp/answer -w %{http_code} http://127.0.0.1:8080/
    -H X-Telemetry-TID:6907c830-eed9-4ce9-81ae-76daf8d88f0f -H Record-Format-Version:1
    -H Classification:org.example/hello/world -H Severity:1 -H Machine-Id:a -H Creation-Timestamp:1780272000
    -H Arch:x86_64 -H Host-Type:curl -H Build:1 -H Kernel-Version:6.1.0 -d It'

# Serves as the unit does, and prints how many records there are; with the word post after one was posted.
serve() {
    unshare --net --pid --fork --kill-child bash -euc '
        ip link set lo up
        run() { chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin "${@:2}"; }
        umask 077
        chroot --userspec=muster:muster "$1" /usr/bin/env -i PATH=/usr/bin \
            /usr/bin/muster serve --config /etc/muster/muster.toml >"$1/tmp/log" 2>&1 &
        server=$!
        for _ in $(seq 100); do
            run "$1" curl -sf -o /dev/null http://127.0.0.1:8080/readyz && break
            kill -0 $server || { cat "$1/tmp/log"; exit 1; }
            sleep 0.1
        done
        if [ "$2" = post ]; then
            code=$(run "$1" $3)
            [ "$code" = 201 ] || { echo "a post is answered $code"; cat "$1/tmp/answer" "$1/tmp/log"; exit 1; }
        fi
        run "$1" curl -sf http://127.0.0.1:8080/api/records -H Accept:application/x-ndjson | wc -l
        kill -TERM $server
        wait $server
    ' serve "$root" "$1" "$post"
}

# Serves and expects one record.
serves() {
    local said
    said=$(serve "$1") || fail "serving failed: $said"
    [ "$said" = 1 ] || fail "there is not one record: $said"
}

step "a clean root"
# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    awk -v suite="$suite" '$2 == suite && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || fail "apt of this machine names no mirror of Debian $suite"
proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
if [ -n "$proxy" ]; then export http_proxy=$proxy; fi
quietly debootstrap --variant=minbase --include=curl,ca-certificates "$suite" "$root" "$mirror"
# How this machine fetches packages.
apt-config dump | grep -E '^Acquire::(http|https|Check)' >"$root/etc/apt/apt.conf.d/00host" || true
mkdir "$root/packages"
cp "$older" "$root/packages/older.deb"
cp "$newer" "$root/packages/newer.deb"
mount -t proc proc "$root/proc"

step "without systemd: install, serve, purge leave nothing"
before=$(list_files)
quietly inside dpkg -i /packages/older.deb
check_files
serves post
quietly inside dpkg --purge muster
diff <(echo "$before") <(list_files) || fail "purge leaves something"
lacks_users

step "with systemd: install"
quietly inside apt-get update -q
quietly inside apt-get install -q -y --no-install-recommends systemd man-db
before=$(list_files)
quietly inside apt-get install -q -y /packages/older.deb
check_files
for page in muster muster.toml muster-serve muster-agent-run; do
    inside env MANWIDTH=80 man -P cat "$page" | grep -q '^NAME' || fail "man $page does not render"
done
units=$(cd "$root/usr/lib/systemd/system" && ls -d muster*)
# shellcheck disable=SC2086
said=$(systemd-analyze verify --man=no --root="$root" $units 2>&1 | grep muster || true)
[ -z "$said" ] || fail "systemd-analyze verify: $said"
if inside bash -c 'ldd /usr/bin/muster' | grep 'not found'; then fail "a library is missing"; fi

step "serve, with the packaged configuration"
serves post
has /var/lib/muster/muster.db 600 muster:muster
has /var/spool/muster/action/new 770 muster:muster

step "upgrade keeps data, changed configuration, and what was disabled"
echo "# changed" >>"$root/etc/muster/muster.toml"
quietly inside systemctl disable muster.service
quietly inside apt-get install -q -y /packages/newer.deb
[ "$(inside dpkg-query -W -f '${Version}' muster)" = "$(dpkg-deb -f "$newer" Version)" ] || fail "not upgraded"
tail -n 1 "$root/etc/muster/muster.toml" | grep -q '^# changed$' || fail "the configuration was overwritten"
serves look
lacks $wants/muster.service

step "reinstalled after a removal, it is started"
quietly inside apt-get remove -q -y muster
# systemd does not run here: what it would be told is written down.
mkdir -p "$root/run/systemd/system"
printf '#!/bin/sh\necho "$*" >>/tmp/told\n' >"$root/usr/local/bin/deb-systemd-invoke"
chmod 755 "$root/usr/local/bin/deb-systemd-invoke"
quietly inside env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin dpkg -i /packages/newer.deb
grep -qx 'restart muster.service' "$root/tmp/told" || fail "the server is not started: $(cat "$root/tmp/told")"
quietly inside env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin dpkg --remove muster
grep -qx 'stop .*muster-backup.service .*' "$root/tmp/told" || fail "a backup is not stopped"
rm -r "$root/run/systemd/system" "$root/usr/local/bin/deb-systemd-invoke" "$root/tmp/told"
quietly inside dpkg -i /packages/newer.deb
lacks $wants/muster.service
serves look

step "remove keeps data and configuration"
inside ln -s /usr/lib/systemd/system/muster-agent.service $wants/muster-agent.service
quietly inside apt-get remove -q -y muster
lacks /usr/bin/muster
lacks /usr/lib/systemd/system/muster.service
has /var/lib/muster/muster.db 600 muster:muster
has /etc/muster/muster.toml 644 root:root
inside getent passwd muster >/dev/null || fail "the user is gone, the files are not"

step "purge leaves nothing"
quietly inside apt-get purge -q -y muster
diff <(echo "$before") <(list_files) || fail "purge leaves something"
lacks_users

step "purge leaves backups, and gives them to root"
quietly inside dpkg -i /packages/newer.deb
quietly inside install -m 600 -o muster -g muster /dev/null /var/backups/muster/muster-1.db
inside ln -s /etc/hostname /var/backups/muster/link
named=$(inside stat -c '%a %U:%G' /etc/hostname)
quietly inside dpkg --purge muster
has /var/backups/muster 700 root:root
has /var/backups/muster/muster-1.db 600 root:root
has /etc/hostname "${named% *}" "${named#* }"
lacks_users
rm -r "$root/var/backups/muster"

step "purge leaves a link in place of the data directory, and what it leads to"
mkdir "$root/srv/data"
ln -s /srv/data "$root/var/lib/muster"
quietly inside dpkg -i /packages/newer.deb
inside touch /srv/data/precious
quietly inside dpkg --purge muster
has /srv/data/precious 644 root:root
step "the package passes"
