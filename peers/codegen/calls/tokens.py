"""Tokens of the generated client, against a server that knows those that end with an even digit."""

import asyncio
import sys
import threading
from typing import Callable, List, Optional, Type, TypeVar

from workshop import (
    AsyncWorkshopClient,
    ClientError,
    NotSentError,
    RpcError,
    WorkshopClient,
    calls,
)

E = TypeVar("E", bound=BaseException)
url = sys.argv[1]


def raised(kind: Type[E], call: Callable[[], object]) -> E:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind}")


def unknown(error: RpcError) -> None:
    assert error.code == -32006, error


class Issuer:
    """Gives ``a1``, ``a2`` and so on."""

    def __init__(self) -> None:
        self.asked = 0

    def give(self) -> str:
        self.asked += 1
        return f"a{self.asked}"

    async def give_later(self) -> str:
        token = self.give()
        await asyncio.sleep(0.02)
        return token


def sleeps() -> str:
    raise OSError("the issuer sleeps")


def odd() -> str:
    return "b1"


unknown(raised(RpcError, WorkshopClient(url).ping))
client = WorkshopClient(url, token="a2")
assert client.calc.add(3, 4) == 7.0
client.notify(calls.ping())
batch = client.batch()
ticket = batch.call(calls.ping())
batch.send()
assert ticket.result() == "pong"
refused = WorkshopClient(url, token="a1")
unknown(raised(RpcError, refused.ping))
unknown(raised(RpcError, lambda: refused.notify(calls.ping())))
batch = refused.batch()
batch.call(calls.ping())
unknown(raised(RpcError, batch.send))
unknown(raised(RpcError, WorkshopClient(url, token=odd).ping))
error = raised(NotSentError, WorkshopClient(url, token=sleeps).ping)
assert isinstance(error.__cause__, OSError)
shown = raised(ClientError, lambda: WorkshopClient(url, token="S3CR3T\n2").ping())
assert "S3CR3T" not in repr(shown)
raised(ValueError, lambda: WorkshopClient(url, token="a", headers={"AUTHORIZATION": ""}))

issuer = Issuer()
client = WorkshopClient(url, token=issuer.give)
said: List[Optional[str]] = []
threads = [threading.Thread(target=lambda: said.append(client.ping())) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert said == ["pong"] * 20
assert issuer.asked == 2, issuer.asked


async def alike() -> None:
    async def fails(kind: Type[E], client: AsyncWorkshopClient) -> E:
        try:
            await client.ping()
        except kind as error:
            return error
        raise AssertionError(f"no {kind}")

    unknown(await fails(RpcError, AsyncWorkshopClient(url)))
    client = AsyncWorkshopClient(url, token="a2")
    assert await client.ping() == "pong"
    await client.notify(calls.ping())
    unknown(await fails(RpcError, AsyncWorkshopClient(url, token="a1")))
    unknown(await fails(RpcError, AsyncWorkshopClient(url, token=odd)))
    error = await fails(NotSentError, AsyncWorkshopClient(url, token=sleeps))
    assert isinstance(error.__cause__, OSError)
    shown = await fails(ClientError, AsyncWorkshopClient(url, token=lambda: "S3CR3T 2"))
    assert "S3CR3T" not in repr(shown)
    for give in ("give", "give_later"):
        issuer = Issuer()
        client = AsyncWorkshopClient(url, token=getattr(issuer, give))
        said = await asyncio.gather(*(client.ping() for _ in range(50)))
        assert list(said) == ["pong"] * 50
        assert issuer.asked == 2, issuer.asked
        batch = client.batch()
        ticket = batch.call(calls.ping())
        await batch.send()
        assert ticket.result() == "pong"
        assert issuer.asked == 2, issuer.asked


asyncio.run(alike())
print("done")
