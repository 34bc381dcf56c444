"""Builds the package; all that describes it is in pyproject.toml."""

from setuptools import setup

setup()
