"""Listening sockets, accepting under all weathers, the server on top of them, and the look-up of names."""

import errno
import functools
import gc
import os
import pathlib
import select
import shlex
import shutil
import signal
import socket
import ssl
import stat
import struct
import sys
import tempfile
import textwrap
import threading
import unittest
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

from tornado import netutil
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream
from tornado.netutil import Answer, Resolver, TCPServer, add_accept_handler, bind_sockets, bind_unix_socket
from tornado.stack_context import ExceptionStackContext
from tornado.test.outside import Program
from tornado.test.util import ExpectLog, FakeLoop
from tornado.testing import _test_certificate

LOCAL = "127.0.0.1"
PATIENCE = 10  # seconds until a test that waits in vain gives up


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def needs_ipv6(test: Any) -> Any:
    """Leave *test* out where there is no IPv6 at all: what it tests cannot be had there."""
    return test if has_ipv6() else None


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def fault(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class SocketTest(unittest.TestCase):
    """Closes what a test opens."""

    def keep(self, *sockets: socket.socket) -> socket.socket:
        for sock in sockets:
            self.addCleanup(sock.close)
        return sockets[0]

    def connect(self, address: Any, count: int = 1) -> list[socket.socket]:
        """Return *count* connected clients; the kernel needs nobody to accept them."""
        clients = []
        for _ in range(count):
            family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
            if not isinstance(address, str) and ":" in address[0]:
                family = socket.AF_INET6
            client = self.keep(socket.socket(family))
            client.settimeout(PATIENCE)
            client.connect(address)
            clients.append(client)
        return clients

    def refused(self, call: Callable[[], Any], number: int, *words: str) -> OSError:
        """Return the OSError of *call*, which has the errno *number* and *words* in its message."""
        with self.assertRaises(OSError) as caught:
            call()
        self.assertEqual(caught.exception.errno, number)
        for word in words:
            self.assertIn(word, str(caught.exception))
        return caught.exception


class LoopTest(SocketTest):
    """Has a loop, which closes what a test leaves registered."""

    loop: IOLoop

    def setUp(self) -> None:
        self.loop = self.make_loop()
        self.addCleanup(self.loop.close, all_fds=True)

    def make_loop(self) -> IOLoop:
        return IOLoop()

    def run_loop(self) -> None:
        """Run the loop until something stops it."""
        self.late = False
        timeout = self.loop._call_at(self.loop._monotonic() + PATIENCE, self._on_late)
        self.loop.start()
        self.loop.remove_timeout(timeout)
        self.assertFalse(self.late, "nothing has stopped the loop")

    def _on_late(self) -> None:
        self.late = True
        self.loop.stop()

    def run_turns(self, turns: int) -> None:
        """Run some turns that do not wait: what has happened so far is seen in one or two."""
        if turns:
            self.loop.add_callback(functools.partial(self._count_turn, turns - 1))
            self.run_loop()

    def _count_turn(self, turns: int) -> None:
        if turns:
            self.loop.add_callback(functools.partial(self._count_turn, turns - 1))
        else:
            self.loop.stop()

    def run_until_read(self, client: socket.socket, size: int = 4096) -> bytes:
        """Return what arrives at *client* while the loop runs."""
        client.setblocking(False)
        data: list[bytes] = []

        def on_readable(fd: int, events: int) -> None:
            data.append(client.recv(size))
            self.loop.remove_handler(fd)
            self.loop.stop()

        self.loop.add_handler(client.fileno(), on_readable, IOLoop.READ)
        self.run_loop()
        return data[0]


class BindSocketsTest(SocketTest):
    def test_options(self) -> None:
        rows: list[tuple[str | None, int, set[int]]] = [  # address, family, families of the sockets
            (LOCAL, socket.AF_UNSPEC, {socket.AF_INET}),
            (None, socket.AF_INET, {socket.AF_INET}),
            ("", socket.AF_INET, {socket.AF_INET}),
            ("localhost", socket.AF_INET, {socket.AF_INET}),
        ]
        if has_ipv6():
            rows += [
                ("::1", socket.AF_UNSPEC, {socket.AF_INET6}),
                (None, socket.AF_INET6, {socket.AF_INET6}),
                (None, socket.AF_UNSPEC, {socket.AF_INET, socket.AF_INET6}),
                ("", socket.AF_UNSPEC, {socket.AF_INET, socket.AF_INET6}),
            ]
        for address, family, families in rows:
            with self.subTest(address=address, family=family):
                sockets = bind_sockets(0, address, family)
                self.keep(*sockets)
                self.assertEqual(sorted(sock.family for sock in sockets), sorted(families))
                self.assertEqual(len({port_of(sock) for sock in sockets}), 1, "one port for all")
                for sock in sockets:
                    self.check_options(sock)

    def check_options(self, sock: socket.socket) -> None:
        self.assertEqual(sock.gettimeout(), 0.0)
        self.assertFalse(sock.get_inheritable())
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR), 1)
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT), 0)
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
        if sock.family == socket.AF_INET6:
            self.assertEqual(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), 1)

    def test_port_in_use(self) -> None:
        port = port_of(self.keep(*bind_sockets(0, LOCAL)))
        self.refused(lambda: bind_sockets(port, LOCAL), errno.EADDRINUSE, LOCAL, f"port {port}", "choose")
        # Of two addresses one is taken: the socket of the other does not stay (it would be reported).
        self.refused(lambda: bind_sockets(port), errno.EADDRINUSE, f"port {port}")

    def test_address_of_another_machine(self) -> None:
        self.refused(lambda: bind_sockets(0, "192.0.2.1"), errno.EADDRNOTAVAIL, "192.0.2.1", "port 0")

    def test_no_such_address(self) -> None:
        with self.assertRaises(socket.gaierror) as caught:
            bind_sockets(8888, "::1", socket.AF_INET)
        self.assertRegex(str(caught.exception), "cannot listen on '::1', port 8888: .")

    def test_backlog(self) -> None:
        server = self.keep(*bind_sockets(0, LOCAL, backlog=1))
        clients = [self.keep(socket.socket()) for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        _, connected, _ = select.select([], clients, [], 0)
        self.assertEqual(len(connected), 2, "Linux lets one more in than asked for")

    def found(self, *addresses: tuple[int, Any]) -> Any:
        """Have names looked up as *addresses*."""
        rows = [(family, socket.SOCK_STREAM, 6, "", sockaddr) for family, sockaddr in addresses]
        return mock.patch.object(socket, "getaddrinfo", return_value=rows)

    def test_a_system_without_a_family(self) -> None:
        unknown = 60  # more than any kernel has families
        for name, address in [
            ("no such family", (unknown, ("x", 0))),
            ("no IPv6 address", (socket.AF_INET6, ("2001:db8::1", 0, 0, 0))),
        ]:
            with self.subTest(name):
                with self.found((socket.AF_INET, (LOCAL, 0)), address):
                    (sock,) = bind_sockets(0)
                self.assertEqual(self.keep(sock).family, socket.AF_INET)
                with self.found(address, (socket.AF_INET, (LOCAL, 0))):
                    self.keep(*bind_sockets(0))
                with (
                    self.found(address),
                    self.assertRaisesRegex(OSError, f"cannot listen on {address[1][0]}"),
                ):
                    bind_sockets(0)

    def test_an_address_found_twice(self) -> None:
        with self.found((socket.AF_INET, (LOCAL, 0)), (socket.AF_INET, (LOCAL, 0))):
            sockets = bind_sockets(0)
        self.keep(*sockets)
        self.assertEqual(len(sockets), 1)

    def test_another_port_where_one_is_taken_in_a_family(self) -> None:
        ports: list[int] = []
        listen = netutil._listen

        def listen_later(family: int, address: Any, *args: Any) -> socket.socket:
            if address[0] == "127.0.0.2":
                ports.append(address[1])
                if len(ports) < 4:
                    raise fault(errno.EADDRINUSE)
            return listen(family, address, *args)

        with (
            self.found((socket.AF_INET, (LOCAL, 0)), (socket.AF_INET, ("127.0.0.2", 0))),
            mock.patch.object(netutil, "_listen", listen_later),
        ):
            sockets = bind_sockets(0)
        self.keep(*sockets)
        self.assertEqual([port_of(sock) for sock in sockets], [ports[-1], ports[-1]])
        self.assertEqual(len(ports), 4)

    def test_no_port_is_free_in_all_families(self) -> None:
        with self.found((socket.AF_INET, (LOCAL, 0)), (socket.AF_INET, ("0.0.0.0", 0))):
            self.refused(lambda: bind_sockets(0), errno.EADDRINUSE, "0.0.0.0")


class BindUnixSocketTest(SocketTest):
    def setUp(self) -> None:
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = str(self.folder / "server")

    def bind(self, **kwargs: Any) -> socket.socket:
        return self.keep(bind_unix_socket(self.path, **kwargs))

    def test_mode(self) -> None:
        for umask in (0o000, 0o022, 0o077):
            for kwargs, mode in [({}, 0o600), ({"mode": 0o666}, 0o666), ({"mode": 0o660}, 0o660)]:
                with self.subTest(umask=umask, mode=mode):
                    self.addCleanup(os.umask, os.umask(umask))
                    with self.bind(**kwargs) as sock:
                        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), mode)
                        self.assertEqual((sock.gettimeout(), sock.get_inheritable()), (0.0, False))

    def test_a_path_object(self) -> None:
        sock = self.keep(bind_unix_socket(self.folder / "server"))
        self.connect(self.path)
        connection, address = sock.accept()
        self.keep(connection)
        self.assertEqual(address, "")

    def test_a_stale_socket_is_replaced(self) -> None:
        self.bind().close()
        self.assertTrue(os.path.exists(self.path))
        sock = self.bind()
        self.connect(self.path)
        self.keep(sock.accept()[0])

    def test_a_live_socket_is_not(self) -> None:
        sock = self.bind(backlog=0)
        self.refused(self.bind, errno.EADDRINUSE, repr(self.path), "choose")
        # That look has filled the backlog: the next is not taken, which is not a refusal.
        self.refused(self.bind, errno.EADDRINUSE)
        self.keep(sock.accept()[0])
        self.connect(self.path)

    def test_something_else_is_not(self) -> None:
        rows: list[tuple[str, Callable[[pathlib.Path], Any]]] = [
            ("file", lambda path: path.write_text("precious")),
            ("folder", lambda path: path.mkdir()),
            ("link", lambda path: path.symlink_to("nowhere")),
        ]
        for name, make in rows:
            with self.subTest(name):
                path = self.folder / name
                make(path)
                before = os.lstat(path)
                with self.assertRaisesRegex(ValueError, f"{name}.*no socket"):
                    bind_unix_socket(path)
                self.assertEqual(os.lstat(path), before)

    def test_a_path_that_cannot_be(self) -> None:
        self.path = str(self.folder / "missing" / "server")
        self.refused(self.bind, errno.ENOENT, repr(self.path))
        self.path = str(self.folder / ("x" * 200))
        self.refused(self.bind, errno.EINVAL, repr(self.path), "too long")


