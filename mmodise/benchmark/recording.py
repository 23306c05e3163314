"""Watch methods of a model at work, from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A call that was recorded."""

    args: tuple
    kwargs: dict
    output: Any


@contextmanager
def wrapped(root: object, wraps: Mapping[str, Callable[[Callable], Callable]]) -> Iterator[None]:
    """Put something around methods while the context is open.

    Args:
        root (object): Where paths start, such as a model.
        wraps (Mapping[str, Callable]): By path of a method, such as 'backbone.forward', what makes
            of it the function that is called in its place.
    """
    replaced = []
    try:
        for path, wrap in wraps.items():
            place, _, name = path.rpartition('.')
            owner = attrgetter(place)(root) if place else root
            replaced.append((owner, name, name in vars(owner), vars(owner).get(name)))
            object.__setattr__(owner, name, wrap(getattr(owner, name)))
        yield
    finally:
        for owner, name, was_own, value in reversed(replaced):
            if was_own:
                object.__setattr__(owner, name, value)
            else:  # the method of the class comes to light again
                object.__delattr__(owner, name)


@contextmanager
def recorded(root: object, *paths: str) -> Iterator[dict[str, list[Call]]]:
    """Record the calls of methods while the context is open.

    Args:
        root (object): Where paths start, such as a model.
        *paths (str): Methods, such as 'backbone.forward'.

    Yields:
        dict[str, list[Call]]: The calls so far, by path.
    """
    calls = {path: [] for path in paths}

    def recorder(noted: list[Call]) -> Callable[[Callable], Callable]:
        def wrap(method: Callable) -> Callable:
            def record(*args, **kwargs):
                output = method(*args, **kwargs)
                noted.append(Call(args, kwargs, output))
                return output

            return record

        return wrap

    with wrapped(root, {path: recorder(noted) for path, noted in calls.items()}):
        yield calls
