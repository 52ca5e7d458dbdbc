"""The page itself, in a real browser: what it shows, who may press, and that no name becomes markup."""

import re
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from dashboard_stage import OPERATOR_KEY, scene
from playwright.sync_api import expect, sync_playwright

from orchestrator import Cost, ModelHealthMonitor
from orchestrator.gateway import GatewayKey
from orchestrator.gateway.siblings import Siblings
from orchestrator.testing import EmulatedModel, Fail

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
EVIL = "<img src=x onerror=document.title='owned'>"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: scripts/need.sh chromium chromium")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Open the dashboard of a scene; whatever the browser complains of fails the test."""
    contexts, complaints = [], []

    def go(on, *, viewport=DESK, scheme="light", fragment="", **options):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{on.url}/{fragment}")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


def is_complaint(said):
    """A gateway that has gone is told by the page, whatever the browser thinks of it."""
    return said.type in ("error", "warning") and "ERR_CONNECTION_REFUSED" not in said.text


def row(page, model):
    """The model's row of the table."""
    return page.locator("tr.model", has=page.get_by_role("button", name=model, exact=True))


def test_the_page_shows_models_and_an_outage_as_it_happens(visit):
    """One sentence says what is wrong; the row says why and when the model is tried again; decisions say who stepped in."""
    with scene(registry_options={"health_monitor": ModelHealthMonitor(failure_threshold=1)}) as on:
        page = visit(on)
        expect(page.locator("#headline")).to_have_text("All 2 models are fit.")
        on.emulator.break_model("first", Fail(503))
        for number in range(4):
            on.ask(f"What is 2 + {number}?")
        expect(page.locator("#headline")).to_have_text("first is out.")
        expect(row(page, "first").locator(".status .shape")).to_have_class("shape unhealthy")
        expect(row(page, "first").locator(".why")).to_contain_text("overloaded (HTTP 503) – tried again in")
        expect(page.locator("#decisions > li").filter(has_text="failed over from first")).to_have_count(1)
        expect(page.locator("#events")).to_contain_text("first out")
        page.locator("#decisions summary").first.click()
        expect(page.locator("#decisions .refusal").first).to_be_visible()


def test_buttons_are_locked_without_a_key_and_work_with_one(visit):
    """Read-only at first; a wrong key is told so; with the right one a drain shows on the page and in the registry."""
    with scene() as on:
        page = visit(on)
        row(page, "first").locator(".name").click()
        expect(page.locator(".detail")).to_contain_text("Read-only")
        expect(page.locator(".buttons button")).to_have_count(0)
        page.get_by_role("button", name="Unlock buttons").click()
        page.get_by_role("textbox", name="Key").fill(OPERATOR_KEY)
        page.get_by_role("button", name="Unlock", exact=True).click()
        page.get_by_role("button", name="Drain").click()
        expect(row(page, "first").locator(".status")).to_contain_text("drained")
        assert on.registry.health.status_of(on.registry["first"]).status == "drained"
        page.get_by_role("button", name="Restore").click()
        expect(row(page, "first").locator(".status")).not_to_contain_text("drained")
        page.once("dialog", lambda question: question.accept())
        page.get_by_role("button", name="Reset").click()
        expect(page.locator("#toast")).to_contain_text("reset done")
        expect(page.locator("#events")).to_contain_text("drained by operator")


def test_a_worker_that_does_not_answer_is_named_as_missing(visit, tmp_path):
    """Whose figures these are stands at the top, on a phone too where somebody is missing."""
    with scene(siblings=Siblings(1, tmp_path, of=2)) as on:
        for viewport in (DESK, PHONE):
            page = visit(on, viewport=viewport)
            expect(page.locator("#workers")).to_have_text("1 of 2 workers missing")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        on.gateway.siblings.of = 1
        expect(page.locator("#workers")).to_have_text("all 1 workers")
        expect(page.locator("#workers")).to_be_hidden()


def test_a_key_in_the_link_unlocks_and_leaves_the_address(visit):
    """`#token=` is what the demo prints; browsers send nothing behind the sign, and it does not stay to be copied."""
    with scene() as on:
        page = visit(on, fragment=f"#token={OPERATOR_KEY}")
        expect(page.locator("#unlock")).to_have_text("Lock (operator)")
        assert OPERATOR_KEY not in page.url


def test_a_wrong_key_is_refused_in_words(browser):
    """The dialog stays open and says what is wrong; the browser notes the 401, hence no quiet console here."""
    with scene() as on:
        context = browser.new_context()
        page = context.new_page()
        page.goto(on.url)
        page.get_by_role("button", name="Unlock buttons").click()
        page.get_by_role("textbox", name="Key").fill("not-the-key-at-all")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("admin key")
        context.close()


