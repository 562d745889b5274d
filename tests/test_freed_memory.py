"""What a password check takes for a moment is given back."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from argon2.low_level import Type, hash_secret
from mailshare.assembly.freed_memory import give_back_large_blocks

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

def check(_):
    hash_secret(b"password", b"saltsaltsalt", 1, 19 * 1024, 1, 32, Type.ID)

settable = give_back_large_blocks() if sys.argv[1] == "yes" else True
with ThreadPoolExecutor(4) as pool:
    before = resident()
    list(pool.map(check, range(16)))
    print(settable, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("wanted", ["yes", "no"])
def test_password_checks_leave_no_memory_behind(wanted: str) -> None:
    """After many checks in four threads the process is as large as before; without the setting it is not."""
    found = subprocess.run([sys.executable, "-c", PROGRAM, wanted], capture_output=True, text=True, check=True)
    settable, kib = found.stdout.split()
    if settable == "False":
        pytest.skip("this C library has no such setting")
    assert (int(kib) < 8_000) == (wanted == "yes")
