# The words people type. What they do stands in tools/ and CMakeLists.txt.
#
# Each word installs what it needs first, if anything is missing;
# DEPENDENCIES=no leaves the machine as it is.

JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PREFIX ?= /usr/local
WERROR ?= OFF
DEPENDENCIES ?= yes
export JOBS PREFIX WERROR DEPENDENCIES SEED COUNT

CHECKS := asan tsan ubsan valgrind ucontext clang aarch64 amalgamation

.PHONY: all help demo test oracle bench bench-load bench-report docs fmt lint install clean amalgamation deb check-packages $(CHECKS:%=check-%)

all: need-build
	@tools/build default

help:
	@echo "make                  build the library, the examples, the tests and the benchmarks"
	@echo "make demo             run the restaurant: three orders cooked at once"
	@echo "make test             run all tests          (T=loop: those whose names match)"
	@echo "make bench            run the benchmarks     (B=switch: that one)"
	@echo "make bench-load       load echo servers of tusk and its peers  (B=echo64: that case)"
	@echo "make bench-report     make docs/benchmarks.md and its pictures of their results"
	@echo "make docs             the documentation as HTML, in build/docs/html"
	@echo "make install          install to $(PREFIX)  (PREFIX=..., DESTDIR=...)"
	@echo "make amalgamation     tusk as two files, build/amalgamation/tusk.c and tusk.h"
	@echo "make deb              Debian packages, in build/deb"
	@echo "make clean            remove build/"
	@echo
	@echo "For work on tusk itself:"
	@echo "make oracle           random programs on CPython and on tusk  (SEED=1 COUNT=100000)"
	@echo "make lint             formatting, clang-tidy, layers, comments, links, shell scripts"
	@echo "make fmt              format the C files"
	@echo "make check-asan       the tests under AddressSanitizer and LeakSanitizer"
	@echo "make check-tsan       ... ThreadSanitizer"
	@echo "make check-ubsan      ... UndefinedBehaviorSanitizer"
	@echo "make check-valgrind   ... valgrind"
	@echo "make check-ucontext   ... with ucontext switches instead of assembly"
	@echo "make check-clang      ... built by clang"
	@echo "make check-aarch64    ... built for AArch64, run under qemu"
	@echo "make check-amalgamation  ... of a library made of the amalgamation"
	@echo "make check-packages   every way to get tusk into a program: the amalgamation by all compilers,"
	@echo "                      Debian packages with lintian, vcpkg, Conan (if it is there)"
	@echo ".ci/run               all of these, as CI runs them"
	@echo
	@echo "JOBS=N: that many at once, now $(JOBS).  WERROR=ON: warnings are errors."

need-%:
	@[ "$(DEPENDENCIES)" = no ] || tools/install-dependencies $(subst +, ,$*)

demo: need-build
	@tools/build default examples-lessons-restaurant
	@build/default/examples/lessons/restaurant

test: need-build+test
	@tools/build default
	@tools/run-tests build/default $(if $(T),-R '$(T)')

oracle: need-build+test
	@tools/build default
	@tools/oracle

check-asan check-tsan check-ubsan: need-build+test+sanitize
check-valgrind: need-build+test+valgrind
check-ucontext check-amalgamation: need-build+test
check-clang: need-build+test+clang
check-aarch64: need-build+test+cross
$(CHECKS:%=check-%): check-%:
	@tools/build $*
	@tools/run-tests build/$* $(if $(T),-R '$(T)')

bench: need-build+bench
	@tools/build default bench_programs
	@bench/run --build-dir build/default --output build/bench/results.json $(B)

bench-load: need-build+bench
	@tools/build default load_programs
	@bench/load/run --build-dir build/default --output build/bench/results.json $(B)

bench-report: need-report
	@bench/report

docs: need-docs
	@tools/build-docs

fmt: need-lint
	@tools/lint --fix

lint: need-build+clang+lint
	@tools/lint

install: need-build+man
	@tools/build default
	@DESTDIR='$(DESTDIR)' cmake --install build/default --prefix '$(PREFIX)'
	@[ -n '$(DESTDIR)' ] || echo "installed to $(PREFIX); if programs do not find libtusk.so.0, run ldconfig as root, or link with -Wl,-rpath,$(PREFIX)/lib"

amalgamation: need-python
	@tools/amalgamate
	@echo "compile them with a program that has #include \"tusk.h\": cc program.c tusk.c -pthread"

deb: need-build+deb
	@tools/build-deb

check-packages: need-build+test+clang+deb
	@tools/build default
	@TUSK_CHECK_PACKAGES=yes tools/run-tests build/default -R '^package/$(T)'

clean:
	@rm -rf build
