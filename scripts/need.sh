#!/usr/bin/env bash
# Make sure that a server the tests run against is there: need.sh COMMAND DEBIAN_PACKAGE
set -euo pipefail
command -v "$1" >/dev/null && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing $2 (Debian) for the tests"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$2" >/dev/null 2>&1 ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$2" >/dev/null; }
    exit 0
fi
echo "the tests need $1: install it, for instance with 'sudo apt-get install $2'" >&2
exit 1
