"""Wheels for tests: built from a folder as its author would, or written by hand as nobody should."""

import os
import shutil
import subprocess
import sys
import zipfile

__all__ = ["bare_environment", "built", "install", "run", "written"]


def run(*command, cwd, env=None):
    """What a command prints; its errors are shown where it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def bare_environment(**added):
    """The environment without what would lead back to the checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return kept | added


def built(folder, into):
    """The wheel of a project, built offline from a copy, so that its folder stays as it is."""
    source = into / folder.parent.name
    shutil.copytree(folder, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", ".", cwd=source)
    [wheel] = (source / "dist").glob("*.whl")
    return wheel


def written(folder, name, files):
    """A wheel with these files; `entry_points.txt` and the like go to its dist-info."""
    info = f"{name}-1.0.dist-info"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    facts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for place, text in (files | facts).items():
            wheel.writestr(f"{info}/{place}" if place == "entry_points.txt" else place, text)
    return path


def install(wheels, site, cwd):
    """What pip does with them, into a folder of their own."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "install", "--no-deps", "--no-index", "--target", site, *wheels, cwd=cwd, env=bare_environment())
