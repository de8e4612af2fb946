"""A function's arguments as JSON and back, by its signature. No I/O."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model
from pydantic.errors import PydanticUserError

from andon._json import plain_object

__all__ = ["Arguments", "Signature"]

Arguments = Mapping[str, Any]
"""The arguments of a call, every one by name, defaults included."""

_UNNAMED: Mapping[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Signature:
    """What a function takes: binds calls, writes them as JSON, and reads them back into the same types."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self.signature = inspect.signature(function)
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {}
        self._fields: dict[str, str] = {}
        for number, (name, parameter) in enumerate(self.signature.parameters.items()):
            if stars := _UNNAMED.get(parameter.kind):
                raise TypeError(f"{self.name}: name every argument; a card cannot say what {stars}{name} will be")
            default = ... if parameter.default is parameter.empty else parameter.default
            # The field's own name is ours, because an argument may have a name that a model's field may not.
            field = f"argument_{number}"
            self._fields[name] = field
            fields[field] = (hints.get(name, Any), Field(default, alias=name))
        try:
            self._model: type[BaseModel] = create_model(self.name, __config__=ConfigDict(extra="forbid"), **fields)
            self.schema: dict[str, JsonValue] = self._model.model_json_schema(by_alias=True)
        except PydanticUserError as error:
            raise TypeError(
                f"{self.name}: an argument has a type that cannot be written as JSON and read back: {error}"
            ) from error

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """Name the arguments of a call and bring them to their types.

        Raises:
            TypeError: They do not fit the signature.
            pydantic.ValidationError: One does not fit its type.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return self._named(self._model.model_validate(bound.arguments))

    def write(self, arguments: Arguments) -> dict[str, JsonValue]:
        """Write arguments as a JSON object.

        Raises:
            ValueError: A value has no JSON form that every reader takes alike.
            TypeError: As before.
        """
        made = self._model.model_construct(**{self._fields[name]: value for name, value in arguments.items()})
        return plain_object(made.model_dump(mode="json", by_alias=True))

    def read(self, written: Mapping[str, Any]) -> Arguments:
        """Read arguments back into the function's types.

        Raises:
            pydantic.ValidationError: They do not fit.
        """
        return self._named(self._model.model_validate_json(json.dumps(written)))

    def call(self, function: Callable[..., Any], arguments: Arguments) -> Any:
        """Call the function with exactly these arguments."""
        bound = self.signature.bind_partial()
        bound.arguments.update(arguments)
        return function(*bound.args, **bound.kwargs)

    def _named(self, made: BaseModel) -> Arguments:
        return {name: getattr(made, field) for name, field in self._fields.items()}
