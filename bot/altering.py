"""Another version of a record, as `dataclasses.replace` makes it, for records that each step of a handoff changes.

`replace` sets each field by itself, which of a frozen class with fifty fields costs ten times a copy. A class that is
used with this has no slots and works nothing out when it is made.
"""

from typing import TYPE_CHECKING, TypeVar

_T = TypeVar("_T")

if TYPE_CHECKING:
    from dataclasses import replace as altered  # so that types are checked as they are there
else:

    def altered(record: _T, /, **changes: object) -> _T:
        """The same record with these fields.

        Raises:
            TypeError: It has no such field.
        """
        made = object.__new__(type(record))
        fields = made.__dict__
        fields.update(record.__dict__)
        count = len(fields)
        fields.update(changes)
        if len(fields) > count:
            raise TypeError(
                f"{type(record).__name__} has no field {', '.join(changes.keys() - record.__dict__.keys())}"
            )
        return made


__all__ = ["altered"]
