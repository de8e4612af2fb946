"""A modal or a Home tab as the person sees it who has it open."""

from typing import TYPE_CHECKING, Any

from tests.fakes.slack import interactions
from tests.fakes.slack.interactions import Outcome
from tests.fakes.slack.kit import Control, at_first, controls, filled, holds_value, names_of, readable, words
from tests.fakes.slack.model import Message, View

if TYPE_CHECKING:
    from tests.fakes.slack.people import Person

Json = dict[str, Any]


def control_named(blocks: list[Json], label: str, what: str, kinds: tuple[str, ...] = ()) -> Control:
    """The control that a person calls so.

    Raises:
        AssertionError: There is none; it says which there are.
    """
    there = [item for item in controls(blocks) if not kinds or item.kind in kinds]
    for control in there:
        if control.label == label:
            return control
    for control in there:
        if label in names_of(control):
            return control
    raise AssertionError(f"no {label!r} in {what}; there are {[control.label for control in there]}")


async def chosen(person: "Person", place: Message | View, control: Control, option: Any) -> Json:
    """What stands in an element after a choice; in an external select the choice is looked for first."""
    if "external_select" not in control.kind:
        return filled(control.element, option)
    wanted = [option] if isinstance(option, str) else list(option)
    found = []
    for label in wanted:
        known = person.cloud.suggested.get((person.id, control.block_id, control.action_id), [])
        if label not in [item["text"]["text"] for item in known]:
            known = await interactions.suggest(person, place, control, label)
        found.append(filled({"type": "static_select", "options": known}, label)["selected_option"])
    return filled(control.element, found if control.kind.startswith("multi_") else found[0])


class Screen:
    """What a modal and a Home tab have in common."""

    def __init__(self, person: "Person", view: View) -> None:
        self.person = person
        self.raw = view

    @property
    def shown(self) -> str:
        """All that can be read in it, in order, one line for each piece."""
        return words(self.raw.blocks, {user.id: user.shown_name for user in self.person.cloud.users.values()})

    @property
    def blocks(self) -> list[Json]:
        return self.raw.blocks

    @property
    def callback_id(self) -> str:
        return str(self.raw.source.get("callback_id", ""))

    @property
    def private_metadata(self) -> str:
        return str(self.raw.source.get("private_metadata", ""))

    @property
    def buttons(self) -> list[str]:
        """The labels of the buttons in it, in order."""
        return [control.label for control in controls(self.raw.blocks) if control.kind == "button"]

    @property
    def fields(self) -> dict[str, Any]:
        """What stands in each field, by its label: text, the label of what is chosen, a list of labels, or None."""
        told = {}
        for control in controls(self.raw.blocks):
            if holds_value(control.element):
                held = self.raw.values.get(control.block_id, {}).get(control.action_id)
                told[control.label] = readable(held or at_first(control.element))
        return told

    async def press(self, label: str) -> Outcome:
        """Press a button in it, or choose from an overflow menu."""
        control = control_named(self.raw.blocks, label, "the view", ("button", "overflow", "icon_button"))
        return await interactions.act_in_view(self.person, self.raw, control)

    async def select(self, label: str, option: Any) -> Outcome:
        """Choose in an element that tells the app at once."""
        control = control_named(self.raw.blocks, label, "the view")
        value = await chosen(self.person, self.raw, control, option)
        return await interactions.act_in_view(self.person, self.raw, control, value)

    async def search(self, label: str, typed: str) -> list[str]:
        """Type into an external select: the labels of what the app offers."""
        control = control_named(self.raw.blocks, label, "the view")
        options = await interactions.suggest(self.person, self.raw, control, typed)
        return [str(option["text"]["text"]) for option in options]


class Home(Screen):
    """Somebody's Home tab."""


class Modal(Screen):
    """A modal that is open before somebody, or was."""

    @property
    def title(self) -> str:
        return str(self.raw.source["title"]["text"])

    @property
    def is_open(self) -> bool:
        return self.raw.is_open

    @property
    def submit_label(self) -> str | None:
        submit = self.raw.source.get("submit")
        return str(submit["text"]) if submit else None

    async def fill(self, label: str, value: Any) -> Outcome | None:
        """Fill in a field: text, a number, a date, the label of an option or several.

        Returns:
            What came of it, when the field tells the app at once.
        """
        assert self.raw.is_open, "the modal is closed"
        control = control_named(self.raw.blocks, label, f"the modal {self.title!r}")
        held = await chosen(self.person, self.raw, control, value)
        if control.block["type"] != "input" or control.block.get("dispatch_action"):
            return await interactions.act_in_view(self.person, self.raw, control, held)
        self.raw.values.setdefault(control.block_id, {})[control.action_id] = held
        return None

    async def submit(self) -> Outcome:
        """Press the submit button: `errors` by label, `closed`, and the `view` that is then seen."""
        return await interactions.submit(self.person, self.raw)

    async def close(self) -> Outcome:
        """Press the close button."""
        return await interactions.dismiss(self.person, self.raw)

    async def close_all(self) -> Outcome:
        """Press the cross, which closes what lies under it as well."""
        return await interactions.dismiss(self.person, self.raw, all_of_them=True)
