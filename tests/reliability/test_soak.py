"""The soak, shortened: everything at once and by lot, and no promise broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


@pytest.mark.timeout(180)
def test_twenty_seconds_of_bad_weather_break_nothing():
    """Two hundred callers, faults by a fixed seed; `make soak` is the same for ten minutes."""
    command = [sys.executable, "-W", "error", str(SOAK), "--minutes", "0.33", "--seed", "20261121", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["broken"] == [], report
    assert report["ends"]["answered"] > 200
    answered, asked = map(int, report["patient_answered"].split(" of "))
    assert answered > 0.6 * asked, "whoever has seconds to spare and a choice of models gets an answer, as a rule"
    assert {"given up", "left"} <= set(report["ends"]), "callers went away, too"
    assert len({"timeout", "server", "connection", "overloaded"} & set(report["ends"])) > 1, "the weather was bad"
    assert "seed 20261121" in done.stderr
    assert done.returncode == 0
