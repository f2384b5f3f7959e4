"""Writes the manual pages: one for each comment of a header, one for each header, one for errors.

The pages use the macros of man(7), which groff and mandoc both know.
"""

import os
import re
import textwrap
import time

import comment
import header
import markdown

# Sentences that say where a function may be called, and those that say what it returns.
CONTEXT = re.compile(r"(Does not suspend|Do not suspend|Never suspends|Suspends?\b|Always suspends|None of them suspends|"
                     r"Any thread\b|The loop's thread|In the thread of|Not thread-safe|Not for signal handlers|"
                     r"Not from other threads|Call it (outside|in the)|Also outside of tasks)")
# What the section of options says by itself.
OPTIONS = re.compile(r"Options?(?: \([^)]*\))?: (?:\.[a-z_]+(?: \([^)]*\))?(?:, )?)+\.$")
RESULT = re.compile(r"(Returns?\b|NULL (on|without)\b|True\b|False\b|-E[A-Z]|TUSK_[A-Z_]+\b|Errors\b|Other errors\b)")
# A sentence that leans on what is returned goes with it.
LEANING = re.compile(r"(Nothing|Else|Otherwise|But|So|That|This|It|They|Both|Afterwards)\b|.*\bthen\b")
THREAD = re.compile(r"thread", re.IGNORECASE)


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti")
    return text.replace("`", "\\(ga").replace("'", "\\(aq")


def escape_prose(text):
    """As escape(), but hyphens stay hyphens, where lines may break."""
    text = escape(text)
    return re.sub(r"(?<=\w)\\-(?=[A-Za-z])", "-", text).replace("\\(aq", "'")


def bold(name):
    """A name, which is not to be broken."""
    return f"\\fB\\%{escape(name)}\\fP"


def section_of(name):
    """TUSK_QUEUE_FULL is not tusk_queue_full: where files have no upper case, only the section parts them."""
    return "3const" if name.isupper() else "3"


def file_of(name):
    return f"man3/{name}.{section_of(name)}"


def guard(line):
    """A line that begins like a request is no request."""
    return "\\&" + line if line.startswith((".", "'")) else line


def summary(library, group):
    """The first sentence of a comment, as part of another one."""
    if not group.lines:
        users = " and ".join(f"{symbol.name}()" for symbol in library.users(group.name)[:2])
        return f"options of {users}"
    text = shorten(comment.sentences(group.blocks[0][1])[0].rstrip(".:")).replace("`", "")
    return text[0].lower() + text[1:] if re.match(r"[A-Z][a-z' ]", text) else text


class Page:
    """The lines of a page."""

    def __init__(self, writer, name, section, title, path):
        self.writer = writer
        self.name = name
        self.section = section
        self.links = []
        date = writer.date(path)
        self.lines = [
            '.\\" Made from the comments of tusk\'s headers by tools/reference: change those.',
            f'.TH {name.upper() if section == "7" else name} {section} {date} "tusk {writer.version}" "tusk"',
            ".ad l",
            ".SH NAME",
            re.sub(r"\b(?=(?:tusk|TUSK)_)", r"\\%", title),
        ]

    def heading(self, text):
        self.lines.append(f".SH {text.upper()}")

    def subheading(self, text):
        self.lines.append(f'.SS "{escape_prose(text)}"')

    def code(self, lines, indent=4):
        self.lines += [f".RS {indent}"] * bool(indent) + [".EX"]
        self.lines += [guard(escape(line)) for line in lines]
        self.lines += [".EE"] + [".RE"] * bool(indent)

    def text(self, text):
        """A text as input lines, a sentence on each so that they are spaced as sentences are."""
        for sentence in comment.sentences(text):
            marked = "".join(self.span(kind, value) for kind, value in comment.spans(sentence, self.writer.symbols))
            # The mark stands before a word: inside of one it would be a place to break it.
            marked = re.sub(r"(^|\s)([^\s\\]+)\\fB\\%", r"\1\\%\2\\fB", marked)
            for line in textwrap.wrap(marked, 78, break_long_words=False, break_on_hyphens=False):
                self.lines.append(guard(line))

    def span(self, kind, value):
        if kind == "text":
            return escape_prose(value)
        if kind == "chapter":
            chapter = self.writer.library.chapter_page(value)
            return bold(chapter.page) + "(7)" if chapter else escape(value)
        if kind in ("function", "macro"):
            own = self.writer.symbols[value].group.name == self.name
            return bold(value) + ("()" if own else f"({section_of(value)})")
        return bold(value)

    def blocks(self, blocks):
        for number, (kind, value) in enumerate(blocks):
            if kind == "code":
                self.lines += [".PP"] * (not self.lines[-1].startswith(".SH"))
                self.code(value)
            elif kind == "item":
                self.lines.append(".IP \\(bu 3")
                self.text(value)
            else:
                if number:
                    self.lines.append(".PP")
                self.text(value)

    def tagged(self, tag, blocks):
        self.lines += [".TP", tag]
        for number, (kind, value) in enumerate(blocks):
            if kind == "code":
                self.lines.append(".PP")
                self.code(value, 11)
            else:
                self.lines += [".IP"] if number else []
                self.text(value)

    def see_also(self, names):
        self.heading("see also")
        marks = [f".BR \\%{escape(name)} ({section})" for name, section in names]
        self.lines += [mark + "," for mark in marks[:-1]] + marks[-1:]

    def __str__(self):
        return "\n".join(self.lines) + "\n"


