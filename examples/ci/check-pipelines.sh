#!/bin/sh
# For any CI: run it in a clone that has Node 20 or newer. It ends with the code of the first command that fails.
# $1: the commit that this one is compared with, such as the tip of the branch that it goes to; its own without.
set -eu
BASE=$(mktemp -d)
trap 'rm -rf "$BASE"' EXIT
git archive "${1:-HEAD}" | tar -x -C "$BASE"
npm ci --omit=optional
npx pipe report --md --against "$BASE" --out .report
npx pipe check --frozen
