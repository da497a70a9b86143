"""A relay on the way to the brokers: netem is not in every kernel. Runs in the namespace `relay`.

    relay.py LISTEN=TARGET...      each ADDR:PORT

Bytes towards the broker are delayed by 200 ms from SIGUSR1 until SIGUSR2; the way back is not.
"""

import asyncio
import signal
import sys

DELAY = 0.2
delay = 0.0


def set_delay(value):
    global delay
    delay = value


async def forward(reader, writer, is_delayed):
    """Keeps the order: a chunk is due at its arrival plus the delay of that moment."""
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(maxsize=10_000)

    async def write():
        while True:
            due, data = await queue.get()
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if not data:
                break
            writer.write(data)
            await writer.drain()

    task = asyncio.create_task(write())
    try:
        while True:
            data = await reader.read(65_536)
            await queue.put((loop.time() + (delay if is_delayed else 0), data))
            if not data:
                break
        await task
    except OSError:
        pass
    finally:
        task.cancel()
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, set_delay, DELAY)
    loop.add_signal_handler(signal.SIGUSR2, set_delay, 0.0)

    def serve(target):
        host, port = target.rsplit(":", 1)

        async def connected(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
            except OSError:
                writer.transport.abort()
                return
            await asyncio.gather(
                forward(reader, far_writer, True), forward(far_reader, writer, False), return_exceptions=True)

        return connected

    for argument in sys.argv[1:]:
        listen, target = argument.split("=")
        host, port = listen.rsplit(":", 1)
        await asyncio.start_server(serve(target), host, int(port))
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
