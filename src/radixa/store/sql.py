"""Accounts, keys, credits and the audit log over SQLAlchemy Core: one transaction a method, the rows' own files inside
it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from radixa.core.config import StoreConfig
from radixa.core.errors import InvalidRequest
from radixa.core.paths import paths
from radixa.store import accounts, audit, credit_entries, keys
from radixa.store.base import (
    LOCAL,
    NO_LIMITS,
    PLAIN,
    Account,
    Actor,
    ApiKey,
    AuditEntry,
    Credential,
    Credit,
    CreditKind,
    KeyTerms,
    Limits,
)
from radixa.store.database import connect
from radixa.store.names import check_name
from radixa.store.secrets import new_secret


class SqlStore:
    """Accounts, keys, credits and what was done to them, in a database.

    Methods are synchronous, for threads, of which several may call at once. `by` is who acts; each act is in the audit
    log in the same transaction.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The open database, for other tables in it."""
        return self._engine

    def create_account(
        self,
        name: str,
        *,
        limits: Limits = NO_LIMITS,
        credit_limit: int | None = None,
        free_credits: int = 0,
        by: Actor = LOCAL,
    ) -> Account:
        """InvalidRequest where the name is taken, could be an id, or cannot be kept."""
        try:
            with self._engine.begin() as connection:
                account = accounts.create(connection, name, limits, credit_limit)
                if free_credits:
                    credit_entries.add(connection, account.id, free_credits, "grant", "free credits", None)
                audit.add(
                    connection, by, "account.create", account.id, account.id,
                    name=name, limits=asdict(limits), credit_limit=credit_limit, free_credits=free_credits,
                )  # fmt: skip
        except IntegrityError as error:
            raise InvalidRequest(f"There is already an account named '{name}'.", param="account") from error
        return account

    def change_account(
        self, account_id: str, limits: Limits, credit_limit: int | None, *, by: Actor = LOCAL
    ) -> Account:
        """The account as it is afterwards. NotFound where there is none."""
        with self._engine.begin() as connection:
            account = accounts.change(connection, account_id, limits, credit_limit)
            audit.add(
                connection, by, "account.change", account_id, account_id,
                limits=asdict(limits), credit_limit=credit_limit,
            )  # fmt: skip
            return account

    def accounts(self) -> list[Account]:
        """Oldest first."""
        with self._engine.connect() as connection:
            return accounts.every(connection)

    def find_account(self, id_or_name: str) -> Account | None:
        """One word means one account: no name begins as ids do."""
        with self._engine.connect() as connection:
            return accounts.find(connection, id_or_name)

    def add_credit(
        self,
        account_id: str,
        amount: int,
        *,
        kind: CreditKind = "top_up",
        note: str = "",
        idempotency_key: str | None = None,
        by: Actor = LOCAL,
    ) -> tuple[Credit, bool]:
        """The entry, and whether it is new: one `idempotency_key` of an account adds once.

        NotFound where there is no such account, Conflict where that key has added something else.
        """
        if idempotency_key is not None:
            check_name(idempotency_key, "idempotency_key")
        if note:
            check_name(note, "note")
        try:
            with self._engine.begin() as connection:
                accounts.get(connection, account_id)
                if idempotency_key is not None:
                    known = credit_entries.added(connection, account_id, idempotency_key, amount, kind)
                    if known is not None:
                        return known, False
                credit = credit_entries.add(connection, account_id, amount, kind, note, idempotency_key)
                audit.add(
                    connection, by, "credit.add", credit.id, account_id, kind=kind, amount=amount, note=note
                )  # fmt: skip
                return credit, True
        except IntegrityError:
            # Another one with the same key was quicker; its entry is there now.
            if idempotency_key is None:
                raise
            with self._engine.connect() as connection:
                known = credit_entries.added(connection, account_id, idempotency_key, amount, kind)
            if known is None:
                raise
            return known, False

    def credits(self, account_id: str) -> list[Credit]:
        """Oldest first."""
        with self._engine.connect() as connection:
            return credit_entries.every(connection, account_id)

    def granted(self, account_id: str | None = None) -> dict[str, int]:
        """The sum of the credits of each account that has any, or of one."""
        with self._engine.connect() as connection:
            return credit_entries.granted(connection, account_id)

    def create_key(
        self,
        account_id: str,
        name: str,
        *,
        admin: bool = False,
        secret: str | None = None,
        terms: KeyTerms = PLAIN,
        by: Actor = LOCAL,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is never stored; `secret` sets it, for `RADIXA_API_KEY`.

        NotFound where there is no such account, InvalidRequest for a name that cannot be kept.
        """
        secret = secret or new_secret()
        with self._engine.begin() as connection:
            key = keys.create(connection, account_id, name, admin=admin, secret=secret, terms=terms)
            audit.add(connection, by, "key.create", key.id, account_id, name=name, admin=admin, **asdict(terms))
        return key, secret

    def change_key(self, key_id: str, name: str, terms: KeyTerms, *, by: Actor = LOCAL) -> ApiKey:
        """The key as it is afterwards. NotFound where there is none."""
        with self._engine.begin() as connection:
            key = keys.change(connection, key_id, name, terms)
            audit.add(connection, by, "key.change", key_id, key.account_id, name=name, **asdict(terms))
            return key

    def credential(self, digest: str) -> Credential | None:
        """The key with its account, also where it is revoked or expired."""
        with self._engine.connect() as connection:
            return keys.credential(connection, digest)

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        """All keys, revoked ones too, oldest first; of one account where `account_id` says so."""
        with self._engine.connect() as connection:
            return keys.every(connection, account_id)

    def revoke_key(self, key_id: str, *, by: Actor = LOCAL) -> ApiKey:
        """The key as it is afterwards; revoking twice keeps the first time. NotFound where there is no such key."""
        with self._engine.begin() as connection:
            key, now = keys.revoke(connection, key_id)
            if now:
                audit.add(connection, by, "key.revoke", key_id, key.account_id)
            return key

    def audit(self, *, limit: int = 100, before: str | None = None, account_id: str | None = None) -> list[AuditEntry]:
        """Newest first; `before` is the id of the last entry seen."""
        with self._engine.connect() as connection:
            return audit.entries(connection, limit, before, account_id)

    def close(self) -> None:
        self._engine.dispose()


def open_store(config: StoreConfig, default: Path | None = None) -> SqlStore:
    """The store that the configuration names, migrated. `default`: the SQLite file instead of the data folder's."""
    return SqlStore(connect(config.url, default or paths().database))
