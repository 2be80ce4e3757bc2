"""Unpacking: rows 1 to 18 of the bad archives, a full disk, and that nothing is ever left behind."""

from __future__ import annotations

import errno
import os
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile

import pytest

from retinue_sdk.archive import Limits, unpack
from retinue_sdk.errors import DataError, StorageFullError
from tests.sdk.drawn import draw


@pytest.fixture
def picture(tmp_path):
    return draw(tmp_path / "drawn" / "a.png").read_bytes()


def make(path, members, method=zipfile.ZIP_STORED):
    """A zip of (name or ZipInfo, bytes); names are written as they are."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def refused(path, code, limits=None):
    """Unpack, which must be refused with this code and leave nothing at all."""
    dest = path.parent / "out" / "data"
    with pytest.raises(DataError) as caught:
        unpack(path, dest, limits)
    problem = caught.value.problem
    assert (problem.code, problem.status) == (code, 422), problem
    assert problem.hint
    assert not dest.parent.exists() or not list(dest.parent.iterdir())
    return problem


def patched(path, old, new, count=-1):
    """The archive with some bytes replaced: what no well-behaved library would write."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, count))
    return path


def test_a_plain_archive_is_unpacked(tmp_path, picture):
    path = make(
        tmp_path / "a.zip",
        [("set/a.png", picture), ("set/", b""), ("set/é.txt", b"x"), ("set/README", b"y")],
        zipfile.ZIP_DEFLATED,
    )
    told = []
    root, findings = unpack(path, tmp_path / "out", progress=told.append)
    assert root == tmp_path / "out"
    assert (root / "set/a.png").read_bytes() == picture
    assert sorted(p.name for p in (root / "set").iterdir()) == ["a.png", "é.txt"]
    assert [(f.code, f.count, f.examples) for f in findings] == [
        ("files_ignored", 1, ["set/README: of no use in a dataset"])
    ]
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert not stat.S_IMODE((root / "set/a.png").stat().st_mode) & 0o111


def test_tables_and_lines_of_labels_are_unpacked_and_need_no_image_beside_them(tmp_path):
    names = ["data/train.parquet", "train/data.arrow", "dataset.ndjson", "labels.tsv"]
    root, findings = unpack(make(tmp_path / "a.zip", [(name, b"x") for name in names]), tmp_path / "in")
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()) == sorted(names)
    assert findings == []
    refused(make(tmp_path / "b.zip", [("labels.tsv", b"x")]), "dataset_empty")


def test_not_a_zip(tmp_path, picture):
    for name, content in (("renamed.zip", picture), ("short.zip", b"x"), ("seven.zip", b"7z\xbc\xaf'\x1c")):
        (tmp_path / name).write_bytes(content)
        assert "zip" in refused(tmp_path / name, "archive_not_zip").hint
    with tarfile.open(tmp_path / "t.zip", "w") as archive:
        archive.add(tmp_path / "renamed.zip")
    refused(tmp_path / "t.zip", "archive_not_zip")


def test_truncated(tmp_path, picture):
    path = make(tmp_path / "a.zip", [("a.png", picture * 9)])
    for keep in (5, 200, path.stat().st_size - 10):
        cut = tmp_path / "cut.zip"
        cut.write_bytes(path.read_bytes()[:keep])
        refused(cut, "archive_truncated")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "a/../../b.png",
        "a/..",
        "/etc/x.png",
        "C:\\x.png",
        "c:x.png",
        "\\\\server\\share\\x.png",
        "a\\..\\..\\x.png",
        "//x.png",
    ],
)
def test_names_that_escape(tmp_path, picture, name):
    path = make(tmp_path / "a.zip", [("ok.png", picture), (name, picture)])
    refused(path, "archive_path_escapes")
    assert not (tmp_path / "evil.png").exists()


@pytest.mark.parametrize(
    "name", ["a" * 252 + ".png", "/".join("d" * 40) + "/a.png", "a\nb.png", "a\x7fb.png", "\u00e9" * 126 + ".png"]
)
def test_names_that_cannot_be_used(tmp_path, picture, name):
    refused(make(tmp_path / "a.zip", [("ok.png", picture), (name, picture)]), "archive_bad_name")


def test_a_name_with_a_nul_or_broken_utf8(tmp_path, picture):
    path = make(tmp_path / "a.zip", [("ok.png", picture), ("x_y.png", picture)])
    refused(patched(path, b"x_y.png", b"x\0y.png"), "archive_bad_name")
    path = make(tmp_path / "b.zip", [("é.png", picture)])
    refused(patched(path, "é".encode(), b"\xff\xff"), "archive_bad_name")


def test_utf8_that_is_not_marked_is_read_and_reported(tmp_path, picture):
    path = make(tmp_path / "a.zip", [("xx.png", picture)])
    root, findings = unpack(patched(path, b"xx.png", "é.png".encode()), tmp_path / "out")
    assert [p.name for p in root.iterdir()] == ["é.png"]
    assert [f.code for f in findings] == ["archive_name_decoded"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_special_files(tmp_path, picture, mode):
    info = zipfile.ZipInfo("link.png")
    info.create_system = 3
    info.external_attr = (mode | 0o777) << 16
    refused(make(tmp_path / "a.zip", [("ok.png", picture), (info, b"/etc/passwd")]), "archive_special_file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.png", "a.png"),
        ("A.png", "a.png"),
        ("é.png", "e\u0301.png"),
        ("x.png", "x.png/a.png"),
        ("d/a.png", "d//a.png"),
    ],
)
def test_names_that_collide(tmp_path, picture, one, other):
    refused(make(tmp_path / "a.zip", [(one, picture), (other, picture)]), "archive_duplicate_name")


