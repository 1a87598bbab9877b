"""What is left of a property when a part of it is deleted, so that a test can ask whether the part finds anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shakeproof.model.composition import Of
from shakeproof.model.facts import And, Guard, Not, Or
from shakeproof.properties.explore import Exploration, View


def weakened(guard: Guard) -> Iterator[Guard]:
    """The guard without each of its parts in turn, such that it holds of more: one of what must all be, and, below a
    negation, one of what may none be.
    """
    yield from _without(guard, And)


def narrowed(guard: Guard) -> Iterator[Guard]:
    """The guard without each of its parts in turn, such that it holds of less: one of several ways to fulfil it."""
    yield from _without(guard, Or)


def _without(guard: Guard, several: type[And] | type[Or]) -> Iterator[Guard]:
    if isinstance(guard, Not):
        yield from (~one for one in _without(guard.inner, Or if several is And else And))
    elif isinstance(guard, Of):
        yield from (Of(guard.machine, one) for one in _without(guard.inner, several))
    elif isinstance(guard, And | Or):
        make: Callable[[Guard, Guard], Guard] = And if isinstance(guard, And) else Or
        if isinstance(guard, several):
            yield from (guard.left, guard.right)
        yield from (make(one, guard.right) for one in _without(guard.left, several))
        yield from (make(guard.left, one) for one in _without(guard.right, several))


def breaks(found: Exploration, holds: Guard) -> bool:
    """Whether some state of what was explored is otherwise."""
    return any(not holds.columns(View(found.expander.packing, level)).all() for level in found.levels)


def dead(name: str, found: Sequence[Exploration]) -> list[str]:
    """What is left of the property of that name without each part that finds nothing: whatever breaks the whole breaks
    what is left of it as well. Each model has the property in its own columns.
    """
    own = [(each, next(one for one in each.model.safety if one.name == name)) for each in found if _has(each, name)]
    broken = [(each, list(weakened(one.holds))) for each, one in own if breaks(each, one.holds)]
    if not broken:
        return [f"nothing breaks {name}"]
    assert len({len(left) for _, left in broken}) == 1
    return [
        f"{name} without a part: {left.text()}"
        for number, left in enumerate(broken[0][1])
        if all(breaks(each, others[number]) for each, others in broken)
    ]


def _has(found: Exploration, name: str) -> bool:
    return any(one.name == name for one in found.model.safety)
