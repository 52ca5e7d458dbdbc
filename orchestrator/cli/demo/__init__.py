"""The demo: eight emulated models, a few hundred prompts, one outage, and what came of it."""
