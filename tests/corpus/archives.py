"""Bad archives made by code, each beside what it must be answered with: rows 1 to 18 of the list of bad inputs.

A row without a code is accepted, with the findings and files named. Row 19 is about uploads: what is sent, and the answer.
"""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field

import zstandard

from retinue_sdk.archive import Limits

CENTRAL = b"PK\x01\x02"


@dataclass(frozen=True)
class Row:
    """One bad archive. `make` is given a good PNG; `file` is what the person calls it."""

    number: int
    title: str
    make: Callable[[bytes], bytes]
    code: str | None = None
    says: str = ""  # in the message or hint
    limits: Limits | None = None
    file: str = "data.zip"
    findings: dict = field(default_factory=dict)
    files: tuple[str, ...] = ()


def a_zip(members, method=zipfile.ZIP_STORED):
    """A zip of (name or ZipInfo, bytes); names are written as they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def special(mode):
    """A zip's entry of a kind that is no file."""
    info = zipfile.ZipInfo("link.png")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    return info


def in_directory(archive, offset, layout, value):
    """The zip with a field of its last directory entry changed."""
    content = bytearray(archive)
    struct.pack_into(layout, content, content.rindex(CENTRAL) + offset, value)
    return bytes(content)


def replaced(archive, old, new):
    """The archive with some bytes replaced: what no well-behaved library would write."""
    assert old in archive
    assert len(old) == len(new)
    return archive.replace(old, new)


