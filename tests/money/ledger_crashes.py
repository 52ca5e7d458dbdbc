"""Counts calls into a ledger and says on stdout, after every acknowledged flush, how many are safe; until killed.

python ledger_crashes.py PATH
"""

import sys
from itertools import count

from orchestrator.core.usage import UsageStats
from orchestrator.models.usage import UsageService


def main(path):
    """Count, flush, tell."""
    usage = UsageService(path, flush_every_s=0.001)
    for number in count(1):
        usage.add("m", UsageStats(1, 2), 0.1, tenant="acme")
        if number % 7 == 0 and usage.flush():
            sys.stdout.write(f"{usage.get_usage_summary('m').request_count}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
