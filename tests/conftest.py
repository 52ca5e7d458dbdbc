"""What every test gets: loopback only, no task left behind, and recorded data where it is at hand."""

import asyncio
import inspect
import os
from pathlib import Path

import pytest

pytest_plugins = ["orchestrator.testing.pytest_plugin"]

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded replies and routing tables, by ORCHESTRATOR_DATA or beside the checkout."""
    folder = Path(os.environ.get("ORCHESTRATOR_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}: set ORCHESTRATOR_DATA to its folder")
    return folder


@pytest.fixture(autouse=True)
def _loopback_only(only_loopback):
    """No test reaches beyond this machine."""


@pytest.fixture(autouse=True)
def _tidy(request):
    """An async test leaves no task running; its own fixtures are closed before the count."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("no_task_left")


@pytest.fixture
async def no_task_left():
    """Fails when the test has started tasks that are still alive after it."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)  # one turn for tasks that are on their way out
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    assert not left, f"tasks left running: {sorted(task.get_name() for task in left)}"
