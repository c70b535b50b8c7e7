"""The flags of a benchmark; the standard library alone, since peers read them too."""

import argparse


def parser(doc, **settings):
    """A parser whose help is a module's docstring and the flags."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, **settings
    )
