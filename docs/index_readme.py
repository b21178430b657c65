"""README as a package index shows it: links to files of the repository become absolute.

``python docs/index_readme.py https://<host>/<owner>/relutopo v0.1.0`` rewrites ``README.md``.
Build, and then take the old one back.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\]\([^)]*\))*)\]\((?!https?://|#|mailto:)([^)\s]+)\)")


def with_absolute_links(text: str, repository: str, version: str) -> str:
    """Return text whose links do not depend on where it stands.

    Parameters
    ----------
    text : str
        Markdown.
    repository : str
        Address of the repository.
    version : str
        A tag or branch of it.

    Examples
    --------
    >>> with_absolute_links("![a picture](docs/a.png), [b](b.md)", "https://host/r", "v1")
    '![a picture](https://host/r/raw/v1/docs/a.png), [b](https://host/r/blob/v1/b.md)'
    """

    def absolute(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        kind = "raw" if mark else "blob"
        return f"{mark}[{words}]({repository.rstrip('/')}/{kind}/{version}/{target})"

    return LINK.sub(absolute, text)


if __name__ == "__main__":
    README.write_text(with_absolute_links(README.read_text("utf-8"), *sys.argv[1:3]), "utf-8")
