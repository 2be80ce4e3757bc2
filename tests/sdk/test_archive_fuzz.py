"""Whatever archive a stranger sends: it is unpacked, or an error of the data; never another exception, never a file outside."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retinue_sdk.archive import unpack
from retinue_sdk.errors import DataError
from retinue_sdk.names import unique_names
from tests.corpus.archives import a_tar, a_zip, entry, pax, zst
from tests.sdk.drawn import draw

few = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@pytest.mark.parametrize("container", ["zip", "tar", "tar.gz", "tar.zst"])
@few
@given(st.data())
def test_damaged_archives(tmp_path, container, data):
    path = tmp_path / "a"
    png = draw(tmp_path / "a.png").read_bytes()
    tar = a_tar(pax({"path": b"d/a.png"}), entry("x", png), entry(f"{'long/' * 30}b.txt", b"text " * 50))
    content = bytearray({
        "zip": lambda: a_zip([("d/a.png", png), ("b.txt", b"text " * 50)], zipfile.ZIP_DEFLATED),
        "tar": lambda: tar,
        "tar.gz": lambda: gzip.compress(tar),
        "tar.zst": lambda: zst(tar),
    }[container]())  # fmt: skip
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    try:
        unpack(path, out / "data")
    except DataError:
        assert not out.exists() or not list(out.iterdir())


@few
@given(st.dictionaries(st.sampled_from(["name", "size", "type", "mode", "magic"]), st.binary(min_size=1, max_size=12)))
def test_headers_of_tars(tmp_path, fields):
    places = {"name": 0, "mode": 100, "size": 124, "type": 156, "magic": 257}
    header = bytearray(entry("a.png"))
    for field, content in fields.items():
        header[places[field] : places[field] + len(content)] = content
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    (tmp_path / "a").write_bytes(a_tar(entry("b.png", b"x"), bytes(header), bytes(5000)))
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    with contextlib.suppress(DataError):
        unpack(tmp_path / "a", tmp_path / "out")


@few
@given(
    st.one_of(
        st.binary(max_size=60),
        st.from_regex(rb"[0-9]{1,2} (path|size|GNU\.sparse\.x)=[a-z0-9./-]{0,9}\n", fullmatch=True),
    )
)
@example(b"0 path=\n")
@example(b"99999999999999999999999999 path=a\n")
@example(b"6 a=b\n" * 3)
@example(b"\xb2 path=a\n")
def test_pax_headers(tmp_path, text):
    (tmp_path / "a").write_bytes(a_tar(entry("b.png", b"x"), entry("x", text, tarfile.XHDTYPE), entry("a.png", b"y")))
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    with contextlib.suppress(DataError):
        unpack(tmp_path / "a", tmp_path / "out")


@few
@given(st.text(min_size=1, max_size=20))
@example("..\\x")
@example("a:/../..")
def test_no_name_leads_outside(tmp_path, name):
    path, out = tmp_path / "a.zip", tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    try:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", b"x")
            archive.writestr(f"{name}.png", b"x")
    except (UnicodeEncodeError, IndexError, UserWarning):
        return  # the library cannot write this name
    before = {p for p in tmp_path.iterdir() if p != out}
    try:
        root, _ = unpack(path, out / "data")
    except DataError:
        assert not out.exists() or not list(out.iterdir())
    else:
        assert all(p.resolve().is_relative_to(root) for p in root.rglob("*"))
    assert {p for p in tmp_path.iterdir() if p != out} == before


@few
@given(
    st.lists(
        st.text(st.sampled_from("aAß/._é"), min_size=1, max_size=6).map(lambda t: t.strip("/") + "x.png"),
        unique=True,
        max_size=12,
    )
)
def test_flat_names_never_collide(keys):
    names = unique_names(keys)
    assert len({Path(name).stem.casefold() for name in names}) == len(keys)
    assert all("/" not in name and Path(name).suffix == ".png" for name in names)
