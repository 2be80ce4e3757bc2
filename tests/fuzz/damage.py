"""Damage to bytes: what a broken disk, a wrong editor or an attacker leaves of a file."""

from __future__ import annotations

import re
from random import Random

from tests.fuzz.values import NUMBERS, TEXTS

PIECES = (
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\r", b"\n\n", b"\t", b"\x1a", b"\xc2\x85", b'"', b"'", b"{", b"}",
    b"[", b"]", b"<", b">", b"</a>", b"/>", b"<!--", b"]]>", b"&", b"&x;", b"&#0;", b"&#xD800;", b":", b": ", b"- ", b"? ", b"*a", b"&a ", b"!!x ",
    b"!<x>", b"<<: ", b"|", b">-\n", b"%YAML 9.9\n", b"---\n", b"...\n", b"#", b",", b",,", b";", b"\\", b"\\u", b"\\ud800", b"//", b"null",
)  # fmt: skip
WHOLE = {
    ".json": (b"", b"[]", b"{}", b"null", b"1", b'"a"', b"NaN", b"[" * 20_000, b'{"a":' * 20_000, b"[" * 20_000 + b"]" * 20_000,
              b'{"a":1,"a":2}', b"9" * 5000, b"[1e400]", b'["\\ud800"]', b'{"images":[],"annotations":[],"categories":[]}',
              b'{"shapes":' + b"[" * 3000 + b"]" * 3000 + b"}"),
    ".jsonl": (b"", b"\n" * 5000, b"{}\n" * 500, b"[" * 20_000, b'{"image":"a.png","image":"b.png"}', b"\xff\n{}", b"null\n1\n[]\n"),
    ".ndjson": (b"", b"\n", b"{}", b'{"type":"dataset","version":2,"classes":[]}', b'{"type":"dataset","version":1,"classes":[]}\n{}'),
    ".xml": (b"", b"<a/>", b"<annotation/>", b"<annotations/>", b"<a>" * 20_000, b"<annotation>" + b"<object>" * 5000,
             b'<!DOCTYPE a [<!ENTITY x "y">]><annotation>&x;</annotation>',
             b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
             b"<?xml version='1.0' encoding='no-such'?><annotation/>", b"<?xml version='1.0' encoding='UTF-16'?><annotation/>",
             b"<?xml version='1.1'?><annotations/>", b"\xff\xfe<\x00a\x00/\x00>\x00", b"<annotations " + b"a" * 100_000 + b"='1'/>",
             b"<annotation><size><width>1e300</width><height>-5</height></size></annotation>"),
    ".yaml": (b"", b"a", b"[]", b'names: [a]\npath: "\\ud800"\n', b"names: {[a]: b}", b"? {a: b}\n: c", b"names: &a [*a]", b"train: \x00",
              b"names: !!python/object/apply:os.system [x]", b"a: &a [x]\nnames: *a", b"<<: {names: [a]}", b"names: [a]\ntrain: 'a\\0b'",
              b'names: [a]\ntrain: "a\\0b"', b"names: [a]\ntrain: " + b"x" * 5000, b"names: " + b"[" * 20_000, b"names:\n" + b"- " * 5000,
              b"nc: 100000\n", b"nc: 999999999\n", b"names: {0: a, 0: b}", b"names: {-1: a}", b"names: [a, a, 'a #1']", b"? " * 5000,
              b"names: [yes, 1:30, 2020-01-01, 0o7, .inf, ~]", b"names: >-\n  " + b"x\n  " * 900, b"kpt_shape: [1000000, 3]\nnames: [a]",
              b"kpt_shape: [999999999, 3]\nnames: [a]\nkpt_names: [[a]]"),
    ".csv": (b"", b"image,label", b'"', b'image,label\n"a', b"image;label\na.png;x", b"image,image\na,b", b",,,\n" * 500, b"image,label\r\r\n\n"),
    ".txt": (b"", b"\n" * 3000, b"\0", b" ", b"0 " * 50_000, b"0 0.5 0.5 0.5 0.5\xc2\x850 1 1 1 1", b"0 0.5 0.5 0.5 0.5\x0b9 9", b"\xff\xfe0\0 \0"),
}  # fmt: skip
WHOLE[".yml"] = WHOLE[".yaml"]
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")


def special(random: Random, suffix: str) -> bytes:
    """A document that was a trap once, of this kind of file."""
    return random.choice(WHOLE.get(suffix, WHOLE[".txt"]))


def damaged(random: Random, data: bytes) -> bytes:
    """The same bytes with one to three places damaged."""
    for _ in range(random.choice((1, 1, 2, 3))):
        data = _once(random, data)
    return data


def _once(random: Random, data: bytes) -> bytes:  # noqa: C901, PLR0911 - one for each kind of damage
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((1, 1, 4, 30, 300)))
    kind = random.randrange(13)
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data[:start] + data[end:]
    if kind == 2:
        return data[:end] + data[start:]
    if kind == 3:
        return data[:start] + random.randbytes(end - start) + data[end:]
    if kind in (4, 5):
        return data[:start] + random.choice(PIECES) + data[start:]
    if kind == 6:
        return data[:start] + random.choice((*TEXTS, *NUMBERS)).encode("utf-8", "surrogatepass") + data[start:]
    if kind in (7, 8):
        return _with_number(random, data)
    if kind == 9:
        return _recoded(random, data)
    if kind == 10:
        return data[:start] + data[start:end] * random.choice((20, 3000)) + data[end:]
    lines = data.splitlines(keepends=True)
    if kind == 11:
        random.shuffle(lines)
        return b"".join(lines)
    place = random.randrange(len(lines) + 1)
    return b"".join(lines[:place] + lines[place : place + 1] * random.choice((2, 200)) + lines[place + 1 :])


def _with_number(random: Random, data: bytes) -> bytes:
    found = list(_NUMBER.finditer(data[:100_000]))
    if not found:
        return data
    place = random.choice(found)
    return data[: place.start()] + random.choice(NUMBERS).encode() + data[place.end() :]


def _recoded(random: Random, data: bytes) -> bytes:
    """In another encoding, or with a mark of one before it."""
    said = data.decode("utf-8", "replace")
    return random.choice((
        b"\xef\xbb\xbf" + data, b"\xff\xfe" + data, data.replace(b"\n", b"\r\n"), data.replace(b"\n", b"\r"), said.encode("utf-16"),
        said.encode("utf-16-be"), said.encode("latin-1", "replace"), said.encode("utf-32"), data.replace(b" ", b"\xc2\xa0"),
    ))  # fmt: skip
