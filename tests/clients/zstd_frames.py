"""Unpacks the .zst file of the first argument to standard output; the other arguments: packs the second
to the third, as one long frame with a checksum."""

import sys

import zstandard


def main(packed, plain, to):
    with open(packed, "rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        sys.stdout.buffer.write(reader.read())
    with open(plain, "rb") as file, open(to, "wb") as out:
        zstandard.ZstdCompressor(level=19, write_checksum=True).copy_stream(file, out)


main(*sys.argv[1:])
