"""The reference pages are what the code says now; links lead somewhere."""

import re

import pytest

from tests.reference import DOCS, PAGES, ROOT


@pytest.mark.parametrize("page", sorted(PAGES))
def test_reference_page_is_up_to_date(page):
    assert (DOCS / page).read_text() == PAGES[page](), f"docs/{page} is out of date: run `make docs`"


@pytest.mark.parametrize(
    "page", [*sorted(p.relative_to(ROOT).as_posix() for p in DOCS.glob("*.md")), "README.md", "CONTRIBUTING.md"]
)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
