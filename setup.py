"""Packaging: folder `dna/` is imported as `primeval.dna`, and so on for its siblings.

All metadata lives here; `pyproject.toml` holds only the build system and tool tables.
"""

from pathlib import Path

from setuptools import find_packages, setup

# In layer order: a package imports only from the ones before it (tests/test_layering.py).
PACKAGES = ["primitives", "dna", "evaluators", "search", "configs", "scripts"]

setup(
    name="primeval",
    version="0.1.0",
    description="Evolve the TensorFlow program of a Transformer's decoder block",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    package_dir={f"primeval.{name}": name for name in PACKAGES},
    packages=[
        f"primeval.{name}"
        for name in find_packages(
            include=[f"{name}{rooms}" for name in PACKAGES for rooms in ("", ".*")]
        )
    ],
    package_data={
        "primeval.configs": ["*.yaml"],
        "primeval.dna": ["seeds/*.dna", "panel/*.dna"],
        "primeval.evaluators.data": ["corpora/*"],
        "primeval.scripts.report": ["template/*"],
    },
    install_requires=[
        "tensorflow>=2.18",  # training: primitives/kernels.py, evaluators/; brings Keras 3
        "numpy>=1.26",  # token arrays: evaluators/data/cache.py
        "filelock>=3.12",  # one maker of a cache entry: evaluators/data/cache.py; Ray has it
        "sentencepiece>=0.2",  # subword tokens: evaluators/data/tokenizer.py
        "ray>=2.40",  # worker processes: evaluators/workers/ray_pool.py
        "tensorflow-datasets>=4.9.7",  # `tfds:` data sets: evaluators/data/tfds.py
        # `tensorboard: true`: search/drive/tensorboard.py; its files without TensorFlow, which
        # the driver never imports; brings protobuf and packaging, which Ray has too
        "tensorboardX>=2.6",
        "psutil>=5.9",  # free memory, workers' memory: evaluators/workers/memory.py
        "importlib_resources",  # tensorflow-datasets imports it without listing it
        "pyyaml>=6",  # run configurations: search/config/config.py
        "rich>=13",  # live progress in terminals: scripts/running/
        "jinja2>=3.1",  # the page of `report`, with everything escaped: scripts/report/page.py
        "matplotlib>=3.7",  # `show --graph FILE.png`: scripts/drawing/png.py; brings fonts
    ],
    extras_require={
        "benchmarks": [
            "torch>=2.4",  # the model to beat in PyTorch: benchmarks/handwritten_torch.py
        ],
        "dev": [
            "hypothesis>=6.100",  # generated programs and runs in tests
            "mypy>=1.11",  # `make lint`: types
            "playwright>=1.40",  # drives an installed Chromium: test_report_browser.py
            "pytest>=8",  # `make test`
            "pytest-xdist>=3.6",  # `make test` by two processes: half the time on two cores
            "ruff>=0.6",  # `make lint`: lint and format
            "types-PyYAML",  # types of pyyaml for mypy
            "types-psutil",  # types of psutil for mypy
        ],
    },
    entry_points={"console_scripts": ["primeval = primeval.scripts.cli:main"]},
)
