"""What is asked of the machine and of the libraries before anything is served."""

import resource
from contextlib import suppress

from aiohttp import http_parser

from ..errors import ConfigError


def refuse_lenient_parser() -> None:
    """aiohttp's pure-Python parser accepts shapes that smuggle requests; only the C one will do."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigError(
            [
                "this aiohttp has no C parser (AIOHTTP_NO_EXTENSIONS, or a build without "
                "extensions), and its Python parser accepts malformed requests; install a wheel"
            ]
        )


def raise_file_limit() -> None:
    """A stream holds two descriptors; the usual soft limit of 1,024 ends at 500 of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
