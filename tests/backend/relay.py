# SPDX-License-Identifier: Apache-2.0
"""What stands in front of a plain server: TLS, or another family of addresses."""
import socket
import ssl
import subprocess
import threading


def make_certificate(top):
    """(certificate, key) of localhost and of s3.localhost and what is below it."""
    cert, key = top + '/cert.pem', top + '/key.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                    '-days', '1', '-subj', '/CN=test', '-addext',
                    'subjectAltName=DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost', '-keyout', key, '-out', cert],
                   check=True, stderr=subprocess.DEVNULL)
    return cert, key


class Relay:
    """Passes on what comes to an address of its own; with a certificate: over TLS."""

    def __init__(self, port, certificate=None, address='127.0.0.1'):
        self.upstream = port
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.listener = socket.create_server((address, 0), family=family, backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(inner,), daemon=True).start()

    def relay(self, plain):
        try:
            wrapped = self.context.wrap_socket(plain, server_side=True) if self.context else plain
            with wrapped as client, socket.create_connection(('127.0.0.1', self.upstream)) as server:
                pipe = threading.Thread(target=self.copy, args=(server, client), daemon=True)
                pipe.start()
                self.copy(client, server)
                pipe.join(10)
        except OSError:
            pass

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