class FaultySocket(socket.socket):
    """A listening socket on which accept() fails with each of *faults* before it works."""

    def __init__(self) -> None:
        super().__init__()
        self.setblocking(False)
        self.bind((LOCAL, 0))
        self.listen()
        self.faults: list[int] = []

    def _accept(self) -> Any:
        if self.faults:
            raise fault(self.faults.pop(0))
        return super()._accept()  # type: ignore[misc]


class AcceptCase(LoopTest):
    """Notes what is accepted, and stops the loop after so many as are expected."""

    def setUp(self) -> None:
        super().setUp()
        self.accepted: list[tuple[socket.socket, Any]] = []
        self.turns: Counter[int] = Counter()
        self.expected = 1

    def on_connection(self, connection: socket.socket, address: Any) -> None:
        self.keep(connection)
        self.accepted.append((connection, address))
        self.turns[self.loop._turn] += 1
        if len(self.accepted) == self.expected:
            self.loop.stop()

    def serve(self, **kwargs: Any) -> socket.socket:
        (sock,) = bind_sockets(0, LOCAL, **kwargs)
        add_accept_handler(self.keep(sock), self.on_connection, self.loop)
        return sock


class AcceptTest(AcceptCase):
    def test_a_connection(self) -> None:
        sock = self.serve()
        (client,) = self.connect(sock.getsockname())
        self.run_loop()
        ((connection, address),) = self.accepted
        self.assertEqual(address, client.getsockname())
        self.assertEqual(connection.getpeername(), address)
        self.assertEqual(
            (connection.family, connection.type, connection.proto), (sock.family, sock.type, sock.proto)
        )
        self.assertFalse(connection.get_inheritable())
        self.assertEqual(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)
        client.sendall(b"hello")
        self.assertEqual(connection.recv(100), b"hello")

    def test_so_many_in_a_turn(self) -> None:
        sock = self.serve()
        self.expected = netutil.MAX_ACCEPTS + 30
        self.connect(sock.getsockname(), self.expected)
        self.run_loop()
        self.assertEqual(list(self.turns.values()), [netutil.MAX_ACCEPTS, 30])

    def test_a_blocking_socket_is_made_non_blocking(self) -> None:
        sock = self.keep(socket.create_server((LOCAL, 0)))
        add_accept_handler(sock, self.on_connection, self.loop)
        self.connect(sock.getsockname())
        self.run_loop()

    def test_an_exception_costs_one_connection(self) -> None:
        def callback(connection: socket.socket, address: Any) -> None:
            self.on_connection(connection, address)
            if len(self.accepted) == 2:
                raise ValueError("boom")

        sock = self.keep(*bind_sockets(0, LOCAL))
        add_accept_handler(sock, callback, self.loop)
        clients = self.connect(sock.getsockname(), 3)
        self.expected = 3
        with ExpectLog("tornado.ioloop", "(?s)Exception in callback.*boom") as log:
            self.run_loop()
        self.assertEqual(len(log.records), 1)
        self.assertEqual(len(self.turns), 1, "the exception has not put off the third")
        self.assertEqual(clients[1].recv(1), b"")
        self.assertEqual([connection.fileno() < 0 for connection, _ in self.accepted], [False, True, False])

    def test_no_contexts(self) -> None:
        caught: list[type[BaseException]] = []

        def callback(connection: socket.socket, address: Any) -> None:
            self.on_connection(connection, address)
            raise ValueError("not yours")

        sock = self.keep(*bind_sockets(0, LOCAL))
        with ExceptionStackContext(lambda kind, value, trace: caught.append(kind)):
            add_accept_handler(sock, callback, self.loop)
        self.connect(sock.getsockname())
        with ExpectLog("tornado.ioloop", "not yours"):
            self.run_loop()
        self.assertEqual(caught, [])

    def test_removed_by_its_callback(self) -> None:
        def callback(connection: socket.socket, address: Any) -> None:
            self.on_connection(connection, address)
            self.loop.remove_handler(sock.fileno())

        sock = self.keep(*bind_sockets(0, LOCAL))
        add_accept_handler(sock, callback, self.loop)
        self.connect(sock.getsockname(), 3)
        self.run_loop()
        self.run_turns(3)
        self.assertEqual(len(self.accepted), 1)
        self.keep(sock.accept()[0])  # still open, and the second is still there

    def test_closed_with_the_loop(self) -> None:
        loop = IOLoop()
        sock = self.keep(*bind_sockets(0, LOCAL))
        add_accept_handler(sock, self.on_connection, loop)
        loop.close(all_fds=True)
        self.assertEqual(sock.fileno(), -1)


