"""Reads a public header: what it declares, each with its comment.

The rule of the house is all that the reader knows: a comment belongs to the declaration below it,
and to those that follow without an empty line. This is no parser of C. It knows the forms that
tusk's headers have, and says where it meets another.
"""

import os
import re

import comment


class Symbol:
    """One public name: a function, a macro, a type, a struct or a constant."""

    def __init__(self, kind, name, line, code):
        self.kind = kind
        self.name = name
        self.line = line
        # The declaration as C, without the attributes.
        self.code = code
        self.members = []
        # Of functions: what comes before the name, and the parameters.
        self.result = ""
        self.parameters = []
        # Of a function with a macro of its name: the macro's parameters.
        self.macro = None
        self.group = None

    @property
    def options(self):
        """The struct of options that a call in C names at its end, or None."""
        match = self.parameters and re.fullmatch(r"const struct (tusk_\w+_options) \*options", self.parameters[-1])
        return match[1] if match and self.macro is not None else None

    def call(self):
        """The parameters as a C program writes them."""
        if self.macro is None:
            return self.parameters
        if self.options:
            return self.parameters[:-1] + ["..."]
        return self.parameters[:len(self.macro)]

    def prototype(self, parameters=None, name=None):
        parameters = self.call() if parameters is None else parameters
        gap = "" if self.result.endswith("*") else " "
        return f"{self.result}{gap}{name or self.name}({', '.join(parameters) or 'void'})"


class Member:
    """A field of a struct, or a constant of an enum."""

    def __init__(self, name, code, lines, line):
        self.name = name
        self.code = code
        self.lines = lines
        self.line = line
        self.kind = "constant"
        self.group = None

    @property
    def type(self):
        """Of a field: its declaration without its name."""
        return " ".join(re.sub(rf"\b{self.name}\b", "", self.code, count=1).split())


class Group:
    """A comment, and the symbols that it is about."""

    def __init__(self, lines, line, section):
        self.lines = lines
        self.line = line
        self.section = section
        self.symbols = []
        self.chapter = None

    @property
    def name(self):
        return self.symbols[0].name

    @property
    def blocks(self):
        return comment.blocks(self.lines)


class Chapter:
    """A header."""

    def __init__(self, path, name):
        self.path = path
        self.name = name
        self.lines = []
        self.groups = []

    @property
    def page(self):
        return "tusk-" + self.name if self.name else "tusk"

    @property
    def blocks(self):
        return comment.blocks(self.lines)

    @property
    def title(self):
        return comment.sentences(self.blocks[0][1])[0]

    def heading(self):
        """("Streams", "connections as a task reads and writes them")."""
        head, _, rest = self.title.partition(": ")
        return (head, rest) if rest and len(head) < 40 else (self.title, "")


class Error(Exception):
    pass


TOKEN = re.compile(
    r"(?P<blank>\n[ \t]*(?=\n))"
    r"|(?P<comment>/\*.*?\*/)"
    r"|(?P<define>(?<=\n)#[ \t]*define(?:[^\\\n]|\\.)*)"
    r"|(?P<directive>(?<=\n)#(?:[^\\\n]|\\.)*)"
    r"|(?P<space>\s+)"
    r"|(?P<code>.)", re.DOTALL)
ATTRIBUTES = re.compile(r"\bTUSK_(?:API|MUST_CHECK)\b|\bTUSK_PRINTF\([^)]*\)")
SECTION = re.compile(r"/\*\s*-+ (.*?) -+\s*\*/", re.DOTALL)


def private(name):
    return name.startswith(("tusk__", "TUSK__")) or name.endswith("_")


def split_list(text, mark=","):
    """Splits at the marks that stand in no parentheses."""
    parts, depth, part = [], 0, ""
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == mark and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += letter
    return parts + [part.strip()] if part.strip() else parts


def pieces(text):
    """Yields (kind, text, line): comments, defines, blank lines and whole declarations."""
    code, line, start, depth = "", 1, 1, 0
    for match in TOKEN.finditer(text):
        kind, value = match.lastgroup, match.group()
        if code and kind in ("comment", "space", "blank"):
            # Inside of a declaration: its own comments go with it.
            code += value
        elif kind == "code":
            if not code:
                start = line
            code += value
            depth += (value == "{") - (value == "}")
            inline = value == "}" and code.startswith("static inline")
            if depth == 0 and (value == ";" or inline):
                yield "declaration", code, start
                code = ""
            elif code in ("TUSK_BEGIN_DECLS", "TUSK_END_DECLS"):
                code = ""
        elif kind in ("comment", "define", "blank"):
            yield kind, value, line
        line += value.count("\n")
    if code.strip():
        raise Error(f"line {start}: this declaration does not end: {code.strip()[:60]}")


