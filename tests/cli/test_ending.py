"""Claims about how a process of the command line ends: at once, but with all that was left to do."""

from __future__ import annotations

import subprocess
import sys

_ENDING = """
import atexit, sys, threading, time
from puretalk.cli.ending import end_process

class Slow:
    def __del__(self):
        print("taken apart")

kept = Slow()
def finish():
    time.sleep(0.05)
    print("a thread ends")
atexit.register(lambda: print("what is registered is called"))
threading.Thread(target=finish).start()
sys.stderr.write("no line end")
end_process(SystemExit({code}))
"""


def end(code: str) -> tuple[int, list[str], str]:
    command = [sys.executable, "-c", _ENDING.format(code=code)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout.splitlines(), ended.stderr


def test_a_process_ends_with_its_threads_exit_functions_and_output_but_takes_nothing_apart() -> None:
    assert end("9") == (9, ["a thread ends", "what is registered is called"], "no line end")


def test_a_stream_that_is_closed_already_does_not_change_the_exit_code() -> None:
    code, said, _ = end("(sys.stderr.close(), 9)[1]")
    assert (code, said[-1]) == (9, "what is registered is called")


def test_an_exit_code_that_is_a_text_is_left_to_the_interpreter() -> None:
    code, said, shown = end("'why'")
    assert (code, "taken apart" in said) == (1, True)
    assert shown.endswith("why\n")
