from pathlib import Path

import pytest
from tests.docs import repository
from tests.docs.links import broken_links


@pytest.mark.parametrize(
    "page", repository.markdown(), ids=lambda page: str(page.relative_to(repository.ROOT))
)
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


LINKS = [
    ("[a](other.md)", True),
    ("[a](gone.md)", False),
    ("[a](other.md#the-end)", True),
    ("[a](other.md#nowhere)", False),
    ("[a](#here)", True),
    ("[a](#there)", False),
    ('[a](other.md "with a title")', True),
    ('[a](gone.md "with a title")', False),
    ("![a picture](gone.png)", False),
    ("[a]: gone.md", False),
    ("[a](folder/)", True),
    ("[a](https://example.org/gone.md)", True),
    ("[a](mailto:someone@example.org)", True),
    ("`[a](gone.md)`", True),
    ("```\n[a](gone.md)\n```", True),
    ("```\ncode\n```\n[a](gone.md)\n```\ncode\n```", False),
]


@pytest.mark.parametrize(("text", "fine"), LINKS)
def test_a_link_is_broken_when_its_file_or_heading_is_missing(
    tmp_path: Path, text: str, fine: bool
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.md").write_text("# Other\n\n## The end\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n{text}\n")
    assert (broken_links(page) == []) is fine
