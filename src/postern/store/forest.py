"""Link-cut trees (Sleator and Tarjan, "A data structure for dynamic trees", 1983): trees that are linked and cut, and that tell
the root above a node. Each step takes logarithmic time on average, whatever the shape of the trees.

A tree is kept as paths, each path as a splay tree in the order from its top downwards.
"""

from __future__ import annotations


class Place:
    """The position of a node in its tree. `up` is the parent in the splay tree of the node's path; at the root of the splay tree
    it is the node above the path."""

    __slots__ = ("left", "right", "up")

    def __init__(self) -> None:
        self.up: Place | None = None
        self.left: Place | None = None
        self.right: Place | None = None

    def link(self, parent: Place) -> None:
        """Makes this node, the root of a tree, a child of `parent`, which is in another tree."""
        self._expose()
        self.up = parent

    def cut(self) -> None:
        """Makes the node, with all below it, a tree of its own. The node must have a parent."""
        self._expose()
        assert self.left is not None
        self.left.up = None
        self.left = None

    def root(self) -> Place:
        """The top of the tree."""
        self._expose()
        top = self
        while top.left is not None:
            top = top.left
        top._splay()
        return top

    def _expose(self) -> None:
        """Makes the way from the root down to this node one path, with this node on top of its splay tree."""
        below: Place | None = None
        at: Place | None = self
        while at is not None:
            at._splay()
            at.right = below
            below, at = at, at.up
        self._splay()

    def _splay(self) -> None:
        while (parent := self._above()) is not None:
            over = parent._above()
            if over is not None:
                same_side = (over.left is parent) is (parent.left is self)
                (parent if same_side else self)._rotate()
            self._rotate()

    def _above(self) -> Place | None:
        """The parent within the splay tree."""
        up = self.up
        return up if up is not None and (up.left is self or up.right is self) else None

    def _rotate(self) -> None:
        parent = self.up
        assert parent is not None
        over = parent.up
        if over is not None:
            if over.left is parent:
                over.left = self
            elif over.right is parent:
                over.right = self
        if parent.left is self:
            moved = parent.left = self.right
            self.right = parent
        else:
            moved = parent.right = self.left
            self.left = parent
        if moved is not None:
            moved.up = parent
        parent.up, self.up = self, over
