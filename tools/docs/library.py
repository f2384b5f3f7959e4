"""All of tusk's public headers together, and what is missing in their comments."""

import glob
import os
import re

import comment
import header
import markdown

# Names that begin like tusk's and are none: variables of the environment, the library's version.
SHARED = re.compile(r"TUSK_[A-Z_]*=|TUSK_[A-Z_]*_$")


class Library:
    def __init__(self, root):
        self.root = root
        self.overview = header.read(os.path.join(root, "include/tusk.h"), "")
        found = {os.path.basename(path)[:-2]: path for path in glob.glob(os.path.join(root, "include/tusk/*.h"))}
        self.listed = self.list_of_chapters()
        order = [name for name in self.listed if name in found] + sorted(set(found) - set(self.listed))
        self.chapters = [header.read(found[name], name) for name in order]
        self.gone = [name for name in self.listed if name not in found]
        self.symbols = {}
        for group in self.groups():
            for symbol in group.symbols:
                for member in symbol.members if symbol.kind == "enum" else []:
                    member.group = group
                    self.symbols[member.name] = member
                if symbol.name:
                    self.symbols[symbol.name] = symbol
        self.environment = {name[:-1] for chapter in [self.overview, *self.chapters]
                            for name in SHARED.findall(" ".join(self.texts_of(chapter))) if name.endswith("=")}

    def list_of_chapters(self):
        """{name: what it is about}, from the list in tusk.h."""
        return {match[1]: match[2] for kind, lines in self.overview.blocks if kind == "code"
                for match in [re.match(r"tusk/(\w+)\.h\s+(.*)", line) for line in lines] if match}

    def groups(self):
        return [group for chapter in self.chapters for group in chapter.groups]

    def version(self):
        with open(os.path.join(self.root, "include/tusk/base.h"), encoding="utf-8") as file:
            return re.search(r'#define TUSK_VERSION "(.*?)"', file.read())[1]

    def chapter_page(self, path):
        """The chapter of "tusk/task.h"; None if there is none."""
        name = "" if path == "tusk.h" else path[len("tusk/"):-2]
        return next((c for c in [self.overview, *self.chapters] if c.name == name), None)

    def anchor(self, name):
        """What Sphinx calls the place of a name: that of a constant begins with its enum's."""
        group = self.symbols[name].group
        inside = [s.name for s in group.symbols if s.kind == "enum" and s.name and s.name != name]
        return ".".join(["c", *inside, name])

    def users(self, struct):
        """The functions whose options these are."""
        return [s for g in self.groups() for s in g.symbols if s.kind == "function" and s.options == struct]

    def options_of(self, symbol):
        """The options that a function takes: all of its struct's, or those that its comment lists."""
        struct = self.symbols.get(symbol.options)
        if struct is None:
            return []
        named = self.named_options(symbol.group)
        return [member for member in struct.members if not named or member.name in named]

    @staticmethod
    def named_options(group):
        text = " ".join(text for kind, text in group.blocks if kind == "text")
        match = re.search(r"\bOptions?(?: \([^)]*\))?: ((?:\.[a-z_]+(?: \([^)]*\))?(?:, )?)+)", text)
        return re.findall(r"(?<!\w)\.([a-z_]+)", match[1]) if match else []

    @staticmethod
    def texts_of(chapter):
        """Everything that a chapter says, without its examples."""
        lines = [chapter.lines] + [g.lines for g in chapter.groups]
        lines += [m.lines for g in chapter.groups for s in g.symbols for m in s.members]
        return [text for found in lines for kind, text in comment.blocks(found) if kind == "text"]

    # --- what is missing ---

    def problems(self):
        for name in self.gone:
            yield f"{self.overview.path}:1: lists tusk/{name}.h, which is not there"
        for chapter in self.chapters:
            if chapter.name not in self.listed:
                yield f"{self.overview.path}:1: does not list tusk/{chapter.name}.h; add a line for it"
            if not chapter.lines:
                yield f"{chapter.path}:1: begins without a comment that says what it is about"
            for group in chapter.groups:
                yield from self.problems_of(group)
            yield from self.unknown_names(chapter)
        yield from self.unknown_names(self.overview)
        yield from markdown.missing_errors(self.root)

    def problems_of(self, group):
        path = group.chapter.path
        if not group.lines:
            for symbol in group.symbols:
                if symbol.name and not self.users(symbol.name):
                    yield f"{path}:{symbol.line}: {symbol.name} has no comment"
        elif re.match(r"The same\b", group.lines[0]) and not re.match(
                r"[^.:;]*\b(tusk_|TUSK_)\w+", " ".join(group.lines)):
            yield (f"{path}:{group.line}: the comment of {group.name} begins with \"The same\", and does not say as "
                   "what: on its own page nobody knows")
        for symbol in group.symbols:
            for member in symbol.members:
                if not member.lines:
                    yield f"{path}:{member.line}: {symbol.name or symbol.kind}: {member.name} has no comment"
            yield from self.problems_of_options(symbol, path)

    def problems_of_options(self, symbol, path):
        if symbol.kind != "function" or not symbol.options:
            return
        struct = self.symbols.get(symbol.options)
        if struct is None:
            yield f"{path}:{symbol.line}: {symbol.name} takes struct {symbol.options}, which no header has"
            return
        known = {member.name for member in struct.members}
        for name in self.named_options(symbol.group):
            if name not in known:
                yield f"{path}:{symbol.line}: {symbol.name} names the option .{name}, which {struct.name} has not"

    def unknown_names(self, chapter):
        for text in self.texts_of(chapter):
            for match in comment.NAME.finditer(text):
                name = match["name"]
                if match["chapter"] and self.chapter_page(match["chapter"]) is None:
                    yield f"{chapter.path}:1: a comment names {match['chapter']}, which is not there"
                if name and name not in self.symbols and name not in self.environment \
                        and not header.private(name):
                    yield f"{chapter.path}:1: a comment names {name}, which no header declares"
