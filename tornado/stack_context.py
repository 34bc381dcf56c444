"""State that follows a chain of callbacks, as a `with` block follows a chain of calls.

The use that matters most: an exception raised *anywhere later* in what a request started ends as an
error page of that request::

    with ExceptionStackContext(self._on_exception):
        http_client.fetch(url, callback)        # an exception in callback reaches _on_exception

Whatever stores a callback to call it later passes it through `wrap` first; the loop, the streams and
the clients do.  A library with callback queues of its own must do so too.

The active contexts are an immutable tuple in one `ContextVar`.  It is set and reset around every
wrapped call rather than entered with `Context.run`, which refuses to be entered twice: a callback may
well run a second loop.
"""

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar, Union, cast

ExceptionHandler = Callable[[type[BaseException], BaseException, TracebackType | None], Any]
_Contexts = tuple[Union["StackContext", "ExceptionStackContext", "_Guard"], ...]
_Fn = TypeVar("_Fn", bound=Callable[..., Any] | None)

_active: ContextVar[_Contexts] = ContextVar("stack_context", default=())


class _Block:
    """The part `StackContext`, `ExceptionStackContext` and `NullContext` share: being a `with` block."""

    _token: Token[_Contexts]

    def _push(self, contexts: _Contexts) -> None:
        self._token = _active.set(contexts)
        self._contexts = contexts

    def _pop(self) -> None:
        inside = _active.get()
        expected, self._contexts = self._contexts, ()
        if inside[: len(expected)] == expected:  # else this block is not at work: leave those that are
            _active.reset(self._token)
        if inside is not expected:
            raise RuntimeError(
                f"{type(self).__name__} was left while another context was active: a generator probably"
                " yielded inside the 'with' block; leave the block before the yield"
            )


class StackContext(_Block):
    """Makes a context manager follow every callback registered inside the `with` block.

    *context_factory* is a callable that returns a context manager: one is entered now, and a new one
    around each callback that was wrapped inside the block.  `with StackContext(f) as deactivate:` gives
    a function that stops the context from being carried any further.
    """

    def __init__(
        self,
        context_factory: Callable[[], AbstractContextManager[Any]],
        _active_cell: list[bool] | None = None,
    ) -> None:
        self.context_factory = context_factory
        self.active_cell = [True] if _active_cell is None else _active_cell

    def __enter__(self) -> Callable[[], None]:
        self._push((*_active.get(), self))
        try:
            self._context = self.context_factory()
            self._context.__enter__()
        except BaseException:
            self._pop()
            raise
        return functools.partial(_deactivate, self.active_cell)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            return bool(self._context.__exit__(kind, value, trace))
        finally:
            del self._context
            self._pop()


class ExceptionStackContext(_Block):
    """Hands exceptions of the `with` block, and of every callback registered in it, to a handler.

    *exception_handler* is called with ``(type, value, traceback)``; when it returns true the exception
    is handled, otherwise the next outer context sees it.  Cheaper than the same done with `StackContext`.
    """

    def __init__(self, exception_handler: ExceptionHandler, _active_cell: list[bool] | None = None) -> None:
        self.exception_handler = exception_handler
        self.active_cell = [True] if _active_cell is None else _active_cell

    def __enter__(self) -> Callable[[], None]:
        self._push((*_active.get(), self))
        return functools.partial(_deactivate, self.active_cell)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            return self._offer(kind, value, trace)
        finally:
            self._pop()

    def _offer(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if kind is None or value is None:
            return False
        return bool(self.exception_handler(kind, value, trace))


class _Guard:
    """What a class inherits whose instances are exception contexts themselves.

    `tornado.web.RequestHandler` is one: with `_enter` and `_leave` around it a request costs two calls
    and no object, where `ExceptionStackContext` would do the same.
    """

    active_cell = [True]

    def _offer(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Handle the exception; return whether it is handled."""
        return False


def _enter(guard: _Guard) -> Token[_Contexts]:
    """Make *guard* the innermost context, until `_leave` is called with the token this returns."""
    return _active.set((*_active.get(), guard))


_leave = _active.reset


def _innermost() -> object:
    """The innermost active context, None without one."""
    contexts = _active.get()
    return contexts[-1] if contexts else None


class NullContext(_Block):
    """A `with` block in which no context is active.

    For what is made on demand in one request and then shared by others, such as a pooled connection:
    its callbacks must not carry the contexts of whoever came first.
    """

    def __enter__(self) -> None:
        self._push(())

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pop()


def _deactivate(cell: list[bool]) -> None:
    cell[0] = False


class _Wrapped(functools.partial[Any]):
    """A function with its contexts; a class of its own so that `wrap` knows its own work."""


def wrap(fn: _Fn) -> _Fn:
    """Return a callable that runs *fn* in the contexts active now, from wherever it is called.

    *fn* itself comes back, untouched, when no context is active, when it is wrapped already and when it
    is None.  The wrapped callable returns what *fn* returns, or None when a context swallowed an
    exception.  It may be called on another thread.
    """
    contexts = _active.get()
    if not contexts or fn is None or type(fn) is _Wrapped:
        return fn
    for context in contexts:
        if not context.active_cell[0]:
            contexts = tuple(context for context in contexts if context.active_cell[0])
            break
    if not contexts:
        return fn
    return cast(_Fn, _Wrapped(_call, contexts, fn))


def _call(contexts: _Contexts, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call *fn* inside *contexts*: those active already are not entered again.

    When the active contexts are not the beginning of *contexts* they are set aside first.
    """
    current = _active.get()
    if current is contexts:
        return fn(*args, **kwargs)
    size = len(current)
    missing = contexts[size:] if contexts[:size] == current else contexts
    token = _active.set(contexts)
    try:
        return _call_within(missing, fn, args, kwargs)
    finally:
        _active.reset(token)


def _call_within(
    missing: _Contexts, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Enter *missing* from the outside in, then call.

    Recursion rather than an ExitStack, whose frame and exception keep each other alive when a handler raises.
    """
    if not missing:
        return fn(*args, **kwargs)
    context, inner = missing[0], missing[1:]
    if not context.active_cell[0]:
        return _call_within(inner, fn, args, kwargs)
    if isinstance(context, StackContext):
        with context.context_factory():
            return _call_within(inner, fn, args, kwargs)
        return None  # the context manager swallowed an exception
    try:
        return _call_within(inner, fn, args, kwargs)
    except BaseException:
        if not context._offer(*sys.exc_info()):
            raise
    return None
