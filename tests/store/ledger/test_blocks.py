"""Names of blocks say which prefix it was and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radixa.core.tokens import pack
from radixa.store.ledger.blocks import BLOCK_TOKENS, NAME_BYTES, block_names, split_names

SECRET = b"s" * 32
paths = st.lists(st.integers(0, 2), max_size=300)


@given(paths, paths, st.integers(0, 300))
def test_two_prompts_share_as_many_names_as_whole_blocks(one: list[int], two: list[int], shared: int) -> None:
    two = one[:shared] + two
    names = [split_names(block_names(SECRET, "acct", pack(path))) for path in (one, two)]
    assert [len(found) for found in names] == [len(path) // BLOCK_TOKENS for path in (one, two)]
    same = 0
    while same < min(len(one), len(two)) and one[same] == two[same]:
        same += 1
    same //= BLOCK_TOKENS
    assert names[0][:same] == names[1][:same]
    assert not set(names[0][same:]) & set(names[1][same:])


def test_namespaces_and_installations_have_no_names_in_common() -> None:
    path = pack(list(range(4 * BLOCK_TOKENS)))
    found = [
        block_names(secret, namespace, path)
        for secret, namespace in ((SECRET, "one"), (SECRET, "two"), (SECRET, "one/two"), (b"t" * 32, "one"))
    ]
    assert len({name for names in found for name in split_names(names)}) == 4 * 4
    assert all(len(names) == 4 * NAME_BYTES for names in found)
    assert path[:NAME_BYTES] not in found[0]
