"""The text of comments: blocks, sentences, and the names in them.

Comments have no tags. What is indented by four is an example; the rest is plain sentences, in which
some words are names that a reader may want to follow.
"""

import re

# A span of a text is (kind, text): "text", "code", "option", "errno", "chapter", "call" of a known function with
# arguments, or the kind of a known symbol.
NAME = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|(?P<chapter>\btusk/[a-z_]+\.h\b|\btusk\.h\b)"
    r"|(?<![\w.])(?P<name>tusk_[a-z0-9_]+|TUSK_[A-Z0-9_]+)(?P<call>\(\))?(?P<value>=\w+)?"
    r"|(?<![\w.\"'/])(?P<option>\.[a-z][a-z_]+)\b(?!\.\w)"
    r"|(?<![\w-])(?P<errno>-E[A-Z0-9]+)\b"
)

SENTENCE_END = re.compile(r"(?<=[^.\s]\.)\s+(?=[A-Z0-9(\-*.\"])|(?<=[^.\s]\.\))\s+(?=[A-Z0-9(\-*.\"])")


def strip_comment(text):
    """The lines of a comment without its stars."""
    body = text.strip()[2:-2]
    lines = [re.sub(r"^\s*\* ?", "", line).rstrip() if number else line.strip()
             for number, line in enumerate(body.split("\n"))]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def blocks(lines):
    """[("text", sentences in one line) or ("code", lines)], from the lines of a comment."""
    result, gap = [], False
    for line in lines:
        if not line.strip():
            gap = True
            continue
        kind = "code" if line.startswith("    ") else "text"
        last = result[-1] if result else None
        if last and last[0] == kind and (not gap or kind == "code"):
            last[1].extend([""] if gap else [])
            last[1].append(line)
        else:
            result.append((kind, [line]))
        gap = False
    return [(kind, " ".join(" ".join(found).split()) if kind == "text" else [line[4:] for line in found])
            for kind, found in result]


def sentences(text):
    return SENTENCE_END.split(text)


def spans(text, symbols):
    """Cuts a text into what is a name and what is not. symbols: what is known, by name."""
    result, at = [], 0
    for match in NAME.finditer(text):
        kind, value = span_of(match, symbols)
        if kind is None:
            continue
        if match.start() > at:
            result.append(("text", text[at:match.start()]))
        result.append((kind, value))
        at = match.end()
    if at < len(text):
        result.append(("text", text[at:]))
    return result


def span_of(match, symbols):
    if match["code"]:
        return "code", match["code"]
    if match["chapter"]:
        return "chapter", match["chapter"]
    if match["option"]:
        return "option", match["option"]
    if match["errno"]:
        return "errno", match["errno"]
    if match["value"]:
        return "code", match["name"] + match["value"]
    symbol = symbols.get(match["name"])
    if symbol is None:
        return "code", match["name"] + (match["call"] or "")
    # With arguments behind it, it is a call and no mention.
    called = not match["call"] and match.string[match.end():match.end() + 1] == "("
    return "call" if called else symbol.kind, match["name"]


def codes(texts):
    """The error codes that texts name, in order, each once."""
    found = {}
    for text in texts:
        for match in re.finditer(r"(?<![\w-])-(E[A-Z0-9]{3,})\b|\b(TUSK_[A-Z0-9_]+[A-Z0-9])\b", text):
            found[match[1] or match[2]] = True
    return list(found)
