"""Make the pictures of docs/howto/dashboard.md: the real page over the demo's models, in headless Chromium.

Call it as `python scripts/make_screenshots.py [FOLDER]`; it needs Chromium and the `dev` extra.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from PIL import Image
from playwright.async_api import Page, async_playwright

from orchestrator.cli.demo.fleet import FLEET, infos
from orchestrator.cli.demo.policies import OBJECTIVE
from orchestrator.cli.demo.traffic import Traffic
from orchestrator.gateway import Gateway, GatewaySettings
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import selector_named
from orchestrator.testing import Drop, Emulator, Fail

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "howto")
OPERATOR_KEY = "an-operator-key-for-pictures"
CALM_S, OUTAGE_S = 60, 14
COLOURS = 256  # enough for a page that has few, and a quarter of the size


class Picture(NamedTuple):
    """A file, and what is seen on it."""

    name: str
    scheme: Literal["light", "dark"]
    size: tuple[int, int]
    top: str  # what is scrolled to


PICTURES = (
    Picture("dashboard", "light", (1280, 1330), "body"),
    Picture("dashboard-dark", "dark", (1280, 960), ".columns"),
    Picture("dashboard-phone", "light", (390, 1100), "body"),
)


async def main() -> None:
    """A minute of traffic, then a provider fails, and the page is photographed."""
    async with Emulator(FLEET, seed=7) as emulator:
        registry = ModelRegistry(
            model_selector=selector_named("pool", objective=OBJECTIVE),
            cache_responses=True,
            budgets={"day_usd": 0.5},
            seed=7,
        )
        for info in infos(emulator):
            registry.register_model(info)
        gateway = Gateway(registry, GatewaySettings(port=0, operator_key=OPERATOR_KEY))
        async with registry, gateway.serving() as url:
            sending = asyncio.create_task(Traffic(registry, emulator, rng=Random(7)).send())
            await asyncio.sleep(CALM_S)
            registry.health.drain("ollama/wren-3b")
            busiest = max(registry.values(), key=lambda model: model.metrics.calls).provider
            for model, step in zip(emulator.served_by(busiest), (Fail(503), Drop()), strict=True):
                emulator.break_model(model.name, step)
            await asyncio.sleep(OUTAGE_S)
            await photograph(url, busiest)
            sending.cancel()
            await asyncio.wait([sending])


async def photograph(url: str, busiest: str) -> None:
    """Light and dark, desk and phone, one after the other."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for picture in PICTURES:
            size = {"width": picture.size[0], "height": picture.size[1]}
            context = await browser.new_context(
                viewport=size, color_scheme=picture.scheme, device_scale_factor=1.5, reduced_motion="reduce"
            )
            await shoot(await context.new_page(), url, busiest, picture)
            await context.close()
        await browser.close()


async def shoot(page: Page, url: str, busiest: str, picture: Picture) -> None:
    """One picture, with a model in trouble opened."""
    await page.goto(f"{url}/#token={OPERATOR_KEY}")
    await page.locator("tr.model").first.wait_for()
    await page.locator("tr.model", has_text=f"{busiest}/").first.locator(".name").click()
    await page.locator(picture.top).first.evaluate("node => node.scrollIntoView()")
    await page.wait_for_timeout(1500)
    path = FOLDER / f"{picture.name}.png"
    await asyncio.to_thread(save, await page.screenshot(), path)  # the gateway's loop must not stand still on a picture
    print(path)


def save(taken: bytes, path: Path) -> None:
    """With few colours, as small as can be."""
    image = Image.open(BytesIO(taken)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    asyncio.run(main())
