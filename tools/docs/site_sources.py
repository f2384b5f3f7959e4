"""Writes the sources of the HTML pages: the reference, and the pages of the repository.

What Sphinx gets has the folders of the repository, so links between pages stay as they are. A link to
a file that is no page, such as an example, leads to a page that shows the file.
"""

import glob
import os
import re

import comment
import manual
import markdown

INDEX = "README.md"
# What stands in the navigation, in this order, where it is there. A star takes what no part has named.
PARTS = [
    ("Begin", ["docs/install.md", "docs/tutorial/en/README.md", "examples/lessons/README.md", "docs/cookbook.md"]),
    ("На русском", ["README.ru.md", "docs/tutorial/ru/README.md"]),
    ("Reference", ["reference/index", "docs/errors.md", "reference/names"]),
    ("Coming from elsewhere", ["docs/asyncio.md", "docs/asyncio-*.md", "docs/from-*.md"]),
    ("Guides", ["docs/*.md"]),
    ("About tusk", ["docs/design.md", "docs/benchmarks.md", "bench/README.md", "bench/load/README.md", "CHANGELOG.md"]),
]
# Pages that are reached from others.
APART = ["docs/tutorial/README.md"]
SOURCE_LANGUAGES = {".c": "c", ".h": "c", ".py": "python", ".cmake": "cmake", ".sh": "bash", ".cpp": "cpp",
                    ".hpp": "cpp", ".json": "json", ".go": "go", ".rs": "rust"}
PICTURES = {".svg", ".png", ".jpg", ".gif"}
ROLES = {"function": "c:func", "macro": "c:func", "type": "c:type", "struct": "c:struct", "enum": "c:enum",
         "constant": "c:macro"}


