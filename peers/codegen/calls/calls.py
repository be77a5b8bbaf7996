"""Calls of the generated client, against the server whose URL is the argument."""

import asyncio
import sys
import warnings
from typing import Callable, Type, TypeVar

import workshop
from workshop import AsyncWorkshopClient, RpcError, Shape, WorkshopClient, calls

E = TypeVar("E", bound=BaseException)
warnings.simplefilter("error")
url = sys.argv[1]
client = WorkshopClient(url)
circle: Shape = {"kind": "circle", "center": {"x": 0, "y": 0}, "radius": 2}


def raised(kind: Type[E], call: Callable[[], object]) -> E:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind}")


# By position, by name, and with parameters left out.
total: float = client.calc.add(3, 4)
assert total == client.calc.add(b=3, a=4) == 7.0
assert client.ping() == "pong"
assert client.echo({"ä": [None, "\u2028"]}) == {"ä": [None, "\u2028"]}
assert client.calc.randomPaths(size=1, step=0.5) == [[0.0, 0.5]]
assert client.calc.randomPaths(2, 0) == [[0.0], [0.0]]
assert calls.calc.randomPaths(2, 0).params == [2, 0]
assert calls.calc.randomPaths(size=2).params == {"size": 2}
assert calls.calc.randomPaths().params is None
assert client.page(["a", "b", "c"], start=1) == ["b", "c"]
assert client.total(1, {"x": 2, "y z": 3}) == 6
assert client.total(1) == 1
raised(DeprecationWarning, client.list)

# Types of every kind.
shapes = client.shapes
assert shapes.area(circle) == 12.0
assert shapes.area({"kind": "rectangle", "height": 2, "width": 3}) == 6.0
assert shapes.find("red") is None
found = shapes.find(color="green")
assert found is not None and found["kind"] == "circle"
assert found["center"] == {"label": None, "x": 1.0, "y": 2.0}
tree = shapes.tree(2)
assert tree["children"][0]["children"][1]["type"] == "red" and tree["next"] is None
assert shapes.follow("stop") == [{"event": "Cleared"}]
assert shapes.follow({"wait": 5}) == [{"event": "Waited", "data": 5}]
(drawn,) = shapes.follow({"draw": {"shape": circle}})
assert drawn["event"] == "Drawn" and drawn["data"]["kind"] == "circle"
assert shapes.either([-1, "x"]) == [-1, "x"]
assert shapes.drawers.put(circle, 3, True)["drawer"] == 2
shapes.drawers.clear()

# Errors.
error = raised(workshop.DivisionByZeroError, lambda: client.calc.divide(1, 0))
assert (error.code, error.message) == (1, "division by zero")
full = raised(RpcError, lambda: shapes.drawers.put(circle, 3))
assert isinstance(full, workshop.DrawerDrawerIsFullError), full
raised(
    workshop.ThereIsNoSuchDrawerError,
    lambda: shapes.drawers.put(shape=circle, drawer=9, try_=True),
)

# Notifications and batches.
client.notify(calls.calc.add(1, 2))
batch = client.batch()
summed = batch.call(calls.calc.add(1, 2))
batch.notify(calls.ping())
failing = batch.call(calls.calc.divide(1, 0))
area = batch.call(calls.shapes.area(circle))
outcomes = batch.send()
assert len(outcomes) == 3, outcomes
number: float = summed.result()
assert (number, area.result()) == (3.0, 12.0)
raised(workshop.DivisionByZeroError, failing.result)


async def alike() -> None:
    client = AsyncWorkshopClient(url)
    assert await client.calc.add(3, b=4) == 7.0
    assert await client.shapes.area(circle) == 12.0
    sums = await asyncio.gather(*(client.calc.add(n, n) for n in range(20)))
    assert sums == [2.0 * n for n in range(20)]
    batch = client.batch()
    summed = batch.call(calls.calc.add(1, 2))
    failing = batch.call(calls.calc.divide(1, 0))
    await batch.send()
    assert summed.result() == 3.0
    raised(workshop.DivisionByZeroError, failing.result)
    try:
        await client.calc.divide(1, 0)
    except workshop.DivisionByZeroError:
        return
    raise AssertionError("no error")


asyncio.run(alike())
print("done")
