"""The agents' HTTP API: `/v1`, problem documents, one event stream per agent, and the OpenAPI document."""

from bot.api.openapi import document
from bot.api.operations import Operations, counting
from bot.api.problems import problems, set_headers
from bot.api.routes import Api

__all__ = ["Api", "Operations", "counting", "document", "problems", "set_headers"]
