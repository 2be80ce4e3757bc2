"""Unpacking what is good, in all containers; zip64; a full disk; bombs in bounded time and memory; nothing left behind."""

import errno
import gzip
import io
import json
import os
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile

import pytest
import zstandard

from retinue_sdk.archive import Limits, unpack
from retinue_sdk.archive_member import Member
from retinue_sdk.archive_plan import make_plan
from retinue_sdk.errors import DataError, StorageFullError
from retinue_sdk.formats.report import Report
from tests.corpus.archives import a_tar, a_zip, entry, in_directory, pax, zst
from tests.sdk.drawn import draw

WHOLE = [("set/a.png", None), ("set/é.txt", b"x"), ("set/README", b"y"), (f"{'long' * 30}/{'name' * 30}.txt", b"z")]


@pytest.fixture
def picture(tmp_path):
    return draw(tmp_path / "drawn" / "a.png").read_bytes()


def whole_tar(files, style):
    """A tar as the library writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style) as archive:
        folder = tarfile.TarInfo("set")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


CONTAINERS = {
    "zip": lambda files: a_zip([("set/", b""), *files], zipfile.ZIP_DEFLATED),
    "tar": lambda files: whole_tar(files, tarfile.GNU_FORMAT),
    "pax": lambda files: whole_tar(files, tarfile.PAX_FORMAT),
    "tar.gz": lambda files: gzip.compress(whole_tar(files, tarfile.GNU_FORMAT)),
    "tar.zst": lambda files: zst(whole_tar(files, tarfile.PAX_FORMAT)),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_good_archive_is_unpacked(tmp_path, picture, container):
    path = tmp_path / "upload"  # what it is, its content says
    path.write_bytes(CONTAINERS[container]([(name, content or picture) for name, content in WHOLE]))
    told = []
    root, findings = unpack(path, tmp_path / "out", progress=told.append)
    assert root == tmp_path / "out"
    assert (root / "set/a.png").read_bytes() == picture
    assert (root / WHOLE[3][0]).read_bytes() == b"z"
    assert sorted(p.name for p in (root / "set").iterdir()) == ["a.png", "é.txt"]
    assert [(f.code, f.count, f.examples) for f in findings] == [
        ("files_ignored", 1, ["set/README: of no use in a dataset"])
    ]
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert not stat.S_IMODE((root / "set/a.png").stat().st_mode) & 0o111


def test_tables_and_lines_of_labels_are_unpacked_and_need_no_image_beside_them(tmp_path):
    names = ["data/train.parquet", "train/data.arrow", "dataset.ndjson", "labels.tsv"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    root, findings = unpack(tmp_path / "a.zip", tmp_path / "in")
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()) == sorted(names)
    assert findings == []
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("labels.tsv", b"x")
    with pytest.raises(DataError, match="no image"):
        unpack(tmp_path / "b.zip", tmp_path / "none")


def test_tars_of_other_tools(tmp_path, picture):
    (tmp_path / "in/set").mkdir(parents=True)
    (tmp_path / "in/set/a.png").write_bytes(picture)
    (tmp_path / "in/set" / f"{'n' * 120}.png").write_bytes(picture * 30)
    for number, style in enumerate(("gnu", "pax", "ustar", "v7", "oldgnu")):
        path, names = tmp_path / f"{style}.tar", ["set"] if number < 2 else ["set/a.png"]
        subprocess.run(["tar", f"--format={style}", "-cf", path, "-C", tmp_path / "in", *names], check=True)
        root, _ = unpack(path, tmp_path / f"out-{style}")
        assert (root / "set/a.png").read_bytes() == picture
        assert len(list(root.rglob("*.png"))) == (2 if number < 2 else 1)


def test_a_single_image_is_a_folder_with_it(tmp_path, picture):
    (tmp_path / "upload").write_bytes(picture)
    for name, expected in (("a.PNG", "a.PNG"), ("C:\\photos\\b.png", "b.png"), ("set/../c.png", "c.png")):
        root, findings = unpack(tmp_path / "upload", tmp_path / f"out-{expected}", name=name)
        assert findings == []
        assert [(p.name, p.read_bytes()) for p in root.rglob("*")] == [(expected, picture)]
    for name, code in ((None, "archive_not_zip"), ("a.svg", "archive_not_zip"), (".png", "archive_not_zip"),
                       (".a.png", "dataset_empty"), ("a\n.png", "archive_bad_name")):  # fmt: skip
        with pytest.raises(DataError) as caught:
            unpack(tmp_path / "upload", tmp_path / "no", name=name)
        assert caught.value.problem.code == code
    with pytest.raises(DataError, match="archive_too_large"):
        unpack(tmp_path / "upload", tmp_path / "no", Limits(total_bytes=10), name="a.png")


@pytest.mark.parametrize("container", ["zip", "tar", "tar.gz"])
def test_limits_are_named(tmp_path, picture, container):
    path = tmp_path / "upload"
    path.write_bytes(CONTAINERS[container]([("set/a.png", picture), ("set/b.png", picture)]))
    for limits, says in ((Limits(total_bytes=10), "the limit is 10"), (Limits(members=2), "the limit is 2|2 members")):
        with pytest.raises(DataError, match=says) as caught:
            unpack(path, tmp_path / "out", limits)
        assert (caught.value.problem.code, caught.value.problem.where) == ("archive_too_large", "upload")
        assert not (tmp_path / "out").exists()


def zip64(content, size, packed=None):
    """A zip of a.png, all of whose sizes and offsets stand in zip64 fields, with the unpacked size that is said."""
    crc, packed = zipfile.crc32(content), len(content) if packed is None else packed
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 0, 0, 0, crc, 2**32 - 1, 2**32 - 1, 5, 20) + b"a.png"
    local += struct.pack("<HHQQ", 1, 16, size, packed) + content
    central = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 0, 0, 0, crc, 2**32 - 1, 2**32 - 1, 5, 28, 0, 0, 0, 0, 2**32 - 1
    )
    central += b"a.png" + struct.pack("<HHQQQ", 1, 24, size, packed, 0)
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(central), len(local))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(local) + len(central), 1)
    return (
        local
        + central
        + end
        + locator
        + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    )


def test_zip64_is_read(tmp_path, picture):
    path = tmp_path / "a.zip"
    path.write_bytes(zip64(picture, len(picture)))
    assert (unpack(path, tmp_path / "out")[0] / "a.png").read_bytes() == picture


@pytest.mark.parametrize(
    ("size", "limits", "code"),
    [
        (5 << 30, Limits(total_bytes=4 << 30), "archive_too_large"),
        (5 << 30, Limits(), "archive_too_large"),
        (2**63, Limits(ratio=1 << 60), "archive_too_large"),
        (5 << 30, Limits(ratio=1 << 40), "archive_size_mismatch"),
    ],
)
def test_zip64_sizes_above_4_gib_are_held_to_the_limits(tmp_path, picture, size, limits, code):
    (tmp_path / "a.zip").write_bytes(zip64(picture, size))
    with pytest.raises(DataError) as caught:
        unpack(tmp_path / "a.zip", tmp_path / "out" / "data", limits)
    assert caught.value.problem.code == code
    assert not list(tmp_path.glob("out/*"))


def test_a_tar_size_above_8_gib_is_read(tmp_path, picture):
    for large in (entry("a.png", picture, size=9 << 30), pax({"size": b"%d" % (9 << 30)}) + entry("a.png", picture)):
        (tmp_path / "a.tar").write_bytes(a_tar(large))
        with pytest.raises(DataError, match="limit is 1024"):
            unpack(tmp_path / "a.tar", tmp_path / "out", Limits(total_bytes=1024))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip_sizes_that_lie(tmp_path, method):
    noise = os.urandom(1_100_000)
    for lie in (1000, 1_099_999, 1_100_001):
        (tmp_path / "a.zip").write_bytes(in_directory(a_zip([("a.png", noise)], method), 24, "<I", lie))
        with pytest.raises(DataError, match="archive_size_mismatch"):
            unpack(tmp_path / "a.zip", tmp_path / "out" / "data")
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("container", ["zip", "tar.gz", "tar.zst"])
def test_damaged_data(tmp_path, container):
    noise = os.urandom(40000)
    content = CONTAINERS[container]([("a.png", noise)])
    place = len(content) // 2
    (tmp_path / "a").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DataError) as caught:
        unpack(tmp_path / "a", tmp_path / "out" / "data")
    assert caught.value.problem.code == "archive_corrupt"
    assert not list(tmp_path.glob("out/*"))


def test_a_zstandard_window_larger_than_128_mib_is_refused(tmp_path, picture):
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "a").write_bytes(packer.compress(a_tar(entry("a.png", picture))) + packer.flush())
    with pytest.raises(DataError, match="archive_method_unsupported"):
        unpack(tmp_path / "a", tmp_path / "out")


def test_more_than_the_volume_has_is_refused_before_a_byte_is_written(tmp_path, picture):
    (tmp_path / "a.zip").write_bytes(zip64(picture, 1 << 60))
    with pytest.raises(StorageFullError):
        unpack(tmp_path / "a.zip", tmp_path / "out" / "data", Limits(total_bytes=1 << 62, ratio=1 << 60))
    assert not list(tmp_path.glob("out/*"))


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


@pytest.mark.parametrize("container", ["zip", "tar"])
def test_a_disk_that_fills_up_leaves_nothing(tmp_path, container):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    (tmp_path / "a").write_bytes(
        CONTAINERS[container]([("a.png", os.urandom(100_000)), ("b.png", os.urandom(1_000_000))])
    )
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", FILL, tmp_path / "a", tmp_path / "out" / "data"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["storage_full", "507"]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("container", ["zip", "tar.gz"])
def test_an_error_at_any_point_leaves_nothing(tmp_path, picture, container):
    (tmp_path / "a").write_bytes(CONTAINERS[container]([(f"{i}.png", picture) for i in range(5)]))

    def stop_half_way(part):
        if part > 0.5:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageFullError):
        unpack(tmp_path / "a", tmp_path / "out" / "data", progress=stop_half_way)
    assert list((tmp_path / "out").iterdir()) == []


ZEROS = bytes(10_000_000)
HUGE = {"name": "x", "size": 1 << 30}
BOMBS = {
    "zip.zip": lambda: a_zip([("a.bmp", ZEROS)], zipfile.ZIP_DEFLATED),
    "members.zip": lambda: many_members(1_000_001),
    "file.tar.gz": lambda: gzip.compress(entry("a.bmp", size=300_000_000)) + gzip.compress(ZEROS) * 30,
    "after.tar.gz": lambda: gzip.compress(a_tar(entry("a.png"))) + gzip.compress(ZEROS) * 30,
    "files.tar.zst": lambda: zst(a_tar(*[entry("a/", kind=tarfile.DIRTYPE)] * 20_000)) * 30,
    "zeros.tar.zst": lambda: zst(a_tar(entry("a.png"))) + zst(ZEROS) * 60,
    "header.tar": lambda: entry(**HUGE, kind=tarfile.XHDTYPE) + ZEROS,
    "header.tar.zst": lambda: zst(entry(**HUGE, kind=tarfile.XHDTYPE)) + zst(ZEROS) * 60,
    "name.tar.gz": lambda: gzip.compress(entry(**HUGE, kind=tarfile.GNUTYPE_LONGNAME)) + gzip.compress(ZEROS) * 30,
    "comment.tar.gz": lambda: b"\x1f\x8b\x08\x18" + bytes(6) + b"x" * 100_000_000,
}
REFUSE = """
import json, resource, sys, time
from pathlib import Path
from retinue_sdk.archive import unpack
from retinue_sdk.errors import DataError
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in map(Path, sys.argv[1:]):
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        unpack(path, path.parent / "out" / "data")
    except DataError as error:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(json.dumps([path.name, error.problem.code, round(time.process_time() - start, 2), grown / 1024]))
