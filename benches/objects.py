#!/usr/bin/env python3
"""HEAD of many objects and buckets: by `batchwright s3 access`, and by aio-aws, s5cmd and obstore beside it.

All ask one server on this machine, a process of its own, that answers every HEAD after a fixed time: 404 for
names that hold "none", else 200. Builds the release program, starts each client as a process, checks that
all say the same of every name, and prints wall time, CPU time and peak memory, the start of the process
and its imports included. In brackets: how often each one's goes into aio-aws's. aio-aws is installed into
.venv/aio-aws and the others into .venv/peers where they are missing; aio-aws's own limits on connections stand (40), the
others have 64 at once, and the program is shown with both. s5cmd and obstore are asked for objects alone, and so is AWS's SDK for Rust
without any program around it (benches/floors), which is the floor.

    python3 benches/objects.py [--objects N] [--buckets N] [--latency-ms MS] [--program PATH]

The defaults are 9,015 objects, 72 buckets and 20 ms.
"""

import argparse
import asyncio
import json
import pathlib
import subprocess
import sys
import tempfile

from processes import aio_aws_python, aws_environment, floor_program, peers_python, release_program, run

AIO_AWS = """
import asyncio, json, sys
from aio_aws.aio_aws_config import AioAWSConfig
from aio_aws.aio_aws_s3 import aio_s3_buckets_access, aio_s3_objects_access

async def main():
    names = open(sys.argv[1], encoding="utf-8").read().split()
    config = AioAWSConfig(max_pool_connections=40, min_jitter=0.2, max_jitter=0.8)
    async with config.create_client("s3", endpoint_url=sys.argv[2]) as client:
        if names[0].count("/") == 2:
            found = await aio_s3_buckets_access([name[5:] for name in names], config, client)
            found = {"s3://" + name: access for name, access in found.items()}
        else:
            found = await aio_s3_objects_access(names, config, client)
    json.dump(found, open(sys.argv[3], "w", encoding="utf-8"))

asyncio.run(main())
"""


OBSTORE = """
import asyncio, json, sys
import obstore
from obstore.store import S3Store

async def main():
    names = open(sys.argv[1], encoding="utf-8").read().split()
    room, stores, found = asyncio.Semaphore(64), {}, {}

    async def look(name):
        bucket, key = name[5:].split("/", 1)
        if bucket not in stores:
            stores[bucket] = S3Store(bucket, endpoint=sys.argv[2], virtual_hosted_style_request=False,
                                     client_options={"allow_http": True})
        async with room:
            try:
                await obstore.head_async(stores[bucket], key)
                found[name] = True
            except FileNotFoundError:
                found[name] = False

    await asyncio.gather(*map(look, names))
    json.dump(found, open(sys.argv[3], "w", encoding="utf-8"))

asyncio.run(main())
"""


def by_s5cmd(peers, url, names, folder):
    """`s5cmd run` with a command for each name; it tells what is there on standard output."""
    commands, found = folder / "commands", folder / "s5cmd"
    commands.write_text("".join(f"head {name}\n" for name in names), encoding="utf-8")
    command = [peers.with_name("s5cmd"), "--endpoint-url", url, "--numworkers", "64", "--json", "run", commands]
    taken = run(command, (0, 1), aws_environment(), stdout=found)
    there = {json.loads(line)["key"] for line in found.read_text().splitlines() if '"key"' in line}
    return taken, {name: name in there for name in names}


def by_sdk(url, names, listed, found):
    """AWS's SDK for Rust and nothing else."""
    command = [floor_program("head-floor"), listed, url, found, "64"]
    taken = run(command, env=aws_environment())
    return taken, {uri: there == "true" for uri, there in map(str.split, found.read_text().splitlines())}


HEADERS = b"\r\nContent-Length: 0\r\nETag: \"e\"\r\nLast-Modified: Tue, 24 Nov 2026 00:00:00 GMT\r\n\r\n"


async def answer(reader, writer, latency):
    """Answers the requests of one connection."""
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(latency)
            status = b"404 Not Found" if b"none" in request.split(b"\r\n", 1)[0] else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + HEADERS)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(latency):
    """Prints its port, and serves until standard input ends: with the process that started it."""
    server = await asyncio.start_server(lambda reader, writer: answer(reader, writer, latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


CLIENTS = ("batchwright, 40 at once", "batchwright, 64 at once", "aio-aws", "s5cmd, 64 at once", "obstore, 64 at once",
           "AWS's SDK for Rust alone, 64 at once")


def measured(program, python, url, names, folder):
    """The program with 40 and with its default of connections, and aio-aws; all say the same."""
    listed = folder / "names"
    listed.write_text("\n".join(names) + "\n", encoding="utf-8")
    taken = []
    for concurrency in (["--concurrency", "40"], []):
        found = folder / "program"
        command = [program, "s3", "access", "--endpoint-url", url, "--output", "ndjson", *concurrency, "-"]
        taken.append(run(command, (0, 1), aws_environment(), listed, found))
        ours = {line["uri"]: line["result"]["access"] for line in map(json.loads, found.read_text().splitlines())}
    theirs = folder / "aio-aws"
    taken.append(run([python, "-c", AIO_AWS, listed, url, theirs], env=aws_environment()))
    if ours != json.loads(theirs.read_text()):
        sys.exit("the program and aio-aws do not say the same")
    if names[0].count("/") > 2:
        peers = peers_python()
        s5cmd_taken, s5cmd_says = by_s5cmd(peers, url, names, folder)
        found = folder / "obstore"
        obstore_taken = run([peers, "-c", OBSTORE, listed, url, found], env=aws_environment())
        sdk_taken, sdk_says = by_sdk(url, names, listed, folder / "sdk")
        if ours != json.loads(found.read_text()) or ours != s5cmd_says or ours != sdk_says:
            sys.exit("s5cmd, obstore, the SDK and the program do not say the same")
        taken += [s5cmd_taken, obstore_taken, sdk_taken]
    if list(ours.values()) != ["none" not in name for name in names]:
        sys.exit("what they say is wrong")
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=9_015)
    parser.add_argument("--buckets", type=int, default=72)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--program", type=pathlib.Path, help="this one, and none is built")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return asyncio.run(serve(arguments.latency_ms / 1000))
    program = release_program("-p", "batchwright-cli", "--features", "aws", given=arguments.program)
    python = aio_aws_python()
    server = subprocess.Popen([sys.executable, __file__, "--serve", "--latency-ms", str(arguments.latency_ms)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{int(server.stdout.readline())}"
    name = lambda number: "none" if number % 10 == 9 else "there"
    objects = [f"s3://bench-{number % 7}/{name(number)}/{number:06}.json" for number in range(arguments.objects)]
    buckets = [f"s3://{name(number)}-{number:03}" for number in range(arguments.buckets)]
    print("| HEAD of | client | wall s | CPU s | peak MiB |")
    print("| --- | --- | ---: | ---: | ---: |")
    try:
        with tempfile.TemporaryDirectory() as folder:
            for what, names in (("objects", objects), ("buckets", buckets)):
                all_taken = measured(program, python, url, names, pathlib.Path(folder))
                # Buckets are asked for by the first three alone.
                for client, taken in zip(CLIENTS, all_taken):
                    figures = zip(taken, all_taken[2].over(taken), strict=True)
                    cells = (f"{mine:.2f} ({ratio:.1f})" for mine, ratio in figures)
                    print(f"| {len(names):,} {what} | {client} | {' | '.join(cells)} |", flush=True)
    finally:
        server.stdin.close()
        server.wait()


if __name__ == "__main__":
    main()
