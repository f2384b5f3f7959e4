"""What the documentation needs to know of Markdown: links, headings, and the list of errors."""

import os
import re

FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
HEADING = re.compile(r"^(#{1,6}) +(.*?)(?: +#+)?$")
LINK = re.compile(r"!?\[(?:[^\[\]`]|`[^`]*`|\[[^\[\]]*\])*\]\((<[^>]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?: +\"[^\"]*\")?\)"
                  r"|^ {0,3}\[[^\]]+\]: *(\S+)", re.MULTILINE)
CODE = re.compile(r"(`+)(?:(?!\1).|\n)+?\1(?!`)")


def without_code(text):
    """The text with fences, and code between backticks, blanked: places stay the same."""
    lines, fence = [], None
    for line in text.split("\n"):
        mark = FENCE.match(line)
        if fence:
            lines.append(" " * len(line))
            if mark and mark[1].startswith(fence) and line.strip() == mark[1]:
                fence = None
        elif mark:
            fence = mark[1]
            lines.append(" " * len(line))
        else:
            lines.append(line)
    return CODE.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), "\n".join(lines))


def links(text):
    """Yields (start, end, target, line) of each link."""
    for match in LINK.finditer(without_code(text)):
        group = 1 if match[1] is not None else 2
        target = text[match.start(group):match.end(group)]
        yield match.start(group), match.end(group), target.strip("<>"), text.count("\n", 0, match.start()) + 1


def plain(text):
    """A heading's text as it is read."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[`*]", "", text)


def anchor(heading):
    """What a heading is called in links, before numbers are added to those that are there twice."""
    return re.sub(r"[^\w\- ]", "", plain(heading).strip().lower()).replace(" ", "-")


def headings(text):
    """[(level, text, anchor)]"""
    found, seen = [], {}
    blanked = without_code(text).split("\n")
    for line, bare in zip(text.split("\n"), blanked):
        match = HEADING.match(line)
        if match and bare.startswith("#"):
            name = anchor(match[2])
            count = seen.get(name, 0)
            seen[name] = count + 1
            found.append((len(match[1]), match[2], f"{name}-{count}" if count else name))
    return found


def anchors(text):
    return {name for _, _, name in headings(text)} | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def sections(text):
    """[(level, heading, [("text", ...) or ("code", lines) or ("item", ...)])]"""
    result = []
    for level, heading, lines in split(text):
        result.append((level, heading, blocks(lines)))
    return result


def split(text):
    found, fence = [], False
    for line in text.split("\n"):
        fence ^= bool(FENCE.match(line))
        match = None if fence else HEADING.match(line)
        if match:
            found.append((len(match[1]), match[2], []))
        elif found:
            found[-1][2].append(line)
    return found


def blocks(lines):
    result, fence, fresh = [], False, True
    for line in lines:
        if FENCE.match(line):
            fence = not fence
            if fence:
                result.append(("code", []))
            fresh = True
        elif fence:
            result[-1][1].append(line)
        elif not line.strip() or re.fullmatch(r"\s*<!--.*-->\s*", line):
            fresh = True
        elif line.startswith("- "):
            result.append(("item", line[2:]))
            fresh = False
        elif fresh:
            result.append(("text", line.strip()))
            fresh = False
        else:
            result[-1] = (result[-1][0], result[-1][1] + " " + line.strip())
    return result


# --- docs/errors.md ---

ERRORS = "docs/errors.md"


def error_sections(root):
    """{code: blocks} of docs/errors.md, whose headings of the third level are codes."""
    path = os.path.join(root, ERRORS)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {code.strip("` "): found for level, heading, found in sections(file.read()) if level == 3
                for code in heading.split(",")}


def error_places(root):
    """{code: the id that Sphinx gives to its heading}"""
    path = os.path.join(root, ERRORS)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {code.strip("` "): re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
                for level, heading, _ in headings(file.read()) if level == 3 for code in heading.split(",")}


def missing_errors(root):
    """What docs/errors.md and the table in src/base/error.c do not agree on."""
    with open(os.path.join(root, "src/base/error.c"), encoding="utf-8") as file:
        table = re.findall(r'\{(TUSK_[A-Z_]+|-E[A-Z0-9]+), "', file.read())
    known = error_sections(root)
    for code in table:
        if code not in known:
            yield f"{ERRORS}:1: {code} of src/base/error.c has no entry; add '### {code}', what causes it and what to do"
        elif not known[code]:
            yield f"{ERRORS}:1: the entry of {code} is empty"
    for code in known:
        if code.startswith("TUSK_") and code not in table:
            yield f"{ERRORS}:1: there is no code {code}"
