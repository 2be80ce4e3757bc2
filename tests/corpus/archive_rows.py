"""The bad archives of rows 1 to 18, and one of row 63, each made of a good PNG: what git or a file system could not hold, and what is large.

What each is answered stands in the `expected.json` of the row's folder.
"""

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import numpy as np

from retinue_sdk.archive import Limits
from tests.corpus.archives import a_tar, a_zip, entry, in_directory, pax, replaced, special, zst

Maker = Callable[[bytes], bytes]


def with_pax_path(path):
    """A tar with a second file whose PAX header calls it otherwise."""
    return lambda png: a_tar(entry("ok.png", png), pax({"path": path}), entry("b.png", png))


def each_container(names):
    """A zip, a tar and a PAX tar for each of these names."""
    return {
        f"{ascii(name)[:40]} in {kind}": make
        for name in names
        for kind, make in {
            "zip": lambda png, name=name: a_zip([("ok.png", png), (name, png)]),
            "tar": lambda png, name=name: a_tar(entry("ok.png", png), entry(name, png)),
            "pax": lambda png, name=name: zst(with_pax_path(name.encode())(png)),
        }.items()
    }


def both(one, other):
    """A zip and a tar with these two names."""
    return {
        f"{one!a} and {other!a} in zip": lambda png: a_zip([(one, png), (other, png)]),
        f"{one!a} and {other!a} in tar": lambda png: a_tar(entry(one, png), entry(other, png)),
    }


def one_member_more(_png):
    """A zip of one member more than the limit: each of them a line of its directory, and nothing else."""
    count = Limits().members + 1
    line = np.frombuffer(a_zip([("0000000", b"")])[37:-22], dtype=np.uint8)
    lines = np.tile(line, (count, 1))
    lines[:, 46:] = np.char.zfill(np.arange(count).astype("S7"), 7).view(np.uint8).reshape(count, 7)
    directory = lines.tobytes()
    end = np.array([count, count, len(directory), 0], dtype="<u8").tobytes()
    zip64 = b"PK\x06\x06" + np.array([44], dtype="<u8").tobytes() + b"\x2d\0\x2d\0" + bytes(8) + end
    locator = b"PK\x06\x07" + bytes(4) + np.array([len(directory)], dtype="<u8").tobytes() + b"\1\0\0\0"
    return directory + zip64 + locator + b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2)


def two_gigabytes(png):
    """A zip with a COCO file of more than 2 GB, packed as much as is allowed: one part of it, again and again."""
    part = np.random.default_rng(0).bytes(3000).hex().encode() + b" " * 994_000
    times, checksum, name = 2100, 0, b"annotations/instances_train.json"
    packer = zlib.compressobj(1, wbits=-15)
    packed = (packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)) * times + packer.flush()
    for _ in range(times):
        checksum = zlib.crc32(part, checksum)
    archive = bytearray(a_zip([("images/train/a.png", png), (name.decode(), packed)]))
    for header in (archive.index(name) - 30 + 8, archive.rindex(name) - 46 + 10):
        struct.pack_into("<H4xIII", archive, header, zipfile.ZIP_DEFLATED, checksum, len(packed), len(part) * times)
    return bytes(archive)


ESCAPES = ["../evil.png", "a/../../b.png", "a/..", "a\\..\\..\\x.png"]
ABSOLUTE = ["/etc/x.png", "C:\\x.png", "c:x.png", "\\\\server\\share\\x.png", "//x.png"]
UNUSABLE = ["a" * 252 + ".png", "/".join("d" * 40) + "/a.png", "a\nb.png", "a\x7fb.png", "\u00e9" * 126 + ".png"]
COLLISIONS = [
    ("a.png", "a.png"), ("A.png", "a.png"), ("\u00e9.png", "e\u0301.png"), ("x.png", "x.png/a.png"), ("d/a.png", "d//a.png"),
]  # fmt: skip
RUNNING = [
    "labels/train.cache", "setup.py", "best.pt", "x.pkl", "x.npy", "x.pth", "sitecustomize.py", "X.PY", "a.ipynb", "a.png.exe",
]  # fmt: skip
INNER = ["more.zip", "more.tar", "more.tgz", "more.tar.zst", "more.7z"]
LEFT_BEHIND = ["__MACOSX/._a.png", ".DS_Store", "d/Thumbs.db", ".git/hooks/x.py", "drawing.svg", "paper.pdf"]
UNREAD = {"deflate64": 9, "LZMA": 14, "Zstandard": 93, "xz": 95, "PPMd": 98, "method 77": 77}
BOMB = b"\0" * 20_000_000  # 1028:1 and more


def good(png):
    """A tar that can be imported."""
    return a_tar(entry("cat/a.png", png))


