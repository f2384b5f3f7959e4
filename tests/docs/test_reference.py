#!/usr/bin/env python3
"""tools/reference: nothing public is without a comment, each name has its manual page, and the check finds each
kind of slip in a copy of the headers."""

import glob
import os
import re
import shutil
import subprocess
import unittest

import tool

CASE = "include/tusk/timeout.h"
NOW_SCOPE = "TUSK_API bool tusk_timeout_expired(const tusk_timeout *timeout);"


class Check(tool.Case):
    def broken(self, expected, path, old, new):
        root = self.copy("include", "docs/errors.md", "src/base/error.c")
        self.change(root, path, old, new)
        self.assert_bad(expected, "reference", "--root", root, "check")

    def test_the_tree(self):
        self.assert_good("reference", "check")

    def test_a_copy_of_the_tree(self):
        self.assert_good("reference", "--root", self.copy("include", "docs/errors.md", "src/base/error.c"), "check")

    def test_function_without_comment(self):
        self.broken("tusk_timeout_new has no comment", CASE, NOW_SCOPE,
                    NOW_SCOPE + "\n\nTUSK_API TUSK_MUST_CHECK int tusk_timeout_new(int (*f)(void *), double\n  delay);")

    def test_functions_that_share_a_comment(self):
        root = self.copy("include", "docs/errors.md", "src/base/error.c")
        self.change(root, CASE, NOW_SCOPE, NOW_SCOPE + "\nTUSK_API int tusk_timeout_new(void);")
        self.assert_good("reference", "--root", root, "check")

    def test_type_without_comment(self):
        self.broken("tusk_kind has no comment", CASE, NOW_SCOPE, NOW_SCOPE + "\n\ntypedef struct tusk_kind tusk_kind;")

    def test_macro_without_comment(self):
        self.broken("TUSK_KIND_INIT has no comment", CASE, NOW_SCOPE, NOW_SCOPE + "\n\n#define TUSK_KIND_INIT { 0 }")

    def test_constant_without_comment(self):
        self.broken("TUSK_LESS has no comment", CASE, NOW_SCOPE,
                    NOW_SCOPE + "\n\n/* More or less. */\nenum tusk_measure {\n    /* More. */\n    TUSK_MORE,\n    TUSK_LESS\n};")

    def test_option_without_comment(self):
        self.broken("tusk_wait_options: verbose has no comment", "include/tusk/wait.h", "struct tusk_wait_options {",
                    "struct tusk_wait_options {\n    bool verbose;")

    def test_option_that_is_none(self):
        self.broken("tusk_wait names the option .clock", "include/tusk/wait.h",
                    "Options: .return_when, .timeout, .done.", "Options: .return_when, .timeout, .clock.")

    def test_name_that_is_not_there(self):
        self.broken("names tusk_gone, which no header declares", CASE, NOW_SCOPE,
                    "/* As tusk_gone(). */\n#define TUSK_KIND 1\n\n/* True. */\n" + NOW_SCOPE)

    def test_chapter_that_is_not_there(self):
        self.broken("names tusk/gone.h", CASE, "Scopes nest:", "See tusk/gone.h. Scopes nest:")

    def test_chapter_that_is_not_listed(self):
        self.broken("does not list tusk/timeout.h", "include/tusk.h", " *     tusk/timeout.h   time-outs\n", "")

    def test_same_as_what(self):
        self.broken("begins with \"The same\"", CASE, "The same as tusk_timeout_enter() with", "The same with")

    def test_code_without_entry(self):
        self.broken("TUSK_NEW of src/base/error.c has no entry", "src/base/error.c", '{0, "0", "success"},',
                    '{0, "0", "success"},\n    {TUSK_NEW, "TUSK_NEW", "new"},')

    def test_entry_without_code(self):
        self.broken("there is no code TUSK_OLD", "docs/errors.md", "### TUSK_QUEUE_FULL", "### TUSK_OLD\n\nOld.\n\n### TUSK_QUEUE_FULL")

    def test_what_it_cannot_read(self):
        self.broken("timeout.h: line", CASE, NOW_SCOPE, "int tusk_forgotten(void);\n" + NOW_SCOPE)