def test_names_from_outside_stay_names(visit):
    """A model called like a tag, and a reason with one in it, are shown letter by letter; the policy allows no scripts."""
    with scene(EmulatedModel(EVIL), EmulatedModel("plain")) as on:
        page = visit(on)
        on.registry.health.drain(EVIL)
        expect(page.locator("#headline")).to_have_text(f"{EVIL} is drained.")
        expect(row(page, "plain")).to_be_visible()
        row(page, EVIL).locator(".name").click()
        assert page.locator("img").count() == 0
        assert page.evaluate("document.title") != "owned"


def test_what_is_slipped_in_does_not_run(browser):
    """Were there a hole after all, the browser would refuse the script: neither inline nor from elsewhere."""
    with scene() as on:
        context = browser.new_context()
        page = context.new_page()
        page.goto(on.url)
        slipped = """() => {
            const script = document.createElement('script');
            try { script.textContent = 'window.owned = true'; } catch (refused) { return refused.name; }
            document.body.append(script);
            return String(window.owned);
        }"""
        assert page.evaluate(slipped) == "TypeError"
        assert page.evaluate("window.owned") is None
        context.close()


def test_a_gateway_for_the_network_asks_for_a_key_to_look(browser):
    """The page comes, empty; with an admin key it fills, and the buttons are unlocked too."""
    admin = GatewayKey("ops", "an-admin-key-for-tests", admin=True)
    with scene(keys=(admin,), host="0.0.0.0") as on:
        context = browser.new_context()
        page = context.new_page()
        page.goto(on.url.replace("0.0.0.0", "127.0.0.1"))
        expect(page.get_by_role("dialog")).to_be_visible()
        expect(page.locator("tr.model")).to_have_count(0)
        page.get_by_role("textbox", name="Key").fill(admin.key)
        page.keyboard.press("Enter")
        expect(page.locator("tr.model")).to_have_count(2)
        expect(page.locator("#unlock")).to_have_text("Lock (ops)")
        context.close()