"""


def many_members(count):
    """A zip whose directory has this many entries of one empty file, one behind the other."""
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 5, 0) + b"a.png"
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0) + b"a.png"
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(central) * count, len(local))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(local) + len(central) * count, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return local + central * count + end + locator + last


def test_bombs_are_refused_in_bounded_time_and_memory(tmp_path):
    for name, make in BOMBS.items():
        (tmp_path / name).write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", REFUSE, *(tmp_path / name for name in BOMBS)], capture_output=True, text=True, check=True
    )
    seen = {name: rest for name, *rest in map(json.loads, done.stdout.splitlines())}
    assert seen.keys() == BOMBS.keys(), done.stdout
    for name, (code, seconds, megabytes) in seen.items():
        assert code == ("archive_truncated" if name == "comment.tar.gz" else "archive_too_large"), (name, code)
        assert seconds <= 2, (name, seconds)
        assert megabytes <= 200, (name, megabytes)
    assert not list(tmp_path.glob("out/*"))


def test_a_json_that_no_format_reads_is_refused_before_it_is_unpacked(picture):
    def reading():
        raise AssertionError("it was read")

    member = Member("annotations/instances_train.json", 2_100_000_000, "file", reading)
    with pytest.raises(DataError, match="2100000000 bytes") as caught:
        make_plan([Member("images/train/a.png", len(picture), "file", reading), member], None, Limits(), Report())
    assert caught.value.problem.code == "json_too_large"
