"""The fixtures of the gateway's tests."""

from gateway_stage import served, threaded_gateway

__all__ = ["served", "threaded_gateway"]
