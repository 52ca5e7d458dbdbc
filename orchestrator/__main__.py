"""The console script: `orchestrator`, or `python -m orchestrator`."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from orchestrator.cli.app import app

    app(prog_name="orchestrator")


if __name__ == "__main__":
    main()
