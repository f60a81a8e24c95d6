"""ffmpeg alone: decodes and encodes, sees nobody and replaces nothing. What no program that does both can go below."""

from __future__ import annotations

import os
import sys


def main() -> None:
    clip, _, ffmpeg, target, *options = sys.argv[1:]
    os.execv(ffmpeg, [ffmpeg, "-nostdin", "-v", "error", "-y", "-threads", "1", "-i", clip, *options, target])


if __name__ == "__main__":
    main()