def test_the_long_span_is_asked_for_and_says_when_it_is_empty(visit):
    """Eight hours come in points of five minutes; before the first there are words instead of an empty frame."""
    with scene() as on:
        page = visit(on)
        page.get_by_role("button", name="8 hours").click()
        expect(page.locator(".plot").first).to_contain_text("a point every 5 min")
        on.ask("What is 2 + 3?")
        for _ in range(60):
            on.gateway.dashboard.watchman.turn()
        page.get_by_role("button", name="15 minutes").click()
        page.get_by_role("button", name="8 hours").click()
        expect(page.locator(".plot svg").first).to_be_visible()
        assert on.gateway.dashboard.watchman.history.series("hours")["models"]["first"]["calls"] == [1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_everybody_can_use_it(visit, viewport, scheme):
    """No serious violation by axe in either colour scheme and size, nothing sticks out to the side."""
    with scene(EmulatedModel("first"), EmulatedModel("a-rather-long-name-of-a-model-" * 3)) as on:
        page = visit(on, viewport=viewport, scheme=scheme, reduced_motion="reduce")
        on.ask("What is 2 + 3?", model="first")
        on.registry.health.drain("first")
        expect(page.locator("#headline")).to_have_text("first is drained.")
        row(page, "first").locator(".name").click()
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        assert page.evaluate("getComputedStyle(document.querySelector('.pulse')).animationName") == "none"
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(20, 22, 26)") is (scheme == "dark")


def test_it_can_be_used_without_a_mouse(visit):
    """Tab reaches the models past the skip link, Enter opens a row, Escape closes it; the state is told to readers."""
    with scene() as on:
        page = visit(on)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the models")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        first = page.locator("tr.model .name").first
        expect(first).to_be_focused()
        page.keyboard.press("Enter")
        expect(first).to_have_attribute("aria-expanded", "true")
        expect(page.locator(".detail")).to_be_visible()
        page.keyboard.press("Escape")
        expect(first).to_have_attribute("aria-expanded", "false")


def test_two_hundred_models_fit(visit):
    """All are listed, can be filtered, and one that fails comes first."""
    with scene(*(EmulatedModel(f"model-{number:03}") for number in range(200))) as on:
        page = visit(on)
        expect(page.locator("tr.model")).to_have_count(200)
        on.registry.health.drain("model-123")
        expect(page.locator("tr.model").first).to_contain_text("model-123")
        page.get_by_label("Filter models").fill("model-19")
        expect(page.locator("tr.model")).to_have_count(10)
        expect(page.locator("#more-beliefs")).to_have_text("Show all 200")


def test_a_lost_connection_is_told(browser):
    """When the gateway goes, the page says that its figures are old, and from when they are."""
    context = browser.new_context()
    with scene() as on:
        page = context.new_page()
        page.goto(on.url)
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        on.registry.health.drain("first")
        expect(page.locator(".troubles .returns")).to_have_text("– until somebody restores it")
    expect(page.locator("#live")).to_contain_text("connection lost")
    expect(page.locator("#headline")).to_have_text(re.compile(r"^At \d\d:\d\d:\d\d: first is drained\.$"))
    expect(page).to_have_title("connection lost · orchestrator")
    expect(page.locator(".troubles .returns")).to_have_text("")
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    context.close()


@pytest.mark.parametrize(
    ("prices", "told", "drawn"),
    [
        ((None, None), "–no prices known", "no prices are known"),
        ((Cost(input=100, output=100), None), "and 1 without a price", "first 100 %"),
        ((Cost(input=100, output=100), Cost(input=100, output=100)), "at this pace", "second"),
    ],
    ids=["none", "one", "both"],
)
def test_costs_are_shown_by_model_and_an_unknown_one_is_not_zero(visit, prices, told, drawn):
    """The chart names who the money goes to; without any price there is a dash, with some the rest is counted."""
    with scene() as on:
        for model, cost in zip(("first", "second"), prices, strict=True):
            on.registry[model].cost = cost
            on.ask("What is 2 + 2?", model=model)
        on.gateway.dashboard.watchman.turn()
        page = visit(on)
        expect(page.locator("#figures > div").filter(has_text="Cost an hour")).to_contain_text(told)
        expect(page.locator(".chart").filter(has_text="Cost an hour")).to_contain_text(drawn)


def test_a_budget_that_is_used_up_is_said_at_the_top(visit):
    """Every request is refused then, however fit the models are."""
    with scene(registry_options={"budgets": {"day_usd": 0.001}}) as on:
        page = visit(on)
        for model in on.registry.values():
            model.cost = Cost(input=1, output=1)
        held = on.registry.budgets.reserve("first", 0.001)
        held.settle(0.001)
        expect(page.locator("#headline")).to_have_text("The budget is used up.")
        expect(page.locator("#troubles")).to_contain_text(
            "the budget of the day is used up: requests are refused until"
        )


def test_a_registry_without_models_says_what_to_do(visit):
    """An empty table is no answer."""
    with scene() as on:
        for name in list(on.registry):
            del on.registry[name]
        page = visit(on)
        expect(page.locator("#headline")).to_have_text("No models are registered.")
        expect(page.locator("#nobody")).to_contain_text("orchestrator doctor")


def test_a_decision_tells_who_was_not_affordable(visit):
    """Why the obvious model was not taken stands in the decision's own line."""
    with scene(registry_options={"budgets": {"day_usd": 0.01}}) as on:
        page = visit(on)
        on.registry["first"].cost = Cost(input=900, output=900)
        on.registry["second"].cost = Cost(input=1e-6, output=1e-6)
        on.ask("What is 2 + 2?")
        expect(page.locator(".decision-why").first).to_contain_text("not first: more than is left of the budget")


def test_a_name_as_long_as_discovery_brings_leaves_the_page_readable(visit):
    """Of 120 letters the headline shows both ends; the table and the list below it have the whole."""
    name = "a-discovered-name-" * 6 + "with-an-end"
    with scene(EmulatedModel(name), EmulatedModel("short")) as on:
        page = visit(on, viewport=PHONE)
        on.registry.health.drain(name)
        expect(page.locator("#headline")).to_have_text(f"{name[:31]}…{name[-16:]} is drained.")
        expect(page.locator("#troubles strong")).to_have_text(name)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_bar_of_a_phone_keeps_its_order(visit):
    """Name and buttons share the first line; what is amiss has the next to itself."""
    with scene() as on:
        page = visit(on, viewport=PHONE, fragment=f"#token={OPERATOR_KEY}")
        brand, button = (page.locator(name).bounding_box() for name in (".brand", "#unlock"))
        assert 8 <= brand["y"] < button["y"] + button["height"]
        assert abs(brand["y"] + brand["height"] / 2 - button["y"] - button["height"] / 2) < 2
        assert button["x"] + button["width"] > PHONE["width"] - 20
