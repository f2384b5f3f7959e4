"""Sends each line back in capitals. Who says nothing for a while is shown the door."""

import asyncio
import contextlib
import signal
import sys

LINE = 1000
patience = 10.0


async def shout(reader, writer):
    """One client, in a task of its own."""
    try:
        while True:
            async with asyncio.timeout(patience):
                line = await reader.readline()
            if not line:
                break
            writer.write(line.upper())
            await writer.drain()
    except TimeoutError:
        writer.write(b"bye\n")
    finally:
        writer.close()


async def serve(port):
    server = await asyncio.start_server(shout, "127.0.0.1", port, limit=LINE)
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    print("serving on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await server.wait_closed()  # who is left then, asyncio.run() cancels


def main():
    global patience
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7777
    if len(sys.argv) > 2:
        patience = float(sys.argv[2])
    asyncio.run(serve(port))


if __name__ == "__main__":
    main()