def entry(name, content=b"", kind=tarfile.REGTYPE, size=None, style=tarfile.GNU_FORMAT, **fields):
    """A tar's member: header, content, padding."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content) if size is None else size
    for field_name, value in fields.items():
        setattr(info, field_name, value)
    return info.tobuf(style) + content + bytes(-len(content) % 512)


def pax(records, kind=tarfile.XHDTYPE):
    """A PAX header: bytes by key."""
    text = b""
    for key, value in records.items():
        rest = b" " + key.encode() + b"=" + value + b"\n"
        length = len(rest)
        while length != len(str(length)) + len(rest):
            length = len(str(length)) + len(rest)
        text += str(length).encode() + rest
    return entry("pax", text, kind)


def a_tar(*entries):
    """A tar of entries, with its end."""
    return b"".join(entries) + bytes(1024)


def zst(content):
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


def with_pax_path(path):
    """A tar with a second file whose PAX header calls it otherwise."""
    return lambda png: a_tar(entry("ok.png", png), pax({"path": path}), entry("b.png", png))


def two(name):
    """A zip and two tars with this name in them, as makers."""
    return [
        lambda png: a_zip([("ok.png", png), (name, png)]),
        lambda png: a_tar(entry("ok.png", png), entry(name, png)),
        lambda png: zst(with_pax_path(name.encode())(png)),
    ]


def rows(number, code, makers, **more):
    """Several archives of one row."""
    return [Row(number, f"{title}", make, code, **more) for title, make in makers.items()]


def named(number, code, names):
    """Each name in each container."""
    return [
        Row(number, f"{ascii(name)[:40]} in {kind}", make, code)
        for name in names
        for kind, make in zip(("zip", "tar", "pax"), two(name), strict=True)
    ]


ESCAPES = ["../evil.png", "a/../../b.png", "a/..", "a\\..\\..\\x.png"]
ABSOLUTE = ["/etc/x.png", "C:\\x.png", "c:x.png", "\\\\server\\share\\x.png", "//x.png"]
UNUSABLE = ["a" * 252 + ".png", "/".join("d" * 40) + "/a.png", "a\nb.png", "a\x7fb.png", "\u00e9" * 126 + ".png"]
COLLISIONS = [
    ("a.png", "a.png"), ("A.png", "a.png"), ("\u00e9.png", "e\u0301.png"), ("x.png", "x.png/a.png"), ("d/a.png", "d//a.png"),
]  # fmt: skip
RUNNING = [
    "labels/train.cache", "setup.py", "best.pt", "x.pkl", "x.npy", "x.pth", "sitecustomize.py", "X.PY", "a.ipynb", "a.png.exe",
]  # fmt: skip
LEFT_BEHIND = ["__MACOSX/._a.png", ".DS_Store", "d/Thumbs.db", ".git/hooks/x.py", "drawing.svg", "paper.pdf"]

BOMB = b"\0" * 20_000_000  # 1028:1 and more
FEW = Limits(members=100)

ROWS = [
    *rows(1, "archive_not_zip", {
        "a picture renamed": lambda png: png,
        "a text": lambda _: b"this is no archive",
        "one byte": lambda _: b"x",
        "an html page": lambda _: b"<!doctype html><title>Log in</title>" + b" " * 2000,
    }, says=".tar.zst"),
    *rows(2, "archive_truncated", {
        "zip of 5 bytes": lambda png: a_zip([("a.png", png)])[:5],
        "zip without directory": lambda png: a_zip([("a.png", png * 9)])[:200],
        "zip without its last bytes": lambda png: a_zip([("a.png", png)])[:-10],
        "tar in a file": lambda png: a_tar(entry("a.png", png * 9))[:900],
        "tar in a header": lambda png: a_tar(entry("a.png", png), entry("b.png", png))[:-1200],
        "tar without its end": lambda png: a_tar(entry("a.png", png))[:-1024],
        "tar in a PAX header": lambda png: a_tar(entry("a.png", png)) [:-1024] + pax({"path": b"a" * 900})[:800],
        "tar.gz": lambda png: gzip.compress(a_tar(entry("a.png", png)))[:-12],
        "tar.gz without its checksum": lambda png: gzip.compress(a_tar(entry("a.png", png)))[:-8],
        "tar.gz of 30 bytes": lambda png: gzip.compress(a_tar(entry("a.png", png)))[:30],
        "tar.zst": lambda png: zst(a_tar(entry("a.png", png)))[:-12],
    }, says="resume"),
    *named(3, "archive_path_escapes", ESCAPES),
    *named(4, "archive_path_escapes", ABSOLUTE),
    *rows(5, "archive_bad_name", {
        "NUL in zip": lambda png: replaced(a_zip([("ok.png", png), ("x_y.png", png)]), b"x_y.png", b"x\0y.png"),
        "NUL in PAX": with_pax_path(b"x\0y.png"),
        "NUL in a long name": lambda png: a_tar(entry("L", b"x\0y.png\0", tarfile.GNUTYPE_LONGNAME), entry("b.png", png)),
    }),
    *(Row(6, f"zip of {mode:o}", lambda png, mode=mode: a_zip([("ok.png", png), (special(mode), b"/etc/passwd")]),
          "archive_special_file") for mode in (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)),
    *(Row(6, f"tar of {kind}", lambda png, kind=kind: a_tar(entry("ok.png", png), entry("l.png", b"", kind, linkname="ok.png")),
          "archive_special_file") for kind in (b"1", b"2", b"3", b"4", b"6", b"S", b"D", b"M", b"V", b"Z", b"9")),
    Row(6, "sparse by PAX", lambda png: a_tar(pax({"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0"}), entry("a.png", png)),
        "archive_special_file"),
    *(Row(7, f"{one!a} and {other!a} in {kind}", make, "archive_duplicate_name")
      for one, other in COLLISIONS for kind, make in (
          ("zip", lambda png, one=one, other=other: a_zip([(one, png), (other, png)])),
          ("tar", lambda png, one=one, other=other: a_tar(entry(one, png), entry(other, png))))),
    Row(7, "all files by one PAX name", lambda png: a_tar(pax({"path": b"a.png"}, tarfile.XGLTYPE), entry("b.png", png), entry("c.png", png)),
        "archive_duplicate_name"),
    *rows(8, "archive_too_large", {
        "zip": lambda _: a_zip([("a.bmp", BOMB)], zipfile.ZIP_DEFLATED),
        "tar.gz": lambda _: gzip.compress(a_tar(entry("a.bmp", BOMB))),
        "tar.zst": lambda _: zst(a_tar(entry("a.bmp", BOMB))),
    }, says="200 times"),
    *rows(8, "archive_too_large", {
        "tar.gz of many files": lambda _: gzip.compress(a_tar(*(entry(f"{i}.bmp", BOMB[:10000]) for i in range(2000)))),
        "tar.gz of zeros after its end": lambda png: gzip.compress(a_tar(entry("a.png", png)) + BOMB),
        "tar.gz of headers": lambda _: gzip.compress(a_tar(*[entry("a/", kind=tarfile.DIRTYPE)] * 9000)),
        "PAX header of 1 GB": lambda png: a_tar(entry("a.png", png), entry("x", kind=tarfile.XHDTYPE, size=1 << 30)),
        "PAX header of 1 GB for all": lambda png: a_tar(entry("x", kind=tarfile.XGLTYPE, size=1 << 30), entry("a.png", png)),
        "long name of 1 GB": lambda png: a_tar(entry("x", kind=tarfile.GNUTYPE_LONGNAME, size=1 << 30), entry("a.png", png)),
        "long link of 1 GB": lambda png: a_tar(entry("x", kind=tarfile.GNUTYPE_LONGLINK, size=1 << 30), entry("a.png", png)),
    }),
    *rows(8, "archive_too_large", {
        "zip": lambda png: a_zip([("a.png", png)]),
        "tar": lambda png: a_tar(entry("a.png", png)),
        "tar.gz": lambda png: gzip.compress(a_tar(entry("a.png", png))),
    }, says="limit is 10", limits=Limits(total_bytes=10)),
    Row(8, "headers without end", lambda png: a_tar(*[pax({"comment": b"x"})] * 9, entry("a.png", png)), "archive_corrupt"),
    Row(9, "members that overlap", lambda png: in_directory(a_zip([("a.png", png), ("b.png", png)]), 42, "<I", 0),
        "archive_too_large", says="overlap"),
    *(Row(10, f"archive in archive: {name}", make, "archive_too_large", says="one level")
      for name in ("more.zip", "more.tar", "more.tgz", "more.tar.zst", "more.7z") for make in two(name)),
    *rows(11, "archive_too_large", {
        "zip": lambda _: a_zip([(f"{i}.png", b"") for i in range(101)]),
        "tar": lambda _: a_tar(*(entry(f"{i}.png") for i in range(101))),
        "tar.zst": lambda _: zst(a_tar(*(entry(f"{i}.png") for i in range(101)))),
    }, says="100", limits=FEW),
    *(Row(12, f"zip that says {lie}", lambda png, lie=lie: in_directory(a_zip([("a.png", png * 40)]), 24, "<I", lie),
          "archive_size_mismatch") for lie in (100, 4000)),
    Row(12, "tar that says less", lambda _: a_tar(entry("a.png", b"\7" * 3000, size=1000)), "archive_corrupt"),
    Row(12, "tar that says more", lambda png: a_tar(entry("a.png", png, size=30000)), "archive_truncated"),
    Row(12, "PAX that says more", lambda png: a_tar(pax({"size": b"30000"}), entry("a.png", png)), "archive_truncated"),
    Row(12, "PAX that says no number", lambda png: a_tar(pax({"size": b"-1"}), entry("a.png", png)), "archive_corrupt"),
    Row(12, "PAX that is damaged", lambda png: a_tar(entry("x", b"99 path=b.png\n", tarfile.XHDTYPE), entry("a.png", png)),
        "archive_corrupt"),
    Row(12, "a header without its checksum", lambda png: replaced(a_tar(entry("a.png", png), entry("b.png", png)), b"b.png", b"c.png"),
        "archive_corrupt"),
    Row(12, "something after the end", lambda png: a_tar(entry("a.png", png)) + a_tar(entry("b.png", png)), "archive_corrupt"),
    Row(12, "gz with a wrong checksum", lambda png: gzip.compress(a_tar(entry("a.png", png)))[:-8] + b"wrong\0\0\0", "archive_corrupt"),
    Row(12, "gz with something after it", lambda png: gzip.compress(a_tar(entry("a.png", png))) + b"something", "archive_corrupt"),
    Row(13, "encrypted zip", lambda png: in_directory(a_zip([("a.png", png)]), 8, "<H", 1), "archive_encrypted", says="not encrypted"),
    *(Row(14, f"zip by {name}", lambda png, method=method: in_directory(a_zip([("a.png", png)]), 10, "<H", method),
          "archive_method_unsupported", says=name)
      for method, name in ((9, "deflate64"), (14, "LZMA"), (93, "Zstandard"), (95, "xz"), (98, "PPMd"), (77, "method 77"))),
    Row(14, "zip of a later version", lambda png: in_directory(a_zip([("a.png", png)]), 6, "<H", 99), "archive_method_unsupported"),
    *(Row(14, name, make, "archive_method_unsupported", says=name) for name, make in {
        "7z": lambda _: b"7z\xbc\xaf\x27\x1c\0\4" + bytes(100),
        "RAR": lambda _: b"Rar!\x1a\x07\x01\0" + bytes(100),
        "xz": lambda png: lzma.compress(a_tar(entry("a.png", png))),
        "bzip2": lambda png: bz2.compress(a_tar(entry("a.png", png))),
        "LZMA": lambda png: lzma.compress(a_tar(entry("a.png", png)), lzma.FORMAT_ALONE),
        "one file packed with gzip": gzip.compress,
        "one file packed with Zstandard": zst,
    }.items()),
    *rows(14, None, {
        "tar": lambda png: a_tar(entry("a.png", png)),
        "tar.gz": lambda png: gzip.compress(a_tar(entry("a.png", png))),
        "tar.gz of two parts": lambda png: gzip.compress(a_tar(entry("a.png", png))[:700]) + gzip.compress(a_tar(entry("a.png", png))[700:]),
        "tar.gz with padding": lambda png: gzip.compress(a_tar(entry("a.png", png))) + bytes(5000),
        "tar.zst": lambda png: zst(a_tar(entry("a.png", png))),
        "tar.zst of two frames": lambda png: zst(a_tar(entry("a.png", png))[:700]) + zst(a_tar(entry("a.png", png))[700:]),
        "tar with one block of zeros": lambda png: a_tar(entry("a.png", png))[:-512],
        "zip deflated": lambda png: a_zip([("a.png", png)], zipfile.ZIP_DEFLATED),
        "zip by bzip2": lambda png: a_zip([("a.png", png)], zipfile.ZIP_BZIP2),
    }, files=("a.png",)),
    *named(15, "archive_bad_name", UNUSABLE),
    *rows(15, "archive_bad_name", {
        "zip not in UTF-8": lambda png: replaced(a_zip([("\u00e9.png", png)]), "\u00e9".encode(), b"\xff\xff"),
        "tar not in UTF-8": lambda png: a_tar(entry("\udcff\udcff.png", png)),
        "PAX not in UTF-8": with_pax_path(b"\xff.png"),
        "no name": lambda png: a_tar(entry("", png)),
        "no name by PAX": with_pax_path(b""),
    }),
    Row(15, "UTF-8 that is not marked", lambda png: replaced(a_zip([("xx.png", png)]), b"xx.png", "\u00e9.png".encode()),
        findings={"archive_name_decoded": 1}, files=("\u00e9.png",)),
    *(Row(16, f"what systems leave behind in {kind}", make, findings={"files_ignored": len(LEFT_BEHIND)}, files=("a.png",))
      for kind, make in (
          ("zip", lambda png: a_zip([("a.png", png), *((n, b"") for n in LEFT_BEHIND)])),
          ("tar", lambda png: a_tar(entry("./", kind=tarfile.DIRTYPE), entry("./a.png", png), *(entry(f"./{n}") for n in LEFT_BEHIND))))),
    *(Row(17, f"{name} in {kind}", make, "file_type_not_allowed")
      for name in RUNNING for kind, make in zip(("zip", "tar", "pax"), two(name), strict=True)),
    *rows(18, "dataset_empty", {
        "no bytes": lambda _: b"",
        "zip of nothing": lambda _: a_zip([]),
        "tar of nothing": lambda _: a_tar(),
        "tar.gz of nothing": lambda _: gzip.compress(a_tar()),
        "zip of text": lambda _: a_zip([("readme.txt", b"x")]),
        "tar of text": lambda _: a_tar(entry("readme.txt", b"x")),
    }),
]  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """A chunk of an upload of ten bytes after the first five have been sent."""

    title: str
    offset: int
    content: bytes
    status: int
    code: str
    sha256: str | None = None


CHUNKS = [  # row 19
    Chunk("gap", 6, b"7890", 409, "upload_offset"),
    Chunk("sent again", 0, b"12345", 409, "upload_offset"),
    Chunk("wrong sha256", 5, b"67890", 422, "upload_checksum", "0" * 64),
    Chunk("longer than announced", 5, b"678901", 422, "upload_too_long"),
]
