"""Frames of a video as images: every n-th, or one every so many seconds.

Needs the extra `video` (PyAV). The container is chosen by the file's first bytes from those listed here and no other is
tried: some that FFmpeg knows are playlists, which would make it open whatever they name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

from PIL import Image

from retinue_sdk.api import Finding
from retinue_sdk.archive_names import safe_parts
from retinue_sdk.disk import full_disk
from retinue_sdk.errors import DataError, UnavailableError
from retinue_sdk.formats.files import MAX_PIXELS
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import to_json

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

JPEG_QUALITY = 95
CONTAINERS = (
    # demuxer, where its mark is, the mark
    ("mov", 4, b"ftyp"), ("mov", 4, b"moov"), ("mov", 4, b"mdat"), ("mov", 4, b"wide"), ("mov", 4, b"free"),
    ("matroska", 0, b"\x1a\x45\xdf\xa3"), ("avi", 8, b"AVI "), ("mpegts", 0, b"\x47"), ("mpeg", 0, b"\x00\x00\x01\xba"),
    ("flv", 0, b"FLV"), ("asf", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), ("ogg", 0, b"OggS"),
)  # fmt: skip

TRANSPORT_PACKET = 188  # bytes: a transport stream has its one-byte mark in front of each

ImageFormat = Literal["jpg", "png"]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class VideoLimits:
    """How much one video may give."""

    frames: int = 100_000  # written
    total_bytes: int = 50 << 30
    seconds: float = 3600  # of work
    depth: int = 32


@dataclass(frozen=True)
class Frame:
    """An image of a video: a row of a table's images."""

    key: str  # VIDEO/000123.jpg; the number is that of the frame
    path: str
    width: int
    height: int
    group: str  # the video: its frames stay on one side of a split
    attributes: str  # JSON: video, frame, time in seconds


def extract_frames(
    path: Path,
    folder: Path,
    *,
    every: int | None = None,
    seconds: float | None = None,
    name: str | None = None,
    image_format: ImageFormat = "jpg",
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
) -> tuple[list[Frame], list[Finding]]:
    """Write frames of a video into `folder`/`name`, which must not exist; after a failure it does not.

    Parameters
    ----------
    every, seconds
        Every n-th frame beginning with the first, or the first frame of each so many seconds; one of the two.
    name
        What the video is called, the file's stem by default.
    """
    _check_step(every, seconds)
    group, limits, report = name or path.stem, limits or VideoLimits(), Report()
    target = folder.joinpath(*safe_parts(group, limits.depth))
    target.mkdir(parents=True)
    try:
        with full_disk(folder), _opened(path) as (container, stream):
            moments = _within(_moments(container, stream, path.name, report), limits, path.name)
            moments = _told(moments, container, progress or (lambda _: None))
            frames = _save(_chosen(moments, every, seconds), target, group, image_format, limits, path.name)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return frames, report.findings()


