"""THREAD (RFC 5256 section 3): ORDEREDSUBJECT and REFERENCES, as pure functions of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.store.forest import Place

_CLIMBED, _FEW = 32, 1000
"""Threads count as deep after _CLIMBED steps from parent to parent for each node and for _FEW nodes more."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be threaded. `sent` is in seconds since the epoch, `subject` is the base subject, `references` are message ids
    with the parent last."""

    uid: int
    sent: int
    message_id: bytes
    references: tuple[bytes, ...]
    subject: bytes
    is_reply: bool


def ordered_subject(messages: Sequence[Message]) -> bytes:
    """Threads messages by base subject, then by sent date. The threads stand in the order of their first messages' dates.

    Bound: sorts the messages once.
    """
    groups: dict[bytes, list[Message]] = {}
    for message in sorted(messages, key=lambda m: (m.sent, m.uid)):
        groups.setdefault(message.subject, []).append(message)
    answer = []
    for group in groups.values():
        first, *rest = group
        if len(rest) > 1:
            answer.append(b"(%d %b)" % (first.uid, b"".join([b"(%d)" % m.uid for m in rest])))
        else:
            answer.append(b"(%b)" % b" ".join([b"%d" % m.uid for m in group]))
    return b"".join(answer)


@dataclass(eq=False, slots=True)
class _Node:
    """A node of a thread: a message or, without one, a dummy. `_Ancestry` makes the links. `children` is filled once all links
    are made; till then `size` counts them."""

    message: Message | None = None
    parent: _Node | None = None
    size: int = 0
    children: list[_Node] = field(default_factory=list)


class _Ancestry:
    """Links nodes, and tells which tree a node is in. It climbs from parent to parent, for threads are shallow. Once that has
    become more work than `_CLIMBED` steps a node, it keeps the trees a second time in a form that no depth makes slow."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self._places: dict[_Node, Place] | None = None
        self._climbed = 0

    def loops(self, parent: _Node, root: _Node) -> bool:
        """Whether `parent` is below `root`, which has no parent itself."""
        if parent is root or root.size == 0:
            return parent is root
        if self._places is None:
            node = parent
            while node.parent is not None:
                node = node.parent
                self._climbed += 1
            if self._climbed > _CLIMBED * (len(self.nodes) + _FEW):
                self._keep_places()
            return node is root
        return self._place(parent).root() is self._place(root)

    def link(self, child: _Node, parent: _Node) -> None:
        child.parent = parent
        parent.size += 1
        if self._places is not None:
            self._place(child).link(self._place(parent))

    def cut(self, child: _Node) -> None:
        if child.parent is not None:
            child.parent.size -= 1
            child.parent = None
            if self._places is not None:
                self._place(child).cut()

    def _place(self, node: _Node) -> Place:
        assert self._places is not None
        place = self._places.get(node)
        if place is None:
            place = self._places[node] = Place()
        return place

    def _keep_places(self) -> None:
        self._places = {}
        for node in self.nodes:
            if node.parent is not None:
                self._place(node).link(self._place(node.parent))


def references(messages: Sequence[Message]) -> bytes:
    """Returns the threads of THREAD=REFERENCES, as the answer has them.

    Bound: n log n of messages and references together, however deep or wide they make the threads.
    """
    roots = _by_subject(_pruned(_linked(messages)))
    _sort(roots)
    return b"".join([_render(root) for root in roots])


def _linked(messages: Sequence[Message]) -> list[_Node]:
    """Steps 1 and 2: links nodes by their references. Returns those without a parent."""
    nodes: dict[bytes, _Node] = {}
    forest = _Ancestry()
    everything = forest.nodes

    def node_of(message_id: bytes) -> _Node:
        node = nodes.get(message_id)
        if node is None:
            node = nodes[message_id] = _Node()
            everything.append(node)
        return node

    for message in messages:
        node = node_of(message.message_id) if message.message_id else _Node()
        if node.message is not None or not message.message_id:
            # "a message that has the same Message ID as another" is treated as if it had a unique one
            node = _Node()
            everything.append(node)
        node.message = message
        parent: _Node | None = None
        for reference in message.references:
            child = node_of(reference)
            if parent is not None and child.parent is None and not forest.loops(parent, child):
                forest.link(child, parent)
            parent = child
        # Step 1.B: the last reference is the parent, whatever others' references said; "if this message has no references,
        # ... it will now have no parent".
        if node.parent is not parent:
            forest.cut(node)
            if parent is not None and not forest.loops(parent, node):
                forest.link(node, parent)
    for node in everything:
        if node.parent is not None:
            node.parent.children.append(node)
    return [node for node in everything if node.parent is None]


