"""Contexts that follow callbacks: what is entered when, who sees an exception, and what is left behind."""

import contextlib
import contextvars
import functools
import gc
import itertools
import threading
import traceback
import unittest
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any

from tornado import stack_context
from tornado.ioloop import IOLoop
from tornado.stack_context import ExceptionStackContext, NullContext, StackContext, wrap
from tornado.test.util import ExpectLog, FakeLoop

Block = StackContext | ExceptionStackContext | NullContext

request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="nobody")


def active() -> tuple[Any, ...]:
    return stack_context._active.get()


def nothing() -> None:
    pass


def boom(message: str = "boom") -> None:
    raise ValueError(message)


def in_thread(function: Callable[[], Any]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


class Recorder:
    """Makes contexts with names, and writes down what happens to them."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def taken(self) -> list[str]:
        events, self.events = self.events, []
        return events

    @contextlib.contextmanager
    def _context(self, name: str) -> Iterator[None]:
        self.events.append(f"+{name}")
        try:
            yield
        finally:
            self.events.append(f"-{name}")

    def context(self, name: str) -> StackContext:
        return StackContext(functools.partial(self._context, name))

    def handler(self, name: str, handled: bool) -> ExceptionStackContext:
        return ExceptionStackContext(functools.partial(self._handle, name, handled))

    def _handle(
        self, name: str, handled: bool, kind: type[BaseException], error: BaseException, trace: Any
    ) -> bool:
        self.events.append(f"{name}: {error}")
        return handled

    def note(self, what: str) -> None:
        self.events.append(what)


class StackTestCase(unittest.TestCase):
    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test where what it leaves active is gone afterwards."""
        return contextvars.copy_context().run(super().run, result)

    def setUp(self) -> None:
        self.recorder = Recorder()

    def tearDown(self) -> None:
        self.assertEqual(active(), (), "a context was left active")

    def wrapped_in(self, fn: Callable[..., Any], *blocks: Block) -> Callable[..., Any]:
        with contextlib.ExitStack() as stack:
            for block in blocks:
                stack.enter_context(block)
            result = wrap(fn)
        self.recorder.taken()
        return result

    def assert_events(self, *events: str) -> None:
        self.assertEqual(self.recorder.taken(), list(events))


class WrapTest(StackTestCase):
    def test_nothing_to_carry_is_the_function_itself(self) -> None:
        self.assertIs(wrap(nothing), nothing)
        self.assertIsNone(wrap(None))
        with NullContext():
            self.assertIs(wrap(nothing), nothing)
        with self.recorder.context("A"), NullContext():
            self.assertIs(wrap(nothing), nothing)
        with self.recorder.context("A"):
            self.assertIsNone(wrap(None))

    def test_something_to_carry_is_another_object(self) -> None:
        for block in (self.recorder.context("A"), self.recorder.handler("E", True)):
            with self.subTest(type(block).__name__), block:
                self.assertIsNot(wrap(nothing), nothing)

    def test_wrapping_again_changes_nothing(self) -> None:
        with self.recorder.context("A"):
            wrapped = wrap(nothing)
            self.assertIs(wrap(wrapped), wrapped)
            with self.recorder.context("B"):
                self.assertIs(wrap(wrapped), wrapped)
            with NullContext():
                self.assertIs(wrap(wrapped), wrapped)
        self.assertIs(wrap(wrapped), wrapped)
        self.recorder.taken()
        with self.recorder.context("B"):
            self.recorder.taken()
            wrap(wrapped)()
            self.assert_events("+A", "-A")

    def test_arguments_and_results(self) -> None:
        def echo(*args: Any, **kwargs: Any) -> Any:
            return args, kwargs

        stacks: list[tuple[Block, ...]] = [
            (self.recorder.context("A"),),
            (self.recorder.handler("E", True),),
            (self.recorder.context("A"), self.recorder.handler("E", True)),
        ]
        for blocks in stacks:
            wrapped = self.wrapped_in(echo, *blocks)
            with self.subTest(blocks=len(blocks)):
                # Names that a wrapper could mistake for its own.
                names = {"fn": 1, "contexts": 2, "args": 3, "kwargs": 4, "self": 5, "func": 6}
                self.assertEqual(wrapped(7, *"ab", **names), ((7, "a", "b"), names))

    def test_result_of_what_failed_is_none(self) -> None:
        for name, blocks in self.swallowing().items():
            with self.subTest(name):
                self.assertIsNone(self.wrapped_in(boom, *blocks)())

    def swallowing(self) -> dict[str, tuple[Block, ...]]:
        return {
            "a handler": (self.recorder.handler("E", True),),
            "two handlers": (self.recorder.handler("E", True), self.recorder.handler("F", False)),
            "a context manager": (StackContext(lambda: contextlib.suppress(ValueError)),),
        }

    def test_partial_of_a_wrapped_function(self) -> None:
        wrapped = self.wrapped_in(self.recorder.note, self.recorder.context("A"))
        functools.partial(wrapped, "called")()
        self.assert_events("+A", "called", "-A")
        with self.recorder.context("B"):
            outer = wrap(functools.partial(wrapped, "called"))
        self.recorder.taken()
        outer()
        self.assert_events("+B", "+A", "called", "-A", "-B")

    def test_bound_methods_and_callable_objects(self) -> None:
        class Callee:
            def __call__(self) -> str:
                return "called"

        for fn in (Callee(), Callee().__call__, functools.partial(Callee())):
            wrapped = self.wrapped_in(fn, self.recorder.context("A"))
            self.assertEqual(wrapped(), "called")
            self.assert_events("+A", "-A")

    def test_called_within_itself(self) -> None:
        depths: list[int] = []

        def descend(depth: int) -> None:
            depths.append(len(active()))
            if depth:
                with NullContext():
                    wrapped(depth - 1)

        wrapped = self.wrapped_in(descend, self.recorder.context("A"))
        wrapped(50)
        self.assertEqual(depths, [1] * 51)
        self.assert_events(*["+A"] * 51, *["-A"] * 51)

    def test_a_context_manager_is_made_for_each_call(self) -> None:
        made: list[contextlib.ExitStack] = []

        def factory() -> contextlib.ExitStack:
            made.append(contextlib.ExitStack())
            return made[-1]

        wrapped = self.wrapped_in(nothing, StackContext(factory))
        wrapped()
        wrapped()
        self.assertEqual(len(set(map(id, made))), 3)  # one for the block, one for each call

    def test_a_block_can_be_used_again(self) -> None:
        for block in (self.recorder.context("A"), self.recorder.handler("E", True), NullContext()):
            for _ in range(2):
                with self.subTest(type(block).__name__), block:
                    self.assertEqual(len(active()), 0 if isinstance(block, NullContext) else 1)


class NestingTest(StackTestCase):
    """What is entered depends on what is active already."""

    PATHS = ("", "A", "AB", "ABC", "AC", "B", "BA")

    def setUp(self) -> None:
        super().setUp()
        self.blocks = {name: self.recorder.context(name) for name in "ABC"}
        for block in self.blocks.values():
            self.addCleanup(setattr, block, "context_factory", None)

    @contextlib.contextmanager
    def inside(self, path: str) -> Iterator[None]:
        """Have the contexts of *path* active, as a callback that was wrapped in them would."""
        token = stack_context._active.set(tuple(self.blocks[name] for name in path))
        try:
            yield
        finally:
            stack_context._active.reset(token)

    def names(self) -> str:
        return "".join(name for context in active() for name in "ABC" if self.blocks[name] is context)

    def note_names(self) -> None:
        self.recorder.note(self.names())

    def test_every_pair_of_stacks(self) -> None:
        for current, captured in itertools.product(self.PATHS, self.PATHS[1:]):
            with self.subTest(current=current, captured=captured):
                with self.inside(captured):
                    wrapped = wrap(self.note_names)
                with self.inside(current):
                    wrapped()
                    self.assertEqual(self.names(), current, "the active ones are not back")
                # Those that are missing, or all of them if others are active that have to be set aside.
                missing = captured[len(current) :] if captured.startswith(current) else captured
                entered = [f"+{name}" for name in missing]
                self.assert_events(*entered, captured, *(f"-{name}" for name in reversed(missing)))

    def test_no_context_registered_outside_is_called_as_it_is(self) -> None:
        plain = wrap(self.note_names)
        with self.inside("AB"):
            plain()
        self.assert_events("AB")

    def test_every_pair_with_an_exception(self) -> None:
        for current, captured in itertools.product(self.PATHS, self.PATHS[1:]):
            with self.subTest(current=current, captured=captured):
                with self.inside(captured):
                    wrapped = wrap(boom)
                with self.inside(current):
                    with self.assertRaisesRegex(ValueError, "boom"):
                        wrapped()
                    self.assertEqual(self.names(), current)
                missing = captured[len(current) :] if captured.startswith(current) else captured
                self.assertEqual(len(self.recorder.taken()), 2 * len(missing))

    def test_null_context_hides_and_gives_back(self) -> None:
        with self.inside("AB"):
            with NullContext():
                self.assertEqual(self.names(), "")
                with self.blocks["C"]:
                    self.assertEqual(self.names(), "C")
                    wrapped = wrap(nothing)
            self.assertEqual(self.names(), "AB")
        self.assert_events("+C", "-C")
        with self.inside("AB"):
            wrapped()
        self.assert_events("+C", "-C")

    def test_null_context_does_not_swallow(self) -> None:
        with self.assertRaises(ValueError), NullContext():
            boom()

    def test_a_chain_does_not_grow(self) -> None:
        following: list[Callable[[], None]] = []
        depths = set()

        def step() -> None:
            depths.add(len(active()))
            following.append(wrap(step))

        with self.recorder.context("X"), self.recorder.handler("E", True):
            step()
        for _ in range(1000):
            following.pop()()
        self.assertEqual(depths, {2})


class ExceptionTest(StackTestCase):
    """Each row: the contexts from the outside in, and who is told."""

    def test_who_is_told(self) -> None:
        handler, context = self.recorder.handler, self.recorder.context
        rows: list[tuple[str, list[Block], list[str], bool]] = [
            ("one that handles", [handler("E", True)], ["E: boom"], True),
            ("one that does not", [handler("E", False)], ["E: boom"], False),
            ("the inner one first", [handler("E", True), handler("F", True)], ["F: boom"], True),
            ("then the outer", [handler("E", True), handler("F", False)], ["F: boom", "E: boom"], True),
            ("neither", [handler("E", False), handler("F", False)], ["F: boom", "E: boom"], False),
            ("around a context", [handler("E", True), context("A")], ["+A", "-A", "E: boom"], True),
            ("within a context", [context("A"), handler("E", True)], ["+A", "E: boom", "-A"], True),
            ("only a context", [context("A")], ["+A", "-A"], False),
        ]
        for name, blocks, events, handled in rows:
            for how, call in (("in the block", self.in_block), ("in a callback", self.in_callback)):
                with self.subTest(f"{name}, {how}"):
                    self.assertEqual(call(blocks), handled)
                    self.assert_events(*events)

    def in_block(self, blocks: list[Block]) -> bool:
        try:
            with contextlib.ExitStack() as stack:
                for block in blocks:
                    stack.enter_context(block)
                boom()
        except ValueError:
            return False
        return True

    def in_callback(self, blocks: list[Block]) -> bool:
        wrapped = self.wrapped_in(boom, *blocks)
        try:
            wrapped()
        except ValueError:
            return False
        return True

    def test_what_the_handler_gets(self) -> None:
        told: list[tuple[type[BaseException], BaseException, TracebackType | None]] = []

        def handle(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> bool:
            told.append((kind, error, trace))
            return True

        for blocks in ([], [self.recorder.context("A")]):
            wrapped = self.wrapped_in(boom, ExceptionStackContext(handle), *blocks)
            wrapped("what happened")
            kind, error, trace = told.pop()
            self.assertIs(kind, ValueError)
            self.assertEqual(str(error), "what happened")
            self.assertEqual(traceback.extract_tb(trace)[-1].name, "boom")
        self.assertEqual(told, [])

    def test_true_is_what_counts_as_true(self) -> None:
        for answer, swallowed in ((1, True), ("x", True), (0, False), (None, False), ([], False)):
            wrapped = self.wrapped_in(boom, ExceptionStackContext(lambda *info, answer=answer: answer))
            with self.subTest(answer=answer):
                if swallowed:
                    wrapped()
                else:
                    self.assertRaises(ValueError, wrapped)

    def test_a_handler_that_raises(self) -> None:
        def worse(kind: type[BaseException], error: BaseException, trace: Any) -> None:
            raise KeyError("worse")

        inner = ExceptionStackContext(worse)
        with self.assertRaises(KeyError) as caught:
            self.wrapped_in(boom, inner)()
        self.assertIsInstance(caught.exception.__context__, ValueError)
        self.wrapped_in(boom, self.recorder.handler("E", True), inner)()
        self.assert_events("E: 'worse'")

    def test_exceptions_that_end_programs_are_offered_too(self) -> None:
        for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
            for handled in (True, False):
                wrapped = self.wrapped_in(raiser(kind("end")), self.recorder.handler("E", handled))
                with self.subTest(kind.__name__, handled=handled):
                    if handled:
                        wrapped()
                    else:
                        self.assertRaises(kind, wrapped)
                    self.assert_events("E: end")

    def test_a_context_that_cannot_be_entered_again(self) -> None:
        contexts: list[contextlib.AbstractContextManager[None]] = [contextlib.nullcontext()]

        def once() -> contextlib.AbstractContextManager[None]:
            if not contexts:
                boom("no more")
            return contexts.pop()

        wrapped = self.wrapped_in(
            functools.partial(self.recorder.note, "called"),
            self.recorder.handler("E", True),
            self.recorder.context("A"),
            StackContext(once),
            self.recorder.handler("F", True),
        )
        wrapped()
        self.assert_events("+A", "-A", "E: no more")

    def test_a_context_that_cannot_be_entered_at_all(self) -> None:
        @contextlib.contextmanager
        def unwilling() -> Iterator[None]:
            boom()
            yield

        failing: list[Callable[[], Any]] = [boom, unwilling]
        for factory in failing:
            with self.assertRaises(ValueError), StackContext(factory):
                self.fail("entered")
            self.assertEqual(active(), ())

    def test_a_context_that_cannot_be_left(self) -> None:
        @contextlib.contextmanager
        def sticky() -> Iterator[None]:
            yield
            boom("cannot leave")

        with self.assertRaisesRegex(ValueError, "cannot leave"), StackContext(sticky):
            wrapped = wrap(nothing)
        self.assertEqual(active(), ())
        self.assertRaisesRegex(ValueError, "cannot leave", wrapped)

    def test_callbacks_of_a_handler_belong_to_it_too(self) -> None:
        seen = []

        def handle(kind: type[BaseException], error: BaseException, trace: Any) -> bool:
            seen.append(str(error))
            if len(seen) == 1:
                later.append(wrap(functools.partial(boom, "again")))
            return True

        later: list[Callable[[], None]] = []
        self.wrapped_in(boom, ExceptionStackContext(handle))()
        later.pop()()
        self.assertEqual(seen, ["boom", "again"])


def raiser(error: BaseException) -> Callable[[], None]:
    def callback() -> None:
        raise error

    return callback


class DeactivateTest(StackTestCase):
    def test_nothing_later_carries_it(self) -> None:
        with self.recorder.context("A"), self.recorder.context("B") as deactivate, self.recorder.context("C"):
            deactivate()
            wrapped = wrap(nothing)
        self.recorder.taken()
        wrapped()
        self.assert_events("+A", "+C", "-C", "-A")

    def test_nothing_earlier_enters_it_again(self) -> None:
        for name, block in (("A", self.recorder.context("A")), ("E", self.recorder.handler("E", True))):
            for others in ((), (self.recorder.context("B"),)):
                with self.subTest(name, others=len(others)), contextlib.ExitStack() as stack:
                    for other in others:
                        stack.enter_context(other)
                    deactivate = stack.enter_context(block)
                    wrapped = wrap(boom)
                    stack.pop_all().close()
                    self.recorder.taken()
                    deactivate()
                    self.assertRaises(ValueError, wrapped)
                    self.assert_events(*(["+B", "-B"] if others else []))
                    block.active_cell[0] = True

    def test_alone_it_leaves_the_function_itself(self) -> None:
        with self.recorder.context("A") as first, self.recorder.handler("E", True) as second:
            first()
            self.assertIsNot(wrap(nothing), nothing)
            second()
            second()
            self.assertIs(wrap(nothing), nothing)

    def test_the_block_itself_stays_as_it_is(self) -> None:
        with self.recorder.handler("E", True) as deactivate:
            deactivate()
            boom()
        with self.recorder.context("A") as deactivate:
            deactivate()
            self.recorder.note("inside")
        self.assert_events("E: boom", "+A", "inside", "-A")

    def test_a_callback_at_work_stays_as_it_is(self) -> None:
        """However many contexts there are: what was entered is left as such."""
        for others in ((), (self.recorder.context("A"),), (self.recorder.handler("F", False),)):
            with self.subTest(others=len(others)), contextlib.ExitStack() as stack:
                for other in others:
                    stack.enter_context(other)
                deactivate = stack.enter_context(self.recorder.handler("E", True))

                def leave_and_fail(deactivate: Callable[[], None] = deactivate) -> None:
                    deactivate()
                    boom()

                wrapped = wrap(leave_and_fail)
                stack.pop_all().close()
                self.recorder.taken()
                wrapped()
                self.assertIn("E: boom", self.recorder.taken())

    def test_a_chain_that_sheds_its_contexts_does_not_grow(self) -> None:
        following: list[Callable[[], None]] = [nothing]

        def step() -> None:
            with self.recorder.context("A") as deactivate:
                deactivate()
                following[0] = wrap(step)

        step()
        for _ in range(100):
            self.assertIs(following[0], step)
            following[0]()

    def test_with_contexts_left_out_in_the_middle(self) -> None:
        with self.recorder.context("A"), self.recorder.context("B") as deactivate, self.recorder.context("C"):
            early = wrap(functools.partial(self.recorder.note, "early"))
            deactivate()
            late = wrap(early_after(self.recorder, early))
        self.recorder.taken()
        late()
        # The stack of the earlier one is another than that of the later: it is entered as a whole.
        self.assert_events("+A", "+C", "late", "+A", "+C", "early", "-C", "-A", "-C", "-A")


def early_after(recorder: Recorder, early: Callable[[], None]) -> Callable[[], None]:
    def callback() -> None:
        recorder.note("late")
        early()

    return callback


class Guarded(stack_context._Guard):
    """As a request handler is: an exception context itself."""

    def __init__(self, recorder: Recorder, name: str, handled: bool) -> None:
        self.told = functools.partial(recorder._handle, name, handled)

    def _offer(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return kind is not None and value is not None and self.told(kind, value, trace)


class GuardTest(StackTestCase):
    def wrapped_by(self, fn: Callable[..., Any], *guards: stack_context._Guard) -> Callable[..., Any]:
        tokens = [stack_context._enter(guard) for guard in guards]
        self.assertIs(stack_context._innermost(), guards[-1])
        wrapped = wrap(fn)
        for token in reversed(tokens):
            stack_context._leave(token)
        self.assertIsNone(stack_context._innermost())
        return wrapped

    def test_who_is_told(self) -> None:
        for inner, outer in itertools.product((True, False), (True, False)):
            guards = [Guarded(self.recorder, "outer", outer), Guarded(self.recorder, "inner", inner)]
            with self.subTest(inner=inner, outer=outer):
                wrapped = self.wrapped_by(boom, *guards)
                if inner or outer:
                    self.assertIsNone(wrapped())
                else:
                    self.assertRaises(ValueError, wrapped)
                self.assert_events(*(["inner: boom"] if inner else ["inner: boom", "outer: boom"]))

    def test_alone_and_among_contexts(self) -> None:
        guard = Guarded(self.recorder, "guard", True)
        self.wrapped_by(boom, guard)()
        self.assert_events("guard: boom")
        token = stack_context._enter(guard)
        wrapped = self.wrapped_in(boom, self.recorder.context("A"), self.recorder.handler("E", False))
        stack_context._leave(token)
        wrapped()
        self.assert_events("+A", "E: boom", "-A", "guard: boom")

    def test_one_that_does_nothing_handles_nothing(self) -> None:
        self.assertRaises(ValueError, self.wrapped_by(boom, stack_context._Guard()))

    def test_two_of_a_kind_are_two(self) -> None:
        first, second = (Guarded(self.recorder, name, True) for name in ("first", "second"))
        wrapped = self.wrapped_by(boom, first)
        self.wrapped_by(wrapped, second)()
        self.assert_events("first: boom")

    def test_nothing_is_carried_where_nothing_is_active(self) -> None:
        token = stack_context._enter(Guarded(self.recorder, "guard", True))
        with NullContext():
            self.assertIsNone(stack_context._innermost())
            self.assertIs(wrap(nothing), nothing)
        stack_context._leave(token)


class InconsistencyTest(StackTestCase):
    """A generator that yields inside a block hands its contexts to whoever resumes whom."""

    def suspended(self, block: Block) -> Generator[None, None, None]:
        with block:
            yield

    def blocks(self) -> list[Block]:
        return [self.recorder.context("A"), self.recorder.handler("E", False), NullContext()]

    def test_left_while_another_is_active(self) -> None:
        for block in self.blocks():
            with self.subTest(type(block).__name__):
                generator = self.suspended(block)
                with (
                    self.assertRaisesRegex(RuntimeError, "generator"),
                    self.recorder.context("outer"),
                    self.resumed(generator),
                    self.recorder.context("inner"),
                ):
                    generator.close()
                self.assertEqual(active(), ())

    @contextlib.contextmanager
    def resumed(self, generator: Generator[None, None, None]) -> Iterator[None]:
        next(generator)
        yield

    def test_the_outer_block_is_left_first(self) -> None:
        """Left too late, a block does not bring back what was around it, for every later callback."""
        for block in self.blocks()[:2]:
            with self.subTest(type(block).__name__):
                generator = self.suspended(block)
                with self.assertRaisesRegex(RuntimeError, "generator"), self.recorder.context("outer"):
                    next(generator)
                self.assertEqual(active(), ())
                self.assertRaisesRegex(RuntimeError, "generator", generator.close)
                self.assertEqual(active(), ())

    def test_two_generators_in_turn(self) -> None:
        first, second = (self.suspended(self.recorder.context(name)) for name in "AB")
        next(first)
        next(second)
        self.assertRaisesRegex(RuntimeError, "StackContext .*generator", next, first)
        self.assertRaisesRegex(RuntimeError, "StackContext .*generator", next, second)
        self.assertEqual(active(), ())

    def test_left_on_another_thread(self) -> None:
        for block in self.blocks():
            with self.subTest(type(block).__name__):
                contextvars.copy_context().run(self.left_on_another_thread, block)

    def left_on_another_thread(self, block: Block) -> None:
        seen: list[Any] = []

        def resume() -> None:
            try:
                next(generator)
            except (RuntimeError, ValueError) as error:  # ValueError: the ContextVar's own word for it
                seen.append(type(error))
            seen.append(active())

        generator = self.suspended(block)
        next(generator)
        in_thread(resume)
        self.assertIn(seen, ([RuntimeError, ()], [ValueError, ()]))

    def test_properly_nested_generators_are_fine(self) -> None:
        first, second = (self.suspended(self.recorder.context(name)) for name in "AB")
        next(first)
        next(second)
        for generator in (second, first):
            with self.assertRaises(StopIteration):
                next(generator)
        self.assert_events("+A", "+B", "-B", "-A")

    def test_a_callback_that_leaks_a_context_does_not_leak_it_to_its_caller(self) -> None:
        generator = self.suspended(self.recorder.context("leaked"))
        wrapped = self.wrapped_in(functools.partial(next, generator), self.recorder.context("A"))
        wrapped()
        self.assertEqual(active(), ())
        self.assertRaisesRegex(RuntimeError, "generator", generator.close)
        self.assertEqual(active(), ())


class Request:
    """Some steps, each of them asynchronous in another way, in contexts of its own."""

    def __init__(self, loop: IOLoop, number: int, steps: int) -> None:
        self.loop = loop
        self.name = f"request {number}"
        self.number = number
        self.steps = steps
        self.seen: list[str] = []
        self.errors: list[str] = []

    def start(self) -> None:
        with ExceptionStackContext(self.on_error), StackContext(self.context):
            self.step()

    @contextlib.contextmanager
    def context(self) -> Iterator[None]:
        token = request.set(self.name)
        try:
            yield
        finally:
            request.reset(token)

    def on_error(self, kind: type[BaseException], error: BaseException, trace: Any) -> bool:
        self.errors.append(str(error))
        return True

    def step(self) -> None:
        self.seen.append(request.get())
        self.steps -= 1
        if self.steps:
            ways = [self.by_callback, self.by_timeout, self.by_thread]
            ways[(self.number + self.steps) % 3](self.step)
        else:
            boom(f"end of {self.name}")

    def by_callback(self, callback: Callable[[], None]) -> None:
        self.loop.add_callback(callback)

    def by_timeout(self, callback: Callable[[], None]) -> None:
        self.loop.add_timeout(self.loop._wall() + len(self.seen), callback)

    def by_thread(self, callback: Callable[[], None]) -> None:
        """A worker carries the context there, and from there back to the loop."""
        thread = threading.Thread(target=wrap(functools.partial(self._in_thread, callback)))
        thread.start()
        thread.join()

    def _in_thread(self, callback: Callable[[], None]) -> None:
        self.seen.append(request.get())
        self.loop.add_callback(callback)


class LoopTest(StackTestCase):
    """Contexts through a real loop, whose time is advanced."""

    def setUp(self) -> None:
        super().setUp()
        self.loop = FakeLoop()
        self.addCleanup(self.loop.close)

    def test_requests_do_not_meet(self) -> None:
        requests = [Request(self.loop, number, steps=9) for number in range(30)]
        for each in requests:
            self.loop.add_callback(each.start)
        self.loop.add_timeout(self.loop.time() + 3600, self.loop.stop)
        self.loop.start()
        for each in requests:
            self.assertEqual(set(each.seen), {each.name})
            self.assertGreaterEqual(len(each.seen), 9)
            self.assertEqual(each.errors, [f"end of {each.name}"])
        self.assertEqual(request.get(), "nobody")

    def test_an_exception_no_context_wants_reaches_the_loop(self) -> None:
        with self.recorder.handler("E", False):
            self.loop.add_callback(boom)
            self.loop.add_timeout(self.loop.time(), boom)
        self.loop.add_callback(self.loop.stop)
        with ExpectLog("tornado.ioloop", "Exception in callback") as log:
            self.loop.start()
        self.assertEqual(len(log.records), 2)
        self.assert_events("E: boom", "E: boom")

    def test_started_within_a_context(self) -> None:
        """What was registered outside does not run in the contexts of whoever starts the loop."""
        self.loop.add_callback(lambda: self.recorder.note(f"{len(active())} active"))
        self.loop.add_callback(self.loop.stop)
        with self.recorder.context("A"):
            self.recorder.taken()
            self.loop.start()
            self.assertEqual(len(active()), 1)
            self.assert_events("0 active")

    def test_nested_loops(self) -> None:
        inner = FakeLoop()
        self.addCleanup(inner.close)

        def nest() -> None:
            outside = active()
            inner.add_callback(functools.partial(self.recorder.note, "in a context"))
            with NullContext():
                inner.add_callback(lambda: self.recorder.note(f"{len(active())} active"))
            inner.add_callback(inner.stop)
            inner.start()
            self.assertIs(active(), outside)
            self.loop.add_callback(functools.partial(self.recorder.note, "afterwards"))
            self.loop.add_callback(self.loop.stop)

        with self.recorder.context("A"):
            self.loop.add_callback(nest)
        self.recorder.taken()
        self.loop.start()
        self.assert_events(
            *["+A", "+A", "in a context", "-A", "0 active", "+A", "-A"],
            *["-A", "+A", "afterwards", "-A", "+A", "-A"],
        )

    def test_exceptions_of_a_nested_loop_stay_there(self) -> None:
        inner = FakeLoop()
        self.addCleanup(inner.close)

        def nest() -> None:
            inner.add_callback(inner.stop)
            inner.start()

        with self.recorder.handler("inner", True):
            inner.add_callback(boom)
        with self.recorder.handler("outer", True):
            self.loop.add_callback(nest)
        self.loop.add_callback(self.loop.stop)
        self.loop.start()
        self.assert_events("inner: boom")

    def test_threads_have_contexts_of_their_own(self) -> None:
        with self.recorder.context("A"):
            in_thread(lambda: self.recorder.note(f"{len(active())} active"))
            in_thread(wrap(lambda: self.recorder.note(f"{len(active())} active")))
        self.assert_events("+A", "0 active", "+A", "1 active", "-A", "-A")

    def test_add_callback_from_a_thread_takes_the_contexts_of_the_thread(self) -> None:
        def work() -> None:
            with self.recorder.handler("thread", True):
                self.loop.add_callback(boom)

        with self.recorder.handler("starter", True):
            in_thread(work)
        self.loop.add_callback(self.loop.stop)
        self.loop.start()
        self.assert_events("thread: boom")


class GarbageTest(StackTestCase):
    """Exceptions hold frames; a frame that held its exception would be left to the garbage collector."""

    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        self.addCleanup(gc.enable if gc.isenabled() else gc.disable)
        gc.disable()

    @staticmethod
    def worse(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        raise KeyError("worse")

    def rows(self) -> dict[str, tuple[Callable[[], None], tuple[Block, ...]]]:
        handler, context = self.recorder.handler, self.recorder.context
        worse = ExceptionStackContext(self.worse)
        return {
            "no exception": (nothing, (context("A"), handler("E", True))),
            "handled": (boom, (handler("E", True),)),
            "handled outside": (boom, (handler("E", True), context("A"))),
            "not handled": (boom, (handler("E", False),)),
            "two do not handle": (boom, (handler("E", False), handler("F", False))),
            "a context": (boom, (context("A"),)),
            "the handler raises": (boom, (worse,)),
            "the handler raises, the outer handles": (boom, (handler("E", True), worse)),
            "the handler raises, the outer does not": (boom, (handler("E", False), worse)),
            "the handler raises within contexts": (boom, (context("A"), worse, context("B"))),
        }

    def test_nothing_is_left(self) -> None:
        for name, (fn, blocks) in self.rows().items():
            with self.subTest(name):
                for _ in range(20):
                    try:
                        self.wrapped_in(fn, *blocks)()
                    except (ValueError, KeyError):
                        pass
                self.assertEqual(gc.collect(), 0)

    def test_nothing_is_left_of_blocks(self) -> None:
        for name, (fn, blocks) in self.rows().items():
            with self.subTest(name):
                for _ in range(20):
                    try:
                        self.run_in(fn, blocks)
                    except (ValueError, KeyError):
                        pass
                self.assertEqual(gc.collect(), 0)

    def run_in(self, fn: Callable[[], None], blocks: tuple[Block, ...]) -> None:
        """One `with` statement for each block, as programs have it; contextlib's stack has cycles."""
        if blocks:
            with blocks[0]:
                self.run_in(fn, blocks[1:])
        else:
            fn()

    def test_nothing_is_left_of_requests_on_a_loop(self) -> None:
        loop = FakeLoop()
        self.addCleanup(loop.close)
        for _ in range(2):
            for number in range(6):
                loop.add_callback(Request(loop, number, steps=6).start)
            loop.add_timeout(loop.time() + 3600, loop.stop)
            loop.start()
        self.assertEqual(gc.collect(), 0)


if __name__ == "__main__":
    unittest.main()
