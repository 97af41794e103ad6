# Sourced by the scripts beside it: goes to the checkout's top and installs what the lockfile names, once per lockfile.
cd "$(dirname "$0")/.." || exit 1

command -v git >/dev/null 2>&1 || { echo "Git is needed (2.38 or newer): https://git-scm.com" >&2; exit 78; }
command -v npm >/dev/null 2>&1 || { echo "Node 18 or newer with npm is needed: https://nodejs.org" >&2; exit 78; }

stamp="node_modules/.oxbow-installed"
want="$(cksum <package-lock.json)"
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$want" ]; then
  echo "Installing the packages of package-lock.json …" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2 || exit 1
  printf '%s' "$want" >"$stamp"
fi
# The pinned Node, where npm brought one along, comes first.
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
