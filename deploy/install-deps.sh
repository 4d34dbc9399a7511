#!/bin/sh
# Installs what development and tests need and is not there: PostgreSQL 15 or newer and
# Redis by the system's package manager, and the Temporal server into a cache folder.
# It says nothing when nothing is missing. Only programs are wanted: no service of the
# system is started or enabled, no cluster made, and what runs already stays as it is.
# usage: install-deps.sh [--only postgres|redis|temporal]
set -eu

temporal_version=v1.5.1 # as internal/devstack.TemporalCLIVersion, which a test compares
oldest_postgres=15
root=${DEPS_ROOT:-} # another root folder for the places below, for the tests of this script

here=$(cd "$(dirname "$0")" && pwd)
cache=${WEDSYNC_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/wedsync}

say() { echo "install-deps: $*"; }

fail() {
  say "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# postgres_major prints the major version of the newest server there is, 0 for none. It
# looks where internal/devstack does.
postgres_major() {
  newest=0
  in_path=$(command -v postgres || true)
  if [ -n "$in_path" ]; then in_path=$(dirname "$(readlink -f "$in_path")"); fi
  for bin in "$in_path" "$root"/usr/lib/postgresql/*/bin "$root"/usr/lib/postgresql*/bin \
    "$root"/usr/pgsql-*/bin "$root"/usr/libexec/postgresql* \
    "$root"/opt/homebrew/opt/postgresql*/bin "$root"/usr/local/opt/postgresql*/bin; do
    if [ -z "$bin" ] || [ ! -x "$bin/initdb" ] || [ ! -x "$bin/postgres" ]; then continue; fi
    major=$("$bin/postgres" -V 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9][0-9]*\).*/\1/p')
    if [ "${major:-0}" -gt "$newest" ]; then newest=$major; fi
  done
  echo "$newest"
}

has_postgres() { [ "$(postgres_major)" -ge "$oldest_postgres" ]; }

has_redis() { have redis-server; }

has_temporal() { [ -x "$cache/bin/temporal" ] && [ -f "$cache/bin/.temporal-$temporal_version" ]; }

# manager prints the name of the system's package manager.
manager() {
  for m in apt-get dnf yum apk pacman zypper brew; do
    if have "$m"; then
      echo "$m"
      return
    fi
  done
}

# packages prints the packages of one server ($2) under a package manager ($1). Where a
# name differs between releases, both are given, split by |.
packages() {
  case "$1/$2" in
  apt-get/postgres) apt_postgres ;;
  apt-get/redis) echo redis-server ;;
  dnf/postgres | yum/postgres) echo "postgresql-server postgresql-contrib" ;;
  dnf/redis | yum/redis | zypper/redis) echo "redis|valkey-compat-redis" ;;
  apk/postgres) echo "postgresql postgresql-contrib" ;;
  apk/redis) echo "redis|valkey-compat" ;;
  pacman/postgres) echo postgresql ;;
  pacman/redis) echo "redis|valkey" ;;
  zypper/postgres) echo "postgresql-server postgresql-contrib" ;;
  brew/postgres) echo postgresql@17 ;;
  brew/redis) echo redis ;;
  esac
}

# apt_postgres prints the newest server package that apt knows. The package `postgresql`
# would do, but says nothing of its version before it is installed.
apt_postgres() {
  apt-cache search --names-only '^postgresql-[0-9]+$' 2>/dev/null |
    sed -n 's/^postgresql-\([0-9][0-9]*\) .*/\1/p' | sort -n |
    awk -v oldest="$oldest_postgres" '$1 >= oldest { newest = $1 } END { if (newest) print "postgresql-" newest }'
}

# install_command prints how a manager installs packages without asking and without extras.
install_command() {
  case $1 in
  apt-get) echo "env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0" ;;
  dnf) echo "dnf install -y --setopt=install_weak_deps=False" ;;
  yum) echo "yum install -y" ;;
  apk) echo "apk add --no-cache" ;;
  pacman) echo "pacman -S --needed --noconfirm" ;;
  zypper) echo "zypper --non-interactive install --no-recommends" ;;
  brew) echo "brew install" ;;
  esac
}

# become_root sets sudo to what runs a command as root: nothing when we are root. Homebrew
# refuses root and needs none.
become_root() {
  sudo=
  if [ "$1" = brew ] || [ "$(id -u)" = 0 ]; then return; fi
  if have sudo && sudo -n true 2>/dev/null; then
    sudo="sudo -n"
  elif have sudo && [ -t 0 ]; then
    say "sudo may ask for your password"
    sudo=sudo
  else
    if [ "$1" = apt-get ]; then first="apt-get update && "; else first=; fi
    fail "$missing: not installed, and installing needs root, which sudo does not give here. Run as root, then try again:
  $first$(install_command "$1") $(packages_of "$1")"
  fi
}

