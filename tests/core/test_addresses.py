"""No password is shown, of a URL that is one or of one that is not."""

from __future__ import annotations

import pytest

from radixa.core.addresses import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("sqlite:////home/me@work/radixa.db", "sqlite:////home/me@work/radixa.db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql+psycopg://me:s3cret@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://me:s3:cr/e@t@host/db", "postgresql://me:***@host/db"),
        ("postgresql://:s3cret@host/db", "postgresql://:***@host/db"),
        ("postgresql//me:s3cret@host/db", "postgresql//me:***@host/db"),
        ("me:s3cret@host/db", "me:***@host/db"),
        ("postgresql://host/db?user=me&password=s3cret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("postgresql://host/db?sslpassword=s3cret", "postgresql://host/db?sslpassword=***"),
    ],
)
def test_a_url_to_show(url: str, shown: str) -> None:
    assert without_password(url) == shown
