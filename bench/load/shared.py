"""What bench/run has and this benchmark needs too: how peers are built, and words for people."""

import importlib.machinery
import importlib.util
import os
import sys

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))


def load_bench_run():
    path = os.path.join(os.path.dirname(HERE), "run")
    loader = importlib.machinery.SourceFileLoader("bench_run", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


bench = load_bench_run()
Skip = bench.Skip
say = bench.say
