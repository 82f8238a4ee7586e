"""The one part of the build that is not declared in pyproject.toml: the compiled operations.

They are optional. Where there is no compiler, or not one of GCC's kind, the package installs without them and runs
everything in torch.
"""

from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("src/radixa/kernels/c")
FLAGS = ["-O3", "-g0", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden"]

setup(
    ext_modules=[
        Extension(
            "radixa.kernels._cpu",
            sources=[str(SOURCES / "cpu.c"), str(SOURCES / "product.c")],
            depends=sorted(str(header) for header in SOURCES.glob("*.h")),
            extra_compile_args=FLAGS,
            libraries=["m"],
            # Plain C, loaded by ctypes: it knows no Python, so one build serves every version.
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
