"""How Sphinx makes the HTML pages of tusk. What it reads was written by tools/reference."""

import importlib.util
import os
import re
import sys

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

# pylint: disable=wrong-import-position
import library  # noqa: E402
import markdown  # noqa: E402

known = library.Library(ROOT)
errors = markdown.error_places(ROOT)

project = "tusk"
author = "the authors of tusk"
version = release = known.version()
html_title = f"tusk {release}"
language = "en"
extensions = ["myst_parser"]
myst_heading_anchors = 4
root_doc = "index"
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
primary_domain = "c"
highlight_language = "none"
# Names of tusk must lead somewhere; those of the system need not.
nitpicky = True
nitpick_ignore_regex = [("c:.*", r"(?!tusk_|TUSK_).*")]
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 90

# Furo where it is installed: it follows the reader's choice of light or dark, and small screens.
html_theme = "furo" if importlib.util.find_spec("furo") else "alabaster"
html_static_path = [os.path.join(HERE, "static")]
html_css_files = ["tusk.css"]
html_js_files = ["tusk.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False


class LinkNames(SphinxPostTransform):
    """`tusk_gather` in a page leads to its place in the reference, `-EINVAL` to what it means."""

    default_priority = 5

    def run(self, **kwargs):
        for literal in list(self.document.findall(nodes.literal)):
            # `tusk_run(coro, arg)` is also a name.
            place = self.place(re.sub(r"^(tusk_\w+)\(.*\)$", r"\1", literal.astext()))
            if place and not isinstance(literal.parent, (nodes.reference, addnodes.pending_xref, nodes.title)):
                link = nodes.reference("", "", internal=True, refuri=place)
                literal.replace_self(link)
                link += literal

    def place(self, name):
        here = self.env.docname
        if name in errors:
            page, anchor = "docs/errors", errors[name]
        elif name in known.symbols:
            page, anchor = f"reference/{known.symbols[name].group.chapter.name}", known.anchor(name)
        else:
            return None
        return None if page == here else self.app.builder.get_relative_uri(here, page) + "#" + anchor


def setup(app):
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
