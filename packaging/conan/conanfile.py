"""tusk for Conan 2, from the tree that this recipe lies in:

    conan create packaging/conan
"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rm, rmdir


class Tusk(ConanFile):
    name = "tusk"
    description = "Tasks on an event loop, with asyncio's words, for C"
    license = "MIT"
    topics = ("asyncio", "coroutines", "event-loop", "networking")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "with_openssl": [True, False]}
    default_options = {"shared": False, "fPIC": True, "with_openssl": True}

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "..", "..", "include", "tusk", "base.h"))
        self.version = re.search(r'^#define TUSK_VERSION "(.*)"', header, re.MULTILINE).group(1)

    def export_sources(self):
        tree = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "docs/*"):
            copy(self, pattern, tree, self.export_sources_folder)

    def configure(self):
        if self.options.shared:
            self.options.rm_safe("fPIC")
        # It is C, whatever the compiler does with C++.
        self.settings.rm_safe("compiler.cppstd")
        self.settings.rm_safe("compiler.libcxx")

    def validate(self):
        if self.settings.os == "Windows":
            raise ConanInvalidConfiguration("tusk has no poller for Windows; it runs on Linux and macOS")

    def requirements(self):
        if self.options.with_openssl:
            self.requires("openssl/[>=3.0 <4]")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for what in ("TESTS", "EXAMPLES", "BENCH"):
            toolchain.cache_variables[f"TUSK_BUILD_{what}"] = False
        toolchain.cache_variables["TUSK_BUILD_SHARED"] = bool(self.options.shared)
        toolchain.cache_variables["CMAKE_DISABLE_FIND_PACKAGE_OpenSSL"] = not self.options.with_openssl
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan makes files for CMake and pkg-config of its own.
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))
        rmdir(self, os.path.join(self.package_folder, "share"))
        if self.options.shared:
            rm(self, "*.a", os.path.join(self.package_folder, "lib"))

    def package_info(self):
        self.cpp_info.libs = ["tusk"]
        self.cpp_info.set_property("cmake_file_name", "tusk")
        self.cpp_info.set_property("cmake_target_name", "tusk::tusk")
        self.cpp_info.set_property("pkg_config_name", "tusk")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["m", "pthread"]
