"""Notes decisions in a journal and says on stdout, after every flush, how many are safe; until killed.

python journal_crashes.py PATH
"""

import asyncio
import sys
from itertools import count

from orchestrator.core.model import Model
from orchestrator.models.journal import Journal
from orchestrator.models.model_registry import ModelRegistry


class Quick(Model):
    """Answers at once."""

    async def generate_response(self, prompt, **kwargs):
        return "ok"

    async def health_check(self):
        return True


async def main(path):
    """Ask, flush, tell."""
    journal = Journal(path, flush_every_s=0.001)
    registry = ModelRegistry(journal=journal, cache_responses=False)
    registry.register_model(Quick(id="a", provider="custom", is_local=True))
    for number in count(1):
        await registry.generate_response("hi")
        if number % 7 == 0 and journal.flush():
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
