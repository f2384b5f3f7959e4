#!/usr/bin/env python3
"""tools/check-links: silent on the project's pages, and finds each kind of dead link in made-up ones."""

import unittest

import tool

OTHER = "# First part\n\ntext\n\n## `code` and *more*: here\n\n## Again\n\n## Again\n"


class Markdown(tool.Case):
    def good(self, text):
        self.assert_good("check-links", "--root", self.tree({"a.md": text, "docs/b.md": OTHER}))

    def bad(self, expected, text):
        self.assert_bad(expected, "check-links", "--root", self.tree({"a.md": text, "docs/b.md": OTHER}))

    def test_the_tree(self):
        self.assert_good("check-links")

    def test_good_links(self):
        self.good("# Top\n[b](docs/b.md) [part](docs/b.md#first-part) [code](docs/b.md#code-and-more-here)\n"
                  "[second](docs/b.md#again-1) [own](#top) [folder](docs) [out](https://example.org/x?y#z)\n"
                  "![picture](docs/b.md \"a title\") [mail](mailto:someone@example.org) [`x[1]`](docs/b.md)\n")

    def test_code_has_no_links(self):
        self.good("`[x](gone.md)`\n\n```c\n[x](gone.md)\n```\n")

    def test_after_a_fence_there_are_links_again(self):
        self.bad("a.md:5: the link gone.md leads to gone.md, which is not there", "```c\ncode\n```\n\n[x](gone.md)\n")

    def test_file_that_is_not_there(self):
        self.bad("a.md:2: the link docs/gone.md", "text\n[x](docs/gone.md)\n")

    def test_picture_that_is_not_there(self):
        self.bad("leads to gone.svg", "![x](gone.svg)\n")

    def test_heading_that_is_not_there(self):
        self.bad("leads to 'second-part'", "[x](docs/b.md#second-part)\n")

    def test_own_heading_that_is_not_there(self):
        self.bad("leads to 'middle'", "# Top\n[x](#middle)\n")

    def test_third_of_two_headings(self):
        self.bad("leads to 'again-2'", "[x](docs/b.md#again-2)\n")

    def test_reference_link(self):
        self.bad("leads to gone.md", "see [x]\n\n[x]: gone.md\n")

    def test_out_of_the_tree(self):
        self.bad("leads out of the project", "[x](../elsewhere.md)\n")

    def test_address_that_is_none(self):
        self.bad("is no address", "[x](https://)\n")

    def test_unknown_scheme(self):
        self.bad("has an unknown scheme, htps:", "[x](htps://example.org)\n")

    def test_nothing_to_check(self):
        self.assert_bad("there is no *.md", "check-links", "--root", self.folder())


class Html(tool.Case):
    def check(self, text):
        return ["check-links", "--html", self.tree({"a.html": text, "b/c.html": '<p id="here">x</p><a href="../a.html">'})]

    def test_good_links(self):
        self.assert_good(*self.check('<a href="b/c.html#here">x</a><a id="top" href="#top">y</a><a href="b/c.html?q=1">'
                                     '<link href="https://example.org/x.css"><a href="">'))

    def test_page_that_is_not_there(self):
        self.assert_bad("a.html:1: the link b/d.html leads to b/d.html", *self.check('<a href="b/d.html">x</a>'))

    def test_place_that_is_not_there(self):
        self.assert_bad("leads to 'there', which b/c.html does not have", *self.check('<a href="b/c.html#there">x</a>'))

    def test_picture_that_is_not_there(self):
        self.assert_bad("leads to gone.png", *self.check('<img src="gone.png">'))


if __name__ == "__main__":
    unittest.main()
