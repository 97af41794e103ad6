# Sourced by scripts/test: the programs from which the tests start a private Postgres and a private Redis. Nothing to do
# where DATABASE_URL and REDIS_URL name servers, or the programs are there. Otherwise they are installed where that can be
# done without asking (root, apt-get); without them those suites say SKIPPED, and with CI set the run fails.

first_of() { # the first of the files that is there
  for file in "$@"; do
    [ ! -x "$file" ] || { echo "$file" && return; }
  done
}

missing=""
if [ -z "${DATABASE_URL:-}" ] && ! command -v initdb >/dev/null 2>&1 &&
  [ -z "$(first_of /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb)" ]; then
  missing="postgresql"
fi
if [ -z "${REDIS_URL:-}" ] && ! command -v redis-server >/dev/null 2>&1; then
  missing="$missing redis-server"
fi

# Programs only: no database of the system's own is made or started, now or when the machine starts.
install_servers() {
  clusters=/etc/postgresql-common/createcluster.d
  policy=/usr/sbin/policy-rc.d
  own_clusters=""
  [ -d "$clusters" ] || own_clusters=1
  mkdir -p "$clusters"
  echo "create_main_cluster = false" >"$clusters/oxbow-tests.conf"
  own_policy=""
  if [ ! -e "$policy" ]; then
    own_policy=1
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  installed=0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } >&2 || installed=$?
  rm -f "$clusters/oxbow-tests.conf"
  [ -z "$own_clusters" ] || rmdir "$clusters" || true
  [ -z "$own_policy" ] || rm -f "$policy"
  return "$installed"
}

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing the system's packages for the tests' own servers:$(printf ' %s' $missing) (apt-get) …" >&2
    # shellcheck disable=SC2086
    install_servers $missing || echo "They could not be installed; the suites that need them are left out." >&2
  else
    echo "Not on this machine:$(printf ' %s' $missing). Name servers in DATABASE_URL and REDIS_URL, or install them." >&2
  fi
fi
