"""A gateway and its registry from one file, and new settings while it serves."""

import asyncio
import os
import signal

import pytest

from orchestrator import ModelRegistry
from orchestrator.cli.serve import _reloading_on_hangup
from orchestrator.errors import ConfigurationError
from orchestrator.gateway import Gateway, GatewayKey, GatewaySettings
from orchestrator.gateway.configured import gateway_settings
from orchestrator.gateway.refusals import RefusedError
from orchestrator.settings import load_settings

KEY = "sk-0123456789abcdef"


def configured(gateway=None, **sections):
    """Settings with this gateway section."""
    return load_settings({**sections, **({} if gateway is None else {"gateway": gateway})}, environ={"KEY": KEY})


def test_the_section_and_the_profiles_make_the_gateway():
    """Port, keys with their limits, and profiles with requirements, weights and parameters."""
    found = gateway_settings(
        configured(
            {"port": 9000, "keys": [{"name": "web", "key": "${KEY}", "tenant": "acme", "requests_per_minute": 60}]},
            profiles={"cheap": {"max_cost": 0.001, "params": {"temperature": 0}, "objective": {"cost": 5}}},
        )
    )
    assert (found.port, found.keys[0].tenant, found.keys[0].requests_per_minute) == (9000, "acme", 60)
    profile = found.profiles["cheap"]
    assert (profile.wanted, profile.params, profile.objective.cost) == ({"max_cost": 0.001}, {"temperature": 0}, 5)


def test_arguments_win():
    """What the command line says replaces the file's."""
    assert gateway_settings(configured({"port": 9000, "host": "localhost"}), port=1, host=None).port == 1


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"prot": 1}, "unknown key 'prot' in gateway; did you mean 'port'"),
        ({"port": 99999}, "gateway: port=99999"),
        ({"host": "0.0.0.0"}, "without keys"),
        ({"keys": "web"}, "list of 'name' and 'key' pairs"),
        ({"keys": [{"name": "web", "key": "${NOT_SET}"}]}, "needs a 'key', and its variable has to be set"),
        ({"keys": [{"name": "web", "key": "short"}]}, "too short"),
        (
            {"keys": [{"name": "web", "key": "${KEY}", "requests_per_minute": "60"}]},
            "requests_per_minute='60' of the key",
        ),
        ({"keys": [{"name": "web", "key": "${KEY}", "admin": "no"}]}, "admin of the key 'web' is 'no': give true or"),
        ({"keys": [{"name": "web", "key": "${KEY}", "names_tenants": "false"}]}, "names_tenants of the key 'web' is"),
        ({"keys": [{"name": "web", "key": "${KEY}", "budget_usd_per_day": True}]}, "budget_usd_per_day=True"),
        ({"keys": [{"name": "web", "key": "${KEY}", "tenant": 5}]}, "tenant=5 of the key 'web'"),
        ({"host": "0.0.0.0", "allow_open": "no"}, "allow_open is 'no': give true or false"),
        ({"profiles": {}}, "unknown key 'profiles'"),
    ],
)
def test_what_is_wrong_is_told(section, told):
    """A gateway is never opened wider than the file meant."""
    with pytest.raises(ConfigurationError, match=told):
        gateway_settings(configured(section))


async def test_a_gateway_for_the_network_is_never_left_without_keys(tmp_path, capsys):
    """A file that closes the door for the next start and takes the keys away now is refused whole."""
    pytest.importorskip("yaml")
    path = tmp_path / "models.yaml"
    path.write_text("models: [openai/a]\n")
    registry = ModelRegistry.from_config(path, environ={})
    gateway = Gateway(registry, GatewaySettings(host="0.0.0.0", keys=(GatewayKey("web", KEY),)))
    with _reloading_on_hangup(gateway, lambda: gateway_settings(load_settings(path, environ={}))):
        path.write_text("models: [openai/b]\ngateway: {host: localhost}\n")
        os.kill(os.getpid(), signal.SIGHUP)
        told = ""
        while not told:
            await asyncio.sleep(0)
            told = capsys.readouterr().err
    assert "nothing reloaded: host='0.0.0.0' without keys" in told
    assert list(registry) == ["openai/a"]
    with pytest.raises(RefusedError):
        gateway.desk.doorkeeper.admit({})


async def test_a_hang_up_reloads(tmp_path, capsys):
    """SIGHUP reads the file again; one that is wrong changes nothing and is told on stderr."""
    pytest.importorskip("yaml")
    path = tmp_path / "models.yaml"
    path.write_text("models: [openai/a]\n")
    registry = ModelRegistry.from_config(path, environ={})
    gateway = Gateway(registry, GatewaySettings(port=9000))
    key = "gateway: {port: 9001, keys: [{name: web, key: a-key-that-is-long}]}"
    more = f"cache: {{backend: memory}}\n{key}\nprofiles: {{cheap: {{max_cost: 0.1}}}}\n"
    outputs = []
    with _reloading_on_hangup(gateway, lambda: gateway_settings(load_settings(path, environ={}))):
        for text in (f"models: [openai/b]\n{more}", "modles: []\n"):
            path.write_text(text)
            os.kill(os.getpid(), signal.SIGHUP)
            told = ""
            while not told:
                await asyncio.sleep(0)
                told = "".join(capsys.readouterr())
            outputs.append(told)
            assert list(registry) == ["openai/b"]
            assert list(gateway.desk.settings.profiles) == ["cheap"]
            assert gateway.desk.settings.port == 9000  # where it listens stays as it was
            with pytest.raises(RefusedError):
                gateway.desk.doorkeeper.admit({})
            assert gateway.desk.doorkeeper.admit({"x-api-key": "a-key-that-is-long"}).name == "web"
    done, refused = outputs
    assert done == "reloaded: 1 new, 0 changed, 1 gone; from the next start on: cache\n"
    assert "nothing reloaded" in refused
