#!/bin/sh
# Records two Python jobs in a directory of its own, and shows what is known of them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
CRONWRAP_HOME=$(mktemp -d)
export CRONWRAP_HOME
trap 'rm -rf "$CRONWRAP_HOME"' EXIT
cronwrap() { node "$here/../bin/cronwrap.js" "$@"; }
show() { printf '\n$ %s\n' "$*"; "$@" || echo "(exit code $?)"; }

cd "$here"
show cronwrap -- python3 reminder.py
show cronwrap -- python3 broken.py
show cronwrap delivery reminder 1032
show cronwrap status
show cronwrap logs broken