packages_of() {
  for server in $wanted; do
    names=$(packages "$1" "$server")
    echo "${names:-postgresql}"
  done | sed 's/|.*//' | tr '\n' ' '
}

# shown runs a command, its output indented, and keeps its exit status.
shown() {
  { { { "$@" 2>&1 && echo 0 >&3 || echo $? >&3; } | sed 's/^/    /' >&4; } 3>&1 | {
    read -r status
    exit "$status"
  }; } 4>&1
}

# as_root runs a command with become_root's sudo, which may be two words or none.
as_root() {
  # shellcheck disable=SC2086
  $sudo "$@"
}

# install_one installs one server; of names that differ between releases the first that
# the manager has.
install_one() {
  names=$(packages "$1" "$2")
  if [ -z "$names" ]; then fail "no package of $2 is known to $1. $(advice "$2")"; fi
  say "installing $names with $1 ..."
  while :; do
    # shellcheck disable=SC2046,SC2086
    if shown as_root $(install_command "$1") ${names%%|*}; then return; fi
    case $names in
    *"|"*) names=${names#*|} ;;
    *) fail "$1 could not install $2 (its output is above). $(advice "$2")" ;;
    esac
  done
}

advice() {
  case $1 in
  postgres) echo "PostgreSQL $oldest_postgres or newer is needed: https://www.postgresql.org/download/ has packages for your system. Install one and try again." ;;
  *) echo "Install redis-server 6 or newer in some other way and try again." ;;
  esac
}

policy=$root/usr/sbin/policy-rc.d
no_cluster=$root/etc/postgresql-common/createcluster.d/wedsync-install.conf

# quiet_debian keeps Debian's packages from what they do on their own: starting services
# (policy-rc.d) and making a cluster on port 5432 (createcluster.d). loud_debian undoes it,
# whatever happens. A policy-rc.d that is there already is somebody's and stays.
quiet_debian() {
  made_policy=
  trap loud_debian EXIT
  trap 'exit 1' HUP INT TERM
  if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  as_root mkdir -p "$(dirname "$no_cluster")"
  echo "create_main_cluster = false" | as_root tee "$no_cluster" >/dev/null
}

loud_debian() {
  trap - EXIT HUP INT TERM
  if [ -n "$made_policy" ]; then as_root rm -f "$policy"; fi
  as_root rm -f "$no_cluster"
}

# disable_service takes back that a package enabled its service for the next start of the
# system. It is asked only for what we installed.
disable_service() {
  case $1 in
  postgres) service=postgresql ;;
  redis) service=redis-server ;;
  esac
  if have systemctl; then as_root systemctl disable "$service" >/dev/null 2>&1 || true; fi
}

# install_servers installs the wanted servers ("postgres redis") from packages.
install_servers() {
  with=$(manager)
  if [ -z "$with" ]; then
    fail "$missing: not installed, and no package manager is known here (apt-get, dnf, yum, apk, pacman, zypper, brew). Install by hand and try again."
  fi
  say "$missing: needed by \`wedsync dev\` and by the tests, which run private servers of their own on loopback"
  become_root "$with"
  if [ "$with" = apt-get ]; then
    say "reading the package lists ..."
    shown as_root apt-get update -q || say "note: apt-get update failed; trying with the lists that are here"
    quiet_debian
  fi
  for server in $wanted; do
    install_one "$with" "$server"
    if [ "$with" = apt-get ]; then disable_service "$server"; fi
    if ! "has_$server"; then fail "$with installed $server, but not what is needed. $(advice "$server")"; fi
  done
  if [ "$with" = apt-get ]; then loud_debian; fi
}

install_temporal() {
  if ! have go; then fail "the Temporal server is built with Go, and there is no \`go\` in PATH: https://go.dev/dl/"; fi
  say "building the Temporal server $temporal_version into $cache/bin: once, and it takes a few minutes ..."
  sh "$here/install-tool.sh" "$cache/bin" temporal github.com/temporalio/cli/cmd/temporal "$temporal_version" ||
    fail "the Temporal server could not be built (see above). It needs the Go module proxy: \`go env GOPROXY\` is $(go env GOPROXY)"
}

usage() { fail "usage: install-deps.sh [--only postgres|redis|temporal]"; }

only=
while [ $# -gt 0 ]; do
  case "$1 ${2:-}" in
  "--only postgres" | "--only redis" | "--only temporal") only=$2 ;;
  *) usage ;;
  esac
  shift 2
done

wanted='' missing=''
for server in postgres redis; do
  if [ -n "$only" ] && [ "$only" != "$server" ]; then continue; fi
  if "has_$server"; then continue; fi
  wanted="$wanted $server"
  case $server in
  postgres) missing="PostgreSQL $oldest_postgres or newer" ;;
  redis) missing="${missing:+$missing, }Redis" ;;
  esac
done
if [ -n "$wanted" ]; then install_servers; fi
if [ -z "$only" ] || [ "$only" = temporal ]; then
  if ! has_temporal; then install_temporal; fi
fi
