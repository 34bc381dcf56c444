"""Listening sockets, a server that turns what they accept into streams, and the look-up of host names.

A server that repeats each line it is sent::

    class EchoServer(TCPServer):
        def handle_stream(self, stream, address):
            stream.read_until(b"\\n", functools.partial(self._on_line, stream, address))

        def _on_line(self, stream, address, line):
            stream.write(line)
            self.handle_stream(stream, address)

    EchoServer().listen(8888)
    IOLoop.instance().start()

`tornado.httpserver` is such a server for HTTP; `tornado.iostream` has the streams, and `tornado.process`
forks the workers of `TCPServer.start`.
"""

import collections
import errno
import functools
import logging
import os
import select
import socket
import ssl
import stat
import threading
from collections.abc import Callable, Iterable
from typing import Any

from tornado import process, stack_context
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream, _ssl_context
from tornado.util import UsageError

log = logging.getLogger(__name__)

DEFAULT_BACKLOG = 1024  # connections that the kernel holds until we accept them
MAX_ACCEPTS = 100  # connections taken in one turn of the loop, before others have theirs
MAX_SHARED_ACCEPTS = 8  # the same where workers share the socket: leave the others some
ACCEPT_PAUSE = 1.0  # seconds without a look at a listening socket after accept() failed
ACCEPT_WARNING_INTERVAL = 60.0  # seconds between two warnings about that
PORT_ATTEMPTS = 8  # ports tried, for port 0, until one is free in all address families
MAX_LOOKUPS = 8  # threads; each waits for one answer of the resolver

# A connection ended before it was accepted, or the network failed it (accept(2)): the next may be fine.
_PASSING = {
    errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR, errno.ENOPROTOOPT, errno.ENETDOWN,
    errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT,
}  # fmt: skip

_ADVICE = {
    errno.EADDRINUSE: "stop the program that listens there, or choose another place",
    errno.EADDRNOTAVAIL: "use an address of this machine, or '' for all it has",
    errno.EACCES: "a port below 1024 needs root or CAP_NET_BIND_SERVICE, a unix socket a writable directory",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files (fs.file-max)",
}


# -- listening --


def bind_sockets(
    port: int,
    address: str | None = None,
    family: int = socket.AF_UNSPEC,
    backlog: int = DEFAULT_BACKLOG,
) -> list[socket.socket]:
    """Return sockets that listen on *port*: one for each address that *address* stands for.

    *address* is a numeric address, or a host name that is looked up now; None and "" stand for all
    interfaces, which is two sockets where there is IPv6.  *family* ``socket.AF_INET`` or ``AF_INET6``
    restricts that.  Port 0 has the kernel choose one, the same for all the sockets: ask with
    ``getsockname()[1]``.  *backlog* is how many connections may wait to be accepted.

    The sockets are non-blocking and not inherited by other programs.  Raises OSError, with the address
    and the port in its message, when one cannot be bound; the others are closed then.
    """
    addresses = _addresses(port, address, family)
    for _ in range(PORT_ATTEMPTS - 1):
        try:
            return _bind_all(addresses, backlog)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or addresses[0][1][1] != 0:
                raise
    return _bind_all(addresses, backlog)


def _addresses(port: int, address: str | None, family: int) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(
            address or None, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP, socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        message = f"cannot listen on {address!r}, port {port!r}: {error.strerror}"
        raise socket.gaierror(error.errno, message) from error
    # A name may be there twice in /etc/hosts.
    return list(dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found))


