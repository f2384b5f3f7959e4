"""An echo server with asyncio: streams or a protocol, on asyncio's own loop or uvloop's."""

import argparse
import asyncio

BUFFER = 32 * 1024
BACKLOG = 4096


async def serve(reader, writer):
    try:
        while data := await reader.read(BUFFER):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


class Echo(asyncio.Protocol):
    transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def run(options):
    loop = asyncio.get_running_loop()
    where = {"host": "127.0.0.1", "port": options.port, "backlog": BACKLOG}
    if options.protocol:
        server = await loop.create_server(Echo, **where)
    else:
        server = await asyncio.start_server(serve, **where)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="listen on 127.0.0.1 at this port")
    parser.add_argument("--protocol", action="store_true", help="a protocol, which is asyncio's lower level")
    parser.add_argument("--uvloop", action="store_true", help="the loop of uvloop")
    options = parser.parse_args()
    if options.uvloop:
        import uvloop

        uvloop.run(run(options))
    else:
        asyncio.run(run(options))


main()
