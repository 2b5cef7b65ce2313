"""Runs a command until standard input ends.

Usage: supervise.py SCRATCH COMMAND [ARGUMENT...]

The command gets a session of its own and writes to SCRATCH/log. When the test program that holds the other
end of standard input ends, in whatever way, the command is killed with all its children and SCRATCH is
removed. When the command ends by itself, standard output ends, and SCRATCH stays until standard input ends.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

scratch, command = sys.argv[1], sys.argv[2:]
with open(os.path.join(scratch, "log"), "wb") as log:
    child = subprocess.Popen(
        command,
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def tell_of_the_end():
    child.wait()
    os.close(sys.stdout.fileno())


# Nothing is written to it: its end is all that it says.
threading.Thread(target=tell_of_the_end, daemon=True).start()
while sys.stdin.buffer.read(1):
    pass
try:
    os.killpg(child.pid, signal.SIGKILL)
except ProcessLookupError:
    pass
child.wait()
shutil.rmtree(scratch, ignore_errors=True)
