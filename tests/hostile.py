"""Damaged streams: made from real ones by seeded chance, and a child process that reads them one after the other.

``python -m tests.hostile FOLDER-OR-URL SECONDS TURNS`` reads every file in a folder, or a URL some times, as a source
does, and prints one line of JSON for each. What crashes or hangs FFmpeg ends that child, not the tests.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from edgeseg.encoding.matroska import RawFormat, block_head, can_carry, header
from edgeseg.errors import SourceError
from edgeseg.flv import FlvReader, file_header, retime
from edgeseg.placement import Placement
from edgeseg.sources.av_input import AvSource
from edgeseg.timeline import Timeline
from edgeseg.types import Frame, SourceFormat
from tests.clips import make_clip

_TS_PACKET = 188
_H264 = "-c:v libx264 -preset ultrafast -bf 2 -g 10 -pix_fmt yuv420p"
_HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1 -g 10 -pix_fmt yuv420p"
_MJPEG = "-c:v mjpeg -q:v 5 -pix_fmt yuvj420p"
SEEDS: dict[str, tuple[str, bool]] = {
    "h264.ts": (_H264, True),
    "h264.flv": (_H264, True),
    "h264.mp4": (_H264, True),
    "h264.mkv": (_H264, True),
    "fragments.mp4": (f"{_H264} -movflags frag_keyframe+empty_moov", True),
    "bare.h264": (_H264, False),
    "hevc.ts": (_HEVC, False),
    "bare.hevc": (_HEVC, False),
    "pictures.mjpeg": (_MJPEG, False),
}


def make_seeds(folder: Path) -> list[Path]:
    """One second of a moving test picture in every format of ``SEEDS``."""
    return [make_clip(folder / name, seconds=1, sound=sound, video=video) for name, (video, sound) in SEEDS.items()]


def flipped_bits(wire: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(wire)
    for _ in range(chance.choice([1, 8, 64, 512])):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flipped_bits_at_the_front(wire: bytes, chance: random.Random) -> bytes:
    """Where the headers are."""
    head = min(len(wire), 1500)
    return flipped_bits(wire[:head], chance) + wire[head:]


def cut_off(wire: bytes, chance: random.Random) -> bytes:
    return wire[: chance.randrange(1, len(wire))]


def without_the_front(wire: bytes, chance: random.Random) -> bytes:
    return wire[chance.randrange(1, len(wire)) :]


def dropped_packets(wire: bytes, chance: random.Random) -> bytes:
    return b"".join(piece for piece in _pieces(wire) if chance.random() > 0.1)


def doubled_packets(wire: bytes, chance: random.Random) -> bytes:
    return b"".join(piece * (2 if chance.random() < 0.1 else 1) for piece in _pieces(wire))


def swapped_packets(wire: bytes, chance: random.Random) -> bytes:
    pieces = list(_pieces(wire))
    for _ in range(10):
        a, b = chance.randrange(len(pieces)), chance.randrange(len(pieces))
        pieces[a], pieces[b] = pieces[b], pieces[a]
    return b"".join(pieces)


def largest_numbers(wire: bytes, chance: random.Random) -> bytes:
    """Four bytes of ones or zeros here and there: absurd sizes, counts and times."""
    damaged = bytearray(wire)
    for _ in range(20):
        at = chance.randrange(max(1, len(damaged) - 4))
        damaged[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x80\x00\x00\x00"])
    return bytes(damaged)


def noise(wire: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(wire))
    return wire[:at] + chance.randbytes(4000) + wire[at + 4000 :]


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flipped_bits,
    flipped_bits_at_the_front,
    cut_off,
    without_the_front,
    dropped_packets,
    doubled_packets,
    swapped_packets,
    largest_numbers,
    noise,
)


def damage(seeds: list[Path], folder: Path, turns: int) -> None:
    """Write every kind of damage of every seed ``turns`` times; the same at every call."""
    folder.mkdir()
    for seed in seeds:
        wire = seed.read_bytes()
        for kind in DAMAGES:
            for turn in range(turns):
                chance = random.Random(f"{seed.name} {kind.__name__} {turn}")
                (folder / f"{seed.stem}-{kind.__name__}-{turn}{seed.suffix}").write_bytes(kind(wire, chance))


def absurd_times(flv: Path, folder: Path) -> None:
    """The FLV with times that leap to the end of what 31 bits hold, back, and to and fro."""
    with flv.open("rb") as file:
        tags = list(FlvReader(file))
    last = (1 << 31) - 1
    shifts: dict[str, Callable[[int], int]] = {
        "end": lambda n: last - 20 * n,
        "leap": lambda n: last if n % 7 == 5 else 40 * n,
        "back": lambda n: 1_000_000 - 2000 * n,
        "same": lambda n: 77,
    }
    for name, time_ms in shifts.items():
        wires = [retime(tag, max(0, time_ms(n))).wire for n, tag in enumerate(tags)]
        (folder / f"times-{name}.flv").write_bytes(file_header(has_audio=True) + b"".join(wires))


def giant(annex_b: Path, folder: Path, width: int = 16384, height: int = 16384) -> Path:
    """Annex B whose parameter sets say that the pictures are enormous."""
    units = annex_b.read_bytes().split(b"\x00\x00\x01")
    path = folder / "giant.h264"
    path.write_bytes(b"\x00\x00\x01".join(_sps(width, height) if unit[:1] == b"\x67" else unit for unit in units))
    return path


def _sps(width: int, height: int) -> bytes:
    """A sequence parameter set of constrained baseline (H.264, 7.3.2.1)."""
    fields = [0, 0, 2, 4, (0, 1), width // 16 - 1, height // 16 - 1]
    bits = "".join(_ue(f) if isinstance(f, int) else format(f[0], f"0{f[1]}b") for f in fields)
    bits += "1100" + "1"  # whole frames, direct 8x8, no cropping, no VUI; stop bit
    bits += "0" * (-len(bits) % 8)
    body = bytes((0x67, 66, 0xC0, 62)) + int(bits, 2).to_bytes(len(bits) // 8, "big")
    for zero in (b"\x00\x00\x00", b"\x00\x00\x01", b"\x00\x00\x02", b"\x00\x00\x03"):
        body = body.replace(zero, b"\x00\x00\x03" + zero[2:])
    return body


def _ue(value: int) -> str:
    """Exp-Golomb."""
    binary = format(value + 1, "b")
    return "0" * (len(binary) - 1) + binary


def _pieces(wire: bytes) -> Iterator[bytes]:
    for at in range(0, len(wire), _TS_PACKET):
        yield wire[at : at + _TS_PACKET]


@dataclass(frozen=True, slots=True)
class Read:
    """How reading one input went; ``peak_mb`` is of the process so far."""

    name: str
    pictures: int
    seconds: float
    peak_mb: float
    said: str


def _as_an_encoder_is_told(said: SourceFormat) -> None:
    """What a stream makes of a source's format at once; nothing of it may be impossible."""
    audio = said.audio if said.audio is not None and can_carry(said.audio.codec) else None
    for size in (None, (320, 240)):
        for fit in ("contain", "cover"):
            placed = Placement(said, size, fit)
            shape = placed.sample_aspect_ratio
            raw = RawFormat(placed.width, placed.height, said.fps or Fraction(25), said.colour, shape, audio)
            assert header(raw)