class AcceptFailureTest(AcceptCase):
    """On a loop whose clock jumps ahead when it would wait."""

    loop: FakeLoop

    def setUp(self) -> None:
        super().setUp()
        quiet = mock.patch.object(netutil._Listener, "_quiet_until", 0.0)
        self.enterContext(quiet)
        self.sock = FaultySocket()
        self.keep(self.sock)
        add_accept_handler(self.sock, self.on_connection, self.loop)

    def make_loop(self) -> IOLoop:
        return FakeLoop()

    def run_for(self, seconds: float) -> None:
        self.loop._call_at(self.loop._monotonic() + seconds, self.loop.stop)
        self.loop.start()

    def test_what_passes(self) -> None:
        self.sock.faults = [errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR, errno.ENETDOWN]
        self.connect(self.sock.getsockname())
        self.run_loop()
        self.assertEqual(len(self.accepted), 1)
        self.assertEqual(self.loop.slept, [], "in the same turn")

    def test_what_passes_is_bounded_too(self) -> None:
        self.sock.faults = [errno.ECONNABORTED] * (netutil.MAX_ACCEPTS + 1)
        self.connect(self.sock.getsockname())
        turn = self.loop._turn
        self.run_loop()
        self.assertEqual(list(self.turns), [turn + 2])

    def test_want_of_resources(self) -> None:
        for number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINVAL):
            with self.subTest(errno.errorcode[number]):
                self.accepted.clear()
                self.loop.slept.clear()
                self.loop.advance(100.0)
                self.sock.faults = [number, number]
                self.connect(self.sock.getsockname())
                address = f"127.0.0.1', {port_of(self.sock)}"
                with ExpectLog("tornado.netutil", f"(?s){address}.*{os.strerror(number)}") as log:
                    self.run_loop()
                self.assertEqual(len(log.records), 1)
                self.assertEqual(self.loop.slept, [1.0, 1.0])
                self.assertEqual(len(self.accepted), 1)

    def test_a_warning_a_minute_and_no_spinning(self) -> None:
        self.sock.faults = [errno.EMFILE] * 1000
        other = self.serve()  # which goes on
        self.expected = 0
        self.connect(self.sock.getsockname())
        self.connect(other.getsockname())
        turn = self.loop._turn
        with ExpectLog("tornado.netutil", "Too many open files.*ulimit -n") as log:
            self.run_for(150.5)
        self.assertEqual(len(log.records), 3)
        self.assertEqual(len(self.sock.faults), 1000 - 151)
        self.assertLess(self.loop._turn - turn, 3 * 151)
        self.assertEqual(len(self.accepted), 1)

    def test_one_warning_for_all_listeners(self) -> None:
        second = FaultySocket()
        self.keep(second)
        add_accept_handler(second, self.on_connection, self.loop)
        for sock in (self.sock, second):
            sock.faults = [errno.EMFILE]
            self.connect(sock.getsockname())
        with ExpectLog("tornado.netutil", "Too many open files") as log:
            self.run_for(0.5)
        self.assertEqual((len(log.records), second.faults), (1, []))

    def test_removed_in_the_pause(self) -> None:
        self.sock.faults = [errno.EMFILE]
        self.connect(self.sock.getsockname())
        with ExpectLog("tornado.netutil", "Too many open files"):
            self.run_for(0.5)
        self.loop.remove_handler(self.sock.fileno())
        self.run_for(2.0)
        self.assertEqual(self.accepted, [])
        # And another handler in its place is not disturbed.
        self.sock.faults = [errno.EMFILE]
        add_accept_handler(self.sock, self.on_connection, self.loop)
        self.run_for(0.5)
        self.loop.remove_handler(self.sock.fileno())
        add_accept_handler(self.sock, self.on_connection, self.loop)
        self.run_for(2.0)
        self.assertEqual(len(self.accepted), 1)

    def test_closed_in_the_pause(self) -> None:
        self.sock.faults = [errno.EMFILE]
        self.connect(self.sock.getsockname())
        with ExpectLog("tornado.netutil", "Too many open files"):
            self.run_for(0.5)
        self.loop.close(all_fds=True)
        self.assertEqual(self.sock.fileno(), -1)

    def test_a_socket_that_listens_no_more(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)
        turn = self.loop._turn
        with ExpectLog("tornado.netutil", "Invalid argument"):
            self.run_for(5.5)
        self.assertLess(self.loop._turn - turn, 20)


