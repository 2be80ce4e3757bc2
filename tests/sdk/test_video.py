"""Frames of videos that are made here: which ones, their names, times and sides; and videos that are none."""

import json
import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from retinue_sdk.errors import DataError
from retinue_sdk.video import VideoLimits, extract_frames

FRAMES = 20


def video(path, frames=FRAMES, rate=10, codec="mpeg4", size=(64, 48), rotation=None, times=None):
    """A video whose n-th frame is n times 10 bright, its left half black."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            pixels = np.full((size[1], size[0], 3), number * 10, np.uint8)
            pixels[:, : size[0] // 2] = 0
            frame = av.VideoFrame.from_ndarray(pixels)
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers(frames):
    return [json.loads(frame.attributes)["frame"] for frame in frames]


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mpeg4"), ("mp4", "libx264"), ("mkv", "libx264"), ("mov", "mpeg4"),
                                               ("avi", "mpeg4"), ("webm", "libvpx"), ("ts", "mpeg2video"), ("flv", "flv")])  # fmt: skip
def test_every_nth_frame(tmp_path, suffix, codec):
    path = video(tmp_path / f"film.{suffix}", codec=codec, rate=25 if codec == "mpeg2video" else 10)
    frames, findings = extract_frames(path, tmp_path / "out", every=5)
    assert findings == []
    assert [frame.key for frame in frames] == [f"film/{n:06d}.jpg" for n in (0, 5, 10, 15)]
    assert {(frame.group, frame.width, frame.height) for frame in frames} == {("film", 64, 48)}
    for frame, number in zip(frames, (0, 5, 10, 15), strict=True):
        assert frame.path == str(tmp_path / "out" / frame.key)
        with Image.open(frame.path) as image:
            assert (image.format, image.size) == ("JPEG", (64, 48))
            assert abs(image.getpixel((50, 20))[0] - number * 10) < 12
            assert image.getpixel((10, 20))[0] < 12


def test_by_seconds_with_times(tmp_path):
    path = video(tmp_path / "film.mp4")
    frames, _ = extract_frames(path, tmp_path / "out", seconds=0.5, name="set/one", image_format="png")
    assert numbers(frames) == [0, 5, 10, 15]
    assert [json.loads(frame.attributes) for frame in frames][1] == {"frame": 5, "time": 0.5, "video": "set/one"}
    assert frames[1].key == "set/one/000005.png"
    with Image.open(frames[1].path) as image:
        assert image.format == "PNG"
    frames, _ = extract_frames(path, tmp_path / "out", seconds=0.1)
    assert numbers(frames) == list(range(FRAMES))
    frames, _ = extract_frames(path, tmp_path / "more", seconds=100)
    assert numbers(frames) == [0]


def test_frames_at_odd_times(tmp_path):
    path = video(tmp_path / "film.mkv", frames=5, times=[3000, 3050, 3900, 4100, 9000])
    frames, _ = extract_frames(path, tmp_path / "out", seconds=1)
    assert [(json.loads(f.attributes)["frame"], json.loads(f.attributes)["time"]) for f in frames] == [
        (0, 0.0), (3, 1.1), (4, 6.0),
    ]  # fmt: skip


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_frames_are_upright(tmp_path, rotation):
    path = video(tmp_path / "film.mp4", rotation=rotation)
    (frame, *_), _ = extract_frames(path, tmp_path / "out", every=19)
    (_, last), _ = extract_frames(path, tmp_path / "more", every=19)
    sides = (48, 64) if abs(rotation) == 90 else (64, 48)
    assert (frame.width, frame.height) == sides
    with Image.open(last.path) as image:
        assert image.size == sides
        dark = {90: (20, 60), -90: (20, 4), 180: (60, 20)}[rotation]  # the left half, turned
        assert image.getpixel(dark)[0] < 12
        assert image.getpixel((sides[0] - 1 - dark[0], sides[1] - 1 - dark[1]))[0] > 150


def refused(tmp_path, path, code, **how):
    with pytest.raises(DataError) as caught:
        extract_frames(path, tmp_path / "out", **({"every": 1} | how))
    assert caught.value.problem.code == code, caught.value.problem
    assert caught.value.problem.hint
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"x", b"a text\n" * 100, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<?xml version='1.0'?><MPD><BaseURL>file:///etc/</BaseURL></MPD>", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\x1a\x45\xdf\xa3" + os.urandom(500),
        b"\0\0\0\x18ftypmp42" + bytes(300), b"RIFF\0\0\0\0AVI " + bytes(300), b"OggS" + bytes(300), b"FLV\1\1" + bytes(300), b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b"\0\0\1\xba" + bytes(3000), b"\x47" + bytes(187) + b"\x47" + bytes(1000), b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(900),
    ],
)  # fmt: skip
def test_what_is_no_video(tmp_path, content):
    (tmp_path / "film.mp4").write_bytes(content)
    refused(tmp_path, tmp_path / "film.mp4", "video_unreadable")


def test_sound_only(tmp_path):
    with av.open(tmp_path / "sound.mp4", "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    refused(tmp_path, tmp_path / "sound.mp4", "video_unreadable")


@pytest.mark.parametrize(
    "how", [{"every": None}, {"every": 0}, {"every": -1}, {"every": 1, "seconds": 1}, {"every": None, "seconds": 0}, {"every": None, "seconds": -1.0},
            {"every": None, "seconds": float("nan")}, {"every": None, "seconds": float("inf")}]
)  # fmt: skip
def test_steps_that_make_no_sense(tmp_path, how):
    refused(tmp_path, video(tmp_path / "film.mp4", 2), "video_step_invalid", **how)


def test_names_that_lead_outside(tmp_path):
    path = video(tmp_path / "film.mp4", 2)
    refused(tmp_path, path, "archive_path_escapes", name="../x")
    refused(tmp_path, path, "archive_bad_name", name="a\nb")


@pytest.mark.parametrize("limits", [VideoLimits(frames=5), VideoLimits(total_bytes=3000), VideoLimits(seconds=0)])
def test_limits(tmp_path, limits):
    refused(tmp_path, video(tmp_path / "film.mp4"), "video_too_long", limits=limits)


def test_a_frame_above_100_megapixels(tmp_path):
    path = video(tmp_path / "film.mkv", 1, codec="ffv1", size=(300, 300))
    size = b"\xb0\x82\x01\x2c\xba\x82\x01\x2c"
    assert size in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(size, b"\xb0\x82\x28\x00\xba\x82\x28\x00"))
    refused(tmp_path, path, "image_too_large")


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "mpeg4"), ("mkv", "libx264")])
def test_a_video_that_is_cut_off_gives_what_is_there(tmp_path, suffix, codec):
    path = video(tmp_path / f"film.{suffix}", codec=codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 85 // 100])
    frames, findings = extract_frames(path, tmp_path / "out", every=1)
    assert 1 < len(frames) < FRAMES
    assert suffix == "mkv" or [finding.code for finding in findings] == ["video_damaged"]


def outcome(path, folder):
    """The findings, or the error of the data; anything else is a failure of ours."""
    try:
        frames, findings = extract_frames(path, folder, every=3, limits=VideoLimits(frames=50))
    except DataError as error:
        return {error.problem.code} if not list(folder.glob("*")) else {"left behind"}
    return {finding.code for finding in findings} if frames else {"no frames"}


def test_a_damaged_video_never_fails_in_another_way(tmp_path):
    path = video(tmp_path / "film.mp4", codec="libx264")
    content, generator = path.read_bytes(), np.random.default_rng(0)
    seen = set()
    for number in range(60):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 1 + number % 20):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        seen |= outcome(path, tmp_path / f"out{number}")
    assert seen <= {"video_damaged", "video_unreadable", "video_too_long"}


def test_without_pyav(tmp_path):
    code = (
        "import sys; sys.modules['av'] = None\nfrom pathlib import Path\nfrom retinue_sdk.video import extract_frames\n"
    )
    code += "try: extract_frames(Path('x'), Path(sys.argv[1]), every=1)\nexcept Exception as error: print(error.problem.code)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "video_off"
