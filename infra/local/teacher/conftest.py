"""What the stand-in's tests share: a server of a test's own, and what the pipeline sends to it."""

import base64
import http.client
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from critic_trainer.scenes.draw import random_scene, render
from PIL import Image

from teacher.faults import FaultPicker
from teacher.limits import Limits
from teacher.server import Settings, make_server

KEY = "test-key"


@dataclass
class Running:
    """A server of this test's own."""

    port: int
    settings: Settings

    def send(
        self, method: str, path: str, body: Any = None, timeout: float = 10, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            sent = {"Authorization": f"Bearer {KEY}"} | names
            connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, sent)
            response = connection.getresponse()
            headers = {k.lower(): v for k, v in response.getheaders()}
            content = response.read()
            is_json = headers["content-type"] == "application/json"
            return response.status, headers, json.loads(content) if is_json else content
        finally:
            connection.close()

    def chat(self, fault: str | None = None, timeout: float = 10, **changes: Any) -> tuple[int, dict[str, str], Any]:
        """One good chat request, changed."""
        headers = {} if fault is None else {"X_Teacher_Fault": fault}
        return self.send("POST", "/v1/chat/completions", request() | changes, timeout, **headers)


@pytest.fixture
def start() -> Iterator[Any]:
    servers = []

    def run(**changes: Any) -> Running:
        settings = Settings(
            **({"key": KEY, "faults": FaultPicker({}, 0), "limits": Limits(1000, 10_000_000)} | changes)
        )
        server = make_server("127.0.0.1", 0, settings)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return Running(server.server_address[1], settings)

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


def picture() -> Image.Image:
    """A drawn scene that is always the same."""
    return render(random_scene(np.random.default_rng(3)))


def data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def request(**ratings: Any) -> dict[str, Any]:
    """What the pipeline sends for an edit that changed nothing."""
    scores = {"alignment": 1.2, "fidelity": 4.8, "quality": 4.9, "overall": 2.9} | ratings
    text = f'Instruction: "Remove the red circle"\nRatings: {json.dumps(scores)}\nThe first image is the source.'
    url = {"url": data_url(picture()), "detail": "high"}
    images = [{"type": "image_url", "image_url": url}] * 2
    return {
        "model": "some-model",
        "max_tokens": 300,
        "messages": [
            {"role": "system", "content": "You review edited images."},
            {"role": "user", "content": [{"type": "text", "text": text}, *images]},
        ],
    }
