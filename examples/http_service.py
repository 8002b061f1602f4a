"""A model in an HTTP service: any number of threads call it at once, without a lock, and get the bits of direct calls.

usage: python examples/http_service.py [--small] [--out DIR]
"""

import argparse
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter as clock

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn


class Answer(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1  # a connection stays open; an answer is sent as a whole
    log_request = staticmethod(lambda *_: None)

    def do_POST(self) -> None:
        try:
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
            status, answer = 200, {"scores": self.server.model(rows).tolist()}
        except (ValueError, TypeError, LookupError) as error:  # mathnet's say what would fit
            status, answer = 400, {"error": str(error)}
        self.send_response(status)
        self.send_header("Content-Length", str(len(body := json.dumps(answer).encode())))
        self.end_headers()
        self.wfile.write(body)


def ask(server: ThreadingHTTPServer, questions: list) -> list[tuple[int, dict, float]]:
    """Status, answer and seconds of each question, one after the other on one connection."""
    connection, found = http.client.HTTPConnection(*server.server_address), []
    for rows in questions:
        start = clock()
        connection.request("POST", "/", json.dumps({"rows": rows}))
        response = connection.getresponse()
        found.append((response.status, json.load(response), clock() - start))
    connection.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer requests")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings, clients, (images, labels) = parser.parse_args(), 16, mn.data.digits()
    x = images.reshape(-1, 64) / np.float32(16)
    with mn.Runtime(plugins=[], autoload=False, threads=1, seed=0):  # its own, whatever else is installed
        model = mn.Sequential([mn.layers.Dense(64, "relu"), mn.layers.Dense(10)], input_shape=(64,))
    model.fit(x, labels, loss="cross_entropy", optimizer="adam", epochs=5, seed=0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server, ThreadPoolExecutor(clients + 1) as pool:
        server.model, server.daemon_threads = model.freeze(), False  # closing waits for requests in progress
        pool.submit(server.serve_forever)
        questions, start = x[: 800 if settings.small else 1600].reshape(clients, -1, 1, 64), clock()
        found = [a for part in pool.map(lambda part: ask(server, part.tolist()), questions) for a in part]
        print(f"{len(found) / (clock() - start):,.0f} requests/s")
        print("a request that does not fit:", *ask(server, [[[0.5, 0.5]]])[0][:2])
        server.shutdown()
    call, waited = clock(), 1e6 * np.array([seconds for *_, seconds in found])
    direct = [server.model(row[None]).tolist() for row in x[: len(found)]]
    call = 1e6 * (clock() - call) / len(direct)
    assert [answer for _, answer, _ in found] == [{"scores": scores} for scores in direct]
    axes = Figure(figsize=(8, 4), layout="constrained").subplots()
    axes.hist(waited, bins=np.geomspace(waited.min(), waited.max(), 60))
    axes.set(xscale="log", xlabel=f"µs until the answer, {clients} clients at once", ylabel="requests")
    settings.out.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(settings.out / "http_service.png")
    low, high = np.quantile(waited, [0.5, 0.99])
    print(f"{len(found)} answers equal direct calls; in µs {call:.1f} < {low:.0f} by HTTP, 99%: {high:.0f}")


if __name__ == "__main__":
    main()
