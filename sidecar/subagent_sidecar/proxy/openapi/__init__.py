"""`/openapi.json`: the admin plane in the words of OpenAPI 3.1.

`kinds` are the shapes everything is made of, `records`, `governing` and `answers` what goes out,
`operations` the table of routes; `document` puts them together. Tests hold it to the routes that
there are, to the parameters and keys that these know, and to what they answer.
"""

from .document import document

__all__ = ["document"]
