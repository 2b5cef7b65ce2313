"""Servers for measurements: HTTP as AWS's clients speak it, as little as that needs."""

import asyncio


class Http(asyncio.Protocol):
    """Requests with a known length, on a connection that stays open."""

    def __init__(self, answer):
        self.answer, self.data = answer, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end]
            lower = head.lower()
            at = lower.find(b"content-length:")
            length = int(lower[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4:end + 4 + length], self.data[end + 4 + length:]
            self.answer(self, head, body)

    def reply(self, body, *headers, status=b"200 OK"):
        if not self.transport.is_closing():
            lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers, b"", body]
            self.transport.write(b"\r\n".join(lines))


def operation(head):
    """What a request of AWS's JSON protocol asks for; nothing where it is none."""
    at = head.lower().find(b"x-amz-target:")
    if at < 0:
        return ""
    return head[at + 13:].split(b"\r\n", 1)[0].decode().strip().rpartition(".")[2]


async def listen(answer):
    server = await asyncio.get_running_loop().create_server(lambda: Http(answer), "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]
