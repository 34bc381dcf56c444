"""`tornado.httpserver` over TLS, over unix sockets and in several processes."""

import json
import os
import pathlib
import re
import shlex
import socket
import ssl
import stat
import sys
import tempfile
import textwrap
import unittest
from collections import Counter
from typing import Any

from tornado.httpserver import HTTPRequest, HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.test.live import GET, Client, ServerCase, answer, desk, get, post
from tornado.test.outside import Program, free_port
from tornado.test.util import ExpectLog
from tornado.testing import _test_certificate

CERTIFICATE = dict(zip(("certfile", "keyfile"), _test_certificate(), strict=True))


def client_context() -> ssl.SSLContext:
    """Return a context that trusts our certificate."""
    return ssl.create_default_context(cafile=CERTIFICATE["certfile"])


class TLSCase(ServerCase):
    """Has TLS clients, whose handshake is done while the loop runs."""

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[HTTPRequest] = []

    def on_request(self, request: HTTPRequest) -> None:
        self.seen.append(request)
        answer(request)

    def connect_tls(self, context: ssl.SSLContext | None = None) -> Client:
        client = self.connect()
        client.socket = (context or client_context()).wrap_socket(
            client.socket, server_hostname="localhost", do_handshake_on_connect=False
        )
        self.until(lambda: self.shake_hands(client.socket))
        return client

    def shake_hands(self, sock: Any) -> bool:
        try:
            sock.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        return True