def test_bombs(tmp_path, picture):
    bomb = make(tmp_path / "ratio.zip", [("a.bmp", b"\0" * 20_000_000)], zipfile.ZIP_DEFLATED)
    assert "200 times" in refused(bomb, "archive_too_large").message
    many = make(tmp_path / "many.zip", [(f"{i}.png", b"") for i in range(101)])
    assert "limit is 100" in refused(many, "archive_too_large", Limits(members=100)).message
    plain = make(tmp_path / "big.zip", [("a.png", picture)])
    assert "limit is 10" in refused(plain, "archive_too_large", Limits(total_bytes=10)).message
    inner = make(tmp_path / "nested.zip", [("a.png", picture), ("more.zip", plain.read_bytes())])
    assert "one level" in refused(inner, "archive_too_large").message


def test_members_that_overlap(tmp_path, picture):
    path = make(tmp_path / "a.zip", [("a.png", picture), ("b.png", picture)])
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = struct.pack("<I", 0)  # the second entry points at the first one's data
    path.write_bytes(content)
    assert "overlap" in refused(path, "archive_too_large").message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_sizes_that_lie(tmp_path, method):
    noise = os.urandom(4_000_000)
    for lie in (1000, 3_999_999, 4_000_001):
        path = make(tmp_path / "a.zip", [("a.png", noise)], method)
        content = bytearray(path.read_bytes())
        central = content.rindex(b"PK\x01\x02")
        content[central + 24 : central + 28] = struct.pack("<I", lie)
        path.write_bytes(content)
        refused(path, "archive_size_mismatch")


def test_damaged_data(tmp_path):
    noise = os.urandom(4000)
    path = make(tmp_path / "a.zip", [("a.png", noise)])
    refused(patched(path, noise[100:110], b"\0" * 10), "archive_corrupt")


def test_encrypted(tmp_path, picture):
    path = make(tmp_path / "a.zip", [("a.png", picture)])
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    content[central + 8] |= 1
    path.write_bytes(content)
    refused(path, "archive_encrypted")


def test_methods_that_are_not_read(tmp_path, picture):
    problem = refused(make(tmp_path / "a.zip", [("a.png", picture)], zipfile.ZIP_LZMA), "archive_method_unsupported")
    assert "deflated" in problem.hint


@pytest.mark.parametrize(
    "name",
    [
        "labels/train.cache",
        "setup.py",
        "best.pt",
        "x.pkl",
        "x.npy",
        "x.pth",
        "sitecustomize.py",
        "X.PY",
        "a.ipynb",
        "a.png.exe",
    ],
)
def test_files_that_could_run(tmp_path, picture, name):
    assert refused(make(tmp_path / "a.zip", [("a.png", picture), (name, b"")]), "file_type_not_allowed").where == name


def test_what_systems_leave_behind_is_ignored_and_counted(tmp_path, picture):
    rest = ["__MACOSX/._a.png", ".DS_Store", "d/Thumbs.db", ".git/hooks/x.py", "drawing.svg", "paper.pdf"]
    root, findings = unpack(make(tmp_path / "a.zip", [("a.png", picture), *((n, b"") for n in rest)]), tmp_path / "out")
    assert [p.name for p in root.rglob("*")] == ["a.png"]
    assert [(f.code, f.severity, f.count) for f in findings] == [("files_ignored", "warning", len(rest))]


def test_archives_without_images(tmp_path):
    (tmp_path / "zero.zip").write_bytes(b"")
    refused(tmp_path / "zero.zip", "dataset_empty")
    refused(make(tmp_path / "none.zip", []), "dataset_empty")
    refused(make(tmp_path / "text.zip", [("readme.txt", b"x")]), "dataset_empty")


def test_zip64_is_read(tmp_path, picture):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, archive.open("a.png", "w", force_zip64=True) as member:
        member.write(picture)
    assert (unpack(tmp_path / "a.zip", tmp_path / "out")[0] / "a.png").read_bytes() == picture


def test_more_than_the_volume_has_is_refused_before_a_byte_is_written(tmp_path, picture):
    path = make(tmp_path / "a.zip", [("a.png", picture)])
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    content[central + 24 : central + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(content)
    if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize > 0xFFFFFFF0:
        limits = Limits(total_bytes=1 << 40, ratio=1 << 40)
        refused(path, "archive_size_mismatch", limits)
    else:
        with pytest.raises(StorageFullError):
            unpack(path, tmp_path / "out", Limits(ratio=1 << 40))


FILL = """
import resource, sys
from pathlib import Path
from retinue_sdk.archive import unpack
from retinue_sdk.errors import StorageFullError
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
except StorageFullError as error:
    print(error.problem.code, error.problem.status)
"""


def test_a_disk_that_fills_up_leaves_nothing(tmp_path):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    path = make(tmp_path / "a.zip", [("a.png", os.urandom(100_000)), ("b.png", os.urandom(1_000_000))])
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path), str(out / "data")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["storage_full", "507"]
    assert list(out.iterdir()) == []


def test_an_error_at_any_point_leaves_nothing(tmp_path, picture):
    path = make(tmp_path / "a.zip", [(f"{i}.png", picture) for i in range(5)])

    def stop_half_way(part):
        if part > 0.5:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageFullError):
        unpack(path, tmp_path / "out" / "data", progress=stop_half_way)
    assert list((tmp_path / "out").iterdir()) == []