class EchoServer(TCPServer):
    """Repeats each line; notes the addresses it was called from."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.addresses: list[Any] = []
        self.streams: list[IOStream] = []

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        self.addresses.append(address)
        self.streams.append(stream)
        self._read_line(stream)

    def _read_line(self, stream: IOStream) -> None:
        stream.read_until(b"\n", functools.partial(self._on_line, stream))

    def _on_line(self, stream: IOStream, line: bytes) -> None:
        stream.write(line)
        self._read_line(stream)


class ServerCase(LoopTest):
    def make_server(self, kind: type[TCPServer] = EchoServer, **kwargs: Any) -> Any:
        server = kind(self.loop, **kwargs)
        self.addCleanup(server.stop)
        return server

    def addresses(self, server: TCPServer) -> list[Any]:
        return [sock.getsockname() for sock in server._sockets.values()]

    def check_echo(self, address: Any) -> socket.socket:
        (client,) = self.connect(address)
        client.sendall(b"line\n")
        self.assertEqual(self.run_until_read(client), b"line\n")
        return client


class TCPServerTest(ServerCase):
    def test_listen(self) -> None:
        server = self.make_server()
        server.listen(0, LOCAL)
        server.listen(0, LOCAL)
        first, second = self.addresses(server)
        clients = [self.check_echo(address).getsockname() for address in (first, second)]
        self.assertEqual(server.addresses, clients)

    @needs_ipv6
    def test_all_interfaces(self) -> None:
        server = self.make_server()
        server.listen(0)
        port = self.addresses(server)[0][1]
        self.check_echo((LOCAL, port))
        client = self.check_echo(("::1", port))
        self.assertEqual([len(address) for address in server.addresses], [2, 4])
        self.assertEqual(server.addresses[1], client.getsockname())

    def test_a_unix_socket(self) -> None:
        path = self.enterContext(tempfile.TemporaryDirectory()) + "/server"
        server = self.make_server()
        server.add_socket(bind_unix_socket(path))
        self.check_echo(path)
        self.assertEqual(server.addresses, [""])

    def test_bind_waits_for_start(self) -> None:
        server = self.make_server()
        server.bind(0, LOCAL)
        server.bind(0, LOCAL)
        addresses = [sock.getsockname() for sock in server._pending]
        self.connect(addresses[0])
        self.run_turns(3)
        self.assertEqual(server.addresses, [])
        server.start()
        self.run_turns(3)
        self.assertEqual(len(server.addresses), 1)
        self.check_echo(addresses[1])

    def test_bind_on_a_running_server(self) -> None:
        rows: list[tuple[str, Callable[[TCPServer], None]]] = [
            ("started", lambda server: server.start()),
            ("listening", lambda server: server.listen(0, LOCAL)),
        ]
        for name, begin in rows:
            with self.subTest(name):
                server = self.make_server()
                begin(server)
                before = len(server._sockets)
                server.bind(0, LOCAL)
                self.assertEqual(len(server._sockets), before + 1)
                self.check_echo(self.addresses(server)[-1])

    def test_start_twice(self) -> None:
        server = self.make_server()
        server.listen(0, LOCAL)
        server.start()
        for kind in (RuntimeError, AssertionError):
            with self.assertRaisesRegex(kind, "start.. was called before"):
                server.start()
        self.check_echo(*self.addresses(server))

    def test_a_server_with_a_loop_does_not_fork(self) -> None:
        server = self.make_server()
        server.bind(0, LOCAL)
        with self.assertRaisesRegex(AssertionError, "there is an IOLoop.*call it before"):
            server.start(2)
        server.start(1)
        self.check_echo(*self.addresses(server))

    def test_start_for_one_processor_stays_here(self) -> None:
        for count in (0, None, -1):
            with self.subTest(count), mock.patch("tornado.process.cpu_count", return_value=1):
                server = self.make_server()
                server.bind(0, LOCAL)
                server.start(count)
                self.check_echo(*self.addresses(server))

    def test_the_loop_is_looked_up_late(self) -> None:
        server = EchoServer()
        self.assertIsNone(server.io_loop)
        server.bind(0, LOCAL)
        self.assertIsNone(server.io_loop)
        if not IOLoop.initialized():
            self.addCleanup(lambda: IOLoop.instance().close())
        server.start()
        self.assertIs(server.io_loop, IOLoop.instance())
        server.stop()

    def test_stop(self) -> None:
        server = self.make_server()
        server.listen(0, LOCAL)
        (address,) = self.addresses(server)
        (fd,) = server._sockets
        client = self.check_echo(address)
        server.stop()
        server.stop()
        self.assertNotIn(fd, self.loop._handlers)
        with self.assertRaises(ConnectionRefusedError):
            self.connect(address)
        client.sendall(b"still\n")
        self.assertEqual(self.run_until_read(client), b"still\n")
        server.listen(0, LOCAL)
        self.check_echo(*self.addresses(server))

    def test_stop_before_start(self) -> None:
        server = self.make_server()
        server.bind(0, LOCAL)
        (sock,) = server._pending
        server.stop()
        self.assertEqual(sock.fileno(), -1)

    def test_stop_while_accepting(self) -> None:
        class Once(EchoServer):
            def handle_stream(self, stream: IOStream, address: Any) -> None:
                super().handle_stream(stream, address)
                self.stop()

        server = self.make_server(Once)
        server.listen(0, LOCAL)
        (address,) = self.addresses(server)
        self.connect(address, 3)
        self.run_turns(3)
        self.assertEqual(len(server.addresses), 1)

    def test_an_exception_closes_its_connection(self) -> None:
        class Failing(EchoServer):
            def handle_stream(self, stream: IOStream, address: Any) -> None:
                super().handle_stream(stream, address)
                if len(self.addresses) == 1:
                    raise ValueError("boom")

        server = self.make_server(Failing)
        server.listen(0, LOCAL)
        (address,) = self.addresses(server)
        first, second = self.connect(address, 2)
        second.sendall(b"line\n")
        with ExpectLog("tornado.netutil", "(?s)handle_stream.. failed.*127.0.0.1.*ValueError: boom") as log:
            self.assertEqual(self.run_until_read(second), b"line\n")
        self.assertEqual(len(log.records), 1)
        self.assertEqual(self.run_until_read(first), b"")
        self.assertTrue(server.streams[0].closed())

    def test_not_overridden(self) -> None:
        server = self.make_server(TCPServer)
        server.listen(0, LOCAL)
        (client,) = self.connect(*self.addresses(server))
        with ExpectLog("tornado.netutil", "TCPServer has to override handle_stream"):
            self.assertEqual(self.run_until_read(client), b"")

    def test_a_connection_that_was_reset(self) -> None:
        server = self.make_server()
        server.listen(0, LOCAL)
        (address,) = self.addresses(server)
        for client in self.connect(address, 3):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        self.run_turns(5)
        self.assertEqual(len(server.addresses), 3)
        self.assertTrue(all(stream.closed() for stream in server.streams))
        self.check_echo(address)

    def test_no_option_is_set_for_each_connection(self) -> None:
        """They inherit them, which costs no system call and cannot fail."""
        server = self.make_server()
        server.listen(0, LOCAL)
        (sock,) = server._sockets.values()
        options = socket.socket.setsockopt
        with mock.patch.object(socket.socket, "setsockopt", autospec=True, side_effect=options) as calls:
            self.connect(sock.getsockname())
            self.run_turns(3)
        self.assertEqual(len(server.addresses), 1)
        self.assertEqual(calls.call_count, 0)


class TLSServerTest(ServerCase):
    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.certificate, self.key = str(folder / "server.crt"), str(folder / "server.key")
        for made, name in zip(_test_certificate(), (self.certificate, self.key), strict=True):
            shutil.copy(made, name)

    def check_tls_echo(self, address: Any) -> None:
        client = SSLIOStream(socket.socket(), self.loop, ssl_options={"cert_reqs": ssl.CERT_NONE})
        lines: list[bytes] = []

        def on_line(line: bytes) -> None:
            lines.append(line)
            client.close()
            self.loop.stop()

        client.connect(address)
        client.write(b"secret\n")
        client.read_until(b"\n", on_line)
        self.run_loop()
        self.assertEqual(lines, [b"secret\n"])

    def test_options(self) -> None:
        options = {"certfile": self.certificate, "keyfile": self.key}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        for name, ssl_options in [("dict", options), ("context", context)]:
            with self.subTest(name):
                server = self.make_server(ssl_options=ssl_options)
                self.assertIs(server.ssl_options, ssl_options)
                server.listen(0, LOCAL)
                self.check_tls_echo(*self.addresses(server))
                self.assertIsInstance(server.streams[0], SSLIOStream)
                self.assertEqual(len(server.addresses[0]), 2)

    def test_wrong_options(self) -> None:
        rows: list[tuple[str, dict[str, Any], str]] = [
            ("none", {}, "no 'certfile'"),
            ("empty", {"certfile": None, "keyfile": self.key}, "no 'certfile'"),
            ("missing", {"certfile": "/nowhere/server.crt"}, "/nowhere/server.crt.*No such file"),
            ("not one", {"certfile": self.key}, self.key),
            ("no key", {"certfile": self.certificate}, self.certificate),
        ]
        for name, options, message in rows:
            with self.subTest(name), self.assertRaisesRegex(ValueError, message):
                TCPServer(self.loop, options)
        with self.assertRaises(ValueError) as caught:
            TCPServer(self.loop, {"certfile": "/nowhere/server.crt", "password": "sesame"})
        self.assertNotIn("sesame", str(caught.exception))

    def test_a_connection_that_was_reset(self) -> None:
        server = self.make_server(ssl_options={"certfile": self.certificate, "keyfile": self.key})
        server.listen(0, LOCAL)
        (address,) = self.addresses(server)
        for data in (b"", b"GET / HTTP/1.0\r\n\r\n"):
            (client,) = self.connect(address)
            client.sendall(data)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        with ExpectLog("tornado.netutil", r"connection from .'127.0.0.1', \d+. failed", level=20):
            self.run_turns(5)
        self.check_tls_echo(address)


PREAMBLE = """
import functools, logging, os, resource, socket
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
from tornado import netutil, process
from tornado.ioloop import IOLoop
from tornado.netutil import TCPServer, Resolver, add_accept_handler, bind_sockets

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""


