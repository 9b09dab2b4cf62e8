# SPDX-License-Identifier: Apache-2.0
"""The scripted server: python3 tests/servers/scripted [-d] [--tls CERT KEY]

What it is, what it answers and how it is told otherwise: README.md beside this
file.  -d: ends with the process that started it.
"""
import argparse
import ctypes
import signal
import socket
import ssl
import sys
import threading

import control
import gcs
import metadata
import s3
import tokens
import wire
from state import State

ROLES = {'s3': s3.answer, 'gcs': gcs.answer, 'tokens': tokens.answer, 'metadata': metadata.answer,
         'other': s3.answer}
PR_SET_PDEATHSIG = 1


def listen(role, state, tls):
    listener = socket.create_server(('127.0.0.1', 0), backlog=512)
    port = listener.getsockname()[1]
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        listener = context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    # A name, not an address: its certificate has one, and so has a bucket in front of it.
    state.urls[role] = f'{"https" if tls else "http"}://{"localhost" if tls else "127.0.0.1"}:{port}'
    threading.Thread(target=wire.serve, args=(listener, role, state, control.answer), daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('-d', action='store_true', dest='dies')
    parser.add_argument('--tls', nargs=2, metavar=('CERT', 'KEY'))
    options = parser.parse_args()
    if options.dies:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    state = State(ROLES)
    for role in ROLES:
        listen(role, state, options.tls)
    print(' '.join(f'{role.upper()}={url}' for role, url in state.urls.items()), flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == '__main__':
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main())
