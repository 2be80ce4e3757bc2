"""The corpus of bad inputs: a folder for each row, with its files and, in `expected.json`, what each of them is answered.

`expected.json` says of a row: `about`; `base`, the good dataset that the bad file becomes a part of, `into`, its path there;
and `cases` by the file's name. A case says `outcome` (`refused` with `code` and `where`, or `imported` with `findings` as
[severity, code, count, first place] and what the table holds), and where it needs them `format` (chosen, not recognised),
`pictures`, `files` and `folders` of its own, and `ways`, when not all can send it. What git or a file system could not hold is made by
`archive_rows` (whole archives) and `made` (files), under the same names.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.corpus.archive_rows import MAKERS
from tests.corpus.archives import a_zip
from tests.corpus.bases import files_of, picture
from tests.corpus.made import MADE

FOLDER = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class Case:
    """One bad input."""

    row: str
    name: str
    says: dict  # what expected.json says of it and of its row

    def __str__(self):
        return f"{self.row}-{self.name}"

    @property
    def ways(self):
        """How it can be sent: the names of methods of `World`."""
        return self.says.get("ways", ["http", "sdk", "magic"])

    def content(self):
        """The bytes that are uploaded."""
        if "size" in self.says:
            return bytes(self.says["size"])
        if self.name in MAKERS.get(self.row, ()):
            return MAKERS[self.row][self.name](picture("a.png"))
        files = files_of(self.says["base"])
        for name in self.says.get("without", ()):
            del files[name]
        for name in self.says.get("pictures", ()):
            files[name] = picture(name)
        for name, text in self.says.get("files", {}).items():
            files[name] = text.encode()
        if "into" in self.says:
            made = MADE.get(self.row, {}).get(self.name)
            files[self.says["into"]] = made() if made else (FOLDER / self.row / self.name).read_bytes()
        folders = [(f"{name}/", b"") for name in self.says.get("folders", ())]
        return a_zip([*files.items(), *folders])


@cache
def rows():
    """What expected.json says, by row."""
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*/expected.json"))}


def cases():
    """All cases, row by row."""
    found = []
    for row, said in rows().items():
        shared = {key: said[key] for key in ("base", "into", "ways", "format") if key in said}
        found += [Case(row, name, {**shared, **case}) for name, case in said["cases"].items()]
    return found
