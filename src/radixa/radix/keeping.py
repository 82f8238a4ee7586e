"""Setting the retention of one path from outside, as a viewer does, beside the wishes that came with requests."""

from __future__ import annotations

from functools import reduce

from radixa.radix.base import Keep, P
from radixa.radix.node import Node
from radixa.radix.tree import Tree


def set_keep(tree: Tree[P], node: Node[P], keep: Keep | None) -> None:
    """Give the path down to `node` the retention `keep` in place of what `node` itself was granted; None for none.

    A node never has less than one below it, which it is needed for: so what is granted below stays, and `node` keeps
    as much. The budget holds: a grant may make others yield, or itself.
    """
    _replace(tree, node, keep)
    above = node.parent
    while above is not None and above.parent is not None and above.keep is not None and not above.granted:
        # It had this for the sake of what is below it, and has what is below it now.
        _replace(tree, above, None)
        above = above.parent


def _replace(tree: Tree[P], node: Node[P], own: Keep | None) -> None:
    below = [child.keep for child in node.children.values() if child.keep is not None]
    wishes = below if own is None else [own, *below]
    wanted = reduce(Keep.merged, wishes) if wishes else None
    if node.keep is not None and node.keep != wanted:
        tree.release(node)
    if wanted is not None and node.keep is None:
        tree.retain(node, wanted)
    node.granted = own is not None and node.keep is not None