def _bind_all(addresses: list[tuple[int, Any]], backlog: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    port = addresses[0][1][1]
    try:
        for family, (host, _, *rest) in addresses:
            try:
                sock = _listen(family, (host, port, *rest), f"{host}, port {port}", backlog)
            except OSError as error:
                if not _family_missing(family, error):
                    raise
                missing = error
            else:
                sockets.append(sock)
                port = sock.getsockname()[1]
        if missing is not None and not sockets:
            raise missing
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _family_missing(family: int, error: OSError) -> bool:
    """Whether the system does not speak *family*, or IPv6 is switched off: other addresses may do."""
    return error.errno == errno.EAFNOSUPPORT or (
        family == socket.AF_INET6 and error.errno == errno.EADDRNOTAVAIL
    )


def _listen(family: int, address: Any, where: str, backlog: int, mode: int | None = None) -> socket.socket:
    sock = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own. One for both would report clients as ::ffff:192.0.2.1.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        if mode is not None:
            os.chmod(address, mode)  # nobody can connect before listen(), whatever the mode was so far
        sock.listen(backlog)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise _refusal(error, where) from error
    return sock


def _refusal(error: OSError, where: str) -> OSError:
    return OSError(error.errno or errno.EINVAL, f"cannot listen on {where}: {_explain(error)}")


def _explain(error: OSError) -> str:
    reason = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0)
    return f"{reason}; {advice}" if advice else reason


def bind_unix_socket(
    file: str | os.PathLike[str], mode: int = 0o600, backlog: int = DEFAULT_BACKLOG
) -> socket.socket:
    """Return a socket that listens on the path *file*, for who may write to a file with *mode*.

    A socket that was left at *file* by a program that no longer runs is replaced.  Raises OSError when
    a program still listens there or the path cannot be used, ValueError when *file* is something else
    than a socket.  The path stays when the socket is closed.
    """
    path = os.fspath(file)
    where = f"the unix socket {path!r}"
    try:
        _remove_stale(path)
    except OSError as error:
        raise _refusal(error, where) from error
    return _listen(socket.AF_UNIX, path, where, backlog, mode)


