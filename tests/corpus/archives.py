"""Archives made byte by byte, as no well-behaved library would write them."""

import io
import struct
import tarfile
import zipfile

import zstandard

CENTRAL = b"PK\x01\x02"


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
