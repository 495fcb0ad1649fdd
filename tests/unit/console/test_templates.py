"""Every template holds the rules of all pages: no inline style or script, a token in each form."""

import re
from importlib.resources import files

import pytest

from tallystick.console.rendering import render
from tallystick.console.viewer import Link, Viewer

FOLDER = files("tallystick.console") / "templates"
SOURCES = {one.name: one.read_text("utf-8") for one in FOLDER.iterdir()}
VIEWER = Viewer(
    name="<b>Atelier</b>",
    links=(Link("/billing/usage", "Usage"), Link("/billing/invoices", "Invoices")),
    csrf_token="token",
    may_write=True,
    may_administer=True,
)
FRAME = {"viewer": VIEWER, "here": "/billing/usage", "path": "/billing/usage", "notice": ""}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_template_has_nothing_inline(name: str) -> None:
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", SOURCES[name])
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", SOURCES[name]))


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"sign_in.html"}))
def test_every_form_that_posts_carries_the_token(name: str) -> None:
    forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", SOURCES[name], re.DOTALL)
    assert all("csrf(viewer)" in form or "csrf_token" in form for form in forms)


def test_what_people_named_is_escaped() -> None:
    page = render("usage.html", {**FRAME, "report": None})
    assert "&lt;b&gt;Atelier&lt;/b&gt;" in page
    assert "<b>Atelier" not in page


def test_the_navigation_marks_the_page_and_its_part() -> None:
    assert 'href="/billing/usage" aria-current="page"' in render(
        "usage.html", {**FRAME, "report": None}
    )
    inside = {**FRAME, "here": "/billing/invoices", "path": "/billing/invoices/inv_1"}
    assert 'href="/billing/invoices" aria-current="true"' in render(
        "usage.html", {**inside, "report": None}
    )


def test_a_page_for_nobody_has_no_navigation() -> None:
    facts = {**FRAME, "viewer": None, "next": "/", "email": "", "error": ""}
    page = render("sign_in.html", facts)
    assert "<nav" not in page
    assert "Sign out" not in page


def test_a_wrong_sign_in_keeps_the_address_and_asks_for_the_password() -> None:
    facts = {**FRAME, "viewer": None, "next": "/", "email": 'a"b@x.example', "error": "Wrong."}
    page = render("sign_in.html", facts)
    assert 'value="a&#34;b@x.example"' in page
    assert re.search(r'id="password"[^>]*autofocus', page)
    assert 'role="alert"' in page


def test_only_owners_are_offered_changes() -> None:
    looker = {**FRAME, "viewer": Viewer(name="A", links=(), csrf_token="t", may_write=False,
                                        may_administer=False)}  # fmt: skip
    page = render(
        "payment_methods.html",
        {**looker, "methods": [], "autopay": False, "script_url": "https://js.example/"},
    )
    assert "/billing/autopay" not in page
    assert "js.example" not in page
