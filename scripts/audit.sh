#!/usr/bin/env bash
# Known vulnerabilities among the pinned packages, as PyPI tells them, else OSV. A mirror of the index seldom has such
# data: then that is what is said, and nothing counts as checked.
set -euo pipefail

cd "$(dirname "$0")/.."
bin=${BIN:?the folder of pip-audit}

answers() {
    "$bin/python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=10)' "$1" 2>/dev/null
}

if answers https://pypi.org/pypi/pip/24.0/json; then
    service=pypi
elif answers https://api.osv.dev/v1/vulns/PYSEC-2023-228; then
    service=osv
else
    echo "not checked: neither pypi.org/pypi nor api.osv.dev, which know the vulnerabilities, answers from here" >&2
    exit 1
fi
exec "$bin/pip-audit" --strict --require-hashes --disable-pip --vulnerability-service "$service" \
    --requirement requirements/ci.txt
