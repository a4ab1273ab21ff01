#!/bin/sh
# The worked example: a reminder reads state, a reply changes it, the delivery is recorded. Runs offline, in a
# directory of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
CRONWRAP_HOME=$(mktemp -d)
export CRONWRAP_HOME
trap 'rm -rf "$CRONWRAP_HOME"' EXIT
cronwrap() { node "$here/../../bin/cronwrap.js" "$@"; }
show() { printf '\n$ %s\n' "$*"; "$@"; }

# The main process begins the day.
show cronwrap state get water --daily --initial '{"total": 0, "goal": 2000}'
# cron runs the reminder, which reads.
show cronwrap --job water-reminder --expect-delivery -- python3 "$here/remind.py"
# The channel took the message and gave its id.
show cronwrap delivery water-reminder openclaw-weixin:42
# The person answers "300 ml"; the main process writes it.
show cronwrap state patch water '[{"op": "replace", "path": "/total", "value": 300}]'
show cronwrap --job water-reminder -- python3 "$here/remind.py"
show cronwrap delivery water-reminder openclaw-weixin:43
show cronwrap status