class Writer:
    def __init__(self, library):
        self.library = library
        self.root = library.root
        self.symbols = library.symbols
        self.errors = markdown.error_places(library.root)
        self.parts = self.settle([(heading, self.expand(patterns)) for heading, patterns in PARTS])
        self.documents = {INDEX} | {path for _, paths in self.parts for path in paths if path.endswith(".md")}
        self.documents |= {path for path in APART if os.path.exists(os.path.join(self.root, path))}
        for path in list(self.documents):
            self.documents |= set(self.chapters_of(path))
        # Files and folders that links lead to, and that have no page of their own.
        self.shown = {}
        self.pictures = set()

    def expand(self, patterns):
        found, named = [], {path for _, others in PARTS for path in others if "*" not in path}
        for pattern in patterns:
            if pattern in ("reference/names", "reference/index"):
                found.append(pattern)
                continue
            paths = sorted(glob.glob(os.path.join(self.root, pattern)))
            paths = [os.path.relpath(path, self.root) for path in paths]
            found += [path for path in paths if path not in found and (pattern == path or path not in named)]
        return found

    # --- all of them ---

    def pages(self):
        done = set()
        for path in sorted(self.documents):
            yield self.stage(path)
        for chapter in self.library.chapters:
            yield f"reference/{chapter.name}.rst", self.chapter(chapter)
        yield "reference/index.rst", self.reference()
        yield "reference/names.rst", self.names()
        for path in sorted(self.pictures):
            with open(os.path.join(self.root, path), "rb") as file:
                yield path, file.read()
        while set(self.shown) - done:
            path = min(set(self.shown) - done)
            done.add(path)
            yield self.shown[path], self.show(path)

    @staticmethod
    def settle(parts):
        """A page stands where it is asked for first."""
        taken, result = set(), []
        for heading, paths in parts:
            result.append((heading, [path for path in paths if path not in taken]))
            taken |= set(paths)
        return result

    def chapters_of(self, path):
        """The pages of which a README in docs/ is the first."""
        folder, name = os.path.split(path)
        if not folder.startswith("docs/") or name != "README.md":
            return []
        pages = glob.glob(os.path.join(self.root, folder, "*.md"))
        return sorted(os.path.relpath(page, self.root) for page in pages if os.path.basename(page) != name)

    # --- pages of the repository ---

    def stage(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            text = file.read()
        result, at = "", 0
        for start, end, target, _ in markdown.links(text):
            result += text[at:start] + self.target(path, target)
            at = end
        result += text[at:]
        if path == INDEX:
            return "index.md", result + self.navigation()
        chapters = [os.path.basename(page) for page in self.chapters_of(path)]
        if chapters:
            result += "\n".join(["", "```{toctree}", ":hidden:", "", *chapters, "```", ""])
        return path, ("---\norphan: true\n---\n\n" if path in APART else "") + result

    def target(self, path, target):
        """What a link of a page becomes."""
        if re.match(r"[a-z][a-z0-9+.-]*:|#", target):
            return target
        name, mark, fragment = target.partition("#")
        wanted = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if wanted == INDEX:
            place = "index.md"
        elif wanted in self.documents:
            place = wanted
        elif re.fullmatch(r"include/tusk(/\w+)?\.h", wanted):
            name = wanted[len("include/tusk/"):-2] if wanted != "include/tusk.h" else "index"
            place = f"reference/{name}.rst"
        elif os.path.isfile(os.path.join(self.root, wanted, "README.md")) and wanted + "/README.md" in self.documents:
            place = wanted + "/README.md"
        elif os.path.splitext(wanted)[1] in PICTURES and os.path.exists(os.path.join(self.root, wanted)):
            self.pictures.add(wanted)
            place = wanted
        elif os.path.exists(os.path.join(self.root, wanted)):
            place, fragment = self.shown.setdefault(wanted, f"files/{wanted}.md"), ""
        else:
            # tools/check-links says that it is dead.
            return target
        here = "" if path == INDEX else os.path.dirname(path)
        return os.path.relpath(place, here or ".") + (mark + fragment if fragment else "")

    def navigation(self):
        lines = []
        for heading, paths in self.parts:
            if not paths:
                continue
            entries = [f"{self.short(path)} <{path}>" if self.short(path) else path for path in paths]
            lines += ["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *entries, "```"]
        return "\n".join(lines) + "\n"

    @staticmethod
    def short(path):
        return {"examples/lessons/README.md": "Lessons",
                "bench/README.md": "How it is measured", "CHANGELOG.md": "Changes", "README.ru.md": "О tusk"}.get(path, "")

    # --- files ---

    def show(self, path):
        full = os.path.join(self.root, path)
        if os.path.isdir(full):
            return self.folder(path, full)
        with open(full, encoding="utf-8", errors="replace") as file:
            text = file.read()
        fence = "`" * 8
        language = SOURCE_LANGUAGES.get(os.path.splitext(path)[1], "bash" if text.startswith("#!") and
                                        "bash" in text.split("\n", 1)[0] else "text")
        return f"---\norphan: true\n---\n\n# {path}\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"

    def folder(self, path, full):
        """A page that lists a folder's files, each with a page of its own."""
        lines = ["---", "orphan: true", "---", "", f"# {path}", ""]
        for name in sorted(os.listdir(full)):
            inside = f"{path}/{name}"
            if os.path.isdir(os.path.join(full, name)) or name.startswith(".") or name == "CMakeLists.txt":
                continue
            if inside in self.documents:
                place = inside
            else:
                place = self.shown.setdefault(inside, f"files/{inside}.md")
            lines.append(f"- [{name}]({os.path.relpath(place, os.path.dirname(self.shown[path]))})")
        return "\n".join(lines) + "\n"

    # --- the reference ---

    def reference(self):
        overview = self.library.overview
        lines = title("Reference")
        lines += [self.inline(overview.title.removeprefix("tusk: ").replace("tasks", "Tasks", 1)), "",
                  "Each header is a chapter. ``#include <tusk.h>`` has all of them.", ""]
        for chapter in self.library.chapters:
            about = chapter.heading()[1] or self.library.listed.get(chapter.name, "")
            lines += [f":doc:`{chapter.name}`", "   " + self.inline(about), ""]
        for kind, value in overview.blocks[1:]:
            if kind == "text" and value != "One header for each chapter:":
                lines += [self.inline(value), ""]
        lines += ["An error code is looked up in `Error codes <../docs/errors.html>`__, and a name in the :doc:`alphabetical index <names>`.", "",
                  ".. toctree::", "   :hidden:", ""]
        lines += [f"   {chapter.name}" for chapter in self.library.chapters]
        return "\n".join(lines) + "\n"

    def names(self):
        """All names, by the letter behind tusk's own."""
        lines, letter = title("Alphabetical index"), ""
        for name in sorted(self.symbols, key=lambda name: (name.lower(), name)):
            if name[5].upper() != letter:
                letter = name[5].upper()
                lines += ["", *title(letter, "-")]
            chapter = self.symbols[name].group.chapter.name
            lines.append(f"- {self.role(self.symbols[name].kind, name)} (:doc:`{chapter}`)")
        return "\n".join(lines) + "\n"

    def chapter(self, chapter):
        head, rest = chapter.heading()
        lines = title(head.rstrip("."))
        lines += [f"``#include <tusk/{chapter.name}.h>``", ""]
        lines += self.blocks(chapter.blocks, "")
        lines += self.contents(chapter)
        section = ""
        for group in chapter.groups:
            if group.section != section:
                section = group.section
                lines += title(section[0].upper() + section[1:], "-")
            lines += self.group(group)
        return "\n".join(lines) + "\n"

    def contents(self, chapter):
        """What there is, each with its first sentence."""
        lines = [".. rubric:: What is there", ""]
        for group in chapter.groups:
            if group.name:
                names = ", ".join(self.role(symbol.kind, symbol.name) for symbol in group.symbols)
                lines.append(f"- {names}: {self.inline(manual.summary(self.library, group))}")
        return lines + [""]

    def group(self, group):
        """The names that share a comment, in one box, and the comment."""
        if not group.name:
            return self.blocks(group.blocks, "") + self.members(group.symbols[0], "")
        lines, before = [], None
        for symbol in group.symbols:
            kind, signature = self.directive(symbol)
            if kind == before:
                lines.append(" " * len(f".. {kind}:: ") + signature)
            else:
                lines += [""] * (before is not None) + [f".. {kind}:: {signature}"]
            before = kind
        return lines + ["", *self.group_text(group, "   ")]

    def group_text(self, group, indent):
        lines = []
        if not group.lines:
            users = [f":c:func:`{symbol.name}`" for symbol in self.library.users(group.name)]
            lines += [indent + "Options of " + ", ".join(users) + ".", ""]
        struct = next((symbol.options for symbol in group.symbols if symbol.options), None)
        lines += self.blocks(group.blocks, indent, struct)
        for symbol in group.symbols:
            lines += self.members(symbol, indent)
            if symbol.macro is not None:
                options = f", with :c:struct:`{symbol.options}`" if symbol.options else ""
                call = symbol.prototype(symbol.parameters, f"({symbol.name})")
                lines += [f"{indent}Behind the macro: ``{call};``{options}.", ""]
        return lines

    @staticmethod
    def directive(symbol):
        if symbol.kind == "function":
            return "c:function", symbol.prototype()
        if symbol.kind in ("macro", "constant"):
            return "c:macro", symbol.code
        if symbol.kind == "type" and symbol.code and not re.match(r"typedef struct \w+ \w+$", symbol.code):
            return "c:type", symbol.code[len("typedef "):]
        return f"c:{symbol.kind}", symbol.name

    def members(self, symbol, indent):
        lines = []
        for member in symbol.members:
            if symbol.kind == "enum":
                lines.append(f"{indent}.. c:enumerator:: {member.name}")
            else:
                lines.append(f"{indent}.. c:member:: {member.code}")
            lines += ["", *self.blocks(comment.blocks(member.lines), indent + "   ")]
            if member.name in self.errors:
                place = f"../docs/errors.html#{self.errors[member.name]}"
                lines += [f"{indent}   `Causes, and what to do <{place}>`__.", ""]
        return lines

    def blocks(self, blocks, indent, struct=None):
        lines = []
        for kind, value in blocks:
            if kind == "code":
                lines += [indent + ".. code-block:: c", ""] + [f"{indent}   {line}" if line else "" for line in value]
            else:
                lines.append(indent + self.inline(value, struct))
            lines.append("")
        return lines

    def inline(self, text, struct=None):
        """Text as reStructuredText. struct: whose members its options are."""
        result, name = "", False
        for kind, value in comment.spans(text, self.symbols):
            piece = re.sub(r"([\\*`|_])", r"\\\1", value) if kind == "text" else self.role(kind, value, struct)
            # An escaped blank, which nobody sees, parts a role from what stands beside it.
            touching = result and not result[-1].isspace() and not piece[0].isspace()
            result += ("\\ " if touching and (name or kind != "text") else "") + piece
            name = kind != "text"
        return result

    def role(self, kind, value, struct=None):
        if kind == "option" and struct and value[1:] in {member.name for member in self.symbols[struct].members}:
            return f":c:member:`{value} <{struct}.{value[1:]}>`"
        if kind == "chapter":
            chapter = self.library.chapter_page(value)
            return f":doc:`{value} </reference/{chapter.name or 'index'}>`" if chapter else f"``{value}``"
        if kind == "call":
            return f":c:func:`{value} <{value}>`"
        if kind == "constant" and self.symbols[value].group.chapter and hasattr(self.symbols[value], "lines"):
            return f":c:enumerator:`{value}`"
        if kind in ROLES:
            return f":{ROLES[kind]}:`{value}`"
        return f"``{value}``"


def title(text, mark="="):
    return [text, mark * len(text), ""]