def _check_step(every: int | None, seconds: float | None) -> None:
    by_number = every is not None and every >= 1 and seconds is None
    by_time = seconds is not None and 0 < seconds < inf and every is None
    if not (by_number or by_time):
        raise DataError(
            "Frames are taken by number or by time, and forwards.",
            code="video_step_invalid",
            hint="Give `every` as 1, 2, 3 ... or `seconds` above 0, not both.",
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The first video stream."""
    try:
        import av  # noqa: PLC0415 - an extra of its own
    except ImportError as error:
        raise UnavailableError(
            "Videos are not read here.", code="video_off", hint="Ask your administrator to install retinue[video]."
        ) from error
    demuxer = _demuxer(path)
    if demuxer is None:
        raise _unreadable(path.name)
    try:
        with av.open(f"file:{path.absolute()}", format=demuxer, metadata_errors="replace") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:
                raise _unreadable(path.name)
            _check_size(stream.width, stream.height, path.name)
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            yield container, stream
    except av.FFmpegError as error:
        raise _unreadable(path.name) from error


def is_video(path: Path) -> bool:
    """Whether the file's first bytes are those of a video that is read. PyAV is not needed to tell."""
    return _demuxer(path) is not None


def _demuxer(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(256)
    for name, place, mark in CONTAINERS:
        second = mark if name != "mpegts" else head[TRANSPORT_PACKET : TRANSPORT_PACKET + 1]
        if head[place:].startswith(mark) and second == mark:
            return name
    return None


@dataclass(frozen=True)
class _Moment:
    """A decoded frame: its number, and the time since the first."""

    number: int
    time: float
    frame: VideoFrame


def _moments(container: InputContainer, stream: VideoStream, where: str, report: Report) -> Iterator[_Moment]:
    """All frames in the order they are shown. What cannot be decoded is reported and left out."""
    start: float | None = None
    number = -1
    for number, frame in enumerate(_decoded(container, stream, where, report)):
        _check_size(frame.width, frame.height, where)
        time = number / float(stream.average_rate or 25) if frame.pts is None else float(frame.time)
        start = time if start is None else start
        yield _Moment(number, time - start, frame)
    if number + 1 < 0.98 * stream.frames:  # where the file says how many there are; an edit may have cut a few
        report.add("video_damaged", where, f"{number + 1} of {stream.frames} frames")


def _check_size(width: int, height: int, where: str) -> None:
    if width * height > MAX_PIXELS:
        raise DataError(
            f"A frame has {width} x {height} pixels; the limit is {MAX_PIXELS} in all.",
            code="image_too_large",
            hint="Scale the video down.",
            where=where,
        )


def _decoded(container: InputContainer, stream: VideoStream, where: str, report: Report) -> Iterator[VideoFrame]:
    from av import FFmpegError  # noqa: PLC0415 - see _opened

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError as error:
            report.add("video_damaged", where, error.strerror)
            return
        try:
            yield from packet.decode()
        except FFmpegError as error:
            report.add("video_damaged", where, error.strerror)


def _within(moments: Iterator[_Moment], limits: VideoLimits, where: str) -> Iterator[_Moment]:
    """End when the work takes too long."""
    end = monotonic() + limits.seconds
    for moment in moments:
        if monotonic() > end:
            raise _too_long(f"takes longer than {limits.seconds:g} seconds to read", where)
        yield moment


def _told(moments: Iterator[_Moment], container: InputContainer, progress: Progress) -> Iterator[_Moment]:
    """Say how far it is, where the file says how long it is."""
    microseconds = container.duration or 0
    for moment in moments:
        if microseconds > 0:
            progress(min(1.0, 1e6 * moment.time / microseconds))
        yield moment


def _chosen(moments: Iterator[_Moment], every: int | None, seconds: float | None) -> Iterator[_Moment]:
    """The first frame of each so many frames or seconds."""
    last = -1
    for moment in moments:
        slot = moment.number // (every or 1) if seconds is None else int(moment.time / seconds + 1e-6)
        if slot > last:
            last = slot
            yield moment


def _save(
    moments: Iterator[_Moment], target: Path, group: str, image_format: ImageFormat, limits: VideoLimits, where: str
) -> list[Frame]:
    frames: list[Frame] = []
    size = 0
    for moment in moments:
        if len(frames) == limits.frames:
            raise _too_long(f"gives more than {limits.frames} images", where)
        name = f"{moment.number:06d}.{image_format}"
        image = Image.fromarray(moment.frame.to_ndarray(format="rgb24")).rotate(moment.frame.rotation, expand=True)
        image.save(target / name, quality=JPEG_QUALITY)
        size += (target / name).stat().st_size
        if size > limits.total_bytes:
            raise _too_long(f"gives more than {limits.total_bytes} bytes of images", where)
        attributes = to_json({"video": group, "frame": moment.number, "time": round(moment.time, 6)})
        frames.append(Frame(f"{group}/{name}", str(target / name), image.width, image.height, group, attributes))
    if not frames:
        raise _unreadable(where)
    return frames


def _unreadable(where: str) -> DataError:
    return DataError(
        "The file is no video that is read.",
        code="video_unreadable",
        hint="Send MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WMV or Ogg with a video in it.",
        where=where,
    )


def _too_long(what: str, where: str) -> DataError:
    return DataError(
        f"The video {what}.",
        code="video_too_long",
        hint="Take fewer frames (a larger `every` or `seconds`), or cut it.",
        where=where,
    )
