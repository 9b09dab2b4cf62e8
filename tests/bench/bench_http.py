#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP engine alone beside parallel curl (tests/bench/limit), on loopback
against nginx: plain and TLS, ranges of 16 KiB and of 8 MiB, 64 in flight.  Each
case is measured in turn, ROUNDS times, and the medians compared; the targets are
printed with met or not met.  That one is missed does not end it.

curl is measured twice: as it drops what it gets, and as it copies that into a
buffer a request, which the engine does, and whoever wants the bytes has to."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'system'))
import ds_servers                               # noqa: E402

BUILD = os.environ.get('top_builddir', '.')
IN_FLIGHT = 64
KIB, MIB = 1 << 10, 1 << 20
FILES, FILE_BYTES = 8, 64 * MIB
GB_RATIO = 0.9          # of parallel curl's bytes a second
CPU_US = 60             # a plain GET of 16 KiB


def requests(endpoint, length, n):
    """Lines of URL and range, each file's in order and the files in turn."""
    each = FILE_BYTES // length
    for i in range(n):
        first = i // FILES % each * length
        yield f'{endpoint}/{i % FILES} {first}-{first + length - 1}\n'


def measure(program, lines, args):
    command = [os.path.join(BUILD, 'tests', 'bench', program), '--in-flight', str(IN_FLIGHT), *args]
    p = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    if p.returncode != 0:
        raise SystemExit(f'{program}: {p.stderr.strip()}')
    r = json.loads(p.stdout)
    return {'rate': r['requests'] / r['seconds'], 'gb': r['bytes'] / r['seconds'] / 1e9,
            'us': r['cpu'] / r['requests'] * 1e6}


def medians(measured):
    return {k: statistics.median(m[k] for m in measured) for k in measured[0]}


def case(name, lines, opt, args):
    """Figures of the engine, beside curl's that drops and curl's that keeps."""
    args = [*args, '--seconds', str(opt.seconds)]
    got = {('limit', ()): [], ('limit', ('--keep',)): [], ('http_bench', ()): []}
    for _ in range(opt.rounds):
        for (program, more), list_ in got.items():
            list_.append(measure(program, lines, [*args, *more]))
    drops, keeps, engine = (medians(m) for m in got.values())
    ratio = engine['gb'] / drops['gb']
    columns = '   '.join(f"{m['rate']:9.0f} {m['gb']:6.2f} {m['us']:7.0f}" for m in (drops, keeps, engine))
    print(f"{name:9} {columns}   {ratio:5.2f} {'met' if ratio >= GB_RATIO else 'NOT MET':8} "
          f"{engine['gb'] / keeps['gb']:5.2f}", flush=True)
    return engine


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--seconds', type=float, default=3, help='of one measurement')
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--cases', default='plain16k,plain8m,tls16k,tls8m')
    opt = p.parse_args()
    with tempfile.TemporaryDirectory(prefix='bench-http.') as top:
        root = os.path.join(top, 'root')
        os.mkdir(root)
        os.chmod(top, 0o755)
        for i in range(FILES):
            with open(os.path.join(root, str(i)), 'wb') as f:
                f.write(os.urandom(MIB) * (FILE_BYTES // MIB))
        server = ds_servers.Nginx(os.path.join(top, 'nginx'))
        server.start(root, 'tls')
        try:
            heads = '   '.join(f'{h:>9} {"GB/s":>6} {"CPU us":>7}' for h in ('drops n/s', 'keeps n/s', 'engine'))
            print(f'{"":9} {heads}   engine/drops >= {GB_RATIO}, /keeps')
            for name in opt.cases.split(','):
                length, n = (8 * MIB, 6000) if name.endswith('8m') else (16 * KIB, 400_000)
                tls = name.startswith('tls')
                endpoint = server.env['HTTPS_ENDPOINT' if tls else 'HTTP_ENDPOINT']
                lines = ''.join(requests(endpoint, length, n))
                engine = case(name, lines, opt, ['--ca', server.env['HTTPS_CA_FILE']] if tls else [])
                if name == 'plain16k':
                    print(f"{'':9} CPU of a plain GET of 16 KiB: {engine['us']:.0f} us of {CPU_US}: "
                          f"{'met' if engine['us'] <= CPU_US else 'NOT MET'}")
        finally:
            server.stop()


if __name__ == '__main__':
    main()
