"""How Sphinx makes the HTML pages of tusk. What it reads was written by tools/reference."""

import importlib.util
import os
import sys

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import library  # noqa: E402 pylint: disable=wrong-import-position

known = library.Library(ROOT)

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
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False


class LinkNames(SphinxPostTransform):
    """`tusk_gather` in a page of prose leads to its place in the reference."""

    default_priority = 5

    def run(self, **kwargs):
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext().removesuffix("()")
            inside = literal.parent
            if name in known.symbols and not isinstance(inside, (nodes.reference, addnodes.pending_xref, nodes.title)):
                place = f"reference/{known.symbols[name].group.chapter.name}"
                uri = self.app.builder.get_relative_uri(self.env.docname, place) + "#" + known.anchor(name)
                link = nodes.reference("", "", internal=True, refuri=uri)
                literal.replace_self(link)
                link += literal


def setup(app):
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
