"""As much of the Hub's HTTP interface as `huggingface_hub` uses to make, fill and read model repositories.

Contents are kept in memory; one branch, `main`. Written from the requests that the client sends.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    files: dict[str, bytes] = field(default_factory=dict)
    lfs: set[str] = field(default_factory=set)
    private: bool = False
    commits: int = 0

    @property
    def revision(self) -> str:
        return hashlib.sha1(str(self.commits).encode()).hexdigest()


class FakeHub(ThreadingHTTPServer):
    """Serves at `url` until it is closed. Files that end in one of `lfs_suffixes` must come by LFS."""

    daemon_threads = True

    def __init__(self, lfs_suffixes: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lfs_suffixes = lfs_suffixes
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _dispatch(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        body = self._body()
        for pattern, method in _ROUTES:
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                method(self, body, *match.groups())
                return
        self._error(404, "EntryNotFound")

    do_GET = do_POST = do_PUT = do_HEAD = _dispatch

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, content: Any) -> None:
        self._send(json.dumps(content).encode(), Content_Type="application/json")

    def _error(self, status: int, code: str) -> None:
        self._send(json.dumps({"error": code}).encode(), status, X_Error_Code=code, X_Error_Message=code)

    def _repository(self, name: str) -> Repository | None:
        """The repository, if it is there and the asker may see it; else the error is sent."""
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and "Authorization" not in self.headers):
            self._error(401, "RepoNotFound")
            return None
        return repository

    def _create(self, body: bytes) -> None:
        wanted = json.loads(body)
        if "Authorization" not in self.headers:
            self._error(401, "Unauthorized")
            return
        name = f"{wanted['organization']}/{wanted['name']}" if wanted.get("organization") else wanted["name"]
        is_private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.server.repositories.setdefault(name, Repository(private=is_private))
        self._json({"url": f"{self.server.url}/{name}", "name": name, "id": name})

    def _validate(self, body: bytes) -> None:
        self._json({"errors": [], "warnings": []})

    def _preupload(self, body: bytes, name: str) -> None:
        files = json.loads(body)["files"]
        modes = ["lfs" if file["path"].endswith(self.server.lfs_suffixes or ("\0",)) else "regular" for file in files]
        self._json(
            {
                "files": [
                    {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}
                    for file, mode in zip(files, modes, strict=True)
                ]
            }
        )

    def _lfs_batch(self, body: bytes, name: str) -> None:
        objects = json.loads(body)["objects"]
        for entry in objects:
            entry["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{entry['oid']}"}}
        self._json({"transfer": "basic", "objects": objects})

    def _lfs_put(self, body: bytes, oid: str) -> None:
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.objects[oid] = body
        self._send(b"")

    def _commit(self, body: bytes, name: str) -> None:
        repository = self.server.repositories[name]
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                assert value["encoding"] == "base64"
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                repository.files[value["path"]] = self.server.objects[value["oid"]]
                repository.lfs.add(value["path"])
        repository.commits += 1
        url = f"{self.server.url}/{name}/commit/{repository.revision}"
        self._json({"success": True, "commitUrl": url, "commitOid": repository.revision, "hookOutput": ""})

    def _info(self, body: bytes, name: str) -> None:
        if repository := self._repository(name):
            siblings = [{"rfilename": path} for path in repository.files]
            self._json({"id": name, "modelId": name, "sha": repository.revision, "siblings": siblings, "tags": []})

    def _tree(self, body: bytes, name: str, folder: str | None) -> None:
        if repository := self._repository(name):
            inside = [path for path in repository.files if path.startswith(folder or "")]
            if folder and not inside:
                self._error(404, "EntryNotFound")
                return
            self._json([{"type": "file", "path": p, "size": len(repository.files[p]), "oid": "0" * 40} for p in inside])

    def _resolve(self, body: bytes, name: str, path: str) -> None:
        if (repository := self._repository(name)) is None:
            return
        if path not in repository.files:
            self._send(b"", 404, X_Error_Code="EntryNotFound", X_Repo_Commit=repository.revision)
            return
        content = repository.files[path]
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"ETag": etag, "X_Repo_Commit": repository.revision}
        if path in repository.lfs:
            headers |= {"X_Linked_Etag": etag, "X_Linked_Size": str(len(content))}
        self._send(content, **headers)


_NAME = r"([^/]+/[^/]+)"
_ROUTES: list[tuple[str, Any]] = [
    (r"POST /api/repos/create", _Handler._create),
    (r"POST /api/validate-yaml", _Handler._validate),
    (rf"POST /api/models/{_NAME}/preupload/main", _Handler._preupload),
    (rf"POST /api/models/{_NAME}/commit/main", _Handler._commit),
    (rf"POST /{_NAME}\.git/info/lfs/objects/batch", _Handler._lfs_batch),
    (r"PUT /lfs/(\w+)", _Handler._lfs_put),
    (rf"GET /api/models/{_NAME}/tree/\w+(?:/(.+))?", _Handler._tree),
    (rf"GET /api/models/{_NAME}(?:/revision/\w+)?", _Handler._info),
    (rf"(?:GET|HEAD) /{_NAME}/resolve/\w+/(.+)", _Handler._resolve),
]
