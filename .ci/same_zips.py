"""sam makes the same zip of the same program, whenever it was written: so a build that is the same is deployed as the
same. The program itself is made the same by infra/build, which keeps this machine's paths out of them."""

import os
import pathlib
import tempfile

from samcli.lib.package.utils import make_zip_with_lambda_permissions


def zipped(folder: pathlib.Path, when: int) -> bytes:
    folder.mkdir()
    program = folder / "bootstrap"
    program.write_bytes(b"\x7fELF" + bytes(range(256)) * 64)
    program.chmod(0o755)
    os.utime(program, (when, when))
    return pathlib.Path(make_zip_with_lambda_permissions(str(folder) + "-zip", str(folder))).read_bytes()


with tempfile.TemporaryDirectory() as folder:
    here = pathlib.Path(folder)
    first, second = zipped(here / "a", 1_000_000_000), zipped(here / "b", 1_700_000_000)
    if first != second:
        raise SystemExit("sam no longer makes the same zip of the same program")
