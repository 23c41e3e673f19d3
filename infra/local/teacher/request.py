"""Request: what a chat completion request holds for the stand-in: two pictures, the instruction, the scores."""

import base64
import binascii
import io
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image, UnidentifiedImageError

ASPECTS = ("alignment", "fidelity", "quality", "overall")


class BadRequestError(ValueError):
    """The request is not one that OpenAI's API would take, or not one that this stand-in understands."""


@dataclass(frozen=True)
class Question:
    """What a request asks. Images are RGB, source first."""

    model: str
    text: str
    images: list[Image.Image]
    detail: str
    max_tokens: int

    def prompt_tokens(self) -> int:
        """Text at four characters a token, images as OpenAI's vision guide counts them for GPT-4o."""
        pictures = sum(image_tokens(image.width, image.height, self.detail) for image in self.images)
        return math.ceil(len(self.text) / 4) + pictures


def read_question(body: bytes) -> Question:
    """Reads a request's JSON body. Raises BadRequestError with a sentence that the caller may show."""
    request = _load(body)
    model = request.get("model")
    if not isinstance(model, str):
        raise BadRequestError("model: expected a string")
    texts: list[str] = []
    images: list[Image.Image] = []
    detail = "auto"
    for part in _parts(request.get("messages")):
        picture = part.get("image_url")
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif part.get("type") == "image_url" and isinstance(picture, dict) and isinstance(picture.get("url"), str):
            images.append(decode_image(picture["url"]))
            detail = str(picture.get("detail", "auto"))
        else:
            raise BadRequestError("messages: expected parts of type text or image_url")
    if not texts:
        raise BadRequestError("messages: expected text")
    max_tokens = request.get("max_completion_tokens") or request.get("max_tokens") or 4096
    if not isinstance(max_tokens, int) or max_tokens < 1:
        raise BadRequestError(f"max_tokens: expected a positive integer, got {max_tokens!r}")
    return Question(model, "\n".join(texts), images, detail, max_tokens)


def _parts(messages: Any) -> list[dict[str, Any]]:
    """The parts of all messages; a content that is a string is one part."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadRequestError("messages: expected a list of messages")
    parts: list[dict[str, Any]] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            parts.append({"type": "text", "text": content})
        elif isinstance(content, list) and all(isinstance(part, dict) for part in content):
            parts.extend(content)
        else:
            raise BadRequestError("messages: expected content that is a string or a list of parts")
    return parts


def decode_image(url: str) -> Image.Image:
    """The picture in a `data:image/…;base64,…` URL, as RGB."""
    match = re.fullmatch(r"data:image/(?:png|jpeg|webp);base64,([A-Za-z0-9+/=]+)", url)
    if match is None:
        raise BadRequestError("image_url: expected a base64 data URL of a PNG, JPEG or WebP")
    try:
        with Image.open(io.BytesIO(base64.b64decode(match[1], validate=True))) as image:
            return image.convert("RGB")
    except (binascii.Error, UnidentifiedImageError, OSError) as error:
        raise BadRequestError(f"image_url: cannot be decoded ({error})") from error


def read_instruction(text: str) -> str:
    """The edit instruction, from the line `Instruction: "…"` of the prompt teacher-v1 (domain/critique/prompt.ts)."""
    return _from_line(text, "Instruction", str)


def read_scores(text: str) -> dict[str, float]:
    """The mean ratings, from the line `Ratings: {"alignment": …}` of the teacher prompt: each in [1, 5]."""
    ratings = _from_line(text, "Ratings", dict)
    for aspect in ASPECTS:
        score = ratings.get(aspect)
        if not isinstance(score, int | float) or not 1 <= score <= 5:
            raise BadRequestError(f"Ratings.{aspect}: expected a number from 1 to 5, got {score!r}")
    return {aspect: float(ratings[aspect]) for aspect in ASPECTS}


def _from_line(text: str, name: str, kind: type) -> Any:
    """The JSON value of the line `name: value`."""
    match = re.search(rf"^{name}: (.+)$", text, re.MULTILINE)
    try:
        value = json.loads(match[1]) if match else None
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise BadRequestError(f"expected a line '{name}: <JSON {kind.__name__}>' in the prompt, as teacher-v1 has it")
    return value


def image_tokens(width: int, height: int, detail: str) -> int:
    """GPT-4o: 85, for high detail 170 more per 512-pixel tile, fitted into 2048² and then to a short side of 768."""
    if detail == "low":
        return 85
    fit = min(1.0, 2048 / max(width, height))
    width, height = math.ceil(width * fit), math.ceil(height * fit)
    shrink = min(1.0, 768 / min(width, height))
    tiles = math.ceil(width * shrink / 512) * math.ceil(height * shrink / 512)
    return 85 + 170 * tiles


def _load(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"body: expected JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadRequestError("body: expected a JSON object")
    return value