class Manual(tool.Case):
    @classmethod
    def setUpClass(cls):
        cls.place = os.path.join(os.environ.get("TUSK_BUILD_DIR", "build/default"), "tests", "docs", "man")
        status, output = tool.run("reference", "man", cls.place)
        assert status == 0, output

    def page(self, name):
        with open(os.path.join(self.place, name), encoding="utf-8") as file:
            return file.read()

    def names(self):
        return sorted(os.path.relpath(path, self.place) for path in glob.glob(os.path.join(self.place, "man*", "*")))

    def test_each_function_has_a_page(self):
        # Not by the reader that made them.
        functions = []
        for path in glob.glob(tool.ROOT + "/include/tusk/*.h"):
            with open(path, encoding="utf-8") as file:
                functions += re.findall(r"TUSK_API [^;(]*?\b(tusk_\w+)\(", file.read())
        self.assertGreater(len(functions), 200)
        for function in functions:
            text = self.page(f"man3/{function}.3")
            link = re.match(r"\.so (\S+)\n", text)
            text = self.page(link[1]) if link else text
            self.assertIn(function, re.search(r"\.SH NAME\n(.*)", text)[1])
            self.assertIn(f"{function}(", text)
            self.assertIn("#include <tusk.h>", text)

    def test_each_header_has_a_page(self):
        for path in glob.glob(tool.ROOT + "/include/tusk/*.h"):
            self.assertIn(f"man7/tusk-{os.path.basename(path)[:-2]}.7", self.names())

    def test_what_pages_name_is_there(self):
        names, count = set(self.names()), 0
        for name in names:
            text = self.page(name)
            named = re.findall(r"\\fB(?:\\%)?([\w\\-]+?)\\fP\((3|3const|7)\)", text)
            named += re.findall(r"^\.BR \\%(\S+) \((3|3const|7)\)", text, re.MULTILINE)
            wanted = [f"man{section[0]}/{page}.{section}" for page, section in named]
            for page in wanted + re.findall(r"^\.so (\S+)", text):
                self.assertIn(page.replace("\\-", "-"), names, name)
                count += 1
        self.assertGreater(count, 1000)

    def test_names_differ_without_upper_case(self):
        lower = [name.lower() for name in self.names()]
        self.assertEqual(len(lower), len(set(lower)))

    def test_options_and_examples(self):
        text = self.page("man3/tusk_gather.3")
        self.assertIn(".return_exceptions", text)
        example = re.search(r"\.EX\n(rc = .*)\n\.EE", text)
        self.assertEqual(example[1], "rc = tusk_await(tusk_gather(tasks, 3));")

    def test_codes_have_their_cure(self):
        text = self.page("man7/tusk-errors.7").partition(".B TUSK_NOT_IN_TASK\n")[2].partition(".TP")[0]
        self.assertIn("Let the callback make a task", text)

    def test_pages_are_good_pages(self):
        pages = [os.path.join(self.place, name) for name in self.names() if not self.page(name).startswith(".so ")]
        if shutil.which("mandoc"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
            problems = [line for line in done.stdout.split("\n") + done.stderr.split("\n")
                        if line and "referenced manual not found" not in line]
            self.assertEqual(problems, [])
        elif shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-z", *pages], capture_output=True, text=True)
            self.assertEqual(done.stderr, "")
        else:
            self.skipTest("neither mandoc nor groff")


class Tool(tool.Case):
    def test_it_removes_only_what_it_wrote(self):
        folder = os.path.join(self.folder(), "man")
        self.assert_good("reference", "man", folder)
        with open(os.path.join(folder, "man3", "other.3"), "w", encoding="utf-8") as file:
            file.write("another's page")
        root = self.copy("include", "docs/errors.md", "src/base/error.c")
        self.change(root, CASE, NOW_SCOPE, "")
        self.assert_good("reference", "--root", root, "man", folder)
        pages = os.listdir(os.path.join(folder, "man3"))
        self.assertIn("other.3", pages)
        self.assertIn("tusk_timeout_when.3", pages)
        self.assertNotIn("tusk_timeout_expired.3", pages)

    def test_the_same_day_makes_the_same_pages(self):
        os.environ["SOURCE_DATE_EPOCH"] = "86400"
        self.addCleanup(os.environ.pop, "SOURCE_DATE_EPOCH")
        folder = os.path.join(self.folder(), "man")
        self.assert_good("reference", "man", folder)
        with open(os.path.join(folder, "man7", "tusk.7"), encoding="utf-8") as file:
            self.assertIn("1970-01-02", file.read())

    def test_sources_of_the_site(self):
        folder = os.path.join(self.folder(), "source")
        self.assert_good("reference", "site", folder)
        with open(os.path.join(folder, "reference", "task.rst"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn(".. c:function:: tusk_future *tusk_gather(tusk_future *const *futures, size_t count, ...)", text)
        self.assertIn(".. c:member:: bool return_exceptions", text)
        # A link to an example leads to a page that shows it.
        self.assertTrue(glob.glob(os.path.join(folder, "files", "examples", "**", "*.c.md"), recursive=True))

    def test_wrong_use(self):
        status, output = tool.run("reference", "man")
        self.assertEqual(status, 2, output)
        self.assertIn("takes a folder", output)


if __name__ == "__main__":
    unittest.main()
