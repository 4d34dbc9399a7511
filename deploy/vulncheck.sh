#!/bin/sh
# Runs govulncheck where its database can be reached; says so where it cannot, since a
# scan that did not happen must not look like one that found nothing.
# usage: vulncheck.sh TOOLS_FOLDER
set -eu
tools=$1
db=${GOVULNDB:-https://vuln.go.dev}
case $db in
file://*) ;;
*)
  if ! curl -fsS --max-time 10 -o /dev/null "$db/index/db.json" 2>/dev/null; then
    echo "vulnerability scan: NOT RUN, the database at $db cannot be reached"
    exit 0
  fi
  ;;
esac
sh "$(dirname "$0")/install-tool.sh" "$tools" govulncheck golang.org/x/vuln/cmd/govulncheck v1.9.0
"$tools/govulncheck" ./...