class TLSTest(TLSCase):
    def test_requests(self) -> None:
        self.serve(self.on_request, ssl_options=CERTIFICATE)
        client = self.connect_tls()
        for _ in range(3):
            client.send(GET)
            self.assertEqual(client.read_answer().body, b"ok")
        self.assertEqual((self.seen[0].protocol, self.seen[0].remote_ip), ("https", "127.0.0.1"))
        self.assertEqual(self.seen[0].full_url(), "https://a/")
        self.assertIsNone(self.seen[0].get_ssl_certificate())
        self.assertEqual(len({id(request.connection) for request in self.seen}), 1)

    def test_pipelined(self) -> None:
        """Also where TLS holds decrypted bytes that the system knows nothing of."""
        self.serve(self.on_request, ssl_options=CERTIFICATE)
        client = self.connect_tls()
        client.send(get("/" + "a" * 100) * 400)
        for _ in range(400):
            self.assertEqual(client.read_answer().code, 200)

    def test_large(self) -> None:
        self.serve(lambda request: answer(request, request.body * 3), ssl_options=CERTIFICATE)
        client = self.connect_tls()
        body = bytes(range(256)) * 20_000
        client.send(post(body) + GET)
        self.assertEqual(client.read_answer().body, body * 3)
        self.assertEqual(client.read_answer().body, b"")

    def test_parked_client_that_sends_on(self) -> None:
        self.serve(self.seen.append, ssl_options=CERTIFICATE)
        client = self.connect_tls()
        client.send(GET)
        self.until(lambda: self.seen)
        data = memoryview(post(b"x" * 999_900) * 10)
        while sent := client.send_some(data[:16_000]):
            data = data[sent:]
            self.settle()
        self.assertLess(len(self.seen[0].connection.stream._read_buffer), 400_000)
        answer(self.seen[0])
        self.assertEqual(client.read_answer().code, 200)
        for number in range(10):
            while len(self.seen) < number + 2:
                data = data[client.send_some(data[:16_000]) :]
                self.turn()
            self.assertEqual(len(self.seen[-1].body), 999_900)
            answer(self.seen[-1])
            self.assertEqual(client.read_answer().code, 200)

    def test_last_answer(self) -> None:
        self.serve(self.on_request, ssl_options=CERTIFICATE)
        client = self.connect_tls()
        client.send(get("/", "Connection: close"))
        self.assertEqual(client.read_answer().code, 200)
        self.until(lambda: client.pull().ended)

    def test_refusals(self) -> None:
        self.serve(self.on_request, ssl_options=CERTIFICATE)
        for data, status in [
            (b"\0", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ]:
            client = self.connect_tls()
            client.send(data)
            self.assertEqual(client.read_answer().code, status)
            self.until(lambda: client.pull().ended)  # noqa: B023 - used at once
        self.assertEqual(self.seen, [])

    def test_protocol(self) -> None:
        """TLS 1.2 at least, HTTP/1.1 by ALPN."""
        options = {**CERTIFICATE, "ssl_version": ssl.PROTOCOL_TLS_SERVER}
        self.serve(self.on_request, ssl_options=options)
        context = client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        sock: Any = self.connect_tls(context).socket
        self.assertEqual(sock.selected_alpn_protocol(), "http/1.1")
        self.assertIn(sock.version(), ("TLSv1.2", "TLSv1.3"))
        self.assertIsNone(sock.compression())
        old = client_context()
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old_sock: Any = self.connect_tls(old).socket
        self.assertEqual(old_sock.version(), "TLSv1.2")

    def test_too_old(self) -> None:
        server = self.serve(self.on_request, ssl_options=CERTIFICATE)
        tls = server._ssl_context
        for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_CIPHER_SERVER_PREFERENCE):
            self.assertTrue(tls is not None and tls.options & option, option)
        context = client_context()
        with self.assertWarns(DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect_tls(context)
        self.settle()

    def test_context(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(**CERTIFICATE)
        self.serve(self.on_request, ssl_options=context)
        client = self.connect_tls()
        client.send(GET)
        self.assertEqual(client.read_answer().code, 200)

    def test_bad_options(self) -> None:
        for options, error in [
            ({}, ValueError),
            ({"certfile": "/nowhere"}, ValueError),
            ({**CERTIFICATE, "certfiel": "x"}, TypeError),
        ]:
            with self.subTest(options), self.assertRaises(error):
                HTTPServer(answer, ssl_options=options)

    def test_client_certificate(self) -> None:
        options = {**CERTIFICATE, "cert_reqs": ssl.CERT_REQUIRED, "ca_certs": CERTIFICATE["certfile"]}
        certificates: list[Any] = []

        def on_request(request: HTTPRequest) -> None:
            certificates.append(request.get_ssl_certificate())
            certificates.append(request.get_ssl_certificate(binary_form=True))
            answer(request)

        self.serve(on_request, ssl_options=options)
        context = client_context()
        context.load_cert_chain(**CERTIFICATE)
        client = self.connect_tls(context)
        client.send(GET)
        self.assertEqual(client.read_answer().code, 200)
        pem = pathlib.Path(CERTIFICATE["certfile"]).read_text()
        self.assertEqual(certificates[1], ssl.PEM_cert_to_DER_cert(pem))
        self.assertIn("subject", certificates[0])
        with self.assertRaises((ssl.SSLError, ConnectionError)):  # TLS 1.3: seen after the handshake only
            other = self.connect_tls()
            other.send(GET)
            other.read_all()
            raise other.error or ConnectionError
        self.assertEqual(len(certificates), 2)

    def test_plain_http(self) -> None:
        """Plain HTTP on a TLS port: closed, and a debug line at most."""
        server = self.serve(self.on_request, ssl_options=CERTIFICATE)
        for data in (GET, b"\0" * 100, b"\x16\x03\x01", b"G"):
            with self.subTest(data), ExpectLog("tornado", ".", 20, required=False) as log:
                client = self.connect()
                client.send(data)
                self.settle()
                if not client.pull().ended:  # it may still become a handshake
                    client.finish_sending()
                client.read_all()
                self.settle()
                self.assertEqual(len(desk(server).connections), 0)
                self.assertEqual(log.records, [])
        self.assertEqual(self.seen, [])

    def test_handshake_that_does_not_end(self) -> None:
        server = self.serve(self.on_request, ssl_options=CERTIFICATE)
        for data in (b"", b"\x16\x03\x01"):
            with self.subTest(data):
                client = self.connect()
                client.send(data)
                self.pass_time(9)
                self.assertEqual(len(desk(server).connections), 1)
                self.pass_time(2)
                self.assertEqual(len(desk(server).connections), 0)
                self.assertEqual(client.read_all(), b"")

    def test_deadlines_after_the_handshake(self) -> None:
        """The head still has until 20 s after accept, an idle connection its 75 s."""
        server = self.serve(self.on_request, ssl_options=CERTIFICATE)
        silent, idle = self.connect_tls(), self.connect_tls()
        self.pass_time(15)
        idle.send(GET)
        self.assertEqual(idle.read_answer().code, 200)
        self.assertEqual(len(desk(server).connections), 2)
        self.pass_time(7)
        self.assertEqual(len(desk(server).connections), 1)
        self.until(lambda: silent.pull().ended)
        self.pass_time(66)
        self.assertEqual(len(desk(server).connections), 1)
        idle.send(b"G")
        self.pass_time(19)
        self.assertEqual(len(desk(server).connections), 1)
        self.pass_time(2)
        self.assertEqual(idle.read_answer().code, 408)

    def test_reset_any_moment(self) -> None:
        server = self.serve(lambda request: answer(request, b"x" * 10_000_000), ssl_options=CERTIFICATE)
        for moment in range(5):
            with self.subTest(moment):
                client = self.connect()
                if moment == 1:
                    client.send(b"\x16\x03\x01")
                if moment > 1:
                    client.reset()
                    client = self.connect_tls()
                if moment == 3:
                    client.send(GET[:9])
                if moment == 4:
                    client.send(GET)
                self.settle()
                client.reset()
                self.settle()
                self.assertEqual(len(desk(server).connections), 0)

    def test_over_the_limit(self) -> None:
        self.serve(self.on_request, ssl_options=CERTIFICATE, max_connections=1)
        first = self.connect_tls()
        with ExpectLog("tornado", "limit|open", required=False):
            second = self.connect()
            self.assertEqual(second.read_all(), b"")
        first.send(GET)
        self.assertEqual(first.read_answer().code, 200)


class UnixSocketTest(ServerCase):
    def setUp(self) -> None:
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(folder, "socket")

    def serve_on_path(self, server: HTTPServer) -> None:
        server.add_socket(bind_unix_socket(self.path))
        self.addCleanup(server.stop)
        self.address = self.path

    def test_requests(self) -> None:
        seen: list[HTTPRequest] = []

        def on_request(request: HTTPRequest) -> None:
            seen.append(request)
            answer(request)

        self.serve_on_path(HTTPServer(on_request, io_loop=self.loop))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        client = self.connect()
        client.send(GET + post(b"x" * 100_000))
        self.assertEqual([client.read_answer().code, client.read_answer().code], [200, 200])
        self.assertEqual((seen[0].remote_ip, seen[0].protocol), ("0.0.0.0", "http"))
        self.assertEqual(len(seen[1].body), 100_000)
        client.send(b"\0")
        self.assertEqual(client.read_answer().code, 400)

    def test_proxy(self) -> None:
        """Who reaches the socket is our proxy, whatever trusted_downstream says of addresses."""
        seen: list[HTTPRequest] = []
        server = HTTPServer(seen.append, io_loop=self.loop, xheaders=True, trusted_downstream=["7.7.7.7"])
        self.serve_on_path(server)
        self.connect().send(get("/", "X-Forwarded-For: 4.4.4.4, 7.7.7.7", "X-Scheme: https"))
        self.until(lambda: seen)
        self.assertEqual((seen[0].remote_ip, seen[0].protocol), ("4.4.4.4", "https"))


# -- other processes --

SEVERAL = """
    import os, sys, time
    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop

    def on_request(request):
        time.sleep(0.05)  # so that the other one accepts the next
        body = str(os.getpid()).encode()
        request.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(body), body))
        request.finish()

    server = HTTPServer(on_request)
    server.bind(int(sys.argv[1]), "127.0.0.1")
    server.start(2)
    print("worker", os.getpid(), flush=True)
    IOLoop.instance().start()
"""

PLAIN = """
    import sys
    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop

    def on_request(request):
        request.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
        request.finish()

    HTTPServer(on_request).listen(int(sys.argv[1]), "127.0.0.1")
    print("ready", flush=True)
    IOLoop.instance().start()
"""


def command(program: str, port: int) -> str:
    """Return a shell command that runs *program*."""
    return f"exec {shlex.quote(sys.executable)} -c {shlex.quote(textwrap.dedent(program))} {port}"


def ask(sock: socket.socket, request: bytes) -> bytes:
    """Return the answer to *request*, which is short."""
    sock.sendall(request)
    data = sock.recv(4096)
    return data.partition(b"\r\n\r\n")[2]


class ProcessesTest(unittest.TestCase):
    def test_two(self) -> None:
        """bind, start(2): two workers serve one port."""
        port = free_port()
        with Program(command(SEVERAL, port)) as program:
            program.wait_for(r"(?s)worker \d+.*worker \d+")
            workers = set(re.findall(r"worker (\d+)", program.output()))
            self.assertEqual(len(workers), 2)
            served: Counter[str] = Counter()
            for _ in range(20):
                sockets = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(4)]
                for sock in sockets:
                    sock.sendall(GET)
                for sock in sockets:
                    served[sock.recv(4096).decode().rpartition("\r\n")[2]] += 1
                    sock.close()
                if len(served) == 2:
                    break
            self.assertEqual(set(served), workers)


class SystemCallsTest(unittest.TestCase):
    def test_three_for_a_request(self) -> None:
        """A request on a connection that is kept alive costs a wait, a read and a write, and nothing else."""
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            trace = os.path.join(folder, "trace")
            with Program(
                f"exec strace -f -s 40 -o {trace} -- {command(PLAIN, port).removeprefix('exec ')}"
            ) as program:
                program.wait_for("ready")
                with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
                    for target in ["/warm"] * 20 + ["/begin"] + ["/counted"] * 50 + ["/end"]:
                        self.assertEqual(ask(sock, get(target)), b"ok")
            lines = pathlib.Path(trace).read_text().splitlines()
        calls = self.calls_between(lines, '"GET /begin', '"GET /end')
        self.assertEqual(
            calls, {"recvfrom": 50, "sendto": 51, "epoll_wait": 51}, json.dumps(lines[-300:], indent=1)
        )

    def calls_between(self, lines: list[str], begin: str, end: str) -> dict[str, int]:
        """Count the system calls by name, memory left out: when Python wants some is its own affair."""
        numbers = [number for number, line in enumerate(lines) if begin in line or end in line]
        self.assertEqual(len(numbers), 2)
        between = lines[numbers[0] + 1 : numbers[1]]
        names = (found[1] for line in between if (found := re.match(r"\d+ +(\w+)\(", line)))
        memory = {"brk", "mmap", "munmap", "mremap", "madvise"}
        return Counter(name.replace("pwait", "wait") for name in names if name not in memory)


if __name__ == "__main__":
    unittest.main()