def program(script: str) -> Program:
    """Start *script*, after PREAMBLE, in an interpreter to which every warning is an error."""
    code = shlex.quote(PREAMBLE + textwrap.dedent(script))
    return Program(f"exec {shlex.quote(sys.executable)} -W error -c {code}")


class ProcessesTest(SocketTest):
    def test_forked_servers(self) -> None:
        """Both workers answer, and the successor of one that is killed does."""
        script = """
            class OneAnswer(TCPServer):
                def handle_stream(self, stream, address):
                    self.stop()  # so the next connection is another worker's
                    stream.write(f"{process.task_id()} {os.getpid()}".encode())
                    stream.read_until_close(lambda data: None)

            process.RESTART_DELAY = 0.0
            server = OneAnswer()
            server.bind(0, "127.0.0.1")
            say("port", server._pending[0].getsockname()[1])
            server.start(2)
            IOLoop.instance().start()
        """
        with program(script) as running:
            address = (LOCAL, int(running.wait_for(r"port (\d+)\n")[1]))
            answers = [self.connect(address)[0].recv(100).split() for _ in range(2)]
            self.assertEqual(sorted(task for task, _ in answers), [b"0", b"1"])
            os.kill(int(answers[1][1]), signal.SIGKILL)
            third = self.connect(address)[0].recv(100).split()
            self.assertEqual(third[0], answers[1][0])
            self.assertNotIn(third[1], [pid for _, pid in answers])

    def test_a_worker_leaves_the_others_some(self) -> None:
        script = """
            import collections, select
            (listener,) = bind_sockets(0, "127.0.0.1")
            clients = [socket.create_connection(listener.getsockname()) for _ in range(20)]
            process.fork_processes(1)
            turns = collections.Counter()

            def on_connection(connection, address):
                connection.close()
                turns[loop._turn] += 1
                if sum(turns.values()) == 20:
                    loop.stop()

            class Spy:
                def __init__(self, epoll):
                    self.epoll = epoll
                def register(self, fd, events):
                    if fd == listener.fileno():
                        say("exclusive", bool(events & select.EPOLLEXCLUSIVE))
                    self.epoll.register(fd, events)
                def __getattr__(self, name):
                    return getattr(self.epoll, name)

            loop = IOLoop(Spy(select.epoll()))
            add_accept_handler(listener, on_connection, loop)
            loop.start()
            say("accepted", *turns.values())
            for sock in clients:
                sock.close()
        """
        with program(script) as running:
            self.assertEqual(running.wait(), 0, running.output())
            self.assertIn("accepted 8 8 4\n", running.output())
            self.assertIn("exclusive True\n", running.output())

    def test_no_fork_beside_a_loop(self) -> None:
        script = """
            IOLoop.instance()
            server = TCPServer()
            server.bind(0)
            try:
                server.start(2)
            except AssertionError as error:
                say(error)
            server.stop()
        """
        with program(script) as running:
            self.assertEqual(running.wait(), 0, running.output())
            self.assertRegex(running.output(), "there is an IOLoop.*call it before")

    def test_out_of_descriptors(self) -> None:
        """200 clients of a server that may open 64 files: it waits without spinning, then recovers."""
        script = """
            netutil.ACCEPT_PAUSE = 0.02
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

            class TurnCounter(TCPServer):
                def handle_stream(self, stream, address):
                    def on_question(line):
                        loop._call_at(loop._monotonic() + 0.2, functools.partial(answer, loop._turn))
                    def answer(turn):
                        stream.write(str(loop._turn - turn).encode())
                        stream.read_until(b"\\n", on_question)
                    stream.read_until(b"\\n", on_question)

            loop = IOLoop.instance()
            server = TurnCounter()
            server.listen(0, "127.0.0.1")
            say("port", *[sock.getsockname()[1] for sock in server._sockets.values()])
            loop.start()
        """
        with program(script) as running:
            address = (LOCAL, int(running.wait_for(r"port (\d+)\n")[1]))
            (control,) = self.connect(address)
            control.sendall(b"\n")
            control.recv(100)
            clients = self.connect(address, 200)
            running.wait_for("WARNING cannot accept on .*Too many open files")
            control.sendall(b"\n")
            # There is time for ten pauses, each of which is a turn at its end and one for the next failure.
            self.assertLess(int(control.recv(100)), 30)
            for client in clients:
                client.close()
            (late,) = self.connect(address)
            late.sendall(b"\n")
            self.assertTrue(late.recv(100))
            self.assertEqual(running.output().count("WARNING"), 1)


