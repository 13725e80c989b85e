"""A small W&B server: enough of the GraphQL and file-stream protocols that wandb 0.31 takes it for one.

It keeps what it is sent, and can be told to refuse keys or to go away. `history(run)` is what charts are drawn from.
"""

import gzip
import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """`with Server() as server`: at `server.url`. `status` other than 200 is what every request is answered with."""

    def __init__(self, port=0):
        self.runs, self.files, self.views, self.artifacts, self.queries, self.status = {}, {}, [], [], [], 200
        self.connections, self.projects, server = [], ["p"], self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status, found = server.answer(self.path, body)
                text = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

            def setup(self):
                super().setup()
                server.connections.append(self.connection)

        class Threads(ThreadingHTTPServer):
            request_queue_size, daemon_threads = 128, True

            def handle_error(self, *_):
                pass  # a client that went away

        self.http = Threads(("127.0.0.1", port), Handler)
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Go away: from here on connections are refused, and those that are open are cut."""
        self.http.shutdown()
        self.http.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def answer(self, path, body):
        if self.status != 200:
            return self.status, {"error": "refused", "errors": [{"message": "refused"}]}
        if path.endswith("/graphql"):
            asked = json.loads(body)
            return 200, {"data": self.graphql(asked["query"], asked.get("variables") or {})}
        if path.endswith("/file_stream"):
            run = self.run(path.split("/")[4])
            sent = json.loads(body)
            run["posts"].append(sent)
            for name, chunk in (sent.get("files") or {}).items():
                if name == "wandb-history.jsonl":
                    for place, line in enumerate(chunk["content"], chunk["offset"]):
                        run["history"][place] = json.loads(line)
                elif name == "wandb-summary.json":
                    run["summary"] = json.loads(chunk["content"][-1])
            run["exit"] = sent.get("exitcode", run["exit"]) if sent.get("complete") else run["exit"]
            return 200, {"limits": {}}
        if path.startswith("/storage/"):
            self.files[path.removeprefix("/storage/")] = body
        return 200, {}

    def run(self, name):
        return self.runs.setdefault(
            name, {"history": {}, "config": {}, "posts": [], "summary": {}, "exit": None, "upserts": []}
        )

    def history(self, name):
        lines = self.run(name)["history"]
        return [lines[place] for place in sorted(lines)]

    def graphql(self, query, variables):
        name = query.split("(")[0].split("{")[0].split()[-1]
        self.queries.append((name, variables))
        if name == "Viewer":
            return {
                "viewer": {
                    "id": "u",
                    "entity": "us",
                    "username": "us",
                    "email": "",
                    "admin": False,
                    "flags": "{}",
                    "teams": {"edges": []},
                }
            }
        if name == "UpsertBucket":
            run = self.run(variables["name"])
            inserted = not run["upserts"]
            run["upserts"].append(variables)
            if variables.get("config"):
                run["config"] = json.loads(variables["config"])
            bucket = {
                **{
                    "id": variables["name"],
                    "name": variables["name"],
                    "displayName": variables.get("displayName") or "",
                },
                **{"description": "", "config": "{}", "sweepName": None, "historyLineCount": len(run["history"])},
                "project": {"id": "p", "name": variables.get("project") or "p", "entity": {"id": "e", "name": "us"}},
            }
            return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}
        if name == "RunResumeStatus":
            return {
                "model": {
                    "id": "m",
                    "name": "p",
                    "entity": {"id": "e", "name": "us"},
                    "bucket": self.resumed(variables["name"]),
                }
            }
        if name == "CreateRunFiles":
            run = variables["run"]
            files = [{"name": f, "uploadUrl": f"{self.url}/storage/{run}/{f}"} for f in variables["files"]]
            return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}
        if name == "ArtifactType":
            return {"project": {"artifact": None}}
        if name == "CreateArtifact":  # as if all of it were there already
            self.artifacts.append(variables["input"])
            artifact = {
                "id": str(len(self.artifacts)),
                "state": "COMMITTED",
                "artifactSequence": {"latestArtifact": None},
            }
            return {"createArtifact": {"artifact": artifact}}
        if name in ("UpsertView2", "upsertView"):  # of a workspace, of a report
            self.views.append(variables)
            project = {"id": "p", "name": variables["projectName"], "entityName": variables["entityName"]}
            view = {"id": "v", "name": variables["name"], "spec": variables["spec"], "project": project}
            return {"upsertView": {"view": view, "inserted": True}}
        if name == "GetProjects":
            same = {"entityName": "us", "createdAt": "2026-01-01", "isBenchmark": False, "user": None}
            edges = [{"node": {"id": each, "name": each, **same}, "cursor": ""} for each in self.projects]
            return {"models": {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": edges}}
        if name == "ProjectInternalId":
            known = variables["projectName"] in self.projects
            return {"project": {"id": "p", "internalId": "17"} if known else None}
        return {}

    def resumed(self, name):
        run = self.runs.get(name)
        if not run or not run["upserts"]:
            return None
        last = self.history(name)[-1:]
        return {
            **{
                "id": name,
                "name": name,
                "historyLineCount": len(run["history"]),
                "eventsLineCount": 0,
                "logLineCount": 0,
            },
            **{"historyTail": json.dumps([json.dumps(line) for line in last]), "eventsTail": "[]"},
            **{"summaryMetrics": json.dumps(run["summary"]), "config": json.dumps(run["config"]), "tags": []},
            "wandbConfig": json.dumps({"t": 1}),
        }
