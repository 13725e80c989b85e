"""A server that answers TRL's client as vLLM does, over real sockets, and fails as it is told to.

Its replies are words drawn by the prompt and the seed, the same each time. Nothing is sent to it but requests.
"""

import json
import random
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class VLLMServer:
    """`faults` is a list of what becomes of the next replies: `500`, `503`, `reset`, `half`, `hang` or `slow`; the rest
    are whole. While `silent` is set nothing is answered at all. `asked` are the paths that were asked for."""

    def __init__(self, words, end):
        self.words, self.end = words, end
        self.faults, self.asked, self.silent = [], [], threading.Event()
        self.instance, self.over = "first", threading.Event()
        self.port = 0
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                fake.answer(self, {})

            def do_POST(self):
                fake.answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}"))

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

            def get_request(self):
                found = super().get_request()
                fake.open.append(found[0])
                return found

        self.open = []
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        """As a process that is killed: nothing listens, and what was open is cut."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self):
        self.over.set()
        self.stop()

    def answer(self, request, body):
        path = request.path.partition("?")[0]
        self.asked.append(path)
        if self.silent.is_set():
            return self.over.wait(60)
        if path == "/v1/completions":
            fault = self.faults.pop(0) if self.faults else ""
            if fault == "hang":
                request.close_connection = True
                return self.over.wait(60)
            if fault == "reset":  # a closed connection that says so at once
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                request.close_connection = True
                return request.connection.close()
            if fault == "slow":
                time.sleep(0.5)
            if fault.isdigit():
                return self.send(request, {}, int(fault))
            return self.send(request, {"choices": self.choices(body)}, half=fault == "half")
        said = {
            "model_config": {"logprobs_mode": "processed_logprobs", "max_model_len": 4096},
            "instance_id": self.instance,
        }
        known = {"/health": {}, "/v1/models": {"data": [{"id": "toy"}]}, "/server_info": {"vllm_config": said}}
        return self.send(request, known.get(path, {}), 200 if path in known else 404)

    def choices(self, body):
        (prompt,) = body["prompt"]
        found = []
        for place in range(body["n"]):
            draw = random.Random(f"{prompt} {body['seed'] + place}")
            ids = [draw.choice(self.words) for _ in range(draw.randint(1, body["max_tokens"] - 1))] + [self.end]
            names = [f"token_id:{id}" for id in ids]
            scores = {"tokens": names, "token_logprobs": [-2.0] * len(ids), "top_logprobs": [{}] * len(ids)}
            found.append({"prompt_token_ids": prompt, "token_ids": ids, "logprobs": scores})
        return found

    def send(self, request, value, status=200, half=False):
        text = json.dumps(value).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text[: len(text) // 2] if half else text)
        if half:
            request.close_connection = True


def without_vllm(monkeypatch):
    """TRL's client runs without vLLM, and soon asks again; weights, which it would send from a GPU, are not sent."""
    from trl.generation import vllm_client, vllm_generation

    from motif.generation import vllm_requests, vllm_retry

    monkeypatch.setattr("motif.generation.engines.find_spec", lambda name: True)
    monkeypatch.setattr(vllm_client, "is_vllm_available", lambda: True)
    monkeypatch.setattr(vllm_generation, "is_vllm_available", lambda: True)
    monkeypatch.setattr(vllm_client.VLLMClient, "init_communicator", lambda *_, **__: None)
    monkeypatch.setattr(vllm_generation.VLLMGeneration, "sync_weights", lambda self: None)
    monkeypatch.setattr(vllm_retry, "FIRST", 0.02)
    monkeypatch.setattr(vllm_retry, "PROBE", 0.3)
    monkeypatch.setattr(vllm_requests, "BEAT", 0.1)