def _remove_stale(path: str) -> None:
    """Remove a socket at *path* that nobody listens on."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ValueError(f"cannot listen on {path!r}: there is a file that is no socket; remove it yourself")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        # Only a refusal proves that nobody is there: a full backlog or a missing permission do not.
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    os.remove(path)


# -- accepting --


def add_accept_handler(
    sock: socket.socket,
    callback: Callable[[socket.socket, Any], Any],
    io_loop: IOLoop | None = None,
) -> None:
    """Call ``callback(connection, address)`` from the loop for each connection that *sock* gets.

    *sock* listens, as `bind_sockets` makes it.  *connection* is blocking until an `IOStream` is made of
    it; for TCP it sends small packets at once (TCP_NODELAY).  *address* is what ``socket.accept``
    returns.  *io_loop* is `IOLoop.instance()` by default.  `IOLoop.remove_handler` ends it; closing *sock*
    is the caller's part.

    The callback runs without stack contexts.  When it raises, its connection is closed and the exception
    goes to `IOLoop.handle_callback_exception`.  While connections cannot be accepted, for want of file
    descriptors for one, it is tried again each second, and a warning is logged once a minute.
    """
    _Listener(sock, callback, io_loop or IOLoop.instance()).start()


class _Listener:
    """A listening socket in a loop."""

    _quiet_until = 0.0  # when the next warning may be logged, for all listeners of this process

    def __init__(
        self, sock: socket.socket, callback: Callable[[socket.socket, Any], Any], io_loop: IOLoop
    ) -> None:
        self._socket = sock
        self._fd = sock.fileno()
        self._kind = (sock.family, sock.type, sock.proto)
        self._callback = callback
        self._io_loop = io_loop
        self._events = IOLoop.READ
        self._paused = False
        self._batch = MAX_ACCEPTS
        if process.task_id() is not None:
            # One worker is woken for a connection, not all; those that accept little share the long ones.
            self._events |= getattr(select, "EPOLLEXCLUSIVE", 0)
            self._batch = MAX_SHARED_ACCEPTS

    def start(self) -> None:
        self._socket.setblocking(False)  # it may come from elsewhere, or be shared: accept() must not wait
        if self._socket.family in (socket.AF_INET, socket.AF_INET6):
            # Accepted sockets inherit it: no system call for each, and none that a dead one could refuse.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._io_loop._add_handler(self._fd, self._accept, self._events, self._socket.close)

    def _accept(self, fd: int, events: int) -> None:
        for _ in range(self._batch):
            try:
                # socket.accept() without its search for two enum members, a quarter of its time.
                connection_fd, address = self._socket._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _PASSING:
                    continue
                self.pause(error)
                return
            self._hand_over(socket.socket(*self._kind, connection_fd), address)
            if self._paused or not self._watched():
                return

    def _hand_over(self, connection: socket.socket, address: Any) -> None:
        try:
            self._callback(connection, address)
        except Exception:
            connection.close()
            self._io_loop.handle_callback_exception(self._callback)

    def _watched(self) -> bool:
        """Whether nobody has removed the handler or put another in its place."""
        return self._io_loop._handlers.get(self._fd) == self._accept

    def pause(self, error: OSError) -> None:
        """Leave the socket alone for a while, because of *error*."""
        if self._paused or self._socket.fileno() < 0:
            return
        self._paused = True
        # The handler stays with the loop, which finds it when it is removed or when all are closed.
        self._io_loop._impl.unregister(self._fd)
        now = self._io_loop._monotonic()
        self._io_loop._call_at(now + ACCEPT_PAUSE, self._resume)
        if now >= _Listener._quiet_until:
            _Listener._quiet_until = now + ACCEPT_WARNING_INTERVAL
            address = self._socket.getsockname()
            log.warning("cannot accept on %r, will try each second: %s", address, _explain(error))

    def _resume(self) -> None:
        self._paused = False
        if self._watched():
            self._io_loop._impl.register(self._fd, self._events)


class TCPServer:
    """Accepts connections and makes a stream of each; a subclass says in `handle_stream` what for.

    One process, on one port::

        server.listen(8888)

    A worker for each processor::

        server.bind(8888)
        server.start(0)  # forks

    Or with more say in between, as when several servers share workers: `bind_sockets`, then
    `process.fork_processes`, then `add_sockets`.  In each case `IOLoop.start` comes last.

    *io_loop* is `IOLoop.instance()` by default, looked up when listening begins, so that forking is
    possible until then; None in the attribute before.  With *ssl_options* the server speaks TLS: an
    `ssl.SSLContext`, or a dict with the keywords of the former ``ssl.wrap_socket``, of which "certfile" is
    needed.  Files that cannot be loaded raise ValueError at once.
    """

    def __init__(
        self, io_loop: IOLoop | None = None, ssl_options: dict[str, Any] | ssl.SSLContext | None = None
    ) -> None:
        self.io_loop = io_loop
        self.ssl_options = ssl_options
        self._ssl_context = None if ssl_options is None else _server_context(ssl_options)
        self._sockets: dict[int, socket.socket] = {}  # by descriptor, those that are accepted from
        self._listeners: dict[int, _Listener] = {}
        self._pending: list[socket.socket] = []  # bound, until start()
        self._started = False

    def listen(self, port: int, address: str = "") -> None:
        """Accept connections on *port* from now on.  May be called several times.

        Arguments and exceptions are those of `bind_sockets`.
        """
        self.add_sockets(bind_sockets(port, address=address))

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on listening *sockets*, as `bind_sockets` returns them, from now on."""
        for sock in sockets:
            self.add_socket(sock)

    def add_socket(self, socket: socket.socket) -> None:
        """Accept connections on one listening *socket* from now on."""
        if self.io_loop is None:
            self.io_loop = IOLoop.instance()
        self._listeners[socket.fileno()] = listener = _Listener(socket, self._on_connection, self.io_loop)
        listener.start()
        self._sockets[socket.fileno()] = socket

    def bind(
        self,
        port: int,
        address: str | None = None,
        family: int = socket.AF_UNSPEC,
        backlog: int = DEFAULT_BACKLOG,
    ) -> None:
        """Listen on *port*, and accept connections once `start` is called; at once if the server runs.

        May be called several times.  Arguments and exceptions are those of `bind_sockets`.
        """
        sockets = bind_sockets(port, address, family, backlog)
        if self._started or self._sockets:
            self.add_sockets(sockets)
        else:
            self._pending.extend(sockets)

    def start(self, num_processes: int | None = 1) -> None:
        """Accept connections on what was given to `bind`, in *num_processes* processes.

        1 is this process.  More are forked (see `process.fork_processes`): each returns from here, and
        this process stays behind to look after them.  None, 0 and less stand for `process.cpu_count`.

        Raises `UsageError` when called a second time, and when it would fork although the server has a
        loop or `IOLoop.instance` was used.
        """
        if self._started:
            raise UsageError("start() was called before: call bind() or listen() to add a port")
        count = process.cpu_count() if num_processes is None or num_processes <= 0 else num_processes
        if count > 1:
            if self.io_loop is not None or IOLoop.initialized():
                raise UsageError(
                    f"start({num_processes}) cannot fork, because there is an IOLoop and processes cannot"
                    " share one; call it before IOLoop.instance(), give the server no io_loop, and use"
                    " bind() instead of listen()"
                )
            process.fork_processes(count)
        self._started = True
        pending, self._pending = self._pending, []
        self.add_sockets(pending)

    def stop(self) -> None:
        """Close the listening sockets.  Connections go on; called again it does nothing."""
        sockets, self._sockets = self._sockets, {}
        self._listeners.clear()
        for fd, sock in sockets.items():
            if self.io_loop is not None:
                self.io_loop.remove_handler(fd)
            sock.close()
        pending, self._pending = self._pending, []
        for sock in pending:
            sock.close()

    def _pause_accepting(self, reason: OSError) -> None:
        """Look at the listening sockets again in a second only, for want of what *reason* says."""
        for listener in self._listeners.values():
            listener.pause(reason)

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Called from the loop for each new connection; to be overridden.

        *stream* is an `IOStream` or, with TLS, an `SSLIOStream` whose handshake begins with the first
        read or write.  *address* is the peer's as in ``socket.accept``: (host, port) for IPv4, (host,
        port, flow, scope) for IPv6, "" for a unix socket.  An exception is logged and closes *stream*.
        """
        raise UsageError(f"{type(self).__name__} has to override handle_stream(stream, address)")

    def _on_connection(self, connection: socket.socket, address: Any) -> None:
        try:
            stream = self._make_stream(connection)
        except OSError as error:  # a peer that went away at once
            log.info("connection from %r failed: %s", address, error)
            connection.close()
            return
        try:
            self.handle_stream(stream, address)
        except Exception:
            log.error("handle_stream() failed for the connection from %r", address, exc_info=True)
            stream.close()

    def _make_stream(self, connection: socket.socket) -> IOStream:
        if self._ssl_context is None:
            return IOStream(connection, self.io_loop)
        connection.getpeername()  # raises if the peer is gone: wrap_socket() before 3.13 leaks the socket
        wrapped = self._ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return SSLIOStream(wrapped, self.io_loop)


def _server_context(options: dict[str, Any] | ssl.SSLContext) -> ssl.SSLContext:
    if isinstance(options, ssl.SSLContext):
        return options
    if not options.get("certfile"):
        raise ValueError("ssl_options has no 'certfile', and a TLS server needs a certificate")
    try:
        return _ssl_context(options, server_side=True)
    except OSError as error:
        files = {name: options[name] for name in ("certfile", "keyfile", "ca_certs") if name in options}
        raise ValueError(f"ssl_options has files that cannot be loaded, {files}: {error}") from error


# -- host names --

Addresses = list[tuple[int, Any]]
Answer = Addresses | Exception


class Resolver:
    """Looks host names up without blocking the loop::

        lookup = Resolver(loop).resolve("example.com", 80, socket.AF_UNSPEC, on_answer)

    The system's own resolver is asked, which blocks, on a few threads that all resolvers share.  They end
    when there is nothing to do, and do not keep the process from ending.
    """

    def __init__(self, io_loop: IOLoop | None = None) -> None:
        self.io_loop = io_loop or IOLoop.instance()

    def resolve(self, host: str, port: int, family: int, callback: Callable[[Answer], Any]) -> "Lookup":
        """Call ``callback(answer)`` from the loop, in the stack contexts of this call.

        *answer* is a list of (family, address) as `socket.connect` takes them, the best first, or the
        exception that the look-up ended with (`socket.gaierror` for an unknown name).  *family* is
        ``socket.AF_UNSPEC``, ``AF_INET`` or ``AF_INET6``.  There is no time-out: cancel what is returned.
        """
        lookup = Lookup(self.io_loop, (host, port, family), stack_context.wrap(callback))
        if not lookup._ask_numeric():
            _threads.add(lookup)
        return lookup


class Lookup:
    """One look-up under way, for `cancel`."""

    def __init__(
        self, io_loop: IOLoop, query: tuple[str, int, int], callback: Callable[[Answer], Any]
    ) -> None:
        self._io_loop = io_loop
        self._query = query
        self._callback: Callable[[Answer], Any] | None = callback

    def cancel(self) -> None:
        """Call nothing any more.  Call this on the loop's thread, if need be after the answer."""
        self._callback = None
        _threads.discard(self)

    def _ask(self, flags: int = 0) -> Addresses:
        host, port, family = self._query
        if "\0" in host:  # the C library would see the part before it: another host
            raise ValueError(f"host name {host[:80]!r} contains a NUL character")
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP, flags)
        return [(family, sockaddr) for family, _, _, _, sockaddr in found]

    def _ask_numeric(self) -> bool:
        """Answer at once if the host is a numeric address, which takes no waiting; return whether it is."""
        try:
            answer = self._ask(socket.AI_NUMERICHOST)
        except Exception:  # asked for as a name, it ends alike if there is more to it
            return False
        self._finish(answer)
        return True

    def _run(self) -> None:
        """Ask, on a thread."""
        try:
            self._finish(self._ask())
        except Exception as error:
            self._finish(error)  # kept in no name: it keeps this frame, and neither would be freed

    def _finish(self, answer: Answer) -> None:
        self._io_loop.add_callback(functools.partial(self._deliver, answer))

    def _deliver(self, answer: Answer) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(answer)


class _Threads:
    """Up to MAX_LOOKUPS daemon threads that run look-ups, and end once none waits.

    Beside a look-up a thread costs little to start; and a process without threads can fork.
    `concurrent.futures` would not do: its threads are waited for when the process ends.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew; in a forked process, which has neither the threads nor the loops of its parent."""
        self._lock = threading.Lock()
        self._waiting: collections.OrderedDict[Lookup, None] = collections.OrderedDict()
        self._running = 0

    def add(self, lookup: Lookup) -> None:
        with self._lock:
            self._waiting[lookup] = None
            if self._running == MAX_LOOKUPS:
                return
            self._running += 1
        try:
            threading.Thread(target=self._run, name="tornado-resolver", daemon=True).start()
        except RuntimeError as error:  # the system allows no more of them
            with self._lock:
                self._running -= 1
            if self.discard(lookup):
                lookup._finish(error)

    def discard(self, lookup: Lookup) -> bool:
        """Take *lookup* from the queue; return whether it was there."""
        with self._lock:
            return self._waiting.pop(lookup, self) is None

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                lookup, _ = self._waiting.popitem(last=False)
            lookup._run()


_threads = _Threads()
os.register_at_fork(after_in_child=_threads.forget)