def _pruned(roots: list[_Node]) -> list[_Node]:
    """Step 3: removes dummies without children, and gives the children of others to their parent. At the root, a dummy with more
    than one child stays."""
    for node in reversed(_all_below(roots)):  # children before parents
        dummies = [child.children for child in node.children if child.message is None]
        if dummies:
            # Extends the longest list, and makes no new one each time: dummies may stand in a long row. The order does not
            # matter before step 6.
            kept = max(dummies, key=len)
            for others in dummies:
                if others is not kept:
                    kept.extend(others)
            kept.extend(child for child in node.children if child.message is not None)
            node.children = kept
    result = []
    for root in roots:
        if root.message is None and len(root.children) <= 1:
            result.extend(root.children)
        else:
            result.append(root)
    return result


def _all_below(roots: list[_Node]) -> list[_Node]:
    """Returns every node, parents before children, and without recursion: a thread may be thousands deep."""
    nodes = list(roots)
    for node in nodes:
        nodes.extend(node.children)
    return nodes


def _by_subject(roots: list[_Node]) -> list[_Node]:
    """Steps 4 and 5: merges threads whose roots have the same base subject."""
    heads = {root: _head(root) for root in roots}  # a dummy with thousands of children is looked through once
    roots = sorted(roots, key=lambda root: (heads[root].sent, heads[root].uid))
    table: dict[bytes, _Node] = {}
    for root in roots:
        subject = heads[root].subject
        former = table.get(subject)
        if subject and (
            former is None
            or (root.message is None and former.message is not None)
            or (heads[former].is_reply and not heads[root].is_reply)
        ):
            table[subject] = root
    merged: dict[int, _Node] = {}
    below: set[_Node] = set()  # roots put below a new dummy, which the loop may still come to
    for root in roots:
        if root in below:
            continue
        subject = heads[root].subject
        other = table.get(subject, root)
        if other is root:
            merged.setdefault(id(root), root)
            continue
        if other.message is None and root.message is None:
            other.children.extend(root.children)
        elif other.message is None or (heads[root].is_reply and not heads[other].is_reply):
            other.children.append(root)
        else:
            dummy = _Node(children=[other, root])
            below.add(other)
            table[subject] = dummy
            merged.pop(id(other), None)
            other = dummy
        merged.setdefault(id(other), other)
    return list(merged.values())


def _head(node: _Node) -> Message:
    """The message whose date a thread is sorted by. A dummy (a message that is missing) takes its first child's; RFC 5256
    guarantees that a dummy at the root has one."""
    while node.message is None:
        node = min(node.children, key=_early)
    return node.message


def _early(node: _Node) -> tuple[int, int]:
    message = _head(node)
    return message.sent, message.uid


def _sort(roots: list[_Node]) -> None:
    """Step 6: sorts siblings, and then the threads, by date."""
    for node in reversed(_all_below(roots)):
        node.children.sort(key=_early)
    roots.sort(key=_early)


def _render(root: _Node) -> bytes:
    """Returns one thread-list: "(" thread-members / thread-nested ")" (RFC 5256 section 5)."""
    parts: list[bytes] = []
    stack: list[_Node | bytes] = [b")", root, b"("]
    while stack:
        top = stack.pop()
        if isinstance(top, bytes):
            parts.append(top)
            continue
        if top.message is not None:
            parts.append(b"%d" % top.message.uid)
        if len(top.children) == 1 and top.message is not None:
            stack += [top.children[0], b" "]
        elif top.children:
            if top.message is not None:
                parts.append(b" ")
            for child in reversed(top.children):
                stack += [b")", child, b"("]
    return b"".join(parts)
