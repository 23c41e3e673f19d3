"""Files: what was uploaded for batches and what they wrote, in memory only: a restart of the stand-in forgets them."""

import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from .request import BadRequestError


class NotFoundError(LookupError):
    """No file or batch of this id."""


@dataclass(frozen=True)
class File:
    """A stored file."""

    filename: str
    purpose: str
    content: bytes
    id: str = field(default_factory=lambda: f"file-{uuid.uuid4().hex}")
    created_at: int = field(default_factory=lambda: int(time.time()))

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
        }


class Files:
    """All files, newest last."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._lock = threading.Lock()

    def upload(self, body: bytes, content_type: str) -> dict[str, Any]:
        """Stores the file of a multipart body with the fields `purpose` and `file`."""
        fields = read_multipart(body, content_type)
        purpose, upload = fields.get("purpose"), fields.get("file")
        if purpose is None or upload is None or not upload[0]:
            raise BadRequestError("expected the multipart fields purpose and file, the latter with a filename")
        return self.store(upload[0], purpose[1].decode(), upload[1]).shown()

    def store(self, filename: str, purpose: str, content: bytes) -> File:
        """A new file."""
        file = File(filename, purpose, content)
        with self._lock:
            self._files[file.id] = file
        return file

    def get(self, name: str) -> File:
        """The file of this id. Raises NotFoundError."""
        with self._lock:
            file = self._files.get(name)
        if file is None:
            raise NotFoundError(f"no such file: {name}")
        return file

    def delete(self, name: str) -> dict[str, Any]:
        """Forgets the file of this id. Raises NotFoundError."""
        self.get(name)
        with self._lock:
            self._files.pop(name, None)
        return {"id": name, "object": "file", "deleted": True}

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Newest first, or as `order` says; of one `purpose`, if it is given."""
        with self._lock:
            files = [file.shown() for file in self._files.values()]
        if query.get("order", "desc") == "desc":
            files.reverse()
        return make_page([file for file in files if query.get("purpose") in (None, file["purpose"])], query)


def make_page(rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """`limit` rows (20) after the one with the id `after`."""
    ids = [row["id"] for row in rows]
    after = query.get("after")
    start = ids.index(after) + 1 if after in ids else 0
    data = rows[start : start + int(query.get("limit", "20"))]
    return {"object": "list", "data": data, "has_more": start + len(data) < len(rows)}


def read_multipart(body: bytes, content_type: str) -> dict[str, tuple[str, bytes]]:
    """Filename ("" where there is none) and content of each field of a multipart/form-data body."""
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if not content_type.startswith("multipart/form-data") or boundary is None:
        raise BadRequestError("expected multipart/form-data with a Content-Length")
    fields: dict[str, tuple[str, bytes]] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        names = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode()))
        fields[names.get("name", "")] = (names.get("filename", ""), content)
    return fields
