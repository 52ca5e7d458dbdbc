"""`orchestrator doctor`: what is installed, configured and reachable from here."""
