#!/bin/sh
# For any CI: run it in a clone that has Node 20 or newer. It ends with the code of the first command that fails.
set -eu
npm ci --omit=optional
npx pipe check --frozen
