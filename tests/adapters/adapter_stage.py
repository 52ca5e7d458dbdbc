"""The frameworks that are here, and the key that everybody uses."""

import warnings

import pytest

KEY = "sk-a-key-for-the-emulator"


def framework(package):
    """The framework's package, or a skip that says how to get it; what it says while it is imported is its affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(package, reason=f"{package} has an environment of its own: make test-adapters")