def members_of(body, line, mark):
    """The public fields of a struct (mark ";") or constants of an enum (",")."""
    found, lines, code = [], [], ""
    for match in TOKEN.finditer(body):
        kind, value = match.lastgroup, match.group()
        if kind == "comment":
            lines = [] if SECTION.fullmatch(value) else comment.strip_comment(value)
            # A constant has a comment of its own; only fields share one.
        elif kind == "blank":
            lines = []
        else:
            code += value
        if code.rstrip().endswith(mark):
            found += member(code, lines, line, mark)
            code = ""
            lines = lines if mark == ";" else []
        line += value.count("\n")
    return found + member(code, lines, line, mark)


def member(code, lines, line, mark):
    text = " ".join(code.strip().rstrip(mark).split())
    if not text:
        return []
    name = text.split(" =")[0] if mark == "," else (
        re.search(r"\(\*(\w+)\)", text) or re.search(r"(\w+)(?:\[.*\])?$", text))[1]
    return [] if private(name) else [Member(name, text, lines, line)]


def function(code, line):
    match = re.fullmatch(r"(.*?)(\w+)\((.*)\)", code, re.DOTALL)
    symbol = Symbol("function", match[2], line, code)
    symbol.result = match[1].strip()
    symbol.parameters = [] if match[3].strip() == "void" else split_list(match[3])
    return symbol


def declaration(text, line):
    """The symbol that a declaration declares; None if it is not public."""
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    code = " ".join(ATTRIBUTES.sub("", bare).split()).rstrip(";").strip()
    head = re.match(r"(typedef )?(struct|enum)(?: (\w+))? \{", code)
    if head:
        name = re.search(r"\} ?(\w*)$", code)[1] or head[3] or ""
        body = text[text.index("{") + 1:text.rindex("}")]
        kind = "enum" if head[2] == "enum" else "type" if head[1] else "struct"
        symbol = Symbol(kind, name, line, "")
        start = line + text[:text.index("{")].count("\n")
        symbol.members = members_of(body, start, "," if kind == "enum" else ";")
        return None if private(name) else symbol
    if code.startswith("typedef "):
        match = re.search(r"(\w+)\(", code) or re.search(r"(\w+)$", code)
        return None if private(match[1]) else Symbol("type", match[1], line, code)
    if re.fullmatch(r"(struct|enum) \w+", code):
        return None
    if code.startswith("static inline"):
        code = code[:code.index("{")].replace("static inline ", "").strip()
    elif "TUSK_API" not in bare:
        raise Error(f"line {line}: a declaration without TUSK_API: {code[:60]}")
    symbol = function(code, line)
    return None if private(symbol.name) else symbol


def define(text, line):
    """(name, parameters or None) of a #define."""
    match = re.match(r"#\s*define\s+(\w+)(?:\(([^)]*)\))?", text)
    parameters = None if match[2] is None else split_list(match[2])
    code = match[1] if parameters is None else f"{match[1]}({', '.join(parameters)})"
    symbol = Symbol("macro" if parameters is not None else "constant", match[1], line, code)
    symbol.parameters = parameters
    return symbol


class Reader:
    """Goes through the pieces of a header and puts symbols under comments."""

    def __init__(self, chapter):
        self.chapter = chapter
        self.section = ""
        # The comment that the next declaration belongs to.
        self.group = None
        self.macros = {}

    def add(self, symbol):
        if self.group is None:
            self.group = Group([], symbol.line, self.section)
        if not self.group.symbols:
            self.group.chapter = self.chapter
            self.chapter.groups.append(self.group)
        symbol.group = self.group
        self.group.symbols.append(symbol)

    def comment(self, text, line):
        section = SECTION.fullmatch(text)
        if section:
            self.section, self.group = section[1], None
        elif not self.chapter.lines:
            self.chapter.lines = comment.strip_comment(text)
        elif "NOLINT" not in text:
            self.group = Group(comment.strip_comment(text), line, self.section)

    def define(self, text, line):
        symbol = define(text, line)
        guard = re.fullmatch(r"TUSK_[A-Z_]*H", symbol.name) and text.strip().endswith(symbol.name)
        if private(symbol.name) or guard:
            return
        if symbol.name.startswith("tusk_") and symbol.name in self.functions():
            self.macros[symbol.name] = symbol.parameters
        elif symbol.name not in self.functions("macro", "constant"):
            self.add(symbol)

    def functions(self, *kinds):
        kinds = kinds or ("function",)
        return {s.name: s for g in self.chapter.groups for s in g.symbols if s.kind in kinds}

    def declaration(self, text, line):
        symbol = declaration(text, line)
        if symbol is not None:
            self.add(symbol)

    def blank(self, _text, _line):
        self.group = None

    def finish(self):
        for name, symbol in self.functions().items():
            symbol.macro = self.macros.get(name)


def read(path, name):
    """The chapter in a header."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    chapter = Chapter(path, name)
    reader = Reader(chapter)
    try:
        for kind, piece, line in pieces("\n" + text):
            getattr(reader, kind)(piece, line - 1)
    except Error as error:
        raise Error(f"{os.path.relpath(path)}: {error}") from None
    reader.finish()
    return chapter
