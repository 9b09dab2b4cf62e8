#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which of the forty cases that a store must pass ran against which server.

  cases_table.py LOG...               prints the table
  cases_table.py --write README LOG...   ... and puts it between the README's marks

A log is TAP.  A line counts for case 17 where its name holds "case 17:" or, as
in Criterion's names, "case_17_"; for the server that the name begins with, or
the log's own (LOGS).  A skip does not count; a failure spoils the case.
"""
import collections
import os
import re
import sys

CASES = {
    1: "AWS's signing suite", 2: 'keys with space + = & % # ? ( ) * \' ~ : and UTF-8',
    3: 'keys a//b, a/../b, ./x, trailing /', 4: 'query: encoding, empty values', 5: 'session token',
    6: 'clock off by 20 min, corrected once', 7: 'wrong region: 301, 307, 400 of a HEAD',
    8: 'virtual, path, dotted bucket, port, IPv6', 9: 'redirect to another host leaks nothing',
    10: 'payload hashed over http, not over TLS', 11: 'lists of many pages, page size 1', 12: 'empty page with a token',
    13: 'encoded names in lists', 14: 'delimiters, an object that is its prefix, markers', 15: 'a token that comes again',
    16: 'truncated XML, Error in a 200, byte order mark', 17: 'every boundary range, 0 bytes, beyond the end',
    18: '200 to a range', 19: 'wrong Content-Range', 20: 'overwritten between ranges: 412', 21: 'cut body resumes',
    22: 'gzip-encoded object', 23: 'checksum mismatch detected', 24: 'missing ETag', 25: 'PUT of 0, 1, 5 MiB +- 1 bytes',
    26: 'multipart; an abort leaves nothing', 27: 'create if absent: 32 race, one wins', 28: 'If-Match stale',
    29: 'lost response, then 412', 30: "an upload's end: Error in a 200", 31: '503 storm: no ENOENT, recovery',
    32: '400 RequestTimeout', 33: 'reset on a reused idle connection', 34: 'stall at the first byte and mid-body',
    35: 'hedge budget', 36: 'DNS change', 37: 'expiry mid-run, single flight with 100 threads',
    38: 'each provider of credentials; the hop-limit hang', 39: 'credential of another place refused',
    40: 'no secret in logs, argv, core',
}
SERVERS = ['radosgw', 'swift', 'azurite', 'nginx', 'scripted', 'none']
# Those whose lines do not begin with a server.
LOGS = {'tests/backend/scripted.log': 'scripted', 'tests/backend/test_google.log': 'scripted'}
LINE = re.compile(r'^(not )?ok\b[^a-zA-Z]*(.*?)( # SKIP .*)?$')
CASE = re.compile(r'\bcase (\d+):|(?:^|::|\b)case_(\d+)_')
BEGIN, END = '<!-- cases: made by "make cases-table" -->', '<!-- end of cases -->'


def count(paths):
    """{(case, server): lines that passed}, and the cases and servers that failed."""
    passed, failed = collections.Counter(), set()
    for path in dict.fromkeys(map(os.path.realpath, paths)):     # each log once, however often it is named
        of_log = next((server for end, server in LOGS.items() if path.endswith(end)), 'none')
        with open(path, errors='replace') as f:
            for line in f:
                found = LINE.match(line.rstrip('\n'))
                case = found and CASE.search(found[2])
                if not case or found[3]:
                    continue
                first = found[2].split(' ', 1)[0].rstrip(':')
                place = int(case[1] or case[2]), first if first in SERVERS else of_log
                if found[1]:
                    failed.add(place)
                else:
                    passed[place] += 1
    return passed, failed


def table(passed, failed):
    lines = ['| | case | ' + ' | '.join(SERVERS[:-1]) + ' | no server |', '|---' * (len(SERVERS) + 2) + '|']
    for number, title in CASES.items():
        cells = ['FAILED' if (number, server) in failed else str(passed[number, server] or '-') for server in SERVERS]
        nowhere = all(cell == '-' for cell in cells)
        lines.append(f'| {number} | {title}{": **ran nowhere**" if nowhere else ""} | ' + ' | '.join(cells) + ' |')
    lines.append('| | in all | ' + ' | '.join(str(sum(n for (_, s), n in passed.items() if s == server))
                                              for server in SERVERS) + ' |')
    return '\n'.join(lines) + '\n'


def write(readme, text):
    with open(readme) as f:
        old = f.read()
    head, begin, rest = old.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f'{readme}: no place for the table ({BEGIN} ... {END})')
    new = f'{head}{BEGIN}\n{text}{END}{tail}'
    if new != old:
        with open(readme + '.new', 'w') as f:
            f.write(new)
        os.rename(readme + '.new', readme)


def main(argv):
    readme = None
    if argv[:1] == ['--write']:
        readme, argv = argv[1], argv[2:]
    if not argv:
        sys.exit(__doc__)
    passed, failed = count(argv)
    text = table(passed, failed)
    print(text, end='')
    if readme:
        write(readme, text)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
