"""Lists the packages to install; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["distill*", "ablations*"]), "distill.conf"],
    package_dir={"distill.conf": "conf"},
)
