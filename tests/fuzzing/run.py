# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz one parser in this process: ``python -m fuzzing.run PARSER SECONDS FOLDER``.

Coverage of the engine's own code guides the changes (atheris, libFuzzer). A failure is recorded and the fuzzing goes
on; one that ends or stops the process leaves its input in the folder, too.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from pathlib import Path

import atheris

from fuzzing.findings import Record

SLOW = 5.0  # seconds that no input of such length may take
HUNG = 30  # seconds after which the process is ended
MEMORY = 2 << 30  # bytes beyond those of the loaded engine that no input may take
LONGEST = 65_536  # bytes of an input


def main(name: str, seconds: int, folder: Path) -> None:
    """Fuzz a parser for so many seconds; does not return."""
    with atheris.instrument_imports(include=["engine", "installed_dposer"]):
        from fuzzing import parsers, seeds

        parser = parsers.PARSERS[name]
        corpus = folder / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        scratch = folder / "input.json"  # the ending that a camera's file needs
        for number, data in enumerate(seeds.seeds(name)):
            (corpus / f"seed_{number}").write_bytes(data)
            with contextlib.suppress(Exception):  # loads what is to be instrumented; the fuzzer reads them again
                parser.reader(data, scratch)
    dictionary = folder / "words"
    dictionary.write_text("".join(f'"{word.decode()}"\n' for word in seeds.words(name)), encoding="ascii")
    _limit_memory()
    record, refused = Record(folder), parsers.refusals()

    def read(data: bytes) -> None:
        begin = time.perf_counter()
        record.executions += 1
        try:
            parser.reader(data, scratch)
            record.accepted += 1
        except refused:
            pass
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            record.find(error, data)
        took = time.perf_counter() - begin
        record.slowest = max(record.slowest, took)
        if took > SLOW:
            record.keep("slow", data, f"{took:.1f} s")
        record.note()

    options = [
        f"-max_total_time={seconds}", f"-timeout={HUNG}", f"-max_len={LONGEST}", "-rss_limit_mb=0",
        f"-dict={dictionary}", f"-artifact_prefix={folder}/", "-print_final_stats=1", "-verbosity=0",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], read)
    atheris.Fuzz()


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
