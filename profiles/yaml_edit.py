"""Editing YAML that people wrote, keeping their hand: comments, order, quotes and every untouched line.

Instead of writing a file anew it finds where new data differs from what is written, and replaces only
that text. The outcome is read back and compared: an edit that would not say exactly the new data, or
that would have to touch what the file shares by an anchor, is refused and changes nothing.
"""

import re
from dataclasses import dataclass
from typing import Final

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from controller.errors import InvalidFilesError, UserError
from profiles.sequence_edit import Plan, plan_items
from profiles.yaml_emit import block, entry, flow, item
from profiles.yaml_source import Plain, compose, parse_document

MAX_PASSES: Final = 200
"""Each pass puts at least one list into its new order; no honest file has as many."""

_ALIAS = re.compile(r"[\s,]*\*[^\s,\[\]{}]+")


class EditRefusedError(UserError):
    """The file cannot be edited without touching more than was asked; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace the text from ``start`` to ``end``."""

    start: int
    end: int
    text: str


def written(data: Plain) -> str:
    """Return data as the text of a new file."""
    return "\n".join(block(data, 0)) + "\n"


def edited(text: str, data: Plain, file: str = "") -> str:
    """Return ``text`` changed to say ``data``; every line that need not change is byte-identical.

    Raises:
        InvalidFilesError: ``text`` is not YAML.
        EditRefusedError: it cannot be done without touching more.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    ended = text if text.endswith("\n") else text + newline
    for _ in range(MAX_PASSES):
        document = parse_document(ended, file)
        root = None if document.problems else compose(ended)
        if root is None:
            raise InvalidFilesError(document.problems)
        if same(document.data, data):
            return ended if text.endswith("\n") else ended.removesuffix(newline)
        editor = _Editor(ended, newline)
        editor.change(root, document.data, data, _Place(0, inline=False))
        after = _spliced(ended, editor.splices)
        if after == ended:
            break
        again = parse_document(after, file)
        if again.problems or not (same(again.data, data) or editor.moved):
            break
        ended = after
    raise EditRefusedError(
        f"{file or 'the text'}: this change would touch parts that the file shares (anchors, aliases) "
        "or writes in an unusual way; edit it by hand"
    )


def same(a: Plain, b: Plain) -> bool:
    """Say whether two values mean the same: 45 is 45.0, but 1 is not true. Order of keys does not count."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b
    return type(a) is type(b) and a == b


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: behind ``after``, in braces if ``inline``, in a parent of this ``indent``."""

    after: int
    inline: bool
    indent: int = -2


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


class _Editor:
    """Collects the splices that take one text to new data."""

    def __init__(self, text: str, newline: str) -> None:
        self.splices: list[Splice] = []
        self.moved = False
        self._text = text
        self._newline = newline

    def change(self, node: Node, old: Plain, new: Plain, place: _Place) -> None:
        """Collect what makes ``node`` say ``new``."""
        if same(old, new):
            return
        is_alias = node.start_mark.index < place.after
        if is_alias or not new or not self._change_inside(node, old, new):
            self._replace(node, new, place)

    def _change_inside(self, node: Node, old: Plain, new: Plain) -> bool:
        """Collect the changes of a part's own parts; False if it must be replaced as a whole."""
        if isinstance(node, MappingNode) and isinstance(old, dict) and isinstance(new, dict):
            return self._change_mapping(node, old, new)
        if isinstance(node, SequenceNode) and isinstance(old, list) and isinstance(new, list):
            return self._change_sequence(node, old, new)
        return False

    # ---------------------------------------------------------------- whole values

    def _replace(self, node: Node, new: Plain, place: _Place) -> None:
        span = self._span(node, place.after)
        style = node.style if isinstance(node, ScalarNode) and node.style in ("'", '"') else None
        short = flow(new, style)
        one_line = isinstance(node, ScalarNode) and "\n" not in self._text[span.start : span.end]
        if place.inline or (one_line and not isinstance(new, dict | list)):
            gap = " " if span.start == span.end else ""
            self.splices.append(Splice(span.start, span.end, gap + short))
            return
        lines = block(new, max(place.indent + 2, 0))
        if place.after == 0:
            self.splices.append(Splice(span.start, span.end, self._joined(lines)))
            return
        body = f" {short}" if len(lines) == 1 else self._newline + self._joined(lines)
        if not self._is_on_line(place.after, span.start) or len(lines) > 1:
            self.splices.append(Splice(place.after, span.end, body))
        else:
            gap = " " if span.start == span.end else ""
            self.splices.append(Splice(span.start, span.end, gap + short))

    # ---------------------------------------------------------------- mappings

    def _change_mapping(self, node: MappingNode, old: dict[str, Plain], new: dict[str, Plain]) -> bool:
        """Collect a mapping's changes; False if it must be replaced as a whole."""
        entries = [(str(key.value), key, value) for key, value in node.value]
        written_keys = [key for key, _, _ in entries]
        # A key that comes from a merge (`<<`) can be overridden here, but not taken away.
        missing = [key for key in new if key not in written_keys]
        added = [key for key in missing if key not in old or not same(old[key], new[key])]
        kept = [key in new or key == "<<" for key in written_keys]
        if not any(kept) or len(set(written_keys)) < len(written_keys):
            return False
        spans = [_Span(k.start_mark.index, self._span(v, self._colon(k)).end) for _, k, v in entries]
        inline = bool(node.flow_style)
        if inline:
            self._cut_inline(spans, kept)
        elif not self._cut_lines(node, spans, kept):
            return False
        indent = node.start_mark.column
        for (key, key_node, value_node), stays in zip(entries, kept, strict=True):
            if stays and key in new and key in old:
                place = _Place(self._colon(key_node), inline, indent)
                self.change(value_node, old[key], new[key], place)
        last = max(index for index, stays in enumerate(kept) if stays)
        for key in added:
            if inline:
                self._insert(spans[last].end, f", {flow(key)}: {flow(new[key])}")
            else:
                self._insert_lines(self._next_line(spans[last].end), entry(key, new[key], indent))
        return True

    def _cut_lines(self, node: MappingNode, spans: list[_Span], kept: list[bool]) -> bool:
        """Take entries of a block mapping out, with the comments right above each."""
        for index, stays in enumerate(kept):
            if stays:
                continue
            start = spans[index].start
            if self._text[self._line(start) : start].strip():
                # It shares its line with a list's dash: what follows moves up to it.
                if index + 1 == len(spans) or not kept[index + 1]:
                    return False
                self.splices.append(Splice(start, spans[index + 1].start, ""))
                continue
            above = self._next_line(spans[index - 1].end) if index else self._line(node.start_mark.index)
            start = self._with_comments(start, above)
            self.splices.append(Splice(start, self._next_line(spans[index].end), ""))
        return True

    def _cut_inline(self, spans: list[_Span], kept: list[bool]) -> None:
        last = max(index for index, stays in enumerate(kept) if stays)
        for index in range(last):
            if not kept[index]:
                self.splices.append(Splice(spans[index].start, spans[index + 1].start, ""))
        if last + 1 < len(spans):
            self.splices.append(Splice(spans[last].end, spans[-1].end, ""))

    # ---------------------------------------------------------------- sequences

    def _change_sequence(self, node: SequenceNode, old: list[Plain], new: list[Plain]) -> bool:
        plan = plan_items(old, new, same)
        if node.flow_style:
            return self._change_inline_sequence(node, old, new, plan)
        if not plan.kept:
            return False
        column = node.start_mark.column
        dashes, spans = self._items(node, column)
        if self._text[self._line(dashes[0]) : dashes[0]].strip():
            return False
        starts = [
            self._with_comments(dash, self._next_line(spans[i - 1].end) if i else self._line(dash))
            for i, dash in enumerate(dashes)
        ]
        ends = [self._next_line(span.end) for span in spans]
        if plan.order is not None:
            self._reorder(starts, ends, plan.order)
            return True
        for index in plan.removed:
            gap_end = starts[index + 1] if index + 1 < len(starts) else ends[index]
            end = gap_end if not self._text[ends[index] : gap_end].strip() else ends[index]
            self.splices.append(Splice(starts[index], end, ""))
        for old_index, new_index in plan.kept:
            place = _Place(dashes[old_index] + 1, inline=False, indent=column)
            self.change(node.value[old_index], old[old_index], new[new_index], place)
        gap = self._text[ends[0] : starts[1]] if len(starts) > 1 else ""
        blank = bool(gap) and not gap.strip("\r\n")
        for new_index, before in plan.inserted:
            lines = item(new[new_index], column)
            if before is None:
                self._insert_lines(ends[-1], ["", *lines] if blank else lines)
            else:
                self._insert_lines(starts[before], [*lines, ""] if blank else lines)
        return True

    def _change_inline_sequence(
        self, node: SequenceNode, old: list[Plain], new: list[Plain], plan: Plan
    ) -> bool:
        at_end = all(before is None for _, before in plan.inserted)
        if plan.order is not None or not plan.kept or not at_end:
            return False
        spans: list[_Span] = []
        after = node.start_mark.index + 1
        for child in node.value:
            spans.append(self._span(child, after))
            after = spans[-1].end
        kept = [index not in plan.removed for index in range(len(spans))]
        self._cut_inline(spans, kept)
        for old_index, new_index in plan.kept:
            place = _Place(spans[old_index].start, inline=True)
            self.change(node.value[old_index], old[old_index], new[new_index], place)
        last = max(old_index for old_index, _ in plan.kept)
        for new_index, _ in plan.inserted:
            self._insert(spans[last].end, ", " + flow(new[new_index]))
        return True

    def _items(self, node: SequenceNode, column: int) -> tuple[list[int], list[_Span]]:
        """Return where each dash stands, and each item's span."""
        dash = re.compile(rf"^ {{{column}}}-(?=\s)", re.MULTILINE)
        dashes, spans = [node.start_mark.index], [self._span(node.value[0], node.start_mark.index + 1)]
        for child in node.value[1:]:
            found = dash.search(self._text, spans[-1].end)
            start = len(self._text) - 1 if found is None else found.end() - 1
            dashes.append(start)
            spans.append(self._span(child, start + 1))
        return dashes, spans

    def _reorder(self, starts: list[int], ends: list[int], order: tuple[int, ...]) -> None:
        """Put items into a new order; what lies between them stays. Another pass does the rest."""
        gaps = [self._text[end:start] for end, start in zip(ends, starts[1:], strict=False)] + [""]
        bodies = [self._text[start:end] for start, end in zip(starts, ends, strict=True)]
        text = "".join(bodies[old] + gap for old, gap in zip(order, gaps, strict=True))
        self.splices.append(Splice(starts[0], ends[-1], text))
        self.moved = True

    # ---------------------------------------------------------------- places in the text

    def _span(self, node: Node, after: int) -> _Span:
        """Return where a value stands that comes after ``after``; of an alias, the ``*name``."""
        if node.start_mark.index < after:
            found = _ALIAS.match(self._text, after)
            if found is not None:
                return _Span(found.start() + found.group().index("*"), found.end())
            return _Span(after, after)
        end = self._end(node)
        if end == node.start_mark.index:
            # Nothing is written: its marks stand at whatever comes next.
            return _Span(after, after)
        return _Span(node.start_mark.index, end)

    def _end(self, node: Node) -> int:
        """Return where a node's own text ends, without the blank lines and comments behind it."""
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, ScalarNode):
            if node.style in ("|", ">"):
                while end > start and self._text[end - 1] in " \t\r\n":
                    end -= 1
            return int(end)
        if isinstance(node, MappingNode) and node.value and not node.flow_style:
            key, value = node.value[-1]
            return self._span(value, self._colon(key)).end
        if isinstance(node, SequenceNode) and node.value and not node.flow_style:
            return self._items(node, node.start_mark.column)[1][-1].end
        return int(end)

    def _colon(self, key: Node) -> int:
        """Return the place behind a key's colon."""
        return self._text.find(":", key.end_mark.index) + 1

    def _line(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _next_line(self, index: int) -> int:
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found + 1

    def _is_on_line(self, start: int, end: int) -> bool:
        return "\n" not in self._text[start:end]

    def _with_comments(self, start: int, limit: int) -> int:
        """Return the start of the line of ``start``, or of the comments right above, not before ``limit``."""
        line = self._line(start)
        while line > limit:
            above = self._line(line - 1)
            if above < limit or not self._text[above:line].lstrip().startswith("#"):
                break
            line = above
        return line

    def _insert(self, at: int, text: str) -> None:
        self.splices.append(Splice(at, at, text))

    def _insert_lines(self, at: int, lines: list[str]) -> None:
        self._insert(at, self._joined(lines) + self._newline)

    def _joined(self, lines: list[str]) -> str:
        return self._newline.join(lines)


def _spliced(text: str, splices: list[Splice]) -> str:
    """Return text with the splices made; at one place, what is cut comes before what is put in."""
    parts: list[str] = []
    at = 0
    for splice in sorted(splices, key=lambda s: (s.start, s.start == s.end)):
        parts += [text[at : splice.start], splice.text]
        at = max(at, splice.end)
    return "".join((*parts, text[at:]))
