"""Connectors: how other clients call the models that are registered here, one client a file."""

from orchestrator.catalog.connectors.registry import CONNECTORS, PLUG_INS, ConnectorRegistry

__all__ = ["CONNECTORS", "PLUG_INS", "ConnectorRegistry"]