MAKERS: dict[str, dict[str, Maker]] = {
    "01_not_zip": {
        "a picture renamed": lambda png: png,
        "a text": lambda _: b"this is no archive",
        "one byte": lambda _: b"x",
        "an html page": lambda _: b"<!doctype html><title>Log in</title>" + b" " * 2000,
    },
    "02_truncated": {
        "zip of 5 bytes": lambda png: a_zip([("a.png", png)])[:5],
        "zip without directory": lambda png: a_zip([("a.png", png * 9)])[:200],
        "zip without its last bytes": lambda png: a_zip([("a.png", png)])[:-10],
        "tar in a file": lambda png: a_tar(entry("a.png", png * 9))[:900],
        "tar in a header": lambda png: a_tar(entry("a.png", png), entry("b.png", png))[:-1200],
        "tar without its end": lambda png: a_tar(entry("a.png", png))[:-1024],
        "tar in a PAX header": lambda png: a_tar(entry("a.png", png))[:-1024] + pax({"path": b"a" * 900})[:800],
        "tar.gz": lambda png: gzip.compress(a_tar(entry("a.png", png)))[:-12],
        "tar.gz without its checksum": lambda png: gzip.compress(a_tar(entry("a.png", png)))[:-8],
        "tar.gz of 30 bytes": lambda png: gzip.compress(a_tar(entry("a.png", png)))[:30],
        "tar.zst": lambda png: zst(a_tar(entry("a.png", png)))[:-12],
    },
    "03_path_escapes": each_container(ESCAPES),
    "04_absolute_path": each_container(ABSOLUTE),
    "05_nul_in_name": {
        "NUL in zip": lambda png: replaced(a_zip([("ok.png", png), ("x_y.png", png)]), b"x_y.png", b"x\0y.png"),
        "NUL in PAX": with_pax_path(b"x\0y.png"),
        "NUL in a long name": lambda png: a_tar(
            entry("L", b"x\0y.png\0", tarfile.GNUTYPE_LONGNAME), entry("b.png", png)
        ),
    },
    "06_special_file": {
        **{
            f"zip of {mode:o}": lambda png, mode=mode: a_zip([("ok.png", png), (special(mode), b"/etc/passwd")])
            for mode in (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)
        },
        **{
            f"tar of {kind}": lambda png, kind=kind: a_tar(
                entry("ok.png", png), entry("l.png", b"", kind.encode(), linkname="ok.png")
            )
            for kind in "12346SDMVZ9"
        },
        "sparse by PAX": lambda png: a_tar(
            pax({"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0"}), entry("a.png", png)
        ),
    },
    "07_duplicate_name": {
        **{name: make for pair in COLLISIONS for name, make in both(*pair).items()},
        "all files by one PAX name": lambda png: a_tar(
            pax({"path": b"a.png"}, tarfile.XGLTYPE), entry("b.png", png), entry("c.png", png)
        ),
        "a file and an empty folder": lambda png: a_zip([("cat/a.png", png), ("cat/b.png", png), ("cat/b.png/", b"")]),
    },
    "08_bomb": {
        "zip": lambda _: a_zip([("a.bmp", BOMB)], zipfile.ZIP_DEFLATED),
        "tar.gz": lambda _: gzip.compress(a_tar(entry("a.bmp", BOMB))),
        "tar.zst": lambda _: zst(a_tar(entry("a.bmp", BOMB))),
        "tar.gz of many files": lambda _: gzip.compress(
            a_tar(*(entry(f"{i}.bmp", BOMB[:10000]) for i in range(2000)))
        ),
        "tar.gz of zeros after its end": lambda png: gzip.compress(a_tar(entry("a.png", png)) + BOMB),
        "tar.gz of headers": lambda _: gzip.compress(a_tar(*[entry("a/", kind=tarfile.DIRTYPE)] * 9000)),
        **{
            f"{what} of 1 GB": lambda png, kind=kind: a_tar(entry("x", kind=kind, size=1 << 30), entry("a.png", png))
            for what, kind in {
                "PAX header": tarfile.XHDTYPE, "PAX header for all": tarfile.XGLTYPE,
                "long name": tarfile.GNUTYPE_LONGNAME, "long link": tarfile.GNUTYPE_LONGLINK,
            }.items()
        },
        "headers without end": lambda png: a_tar(*[pax({"comment": b"x"})] * 9, entry("a.png", png)),
    },
    "09_overlapping_entries": {
        "zip": lambda png: in_directory(a_zip([("a.png", png), ("b.png", png)]), 42, "<I", 0),
    },
    "10_archive_in_archive": each_container(INNER),
    "11_too_many_members": {"zip": one_member_more},
    "12_size_lies": {
        "zip that says 100": lambda png: in_directory(a_zip([("a.png", png * 40)]), 24, "<I", 100),
        "zip that says 4000": lambda png: in_directory(a_zip([("a.png", png * 40)]), 24, "<I", 4000),
        "tar that says less": lambda _: a_tar(entry("a.png", b"\7" * 3000, size=1000)),
        "tar that says more": lambda png: a_tar(entry("a.png", png, size=30000)),
        "PAX that says more": lambda png: a_tar(pax({"size": b"30000"}), entry("a.png", png)),
        "PAX that says no number": lambda png: a_tar(pax({"size": b"-1"}), entry("a.png", png)),
        "PAX that is damaged": lambda png: a_tar(entry("x", b"99 path=b.png\n", tarfile.XHDTYPE), entry("a.png", png)),
        "a header without its checksum": lambda png: replaced(
            a_tar(entry("a.png", png), entry("b.png", png)), b"b.png", b"c.png"
        ),
        "something after the end": lambda png: a_tar(entry("a.png", png)) + a_tar(entry("b.png", png)),
        "gz with a wrong checksum": lambda png: gzip.compress(a_tar(entry("a.png", png)))[:-8] + b"wrong\0\0\0",
        "gz with something after it": lambda png: gzip.compress(a_tar(entry("a.png", png))) + b"something",
    },
    "13_encrypted": {"zip": lambda png: in_directory(a_zip([("a.png", png)]), 8, "<H", 1)},
    "14_methods": {
        **{
            f"zip by {name}": lambda png, method=method: in_directory(a_zip([("a.png", png)]), 10, "<H", method)
            for name, method in UNREAD.items()
        },
        "zip of a later version": lambda png: in_directory(a_zip([("a.png", png)]), 6, "<H", 99),
        "7z": lambda _: b"7z\xbc\xaf\x27\x1c\0\4" + bytes(100),
        "RAR": lambda _: b"Rar!\x1a\x07\x01\0" + bytes(100),
        "xz": lambda png: lzma.compress(a_tar(entry("a.png", png))),
        "bzip2": lambda png: bz2.compress(a_tar(entry("a.png", png))),
        "LZMA": lambda png: lzma.compress(a_tar(entry("a.png", png)), lzma.FORMAT_ALONE),
        "one file packed with gzip": gzip.compress,
        "one file packed with Zstandard": zst,
        "tar": good,
        "tar.gz": lambda png: gzip.compress(good(png)),
        "tar.gz of two parts": lambda png: gzip.compress(good(png)[:700]) + gzip.compress(good(png)[700:]),
        "tar.gz with padding": lambda png: gzip.compress(good(png)) + bytes(5000),
        "tar.zst": lambda png: zst(good(png)),
        "tar.zst of two frames": lambda png: zst(good(png)[:700]) + zst(good(png)[700:]),
        "tar with one block of zeros": lambda png: good(png)[:-512],
        "zip deflated": lambda png: a_zip([("cat/a.png", png)], zipfile.ZIP_DEFLATED),
        "zip by bzip2": lambda png: a_zip([("cat/a.png", png)], zipfile.ZIP_BZIP2),
    },
    "15_bad_name": {
        **each_container(UNUSABLE),
        "zip not in UTF-8": lambda png: replaced(a_zip([("\u00e9.png", png)]), "\u00e9".encode(), b"\xff\xff"),
        "tar not in UTF-8": lambda png: a_tar(entry("\udcff\udcff.png", png)),
        "PAX not in UTF-8": with_pax_path(b"\xff.png"),
        "no name": lambda png: a_tar(entry("", png)),
        "no name by PAX": with_pax_path(b""),
        "UTF-8 that is not marked": lambda png: replaced(
            a_zip([("cat/xx.png", png)]), b"xx.png", "\u00e9.png".encode()
        ),
    },
    "16_left_behind": {
        "zip": lambda png: a_zip([("cat/a.png", png), *((name, b"") for name in LEFT_BEHIND)]),
        "tar": lambda png: a_tar(
            entry("./", kind=tarfile.DIRTYPE), entry("./cat/a.png", png), *(entry(f"./{name}") for name in LEFT_BEHIND)
        ),
    },
    "17_file_types": each_container(RUNNING),
    "18_empty": {
        "no bytes": lambda _: b"",
        "zip of nothing": lambda _: a_zip([]),
        "tar of nothing": lambda _: a_tar(),
        "tar.gz of nothing": lambda _: gzip.compress(a_tar()),
        "zip of text": lambda _: a_zip([("readme.txt", b"x")]),
        "tar of text": lambda _: a_tar(entry("readme.txt", b"x")),
    },
    "63_coco_root": {"two_gigabytes": two_gigabytes},
}  # fmt: skip
