"""A client of the stream manager that speaks TLS with Python's own ssl: asks, and prints the answer.

Arguments: port, PEM of the authority, text of the command in JSON.
"""

import json
import socket
import ssl
import struct
import sys

port, authority, text = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=authority)
with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
    with context.wrap_socket(plain, server_hostname="localhost") as channel:
        body = text.encode()
        channel.sendall(struct.pack(">I", len(body)) + body)
        received = b""
        while len(received) < 4 or len(received) < 4 + struct.unpack(">I", received[:4])[0]:
            chunk = channel.recv(65536)
            if not chunk:
                break
            received += chunk
        print(json.dumps({"version": channel.version(), "answer": json.loads(received[4:])}))
