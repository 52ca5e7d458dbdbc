"""Settings files in a folder of their own."""

import pytest

pytest.importorskip("yaml")


@pytest.fixture
def write(tmp_path):
    """Write a file and get its path."""

    def written(text, name="models.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        return path

    return written
