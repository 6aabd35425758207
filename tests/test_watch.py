"""A signal is raised in the main thread, whichever thread the system hands it to."""

import os
import subprocess
import sys

import pytest

from evonas.interrupts import PATIENCE

pytestmark = pytest.mark.slow

START = """
import os, signal, threading, time
from evonas.interrupts import Interrupted, Watch

def end():
    watch.close()
    time.sleep(1)
    os._exit(3)

def tell(thread):
    time.sleep(0.5)  # by then the main thread waits
    signal.pthread_kill(thread, signal.SIGTERM)

def tell_later(thread):
    threading.Thread(target=tell, args=(thread,), daemon=True).start()

watch = Watch()
watch.start()
"""

GIVEN_TO_ANOTHER = """
other = threading.Thread(target=time.sleep, args=(60,), daemon=True)
other.start()
tell_later(other.ident)
try:
    os.read(os.pipe()[0], 1)
except Interrupted:
    end()
"""

DROPPED = """
tell_later(threading.get_ident())
for _ in range(2):
    try:
        os.read(os.pipe()[0], 1)
    except BaseException:
        pass
try:
    os.read(os.pipe()[0], 1)
except Interrupted:
    end()
"""


@pytest.mark.parametrize("code", [GIVEN_TO_ANOTHER, DROPPED], ids=["given to another", "dropped"])
def test_a_signal_ends_what_the_main_thread_waits_for_though_it_was(code: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", START + code]
    done = subprocess.run(command, env=environment, timeout=PATIENCE, check=False)
    assert done.returncode == 3
