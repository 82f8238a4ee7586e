"""The dashboard, called without a network."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from radixa.core.config import AccountsConfig
from radixa.dashboard.mount import dashboard
from radixa.gateway.app import App
from radixa.store.base import KeyTerms
from tests.gateway.conftest import Build, World, build, migrated, store
from tests.gateway.fakes import Answer, Client

__all__ = ["build", "migrated", "store"]


@dataclass
class Visitor:
    """A browser without eyes: it keeps cookies, and sends forms with the token that the last page gave it."""

    app: App
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each request."""

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._call("GET", path, b"", headers)

    async def send(self, path: str, /, csrf: str | None = None, **fields: str) -> Answer:
        """A form; `csrf` in place of the right token."""
        body = urlencode({"csrf": self.token if csrf is None else csrf} | fields).encode()
        return await self._call("POST", path, body, {"content_type": "application/x-www-form-urlencoded"})

    async def post_json(self, path: str, body: bytes, **headers: str) -> Answer:
        return await self._call("POST", path, body, {"content_type": "application/json", **headers})

    async def sign_in(self, key: str) -> Answer:
        await self.get("/dashboard/sign-in")
        return await self.send("/dashboard/sign-in", key=key)

    async def _call(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        sent = self.headers | headers
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await Client(self.app).call(method, path, body, sent)
        if "set-cookie" in answer.headers:
            name, _, rest = answer.headers["set-cookie"].partition("=")
            self.cookies[name] = rest.partition(";")[0]
        if found := re.search(r'name="csrf" (?:value|content)="([^"]+)"', answer.body.decode("utf-8", "replace")):
            self.token = found[1]
        return answer


@dataclass
class Place:
    world: World
    app: App

    @property
    def admin_key(self) -> str:
        assert self.world.client.key is not None
        return self.world.client.key

    def visitor(self, **headers: str) -> Visitor:
        return Visitor(self.app, headers=headers)

    async def admin(self) -> Visitor:
        visitor = self.visitor()
        assert (await visitor.sign_in(self.admin_key)).status == 303
        return visitor

    async def tenant(self, account: str, *, name: str = "plain", terms: KeyTerms | None = None) -> Visitor:
        """Somebody signed in with a plain key of a new account."""
        visitor = self.visitor()
        assert (await visitor.sign_in(self.key_of(account, name, terms))).status == 303
        return visitor

    def key_of(self, account: str, name: str = "plain", terms: KeyTerms | None = None) -> str:
        store = self.world.store
        owner = store.find_account(account) or store.create_account(account)
        return store.create_key(owner.id, name, terms=terms or KeyTerms())[1]


Open = Callable[..., Place]


@pytest.fixture
def opened(build: Build) -> Open:
    """Makes a place; `self_signup` lets anyone open an account there."""

    def make(*, auth: bool = True, self_signup: bool = False) -> Place:
        world = build(auth=auth)
        gateway = world.gateway
        gateway.config = replace(gateway.config, accounts=AccountsConfig(self_signup=self_signup))
        return Place(world, App(gateway, mounted=dashboard(gateway)))

    return make


@pytest.fixture
def place(opened: Open) -> Place:
    return opened()


def text(answer: Answer) -> str:
    """What a page says, without its tags."""
    found = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.body.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found)).split())
