#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A million entries become a tree in 3 s of CPU time beyond reading them and
within 200 MB, in whichever order they come."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                               # noqa: E402
from harness import Tap                                      # noqa: E402

BENCH = os.path.abspath('tests/bench/tree_bench')
ENTRIES, CPU_SECONDS, MEMORY_MB = 1_000_000, 3.0, 200.0


def expand(top, entries, order):
    p = subprocess.run([BENCH, '--entries', str(entries), '--order', order, '--dir', top + '/trees', '--json'],
                       capture_output=True, text=True)
    if p.returncode:
        raise AssertionError(p.stderr)
    return json.loads(p.stdout)


def main():
    tap = Tap()
    with harness.scratch() as top:
        is_sanitized = expand(top, 1000, 'sorted')['sanitized']
        for order in ('sorted', 'reversed', 'shuffled'):
            names = [f'{ENTRIES} entries, {order}, within {CPU_SECONDS} s', f'... and within {MEMORY_MB} MB']
            if is_sanitized:
                for name in names:
                    tap.skip(name, 'a sanitizer is built in')
                continue
            got = expand(top, ENTRIES, order)
            tap.ok(got['cpu_s'] <= CPU_SECONDS, names[0], got)
            tap.ok(got['peak_anon_mb'] <= MEMORY_MB, names[1], got)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
