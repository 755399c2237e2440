"""A client of an application, without a server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI


@dataclass(frozen=True)
class Client:
    """Asks an application without a server; `root_path` is what a proxy puts before its paths."""

    app: FastAPI
    root_path: str = ""

    def get(self, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, root_path=self.root_path)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.get(path, **options)

        return asyncio.run(ask())
