"""Put on PYTHONPATH: no process of Python reaches a network, and what was tried is appended to the file $TRIED."""

import os
import sys
import traceback

REACHES = ("socket.connect", "socket.sendto", "socket.sendmsg")
ASKS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def watch(event, arguments):
    outside = event in REACHES and isinstance(arguments[1], tuple)  # a place in the file system is a string
    if outside or event in ASKS:
        with open(os.environ["TRIED"], "a") as file:
            file.write(f"{event} {arguments[1:]} of {sys.argv}\n{''.join(traceback.format_stack(limit=6))}\n")
        raise OSError("the network is blocked")


sys.addaudithook(watch)