def read(url: str, name: str, *, within_s: float, timeout_s: float = 2.0) -> Read:
    """Read a source to its end, and place it in time. Anything but a SourceError comes through, as in the daemon."""
    began = time.monotonic()
    source = AvSource(url, open_timeout_s=timeout_s, read_timeout_s=timeout_s)
    pictures, said = 0, ""
    timeline = Timeline()
    try:
        _as_an_encoder_is_told(source.open())
        while (item := source.read()) is not None and time.monotonic() - began < within_s:
            if isinstance(item, Frame):
                pictures += 1
                assert block_head(1, timeline.video(item.pts, item.time_base, time.monotonic()), len(item.y))
            elif (ms := timeline.audio(item.pts, item.time_base)) is not None:
                assert block_head(2, ms, len(item.payload))
    except SourceError as exc:
        said = str(exc)
    finally:
        source.close()
    return Read(name, pictures, time.monotonic() - began, _peak_mb(), said)


def _peak_mb() -> float:
    """The most memory that this program has had. ``getrusage`` would count what its parent had when it was forked."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """How a child fared: its exit code, its last words, and what it read."""

    code: int
    words: str
    inputs: list[Read]

    @property
    def pictures(self) -> int:
        return sum(each.pictures for each in self.inputs)

    @property
    def slowest_s(self) -> float:
        return max(each.seconds for each in self.inputs)

    @property
    def peak_mb(self) -> float:
        return self.inputs[-1].peak_mb


def read_in_child(what: Path | str, *, within_s: float, turns: int = 1, timeout_s: float = 60) -> Reading:
    """Read all files of a folder, or a URL ``turns`` times, each for at most ``within_s``."""
    command = [sys.executable, "-m", "tests.hostile", str(what), str(within_s), str(turns)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, cwd=Path(__file__).parents[1]
    )
    lines = done.stdout.decode().splitlines()
    inputs = [Read(**json.loads(line)) for line in lines if not line.startswith("reads")]
    last = lines[-1] if lines else ""
    return Reading(done.returncode, f"{last}: {done.stderr.decode(errors='replace')[-2000:]}", inputs)


def main(what: str, within_s: float, turns: int) -> None:
    inputs = [what] * turns if "://" in what else [str(file) for file in sorted(Path(what).iterdir())]
    for each in inputs:
        print(f"reads {each}", flush=True)
        print(json.dumps(asdict(read(each, Path(each).name, within_s=within_s))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