class Writer:
    def __init__(self, library):
        self.library = library
        self.symbols = library.symbols
        self.version = library.version()
        self.errors = markdown.error_sections(library.root)

    @staticmethod
    def date(path):
        """Of the header's last change; SOURCE_DATE_EPOCH for builds that come out the same."""
        stamp = os.environ.get("SOURCE_DATE_EPOCH") or os.path.getmtime(path)
        return time.strftime("%Y-%m-%d", time.gmtime(int(float(stamp))))

    def pages(self):
        """Yields (folder/name, text), links to other pages among them."""
        for group in self.library.groups():
            if not group.name:
                continue
            page = self.group_page(group)
            yield file_of(group.name), str(page)
            for symbol in group.symbols[1:]:
                yield file_of(symbol.name), f".so {file_of(group.name)}\n"
        for chapter in self.library.chapters:
            yield f"man7/{chapter.page}.7", str(self.chapter_page(chapter))
        yield "man7/tusk.7", str(self.overview_page())
        if self.errors:
            yield "man7/tusk-errors.7", str(self.errors_page())
            for code in self.errors:
                if code.startswith("TUSK_"):
                    yield file_of(code), ".so man7/tusk-errors.7\n"

    # --- a comment ---

    def group_page(self, group):
        names = ", ".join(symbol.name for symbol in group.symbols)
        title = f"{names} \\- {escape_prose(summary(self.library, group))}"
        page = Page(self, group.name, section_of(group.name), title, group.chapter.path)
        page.heading("synopsis")
        page.code(["#include <tusk.h>", ""] + self.synopsis(group), 0)
        parts = self.parts(group)
        page.heading("description")
        page.blocks(parts["description"] or [("text", summary(self.library, group).capitalize() + ".")])
        self.options(page, group)
        for symbol in group.symbols:
            if symbol.members and symbol.kind != "function":
                page.heading("values" if symbol.kind == "enum" else "members")
                for member in symbol.members:
                    page.tagged(f".B {escape(member.code)}", comment.blocks(member.lines))
        if parts["result"]:
            page.heading("return value")
            page.text(" ".join(parts["result"]))
        self.codes(page, group)
        if any(symbol.kind == "function" for symbol in group.symbols):
            page.heading("suspending and threads")
            page.text(" ".join(self.context(parts["context"])))
        self.behind(page, group)
        page.see_also(self.neighbours(group))
        return page

    def synopsis(self, group):
        lines = []
        for symbol in group.symbols:
            if symbol.kind == "function":
                lines += wrap_call(symbol.prototype() + ";")
            elif symbol.kind in ("macro", "constant"):
                lines.append(symbol.code)
            elif symbol.code:
                lines.append(symbol.code + ";")
            else:
                lines += self.braces(symbol)
        return lines

    @staticmethod
    def braces(symbol):
        word = "enum" if symbol.kind == "enum" else "struct"
        if not symbol.members:
            return [f"typedef struct {symbol.name} {symbol.name};"]
        mark = "," if symbol.kind == "enum" else ";"
        head = f"typedef struct {symbol.name}" if symbol.kind == "type" else f"{word} {symbol.name}"
        end = f"}} {symbol.name};" if symbol.kind == "type" else "};"
        return [head + " {"] + [f"    {member.code}{mark}" for member in symbol.members] + [end]

    @staticmethod
    def parts(group):
        """Sorts the sentences: those that say what is returned, and where it may be called, have their own place.

        The first sentence stays, and what leans on a sentence goes with it.
        """
        parts = {"description": [], "result": [], "context": []}
        blocks = group.blocks
        function = any(symbol.kind == "function" for symbol in group.symbols)
        for number, (kind, value) in enumerate(blocks):
            if kind == "code" or not function:
                parts["description"].append((kind, value))
                continue
            stay, place = [], "description"
            for at, sentence in enumerate(comment.sentences(value)):
                first = number == 0 and at == 0
                if OPTIONS.match(sentence):
                    continue
                if not first and CONTEXT.match(sentence):
                    parts["context"].append(sentence)
                elif first or sentence.endswith(":"):
                    stay.append(sentence)
                    place = "description"
                elif place == "result" and (RESULT.match(sentence) or LEANING.match(sentence)):
                    parts["result"].append(sentence)
                elif sentence.startswith(("Returns ", "Return ", "NULL on", "NULL without")):
                    parts["result"].append(sentence)
                    place = "result"
                else:
                    stay.append(sentence)
                    place = "description"
            if stay:
                parts["description"].append(("text", " ".join(stay)))
        return parts

    @staticmethod
    def context(sentences):
        if not any(THREAD.search(sentence) or sentence.startswith("Call it") for sentence in sentences):
            sentences = sentences + ["The loop's thread."]
        said = " ".join(sentences)
        return [re.sub(r"^Any thread\b", "Any thread may call it", said) if said.startswith("Any thread")
                else said.replace(" Any thread.", " Any thread may call it.")
                         .replace("The loop's thread.", "Call it in the thread of its loop.")]

    def options(self, page, group):
        done = set()
        for symbol in group.symbols:
            found = self.library.options_of(symbol) if symbol.kind == "function" else []
            if not found or symbol.options in done:
                continue
            done.add(symbol.options)
            page.heading("options")
            example = ", ".join(["..."] + [f".{found[0].name} = ..."])
            page.text(f"Options are written at the end of the call, in any order: `{symbol.name}({example})`. "
                      "What is left out is 0, false or NULL.")
            for member in found:
                page.tagged(f"{bold('.' + member.name)}\\ \\ ({escape(member.type)})", comment.blocks(member.lines))

    def codes(self, page, group):
        if not any(symbol.kind == "function" for symbol in group.symbols):
            return
        found = [code for code in comment.codes([text for kind, text in group.blocks if kind == "text"])
                 if code in self.errors or "-" + code in self.errors]
        if not found:
            return
        page.heading("errors")
        page.text("What these codes mean in general; tusk-errors(7) also says what to do.")
        for code in found:
            name = code if code in self.errors else "-" + code
            page.tagged(f".B {escape(name)}", self.errors[name][:1])

    def behind(self, page, group):
        behind = [symbol for symbol in group.symbols if symbol.kind == "function" and symbol.macro is not None]
        if not behind:
            return
        page.heading("the function behind the macro")
        page.text("In C this is a macro. C++, and whoever needs a pointer to it, has the function; options are a "
                  "pointer there, or NULL:")
        lines = []
        for symbol in behind:
            lines += wrap_call(symbol.prototype(symbol.parameters, f"({symbol.name})") + ";")
        page.lines.append(".PP")
        page.code(lines)

    def neighbours(self, group):
        """What the comment names, and what stands beside it in the header."""
        named = [match["name"] for kind, text in group.blocks if kind == "text" for match in comment.NAME.finditer(text)]
        beside = [other for other in group.chapter.groups
                  if other.section == group.section and other.name and other is not group]
        at = group.chapter.groups.index(group)
        beside.sort(key=lambda other: abs(group.chapter.groups.index(other) - at))
        options = [symbol.options for symbol in group.symbols if symbol.kind == "function" and symbol.options]
        users = [symbol.name for symbol in self.library.users(group.name)]
        wanted = named + options + users + [other.name for other in beside[:4]]
        own = {symbol.name for symbol in group.symbols}
        pages = set()
        for name in wanted:
            symbol = self.symbols.get(name)
            if symbol is not None and name not in own and symbol.group.name and name in \
                    {s.name for s in symbol.group.symbols}:
                pages.add(name)
        return [(name, section_of(name)) for name in sorted(pages)] + [(group.chapter.page, "7")]

    # --- a header ---

    def chapter_page(self, chapter):
        head, rest = chapter.heading()
        title = f"{chapter.page} \\- {escape_prose((head + ': ' + rest if rest else head).rstrip('.').lower())}"
        page = Page(self, chapter.page, "7", title.replace("- tls:", "- TLS:"), chapter.path)
        page.heading("synopsis")
        page.code([f"#include <tusk/{chapter.name}.h>"], 0)
        page.heading("description")
        page.blocks(chapter.blocks)
        section = ""
        page.heading("what is there")
        for group in chapter.groups:
            if group.section != section:
                section = group.section
                page.subheading(section[0].upper() + section[1:])
            if not group.name:
                self.constants(page, group)
                continue
            names = ", ".join(f"{bold(symbol.name)}({section_of(symbol.name)})" for symbol in group.symbols)
            page.tagged(names, [("text", summary(self.library, group) + ".")])
        others = [name for name in self.chapter_names(chapter)]
        page.see_also(others + [("tusk-errors", "7"), ("tusk", "7")])
        return page

    def chapter_names(self, chapter):
        found = {}
        for text in self.library.texts_of(chapter):
            for match in re.finditer(r"\btusk/[a-z_]+\.h", text):
                other = self.library.chapter_page(match[0])
                if other not in (None, chapter):
                    found[other.page] = "7"
        return sorted(found.items())

    @staticmethod
    def constants(page, group):
        page.lines += [".PP"] * (not page.lines[-1].startswith((".SH", ".SS")))
        page.text(" ".join(text for kind, text in group.blocks if kind == "text"))
        for symbol in group.symbols:
            for member in symbol.members:
                page.tagged(f".B {escape(member.code)}", comment.blocks(member.lines))

    # --- tusk(7), tusk-errors(7) ---

    def overview_page(self):
        library = self.library
        title = "tusk \\- " + escape_prose(library.overview.title.partition(": ")[2].rstrip("."))
        page = Page(self, "tusk", "7", title, library.overview.path)
        page.heading("synopsis")
        page.code(["#include <tusk.h>", "", "cc program.c $(pkg-config --cflags --libs tusk)"], 0)
        page.heading("description")
        for block in library.overview.blocks[1:]:
            if not is_list(block):
                page.lines += [".PP"] * (block[0] == "text")
                page.blocks([block])
                continue
            for chapter in library.chapters:
                about = library.listed.get(chapter.name, chapter.title)
                page.tagged(bold(chapter.page) + "(7)", [("text", about)])
        page.see_also([(c.page, "7") for c in library.chapters] + ([("tusk-errors", "7")] if self.errors else []))
        return page

    def errors_page(self):
        path = os.path.join(self.library.root, markdown.ERRORS)
        with open(path, encoding="utf-8") as file:
            sections = markdown.sections(file.read())
        page = Page(self, "tusk-errors", "7", "tusk-errors \\- what each error code means, what causes it, what to do", path)
        for level, heading, blocks in sections:
            plain = [(kind, unlink(value) if kind != "code" else value) for kind, value in blocks]
            if level == 3:
                page.tagged(f".B {escape(heading.replace('`', ''))}", plain)
            else:
                page.heading("description" if level == 1 else markdown.plain(heading))
                page.blocks(plain)
        page.see_also([("tusk_strerror", "3"), ("tusk_message", "3"), ("tusk-error", "7"), ("tusk", "7")])
        return page


def unlink(text):
    """Text of Markdown without links, and without the marks around names of functions."""
    return re.sub(r"`(tusk_\w+(?:\(\))?)`", r"\1", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))


def is_list(block):
    return block[0] == "code" and re.match(r"tusk/\w+\.h ", block[1][0])


def wrap_call(text, width=76):
    """A prototype over several lines, broken between parameters."""
    start = text.index("(", text.index(")") if re.search(r"\(tusk_\w+\)\(", text) else 0) + 1
    lines = [text[:start]]
    for number, parameter in enumerate(header.split_list(text[start:-2])):
        piece = (", " if number else "") + parameter
        if len(lines[-1] + piece) + 2 > width and number:
            lines[-1] += ","
            lines.append(" " * min(start, 24) + parameter)
        else:
            lines[-1] += piece
    lines[-1] += text[-2:]
    return lines


def shorten(text):
    """A summary that is long ends at a comma or the like, outside of parentheses."""
    if len(text) < 80:
        return text
    for match in re.finditer(r"[;:,] ", text):
        head = text[:match.start()]
        if len(head) >= 40 and head.count("(") == head.count(")"):
            return head
    return text