class ResolverTest(LoopTest):
    def setUp(self) -> None:
        super().setUp()
        self.answers: list[Answer] = []

    def on_answer(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.loop.stop()

    def resolve(self, host: str, port: int = 80, family: int = socket.AF_UNSPEC) -> netutil.Lookup:
        return Resolver(self.loop).resolve(host, port, family, self.on_answer)

    def test_numeric_addresses(self) -> None:
        rows: list[tuple[str, tuple[int, Any]]] = [
            ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 80))),
            ("192.0.2.1", (socket.AF_INET, ("192.0.2.1", 80))),
            ("::1", (socket.AF_INET6, ("::1", 80, 0, 0))),
            ("2001:db8::1", (socket.AF_INET6, ("2001:db8::1", 80, 0, 0))),
        ]
        for host, expected in rows:
            with self.subTest(host), mock.patch("threading.Thread", side_effect=AssertionError("a thread")):
                self.resolve(host)
                self.assertEqual(self.answers, [], "not inside the call")
                self.run_loop()
                self.assertEqual(self.answers.pop(), [expected])

    def test_a_name(self) -> None:
        self.resolve("localhost", 8888, socket.AF_INET)
        self.run_loop()
        self.assertEqual(self.answers, [[(socket.AF_INET, (LOCAL, 8888))]])
        (answer,) = self.answers
        assert isinstance(answer, list)
        with socket.socket(answer[0][0]) as sock, self.assertRaises(ConnectionRefusedError):
            sock.connect((answer[0][1][0], self.closed_port()))

    def closed_port(self) -> int:
        (sock,) = bind_sockets(0, LOCAL)
        with sock:
            return port_of(sock)

    def test_failures(self) -> None:
        rows: list[tuple[str, str, int, type[Exception]]] = [
            ("other family", "::1", socket.AF_INET, socket.gaierror),
            ("label too long", "x" * 64, socket.AF_UNSPEC, UnicodeError),
            ("nul", "127.0.0.1\0.example.com", socket.AF_UNSPEC, ValueError),
        ]
        for name, host, family, kind in rows:
            with self.subTest(name):
                self.resolve(host, 80, family)
                self.run_loop()
                self.assertIsInstance(self.answers.pop(), kind)

    def test_no_garbage(self) -> None:
        self.resolve("x" * 64)
        self.run_loop()
        self.wait_for_threads()
        gc.collect()
        self.resolve("x" * 64)
        self.run_loop()
        self.answers.clear()
        self.wait_for_threads()
        self.assertEqual(gc.collect(), 0)

    def wait_for_threads(self) -> None:
        for thread in threading.enumerate():
            if thread.name == "tornado-resolver":
                thread.join(PATIENCE)
                self.assertFalse(thread.is_alive(), "it ends when there is nothing to do")

    def test_contexts(self) -> None:
        for host in ("127.0.0.1", "localhost"):
            with self.subTest(host):
                caught: list[str] = []

                def on_error(kind: Any, error: Any, trace: Any, caught: list[str] = caught) -> bool:
                    caught.append(str(error))
                    self.loop.stop()
                    return True

                def callback(answer: Answer) -> None:
                    raise ValueError("mine")

                with ExceptionStackContext(on_error):
                    Resolver(self.loop).resolve(host, 80, socket.AF_UNSPEC, callback)
                self.run_loop()
                self.assertEqual(caught, ["mine"])

    def test_cancel_after_the_answer(self) -> None:
        for host in ("127.0.0.1", "localhost"):
            with self.subTest(host):
                lookup = self.resolve(host)
                self.wait_for_threads()  # the answer is queued in the loop
                lookup.cancel()
                lookup.cancel()
                self.run_turns(3)
                self.assertEqual(self.answers, [])

    def blocked_names(self) -> tuple[threading.Event, list[str]]:
        """Have look-ups of names wait for the event; return the names that were asked for."""
        gate = threading.Event()
        asked: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: str, port: int, family: int, kind: int, proto: int, flags: int) -> Any:
            if flags & socket.AI_NUMERICHOST:
                return real(host, port, family, kind, proto, flags)
            asked.append(host)
            gate.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_NONAME, f"no {host}")

        self.enterContext(mock.patch.object(socket, "getaddrinfo", getaddrinfo))
        self.addCleanup(self.wait_for_threads)
        self.addCleanup(gate.set)
        return gate, asked

    def test_many_at_once(self) -> None:
        gate, asked = self.blocked_names()
        lookups = [self.resolve(f"host{number}") for number in range(netutil.MAX_LOOKUPS + 4)]
        self.resolve(LOCAL)
        self.run_loop()
        self.assertEqual(len(self.answers), 1, "a numeric address does not wait for the threads")
        while len(asked) < netutil.MAX_LOOKUPS:
            self.run_turns(1)
        running = [thread for thread in threading.enumerate() if thread.name == "tornado-resolver"]
        self.assertEqual(len(running), netutil.MAX_LOOKUPS)
        self.assertTrue(all(thread.daemon for thread in running))
        lookups[0].cancel()  # under way
        lookups[-1].cancel()  # still in the queue
        gate.set()
        while len(self.answers) < netutil.MAX_LOOKUPS + 3:
            self.run_loop()
        self.wait_for_threads()
        self.run_turns(3)
        self.assertEqual(len(self.answers), netutil.MAX_LOOKUPS + 3)
        self.assertEqual(set(asked), {f"host{number}" for number in range(netutil.MAX_LOOKUPS + 3)})

    def test_first_come_first_served(self) -> None:
        gate, asked = self.blocked_names()
        hosts = [f"host{number}" for number in range(5)]
        with mock.patch.object(netutil, "MAX_LOOKUPS", 1):
            for host in hosts:
                self.resolve(host)
        gate.set()
        while len(self.answers) < len(hosts):
            self.run_loop()
        self.assertEqual(asked, hosts)

    def test_no_more_threads(self) -> None:
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            for _ in range(netutil.MAX_LOOKUPS + 1):
                self.resolve("localhost")
                self.run_loop()
                self.assertRegex(str(self.answers.pop()), "new thread")
        self.resolve("localhost")
        self.run_loop()
        self.assertIsInstance(self.answers.pop(), list)

    def test_it_keeps_no_process_alive(self) -> None:
        script = """
            import threading
            real = socket.getaddrinfo
            def getaddrinfo(*args):
                if args[-1]:
                    return real(*args)
                asked.set()
                threading.Event().wait()
            asked = threading.Event()
            socket.getaddrinfo = getaddrinfo
            Resolver().resolve("localhost", 80, 0, print)
            asked.wait()
            say("bye")
        """
        with program(script) as running:
            self.assertEqual(running.wait(), 0, running.output())
            self.assertEqual(running.output(), "bye\n")

    def test_in_a_forked_process(self) -> None:
        """The threads are the parent's; the child has its own."""
        script = """
            import threading, warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # we know what we do
            real = socket.getaddrinfo
            def getaddrinfo(*args):
                if args[-1] or args[0] == "localhost":
                    return real(*args)
                threading.Event().wait()
            socket.getaddrinfo = getaddrinfo
            parents = IOLoop()
            for _ in range(netutil.MAX_LOOKUPS + 1):
                Resolver(parents).resolve("elsewhere", 80, 0, print)
            if os.fork():
                os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
            loop = IOLoop()
            def on_answer(answer):
                say(*answer[0][1])
                loop.stop()
            Resolver(loop).resolve("localhost", 80, socket.AF_INET, on_answer)
            loop.start()
            os._exit(0)
        """
        with program(script) as running:
            self.assertEqual(running.wait(), 0, running.output())
            self.assertEqual(running.output(), "127.0.0.1 80\n")


if __name__ == "__main__":
    unittest.main()
