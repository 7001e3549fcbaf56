"""A small HTTP server with bad manners, for CurlTests. Prints its ports (http, https); when its input ends, it removes the certificate's
folder and ends.

server.py CERTIFICATE KEY
"""
import http.server
import os
import shutil
import socket
import ssl
import sys
import threading
from urllib.parse import parse_qs, urlsplit

KEYS = b'{"keys":[]}'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, body=KEYS, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def until_the_client_leaves(self):
        self.connection.settimeout(30)
        try:
            while self.connection.recv(4096):
                pass
        except OSError:
            pass
        self.close_connection = True

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/keys":
            headers = [("Cache-Control", query["cache"])] if "cache" in query else []
            self.answer(headers=headers)
        elif url.path == "/status":
            self.answer(b"sorry", int(query["code"]))
        elif url.path == "/bytes":
            self.answer(b"x" * int(query["count"]))
        elif url.path == "/claims":
            # Announces more than it could ever send.
            self.send_response(200)
            self.send_header("Content-Length", "99999999999")
            self.end_headers()
            self.until_the_client_leaves()
        elif url.path == "/endless":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            except OSError:
                self.close_connection = True
        elif url.path == "/hang":
            self.until_the_client_leaves()
        elif url.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "9000")
            self.end_headers()
            self.connection.settimeout(0.02)
            try:
                while True:
                    self.wfile.write(b"x")
                    try:
                        if not self.connection.recv(1):
                            break
                    except TimeoutError:
                        continue
            except OSError:
                pass
            self.close_connection = True
        elif url.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
            self.close_connection = True
        elif url.path == "/garbage":
            self.wfile.write(b"\x00\xff this is not HTTP\r\n\r\n")
            self.close_connection = True
        elif url.path == "/redirect":
            self.answer(b"", 302, [("Location", query["to"]), ("Cache-Control", "max-age=7")])
        elif url.path == "/loop":
            self.answer(b"", 302, [("Location", "/loop")])
        elif url.path == "/echo":
            self.answer((self.headers.get("Accept", "") + "|" + self.headers.get("User-Agent", "")).encode())
        else:
            self.answer(b"", 404)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET
    # All tests come at once: with socketserver's five, some would wait for TCP to try again.
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


plain = Server(("127.0.0.1", 0), Handler)
secure = Server(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
secure.socket = context.wrap_socket(secure.socket, server_side=True)
for server in (plain, secure):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(plain.server_port, secure.server_port, flush=True)
sys.stdin.read()
shutil.rmtree(os.path.dirname(sys.argv[1]))
